// Convolutions of f32 with one input channel per group and small square windows, which slide down the planes.
#include <algorithm>

#include "checks.h"
#include "conv.h"
#include "cut.h"

namespace tfmbs {
namespace {

// Outputs of a part of a plane, which stay in the first cache with what lies under them, and of a unit of small planes.
constexpr uint64_t PART_OUTPUTS = 1 << 12, UNIT_OUTPUTS = 1 << 11;
// Lines of a part for each one that slides in above it and is dropped, at least: wide planes need a further cache.
constexpr uint64_t KEPT_LINES = 12;
// Accumulators that an epilogue may read behind the last ones.
constexpr uint64_t SLACK = 16;

// How planes are cut: one by lines, or several of them together.
struct SlideCut {
  explicit SlideCut(const abi::VolumeGeometry& g)
      : plane(uint64_t{g.out_height} * g.out_width),
        parts(std::min(ceil_div(plane, PART_OUTPUTS),
                       std::max<uint64_t>(1, g.out_height / (KEPT_LINES * dropped(g))))),
        planes(std::max<uint64_t>(1, std::min<uint64_t>(UNIT_OUTPUTS / plane, g.out_channels))),
        runs(ceil_div(g.out_channels, planes)),
        lines(ceil_div(g.out_height, parts)) {}

  static uint64_t dropped(const abi::VolumeGeometry& g) { return (g.kernel_height - 1) / g.stride_height; }

  uint64_t plane, parts, planes, runs;
  uint64_t lines;  // of a part at most
};

class SlideConvolution {
 public:
  SlideConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(reinterpret_cast<const float*>(weights.words.data())),
        g_(bound.launch.volume),
        filter_(g_, Words::F32, engine.kernels),
        cut_(g_),
        plane_in_(uint64_t{g_.in_height} * g_.in_width) {}

  uint64_t units() const { return g_.batch * cut_.runs * cut_.parts; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t part = unit % cut_.parts, run = unit / cut_.parts % cut_.runs, image = unit / cut_.parts / cut_.runs;
    const uint64_t channel = run * cut_.planes, count = std::min(cut_.planes, g_.out_channels - channel);
    const uint64_t line = g_.out_height * part / cut_.parts, lines = g_.out_height * (part + 1) / cut_.parts - line;
    const Part what{image, channel, count, line, lines};
    const uint64_t outputs = lines * g_.out_width, chunks = ceil_div(outputs, abi::VLMAX);
    const uint64_t element = (image * g_.out_channels + channel) * cut_.plane + line * g_.out_width;
    FloatEnds ends;
    if (find_ends(bound_, worker, {channel, count, count * chunks, count * outputs}, ends))
      return slide(what, ends, reinterpret_cast<float*>(bound_.out) + element, cut_.plane);
    grow(worker.accumulators, sums(cut_, g_));
    slide(what, ends, reinterpret_cast<float*>(worker.accumulators.data()), outputs);
    for (uint64_t first = 0; first < outputs; first += abi::VLMAX)
      finish_chunks(engine_, bound_, worker, worker.accumulators.data() + first,
                    {element + first, static_cast<uint32_t>(channel), 0,
                     static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, outputs - first))},
                    {count, outputs, cut_.plane, 1});
  }

  static uint64_t sums(const SlideCut& cut, const abi::VolumeGeometry& g) {
    return cut.planes * cut.lines * g.out_width + SLACK;
  }

 private:
  // Lines of planes that follow each other, the first of which is that of a channel of an image.
  struct Part {
    uint64_t image, channel, planes, line, lines;
  };

  // Planes of outputs whose groups have several are taken one by one.
  void slide(const Part& part, const FloatEnds& ends, float* out, uint64_t out_plane) const {
    const uint64_t together = filter_.out == 1 ? part.planes : 1;
    for (uint64_t i = 0; i < part.planes; i += together) {
      const uint64_t channel = part.channel + i, group = channel / filter_.out;
      const float* const in =
          reinterpret_cast<const float*>(bound_.lhs) + (part.image * g_.in_channels + group) * plane_in_;
      engine_.kernels.slide_f32(
          {g_.kernel_width, g_.stride_width, in, plane_in_, g_.in_height, g_.in_width, g_.pad_top, g_.pad_left,
           weights_ + filter_.word(group, channel % filter_.out, 0, 0), filter_.width, filter_.first(1, 0), together,
           part.line, part.lines, g_.out_width, out + i * out_plane, out_plane},
          {ends.bias + i * ends.apart, ends.apart, ends.low, ends.high});
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const float* weights_;
  const abi::VolumeGeometry& g_;
  const Filter filter_;
  const SlideCut cut_;
  const uint64_t plane_in_;
};

}  // namespace

bool has_slide(const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  return g.in_channels == g.groups && (g.kernel_width == 3 || g.kernel_width == 5) &&
         g.kernel_height == g.kernel_width && g.dilation_height == 1 && g.dilation_width == 1 &&
         (g.stride_width == 1 || g.stride_width == 2) && g.stride_height == g.stride_width && g.in_depth == 1 &&
         g.out_depth == 1 && g.kernel_depth == 1 && !g.pad_front && g.out_width <= PART_OUTPUTS;
}

uint64_t slide_buffer_bytes(const Launch& launch) {
  return SlideConvolution::sums(SlideCut(launch.volume), launch.volume) * sizeof(uint32_t);
}

void conv_by_slide(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const SlideConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
