#include "kpu_walk.h"

#include <algorithm>
#include <deque>

#include "abi.gen.h"
#include "kpu_intervals.h"

namespace tfmbs::kpu {
namespace {

using movement::Control;
using movement::ScalarOp;
using movement::TimedOp;
using movement::TimedWindow;
using movement::TimedWord;

constexpr int64_t VL_PLACE = 64;  // after 32 vector and 32 scalar registers
constexpr int64_t PLACES = VL_PLACE + 1;
constexpr int64_t DEP_COMPUTE = 1, DEP_LOAD = 2, DEP_STORE = 4;
constexpr size_t LOADS = 64;  // that are remembered

// What is noted of accesses at most: so many intervals, or so many for each element of the windows, and parts, or bytes
// of the windows in parts. Programs that come back to their elements more often than that (a sort, for one) would take
// many times as long to walk as to run.
constexpr int64_t MOST_NOTED = 1 << 22, NOTED_PER_ELEMENT = 4, MOST_PARTS = 1 << 15, PASSES = 16;

uint64_t raw(int64_t value) { return static_cast<uint64_t>(value); }
int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

struct Result {
  int64_t time = -1;  // -1: not written
  const TimedOp* op = nullptr;
  int64_t busy = 0;
};

class Walker {
 public:
  Walker(const TimedProgram& program, const Cut& cut, const std::vector<int64_t>* taken)
      : program_(program), cut_(cut), width_(program.engine.width), taken_(taken) {
    bool loaded[abi::WINDOWS] = {}, stored[abi::WINDOWS] = {};
    for (const TimedOp& op : program.ops)
      if (op.window >= 0) (op.is_store ? stored : loaded)[op.window] = true;
    for (size_t w = 0; w < abi::WINDOWS; ++w) is_both_[w] = loaded[w] && stored[w];
    __extension__ using Wide = __int128;
    Wide elements = 0, bytes = 0;
    for (const TimedWindow& window : program.windows) {
      elements += window.elements;
      bytes += Wide{window.elements} * window.element_bytes;
    }
    const auto limit = [](Wide least, Wide wanted) {
      return static_cast<int64_t>(std::clamp<Wide>(wanted, least, INT64_MAX));
    };
    most_noted_ = limit(MOST_NOTED, elements * NOTED_PER_ELEMENT);
    most_parts_ = limit(MOST_PARTS, bytes * PASSES / std::max<int64_t>(cut.wanted, 1));
  }

  Walked run() {
    const size_t count = program_.words.size();
    for (size_t at = 0; at < count && !stopped_;) {
      const TimedWord& word = program_.words[at];
      if (++walked_.words > program_.engine.max_words) {
        walked_.is_endless = true;
        break;
      }
      issued_ = now_ + 1;
      issue(word);
      at = next(word, at);
      while (!loops_.empty() && at == loops_.back().last + 1) {
        if (--loops_.back().left > 0) {
          at = loops_.back().first;
          break;
        }
        loops_.pop_back();
      }
    }
    close(-1, end_);
    if (!walked_.is_known) {
      const int64_t cycles = end_;
      walked_.parts.assign(1, {-1, cycles, 0, {}, {}});
    } else {
      walked_.written = written_.runs();
      walked_.exposed = exposed_.runs();
    }
    return std::move(walked_);
  }

 private:
  struct Loop {
    size_t first, last;
    int64_t left;
  };

  int64_t busy(const TimedOp& op) const {
    if (!op.has_beats) return 1;
    const int64_t lanes = std::max(vl_, op.least_lanes);
    if (op.is_scan) return lanes;
    return (lanes + program_.engine.lanes - 1) / program_.engine.lanes * op.cycles;
  }

  static int64_t ready_after(const Result& result, const TimedOp& op, int64_t own) {
    const TimedOp& producer = *result.op;
    const bool accumulates = op.number == producer.number && op.accumulates;
    if ((producer.ends_late && !accumulates) || op.reads_end) return producer.latency + result.busy - 1;
    return producer.latency + std::max<int64_t>(0, result.busy - own);
  }

