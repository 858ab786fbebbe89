#include "plan_launch.h"

#include <algorithm>

#include "checks.h"
#include "plan_scratch.h"

namespace tfmbs {
namespace {

constexpr uint64_t MOST_PARTS = 64;                   // of a launch
constexpr uint64_t PART_BYTES = 1u << 16;             // of its largest window that a part accesses
constexpr uint64_t MOST_SCRATCH = 1u << 18;           // bytes of a window that parts may have for themselves
constexpr uint64_t MOST_LANES = 1u << 20;             // of scattered accesses to such windows
constexpr uint64_t AHEAD = Restart::MOST_TURNS;

uint64_t memory_of(const abi::Tensor& tensor) { return static_cast<uint64_t>(tensor.region) << 32 | tensor.slot; }

Span span_of(const Access& access, const abi::Tensor& window) {
  const uint64_t size = element_bytes(window.dtype);
  const int64_t last = access.first + access.stride * (static_cast<int64_t>(access.lanes) - 1);
  return {access.window, memory_of(window), window.offset + static_cast<uint64_t>(std::min(access.first, last)) * size,
          window.offset + static_cast<uint64_t>(std::max(access.first, last) + 1) * size, access.writes};
}

bool overlap(const abi::Tensor& one, const abi::Tensor& other) {
  return memory_of(one) == memory_of(other) && one.offset < other.offset + other.bytes &&
         other.offset < one.offset + one.bytes;
}

void add(Spans& spans, const Span& span) {
  const auto found = std::find_if(spans.begin(), spans.end(), [&](const Span& other) {
    return span.window == other.window && span.writes == other.writes;
  });
  if (found == spans.end()) {
    spans.push_back(span);
  } else {
    found->low = std::min(found->low, span.low);
    found->end = std::max(found->end, span.end);
  }
}

// Where outermost loops begin.
class Heads : public Visitor {
 public:
  struct Loop {
    size_t action;
    uint64_t first;  // turn
  };
  void head(size_t loop, uint64_t turn, const Standing&) override {
    if (loops.empty() || loops.back().action != loop) loops.push_back({loop, turn});
  }
  std::vector<Loop> loops;
};

class Look : public Visitor {
 public:
  Look(const Program& program, const Windows& windows, const AccessFn& visit, Known& known,
       const std::vector<Heads::Loop>& loops)
      : windows_(windows), visit_(visit), known_(known), single_(loops.size() == 1) {
    uint32_t written = 0, read = 0;
    for (const WindowUse& use : program.uses) (use.writes ? written : read) |= uint32_t{1} << use.window;
    for (unsigned i = 0; i < abi::WINDOWS; ++i) look_at_window(i, written, read);
    part(program, loops);
  }

  void access(const Access& access, uint64_t turn, bool inside) override {
    const abi::Tensor& window = *windows_.tensors[access.window];
    visit_(access, window);
    const uint64_t count = known_.parts.size(), turns = known_.walk.turns;
    // Part p takes turns p * turns / parts to (p + 1) * turns / parts, and the last one what is behind.
    const uint64_t own = turns ? std::min(((turn + 1) * count - 1) / turns, count - 1) : 0;
    const Span span = span_of(access, window);
    add(known_.parts[own], span);
    // Who enters a loop does some of what was done before it, but for stores.
    if (!access.writes && steady_ >> access.window & 1u) {
      for (uint64_t later = own + 1; later < count && (!inside || first_[later] <= turn + AHEAD); ++later)
        if (known_.entrances[later] && (!inside || early_[later] <= turn)) add(known_.parts[later], span);
    }
    const auto scratch = scratch_.find(access.window);
    if (scratch != scratch_.end()) follow(scratch->second, access, turn, inside, window);
  }

  void head(size_t, uint64_t turn, const Standing& standing) override {
    for (size_t i = next_; i < early_.size() && first_[i] <= turn + AHEAD; ++i)
      if (early_[i] == turn && entrances_[i]) entrances_[i]->early = standing;
    while (next_ < early_.size() && first_[next_] <= turn) {
      if (first_[next_] == turn && entrances_[next_]) entrances_[next_]->at = standing;
      ++next_;
    }
  }

  void finish() {
    for (auto& [window, scratch] : scratch_)
      if (scratch.is_own()) known_.own.push_back({window, windows_.tensors[window]->bytes});
  }

