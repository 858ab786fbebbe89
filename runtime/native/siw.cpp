// Execution of vector programs.
#include "siw.h"

#include <algorithm>
#include <cstring>

#include "error.h"

namespace tfmbs {
namespace {

using abi::COp;
using Kind = Action::Kind;
__extension__ using Wide = __int128;  // holds every address that 64-bit registers can name

struct Loop {
  size_t start, end;
  int64_t left;
};

int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }
uint64_t raw(int64_t value) { return static_cast<uint64_t>(value); }

[[noreturn]] void too_long(const Program& program, size_t word, uint64_t limit) {
  const bool own = limit == program.max_steps;
  throw Error(own ? "siw" : "resource-limit", program.name + " word " + std::to_string(word),
              "the program takes more than " + std::to_string(limit) + " steps");
}

}  // namespace

// Where a word accesses memory.
struct Machine::Place {
  const Program& program;
  const Window* windows;
  size_t word;

  uint64_t elements(const Action& action) const { return windows[action.window].elements; }

  [[noreturn, gnu::noinline]] void outside(const Action& action, Wide low, Wide high) const {
    const auto text = [](Wide value) {
      // An index beyond 64 bits is only named as such.
      if (value < INT64_MIN || value > INT64_MAX) return std::string(value < 0 ? "below -2^63" : "above 2^63");
      return std::to_string(static_cast<int64_t>(value));
    };
    throw Error("siw.address", program.name + " word " + std::to_string(word),
                "elements " + text(low) + " to " + text(high) + " of window " + std::to_string(action.window) +
                    ", which has " + std::to_string(elements(action)));
  }
};

void Machine::clear(const Program& program) {
  for (const unsigned index : program.cleared) std::memset(vector(index), 0, abi::VLMAX * sizeof file_[0]);
  std::memset(scalars_, 0, sizeof scalars_);
  std::memset(read_, 0, sizeof read_);
  std::memset(written_, 0, sizeof written_);
}

// The first element of a load or store, after checking all of them: a sum that leaves 64 bits leaves every window.
int64_t Machine::strided(const Action& action, const Place& place, uint32_t lanes) const {
  const int64_t base = scalars_[action.base], stride = scalars_[action.index], steps = lanes - 1;
  const uint64_t elements = place.elements(action);
  int64_t first, distance, last;
  bool wrong = __builtin_add_overflow(base, action.immediate, &first);
  wrong |= __builtin_mul_overflow(stride, steps, &distance);
  wrong |= __builtin_add_overflow(first, distance, &last);
  if (wrong || raw(first) >= elements || raw(last) >= elements) {
    const Wide low = static_cast<Wide>(base) + action.immediate, high = low + static_cast<Wide>(stride) * steps;
    place.outside(action, std::min(low, high), std::max(low, high));
  }
  return first;
}

// The base of a gather or scatter, wrapped, after checking the elements behind all indices.
int64_t Machine::indexed(const Action& action, const Place& place, uint32_t lanes, BoundsFn bounds) const {
  const LaneBounds span = bounds(file_ + action.b, lanes);
  const Wide first = static_cast<Wide>(scalars_[action.base]) + action.immediate;
  const Wide low = first + span.low, high = first + span.high;
  if (low < 0 || high >= static_cast<Wide>(place.elements(action))) place.outside(action, low, high);
  return static_cast<int64_t>(first);
}

// The element at a cursor, which moves on.
int64_t Machine::next(uint64_t& cursor, const Action& action, const Place& place, uint32_t lanes) {
  const uint64_t first = cursor;
  if (lanes > place.elements(action) - first)
    place.outside(action, static_cast<Wide>(first), static_cast<Wide>(first) + lanes - 1);
  cursor += lanes;
  return static_cast<int64_t>(first);
}