  const int64_t* reads(const TimedOp& op) const { return program_.places.data() + op.read_first; }
  const int64_t* writes(const TimedOp& op) const { return program_.places.data() + op.write_first; }

  void issue(const TimedWord& word) {
    int64_t time = now_ + 1;
    accessed_ = 0;
    const TimedOp* const ops = program_.ops.data() + word.op_first;
    int64_t busies[3];
    for (int64_t i = 0; i < word.op_count; ++i) {
      const TimedOp& op = ops[i];
      const int64_t own = busies[i] = busy(op);
      time = std::max(time, free_[op.slot]);
      for (int64_t r = 0; r < op.read_count; ++r) {
        const int64_t place = reads(op)[r];
        const Result& result = results_[place];
        if (result.time >= 0)
          time = std::max(time, result.time + (place == VL_PLACE ? 1 : ready_after(result, op, own)));
      }
      for (int64_t w = 0; w < op.write_count; ++w) {
        const int64_t place = writes(op)[w];
        const Result& result = results_[place];
        if (result.time >= 0) time = std::max(time, result.time + std::max<int64_t>(1, ready_after(result, op, own)));
        const auto& [latest, last] = read_[place];
        time = std::max({time, latest, last - own});
      }
    }
    if (word.deps) time = std::max(time, waits(word));
    now_ = time;
    for (int64_t i = 0; i < word.op_count; ++i)
      for (int64_t r = 0; r < ops[i].read_count; ++r) {
        auto& [latest, last] = read_[reads(ops[i])[r]];
        latest = std::max(latest, time);
        last = std::max(last, time + busies[i]);
      }
    for (int64_t i = 0; i < word.op_count; ++i) write(ops[i], busies[i], time);
  }

  int64_t waits(const TimedWord& word) {
    int64_t time = 0;
    if (word.deps & DEP_LOAD) {
      const size_t left = static_cast<size_t>(word.left);
      while (loads_.size() > left) {
        time = std::max(time, loads_.front());
        loads_.pop_front();
      }
    }
    if (word.deps & DEP_COMPUTE) {
      for (const int64_t visible : slow_) time = std::max(time, visible);
      slow_.clear();
    }
    if (word.deps & DEP_STORE) time = std::max(time, stored_);
    return time;
  }

  void write(const TimedOp& op, int64_t own, int64_t time) {
    free_[op.slot] = time + own;
    const int64_t end = time + own + (op.write_count || op.is_store ? op.latency : 0);
    end_ = std::max(end_, end);
    if (op.window >= 0) accessed_ = std::max(accessed_, end);
    for (int64_t w = 0; w < op.write_count; ++w) {
      results_[writes(op)[w]] = {time, &op, own};
      read_[writes(op)[w]] = {0, 0};
    }
    if (op.is_load) {
      loads_.push_back(time + op.latency);
      if (loads_.size() > LOADS) loads_.pop_front();
    } else if (op.is_slow) {
      slow_.push_back(time + op.latency);
    } else if (op.is_store) {
      stored_ = std::max(stored_, time + own + op.latency);
    }
  }

  // Executes the scalar part of a word and notes what it accesses; returns the next word.
  size_t next(const TimedWord& word, size_t at) {
    const int64_t condition = scalars_[word.condition];
    const bool unknown = unknown_[word.condition];
    int64_t vl = vl_;
    if (word.control == static_cast<int64_t>(Control::SETVL)) vl = word.amount;
    if (word.control == static_cast<int64_t>(Control::SETVLR)) vl = std::clamp<int64_t>(condition, 1, abi::VLMAX);
    access(word);
    scalar(word);
    vl_ = vl;
    switch (static_cast<Control>(word.control)) {
      case Control::NONE:
      case Control::SETVL: break;
      case Control::SETVLR: branch(unknown); break;
      case Control::LOOP:
        branch(unknown);
        if (condition < 1) return at + 1 + static_cast<size_t>(word.amount);
        loops_.push_back({at + 1, at + static_cast<size_t>(word.amount), condition});
        break;
      case Control::SKIP:
        branch(unknown);
        if (condition == 0) return at + 1 + static_cast<size_t>(word.amount);
        break;
      case Control::BREAK:
        branch(unknown);
        if (condition == 0) {
          const size_t last = loops_.back().last;
          loops_.pop_back();
          return last + 1;
        }
        break;
      case Control::END: stopped_ = true; break;
    }
    return at + 1;
  }

