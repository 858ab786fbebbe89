// A fixed set of threads that share out numbered units of work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tfmbs {

class Workers {
 public:
  using Task = std::function<void(uint64_t unit, unsigned worker)>;

  explicit Workers(unsigned count);  // the calling thread is worker 0
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  unsigned count() const { return static_cast<unsigned>(threads_.size()) + 1; }
  // Runs task(unit, worker) for every unit < units, started in ascending order. Where tasks throw, no more are started and
  // the exception of the lowest unit is thrown, which does not depend on the number of workers.
  void run(uint64_t units, const Task& task);

 private:
  void loop(unsigned worker);
  void work(unsigned worker);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  uint64_t generation_ = 0;
  unsigned active_ = 0;
  bool stop_ = false;

  const Task* task_ = nullptr;
  uint64_t units_ = 0;
  std::atomic<uint64_t> next_{0};
  uint64_t failed_unit_ = 0;
  std::exception_ptr failure_;
};

}  // namespace tfmbs
