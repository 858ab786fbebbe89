// Movements are taken in the program's order, which happens-before follows: waits are for earlier movements. Each byte
// has its last writer and who read it since; a new access must come after these. If all do, every pair is ordered,
// since happens-before is transitive. Only where one does not, everything is looked at again, with all accesses of each
// byte.
#include "kpu_hazards.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "error.h"

namespace tfmbs::kpu {
namespace {

using movement::Access;
using movement::Movement;
using movement::Part;
using movement::Token;

// Memories that outlive a launch and can be written.
bool is_external(int64_t memory) {
  return memory == static_cast<int64_t>(movement::Memory::SCRATCH) ||
         memory == static_cast<int64_t>(movement::Memory::STATE) ||
         memory >= static_cast<int64_t>(movement::Memory::INPUT);
}

struct Use {
  int64_t movement, column;
  bool writes;
};

// Bytes from the key of a map up to `high`, and who used them.
struct Segment {
  int64_t high;
  std::vector<Use> uses;
};

using Segments = std::map<int64_t, Segment>;
using Pair = std::tuple<int64_t, int64_t, int64_t>;  // memory and movements

class Sweep {
 public:
  Sweep(const MovementProgram& program, const std::vector<Access>& accesses, const std::vector<Token>& tokens,
        bool is_whole)
      : program_(program),
        accesses_(accesses),
        is_whole_(is_whole),
        columns_(program.movements.size()),
        positions_(program.movements.size()),
        before_(program.movements.size(), -1),
        references_(program.movements.size()),
        clocks_(program.movements.size()) {
    std::map<int64_t, int64_t> columns, last;
    for (size_t i = 0; i < count(); ++i) {
      const int64_t queue = at(i).queue, number = static_cast<int64_t>(i);
      columns_[i] = columns.try_emplace(queue, static_cast<int64_t>(columns.size())).first->second;
      const auto found = last.find(queue);
      before_[i] = found == last.end() ? -1 : found->second;
      positions_[i] = before_[i] < 0 ? 1 : positions_[static_cast<size_t>(before_[i])] + 1;
      last[queue] = number;
      each_before(i, [&](size_t earlier) {
        if (earlier >= i) throw Error("device", "kpu", "movement " + std::to_string(i) + " waits for a later one");
        ++references_[earlier];
      });
    }
    width_ = columns.size();
    for (const Token& token : tokens) {
      if (token.movement < 0 || static_cast<size_t>(token.movement) >= count())
        throw Error("device", "kpu", "a token of no movement");
      tokens_[token.launch].push_back(token.movement);
    }
    for (const Part& part : program.parts) written_.insert(part.target);
    for (const Access& access : accesses)
      if (access.writes) written_.insert(access.memory);
  }

  // Whether there is a conflict, or with all uses, all of them.
  bool run() {
    size_t next = 0;
    for (size_t i = 0; i < count(); ++i) {
      tick(i);
      const Movement& m = at(i);
      const Part* parts = program_.parts.data() + m.part_first;
      for (int64_t p = 0; p < m.part_count; ++p) runs(i, parts[p], false);
      const size_t first = next;
      for (; next < accesses_.size() && accesses_[next].movement == static_cast<int64_t>(i); ++next)
        if (!accesses_[next].writes) use(i, accesses_[next].memory, accesses_[next].low, accesses_[next].high, false);
      for (int64_t p = 0; p < m.part_count; ++p) runs(i, parts[p], true);
      for (size_t a = first; a < next; ++a)
        if (accesses_[a].writes) use(i, accesses_[a].memory, accesses_[a].low, accesses_[a].high, true);
      if (!is_whole_ && !found_.empty()) return true;
    }
    if (next != accesses_.size()) throw Error("device", "kpu", "accesses are not in the order of movements");
    return !found_.empty();
  }

  std::vector<Conflict> found() const {
    std::vector<Conflict> result;
    for (const auto& [pair, conflict] : found_) result.push_back(conflict);
    return result;
  }

 private:
  size_t count() const { return program_.movements.size(); }
  const Movement& at(size_t number) const { return program_.movements[number]; }

  template <class Body>
  void each_before(size_t i, Body body) const {
    for (int64_t w = 0; w < at(i).wait_count; ++w)
      body(static_cast<size_t>(program_.waits[static_cast<size_t>(at(i).wait_first + w)]));
    if (before_[i] >= 0) body(static_cast<size_t>(before_[i]));
  }

  // How many movements of each queue have ended before a movement starts. Those of earlier ones go when nobody needs
  // them. A movement with a lag, and those before it, have not ended when the next one in its queue starts.
  void tick(size_t i) {
    std::vector<int64_t> clock(width_);
    int64_t left = at(i).wait_count;
    each_before(i, [&](size_t earlier) {
      std::vector<int64_t>& other = clocks_[earlier];
      for (size_t q = 0; q < width_; ++q) clock[q] = std::max(clock[q], other[q]);
      int64_t& own = clock[static_cast<size_t>(columns_[earlier])];
      if (left-- > 0 || !at(earlier).lag_ps) own = std::max(own, positions_[earlier]);
      if (--references_[earlier] == 0) std::vector<int64_t>().swap(other);
    });
    clocks_[i] = std::move(clock);
    now_ = clocks_[i].data();
  }

