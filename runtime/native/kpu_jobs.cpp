#include "kpu_jobs.h"

#include <algorithm>
#include <cstring>

#include "checks.h"
#include "error.h"

namespace tfmbs::kpu {
namespace {

template <class T>
void copy_elements(const movement::Part& p, const uint8_t* from, uint8_t* to) {
  for (int64_t i = 0; i < p.count0; ++i)
    for (int64_t j = 0; j < p.count1; ++j) {
      T element;
      std::memcpy(&element, from + i * p.from0 + j * p.from1, sizeof element);
      std::memcpy(to + i * p.to0 + j * p.to1, &element, sizeof element);
    }
}

}  // namespace

int64_t memory_of(const abi::Tensor& tensor) {
  using abi::Region;
  using movement::Memory;
  switch (tensor.region) {
    case Region::WEIGHTS: return static_cast<int64_t>(Memory::WEIGHTS);
    case Region::SCRATCH: return static_cast<int64_t>(Memory::SCRATCH);
    case Region::STATE: return static_cast<int64_t>(Memory::STATE);
    case Region::INPUT: return static_cast<int64_t>(Memory::INPUT) + tensor.slot;
    case Region::OUTPUT: return static_cast<int64_t>(Memory::OUTPUT) + tensor.slot;
  }
  throw Error("record", "kpu", "a tensor lies in no region");
}

Views::Views(const Image& image, const Launch& launch) {
  struct Place {
    unsigned window;
    int64_t memory;
    uint64_t low, end;
  };
  std::vector<Place> places;
  for (const WindowUse& use : launch.program->uses) {
    const abi::Tensor& tensor = image.tensor(launch.args[use.window], launch.name);
    places.push_back({use.window, memory_of(tensor), tensor.offset, tensor.offset + tensor.bytes});
    windows_[use.window].elements = element_count(tensor, launch.name);
    sizes_[use.window] = tensor.bytes;
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::pair(a.memory, a.low) < std::pair(b.memory, b.low);
  });
  for (const Place& place : places) {
    // Neighbours are one piece: what is brought of both at once is one run.
    if (pieces_.empty() || pieces_.back().memory != place.memory || place.low > pieces_.back().end)
      pieces_.push_back({place.memory, place.low / 64 * 64, place.end, nullptr});
    pieces_.back().end = std::max(pieces_.back().end, place.end);
  }
  for (Piece& piece : pieces_) piece.bytes = std::make_unique<Arena>(piece.end - piece.low);
  for (const Place& place : places)
    windows_[place.window].data =
        in_memory(place.memory, static_cast<int64_t>(place.low), static_cast<int64_t>(place.end - place.low));
}

uint8_t* Views::in_memory(int64_t memory, int64_t first, int64_t size) const {
  const uint64_t low = static_cast<uint64_t>(first), end = low + static_cast<uint64_t>(size);
  for (const Piece& piece : pieces_)
    if (piece.memory == memory && piece.low <= low && end <= piece.end) return piece.bytes->data() + (low - piece.low);
  throw Error("device", "kpu", "a program has no window on what was brought for it");
}

uint8_t* Views::in_window(unsigned number, int64_t first, int64_t size) const {
  const uint64_t low = static_cast<uint64_t>(first), bytes = static_cast<uint64_t>(size);
  if (number >= abi::WINDOWS || low > sizes_[number] || bytes > sizes_[number] - low)
    throw Error("device", "kpu", "bytes outside of window " + std::to_string(number));
  return windows_[number].data + low;
}

const Launch& Jobs::launch(int64_t number) const {
  if (number < 0 || number >= static_cast<int64_t>(entry_.descriptor_count))
    throw Error("device", "kpu", "a movement is of a launch that its entry has not");
  return image_.launches()[entry_.first_descriptor + static_cast<size_t>(number)];
}

Views& Jobs::views(int64_t number) {
  const auto found = views_.find(number);
  if (found != views_.end()) return found->second;
  // Launches follow each other, overlapping with their neighbours.
  while (views_.size() > 2) views_.erase(views_.begin());
  return views_.try_emplace(number, image_, launch(number)).first->second;
}

Machine& Jobs::machine(int64_t tile) {
  std::unique_ptr<Machine>& machine = machines_[tile];
  if (!machine) machine = std::make_unique<Machine>(image_.kernels());
  return *machine;
}