  void branch(bool unknown) {
    if (!unknown) return;
    walked_.branches = true;
    walked_.is_known = false;
    stopped_ = true;
  }

  void scalar(const TimedWord& word) {
    if (word.scalar == static_cast<int64_t>(ScalarOp::NONE) || word.scalar_target == 0) return;
    const uint64_t base = raw(scalars_[word.base]), index = raw(scalars_[word.index]), imm = raw(word.immediate);
    int64_t& target = scalars_[word.scalar_target];
    bool unknown = unknown_[word.base] || unknown_[word.index];
    switch (static_cast<ScalarOp>(word.scalar)) {
      case ScalarOp::NONE: return;
      case ScalarOp::LI:
        target = word.immediate;
        unknown = false;
        break;
      case ScalarOp::LIH:
        target = wrap(raw(target) << 17 | (imm & 0x1ffff));
        unknown = unknown_[word.scalar_target];
        break;
      case ScalarOp::ADDI:
        target = wrap(base + imm);
        unknown = unknown_[word.base];
        break;
      case ScalarOp::SADD: target = wrap(base + index); break;
      case ScalarOp::SSUB: target = wrap(base - index); break;
      case ScalarOp::SMUL: target = wrap(base * index); break;
      case ScalarOp::SMIN: target = std::min(wrap(base), wrap(index)); break;
      case ScalarOp::SMAX: target = std::max(wrap(base), wrap(index)); break;
      case ScalarOp::SGET:
        unknown = !taken_ || next_taken_ == taken_->size();
        target = unknown ? 0 : (*taken_)[next_taken_++];
        break;
    }
    unknown_[word.scalar_target] = unknown;
  }

  void access(const TimedWord& word) {
    int64_t own = 0;
    for (int64_t i = 0; i < word.op_count && !walked_.leaves; ++i) {
      const TimedOp& op = program_.ops[static_cast<size_t>(word.op_first + i)];
      if (op.window < 0) continue;
      const TimedWindow& window = program_.windows[static_cast<size_t>(op.window)];
      const int64_t e = window.element_bytes;
      walked_.bytes += vl_ * e;
      if (op.is_store) walked_.stored += vl_ * e;
      if (op.is_indexed || (!op.is_stream && (unknown_[word.base] || unknown_[word.index]))) {
        walked_.is_known = false;
        walked_.beats += op.is_indexed ? vl_ : (vl_ * e + width_ - 1) / width_;
        continue;
      }
      int64_t& cursor = (op.is_store ? write_cursor_ : read_cursor_)[op.window];
      const int64_t stride = op.is_stream ? 1 : scalars_[word.index];
      __extension__ using Wide = __int128;
      const Wide first = op.is_stream ? Wide{cursor} : Wide{scalars_[word.base]} + word.immediate;
      const Wide last = first + Wide{stride} * (vl_ - 1);
      if (std::min(first, last) < 0 || std::max(first, last) >= window.elements) {
        // The run stops there with an error.
        walked_.leaves = true;
        walked_.is_known = false;
        stopped_ = true;
        return;
      }
      if (op.is_stream) cursor += vl_;
      walked_.beats += stride == 1 || stride == -1 ? (vl_ * e + width_ - 1) / width_ : vl_;
      if (walked_.is_known) note(op, window, static_cast<int64_t>(first), stride);
      ++own;
    }
    if (own && walked_.is_known) absorb(own);
  }

