#include "share.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

namespace tfmbs {
namespace {

constexpr uint64_t NO_LIMIT = UINT64_MAX / 2;

class Sharing {
 public:
  Sharing(const Group& group, const Bound* bound, const Kernels& kernels,
          std::vector<std::unique_ptr<Machine>>& machines, std::vector<std::unique_ptr<Worker>>& buffers,
          LaunchCounters* counters, Clock::time_point start)
      : group_(group),
        bound_(bound),
        kernels_(kernels),
        free_(machines),
        buffers_(buffers),
        counters_(counters),
        start_(start),
        going_(group.count),
        is_continued_(group.parts.size()),
        done_(group.parts.size()) {
    std::vector<size_t> last(group.count);
    for (size_t part = 0; part < group.parts.size(); ++part) {
      const Group::Part& own = group.parts[part];
      // The first part of a launch has no entrance either; nothing comes before it.
      if (!own.entrance && last[own.launch]) is_continued_[last[own.launch] - 1] = true;
      last[own.launch] = part + 1;
    }
  }

  void run(uint64_t part, unsigned worker) {
    try {
      if (!wait(group_.parts[part])) return;
      execute(part, *buffers_[worker]);
    } catch (...) {
      failed_ = true;
      throw;
    }
    done_[part].store(true, std::memory_order_release);
  }

 private:
  // Parts that others wait for have been begun: they are handed out in order. False where one failed.
  bool wait(const Group::Part& part) const {
    for (const uint32_t before : part.waits)
      while (!done_[before].load(std::memory_order_acquire)) {
        if (failed_) return false;
        std::this_thread::yield();
      }
    return true;
  }

  void execute(uint64_t number, Worker& worker) {
    const Group::Part& part = group_.parts[number];
    const Bound& bound = bound_[part.launch];
    const Program& program = *bound.launch.program;
    const auto before = Clock::now();
    std::unique_ptr<Machine> machine = machine_for(part, program, bound.windows);
    machine->counters() = {};
    Window windows[abi::WINDOWS];
    std::copy(std::begin(bound.windows), std::end(bound.windows), windows);
    if (part.turns != TO_THE_END) take_own(part.launch, windows, worker);
    uint64_t steps = NO_LIMIT;
    machine->advance(program, windows, part.turns, &steps);
    const auto after = Clock::now();
    const std::lock_guard<std::mutex> lock(mutex_);
    LaunchCounters& own = counters_[part.launch];
    own.add(machine->counters());
    const uint64_t began = nanoseconds(before - start_), ended = nanoseconds(after - start_);
    const uint64_t end = std::max(own.start_ns + own.wall_ns, ended);
    own.start_ns = own.wall_ns ? std::min(own.start_ns, began) : began;
    own.wall_ns = end - own.start_ns;
    (is_continued_[number] ? going_[part.launch] : free_.emplace_back()) = std::move(machine);
  }

  // A machine that stands at the start of the part.
  std::unique_ptr<Machine> machine_for(const Group::Part& part, const Program& program, const Window* windows) {
    std::unique_ptr<Machine> machine;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!part.entrance && going_[part.launch]) return std::move(going_[part.launch]);
      if (!free_.empty()) {
        machine = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (!machine) machine = std::make_unique<Machine>(kernels_);
    machine->clear(program);
    machine->start(program, abi::VLMAX);
    if (part.entrance) enter(*machine, *part.entrance, windows);
    return machine;
  }

  static void enter(Machine& machine, const Entrance& entrance, const Window* windows) {
    const Restart& restart = *entrance.restart;
    uint64_t steps = NO_LIMIT;
    machine.run(restart.before, windows, abi::VLMAX, &steps);
    machine.stand(entrance.early);
    for (unsigned turn = 0; turn < restart.turns; ++turn)
      machine.run(restart.turn, windows, entrance.early.flow.lanes, &steps);
    machine.stand(entrance.at);
  }

  // Puts memory of the worker in place of the windows that parts have for themselves.
  void take_own(uint32_t launch, Window* windows, Worker& worker) const {
    constexpr size_t LINE = 16;  // words
    const auto words = [&](const Group::Own& own) { return (own.bytes / sizeof(uint32_t) / LINE + 1) * LINE; };
    size_t needed = 0;
    for (const Group::Own& own : group_.own) needed += own.launch == launch ? words(own) : 0;
    if (worker.scratch.size() < needed) worker.scratch.resize(needed);
    uint32_t* next = worker.scratch.data();
    for (const Group::Own& own : group_.own) {
      if (own.launch != launch) continue;
      windows[own.window].data = reinterpret_cast<uint8_t*>(next);
      next += words(own);
    }
  }

  const Group& group_;
  const Bound* bound_;
  const Kernels& kernels_;
  std::vector<std::unique_ptr<Machine>>& free_;
  std::vector<std::unique_ptr<Worker>>& buffers_;
  LaunchCounters* counters_;
  Clock::time_point start_;
  std::vector<std::unique_ptr<Machine>> going_;  // of launches whose next part goes on
  std::vector<bool> is_continued_;               // parts that the next one of their launch goes on from
  std::vector<std::atomic<bool>> done_;
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
};

}  // namespace

void share_group(const Group& group, const Bound* bound, const Kernels& kernels, Workers& workers,
                 std::vector<std::unique_ptr<Machine>>& machines, std::vector<std::unique_ptr<Worker>>& buffers,
                 LaunchCounters* counters, Clock::time_point start) {
  Sharing sharing(group, bound, kernels, machines, buffers, counters, start);
  workers.run(group.parts.size(), [&](uint64_t part, unsigned worker) { sharing.run(part, worker); });
}

}  // namespace tfmbs
