// POOL: maximum or average of a sliding window, each channel by itself.
#include <algorithm>
#include <cstring>
#include <limits>

#include "launch.h"

namespace tfmbs {
namespace {

using abi::PoolMode;

// Taps of a window along one axis: those on the input, and how many count for a padded average.
struct Span {
  int64_t first;     // input position of the first tap on the input
  uint64_t count;    // taps on the input
  uint64_t counted;  // taps on the input and its declared padding
};

Span span_of(int64_t start, uint64_t kernel, uint64_t dilation, uint64_t in, uint64_t pad_after) {
  const int64_t step = static_cast<int64_t>(dilation);
  const auto before = [&](uint64_t end) {  // taps below position `end`
    const int64_t room = static_cast<int64_t>(end) - start;
    return room <= 0 ? uint64_t{0} : std::min<uint64_t>(kernel, static_cast<uint64_t>((room + step - 1) / step));
  };
  const uint64_t skipped =
      start >= 0 ? 0 : std::min<uint64_t>(kernel, static_cast<uint64_t>((-start + step - 1) / step));
  const uint64_t inside = before(in);
  return {start + static_cast<int64_t>(skipped) * step, inside > skipped ? inside - skipped : 0,
          before(in + pad_after)};
}

float canonical(float x) {
  constexpr uint32_t NAN_BITS = 0x7fc00000u;
  if (x == x) return x;
  std::memcpy(&x, &NAN_BITS, sizeof x);
  return x;
}

float maximum(float a, float b) {
  if (!(a == a)) return a;
  if (a == 0.0f && b == 0.0f) return a + b;  // -0 only when both are
  return a > b ? a : b;
}

template <class T>
uint32_t lane_of(T value) {
  uint32_t lane;
  std::memcpy(&lane, &value, sizeof lane);
  return lane;
}

class Pool {
 public:
  explicit Pool(const Bound& bound) : g_(bound.launch.window), bound_(bound) {}

  uint32_t f32(uint64_t channel, const Span& y, const Span& x) const {
    const float* in = reinterpret_cast<const float*>(bound_.lhs) + channel * g_.in_height * g_.in_width;
    const bool max = g_.mode == PoolMode::MAX;
    float value = max ? -std::numeric_limits<float>::infinity() : 0.0f;
    each(y, x, [&](uint64_t at) { value = max ? maximum(value, in[at]) : value + in[at]; });
    if (!max) {
      const bool padded = g_.mode == PoolMode::AVG_PADDED;
      value /= static_cast<float>(padded ? y.counted * x.counted : y.count * x.count);
    }
    return lane_of(canonical(value));
  }

  // Taps on the input of all windows.
  uint64_t taps() const {
    uint64_t down = 0, across = 0;
    for (uint64_t y = 0; y < g_.out_height; ++y) down += rows(y).count;
    for (uint64_t x = 0; x < g_.out_width; ++x) across += columns(x).count;
    return down * across * g_.batch * g_.out_channels;
  }

  uint32_t i8(uint64_t channel, const Span& y, const Span& x) const {
    const int8_t* in = reinterpret_cast<const int8_t*>(bound_.lhs) + channel * g_.in_height * g_.in_width;
    int32_t value = std::numeric_limits<int8_t>::min();
    each(y, x, [&](uint64_t at) { value = std::max<int32_t>(value, in[at]); });
    return lane_of(value);
  }

  Span rows(uint64_t y) const {
    return span_of(static_cast<int64_t>(y * g_.stride_height) - g_.pad_top, g_.kernel_height, g_.dilation_height,
                   g_.in_height, g_.pad_bottom);
  }

  Span columns(uint64_t x) const {
    return span_of(static_cast<int64_t>(x * g_.stride_width) - g_.pad_left, g_.kernel_width, g_.dilation_width,
                   g_.in_width, g_.pad_right);
  }

 private:
  template <class Visit>
  void each(const Span& y, const Span& x, Visit visit) const {
    for (uint64_t i = 0; i < y.count; ++i) {
      const uint64_t row = (static_cast<uint64_t>(y.first) + i * g_.dilation_height) * g_.in_width;
      for (uint64_t j = 0; j < x.count; ++j) visit(row + static_cast<uint64_t>(x.first) + j * g_.dilation_width);
    }
  }

  const abi::WindowGeometry& g_;
  const Bound& bound_;
};

}  // namespace

uint64_t pool_taps(const Bound& bound) { return Pool(bound).taps(); }

void run_pool(const Engine& engine, const Bound& bound) {
  const abi::WindowGeometry& g = bound.launch.window;
  const uint64_t plane = static_cast<uint64_t>(g.out_height) * g.out_width;
  const uint64_t chunks = (plane + abi::VLMAX - 1) / abi::VLMAX;
  const Pool pool(bound);
  engine.workers.run(static_cast<uint64_t>(g.batch) * g.out_channels * chunks, [&](uint64_t unit, unsigned index) {
    Worker& worker = *engine.buffers[index];
    const uint64_t channel = unit / chunks, first = unit % chunks * abi::VLMAX;
    const uint32_t lanes = static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, plane - first));
    worker.accumulators.resize(abi::VLMAX);
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      const Span y = pool.rows((first + lane) / g.out_width), x = pool.columns((first + lane) % g.out_width);
      worker.accumulators[lane] = bound.launch.integer ? pool.i8(channel, y, x) : pool.f32(channel, y, x);
    }
    const uint32_t out_channel = static_cast<uint32_t>(channel % g.out_channels);
    finish_chunk(engine, bound, worker, worker.accumulators.data(), {channel * plane + first, out_channel, 0, lanes});
  });
}

}  // namespace tfmbs
