// A fixed set of threads that share out numbered units of work.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
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

  // Runs task(unit, worker) for every unit < units, started in ascending order. Where tasks throw, no more are started
  // and the exception of the lowest unit is thrown, which does not depend on the number of workers. Throws Error in the
  // child of a fork, which has none of the threads.
  void run(uint64_t units, const Task& task);

 private:
  struct Shared {
    std::vector<std::thread> threads;
    std::mutex mutex;
    std::condition_variable wake, done;
    uint64_t generation = 0;
    size_t active = 0;
    bool stop = false;

    const Task* task = nullptr;
    uint64_t units = 0;
    std::atomic<uint64_t> next{0};
    uint64_t failed_unit = 0;
    std::exception_ptr failure;

    void loop(unsigned worker);
    void work(unsigned worker);
    void end();
  };

  bool forked() const;

  pid_t process_;
  std::unique_ptr<Shared> shared_;
};

}  // namespace tfmbs
