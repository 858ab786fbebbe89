// Execution of loops whose body is a chain. Where turns differ only by numbers that each adds to scalars and cursors,
// what their machine code relies on is checked for all of them at once.
#include <algorithm>
#include <cstring>

#include "siw.h"
#include "siw_chain.h"
#include "siw_flow.h"
#include "siw_induction.h"
#include "siw_place.h"

namespace tfmbs {
namespace {

using Item = Stretch::Item;
__extension__ using Wide = __int128;  // holds every address that 64-bit registers can name

// Elements that a load or store accesses in a turn: those of turn k lie k * step bytes further.
struct Reach {
  const Item* item;
  const Window* window;
  int64_t first, stride, step;  // of the first turn, in elements
  uintptr_t low, end;           // its bytes
  bool stores() const { return item->kind == Item::Kind::STORE; }
  bool matters() const { return item->is_used || item->stays; }
  int64_t bytes() const { return step * item->size; }
};

// The bytes that it accesses in the turns from `from` to `to`.
struct Span {
  Span(const Reach& reach, int64_t from, int64_t to)
      : low(reach.low + raw(std::min(from * reach.bytes(), to * reach.bytes()))),
        end(reach.end + raw(std::max(from * reach.bytes(), to * reach.bytes()))) {}
  bool meets(const Span& other) const { return low < other.end && other.low < end; }
  uintptr_t low, end;
};

// Whether what one stores in a turn is what the other accesses in it, for some lanes before it does.
bool disturbs(const Reach& store, const Reach& other, int64_t last) {
  const bool alike = store.bytes() == other.bytes();
  const int64_t to = alike ? 0 : last;
  if (!Span(store, 0, to).meets(Span(other, 0, to))) return false;
  const bool same_lanes = alike && store.low == other.low && other.stride == 1 && store.item->size == other.item->size;
  return !same_lanes || other.item->stays;
}

// Whether code may take the elements from where they are.
bool is_in_place(const Reach& reach) {
  if (!reach.item->is_used) return true;
  if (reach.item->kind == Item::Kind::SINGLE_LOAD) return reach.item->size == sizeof(uint32_t);
  return reach.stride == 1;
}

}  // namespace

uint64_t Machine::run_turns(const Stretch& chain, bool hands_on, const Action* actions, const Window* windows,
                            Place& place, Flow& flow, uint64_t most) {
  const Turns* const turns = hands_on ? chain.turns.get() : nullptr;
  const unsigned depth = turns ? turns->depth : 0;
  const Action& repeat = actions[chain.end];
  const uint32_t lanes = flow.lanes;
  const void *first[MOST_POINTERS] = {}, *second[MOST_POINTERS] = {}, *plain[MOST_POINTERS];
  const void **now = first, **before = second;
  std::optional<Increments> increments;
  uint64_t turn = 0;
  bool is_behind = false, going = true;  // whether registers are
  while (going && turn < most) {
    // What the first turn sets, later ones may add to; those that a turn reaches back to are as even.
    if (turn == 1) increments = increments_of(chain, actions, scalars_);
    if (turn == depth + 1 && increments &&
        run_evenly(turns ? turns->stretch : chain, turns, actions, windows, place, flow, before, *increments,
                   most - turn)) {
      std::swap(now, before);
      is_behind = turns;
      turn = most;
      break;
    }
    Ran ran;
    if (!turns) {
      ran = prepare_and_run(chain, actions, windows, place, lanes, plain, 0);
      if (ran == Ran::NOT) break;
    } else {
      const auto ring = static_cast<unsigned>(turn % (depth + 2));
      std::swap(now, before);
      for (const Turns::Shift& shift : turns->shifts) now[shift.to] = before[shift.from];
      if (turn < depth) {
        ran = prepare_and_run(chain, actions, windows, place, lanes, plain, ring);
        if (ran == Ran::NOT) break;
        for (size_t i = 0; i < chain.items.size(); ++i)
          if (chain.items[i].kind != Item::Kind::SCALAR)
            now[turns->stretch.items[i].pointer] = plain[chain.items[i].pointer];
      } else {
        ran = prepare_and_run(turns->stretch, actions, windows, place, lanes, now, ring);
        if (ran == Ran::NOT) {
          std::swap(now, before);
          break;
        }
        is_behind = true;
      }
      going = ran == Ran::IN_PLACE;
    }
    place.words += repeat.words;
    place.check_steps(repeat);
    follow(repeat, actions, scalars_, flow);
    ++turn;
  }
  if (is_behind) {
    if (registers_.borrowed() & turns->stretch.written) registers_.free_for(turns->stretch.written, lanes);
    for (const Stretch::Place& output : turns->stretch.outputs) now[output.pointer] = registers_.own(output.index);
    run_lanes(turns->after, now, lanes);
  }
  return turn;
}

bool Machine::run_evenly(const Stretch& chain, const Turns* turns, const Action* actions, const Window* windows,
                         Place& place, Flow& flow, const void** pointers, const Increments& increments,
                         uint64_t count) {
  const uint32_t lanes = flow.lanes;
  if (lanes < LEAST_LANES || count < 2 || count > INT32_MAX) return false;
  const auto last = static_cast<int64_t>(count - 1);
  int64_t scalars[abi::SCALAR_REGISTERS + 1];
  std::memcpy(scalars, scalars_, sizeof scalars);
  Increments ahead = increments;
  uint64_t advance[2][abi::WINDOWS] = {};  // of cursors in a turn, those of loads and those of stores
  uint64_t words = chain.words + actions[chain.end].words;
  uint32_t* single = begin_chain(pointers, EVEN_SINGLES);
  Reach reaches[MOST_MOVES];
  size_t moves = 0;
  for (const Item& item : chain.items)
    if (item.streams) advance[item.kind == Item::Kind::STORE][actions[item.action].window] += lanes;
  uint64_t passed[2][abi::WINDOWS] = {};
  for (const Item& item : chain.items) {
    const Action& action = actions[item.action];
    words += item.words;
    switch (item.kind) {
      case Item::Kind::SCALAR:
        follow_increments(action, scalars, ahead);
        follow(action, actions, scalars, flow_);  // which it leaves alone
        break;
      case Item::Kind::SINGLE_INDEX:
        if (ahead[action.base]) return false;
        *single = static_cast<uint32_t>(raw(scalars[action.base]) + raw(action.immediate));
        pointers[item.pointer] = single++;
        break;
      case Item::Kind::INDEX: return false;
      default: {
        const bool stores = item.kind == Item::Kind::STORE;
        const Window& window = windows[action.window];
        Wide first, step;
        int64_t stride = 1;
        if (item.streams) {
          uint64_t& behind = passed[stores][action.window];
          first = static_cast<Wide>((stores ? written_ : read_)[action.window]) + behind;
          step = advance[stores][action.window];
          behind += lanes;
        } else {
          if (ahead[action.index]) return false;
          first = static_cast<Wide>(scalars[action.base]) + action.immediate;
          step = wrap(ahead[action.base]);
          stride = scalars[action.index];
        }
        const Wide across = static_cast<Wide>(stride) * (lanes - 1), along = step * last;
        const Wide lowest = first + std::min<Wide>(across, 0) + std::min<Wide>(along, 0);
        const Wide highest = first + std::max<Wide>(across, 0) + std::max<Wide>(along, 0);
        if (lowest < 0 || highest >= static_cast<Wide>(window.elements)) return false;
        Reach& reach = reaches[moves++];
        reach = {&item, &window, static_cast<int64_t>(first), stride, static_cast<int64_t>(step), 0, 0};
        const auto at = [&](Wide element) {
          return reinterpret_cast<uintptr_t>(window.data) + static_cast<uintptr_t>(element) * item.size;
        };
        reach.low = at(first + std::min<Wide>(across, 0));
        reach.end = at(first + std::max<Wide>(across, 0) + 1);
        if (!is_in_place(reach)) return false;
        // A register that one turn loads and the next one reads.
        const auto is_loaded = [&](const Stretch::Place& input) { return input.index == action.d; };
        if (!turns && item.stays && std::any_of(chain.inputs.begin(), chain.inputs.end(), is_loaded)) return false;
      }
    }
  }
  if (place.words > place.limit || count > (place.limit - place.words) / words) return false;
  const int64_t reached = turns ? -static_cast<int64_t>(turns->depth) : 0;
  for (size_t i = 0; i < moves; ++i) {
    if (!reaches[i].stores()) continue;
    for (size_t j = 0; j < moves; ++j) {
      if (i == j || !reaches[j].matters()) continue;
      if (disturbs(reaches[i], reaches[j], last)) return false;
      if (reaches[j].item->is_kept && Span(reaches[i], reached, last).meets(Span(reaches[j], reached, last)))
        return false;
    }
  }

  for (size_t i = 0; i < moves; ++i) {
    const unsigned window = actions[reaches[i].item->action].window;
    if (!reaches[i].stores() || !registers_.lends(window)) continue;
    const Span span(reaches[i], 0, last);
    registers_.store(window, reinterpret_cast<const uint32_t*>(span.low), reinterpret_cast<const uint32_t*>(span.end));
  }
  // Registers that turns hand on are in their own places before the first of these turns, too.
  registers_.settle(chain.settled | chain.written);
  for (const Stretch::Place& input : chain.inputs) pointers[input.pointer] = registers_.at(input.index);
  for (const Stretch::Place& output : chain.outputs) pointers[output.pointer] = registers_.own(output.index);
  for (const Stretch::Place& sum : chain.sums) pointers[sum.pointer] = registers_.own(sum.index);
  int64_t steps[MOST_POINTERS] = {};
  for (size_t i = 0; i < moves; ++i) {
    if (!reaches[i].item->is_used) continue;
    pointers[reaches[i].item->pointer] = reinterpret_cast<const void*>(reaches[i].low);
    steps[reaches[i].item->pointer] = reaches[i].bytes();
  }
  const auto move_on = [&](uint8_t pointer, int64_t bytes) {
    pointers[pointer] = reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(pointers[pointer]) + raw(bytes));
  };
  // Those of earlier turns come last, the latest turn first.
  for (size_t i = turns ? turns->shifts.size() : 0; i--;) {
    const Turns::Shift shift = turns->shifts[i];
    pointers[shift.to] = pointers[shift.from];
    steps[shift.to] = steps[shift.from];
    move_on(shift.to, -steps[shift.to]);
  }
  uint8_t moving[MOST_POINTERS];
  size_t pointers_moving = 0;
  for (unsigned i = FIRST_POINTER; i < MOST_POINTERS; ++i)
    if (steps[i]) moving[pointers_moving++] = static_cast<uint8_t>(i);

