#include "kpu_simulation.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <set>
#include <string>
#include <tuple>

#include "error.h"

namespace tfmbs::kpu {
namespace {

using movement::Movement;
using movement::Op;

constexpr int64_t QUEUES = 2;  // of an engine
constexpr int64_t MILLION = 1000000;

class Simulation {
 public:
  Simulation(const MovementProgram& program, Jobs& jobs)
      : program_(program),
        jobs_(jobs),
        count_(static_cast<int64_t>(program.movements.size())),
        pending_(program.movements.size()),
        followers_first_(program.movements.size() + 1),
        released_(program.movements.size()),
        queues_(static_cast<size_t>(program.engines * QUEUES)),
        heads_(queues_.size()),
        queue_free_(queues_.size()),
        busy_(static_cast<size_t>(program.engines)),
        engine_end_(busy_.size()) {
    trace_.start.resize(pending_.size());
    trace_.end.resize(pending_.size());
    trace_.ready.resize(pending_.size());
    trace_.cause.assign(pending_.size(), -1);
    trace_.bytes.resize(pending_.size());
    trace_.stored.resize(pending_.size());
    for (int64_t i = 0; i < count_; ++i) queues_[static_cast<size_t>(at(i).queue)].push_back(i);
    follow();
  }

  Trace run() {
    for (int64_t engine = 0; engine < program_.engines; ++engine) start(engine, 0);
    int64_t ended = 0;
    std::set<int64_t> touched;
    while (!events_.empty()) {
      const int64_t now = events_.top().time;
      touched.clear();
      while (!events_.empty() && events_.top().time == now) {
        const Event event = events_.top();
        events_.pop();
        if (event.frees) free(event.number, now, touched);
        if (event.ends) end(event.number, now, touched), ++ended;
      }
      for (const int64_t engine : touched) start(engine, now);
    }
    if (ended != count_)
      throw Error("device", "kpu", std::to_string(count_ - ended) + " movements wait for each other and never start");
    return std::move(trace_);
  }

 private:
  // A movement frees its engine, ends, or both.
  struct Event {
    int64_t time, number;
    bool frees, ends;
    bool operator>(const Event& other) const { return std::tie(time, number) > std::tie(other.time, other.number); }
  };

  const Movement& at(int64_t number) const { return program_.movements[static_cast<size_t>(number)]; }

  // Whom each movement is waited for by, as ranges of one list.
  void follow() {
    for (int64_t i = 0; i < count_; ++i) {
      pending_[static_cast<size_t>(i)] = at(i).wait_count;
      for (int64_t w = 0; w < at(i).wait_count; ++w) ++followers_first_[static_cast<size_t>(wait(i, w)) + 1];
    }
    for (size_t i = 1; i < followers_first_.size(); ++i) followers_first_[i] += followers_first_[i - 1];
    followers_.resize(program_.waits.size());
    std::vector<int64_t> next(followers_first_.begin(), followers_first_.end() - 1);
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t w = 0; w < at(i).wait_count; ++w)
        followers_[static_cast<size_t>(next[static_cast<size_t>(wait(i, w))]++)] = i;
  }

  int64_t wait(int64_t number, int64_t index) const {
    return program_.waits[static_cast<size_t>(at(number).wait_first + index)];
  }

  void start(int64_t engine, int64_t now) {
    const size_t e = static_cast<size_t>(engine);
    if (busy_[e]) return;
    int64_t chosen = -1, chosen_since = 0;
    for (size_t q = e * QUEUES; q < (e + 1) * QUEUES; ++q) {
      if (heads_[q] == queues_[q].size()) continue;
      const int64_t number = queues_[q][heads_[q]];
      if (pending_[static_cast<size_t>(number)]) continue;
      // Of two queues, the one whose movement could have started first; then the one that comes first.
      const int64_t since = std::max(released_[static_cast<size_t>(number)], queue_free_[q]);
      if (chosen >= 0 && std::pair(since, number) > std::pair(chosen_since, chosen)) continue;
      chosen = number;
      chosen_since = since;
    }
    if (chosen < 0) return;
    const Movement& m = at(chosen);
    const size_t i = static_cast<size_t>(chosen);
    ++heads_[static_cast<size_t>(m.queue)];
    busy_[e] = true;
    trace_.ready[i] = std::min(engine_end_[e], now);
    trace_.start[i] = now;
    int64_t busy = m.busy_ps, pipe = m.pipe_ps;
    if (const TimedProgram* timed = timed_of(m)) {
      const Walked walked = walk_timed(*timed, Cut{}, jobs_.taken(m, program_.parameters.data() + m.parameter_first));
      busy = std::max(walked.parts[0].cycles * timed->engine.core_ps, walked.beats * timed->engine.dma_ps);
      pipe = (walked.bytes * MILLION + timed->engine.external_per_million - 1) / timed->engine.external_per_million;
      trace_.bytes[i] = walked.bytes;
      trace_.stored[i] = walked.stored;
    }
    int64_t until = now + busy;
    if (pipe) {
      pipe_free_ = std::max(pipe_free_, now) + pipe;
      until = std::max(until, pipe_free_);
    }
    engine_end_[e] = until;
    if (m.lag_ps) events_.push({until - m.lag_ps, chosen, true, false});
    events_.push({until, chosen, m.lag_ps == 0, true});
  }

