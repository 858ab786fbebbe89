// Execution of chains: what their machine code relies on is prepared and checked here.
#include <algorithm>
#include <cstring>

#include "error.h"
#include "siw.h"
#include "siw_chain.h"
#include "siw_flow.h"
#include "siw_place.h"

namespace tfmbs {
namespace {

using Item = Stretch::Item;

constexpr size_t ROOM_WORDS = ALL_ROOMS * Registers::GROUP, SINGLE_WORDS = MOST_SINGLES;
// Single values of so many turns are kept: those that a turn reaches back to, its own, and those of a turn that is
// declined when some of them are there already. Those of turns that are taken evenly have a place of their own.
constexpr size_t SINGLES = EVEN_SINGLES + 1;

// Elements that a load or store of a chain accesses.
struct Move {
  const Item* item;
  const Window* window;
  int64_t first, stride;
  uint8_t* staged;  // its elements side by side, where they do not lie so
};

// Whether lane i of one accesses the bytes of lane i of the other, and no others', where both begin at one byte.
bool go_together(const Move& a, const Move& b) {
  return a.stride == 1 && b.stride == 1 && a.item->size == b.item->size;
}

template <class Copy>
void each_element(const Move& move, uint32_t lanes, Copy copy) {
  const size_t size = move.item->size;
  for (uint32_t i = 0; i < lanes; ++i)
    copy(move.window->data + static_cast<size_t>(move.first + move.stride * i) * size, move.staged + i * size, size);
}

}  // namespace

uint32_t* Machine::begin_chain(const void** pointers, unsigned ring) {
  if (room_.empty()) room_.resize(ROOM_WORDS + SINGLES * SINGLE_WORDS + size_t{MOST_MOVES} * 2 * abi::VLMAX);
  pointers[ROOMS] = room_.data();
  pointers[EXP_GROUP] = reinterpret_cast<const void*>(exp_);
  pointers[ERF_GROUP] = reinterpret_cast<const void*>(erf_);
  return room_.data() + ROOM_WORDS + ring * SINGLE_WORDS;
}

bool Machine::run_chain(const Stretch& chain, const Action* actions, const Window* windows, Place& place,
                        uint32_t lanes) {
  const void* pointers[MOST_POINTERS];
  return prepare_and_run(chain, actions, windows, place, lanes, pointers, 0) != Ran::NOT;
}

Machine::Ran Machine::prepare_and_run(const Stretch& chain, const Action* actions, const Window* windows,
                                      Place& place, uint32_t lanes, const void** pointers, unsigned ring) {
  if (lanes < LEAST_LANES) return Ran::NOT;
  uint32_t* single = begin_chain(pointers, ring);
  auto* stage = reinterpret_cast<uint8_t*>(room_.data() + ROOM_WORDS + SINGLES * SINGLE_WORDS);
  Move moved[MOST_MOVES];
  uintptr_t lows[MOST_MOVES], ends[MOST_MOVES];  // of their bytes
  size_t moves = 0;

  // Should it be declined, all is as before.
  int64_t scalars[abi::SCALAR_REGISTERS + 1];
  uint64_t read[abi::WINDOWS], written[abi::WINDOWS];
  const uint64_t words = place.words;
  if (chain.stores) {
    for (const uint8_t i : chain.counted) scalars[i] = scalars_[i];
    for (const uint8_t i : chain.streamed) read[i] = read_[i], written[i] = written_[i];
  }
  const auto decline = [&] {
    for (const uint8_t scalar : chain.counted) scalars_[scalar] = scalars[scalar];
    for (const uint8_t window : chain.streamed) read_[window] = read[window], written_[window] = written[window];
    place.words = words;
    return Ran::NOT;
  };
  try {
    for (const Item& item : chain.items) {
      const Action& action = actions[item.action];
      place.words += item.words;
      switch (item.kind) {
        case Item::Kind::SCALAR: follow(action, actions, scalars_, flow_); break;  // which it leaves alone
        case Item::Kind::SINGLE_INDEX:
          *single = static_cast<uint32_t>(raw(scalars_[action.base]) + raw(action.immediate));
          pointers[item.pointer] = single++;
          break;
        case Item::Kind::INDEX:
          action.run.index(stage, wrap(raw(scalars_[action.base]) + raw(action.immediate)), scalars_[action.index],
                           lanes);
          pointers[item.pointer] = stage;
          stage += abi::VLMAX * sizeof(uint32_t);
          break;
        default: {
          const Window& window = windows[action.window];
          const bool stores = item.kind == Item::Kind::STORE;
          int64_t first, stride = 1;
          if (item.streams) {
            first = next((stores ? written_ : read_)[action.window], action, place, lanes);
          } else {
            first = strided(action, place, lanes);
            stride = scalars_[action.index];
          }
          const int64_t last = first + stride * (static_cast<int64_t>(lanes) - 1);
          const auto data = reinterpret_cast<uintptr_t>(window.data);
          Move& move = moved[moves];
          move = {&item, &window, first, stride, nullptr};
          lows[moves] = data + static_cast<uintptr_t>(std::min(first, last)) * item.size;
          ends[moves] = data + static_cast<uintptr_t>(std::max(first, last) + 1) * item.size;
          ++moves;
          if (item.kind == Item::Kind::SINGLE_LOAD) {
            action.run.load(single, window.data, first, 0, 1);
            pointers[item.pointer] = single++;
          } else if (stride == 1) {
            pointers[item.pointer] = reinterpret_cast<const void*>(lows[moves - 1]);
          } else {
            move.staged = stage;
            pointers[item.pointer] = stage;
            stage += abi::VLMAX * sizeof(uint32_t);
          }
        }
      }
    }
  } catch (const Error&) {
    // An access outside: what comes before it is stored, then its action says what is wrong.
    if (!chain.stores) throw;
    return decline();
  }
  for (size_t i = 0; i < moves; ++i) {
    if (moved[i].item->kind != Item::Kind::STORE) continue;
    unsigned met = 0;
    for (size_t j = 0; j < moves; ++j) met += lows[i] < ends[j] && lows[j] < ends[i];
    for (size_t j = 0; met > 1 && j < moves; ++j) {
      if (j == i || lows[i] >= ends[j] || lows[j] >= ends[i]) continue;
      if (lows[i] == lows[j] && go_together(moved[i], moved[j]) && !moved[j].item->stays) continue;
      return decline();
    }
  }
  place.words += chain.words;

  // What is borrowed of memory that will be stored to comes home, and sums do.
  for (size_t i = 0; chain.stores && i < moves; ++i) {
    const unsigned window = actions[moved[i].item->action].window;
    if (moved[i].item->kind != Item::Kind::STORE) continue;
    if (registers_.lends(window))
      registers_.store(window, reinterpret_cast<const uint32_t*>(lows[i]), reinterpret_cast<const uint32_t*>(ends[i]));
    if (FiniteBlocks* const known = moved[i].window->known)
      known->forget(reinterpret_cast<const uint8_t*>(lows[i]), reinterpret_cast<const uint8_t*>(ends[i]));
  }
  if (registers_.borrowed() & chain.settled) registers_.settle(chain.settled);
  for (const Stretch::Place& input : chain.inputs) pointers[input.pointer] = registers_.at(input.index);
  if (registers_.borrowed() & chain.written) registers_.free_for(chain.written, lanes);
  for (const Stretch::Place& output : chain.outputs) pointers[output.pointer] = registers_.own(output.index);
  for (const Stretch::Place& sum : chain.sums) pointers[sum.pointer] = registers_.own(sum.index);
  for (size_t i = 0; i < moves; ++i) {
    const Move& move = moved[i];
    if (!move.staged || !move.item->is_used || move.item->kind == Item::Kind::STORE) continue;
    const Action& action = actions[move.item->action];
    const uint32_t* column = nullptr;
    if (action.steady) column = columns_.find(move.window->data, move.window->elements, move.first, move.stride, lanes);
    if (column) std::memcpy(move.staged, column, lanes * sizeof *column);
    else if (move.item->size == sizeof(uint32_t))
      action.run.load(move.staged, move.window->data, move.first, move.stride, lanes);
    else
      each_element(move, lanes, [](const uint8_t* from, uint8_t* to, size_t size) { std::memcpy(to, from, size); });
  }

  run_lanes(chain.run, pointers, lanes);

  bool is_in_place = true;
  for (size_t i = 0; i < moves; ++i) {
    const Move& move = moved[i];
    const Action& action = actions[move.item->action];
    if (move.item->kind == Item::Kind::STORE) {
      if (move.staged)
        each_element(move, lanes, [](uint8_t* to, const uint8_t* from, size_t size) { std::memcpy(to, from, size); });
    } else if (move.item->stays) {
      load(action, *move.window, move.first, move.stride, lanes);
    }
    is_in_place = is_in_place && !(move.item->is_kept && move.staged);
  }
  return is_in_place ? Ran::IN_PLACE : Ran::STAGED;
}

}  // namespace tfmbs