  for (int64_t turn = 0; turn <= last; ++turn) {
    for (size_t i = 0; turn && i < pointers_moving; ++i) move_on(moving[i], steps[moving[i]]);
    for (size_t i = 0; i < moves; ++i) {
      if (!reaches[i].stores() || !reaches[i].window->known) continue;
      const Span span(reaches[i], turn, turn);
      reaches[i].window->known->forget(reinterpret_cast<const uint8_t*>(span.low),
                                       reinterpret_cast<const uint8_t*>(span.end));
    }
    run_lanes(chain.run, pointers, lanes);
  }

  for (size_t i = 0; i < moves; ++i) {
    const Reach& reach = reaches[i];
    if (!reach.stores() && reach.item->stays)
      load(actions[reach.item->action], *reach.window, reach.first + reach.step * last, reach.stride, lanes);
  }
  for (const uint8_t scalar : chain.counted)
    scalars_[scalar] = wrap(raw(scalars_[scalar]) + count * increments[scalar]);
  for (const uint8_t window : chain.streamed) {
    read_[window] += count * advance[0][window];
    written_[window] += count * advance[1][window];
  }
  place.words += count * words;
  Flow::Loop& loop = flow.loops[flow.depth - 1];
  loop.left -= static_cast<int64_t>(count);
  flow.next = loop.start;
  return true;
}

}  // namespace tfmbs