int64_t Jobs::copy(const movement::Part* parts, int64_t count) const {
  int64_t moved = 0;
  for (const movement::Part* p = parts; p != parts + count; ++p) {
    const int64_t from_end = (p->count0 - 1) * p->from0 + (p->count1 - 1) * p->from1 + p->run;
    const int64_t to_end = (p->count0 - 1) * p->to0 + (p->count1 - 1) * p->to1 + p->run;
    const uint8_t* from = memories_.at(p->source, p->from, from_end);
    uint8_t* to = memories_.at(p->target, p->to, to_end);
    switch (p->run) {
      case 1: copy_elements<uint8_t>(*p, from, to); break;
      case 2: copy_elements<uint16_t>(*p, from, to); break;
      case 4: copy_elements<uint32_t>(*p, from, to); break;
      case 8: copy_elements<uint64_t>(*p, from, to); break;
      default:
        for (int64_t i = 0; i < p->count0; ++i)
          for (int64_t j = 0; j < p->count1; ++j)
            std::memmove(to + i * p->to0 + j * p->to1, from + i * p->from0 + j * p->from1,
                         static_cast<size_t>(p->run));
    }
    moved += p->count0 * p->count1 * p->run;
  }
  return moved;
}

void Jobs::bring(const Launch& launch, int64_t number, int64_t memory, int64_t count, const int64_t* parameters,
                 Window* windows) {
  if (!launch.program->uses.empty()) {
    const Views& view = views(number);
    for (unsigned i = 0; i < abi::WINDOWS; ++i) windows[i] = view.window(i);
  }
  for (int64_t i = 0; i < count; ++i) {
    const unsigned window = static_cast<unsigned>(*parameters++);
    int64_t address = *parameters++;
    for (int64_t segments = *parameters++; segments--; parameters += 2) {
      const size_t bytes = static_cast<size_t>(parameters[1]);
      std::memcpy(views(number).in_window(window, parameters[0], parameters[1]),
                  memories_.at(memory, address, parameters[1]), bytes);
      address += parameters[1];
    }
  }
}

const uint32_t* Jobs::finished(const Launch& launch, const Window* windows, const void* accumulators, int64_t element,
                               int64_t channel, int64_t channel_step, uint32_t lanes, Machine& machine) {
  machine.clear(*launch.program);
  std::memcpy(machine.vector(0), accumulators, lanes * sizeof(uint32_t));
  machine.set_scalar(abi::EPILOGUE_ELEMENT, element);
  machine.set_scalar(abi::EPILOGUE_CHANNEL, channel);
  machine.set_scalar(abi::EPILOGUE_CHANNEL_STEP, channel_step);
  machine.set_scalar(abi::EPILOGUE_ONE, 1);
  machine.run(*launch.program, windows, lanes, &steps_left_);
  return machine.vector(0);
}

void Jobs::epilogue(const movement::Movement& movement, const int64_t* parameters) {
  movement::Epilogue p;
  std::memcpy(&p, parameters, sizeof p);
  const Launch& own = launch(movement.launch);
  Window windows[abi::WINDOWS];
  bring(own, movement.launch, p.memory, p.windows, parameters + sizeof p / sizeof(int64_t), windows);
  const abi::DType type = image_.tensor(own.record.out, own.name).dtype;
  const StoreFn store = image_.kernels().moves(type).store;
  const uint8_t* sums = memories_.at(p.memory, p.sums, p.rows * p.columns * 4);
  uint8_t* out = memories_.at(p.memory, p.out, p.rows * p.columns * p.element_bytes);
  Machine& engine = machine(movement.tile);
  engine.counters() = {};
  for (int64_t row = 0; row < p.rows; ++row) {
    const uint64_t words = engine.counters().words;
    for (int64_t first = 0; first < p.columns; first += abi::VLMAX) {
      const uint32_t lanes = static_cast<uint32_t>(std::min<int64_t>(abi::VLMAX, p.columns - first));
      const int64_t at = row * p.columns + first;
      const int64_t channel = p.channel + (p.is_window ? row : first);
      const uint32_t* results = finished(own, windows, sums + at * 4, p.element + row * p.stride + first, channel,
                                         p.channel_step, lanes, engine);
      store(out, results, at, 1, lanes);
    }
    if (row % p.chunk_rows) engine.counters().words = words;  // they were issued for the chunk's first row
  }
  VectorCounters& all = counters_[static_cast<size_t>(movement.launch)];
  const VectorCounters& done = engine.counters();
  all.words += done.words;
  all.lane_ops += done.lane_ops;
  all.real_lane_ops += done.real_lane_ops;
  all.loads += done.loads;
  all.stores += done.stores;
}

}  // namespace tfmbs::kpu
