#include "workers.h"

#include <unistd.h>

#include <system_error>

#include "error.h"
#include "float_environment.h"

namespace tfmbs {

Workers::Workers(unsigned count) : process_(getpid()), shared_(std::make_unique<Shared>()) {
  Shared* shared = shared_.get();
  try {
    for (unsigned worker = 1; worker < count; ++worker)
      shared->threads.emplace_back([shared, worker] { shared->loop(worker); });
  } catch (const std::system_error&) {
    shared->end();
    throw Error("resource-limit", "emulator", "no " + std::to_string(count) + " threads");
  }
}

Workers::~Workers() {
  // In the child of a fork the threads are neither there to join nor to leave the condition variables: these stay.
  if (forked()) (void)shared_.release();
  else shared_->end();
}

bool Workers::forked() const { return !shared_->threads.empty() && getpid() != process_; }

void Workers::run(uint64_t units, const Task& task) {
  if (forked()) throw Error("device", "emulator", "a context with threads does not survive a fork, make a new one");
  Shared& s = *shared_;
  s.task = &task;
  s.units = units;
  s.next = 0;
  s.failure = nullptr;
  {
    const std::lock_guard<std::mutex> lock(s.mutex);
    ++s.generation;
    s.active = s.threads.size();
  }
  s.wake.notify_all();
  s.work(0);
  std::unique_lock<std::mutex> lock(s.mutex);
  s.done.wait(lock, [&s] { return s.active == 0; });
  if (s.failure) std::rethrow_exception(s.failure);
}

void Workers::Shared::loop(unsigned worker) {
  const FloatEnvironment environment;
  for (uint64_t seen = 0;;) {
    {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return stop || generation != seen; });
      if (stop) return;
      seen = generation;
    }
    work(worker);
    const std::lock_guard<std::mutex> lock(mutex);
    if (--active == 0) done.notify_one();
  }
}

void Workers::Shared::work(unsigned worker) {
  for (uint64_t unit = next++; unit < units; unit = next++) {
    try {
      (*task)(unit, worker);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure || unit < failed_unit) {
        failure = std::current_exception();
        failed_unit = unit;
      }
      next = units;
    }
  }
}

void Workers::Shared::end() {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    stop = true;
  }
  wake.notify_all();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace tfmbs
