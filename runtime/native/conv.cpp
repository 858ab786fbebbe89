// CONV2D and CONV3D: blocks of output channels against panels of pixels, which are gathered tap by tap.
#include <algorithm>

#include "checks.h"
#include "launch.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

// Most output channels whose accumulators are kept at once, in whole tiles; pixels are gathered anew for each such
// block.
constexpr unsigned MAX_BLOCK_TILES = 32;

uint64_t channel_block(const Kernels& kernels, uint64_t channels) {
  return std::min<uint64_t>(channels, static_cast<uint64_t>(kernels.rows) * MAX_BLOCK_TILES);
}

// With so few output channels per group, as in depthwise convolutions, gathering pixels for tiles does not pay.
constexpr unsigned MOST_ROW_CHANNELS = 4;

// Steps of the reduction that a panel of pixels stays in the first cache for while the channels pass.
constexpr uint64_t MOST_STEPS = 256;

class Convolution {
 public:
  Convolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.volume),
        rows_(g_),
        words_(bound.launch.words) {
    taps_ = static_cast<uint64_t>(g_.kernel_depth) * g_.kernel_height * g_.kernel_width;
    volume_in_ = static_cast<uint64_t>(g_.in_depth) * g_.in_height * g_.in_width;
    in_channels_ = g_.in_channels / g_.groups;
    out_channels_ = g_.out_channels / g_.groups;
    k_ = depth_of(g_);
    depth_ = depth_of(k_, words_);
    block_ = channel_block(engine.kernels, out_channels_);
    volume_ = static_cast<uint64_t>(g_.out_depth) * g_.out_height * g_.out_width;
    chunks_ = (volume_ + abi::VLMAX - 1) / abi::VLMAX;
  }

  uint64_t units() const { return static_cast<uint64_t>(g_.batch) * g_.groups * chunks_; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const unsigned panel = engine_.kernels.panel;
    worker.accumulators.resize(block_ * abi::VLMAX);
    worker.panel.resize(depth_ * panel);
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
        worker.segments.find(g_, rows_, block.pixel + lane, std::min(panel, lanes - lane));
        gather(worker, input);
        multiply(worker, block, lane);
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
        if (words_ != Words::F32) {
          const uint64_t at_int = tap * in_channels_ + channel, step = step_of(words_);
          const int32_t weight = element_of(words_, weights_.words[first + at_int / step * width], at_int % step);
          engine_.kernels.tap_row_i8(reinterpret_cast<int32_t*>(sums) + lane,
                                     reinterpret_cast<const int8_t*>(bound_.lhs) + input + at, g_.stride_width,
                                     g_.lhs_zero, weight, count);
        } else {
          engine_.kernels.tap_row_f32(reinterpret_cast<float*>(sums) + lane,
                                      reinterpret_cast<const float*>(bound_.lhs) + input + at, g_.stride_width,
                                      float_of(weights_.words[first + (channel * taps_ + tap) * width]), count);
        }
      });
    }
  }

  void gather(Worker& worker, uint64_t input) const {
    const unsigned panel = engine_.kernels.panel;
    uint32_t* out = worker.panel.data();
    if (words_ == Words::F32) {
      const float* first = reinterpret_cast<const float*>(bound_.lhs) + input;
      gather_f32(worker.segments, {first, in_channels_, volume_in_}, panel, out);
      if (worker.segments.whole) return;
      // The tile leaves out what lies on padding.
      worker.valid.resize(k_);
      for (uint64_t k = 0; k < k_; ++k) worker.valid[k] = worker.segments.columns[k % taps_];
    } else {
      const int8_t* first = reinterpret_cast<const int8_t*>(bound_.lhs) + input;
      gather_int(worker.segments, {first, in_channels_, volume_in_}, words_, g_.lhs_zero, panel, depth_, out);
    }
  }

  void multiply(Worker& worker, const Block& block, uint32_t lane) const {
    const Kernels& kernels = engine_.kernels;
    for (uint64_t i = 0; i < block.channels; ++i) {
      const uint64_t channel = block.channel + i;
      const uint32_t start =
          words_ == Words::QUADS ? start_of(words_, g_.lhs_zero, weights_.sums[channel]) : 0;
      std::fill_n(worker.accumulators.data() + i * abi::VLMAX + lane, kernels.panel, start);
    }
    for (uint64_t k = 0; k < depth_; k += MOST_STEPS) {
      const uint64_t steps = std::min(MOST_STEPS, depth_ - k);
      const uint32_t* pixels = worker.panel.data() + k * kernels.panel;
      const uint32_t* valid = words_ == Words::F32 && !worker.segments.whole ? worker.valid.data() + k : nullptr;
      for (uint64_t i = 0; i < block.channels; i += kernels.rows) {
        const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(kernels.rows, block.channels - i));
        const uint32_t* tile = weights_.words.data() + (block.channel + i) * depth_ + k * rows;
        uint32_t* sums = worker.accumulators.data() + i * abi::VLMAX + lane;
        if (words_ == Words::F32)
          kernels.tile_f32(rows, steps, reinterpret_cast<const float*>(tile), reinterpret_cast<const float*>(pixels),
                           valid, reinterpret_cast<float*>(sums), abi::VLMAX);
        else
          kernels.integers.weights(rows, steps, tile, pixels, reinterpret_cast<int32_t*>(sums), abi::VLMAX);
      }
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry& g_;
  const WindowRows rows_;
  Words words_;
  uint64_t taps_, in_channels_, out_channels_, k_, depth_, block_, volume_in_, volume_, chunks_;
};

}  // namespace

uint64_t conv_buffer_bytes(const Engine& engine, const Launch& launch) {
  const uint64_t k = depth_of(launch.volume), channels = launch.volume.out_channels / launch.volume.groups;
  const uint64_t columns = product({depth_of(k, launch.words), engine.kernels.panel, sizeof(uint32_t)}, launch.name);
  return columns + product({k, sizeof(uint32_t)}, launch.name) +
         channel_block(engine.kernels, channels) * abi::VLMAX * sizeof(uint32_t);
}

void run_conv(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const Convolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
