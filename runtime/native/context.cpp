#include "context.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "checks.h"
#include "error.h"
#include "float_environment.h"
#include "launch.h"
#include "lstm.h"
#include "share.h"

namespace tfmbs {
namespace {

using abi::Kind;
using abi::NO_INDEX;
using abi::Region;

constexpr uint64_t ALIGNMENT = 64;

uint64_t within(uint64_t bytes, uint64_t limit) {
  if (bytes > limit)
    throw Error(
        "resource-limit", "emulator",
        std::to_string(bytes) + " bytes of scratch and state, at most " + std::to_string(limit) + " are granted");
  return bytes;
}

uint64_t operations(const Launch& launch) {
  const abi::GemmGeometry& g = launch.gemm;
  const abi::VolumeGeometry& w = launch.volume;
  switch (launch.record.kind) {
    case Kind::GEMM:
    case Kind::GEMV: return product({g.batch, g.m, g.n, g.k}, launch.name);
    case Kind::CONV2D:
    case Kind::CONV3D:
      return product({w.batch, w.out_channels, w.out_depth, w.out_height, w.out_width, w.in_channels / w.groups,
                      w.kernel_depth, w.kernel_height, w.kernel_width},
                     launch.name);
    case Kind::ATTENTION: {
      const abi::AttentionGeometry& a = launch.attention;
      const uint64_t both = static_cast<uint64_t>(a.width) + a.value_width;
      return product({a.batch, a.groups, a.shared, a.rows, a.columns, both}, launch.name);
    }
    case Kind::LSTM: {
      const abi::LstmGeometry& l = launch.lstm;
      const uint64_t both = static_cast<uint64_t>(l.width) + l.hidden;
      return product({l.steps, l.batch, ways_of(l), LSTM_GATES, l.hidden, both}, launch.name);
    }
    case Kind::GROUP_GEMM: return product({launch.groups.m, launch.groups.n, launch.groups.k}, launch.name);
    case Kind::POOL:
      // Windows are clipped to the input.
      return product({w.batch, w.out_channels, w.out_height, w.out_width, std::min(w.kernel_height, w.in_height),
                      std::min(w.kernel_width, w.in_width)},
                     launch.name);
    default: return 0;
  }
}

// Marks a context as in use; a second thread is refused instead of racing.
class Busy {
 public:
  explicit Busy(std::atomic<bool>& flag) : flag_(flag) {
    if (flag_.exchange(true)) throw Error("device", "emulator", "a context runs in one thread at a time");
  }
  ~Busy() { flag_ = false; }

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

Arena::Arena(uint64_t size) : memory_(std::calloc(size + ALIGNMENT, 1), std::free), size_(size) {
  if (!memory_) throw Error("resource-limit", "emulator", "no memory for " + std::to_string(size) + " bytes");
  const uintptr_t start = reinterpret_cast<uintptr_t>(memory_.get());
  data_ = static_cast<uint8_t*>(memory_.get()) + (ALIGNMENT - start % ALIGNMENT) % ALIGNMENT;
}

void LaunchCounters::add(const VectorCounters& done) {
  vector.words += done.words;
  vector.lane_ops += done.lane_ops;
  vector.loads += done.loads;
  vector.stores += done.stores;
}

void Arena::clear() { std::memset(data_, 0, size_); }

Context::Context(std::shared_ptr<const Image> image, unsigned threads, uint64_t step_limit, uint64_t operation_limit,
                 uint64_t memory_limit)
    : image_(std::move(image)),
      scratch_(within(image_->scratch_bytes(), memory_limit)),
      state_(within(image_->state_bytes(), memory_limit - image_->scratch_bytes())),
      workers_(threads),
      step_limit_(step_limit),
      operation_limit_(operation_limit),
      memory_limit_(memory_limit) {
  for (unsigned i = 0; i < threads; ++i) buffers_.push_back(std::make_unique<Worker>(image_->kernels()));
}

void Context::reset() {
  const Busy busy(busy_);
  state_.clear();
}

std::vector<LaunchCounters> Context::counters() {
  const Busy busy(busy_);
  return counters_;
}

void Context::run(std::shared_ptr<const Image> image, uint32_t entry, const std::vector<Buffer>& inputs,
                  const std::vector<Buffer>& outputs) {
  const Busy busy(busy_);
  if (image->state_bytes() > state_.size() || image->scratch_bytes() > scratch_.size() ||
      &image->kernels() != &image_->kernels() || image->weights().data != image_->weights().data)
    throw Error("device", "emulator", "the image is none of this context's");
  image_ = std::move(image);
  const FloatEnvironment environment;
  const Plan& plan = image_->plan(entry);
  const abi::Entry& record = image_->entries()[entry];
  inputs_ = &inputs;
  outputs_ = &outputs;
  operations_left_ = operation_limit_;
  for (const auto& worker : buffers_) worker->steps_left = step_limit_;
  counters_.assign(record.descriptor_count, {});
  const auto start = Clock::now();
  const Launch* const launches = image_->launches().data() + record.first_descriptor;
  auto group = plan.groups.begin();
  for (uint32_t i = 0; i < record.descriptor_count;) {
    if (group != plan.groups.end() && group->first == i) {
      take_turns(*group, launches + i, counters_.data() + i, start);
      i += group++->count;
      continue;
    }
    const auto before = Clock::now();
    execute(launches[i], counters_[i]);
    counters_[i].start_ns = nanoseconds(before - start);
    counters_[i].wall_ns = nanoseconds(Clock::now() - before);
    ++i;
  }
}

Buffer Context::region(const abi::Tensor& tensor, const std::string& where) const {
  const auto argument = [&](const std::vector<Buffer>& buffers) {
    if (tensor.slot >= buffers.size()) throw Error("record", where, "a tensor has no such input or output");
    return buffers[tensor.slot];
  };
  switch (tensor.region) {
    // The weights are never written: check_launch refuses it.
    case Region::WEIGHTS: return {const_cast<uint8_t*>(image_->weights().data), image_->weights().size};
    case Region::SCRATCH: return {scratch_.data(), scratch_.size()};
    case Region::STATE: return {state_.data(), state_.size()};
    case Region::INPUT: return argument(*inputs_);
    case Region::OUTPUT: return argument(*outputs_);
  }
  throw Error("record", where, "a tensor lies in no region");
}

uint8_t* Context::place(uint32_t index, const std::string& where) const {
  const abi::Tensor& tensor = image_->tensor(index, where);
  const Buffer buffer = region(tensor, where);
  check_place(tensor, buffer.size, where);
  uint8_t* data = buffer.data + tensor.offset;
  // A caller's array is aligned to its own elements only, and the tensor may be another reading of its bytes.
  if (reinterpret_cast<uintptr_t>(data) % std::max(element_bytes(tensor.dtype), 1u))
    throw Error("record", where, "a tensor's elements are larger than those of its input or output");
  return data;
}

Bound Context::bind(const Launch& launch) const {
  const abi::Descriptor& record = launch.record;
  Bound bound(launch);
  if (record.lhs != NO_INDEX) bound.lhs = place(record.lhs, launch.name);
  if (record.rhs != NO_INDEX) bound.rhs = place(record.rhs, launch.name);
  if (record.out != NO_INDEX) {
    bound.out = place(record.out, launch.name);
    bound.out_type = image_->tensor(record.out, launch.name).dtype;
  }
  if (lists_operands(record.kind))
    for (size_t i = 0; i < launch.args.size(); ++i) bound.further[i] = place(launch.args[i], launch.name);
  if (!launch.program) return bound;
  for (const WindowUse& use : launch.program->uses) {
    const uint32_t tensor = launch.args[use.window];
    bound.windows[use.window] = {place(tensor, launch.name),
                                 element_count(image_->tensor(tensor, launch.name), launch.name)};
  }
  return bound;
}

void Context::multiply(const Launch& launch, const Bound& bound, LaunchCounters& counters) {
  const Engine engine{image_->kernels(), workers_, buffers_, lhs_, recurrence_};
  const bool conv = launch.record.kind == Kind::CONV2D || launch.record.kind == Kind::CONV3D;
  const uint64_t own = product(
      {conv ? conv_buffer_bytes(engine, launch) : gemm_buffer_bytes(engine, launch), buffers_.size()}, launch.name);
  const uint64_t rhs_size = launch.constant ? 0 : image_->packed_size(launch);
  const uint64_t lhs_size = conv ? 0 : gemm_lhs_bytes(engine, launch);
  if (own > memory_limit_ || rhs_size > memory_limit_ - own || lhs_size > memory_limit_ - own - rhs_size)
    throw Error("resource-limit", launch.name, "its buffers take more memory than is granted");
  if (!launch.constant) {
    Vectors rhs;
    if (launch.integer) rhs.i8 = reinterpret_cast<const int8_t*>(bound.rhs);
    else rhs.f32 = reinterpret_cast<const float*>(bound.rhs);
    if (conv) {
      rhs_ = pack_conv(launch.volume, rhs, launch.words, engine.kernels.rows);
    } else {
      const GemmPacking packing(launch.gemm, rhs, launch.words, engine.kernels.panel, rhs_);
      workers_.run(packing.blocks(), [&](uint64_t block, unsigned) { packing.pack(block); });
    }
  }
  counters.operations = launch.work.all;
  counters.active = launch.work.active;
  (conv ? run_conv : run_gemm)(engine, bound, launch.constant ? *launch.weights : rhs_);
}

void Context::multiply_groups(const Launch& launch, const Bound& bound, LaunchCounters& counters) {
  const Engine engine{image_->kernels(), workers_, buffers_, lhs_, recurrence_};
  const uint64_t own = product({groups_buffer_bytes(engine, launch), buffers_.size()}, launch.name);
  if (own > memory_limit_ || groups_lhs_bytes(engine, bound) > memory_limit_ - own)
    throw Error("resource-limit", launch.name, "its buffers take more memory than is granted");
  counters.operations = launch.work.all;
  counters.active = launch.work.active;
  run_groups(engine, bound, *launch.weights);
}

void Context::recur(const Launch& launch, const Bound& bound, LaunchCounters& counters) {
  const Engine engine{image_->kernels(), workers_, buffers_, lhs_, recurrence_};
  const abi::GemmGeometry products[2] = {product_of_inputs(launch.lstm), product_of_states(launch.lstm)};
  const PackedWeights* const constant[2] = {launch.weights.get(), launch.recurrent.get()};
  const uint8_t* const data[2] = {bound.rhs, bound.further[0]};
  uint64_t needed = lstm_bytes(engine, launch);
  for (unsigned i = 0; i < 2; ++i)
    if (!constant[i]) needed += packed_bytes(products[i], Words::F32, engine.kernels.panel, launch.name);
  if (needed > memory_limit_)
    throw Error("resource-limit", launch.name, "its buffers take more memory than is granted");
  PackedWeights packed[2];
  for (unsigned i = 0; i < 2; ++i) {
    if (constant[i]) continue;
    Vectors weights;
    weights.f32 = reinterpret_cast<const float*>(data[i]);
    packed[i] = pack_gemm(products[i], weights, Words::F32, engine.kernels.panel);
  }
  counters.operations = launch.work.all;
  counters.active = launch.work.active;
  run_lstm(engine, bound, constant[0] ? *constant[0] : packed[0], constant[1] ? *constant[1] : packed[1]);
}

void Context::execute(const Launch& launch, LaunchCounters& counters) {
  const uint64_t work = operations(launch);
  if (work > operations_left_)
    throw Error("resource-limit", launch.name, "the run takes more operations than are granted");
  operations_left_ -= work;
  const Bound bound = bind(launch);
  const Engine engine{image_->kernels(), workers_, buffers_, lhs_, recurrence_};
  for (const auto& worker : buffers_) worker->machine.counters() = {};
  switch (launch.record.kind) {
    case Kind::GEMM:
    case Kind::GEMV:
    case Kind::CONV2D:
    case Kind::CONV3D: multiply(launch, bound, counters); break;
    case Kind::POOL:
      counters.operations = counters.active = pool_taps(engine, bound);
      run_pool(engine, bound);
      break;
    case Kind::ATTENTION:
      if (product({attention_buffer_bytes(engine, launch), buffers_.size()}, launch.name) > memory_limit_)
        throw Error("resource-limit", launch.name, "its buffers take more memory than is granted");
      counters.operations = counters.active = work;
      run_attention(engine, bound);
      break;
    case Kind::GROUP_GEMM: multiply_groups(launch, bound, counters); break;
    case Kind::LSTM: recur(launch, bound, counters); break;
    case Kind::COPY: std::memmove(bound.out, bound.lhs, image_->tensor(launch.record.out, launch.name).bytes); break;
    case Kind::VECTOR: {
      Machine& machine = buffers_[0]->machine;
      machine.clear(*launch.program);
      machine.run(*launch.program, bound.windows, abi::VLMAX, &buffers_[0]->steps_left);
      break;
    }
  }
  for (const auto& worker : buffers_) counters.add(worker->machine.counters());
}

// Threads share what does not fail: groups are within the limits of their programs, not always within those of the run.
bool Context::may_share(const Group& group) const {
  uint64_t bytes = 0;
  for (const Group::Own& own : group.own) bytes += own.bytes;
  return group.spreads && buffers_.size() > 1 && group.words <= buffers_[0]->steps_left &&
         bytes <= memory_limit_ / buffers_.size();
}

void Context::take_turns(const Group& group, const Launch* launches, LaunchCounters* counters,
                         Clock::time_point start) {
  uint64_t& steps_left = buffers_[0]->steps_left;
  std::vector<Bound> bound;
  for (uint32_t i = 0; i < group.count; ++i) bound.push_back(bind(launches[i]));
  if (may_share(group)) {
    share_group(group, bound, image_->kernels(), workers_, machines_, buffers_, counters, start);
    steps_left -= group.words;
    return;
  }
  while (machines_.size() < group.count) machines_.push_back(std::make_unique<Machine>(image_->kernels()));
  for (uint32_t i = 0; i < group.count; ++i) {
    machines_[i]->counters() = {};
    machines_[i]->clear(*launches[i].program);
    machines_[i]->start(*launches[i].program, abi::VLMAX);
  }
  // Where the steps do not last, launches run whole, and stop where they would by themselves; one alone always does.
  const bool whole = group.words > steps_left || group.count == 1;
  for (uint32_t i = 0; i < (whole ? group.count : group.parts.size()); ++i) {
    const uint32_t launch = whole ? i : group.parts[i].launch;
    const auto before = Clock::now();
    machines_[launch]->advance(*launches[launch].program, bound[launch].windows,
                               whole ? TO_THE_END : group.parts[i].turns, &steps_left);
    LaunchCounters& own = counters[launch];
    if (!own.wall_ns) own.start_ns = nanoseconds(before - start);
    own.wall_ns += nanoseconds(Clock::now() - before);
  }
  for (uint32_t i = 0; i < group.count; ++i) counters[i].add(machines_[i]->counters());
}

}  // namespace tfmbs