  void free(int64_t number, int64_t now, std::set<int64_t>& touched) {
    const Movement& m = at(number);
    busy_[static_cast<size_t>(m.engine)] = false;
    queue_free_[static_cast<size_t>(m.queue)] = now;
    touched.insert(m.engine);
  }

  void end(int64_t number, int64_t now, std::set<int64_t>& touched) {
    const Movement& m = at(number);
    perform(m, number);
    trace_.end[static_cast<size_t>(number)] = now;
    const size_t i = static_cast<size_t>(number);
    for (int64_t f = followers_first_[i]; f < followers_first_[i + 1]; ++f) {
      const int64_t follower = followers_[static_cast<size_t>(f)];
      released_[static_cast<size_t>(follower)] = now;
      trace_.cause[static_cast<size_t>(follower)] = number;
      if (--pending_[static_cast<size_t>(follower)] == 0) touched.insert(at(follower).engine);
    }
  }

  // The program of a movement whose time is known when it has run.
  const TimedProgram* timed_of(const Movement& m) const {
    if (static_cast<Op>(m.op) != Op::VECTOR) return nullptr;
    const int64_t* parameters = program_.parameters.data() + m.parameter_first;
    const int64_t timed = reinterpret_cast<const movement::Vector*>(parameters)->timed;
    return timed < 0 ? nullptr : &program_.timed[static_cast<size_t>(timed)];
  }

  void perform(const Movement& m, int64_t number) {
    if (timed_of(m)) return;
    const int64_t* parameters = program_.parameters.data() + m.parameter_first;
    int64_t& moved = trace_.bytes[static_cast<size_t>(number)];
    switch (static_cast<Op>(m.op)) {
      case Op::COPY: moved = jobs_.copy(program_.parts.data() + m.part_first, m.part_count); return;
      case Op::GATHER: moved = jobs_.gather(m, parameters); return;
      case Op::FOLD: return jobs_.fold(m, parameters);
      case Op::EPILOGUE: return jobs_.epilogue(m, parameters);
      case Op::VECTOR:
        moved = m.bytes;
        trace_.stored[static_cast<size_t>(number)] =
            reinterpret_cast<const movement::Vector*>(parameters)->stored_bytes;
        return jobs_.vector(m, parameters);
      case Op::POOL: return jobs_.pool(m, parameters);
      case Op::SOFTMAX: return jobs_.softmax(m, parameters);
      case Op::QUANTIZE: return jobs_.quantize(parameters);
      case Op::GATES: return jobs_.gates(m, parameters);
      case Op::CLEAR: return jobs_.clear(parameters);
      case Op::MAGNITUDE: return jobs_.magnitude(parameters);
    }
  }

