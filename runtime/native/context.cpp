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

constexpr uint64_t ALIGNMENT = 64;
constexpr size_t MOST_PREPARED = 8;  // entries of a context, those of other sizes among them

uint64_t within(uint64_t bytes, uint64_t limit) {
  if (bytes > limit)
    throw Error(
        "resource-limit", "emulator",
        std::to_string(bytes) + " bytes of scratch and state, at most " + std::to_string(limit) + " are granted");
  return bytes;
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

void LaunchCounters::count(const Launch& launch) {
  operations = launch.operations;
  active = launch.active_operations();
  if (launch.record.kind == Kind::POOL) operations = active = pool_taps(launch);
  if (launch.record.kind == Kind::ATTENTION) operations = active = operations_of(launch);
}

void LaunchCounters::add(const VectorCounters& done) {
  vector.words += done.words;
  vector.lane_ops += done.lane_ops;
  vector.real_lane_ops += done.real_lane_ops;
  vector.loads += done.loads;
  vector.stores += done.stores;
}

void Arena::clear() { std::memset(data_, 0, size_); }

Context::Context(std::shared_ptr<const Image> image, unsigned threads, uint64_t step_limit, uint64_t operation_limit,
                 uint64_t memory_limit)
    : image_(std::move(image)),
      scratch_(within(image_->scratch_bytes(), memory_limit)),
      state_(within(image_->state_bytes(), memory_limit - image_->scratch_bytes())),
      known_(state_.data(), state_.size()),
      workers_(threads),
      step_limit_(step_limit),
      operation_limit_(operation_limit),
      memory_limit_(memory_limit) {
  for (unsigned i = 0; i < threads; ++i) buffers_.push_back(std::make_unique<Worker>(image_->kernels()));
}

void Context::reset() {
  const Busy busy(busy_);
  state_.clear();
  known_.clear();
}

std::vector<LaunchCounters> Context::counters() {
  const Busy busy(busy_);
  return counters_;
}

void Context::run(std::shared_ptr<const Image> image, uint32_t entry, const std::vector<Buffer>& inputs,
                  const std::vector<Buffer>& outputs) {
  const Busy busy(busy_);
  const FloatEnvironment environment;
  Prepared& own = prepared(std::move(image), entry);
  own.bindings->bind(inputs, outputs);
  operations_left_ = operation_limit_;
  for (const auto& worker : buffers_) worker->steps_left = step_limit_;
  const std::vector<Bound>& launches = own.bindings->launches();
  counters_.assign(launches.size(), {});
  const Workers::Awake awake(workers_);
  const auto start = Clock::now();
  auto before = start;
  auto group = own.plan->groups.begin();
  for (size_t i = 0; i < launches.size();) {
    const bool is_group = group != own.plan->groups.end() && group->first == i;
    if (check_) check(own, i, is_group ? group->count : 1);
    if (is_group) {
      take_turns(*group, &launches[i], &counters_[i], start);
      i += group++->count;
      before = Clock::now();
      continue;
    }
    execute(launches[i], counters_[i]);
    const auto after = Clock::now();
    counters_[i].start_ns = nanoseconds(before - start);
    counters_[i].wall_ns = nanoseconds(after - before);
    before = after;
    ++i;
  }
}

Context::Prepared& Context::prepared(std::shared_ptr<const Image> image, uint32_t entry) {
  const auto found = std::find_if(prepared_.begin(), prepared_.end(), [&](const Prepared& one) {
    return one.image == image && one.entry == entry;
  });
  if (found != prepared_.end()) {
    std::rotate(found, found + 1, prepared_.end());
    return prepared_.back();
  }
  if (image->state_bytes() > state_.size() || image->scratch_bytes() > scratch_.size() ||
      image->choice() != image_->choice() || image->weights().data != image_->weights().data)
    throw Error("device", "emulator", "the image is none of this context's");
  const Plan& plan = image->plan(entry);
  auto bindings = std::make_unique<Bindings>(*image, image->entries()[entry], Buffer{scratch_.data(), scratch_.size()},
                                             Buffer{state_.data(), state_.size()}, known_);
  for (const Bound& bound : bindings->launches()) check_memory(bound);
  if (prepared_.size() == MOST_PREPARED) prepared_.erase(prepared_.begin());
  const size_t count = bindings->launches().size();
  prepared_.push_back({std::move(image), entry, &plan, std::move(bindings), std::vector<bool>(count)});
  return prepared_.back();
}

void Context::check(Prepared& own, size_t first, size_t count) {
  for (size_t i = first; i < first + count; ++i) {
    if (own.is_checked[i]) continue;
    const std::vector<uint32_t>& constants = own.bindings->launches()[i].constants;
    if (!constants.empty()) check_(constants);
    own.is_checked[i] = true;
  }
}

Engine Context::engine(const Launch& launch) {
  return {*launch.kernels, workers_, buffers_, lhs_, recurrence_, known_};
}

// Throws Error where the buffers of a launch take more than is granted.
void Context::check_memory(const Bound& bound) {
  const Launch& launch = bound.launch;
  const Engine engine = this->engine(launch);
  const auto all = [&](uint64_t own) { return product({own, buffers_.size()}, launch.name); };
  uint64_t left = memory_limit_;
  const auto take = [&](uint64_t bytes) {
    if (bytes > left) throw Error("resource-limit", launch.name, "its buffers take more memory than is granted");
    left -= bytes;
  };
  switch (launch.record.kind) {
    case Kind::GEMM:
    case Kind::GEMV:
      take(all(gemm_buffer_bytes(engine, launch)));
      take(gemm_lhs_bytes(engine, launch));
      if (!launch.constant) take(image_->packed_size(launch));
      return;
    case Kind::CONV2D:
    case Kind::CONV3D:
      take(all(conv_buffer_bytes(engine, launch)));
      take(conv_lhs_bytes(engine, launch));
      if (!launch.constant) take(image_->packed_size(launch));
      return;
    case Kind::GROUP_GEMM:
      take(all(groups_buffer_bytes(engine, launch)));
      take(groups_lhs_bytes(engine, bound));
      return;
    case Kind::ATTENTION: take(all(attention_buffer_bytes(engine, launch))); return;
    case Kind::LSTM: {
      const auto packed = [&](const abi::GemmGeometry& g) {
        return packed_bytes(g, Words::F32, engine.kernels.panel, launch.name);
      };
      take(lstm_bytes(engine, launch));
      if (!launch.weights) take(packed(product_of_inputs(launch.lstm)));
      if (!launch.recurrent) take(packed(product_of_states(launch.lstm)));
      return;
    }
    default: return;
  }
}

void Context::multiply(const Engine& engine, const Bound& bound) {
  const Launch& launch = bound.launch;
  const bool conv = convolves(launch.record.kind);
  if (!launch.constant) {
    Vectors rhs;
    if (launch.integer) rhs.i8 = reinterpret_cast<const int8_t*>(bound.rhs);
    else rhs.f32 = reinterpret_cast<const float*>(bound.rhs);
    if (conv) {
      rhs_[0] = pack_conv(launch.volume, rhs, launch.words, engine.kernels, std::move(rhs_[0]));
    } else {
      const GemmPacking packing(launch.gemm, rhs, launch.words, engine.kernels.panel, rhs_[0]);
      workers_.spread(packing.blocks(), [&](uint64_t block, unsigned) { packing.pack(block); });
    }
  }
  (conv ? run_conv : run_gemm)(engine, bound, launch.constant ? launch.weights->get().packed : rhs_[0]);
}

void Context::recur(const Engine& engine, const Bound& bound) {
  const Launch& launch = bound.launch;
  const PackedWeights* weights[2] = {launch.weights ? &launch.weights->get().packed : nullptr,
                                     launch.recurrent ? &launch.recurrent->get().packed : nullptr};
  const abi::GemmGeometry products[2] = {product_of_inputs(launch.lstm), product_of_states(launch.lstm)};
  const uint8_t* const data[2] = {bound.rhs, bound.further[0]};
  for (unsigned i = 0; i < 2; ++i) {
    if (weights[i]) continue;
    Vectors rhs;
    rhs.f32 = reinterpret_cast<const float*>(data[i]);
    const GemmPacking packing(products[i], rhs, Words::F32, engine.kernels.panel, rhs_[i]);
    workers_.spread(packing.blocks(), [&](uint64_t block, unsigned) { packing.pack(block); });
    weights[i] = &rhs_[i];
  }
  run_lstm(engine, bound, *weights[0], *weights[1]);
}

void Context::execute(const Bound& bound, LaunchCounters& counters) {
  const Launch& launch = bound.launch;
  if (bound.operations > operations_left_)
    throw Error("resource-limit", launch.name, "the run takes more operations than are granted");
  operations_left_ -= bound.operations;
  const Engine engine = this->engine(launch);
  workers_.stay_alone(bound.is_small);
  for (const auto& worker : buffers_) worker->machine.counters() = {};
  counters.count(launch);
  for (const Buffer& stored : bound.stored) known_.forget(stored.data, stored.data + stored.size);
  switch (launch.record.kind) {
    case Kind::GEMM:
    case Kind::GEMV:
    case Kind::CONV2D:
    case Kind::CONV3D: multiply(engine, bound); break;
    case Kind::POOL: run_pool(engine, bound); break;
    case Kind::ATTENTION: run_attention(engine, bound); break;
    case Kind::GROUP_GEMM: run_groups(engine, bound, launch.weights->get().packed); break;
    case Kind::LSTM: recur(engine, bound); break;
    case Kind::COPY: std::memmove(bound.out, bound.lhs, bound.out_bytes); break;
    case Kind::VECTOR: {
      if (run_stream(engine, bound)) break;
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

void Context::take_turns(const Group& group, const Bound* bound, LaunchCounters* counters, Clock::time_point start) {
  uint64_t& steps_left = buffers_[0]->steps_left;
  if (may_share(group)) {
    workers_.stay_alone(false);
    share_group(group, bound, image_->kernels(), workers_, machines_, buffers_, counters, start);
    steps_left -= group.words;
    return;
  }
  while (machines_.size() < group.count) machines_.push_back(std::make_unique<Machine>(image_->kernels()));
  for (uint32_t i = 0; i < group.count; ++i) {
    machines_[i]->counters() = {};
    machines_[i]->clear(*bound[i].launch.program);
    machines_[i]->start(*bound[i].launch.program, abi::VLMAX);
  }
  // Where the steps do not last, launches run whole, and stop where they would by themselves; one alone always does.
  const bool whole = group.words > steps_left || group.count == 1;
  for (size_t i = 0; i < (whole ? group.count : group.parts.size()); ++i) {
    const uint32_t launch = whole ? static_cast<uint32_t>(i) : group.parts[i].launch;
    const auto before = Clock::now();
    machines_[launch]->advance(*bound[launch].launch.program, bound[launch].windows,
                               whole ? TO_THE_END : group.parts[i].turns, &steps_left);
    LaunchCounters& own = counters[launch];
    if (!own.wall_ns) own.start_ns = nanoseconds(before - start);
    own.wall_ns += nanoseconds(Clock::now() - before);
  }
  for (uint32_t i = 0; i < group.count; ++i) counters[i].add(machines_[i]->counters());
}

}  // namespace tfmbs
