// Depthwise convolutions of f32 whose outputs are as wide as their input: lines of a plane follow each other as one, so
// that no vector ends with a line.
#include <algorithm>

#include "checks.h"
#include "conv.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

// Masks of a plane that stay in the first cache.
constexpr uint64_t MOST_MASKS = 1 << 13;
// Outputs of a unit of work, and planes, if there are as many.
constexpr uint64_t UNIT_OUTPUTS = 1 << 12, LEAST_PLANES = 4;
// Vectors end within so many outputs; what is behind the last one may be written.
constexpr uint64_t TOGETHER = 16;

uint64_t up(uint64_t count, uint64_t multiple) { return (count + multiple - 1) / multiple * multiple; }
uint64_t taps_of(const abi::VolumeGeometry& g) { return uint64_t{g.kernel_height} * g.kernel_width; }
uint64_t volume_of(const abi::VolumeGeometry& g) { return uint64_t{g.out_height} * g.out_width; }

class FlatConvolution {
 public:
  FlatConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(reinterpret_cast<const float*>(weights.words.data())),
        g_(bound.launch.volume),
        filter_(g_, Words::F32, engine.kernels),
        taps_(taps_of(g_)),
        volume_(volume_of(g_)),
        at_(engine.buffers[0]->lines),
        valid_(engine.buffers[0]->plane_masks) {
    parts_ = (volume_ + abi::VLMAX - 1) / abi::VLMAX;
    part_ = up((volume_ + parts_ - 1) / parts_, TOGETHER);
    parts_ = (volume_ + part_ - 1) / part_;
    planes_ = planes(g_);
    runs_ = (g_.groups + planes_ - 1) / planes_;
    find_taps();
  }

  // A part of a few planes.
  uint64_t units() const { return g_.batch * runs_ * parts_; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t channel = unit / parts_ % runs_ * planes_, image = unit / parts_ / runs_;
    const uint64_t count = std::min<uint64_t>(planes_, g_.groups - channel), plane = image * g_.groups + channel;
    const uint64_t size = uint64_t{g_.in_height} * g_.in_width, first = unit % parts_ * part_;
    const uint64_t lanes = std::min(part_, volume_ - first);
    grow(worker.accumulators, sums(g_));
    engine_.kernels.flat_f32({at_.data(), valid_.data() + first / engine_.kernels.lanes * (taps_ + 1), taps_,
                              reinterpret_cast<const float*>(bound_.lhs) + plane * size, first, size, count,
                              weights_ + filter_.first(channel, 0), filter_.width, filter_.first(1, 0),
                              reinterpret_cast<float*>(worker.accumulators.data()), stride(),
                              static_cast<uint32_t>(lanes)});
    finish_chunks(engine_, bound_, worker, worker.accumulators.data(),
                  {plane * volume_ + first, static_cast<uint32_t>(channel), 0, static_cast<uint32_t>(lanes)},
                  {count, stride(), volume_, 1});
  }

  static uint64_t planes(const abi::VolumeGeometry& g) {
    const uint64_t fit = UNIT_OUTPUTS / volume_of(g) / LEAST_PLANES * LEAST_PLANES;
    return std::min<uint64_t>(g.groups, std::max(LEAST_PLANES, fit));
  }
  // From the sums of a plane to those of the next.
  static constexpr uint64_t stride() { return abi::VLMAX + TOGETHER; }
  static uint64_t sums(const abi::VolumeGeometry& g) { return planes(g) * stride(); }
  static uint64_t masks(const Kernels& kernels, const abi::VolumeGeometry& g) {
    return (volume_of(g) + kernels.lanes - 1) / kernels.lanes * (taps_of(g) + 1);
  }

 private:
  // Where taps lie from an output, and for which outputs of a vector they lie on the input.
  void find_taps() {
    const uint64_t lanes = engine_.kernels.lanes, apart = taps_ + 1;
    const uint16_t all = static_cast<uint16_t>((uint32_t{1} << lanes) - 1);
    at_.clear();
    valid_.assign(masks(engine_.kernels, g_), 0);
    for (int64_t ky = 0; ky < g_.kernel_height; ++ky)
      for (int64_t kx = 0; kx < g_.kernel_width; ++kx) {
        const int64_t down = ky * g_.dilation_height - g_.pad_top, across = kx * g_.dilation_width - g_.pad_left;
        uint16_t* const valid = valid_.data() + 1 + at_.size();
        at_.push_back(static_cast<size_t>(down * g_.out_width + across));
        const Range rows = inside(down, 1, g_.in_height, g_.out_height);
        const Range columns = inside(across, 1, g_.in_width, g_.out_width);
        if (columns.first >= columns.end) continue;
        for (uint64_t y = rows.first; y < rows.end; ++y) {
          const uint64_t first = y * g_.out_width + columns.first, end = y * g_.out_width + columns.end;
          for (uint64_t vector = first / lanes; vector * lanes < end; ++vector) {
            const uint64_t skip = std::max(first, vector * lanes) - vector * lanes;
            const uint64_t behind = std::min(lanes, end - vector * lanes);
            valid[vector * apart] |= static_cast<uint16_t>((uint32_t{1} << behind) - (uint32_t{1} << skip));
          }
        }
      }
    for (uint16_t* vector = valid_.data(); vector < valid_.data() + valid_.size(); vector += apart)
      *vector = std::all_of(vector + 1, vector + apart, [&](uint16_t bits) { return bits == all; });
  }

  const Engine& engine_;
  const Bound& bound_;
  const float* weights_;
  const abi::VolumeGeometry& g_;
  const Filter filter_;
  const uint64_t taps_, volume_;
  std::vector<size_t>& at_;         // of the first worker, for all
  std::vector<uint16_t>& valid_;
  uint64_t part_, parts_, planes_, runs_;  // outputs of a part, and parts; planes of a unit, and runs of them
};

}  // namespace

bool has_flat(const Engine& engine, const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  return g.in_channels == g.groups && g.out_channels == g.groups && g.stride_height == 1 && g.stride_width == 1 &&
         g.out_width == g.in_width && g.in_depth == 1 && g.out_depth == 1 && g.kernel_depth == 1 && !g.pad_front &&
         static_cast<double>(g.out_height) * g.out_width * (static_cast<double>(taps_of(g)) + 1) <=
             static_cast<double>(MOST_MASKS) * engine.kernels.lanes;
}

uint64_t flat_buffer_bytes(const Engine& engine, const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  return FlatConvolution::sums(g) * sizeof(uint32_t) + taps_of(g) * sizeof(size_t) +
         FlatConvolution::masks(engine.kernels, g) * sizeof(uint16_t);
}

void conv_by_flat(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const FlatConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