inline void Machine::act(const Action& action, const Place& place, uint32_t lanes) {
  uint32_t* const d = file_ + action.d;
  uint8_t* const window = place.windows[action.window].data;
  int64_t& target = scalars_[action.target];
  const auto base = [&] { return raw(scalars_[action.base]); };
  const auto index = [&] { return raw(scalars_[action.index]); };
  const auto immediate = [&] { return raw(action.immediate); };
  switch (action.kind) {
    case Kind::COMPUTE:
      action.run.lane(d, file_ + action.a, file_ + action.b, file_ + action.c, lanes);
      counters_.lane_ops += lanes;
      break;
    case Kind::COPY: {
      const size_t words = action.fixed_words ? action.fixed_words : lanes * action.lane_words;
      std::memcpy(d, file_ + action.a, words * sizeof *d);
      break;
    }
    case Kind::LOAD:
      action.run.load(d, window, strided(action, place, lanes), scalars_[action.index], lanes);
      counters_.loads += lanes;
      break;
    case Kind::STORE:
      action.run.store(window, file_ + action.a, strided(action, place, lanes), scalars_[action.index], lanes);
      counters_.stores += lanes;
      break;
    case Kind::GATHER:
    case Kind::GATHER64:
      action.run.gather(d, window, indexed(action, place, lanes, action.kind == Kind::GATHER ? bounds32_ : bounds64_),
                        file_ + action.b, lanes);
      counters_.loads += lanes;
      break;
    case Kind::SCATTER:
    case Kind::SCATTER64:
      action.run.scatter(window, file_ + action.a,
                         indexed(action, place, lanes, action.kind == Kind::SCATTER ? bounds32_ : bounds64_),
                         file_ + action.b, lanes);
      counters_.stores += lanes;
      break;
    case Kind::RECV:
      action.run.load(d, window, next(read_[action.window], action, place, lanes), 1, lanes);
      counters_.loads += lanes;
      break;
    case Kind::SEND:
      action.run.store(window, file_ + action.a, next(written_[action.window], action, place, lanes), 1, lanes);
      counters_.stores += lanes;
      break;
    case Kind::INDEX: action.run.index(d, wrap(base() + immediate()), wrap(index()), lanes); break;
    case Kind::GET32: target = static_cast<int32_t>(file_[action.b]); break;
    case Kind::GET64: std::memcpy(&target, file_ + action.b, sizeof target); break;
    case Kind::LI: target = action.immediate; break;
    case Kind::LIH: target = wrap(raw(target) << 17 | (immediate() & 0x1ffff)); break;
    case Kind::ADDI: target = wrap(base() + immediate()); break;
    case Kind::SADD: target = wrap(base() + index()); break;
    case Kind::SMUL: target = wrap(base() * index()); break;
    case Kind::SSUB: target = wrap(base() - index()); break;
    case Kind::SMIN: target = std::min(wrap(base()), wrap(index())); break;
    case Kind::SMAX: target = std::max(wrap(base()), wrap(index())); break;
  }
}

void Machine::run(const Program& program, const Window* windows, uint32_t lanes, uint64_t* step_limit) {
  Loop loops[abi::LOOP_DEPTH];
  unsigned depth = 0;
  const Step* const steps = program.steps.data();
  const Action* const actions = program.actions.data();
  const uint64_t limit = std::min(program.max_steps, *step_limit);
  uint64_t left = limit;
  for (size_t at = 0;;) {
    const Step& step = steps[at];
    if (left-- == 0) too_long(program, at, limit);
    const int64_t scalar = scalars_[step.scalar];  // C reads its register before S writes one
    const Place place{program, windows, at};
    for (uint32_t i = step.first; i < step.end; ++i) act(actions[i], place, lanes);

    size_t next = at + 1;
    switch (step.control) {
      case COp::END:
        counters_.words += limit - left;
        *step_limit -= limit - left;
        return;
      case COp::SETVL: lanes = step.immediate; break;
      case COp::SETVLR: lanes = static_cast<uint32_t>(std::clamp<int64_t>(scalar, 1, abi::VLMAX)); break;
      case COp::LOOP:
        if (scalar < 1) next += step.immediate;
        else loops[depth++] = {next, next + step.immediate, scalar};
        break;
      case COp::SKIP:
        if (scalar == 0) next += step.immediate;
        break;
      case COp::BREAK:
        if (scalar == 0) next = loops[--depth].end;
        break;
      default: break;
    }
    while (depth && loops[depth - 1].end == next) {
      Loop& loop = loops[depth - 1];
      if (--loop.left) {
        next = loop.start;
        break;
      }
      --depth;
    }
    at = next;
  }
}

}  // namespace tfmbs
