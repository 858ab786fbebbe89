// Convolutions of f32 with few output channels per group, as depthwise ones: vectors go along the lines of the outputs,
// and read the input where it lies.
#include <algorithm>

#include "checks.h"
#include "conv.h"
#include "plane_chunks.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

// Most taps across a window, times vectors of a line, whose places are found once.
constexpr uint64_t MOST_BLOCKS = 4096;

class LineConvolution {
 public:
  LineConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(reinterpret_cast<const float*>(weights.words.data())),
        g_(bound.launch.volume),
        rows_(g_),
        filter_(g_, Words::F32, engine.kernels),
        chunks_(g_),
        blocks_(engine.buffers[0]->line_blocks),
        is_same_(engine.buffers[0]->same_lines) {
    blocks_.clear();
    is_same_.clear();
    volume_in_ = uint64_t{g_.in_depth} * g_.in_height * g_.in_width;
    find_blocks();
    for (uint64_t y = 0; y < g_.out_height; ++y) is_same_.push_back(y && rows_.rows(y) == rows_.rows(y - 1));
  }

  uint64_t units() const { return chunks_.batches(); }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    grow(worker.accumulators, PlaneChunks::most_words());
    worker.lines.resize(2 * filter_.in * g_.kernel_depth * g_.kernel_height);
    chunks_.batch(engine_, bound_, worker, unit, [&](uint64_t plane, uint64_t line, uint32_t* sums) {
      lines(worker, plane, line, reinterpret_cast<float*>(sums));
    });
  }

 private:
  // Which outputs of a vector each tap across reaches, and where.
  void find_blocks() {
    const unsigned lanes = engine_.kernels.lanes;
    for (uint64_t x = 0; x < g_.out_width; x += lanes)
      for (uint64_t kx = 0; kx < g_.kernel_width; ++kx) {
        const int64_t start = static_cast<int64_t>(x * g_.stride_width + kx * g_.dilation_width) - g_.pad_left;
        const uint64_t count = std::min<uint64_t>(lanes, g_.out_width - x);
        const Range hit = inside(start, g_.stride_width, g_.in_width, count);
        LineBlock block{static_cast<size_t>(start), 0, 0};
        for (uint64_t i = hit.first; i < hit.end; ++i) {
          block.valid |= uint32_t{1} << i;
          block.reads |= uint64_t{1} << i * g_.stride_width;
        }
        blocks_.push_back(block);
      }
  }

  // The lines of a chunk.
  void lines(Worker& worker, uint64_t plane, uint64_t first, float* sums) const {
    const uint64_t image = plane / g_.out_channels, channel = plane % g_.out_channels, group = channel / filter_.out;
    const float* input =
        reinterpret_cast<const float*>(bound_.lhs) + (image * g_.in_channels + group * filter_.in) * volume_in_;
    const float* weights = weights_ + filter_.word(group, channel % filter_.out, 0, 0);
    LineTaps taps{worker.lines.data(), nullptr, 0, g_.kernel_width, filter_.width, g_.stride_width, blocks_.data(),
                  uint64_t{g_.stride_height} * g_.in_width};
    const uint64_t end = first + chunks_.lines();
    for (uint64_t line = first; line < end;) {
      const uint64_t z = line / g_.out_height, y = line % g_.out_height, last = std::min(end, (z + 1) * g_.out_height);
      const Range deep = rows_.planes(z), down = rows_.rows(y);
      uint64_t count = 1;
      while (line + count < last && is_same_[line % g_.out_height + count]) ++count;
      find_taps(worker, deep, down, taps);
      const float* from = taps.count ? input + rows_.line(z, deep.first, y, down.first) : input;
      engine_.kernels.lines_f32(taps, count, from, weights, g_.out_width, sums);
      sums += count * g_.out_width;
      line += count;
    }
  }

  // Lines of the input under a line of outputs.
  void find_taps(Worker& worker, const Range& deep, const Range& down, LineTaps& taps) const {
    size_t* const lines = worker.lines.data();
    size_t* const weights = lines + worker.lines.size() / 2;
    taps.weights = weights;
    taps.count = 0;
    for (uint64_t from = 0; from < filter_.in; ++from)
      for (uint64_t kz = deep.first; kz < deep.end; ++kz)
        for (uint64_t ky = down.first; ky < down.end; ++ky) {
          lines[taps.count] = from * volume_in_ + ((kz - deep.first) * g_.dilation_depth * g_.in_height +
                                                   (ky - down.first) * g_.dilation_height) * g_.in_width;
          weights[taps.count++] = filter_.word(0, 0, from, (kz * g_.kernel_height + ky) * g_.kernel_width);
        }
  }

  const Engine& engine_;
  const Bound& bound_;
  const float* weights_;
  const abi::VolumeGeometry& g_;
  const WindowRows rows_;
  const Filter filter_;
  const PlaneChunks chunks_;
  std::vector<LineBlock>& blocks_;
  std::vector<bool>& is_same_;  // by line of a plane: it has the rows of taps of the line before
  uint64_t volume_in_;
};

}  // namespace

bool has_lines(const Engine& engine, const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  return g.stride_width <= 2 && PlaneChunks::fits(g) &&
         (g.out_width + engine.kernels.lanes - 1) / engine.kernels.lanes * g.kernel_width <= MOST_BLOCKS;
}

uint64_t lines_buffer_bytes(const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  const uint64_t taps = product({2, g.in_channels / g.groups, g.kernel_depth, g.kernel_height, sizeof(size_t)},
                                launch.name);
  return g.out_height + taps +
         PlaneChunks::most_words() * sizeof(uint32_t) + MOST_BLOCKS * sizeof(LineBlock);
}

void conv_by_lines(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const LineConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
