// CONV2D and CONV3D: blocks of output channels against panels of pixels, which are gathered tap by tap.
#include <algorithm>
#include <cstring>

#include "checks.h"
#include "launch.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

constexpr unsigned MAX_PANEL = 32;  // columns whose taps fit the bits of one u32

// Most output channels whose accumulators are kept at once, in whole tiles; pixels are gathered anew for each such
// block.
constexpr unsigned MAX_BLOCK_TILES = 32;

uint64_t channel_block(const Kernels& kernels, uint64_t channels) {
  return std::min<uint64_t>(channels, static_cast<uint64_t>(kernels.rows) * MAX_BLOCK_TILES);
}

// With so few output channels per group, as in depthwise convolutions, gathering pixels for tiles does not pay.
constexpr unsigned MOST_ROW_CHANNELS = 4;

// The taps of up to MAX_PANEL pixels that follow each other in one output channel.
struct Pixels {
  unsigned count;
  int64_t plane[MAX_PANEL], row[MAX_PANEL], column[MAX_PANEL];  // input position of tap (0, 0); negative on padding
};

class Convolution {
 public:
  Convolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.volume),
        rows_(g_),
        integer_(bound.launch.integer) {
    taps_ = static_cast<uint64_t>(g_.kernel_depth) * g_.kernel_height * g_.kernel_width;
    volume_in_ = static_cast<uint64_t>(g_.in_depth) * g_.in_height * g_.in_width;
    in_channels_ = g_.in_channels / g_.groups;
    out_channels_ = g_.out_channels / g_.groups;
    k_ = depth_of(g_);
    depth_ = depth_of(k_, integer_);
    block_ = channel_block(engine.kernels, out_channels_);
    volume_ = static_cast<uint64_t>(g_.out_depth) * g_.out_height * g_.out_width;
    chunks_ = (volume_ + abi::VLMAX - 1) / abi::VLMAX;
  }

  uint64_t units() const { return static_cast<uint64_t>(g_.batch) * g_.groups * chunks_; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const unsigned panel = engine_.kernels.panel;
    worker.accumulators.resize(block_ * abi::VLMAX);
    if (integer_) worker.i16.resize(depth_ * panel);
    else worker.f32.resize(depth_ * panel);
    worker.valid.resize(k_);
    const uint64_t first = unit % chunks_ * abi::VLMAX, group = unit / chunks_ % g_.groups;
    const uint64_t image = unit / chunks_ / g_.groups;
    for (uint64_t channel = 0; channel < out_channels_; channel += block_) {
      const uint64_t channels = std::min(block_, out_channels_ - channel);
      block(worker, {image, group, group * out_channels_ + channel, channels, first});
    }
  }

 private:
  // Output channels of one group and one image, for one chunk of pixels.
  struct Block {
    uint64_t image, group, channel, channels, pixel;
  };

  void block(Worker& worker, const Block& block) const {
    const uint64_t input = (block.image * g_.in_channels + block.group * in_channels_) * volume_in_;
    const uint32_t lanes = static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, volume_ - block.pixel));
    const unsigned panel = engine_.kernels.panel;
    if (out_channels_ <= MOST_ROW_CHANNELS) {
      for (uint64_t i = 0; i < block.channels; ++i)
        by_rows(worker.accumulators.data() + i * abi::VLMAX, block, i, input, lanes);
    } else {
      for (uint32_t lane = 0; lane < lanes; lane += panel) {
        const Pixels pixels = positions_of(block.pixel + lane, std::min(panel, lanes - lane));
        const bool whole = integer_ ? gather_i16(worker, pixels, input) : gather_f32(worker, pixels, input);
        multiply(worker, block, lane, whole);
      }
    }
    for (uint64_t i = 0; i < block.channels; ++i) {
      const uint64_t channel = block.channel + i;
      const uint64_t element = (block.image * g_.out_channels + channel) * volume_ + block.pixel;
      finish_chunk(engine_, bound_, worker, worker.accumulators.data() + i * abi::VLMAX,
                   {element, static_cast<uint32_t>(channel), 0, lanes});
    }
  }

  // Output channel number i of the block, tap by tap along the rows of the outputs.
  void by_rows(uint32_t* sums, const Block& block, uint64_t i, uint64_t input, uint32_t lanes) const {
    // Weights are packed in tiles of channels: element k of channel j of a tile is at k * channels + j.
    const uint64_t tile = i - i % engine_.kernels.rows;
    const uint64_t width = std::min<uint64_t>(engine_.kernels.rows, block.channels - tile);
    const uint64_t first = (block.channel + tile) * depth_ + (i - tile);
    std::fill_n(sums, lanes, 0u);
    for (uint64_t channel = 0; channel < in_channels_; ++channel, input += volume_in_) {
      rows_.visit(block.pixel, lanes, [&](uint32_t lane, uint32_t count, uint64_t tap, uint64_t at) {
        const uint64_t k = channel * taps_ + tap;
        if (integer_) {
          const uint32_t pair = static_cast<uint32_t>(weights_.i16[first + k / 2 * width]);
          const int32_t weight = static_cast<int16_t>(k % 2 ? pair >> 16 : pair);
          engine_.kernels.tap_row_i8(reinterpret_cast<int32_t*>(sums) + lane,
                                     reinterpret_cast<const int8_t*>(bound_.lhs) + input + at, g_.stride_width,
                                     g_.lhs_zero, weight, count);
        } else {
          engine_.kernels.tap_row_f32(reinterpret_cast<float*>(sums) + lane,
                                      reinterpret_cast<const float*>(bound_.lhs) + input + at, g_.stride_width,
                                      weights_.f32[first + k * width], count);
        }
      });
    }
  }

  Pixels positions_of(uint64_t first, unsigned count) const {
    Pixels pixels;
    pixels.count = count;
    for (unsigned i = 0; i < count; ++i) {
      const uint64_t line = (first + i) / g_.out_width, x = (first + i) % g_.out_width;
      const uint64_t z = line / g_.out_height, y = line % g_.out_height;
      pixels.plane[i] = static_cast<int64_t>(z * g_.stride_depth) - g_.pad_front;
      pixels.row[i] = static_cast<int64_t>(y * g_.stride_height) - g_.pad_top;
      pixels.column[i] = static_cast<int64_t>(x * g_.stride_width) - g_.pad_left;
    }
    return pixels;
  }

  // Where the taps of some pixels lie in an input channel.
  struct Taps {
    uint32_t bits = 0;       // pixels whose tap is on the input
    bool is_run = true;      // all are, one after the other
    uint64_t at[MAX_PANEL];  // offset in the channel, where the bit is set
  };

  Taps taps_of(const Pixels& pixels, uint64_t tap) const {
    Taps taps;
    const uint64_t line = tap / g_.kernel_width;
    const int64_t deep = static_cast<int64_t>(line / g_.kernel_height) * g_.dilation_depth;
    const int64_t down = static_cast<int64_t>(line % g_.kernel_height) * g_.dilation_height;
    const int64_t right = static_cast<int64_t>(tap % g_.kernel_width) * g_.dilation_width;
    for (unsigned lane = 0; lane < pixels.count; ++lane) {
      const int64_t plane = pixels.plane[lane] + deep, row = pixels.row[lane] + down;
      const int64_t column = pixels.column[lane] + right;
      const bool inside = plane >= 0 && plane < g_.in_depth && row >= 0 && row < g_.in_height && column >= 0 &&
                          column < g_.in_width;
      taps.at[lane] =
          inside ? static_cast<uint64_t>((plane * g_.in_height + row) * g_.in_width + column) : 0;
      taps.bits |= static_cast<uint32_t>(inside) << lane;
      taps.is_run &= inside && taps.at[lane] == taps.at[0] + lane;
    }
    return taps;
  }

  // Calls visit(tap, where its pixels are) for every tap of the window; returns whether all are on the input.
  template <class Visit>
  bool each_tap(const Pixels& pixels, Visit visit) const {
    const uint32_t all = pixels.count == MAX_PANEL ? ~0u : (1u << pixels.count) - 1;
    bool whole = true;
    for (uint64_t tap = 0; tap < taps_; ++tap) {
      const Taps taps = taps_of(pixels, tap);
      visit(tap, taps);
      whole &= taps.bits == all;
    }
    return whole;
  }

  bool gather_f32(Worker& worker, const Pixels& pixels, uint64_t input) const {
    const unsigned panel = engine_.kernels.panel;
    return each_tap(pixels, [&](uint64_t tap, const Taps& taps) {
      const float* in = reinterpret_cast<const float*>(bound_.lhs) + input;
      for (uint64_t k = tap; k < k_; k += taps_, in += volume_in_) {
        float* columns = worker.f32.data() + k * panel;
        worker.valid[k] = taps.bits;
        if (taps.is_run) {
          std::memcpy(columns, in + taps.at[0], pixels.count * sizeof(float));
        } else {
          // The tile leaves out what lies on padding.
          for (unsigned lane = 0; lane < pixels.count; ++lane)
            columns[lane] = taps.bits >> lane & 1u ? in[taps.at[lane]] : 0.0f;
        }
      }
    });
  }

  bool gather_i16(Worker& worker, const Pixels& pixels, uint64_t input) const {
    const unsigned panel = engine_.kernels.panel;
    each_tap(pixels, [&](uint64_t tap, const Taps& taps) {
      const int8_t* in = reinterpret_cast<const int8_t*>(bound_.lhs) + input;
      for (uint64_t k = tap; k < k_; k += taps_, in += volume_in_) {
        int16_t* halves = reinterpret_cast<int16_t*>(worker.i16.data() + k / 2 * panel) + k % 2;
        for (unsigned lane = 0; lane < pixels.count; ++lane)
          halves[2 * lane] =
              taps.bits >> lane & 1u ? static_cast<int16_t>(in[taps.at[lane]] - g_.lhs_zero) : int16_t{0};
      }
    });
    return true;  // a tap on padding adds zero, which is exact
  }

  void multiply(Worker& worker, const Block& block, uint32_t lane, bool whole) const {
    const Kernels& kernels = engine_.kernels;
    for (uint64_t i = 0; i < block.channels; i += kernels.rows) {
      const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(kernels.rows, block.channels - i));
      const uint64_t at = (block.channel + i) * depth_;
      uint32_t* sums = worker.accumulators.data() + i * abi::VLMAX + lane;
      if (integer_)
        kernels.tile_i16(rows, depth_, weights_.i16.data() + at, worker.i16.data(), reinterpret_cast<int32_t*>(sums),
                         abi::VLMAX);
      else
        kernels.tile_f32(rows, depth_, weights_.f32.data() + at, worker.f32.data(),
                         whole ? nullptr : worker.valid.data(), reinterpret_cast<float*>(sums), abi::VLMAX);
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry& g_;
  const WindowRows rows_;
  bool integer_;
  uint64_t taps_, in_channels_, out_channels_, k_, depth_, block_, volume_in_, volume_, chunks_;
};

}  // namespace

uint64_t conv_buffer_bytes(const Engine& engine, const Launch& launch) {
  const uint64_t k = depth_of(launch.volume), channels = launch.volume.out_channels / launch.volume.groups;
  const uint64_t columns = product({depth_of(k, launch.integer), engine.kernels.panel, sizeof(float)}, launch.name);
  return columns + product({k, sizeof(uint32_t)}, launch.name) +
         channel_block(engine.kernels, channels) * abi::VLMAX * sizeof(uint32_t);
}

void run_conv(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const Convolution convolution(engine, bound, weights);
  engine.workers.run(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
