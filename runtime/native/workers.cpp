#include "workers.h"

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <atomic>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "error.h"
#include "float_environment.h"
#include "intrinsics.h"

namespace tfmbs {
namespace {

// While a run lasts. Waking a thread costs its waker some microseconds, and the thread comes 30 to 100 later, or more
// where others compete for its processor.
constexpr std::chrono::microseconds LOOK_OUT{200};
constexpr unsigned LOOKS = 32;  // between two looks at the clock

// Threads of the contexts of this process that run now.
std::atomic<unsigned> running{0};

// Forks that this process descends from, as far as it has seen them: in the child, threads of before are not there.
std::atomic<unsigned> forks{0};

unsigned forks_so_far() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] {
    ++forks;
    running = 0;  // what runs is the parent's
  });
  if (registered) throw Error("resource-limit", "emulator", "a fork handler cannot be registered");
  return forks.load(std::memory_order_relaxed);
}

bool is_crowded() {
  static const unsigned processors = std::thread::hardware_concurrency();  // 0: not known
  return running.load(std::memory_order_relaxed) > processors;
}

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

#if defined(__linux__)
// Processors that the calling thread may run on; UINT_MAX: not known.
unsigned own_processors() {
  cpu_set_t own;
  return sched_getaffinity(0, sizeof own, &own) ? UINT_MAX : static_cast<unsigned>(CPU_COUNT(&own));
}
#else
unsigned own_processors() { return UINT_MAX; }
#endif

// Whether `there_is` becomes true within LOOK_OUT, while `go_on` is.
template <class ThereIs, class GoOn>
bool look_out(const ThereIs& there_is, const GoOn& go_on) {
  const auto end = std::chrono::steady_clock::now() + LOOK_OUT;
  do {
    for (unsigned i = 0; i < LOOKS; ++i) {
      if (there_is()) return true;
      relax();
    }
  } while (go_on() && !is_crowded() && std::chrono::steady_clock::now() < end);
  return there_is();
}

}  // namespace

struct Workers::Shared {
  // The units of a worker that nobody has started yet.
  struct alignas(64) Part {
    std::atomic<uint64_t> next{0};
    uint64_t end = 0;
  };

  // A word says which job there is, whether it can be joined, and how many threads have. What describes the job is
  // written only while it is closed and nobody is in it.
  static constexpr uint64_t JOINED = 0xFFFF, OPEN = 0x10000, JOB = 0x20000;
  static uint64_t job_of(uint64_t word) { return word / JOB; }

  // Threads that look out read the word all the time: nothing that the caller writes for others lies beside it.
  alignas(64) std::atomic<uint64_t> word{0};
  alignas(64) Call call{};
  std::vector<Part> parts;
  std::atomic<uint64_t> failed{UINT64_MAX};  // the lowest unit that threw
  std::exception_ptr failure;

  std::mutex mutex;
  std::condition_variable wake, done;
  std::atomic<unsigned> sleepers{0};
  std::atomic<bool> is_waiting{false}, stop{false}, awake{false};

  unsigned born = forks_so_far();
  std::vector<std::thread> threads;

  explicit Shared(unsigned count) : parts(count) {}

  void publish(uint64_t units, bool in_parts, Call what);
  void finish();
  uint64_t await(uint64_t seen);
  bool join(uint64_t wanted);
  void leave();
  void loop(unsigned worker);
  void work(unsigned worker);
  void end();
};

void Workers::Shared::publish(uint64_t units, bool in_parts, Call what) {
  call = what;
  failed.store(UINT64_MAX, std::memory_order_relaxed);
  const uint64_t count = in_parts ? parts.size() : 1, each = units / count, more = units % count;
  uint64_t first = 0;
  for (uint64_t i = 0; i < parts.size(); ++i) {
    parts[i].next.store(first, std::memory_order_relaxed);
    if (i < count) first += each + (i < more);
    parts[i].end = first;
  }
  // A thread that goes to sleep counts itself before it looks at the word, this one looks at the count after it has
  // changed the word: one of the two sees the other.
  word.store((job_of(word.load(std::memory_order_relaxed)) + 1) * JOB | OPEN);
  const uint64_t asleep = sleepers.load();
  if (!asleep) return;
  { const std::lock_guard<std::mutex> lock(mutex); }
  if (units > asleep) return wake.notify_all();
  for (uint64_t unit = 1; unit < units; ++unit) wake.notify_one();
}