 private:
  void look_at_window(unsigned window, uint32_t written, uint32_t read) {
    const abi::Tensor* tensor = windows_.tensors[window];
    if (!tensor) return;
    bool steady = true, alone = true;
    for (unsigned i = 0; i < abi::WINDOWS; ++i) {
      const abi::Tensor* other = windows_.tensors[i];
      if (!other || !overlap(*tensor, *other)) continue;
      steady &= !(written >> i & 1u);
      alone &= i == window;
    }
    steady_ |= static_cast<uint32_t>(steady) << window;
    if (single_ && alone && tensor->region == abi::Region::SCRATCH && tensor->bytes <= MOST_SCRATCH &&
        written & read & uint32_t{1} << window)
      scratch_.emplace(window, TurnScratch(tensor->bytes));
  }

  void part(const Program& program, const std::vector<Heads::Loop>& loops) {
    const uint64_t turns = known_.walk.turns;
    const uint64_t wanted = std::clamp<uint64_t>(windows_.largest / PART_BYTES, 1, MOST_PARTS);
    const uint64_t count = std::clamp<uint64_t>(turns, 1, wanted);
    known_.parts.resize(count);
    known_.entrances.resize(count);
    entrances_.resize(count);
    std::map<size_t, std::shared_ptr<const Restart>> restarts;
    for (uint64_t i = 0; i < count; ++i) {
      first_.push_back(i * turns / count);
      early_.push_back(first_[i]);
      const auto is_after = [&](const auto& loop) { return loop.first > first_[i]; };
      const auto after = std::find_if(loops.begin(), loops.end(), is_after);
      if (i == 0 || after == loops.begin()) continue;
      const Heads::Loop& loop = after[-1];
      if (!restarts.count(loop.action)) restarts[loop.action] = restart_of(program, loop.action, steady_);
      const auto restart = restarts[loop.action];
      if (!restart || first_[i] - loop.first < restart->turns) continue;
      early_[i] = first_[i] - restart->turns;
      entrances_[i] = std::make_shared<Entrance>();
      entrances_[i]->restart = restart;
      known_.entrances[i] = entrances_[i];
    }
  }

  void follow(TurnScratch& scratch, const Access& access, uint64_t turn, bool inside, const abi::Tensor& window) {
    const uint64_t size = element_bytes(window.dtype);
    const bool dense = access.stride == 1 || access.lanes == 1;
    if (!dense) lanes_ += access.lanes;
    if (!inside || lanes_ > MOST_LANES) return scratch.expose();
    const auto bytes = [&](int64_t first, uint64_t elements) {
      const uint64_t low = static_cast<uint64_t>(first) * size, end = low + elements * size;
      if (access.writes) scratch.write(turn, low, end);
      else scratch.read(turn, low, end);
    };
    if (dense) return bytes(access.first, access.lanes);
    for (uint32_t i = 0; i < access.lanes; ++i) bytes(access.first + access.stride * i, 1);
  }

  const Windows& windows_;
  const AccessFn& visit_;
  Known& known_;
  bool single_;          // there is one outermost loop
  uint32_t steady_ = 0;  // windows, as bits, of memory that the program does not store to
  std::map<unsigned, TurnScratch> scratch_;
  uint64_t lanes_ = 0;
  // By part: the turn that it begins with, that by which it is entered, and how.
  std::vector<uint64_t> first_, early_;
  std::vector<std::shared_ptr<Entrance>> entrances_;
  size_t next_ = 0;
};

}  // namespace

Windows::Windows(const Image& image, const Launch& launch) : tensors(abi::WINDOWS), elements(abi::WINDOWS) {
  for (const WindowUse& use : launch.program->uses) {
    const abi::Tensor& window = image.tensor(launch.args[use.window], launch.name);
    tensors[use.window] = &window;
    elements[use.window] = element_count(window, launch.name);
    largest = std::max(largest, window.bytes);
  }
}

std::optional<Known> known_of(const Program& program, const Windows& windows, uint64_t limit, uint64_t& words,
                              const AccessFn& visit) {
  Known known;
  for (const abi::Tensor* window : windows.tensors) known.bytes += window ? window->bytes : 0;
  Heads heads;
  const bool whole = walk(program, windows.elements, limit, known.walk, heads);
  words = 2 * known.walk.words;
  if (!whole) return std::nullopt;
  Look look(program, windows, visit, known, heads.loops);
  Walk again;
  walk(program, windows.elements, limit, again, look);
  look.finish();
  return known;
}

}  // namespace tfmbs
