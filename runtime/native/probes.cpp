#include "probes.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "choice.h"
#include "error.h"
#include "workers.h"

namespace tfmbs {

extern const Probes probes_baseline;
#if defined(TFMBS_X86)
extern const Probes probes_avx2, probes_avxvnni, probes_avx512, probes_avx512vnni;
#endif

namespace {

constexpr unsigned BURSTS = 3;
constexpr uint64_t FIRST_TRIPS = 1 << 12;

std::atomic<uint64_t> sink{0};  // written, so that no probe can be left out

template <class Task>
double seconds_of(Workers& workers, unsigned threads, const Task& task) {
  const auto start = std::chrono::steady_clock::now();
  workers.run(threads, task);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of the calling thread: what other processes of a busy machine take is not in it.
double processor_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

double peak_rate(const Burn& burn, unsigned threads, double seconds) {
  Workers workers(threads);
  const double cores = std::max(1u, std::thread::hardware_concurrency());
  uint64_t trips = FIRST_TRIPS;
  std::vector<double> rates(threads);
  const auto burst = [&] {
    return seconds_of(workers, threads, [&](uint64_t unit, unsigned) {
      const double start = processor_seconds();
      sink += burn.run(trips);
      const double operations = static_cast<double>(trips) * static_cast<double>(burn.operations);
      rates[unit] = operations / (processor_seconds() - start);
    });
  };
  while (burst() < seconds) trips *= 2;
  double best = 0;
  for (unsigned i = 0; i < BURSTS; ++i) {
    burst();
    best = std::max(best, std::accumulate(rates.begin(), rates.end(), 0.0));
  }
  return best * std::min(1.0, cores / threads);
}

double read_seconds(const Probes& probes, const uint8_t* bytes, size_t size, unsigned threads, unsigned passes) {
  Workers workers(threads);
  const size_t part = (size + threads - 1) / threads;
  return seconds_of(workers, threads, [&](uint64_t unit, unsigned) {
    const size_t from = std::min(size, static_cast<size_t>(unit) * part), to = std::min(size, from + part);
    for (unsigned pass = 0; pass < passes; ++pass) sink += probes.read(bytes + from, to - from);
  });
}

const Probes& probes(const std::string& isa) {
  const std::string name = Choice(isa).all().name;
#if defined(TFMBS_X86)
  if (name == "avx2") return probes_avx2;
  if (name == "avxvnni") return probes_avxvnni;
  if (name == "avx512") return probes_avx512;
  // Tiles of AMX are not measured: a share is that of the named instruction beside them.
  if (name == "avx512vnni" || name == "amx") return probes_avx512vnni;
#endif
  if (name == "baseline") return probes_baseline;
  throw Error("device", "emulator", "nothing measures what instruction set '" + name + "' can do");
}

}  // namespace tfmbs