  const MovementProgram& program_;
  Jobs& jobs_;
  int64_t count_;
  std::vector<int64_t> pending_, followers_, followers_first_, released_;
  std::vector<std::vector<int64_t>> queues_;
  std::vector<size_t> heads_;
  std::vector<int64_t> queue_free_;
  std::vector<char> busy_;
  std::vector<int64_t> engine_end_;  // of the movement that it started last
  int64_t pipe_free_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<Event>> events_;
  Trace trace_;
};

bool holds(int64_t first, int64_t count, size_t size) {
  return first >= 0 && count >= 0 && first <= static_cast<int64_t>(size) && count <= static_cast<int64_t>(size) - first;
}

// How many parameters a movement has at least.
int64_t least_parameters(Op op) {
  const auto of = [](size_t bytes) { return static_cast<int64_t>(bytes / sizeof(int64_t)); };
  switch (op) {
    case Op::COPY: return 0;
    case Op::GATHER: return of(sizeof(movement::Gather));
    case Op::FOLD: return of(sizeof(movement::Fold));
    case Op::EPILOGUE: return of(sizeof(movement::Epilogue));
    case Op::VECTOR: return of(sizeof(movement::Vector));
    case Op::POOL: return of(sizeof(movement::Pool));
    case Op::SOFTMAX: return of(sizeof(movement::Softmax));
    case Op::QUANTIZE: return of(sizeof(movement::Quantize));
    case Op::GATES: return of(sizeof(movement::Gates));
    case Op::CLEAR: return of(sizeof(movement::Clear));
    case Op::MAGNITUDE: return of(sizeof(movement::Magnitude));
  }
  return 0;
}

// Whether `left` words hold `count` rows of `words` each.
bool has_rows(int64_t count, int64_t words, int64_t left) { return count >= 0 && count <= left / words; }

// Whether descriptions of windows end where their movement's parameters do: window, address, segments, and two words
// each.
bool has_windows(int64_t windows, const int64_t* at, int64_t left) {
  constexpr int64_t HEAD = 3, SEGMENT = 2;
  for (; windows > 0; --windows) {
    if (left < HEAD || !has_rows(at[HEAD - 1], SEGMENT, left - HEAD)) return false;
    const int64_t words = HEAD + SEGMENT * at[HEAD - 1];
    at += words;
    left -= words;
  }
  return windows == 0;
}

bool has_right_parameters(const MovementProgram& program, const Movement& m) {
  constexpr int64_t BLOCK = 2, RUN = 7;  // words that describe rows of an input, and runs of a vector program's bytes
  const Op op = static_cast<Op>(m.op);
  const int64_t left = m.parameter_count - least_parameters(op);
  if (left < 0) return false;
  const int64_t* first = program.parameters.data() + m.parameter_first;
  const int64_t* lists = first + least_parameters(op);
  switch (op) {
    case Op::GATHER: {
      const auto* p = reinterpret_cast<const movement::Gather*>(first);
      return p->rows_per_block >= 1 && has_rows(p->blocks, BLOCK, left);
    }
    case Op::EPILOGUE: {
      const auto* p = reinterpret_cast<const movement::Epilogue*>(first);
      return p->chunk_rows >= 1 && has_windows(p->windows, lists, left);
    }
    case Op::VECTOR: {
      const auto* p = reinterpret_cast<const movement::Vector*>(first);
      return p->timed < static_cast<int64_t>(program.timed.size()) && has_rows(p->loads, RUN, left) &&
             has_rows(p->stores, RUN, left - RUN * p->loads);
    }
    default: return true;
  }
}

}  // namespace

void check_program(const MovementProgram& program) {
  if (program.workspace < 0) throw Error("device", "kpu", "a movement program has a workspace of less than no bytes");
  const int64_t count = static_cast<int64_t>(program.movements.size());
  for (const Movement& m : program.movements) {
    bool right = m.engine >= 0 && m.engine < program.engines && m.queue >= 0 &&
                 m.queue / QUEUES == m.engine && m.busy_ps >= 0 && m.lag_ps >= 0 && m.lag_ps <= m.busy_ps &&
                 m.pipe_ps >= 0 && m.op >= 0 && m.op <= static_cast<int64_t>(Op::MAGNITUDE) &&
                 holds(m.wait_first, m.wait_count, program.waits.size()) &&
                 holds(m.part_first, m.part_count, program.parts.size()) &&
                 holds(m.parameter_first, m.parameter_count, program.parameters.size());
    for (int64_t w = 0; right && w < m.wait_count; ++w) {
      const int64_t waited = program.waits[static_cast<size_t>(m.wait_first + w)];
      right = waited >= 0 && waited < count;
    }
    right = right && has_right_parameters(program, m);
    if (!right) throw Error("device", "kpu", "a movement program has a number outside of its tables");
  }
}

Trace simulate(const MovementProgram& program, Jobs& jobs) { return Simulation(program, jobs).run(); }

}  // namespace tfmbs::kpu
