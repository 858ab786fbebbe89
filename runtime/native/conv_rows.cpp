// Convolutions with few output channels per group, as depthwise ones: tap by tap along the rows of the outputs.
#include <algorithm>

#include "conv.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

class RowConvolution {
 public:
  RowConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.volume),
        rows_(g_),
        filter_(g_, bound.launch.words, engine.kernels) {
    volume_in_ = static_cast<uint64_t>(g_.in_depth) * g_.in_height * g_.in_width;
    volume_ = static_cast<uint64_t>(g_.out_depth) * g_.out_height * g_.out_width;
    chunks_ = (volume_ + abi::VLMAX - 1) / abi::VLMAX;
  }

  uint64_t units() const { return static_cast<uint64_t>(g_.batch) * g_.out_channels * chunks_; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    grow(worker.accumulators, abi::VLMAX);
    const uint64_t first = unit % chunks_ * abi::VLMAX, plane = unit / chunks_;
    const uint32_t lanes = static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, volume_ - first));
    const uint64_t image = plane / g_.out_channels, channel = plane % g_.out_channels;
    sum(worker.accumulators.data(), image, channel, first, lanes);
    finish_chunk(engine_, bound_, worker, worker.accumulators.data(),
                 {plane * volume_ + first, static_cast<uint32_t>(channel), 0, lanes});
  }

 private:
  void sum(uint32_t* sums, uint64_t image, uint64_t channel, uint64_t first, uint32_t lanes) const {
    const uint64_t group = channel / filter_.out;
    uint64_t input = (image * g_.in_channels + group * filter_.in) * volume_in_;
    std::fill_n(sums, lanes, 0u);
    for (uint64_t from = 0; from < filter_.in; ++from, input += volume_in_) {
      rows_.visit(first, lanes, [&](uint32_t lane, uint32_t count, uint64_t tap, uint64_t at) {
        const uint32_t word = weights_.words[filter_.word(group, channel % filter_.out, from, tap)];
        if (filter_.words == Words::F32)
          engine_.kernels.tap_row_f32(reinterpret_cast<float*>(sums) + lane,
                                      reinterpret_cast<const float*>(bound_.lhs) + input + at, g_.stride_width,
                                      float_of(word), count);
        else
          engine_.kernels.tap_row_i8(reinterpret_cast<int32_t*>(sums) + lane,
                                     reinterpret_cast<const int8_t*>(bound_.lhs) + input + at, g_.stride_width,
                                     g_.lhs_zero, element_of(filter_.words, word, filter_.number(from)), count);
      });
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry& g_;
  const WindowRows rows_;
  const Filter filter_;
  uint64_t volume_in_, volume_, chunks_;
};

}  // namespace

uint64_t rows_buffer_bytes() { return abi::VLMAX * sizeof(uint32_t); }

void conv_by_rows(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const RowConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
