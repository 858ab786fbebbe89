// Parts of vector programs, and poolings.
#include <algorithm>
#include <cstring>

#include "checks.h"
#include "error.h"
#include "kpu_jobs.h"
#include "launch.h"

namespace tfmbs::kpu {
namespace {

// Bytes between L1 and a program's view.
class Staged {
 public:
  Staged(const Memories& memories, const Views& views, int64_t memory)
      : memories_(memories), views_(views), memory_(memory) {}

  // The runs of `count` descriptions; those bring bytes in or take results out.
  const int64_t* move(const int64_t* described, int64_t count, bool in) const {
    for (; count--; described += 7) {
      const int64_t bytes = described[2];
      for (int64_t i = 0; i < described[3]; ++i) {
        uint8_t* here = memories_.at(memory_, described[5] + i * described[6], bytes);
        uint8_t* there = views_.in_memory(described[0], described[1] + i * described[4], bytes);
        std::memcpy(in ? there : here, in ? here : there, static_cast<size_t>(bytes));
      }
    }
    return described;
  }

 private:
  const Memories& memories_;
  const Views& views_;
  int64_t memory_;
};

}  // namespace

void Jobs::vector(const movement::Movement& movement, const int64_t* parameters) {
  movement::Vector p;
  std::memcpy(&p, parameters, sizeof p);
  const Launch& own = launch(movement.launch);
  Machine& engine = machine(movement.tile);
  Window windows[abi::WINDOWS];
  for (const WindowUse& use : own.program->uses) {
    if (!p.is_direct) {
      windows[use.window] = views(movement.launch).window(use.window);
      continue;
    }
    const abi::Tensor& tensor = image_.tensor(own.args[use.window], own.name);
    const int64_t first = static_cast<int64_t>(tensor.offset), size = static_cast<int64_t>(tensor.bytes);
    uint8_t* data = memories_.at(memory_of(tensor), first, size);
    if (reinterpret_cast<uintptr_t>(data) % std::max(element_bytes(tensor.dtype), 1u))
      throw Error("record", own.name, "a tensor's elements are larger than those of its input or output");
    windows[use.window] = {data, element_count(tensor, own.name)};
  }
  if (p.is_first) {
    engine.counters() = {};
    engine.clear(*own.program);
    engine.start(*own.program, abi::VLMAX);
  }
  const int64_t* runs = parameters + sizeof p / sizeof(int64_t);
  if (p.loads)
    runs = Staged(memories_, views(movement.launch), p.memory).move(runs, p.loads, true);
  engine.advance(*own.program, windows, TO_THE_END, &steps_left_,
                 p.accesses < 0 ? TO_THE_END : static_cast<uint64_t>(p.accesses));
  if (p.stores) Staged(memories_, views(movement.launch), p.memory).move(runs, p.stores, false);
  counters_[static_cast<size_t>(movement.launch)] = engine.counters();
}

const std::vector<int64_t>* Jobs::taken(const movement::Movement& movement, const int64_t* parameters) {
  taken_.clear();
  Machine& engine = machine(movement.tile);
  engine.list_taken(&taken_);
  vector(movement, parameters);
  engine.list_taken(nullptr);
  return &taken_;
}

void Jobs::pool(const movement::Movement& movement, const int64_t* parameters) {
  movement::Pool p;
  std::memcpy(&p, parameters, sizeof p);
  const Launch& own = launch(movement.launch);
  const abi::WindowGeometry& g = own.window;
  const size_t e = own.integer ? 1 : 4, out_e = p.is_wide ? 4 : e;
  const size_t width = g.in_width * e, plane = width * g.in_height;
  if (p.first_row < 0 || p.rows < 0 || p.first_row > g.in_height || p.rows > g.in_height - p.first_row)
    throw Error("device", "kpu", "rows of a plane outside of it");
  const int64_t rows = p.rows * static_cast<int64_t>(width);
  const uint8_t* in = memories_.at(p.memory, p.in, p.channels * rows);
  uint8_t* out = memories_.at(p.memory, p.out, p.channels * p.lanes * static_cast<int64_t>(out_e));
  const StoreFn store = own.kernels->moves(own.integer ? abi::DType::I8 : abi::DType::F32).store;
  scratchpad_.lhs.resize((plane + 3) / 4);
  scratchpad_.out.resize(POOL_WORDS);
  uint8_t* whole = reinterpret_cast<uint8_t*>(scratchpad_.lhs.data());
  uint32_t* results = scratchpad_.out.data();
  for (int64_t channel = 0; channel < p.channels; ++channel, in += rows) {
    std::memcpy(whole + static_cast<size_t>(p.first_row) * width, in, static_cast<size_t>(rows));
    for (int64_t first = 0; first < p.lanes; first += abi::VLMAX) {
      const uint32_t lanes = static_cast<uint32_t>(std::min<int64_t>(abi::VLMAX, p.lanes - first));
      pool_outputs(*own.kernels, own, whole, static_cast<uint64_t>(p.first + first), lanes, results);
      const int64_t at = channel * p.lanes + first;
      if (p.is_wide) std::memcpy(out + at * 4, results, lanes * sizeof *results);
      else store(out, results, at, 1, lanes);
    }
  }
}

}  // namespace tfmbs::kpu
