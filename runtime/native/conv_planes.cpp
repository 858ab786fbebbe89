// Convolutions of f32: blocks of output channels against panels of pixels, which are gathered tap by tap.
#include <algorithm>

#include "checks.h"
#include "conv.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

// Most output channels whose accumulators are kept at once, in whole tiles; pixels are gathered anew for each such
// block.
constexpr unsigned MAX_BLOCK_TILES = 32;

uint64_t channel_block(const Kernels& kernels, uint64_t channels) {
  return std::min<uint64_t>(channels, static_cast<uint64_t>(kernels.rows) * MAX_BLOCK_TILES);
}

// Steps of the reduction that a panel of pixels stays in the first cache for while the channels pass.
constexpr uint64_t MOST_STEPS = 256;

class PlaneConvolution {
 public:
  PlaneConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.volume),
        rows_(g_),
        filter_(g_, Words::F32, engine.kernels) {
    volume_in_ = static_cast<uint64_t>(g_.in_depth) * g_.in_height * g_.in_width;
    block_ = channel_block(engine.kernels, filter_.out);
    volume_ = static_cast<uint64_t>(g_.out_depth) * g_.out_height * g_.out_width;
    chunks_ = (volume_ + abi::VLMAX - 1) / abi::VLMAX;
  }

  uint64_t units() const { return static_cast<uint64_t>(g_.batch) * g_.groups * chunks_; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    grow(worker.accumulators, block_ * abi::VLMAX);
    grow(worker.panel, filter_.depth * engine_.kernels.panel);
    const uint64_t first = unit % chunks_ * abi::VLMAX, group = unit / chunks_ % g_.groups;
    const uint64_t image = unit / chunks_ / g_.groups;
    for (uint64_t channel = 0; channel < filter_.out; channel += block_)
      block(worker, {image, group, channel, std::min(block_, filter_.out - channel), first});
  }

 private:
  // Output channels of one group and one image, for one chunk of pixels.
  struct Block {
    uint64_t image, group, channel, channels, pixel;
  };

  void block(Worker& worker, const Block& block) const {
    const uint64_t input = (block.image * g_.in_channels + block.group * filter_.in) * volume_in_;
    const uint32_t lanes = static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, volume_ - block.pixel));
    const unsigned panel = engine_.kernels.panel;
    for (uint32_t lane = 0; lane < lanes; lane += panel) {
      worker.segments.find(g_, rows_, block.pixel + lane, std::min(panel, lanes - lane));
      gather(worker, input);
      multiply(worker, block, lane);
    }
    const uint64_t channel = block.group * filter_.out + block.channel;
    const uint64_t element = (block.image * g_.out_channels + channel) * volume_ + block.pixel;
    finish_chunks(engine_, bound_, worker, worker.accumulators.data(),
                  {element, static_cast<uint32_t>(channel), 0, lanes}, {block.channels, abi::VLMAX, volume_, 1});
  }

  void gather(Worker& worker, uint64_t input) const {
    const float* first = reinterpret_cast<const float*>(bound_.lhs) + input;
    gather_f32(worker.segments, {first, filter_.in, volume_in_}, engine_.kernels.panel, worker.panel.data());
    if (worker.segments.whole) return;
    // The tile leaves out what lies on padding.
    worker.valid.resize(filter_.depth);
    for (uint64_t k = 0; k < filter_.depth; ++k) worker.valid[k] = worker.segments.columns[k % filter_.taps];
  }

  void multiply(Worker& worker, const Block& block, uint32_t lane) const {
    const Kernels& kernels = engine_.kernels;
    for (uint64_t i = 0; i < block.channels; ++i)
      std::fill_n(worker.accumulators.data() + i * abi::VLMAX + lane, kernels.panel, 0u);
    for (uint64_t k = 0; k < filter_.depth; k += MOST_STEPS) {
      const uint64_t steps = std::min(MOST_STEPS, filter_.depth - k);
      const uint32_t* pixels = worker.panel.data() + k * kernels.panel;
      const uint32_t* valid = worker.segments.whole ? nullptr : worker.valid.data() + k;
      for (uint64_t i = 0; i < block.channels; i += kernels.rows) {
        const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(kernels.rows, block.channels - i));
        const uint32_t* tile = weights_.words.data() + filter_.first(block.group, block.channel + i) + k * rows;
        uint32_t* sums = worker.accumulators.data() + i * abi::VLMAX + lane;
        kernels.tile_f32(rows, steps, reinterpret_cast<const float*>(tile), reinterpret_cast<const float*>(pixels),
                         valid, reinterpret_cast<float*>(sums), abi::VLMAX);
      }
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry& g_;
  const WindowRows rows_;
  const Filter filter_;
  uint64_t block_, volume_in_, volume_, chunks_;
};

}  // namespace

uint64_t planes_buffer_bytes(const Engine& engine, const Launch& launch) {
  const uint64_t k = depth_of(launch.volume), channels = launch.volume.out_channels / launch.volume.groups;
  const uint64_t columns = product({k, engine.kernels.panel, sizeof(uint32_t)}, launch.name);
  return columns + product({k, sizeof(uint32_t)}, launch.name) +
         channel_block(engine.kernels, channels) * abi::VLMAX * sizeof(uint32_t);
}

void conv_by_planes(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const PlaneConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