// Nobody joins from now on; returns when all have left.
void Workers::Shared::finish() {
  uint64_t now = word.fetch_and(~OPEN) & ~OPEN;
  const auto all_left = [&] { return ((now = word.load(std::memory_order_acquire)) & JOINED) == 0; };
  if (!(now & JOINED) || look_out(all_left, [&] { return awake.load(std::memory_order_relaxed); })) return;
  std::unique_lock<std::mutex> lock(mutex);
  is_waiting = true;
  done.wait(lock, [&] { return (word.load() & JOINED) == 0; });
  is_waiting = false;
}

// Waits for a job other than `seen` that can be joined; returns its word. 0 at the end.
uint64_t Workers::Shared::await(uint64_t seen) {
  uint64_t now = 0;
  const auto there_is = [&] {
    now = word.load();
    return ((now & OPEN) && job_of(now) != seen) || stop.load();
  };
  if (!look_out(there_is, [&] { return awake.load(std::memory_order_relaxed); })) {
    std::unique_lock<std::mutex> lock(mutex);
    ++sleepers;
    wake.wait(lock, there_is);
    --sleepers;
  }
  return stop ? 0 : now;
}

bool Workers::Shared::join(uint64_t wanted) {
  uint64_t now = word.load();
  while ((now & OPEN) && job_of(now) == job_of(wanted))
    if (word.compare_exchange_weak(now, now + 1)) return true;
  return false;
}

void Workers::Shared::leave() {
  if ((--word & (OPEN | JOINED)) || !is_waiting.load()) return;
  { const std::lock_guard<std::mutex> lock(mutex); }
  done.notify_one();
}

void Workers::Shared::loop(unsigned worker) {
  const FloatEnvironment environment;
  uint64_t seen = 0;
  while (const uint64_t now = await(seen)) {
    if (join(now)) {
      work(worker);
      leave();
    }
    seen = job_of(now);
  }
}

void Workers::Shared::work(unsigned worker) {
  for (size_t i = 0; i < parts.size(); ++i) {
    Part& part = parts[(worker + i) % parts.size()];
    // Looked at first, so that what is used up does not grow for ever.
    while (part.next.load(std::memory_order_relaxed) < part.end) {
      const uint64_t unit = part.next.fetch_add(1, std::memory_order_relaxed);
      if (unit >= part.end || unit > failed.load(std::memory_order_relaxed)) break;
      try {
        call.function(call.task, unit, worker);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (unit < failed.load(std::memory_order_relaxed)) {
          failure = std::current_exception();
          failed.store(unit, std::memory_order_relaxed);
        }
      }
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

Workers::Workers(unsigned count) : count_(count) { forks_so_far(); }

Workers::~Workers() {
  if (!shared_) return;
  // In the child of a fork the threads are neither there to join nor to leave the condition variables: these stay.
  if (shared_->born != forks_so_far()) (void)shared_.release();
  else shared_->end();
}

Workers::Awake::Awake(Workers& workers) : workers_(workers) {
  running += workers_.count_;
  // Where its threads have fewer processors than there are of them, each that looks out keeps another one from running.
  workers_.awake_ = workers_.count_ > 1 && workers_.count_ <= own_processors();
  if (workers_.shared_) workers_.shared_->awake = workers_.awake_;
}

Workers::Awake::~Awake() {
  running -= workers_.count_;
  workers_.awake_ = false;
  if (workers_.shared_) workers_.shared_->awake = false;
}

void Workers::start() {
  if (shared_) (void)shared_.release();  // of before a fork, as above
  shared_ = std::make_unique<Shared>(count_);
  Shared* const shared = shared_.get();
  shared->awake = awake_;
  try {
    for (unsigned worker = 1; worker < count_; ++worker)
      shared->threads.emplace_back([shared, worker] { shared->loop(worker); });
  } catch (const std::system_error&) {
    shared->end();
    shared_.reset();
    throw Error("resource-limit", "emulator", "no " + std::to_string(count_) + " threads");
  }
}

void Workers::share(uint64_t units, bool in_parts, Call call) {
  if (!units) return;
  if (!shared_ || shared_->born != forks_so_far()) start();
  Shared& s = *shared_;
  s.publish(units, in_parts, call);
  s.work(0);
  s.finish();
  if (s.failed.load(std::memory_order_relaxed) == UINT64_MAX) return;
  const std::exception_ptr failure = std::move(s.failure);
  s.failure = nullptr;
  std::rethrow_exception(failure);
}

}  // namespace tfmbs
