// A fixed set of threads that share out numbered units of work.
#pragma once

#include <cstdint>
#include <memory>

namespace tfmbs {

// The calling thread is worker 0; the others are started when there is work for them. A thread that is late, or instead
// of which the system runs something else, is not waited for unless it has a unit in its hands.
class Workers {
 public:
  explicit Workers(unsigned count);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  unsigned count() const { return count_; }
  // Threads that share out what is run next: one where the calling thread stays alone.
  unsigned sharing() const { return alone_ ? 1 : count_; }

  // While it lives, threads without work look out for more for some microseconds before they sleep, if there is a
  // processor for each thread that runs a context of this process. After it, they sleep.
  class Awake {
   public:
    explicit Awake(Workers& workers);
    ~Awake();
    Awake(const Awake&) = delete;
    Awake& operator=(const Awake&) = delete;

   private:
    Workers& workers_;
  };

  // Runs task(unit, worker) for every unit < units, begun in ascending order: a unit may wait for lower ones. Where
  // tasks throw, the exception of the lowest unit is thrown, which does not depend on the number of workers: units
  // above it may be left out, those below are not. Throws Error where the threads cannot be started. In the child of a
  // fork, which has none of the threads, it starts new ones.
  template <class Task>
  void run(uint64_t units, const Task& task) {
    share(units, task, false);
  }
  // The same in another order, where no unit waits: each worker begins with its own part of the units, neighbours in
  // ascending order, and then takes what others have not begun.
  template <class Task>
  void spread(uint64_t units, const Task& task) {
    share(units, task, true);
  }
  // Whether the calling thread does all by itself: for work that is done before another thread has heard of it.
#if defined(TFMBS_SHARE_ALL)
  void stay_alone(bool) {}  // a build that looks for races
#else
  void stay_alone(bool alone) { alone_ = alone; }
#endif

 private:
  // A task of any type.
  struct Call {
    const void* task;
    void (*function)(const void* task, uint64_t unit, unsigned worker);
  };
  struct Shared;

  template <class Task>
  void share(uint64_t units, const Task& task, bool in_parts) {
    if (count_ == 1 || units == 1 || alone_)
      for (uint64_t unit = 0; unit < units; ++unit) task(unit, 0u);
    else
      share(units, in_parts, {&task, [](const void* of, uint64_t unit, unsigned worker) {
                                (*static_cast<const Task*>(of))(unit, worker);
                              }});
  }
  void share(uint64_t units, bool in_parts, Call call);
  void start();

  unsigned count_;
  bool alone_ = false, awake_ = false;
  std::unique_ptr<Shared> shared_;
};

}  // namespace tfmbs