  void note(const TimedOp& op, const TimedWindow& window, int64_t first, int64_t stride) {
    const int64_t e = window.element_bytes, last = first + stride * (vl_ - 1);
    const bool is_dense = stride >= -1 && stride <= 1;
    if (is_dense) {
      const int64_t low = window.offset + std::min(first, last) * e;
      return note(op, window.memory, low, window.offset + (std::max(first, last) + 1) * e, true);
    }
    for (int64_t i = 0; i < vl_; ++i) {
      const int64_t low = window.offset + (first + i * stride) * e;
      note(op, window.memory, low, low + e, false);
    }
  }

  void note(const TimedOp& op, int64_t memory, int64_t low, int64_t high, bool is_dense) {
    ++noted_;
    (op.is_store ? own_writes_ : own_reads_).add(memory, low, high);
    if (op.is_store) {
      if (is_dense || is_both_[op.window]) written_.add(memory, low, high);
    } else if (is_both_[op.window] && !written_.covers(memory, low, high)) {
      exposed_.add(memory, low, high);
    }
  }

  // Takes the accesses of a word into the part, which ends before them where they do not fit.
  void absorb(int64_t count) {
    if (own_reads_.bytes() > cut_.most || own_writes_.bytes() > cut_.most || noted_ > most_noted_ ||
        static_cast<int64_t>(walked_.parts.size()) >= most_parts_) {
      walked_.is_known = false;
      return;
    }
    if (accesses_ &&
        (reads_.bytes() + own_reads_.bytes() > cut_.wanted || writes_.bytes() + own_writes_.bytes() > cut_.wanted))
      close(accesses_, issued_);
    reads_.add_uncovered(own_reads_, writes_);  // a part has what it wrote
    writes_.add(own_writes_);
    done_ = std::max(done_, accessed_);
    own_reads_.clear();
    own_writes_.clear();
    accesses_ += count;
  }

  // Ends a part, whose engine goes on with the next one at a time.
  void close(int64_t accesses, int64_t end) {
    walked_.parts.push_back({accesses, end - spent_, std::max<int64_t>(0, done_ - end), reads_.runs(), writes_.runs()});
    spent_ = end;
    accesses_ = 0;
    reads_.clear();
    writes_.clear();
  }

  const TimedProgram& program_;
  const Cut cut_;
  int64_t vl_ = abi::VLMAX, width_;
  const std::vector<int64_t>* taken_;
  size_t next_taken_ = 0;
  Walked walked_;
  std::vector<Loop> loops_;
  int64_t scalars_[abi::SCALAR_REGISTERS] = {};
  bool unknown_[abi::SCALAR_REGISTERS] = {};
  int64_t read_cursor_[abi::WINDOWS] = {}, write_cursor_[abi::WINDOWS] = {};
  Result results_[PLACES];
  std::pair<int64_t, int64_t> read_[PLACES] = {};
  int64_t free_[3] = {};
  std::deque<int64_t> loads_;
  std::vector<int64_t> slow_;
  int64_t stored_ = 0, now_ = -1, end_ = 0;
  bool stopped_ = false;
  Intervals reads_, writes_, own_reads_, own_writes_;
  Intervals written_, exposed_;
  bool is_both_[abi::WINDOWS];  // windows that are loaded and stored
  int64_t accesses_ = 0, issued_ = 0, spent_ = 0;
  int64_t accessed_ = 0, done_ = 0;  // when the beats of a word's accesses are over, and those of all before it
  int64_t noted_ = 0, most_noted_ = 0, most_parts_ = 0;
};

}  // namespace

Walked walk_timed(const TimedProgram& program, const Cut& cut, const std::vector<int64_t>* taken) {
  return Walker(program, cut, taken).run();
}

}  // namespace tfmbs::kpu
