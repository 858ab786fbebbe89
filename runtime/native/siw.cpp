// Execution of vector programs.
#include "siw.h"

#include <algorithm>
#include <cstring>

#include "error.h"
#include "siw_chain.h"
#include "siw_flow.h"
#include "siw_place.h"

namespace tfmbs {
namespace {

using Kind = Action::Kind;
__extension__ using Wide = __int128;  // holds every address that 64-bit registers can name

constexpr uint32_t FETCHED_LANES = 128;

// Copies the first lane to those behind it.
void repeat_first(uint32_t* lanes, uint32_t lane_words, uint32_t words) {
  if (lane_words == 1) return std::fill(lanes + 1, lanes + words, *lanes);
  for (uint32_t i = lane_words; i < words; i += lane_words) std::memcpy(lanes + i, lanes, lane_words * sizeof *lanes);
}

}  // namespace

void Machine::Place::too_long(const Action& action) const {
  const bool own = limit == program.max_steps;
  throw Error(own ? "siw" : "resource-limit",
              program.name + " word " + std::to_string(action.word - (words - 1 - limit)),
              "the program takes more than " + std::to_string(limit) + " steps");
}

void Machine::Place::outside(const Action& action, Wide low, Wide high) const {
  check_steps(action);
  const auto text = [](Wide value) {
    // An index beyond 64 bits is only named as such.
    if (value < INT64_MIN || value > INT64_MAX) return std::string(value < 0 ? "below -2^63" : "above 2^63");
    return std::to_string(static_cast<int64_t>(value));
  };
  throw Error("siw.address", program.name + " word " + std::to_string(action.word),
              "elements " + text(low) + " to " + text(high) + " of window " + std::to_string(action.window) +
                  ", which has " + std::to_string(elements(action)));
}

void Machine::clear(const Program& program) {
  for (const unsigned index : program.cleared) std::memset(vector(index), 0, abi::VLMAX * sizeof(uint32_t));
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
  const LaneBounds span = bounds(registers_.at(action.b), lanes);
  const Wide first = static_cast<Wide>(scalars_[action.base]) + action.immediate;
  const Wide low = first + span.low, high = first + span.high;
  if (low < 0 || high >= static_cast<Wide>(place.elements(action))) place.outside(action, low, high);
  return static_cast<int64_t>(first);
}

// The element at a cursor, which moves on.
int64_t Machine::next(uint64_t& cursor, const Action& action, const Place& place, uint32_t lanes) const {
  const uint64_t first = cursor;
  if (lanes > place.elements(action) - first)
    place.outside(action, static_cast<Wide>(first), static_cast<Wide>(first) + lanes - 1);
  cursor += lanes;
  return static_cast<int64_t>(first);
}

void Machine::load(const Action& action, const Window& window, int64_t first, int64_t stride, uint32_t lanes) {
  uint32_t* const own = registers_.own(action.d);
  const uint32_t* column = nullptr;
  if (action.lends) {
    const auto* lane = reinterpret_cast<const uint32_t*>(window.data) + first;
    if (stride == 1 && Registers::may_borrow(lanes)) {
      // What is borrowed is read later. Processors fetch ahead in long rows by themselves.
      for (uint32_t i = 0; i < std::min(lanes, FETCHED_LANES); i += Registers::GROUP) __builtin_prefetch(lane + i);
      return registers_.borrow(action.d, action.window, lane, lanes);
    }
    if (action.steady) column = columns_.find(window.data, window.elements, first, stride, lanes);
  }
  if (registers_.borrowed() & action.writes) registers_.free_for(action.writes, lanes);
  if (column) std::memcpy(own, column, lanes * sizeof *own);
  else action.run.load(own, window.data, first, stride, lanes);
}

inline void Machine::store(const Action& action, const Window& window, int64_t first, int64_t stride, uint32_t lanes) {
  const int64_t last = first + stride * (static_cast<int64_t>(lanes) - 1);
  const int64_t low = std::min(first, last), high = std::max(first, last);
  if (registers_.lends(action.window)) {
    const auto* words = reinterpret_cast<const uint32_t*>(window.data);
    registers_.store(action.window, words + low, words + high + 1);
  }
  window.tell(low, high);
  action.run.store(window.data, registers_.at(action.a), first, stride, lanes);
}

void Machine::run(const Program& program, const Window* windows, uint32_t lanes, uint64_t* step_limit) {
  start(program, lanes);
  advance(program, windows, TO_THE_END, step_limit);
}

void Machine::start(const Program& program, uint32_t lanes) {
  flow_ = {};
  flow_.next = program.actions.data();
  flow_.lanes = lanes;
  words_ = 0;
  registers_.drop();
}

void Machine::stand(const Standing& standing) {
  std::memcpy(scalars_, standing.scalars, sizeof scalars_);
  std::memcpy(read_, standing.read, sizeof read_);
  std::memcpy(written_, standing.written, sizeof written_);
  flow_ = standing.flow;
  words_ = standing.words;
}

void Machine::advance(const Program& program, const Window* windows, uint64_t turns, uint64_t* step_limit,
                      uint64_t accesses) {
  const Action* const actions = program.actions.data();
  Place place{program, windows, std::min(program.max_steps, *step_limit), words_};
  Flow flow = flow_;
  uint64_t lane_ops = 0, real_lane_ops = 0, loads = 0, stores = 0;
  columns_.forget();
  for (bool going = true; going;) {
    const Action& action = *flow.next++;
    const uint32_t lanes = flow.lanes;
    place.words += action.words;
    if (registers_.borrowed() & action.settles) registers_.settle(action.settles);
    const auto window = [&]() -> const Window& { return windows[action.window]; };
    const auto lane = [&](unsigned index) { return registers_.at(index); };
    // Where the result goes, after its operands have been found.
    const auto result = [&] {
      if (registers_.borrowed() & action.writes) registers_.free_for(action.writes, lanes);
      return registers_.own(action.d);
    };
    // Whether the access is that of another part.
    const auto is_behind = [&] {
      if (accesses) {
        --accesses;
        return false;
      }
      --flow.next;
      place.words -= action.words;
      going = false;
      return true;
    };
    switch (action.kind) {
      case Kind::COMPUTE: {
        const uint32_t *a = lane(action.a), *b = lane(action.b), *c = lane(action.c);
        uint32_t* const d = result();
        action.run.lane(d, a, b, c, lanes);
        if (action.fixed_words) repeat_first(d, action.lane_words, action.fixed_words);
        lane_ops += lanes;
        if (action.real) real_lane_ops += lanes;
        break;
      }
      case Kind::COPY: {
        const size_t words = action.fixed_words ? action.fixed_words : lanes * action.lane_words;
        const uint32_t* a = lane(action.a);
        std::memcpy(result(), a, words * sizeof *a);
        break;
      }
      case Kind::LOAD:
        if (is_behind()) break;
        load(action, window(), strided(action, place, lanes), scalars_[action.index], lanes);
        loads += lanes;
        break;
      case Kind::RECV:
        if (is_behind()) break;
        load(action, window(), next(read_[action.window], action, place, lanes), 1, lanes);
        loads += lanes;
        break;
      case Kind::STORE: {
        if (is_behind()) break;
        const int64_t first = strided(action, place, lanes), stride = scalars_[action.index];
        store(action, window(), first, stride, lanes);
        stores += lanes;
        break;
      }
      case Kind::SEND:
        if (is_behind()) break;
        store(action, window(), next(written_[action.window], action, place, lanes), 1, lanes);
        stores += lanes;
        break;
      case Kind::GATHER:
      case Kind::GATHER64: {
        const int64_t first = indexed(action, place, lanes, action.kind == Kind::GATHER ? bounds32_ : bounds64_);
        action.run.gather(result(), window().data, first, lane(action.b), lanes);
        loads += lanes;
        break;
      }
      case Kind::SCATTER:
      case Kind::SCATTER64: {
        const int64_t first = indexed(action, place, lanes, action.kind == Kind::SCATTER ? bounds32_ : bounds64_);
        if (registers_.lends(action.window)) registers_.settle(~uint32_t{0});
        window().tell(0, static_cast<int64_t>(window().elements) - 1);
        action.run.scatter(window().data, lane(action.a), first, lane(action.b), lanes);
        stores += lanes;
        break;
      }
      case Kind::INDEX:
        action.run.index(result(), wrap(raw(scalars_[action.base]) + raw(action.immediate)), scalars_[action.index],
                         lanes);
        break;
      case Kind::GET32:
        scalars_[action.target] = static_cast<int32_t>(*lane(action.b));
        if (taken_) taken_->push_back(scalars_[action.target]);
        break;
      case Kind::GET64:
        std::memcpy(&scalars_[action.target], lane(action.b), sizeof scalars_[0]);
        if (taken_) taken_->push_back(scalars_[action.target]);
        break;
      case Kind::SETVL:
      case Kind::SETVLR:
        follow(action, actions, scalars_, flow);
        registers_.widen(flow.lanes);
        break;
      case Kind::LOOP:
      case Kind::SKIP:
      case Kind::BREAK:
        place.check_steps(action);
        follow(action, actions, scalars_, flow);
        break;
      case Kind::REPEAT:
        place.check_steps(action);
        going = flow.depth > 1 || --turns;
        follow(action, actions, scalars_, flow);
        break;
      case Kind::CHAIN: {
        const Stretch& chain = program.chains->chains[action.jump];
        const uint64_t moves = chain.loads + chain.stores;
        if (moves > accesses) break;
        const auto ran = [&](uint64_t times) {
          accesses -= moves * times;
          lane_ops += times * chain.operations * lanes;
          real_lane_ops += times * chain.real_operations * lanes;
          loads += times * chain.loads * lanes;
          stores += times * chain.stores * lanes;
        };
        if (chain.is_body) {
          // The last turn is one that leaves the loop, or ends what is asked for.
          uint64_t most = static_cast<uint64_t>(flow.loops[flow.depth - 1].left) - 1;
          if (flow.depth == 1) most = std::min(most, turns - 1);
          if (moves) most = std::min(most, accesses / moves);
          const bool hands_on = chain.turns && most > chain.turns->depth &&
                                lanes * chain.outputs.size() >= LEAST_HANDED_ON;
          if (hands_on || most >= LEAST_TURNS) {
            const uint64_t taken = run_turns(chain, hands_on, actions, windows, place, flow, most);
            if (flow.depth == 1) turns -= taken;
            ran(taken);
            break;  // without turns, by its words: the first one would not run as a chain either
          }
        }
        if (!run_chain(chain, actions, windows, place, lanes)) break;
        ran(1);
        flow.next = actions + chain.end;
        break;
      }
      case Kind::END:
        place.check_steps(action);
        counters_.words += place.words;
        *step_limit -= place.words;
        going = false;
        break;
      default: follow(action, actions, scalars_, flow);
    }
  }
  // Others may change memory now.
  registers_.settle(~uint32_t{0});
  flow_ = flow;
  words_ = place.words;
  counters_.lane_ops += lane_ops;
  counters_.real_lane_ops += real_lane_ops;
  counters_.loads += loads;
  counters_.stores += stores;
}

}  // namespace tfmbs
