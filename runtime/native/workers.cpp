#include "workers.h"

#include "float_environment.h"

namespace tfmbs {

Workers::Workers(unsigned count) {
  for (unsigned worker = 1; worker < count; ++worker) threads_.emplace_back([this, worker] { loop(worker); });
}

Workers::~Workers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(uint64_t units, const Task& task) {
  task_ = &task;
  units_ = units;
  next_ = 0;
  failure_ = nullptr;
  if (!threads_.empty()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++generation_;
    active_ = static_cast<unsigned>(threads_.size());
    wake_.notify_all();
  }
  work(0);
  if (!threads_.empty()) {
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return active_ == 0; });
  }
  if (failure_) std::rethrow_exception(failure_);
}

void Workers::loop(unsigned worker) {
  const FloatEnvironment environment;
  for (uint64_t seen = 0;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
    }
    work(worker);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--active_ == 0) done_.notify_one();
  }
}

void Workers::work(unsigned worker) {
  for (uint64_t unit = next_++; unit < units_; unit = next_++) {
    try {
      (*task_)(unit, worker);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_ || unit < failed_unit_) {
        failure_ = std::current_exception();
        failed_unit_ = unit;
      }
      next_ = units_;
    }
  }
}

}  // namespace tfmbs