  bool is_before_now(const Use& use) const {
    return now_[use.column] >= positions_[static_cast<size_t>(use.movement)];
  }

  // The runs of a side of a copy, those that follow each other as one.
  void runs(size_t i, const Part& part, bool writes) {
    const int64_t memory = writes ? part.target : part.source, start = writes ? part.to : part.from;
    if (!written_.count(memory) && !is_external(memory)) return;
    int64_t run = part.run, count[2] = {part.count0, part.count1};
    int64_t step[2] = {writes ? part.to0 : part.from0, writes ? part.to1 : part.from1};
    for (int axis : {1, 0, 1})
      if (count[axis] == 1 || step[axis] == run) {
        run *= count[axis];
        count[axis] = 1;
      }
    for (int64_t a = 0; a < count[0]; ++a)
      for (int64_t b = 0; b < count[1]; ++b) {
        const int64_t low = start + a * step[0] + b * step[1];
        use(i, memory, low, low + run, writes);
      }
  }

  void use(size_t i, int64_t memory, int64_t low, int64_t high, bool writes) {
    if (low >= high) return;
    if (is_external(memory)) await(i, memory, low, high, writes);
    if (!written_.count(memory)) return;
    Segments& segments = memories_[memory];
    const Use own{static_cast<int64_t>(i), columns_[i], writes};
    split(segments, low);
    split(segments, high);
    auto segment = segments.lower_bound(low);
    if (writes && !is_whole_) {
      for (; segment != segments.end() && segment->first < high; segment = segments.erase(segment))
        check(memory, segment->first, segment->second, own);
      segments.emplace(low, Segment{high, {own}});
      return;
    }
    for (int64_t from = low; from < high; ++segment) {
      if (segment == segments.end() || segment->first > from) {
        const int64_t end = segment == segments.end() ? high : std::min(high, segment->first);
        segment = segments.emplace_hint(segment, from, Segment{end, {}});
      }
      check(memory, segment->first, segment->second, own);
      add(segment->second.uses, own);
      from = segment->second.high;
    }
  }

  // What a launch's tokens stand for has ended before it accesses external memory.
  void await(size_t i, int64_t memory, int64_t low, int64_t high, bool writes) {
    const auto tokens = tokens_.find(at(i).launch);
    if (tokens == tokens_.end()) return;
    for (const int64_t token : tokens->second)
      if (!is_before_now({token, columns_[static_cast<size_t>(token)], true}))
        tell({token, static_cast<int64_t>(i), memory, low, high, true, writes});
  }

  void tell(const Conflict& conflict) {
    const auto [found, is_new] = found_.try_emplace(Pair{conflict.memory, conflict.first, conflict.second}, conflict);
    if (!is_new && conflict.low < found->second.low) found->second = conflict;
  }

  static void split(Segments& segments, int64_t at) {
    auto segment = segments.lower_bound(at);
    if (segment == segments.begin()) return;
    --segment;
    if (segment->first >= at || segment->second.high <= at) return;
    segments.emplace(at, segment->second);
    segment->second.high = at;
  }

  void check(int64_t memory, int64_t low, const Segment& segment, const Use& own) {
    for (const Use& other : segment.uses) {
      if (other.movement == own.movement || !(other.writes || own.writes) || is_before_now(other)) continue;
      if (are_parts(other.movement, own.movement)) continue;
      tell({other.movement, own.movement, memory, low, segment.high, other.writes, own.writes});
    }
  }

  // Whether two movements are parts of a vector program, whose words have their order whatever beats overlap. Of their
  // accesses to a byte the later one stands for both, since the earlier part ends first.
  bool are_parts(int64_t one, int64_t other) const {
    const Movement &a = at(static_cast<size_t>(one)), &b = at(static_cast<size_t>(other));
    constexpr int64_t VECTOR = static_cast<int64_t>(movement::Op::VECTOR);
    return a.op == VECTOR && b.op == VECTOR && a.queue == b.queue && a.launch == b.launch;
  }

  // Of readers of a queue the last one stands for all.
  void add(std::vector<Use>& uses, const Use& own) const {
    if (!is_whole_)
      for (Use& use : uses)
        if (use.column == own.column && !use.writes) {
          use = own;
          return;
        }
    uses.push_back(own);
  }

  const MovementProgram& program_;
  const std::vector<Access>& accesses_;
  const bool is_whole_;
  std::vector<int64_t> columns_, positions_, before_, references_;
  std::vector<std::vector<int64_t>> clocks_;
  const int64_t* now_ = nullptr;
  size_t width_ = 0;
  std::set<int64_t> written_;
  std::map<int64_t, std::vector<int64_t>> tokens_;
  std::map<int64_t, Segments> memories_;
  std::map<Pair, Conflict> found_;
};

}  // namespace

std::vector<Conflict> conflicts(const MovementProgram& program, const std::vector<Access>& accesses,
                                const std::vector<Token>& tokens) {
  if (!Sweep(program, accesses, tokens, false).run()) return {};
  Sweep whole(program, accesses, tokens, true);
  whole.run();
  return whole.found();
}

}  // namespace tfmbs::kpu
