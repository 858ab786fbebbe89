// CONV2D: blocks of output channels against panels of pixels, which are gathered tap by tap.
#include <algorithm>
#include <cstring>

#include "launch.h"

namespace tfmbs {
namespace {

constexpr unsigned MAX_PANEL = 32;  // columns whose taps fit the bits of one u32

// The taps of up to MAX_PANEL pixels that follow each other in one output plane.
struct Pixels {
  unsigned count;
  int64_t row[MAX_PANEL], column[MAX_PANEL];  // input position of tap (0, 0); negative on padding
};

class Convolution {
 public:
  Convolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine), bound_(bound), weights_(weights), g_(bound.launch.window), integer_(bound.launch.integer) {
    taps_ = static_cast<uint64_t>(g_.kernel_height) * g_.kernel_width;
    in_channels_ = g_.in_channels / g_.groups;
    out_channels_ = g_.out_channels / g_.groups;
    k_ = in_channels_ * taps_;
    depth_ = integer_ ? pairs_of(k_) : k_;
    plane_ = static_cast<uint64_t>(g_.out_height) * g_.out_width;
    chunks_ = (plane_ + abi::VLMAX - 1) / abi::VLMAX;
  }

  uint64_t units() const { return static_cast<uint64_t>(g_.batch) * g_.groups * chunks_; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t first = unit % chunks_ * abi::VLMAX, group = unit / chunks_ % g_.groups;
    const uint64_t image = unit / chunks_ / g_.groups;
    const uint32_t lanes = static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, plane_ - first));
    worker.accumulators.resize(out_channels_ * abi::VLMAX);
    const unsigned panel = engine_.kernels.panel;
    if (integer_) worker.i16.resize(depth_ * panel);
    else worker.f32.resize(depth_ * panel);
    worker.valid.resize(k_);
    const uint64_t plane_in = static_cast<uint64_t>(g_.in_height) * g_.in_width;
    const uint64_t input = (image * g_.in_channels + group * in_channels_) * plane_in;
    for (uint32_t lane = 0; lane < lanes; lane += panel) {
      const Pixels pixels = positions_of(first + lane, std::min(panel, lanes - lane));
      const bool whole = integer_ ? gather_i16(worker, pixels, input) : gather_f32(worker, pixels, input);
      multiply(worker, group, lane, whole);
    }
    for (uint64_t channel = 0; channel < out_channels_; ++channel) {
      const uint32_t out = static_cast<uint32_t>(group * out_channels_ + channel);
      const uint64_t element = (image * g_.out_channels + out) * plane_ + first;
      finish_chunk(engine_, bound_, worker, worker.accumulators.data() + channel * abi::VLMAX, {element, out, 0, lanes});
    }
  }

 private:
  Pixels positions_of(uint64_t first, unsigned count) const {
    Pixels pixels;
    pixels.count = count;
    for (unsigned i = 0; i < count; ++i) {
      const uint64_t y = (first + i) / g_.out_width, x = (first + i) % g_.out_width;
      pixels.row[i] = static_cast<int64_t>(y * g_.stride_height) - g_.pad_top;
      pixels.column[i] = static_cast<int64_t>(x * g_.stride_width) - g_.pad_left;
    }
    return pixels;
  }

  // Calls visit(k, offset in the input channel's plane, lane) for every tap on the input, and returns whether all are.
  // mask(tap, bits) gets the lanes of each tap that are on the input.
  template <class Visit, class Mask>
  bool each_tap(const Pixels& pixels, Visit visit, Mask mask) const {
    bool whole = true;
    const uint32_t all = pixels.count == MAX_PANEL ? ~0u : (1u << pixels.count) - 1;
    const int64_t height = g_.in_height, width = g_.in_width;
    for (uint64_t tap = 0; tap < taps_; ++tap) {
      const int64_t down = static_cast<int64_t>(tap / g_.kernel_width) * g_.dilation_height;
      const int64_t right = static_cast<int64_t>(tap % g_.kernel_width) * g_.dilation_width;
      uint32_t bits = 0;
      for (unsigned lane = 0; lane < pixels.count; ++lane) {
        const int64_t row = pixels.row[lane] + down, column = pixels.column[lane] + right;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        bits |= 1u << lane;
        visit(tap, static_cast<uint64_t>(row * width + column), lane);
      }
      mask(tap, bits);
      whole &= bits == all;
    }
    return whole;
  }

  bool gather_f32(Worker& worker, const Pixels& pixels, uint64_t input) const {
    const unsigned panel = engine_.kernels.panel;
    const float* in = reinterpret_cast<const float*>(bound_.lhs) + input;
    const uint64_t plane = static_cast<uint64_t>(g_.in_height) * g_.in_width;
    float* columns = worker.f32.data();
    std::fill(worker.f32.begin(), worker.f32.end(), 0.0f);
    return each_tap(
        pixels,
        [&](uint64_t tap, uint64_t offset, unsigned lane) {
          for (uint64_t channel = 0; channel < in_channels_; ++channel)
            columns[(channel * taps_ + tap) * panel + lane] = in[channel * plane + offset];
        },
        [&](uint64_t tap, uint32_t bits) {
          for (uint64_t channel = 0; channel < in_channels_; ++channel) worker.valid[channel * taps_ + tap] = bits;
        });
  }

  bool gather_i16(Worker& worker, const Pixels& pixels, uint64_t input) const {
    const unsigned panel = engine_.kernels.panel;
    const int8_t* in = reinterpret_cast<const int8_t*>(bound_.lhs) + input;
    const uint64_t plane = static_cast<uint64_t>(g_.in_height) * g_.in_width;
    std::fill(worker.i16.begin(), worker.i16.end(), 0);
    int16_t* halves = reinterpret_cast<int16_t*>(worker.i16.data());
    each_tap(
        pixels,
        [&](uint64_t tap, uint64_t offset, unsigned lane) {
          for (uint64_t channel = 0; channel < in_channels_; ++channel) {
            const uint64_t k = channel * taps_ + tap;
            halves[(k / 2 * panel + lane) * 2 + k % 2] = static_cast<int16_t>(in[channel * plane + offset] - g_.lhs_zero);
          }
        },
        [](uint64_t, uint32_t) {});
    return true;  // a tap on padding adds zero, which is exact
  }

  void multiply(Worker& worker, uint64_t group, uint32_t lane, bool whole) const {
    const Kernels& kernels = engine_.kernels;
    for (uint64_t channel = 0; channel < out_channels_; channel += kernels.rows) {
      const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(kernels.rows, out_channels_ - channel));
      const uint64_t at = (group * out_channels_ + channel) * depth_;
      uint32_t* sums = worker.accumulators.data() + channel * abi::VLMAX + lane;
      if (integer_)
        kernels.tile_i16(rows, depth_, weights_.i16.data() + at, worker.i16.data(), reinterpret_cast<int32_t*>(sums),
                         abi::VLMAX);
      else
        kernels.tile_f32(rows, depth_, weights_.f32.data() + at, worker.f32.data(), whole ? nullptr : worker.valid.data(),
                         reinterpret_cast<float*>(sums), abi::VLMAX);
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::WindowGeometry& g_;
  bool integer_;
  uint64_t taps_, in_channels_, out_channels_, k_, depth_, plane_, chunks_;
};

}  // namespace

void run_conv(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const Convolution convolution(engine, bound, weights);
  engine.workers.run(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
