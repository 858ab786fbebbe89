// Convolutions of integers: the channels of an image become words of its pixels once, with padding around them, so that
// the words under a window are runs of them; tiles of pixels meet panels of output channels there.
#include <algorithm>

#include "axes.h"
#include "checks.h"
#include "conv.h"
#include "plane_cut.h"

namespace tfmbs {
namespace {

// Pixels whose sums are finished together; those of a program that is interpreted fill its registers.
constexpr uint64_t FEW_PIXELS = 128;
// Pixels of a line that are spread as one unit of work.
constexpr uint64_t SPREAD_PIXELS = 512;
// More positions of padded input for each of the input and the output are not worth their memory.
constexpr double MOST_POSITIONS = 8;

// Of what lies between windows of a single tap, nothing is read.
void skip(Axis& axis, uint64_t kernel) {
  if (kernel != 1) return;
  axis.step = axis.stride;
  axis.size = axis.out;
  axis.stride = 1;
}

Axes axes_of(const abi::VolumeGeometry& g) {
  Axes axes(g);
  skip(axes.depth, g.kernel_depth);
  skip(axes.height, g.kernel_height);
  skip(axes.width, g.kernel_width);
  const auto same = [](const Axis& axis) { return axis.size == axis.in && axis.step == 1 && axis.pad == 0; };
  const bool single = g.kernel_depth == 1 && g.kernel_height == 1 && g.kernel_width == 1;
  if (!single || !same(axes.depth) || !same(axes.height) || !same(axes.width)) return axes;
  // Every pixel by itself: a single line.
  const uint64_t all = axes.lines() * axes.width.size;
  axes.depth = axes.height = Axis();
  axes.width = Axis(all, all, 1, 1, 1, 0);
  return axes;
}

// Columns are taken sixteen at a time, which reach beyond the last panel where panels are narrower.
constexpr unsigned SQUARE = 16;
// Elements from one column to the next: not so many that all meet in the same sets of a cache.
constexpr uint64_t COLUMN = abi::VLMAX + 16;
uint64_t buffer_words(uint64_t width) { return (abi::VLMAX + 3) * width + SQUARE; }

class PixelConvolution {
 public:
  PixelConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.volume),
        filter_(g_, bound.launch.words, engine.kernels),
        axes_(axes_of(g_)) {
    volume_in_ = static_cast<uint64_t>(g_.in_depth) * g_.in_height * g_.in_width;
    volume_ = static_cast<uint64_t>(g_.out_depth) * g_.out_height * g_.out_width;
    line_ = axes_.width.size * filter_.tap_words;
    lines_ = axes_.lines();
    parts_ = (axes_.width.size + SPREAD_PIXELS - 1) / SPREAD_PIXELS;
    const uint64_t most = bound.launch.program && !bound.launch.program->chain ? abi::VLMAX : FEW_PIXELS;
    const uint64_t blocks = (volume_ + most - 1) / most, rows = engine.kernels.rows;
    block_ = std::min<uint64_t>(most, (volume_ + blocks - 1) / blocks + rows - 1);
    block_ = block_ < rows ? block_ : block_ / rows * rows;
    blocks_ = (volume_ + block_ - 1) / block_;
    panels_ = filter_.columns / filter_.width;
    find_runs();
  }

  uint64_t words() const { return g_.groups * lines_ * line_; }
  uint64_t spread_units() const { return g_.groups * lines_ * parts_; }
  uint64_t units() const { return g_.groups * panels_ * blocks_; }

  // A part of a line of the padded image.
  void spread(uint64_t image, uint64_t unit) const {
    const Axis& x = axes_.width;
    const uint64_t part = unit % parts_, line = unit / parts_ % lines_, group = unit / parts_ / lines_;
    const uint64_t first = part * SPREAD_PIXELS, end = std::min(x.size, first + SPREAD_PIXELS);
    uint32_t* out = engine_.lhs.data() + (group * lines_ + line) * line_;
    const uint64_t z = line / axes_.height.size, y = line % axes_.height.size;
    uint64_t low = end, high = end;
    if (axes_.depth.on(z) && axes_.height.on(y)) {
      low = std::clamp(x.first(), first, end);
      high = std::clamp(x.end(), low, end);
    }
    fill(out, first, low);
    fill(out, high, end);
    if (low == high) return;
    const int8_t* input = reinterpret_cast<const int8_t*>(bound_.lhs);
    const uint64_t from = (image * g_.in_channels + group * filter_.in) * volume_in_ +
                          ((z * axes_.depth.step - axes_.depth.pad) * axes_.height.in +
                           (y * axes_.height.step - axes_.height.pad)) * x.in +
                          (low * x.step - x.pad);
    const int8_t* all = input + uint64_t{g_.batch} * g_.in_channels * volume_in_;
    engine_.kernels.integers.spread({input + from, all, volume_in_, filter_.in, x.step, high - low, g_.lhs_zero,
                                     filter_.tap_words}, out + low * filter_.tap_words);
  }

  // A block of pixels by a panel of output channels.
  void unit(uint64_t image, uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const Kernels& kernels = engine_.kernels;
    const bool by_panel = is_by_panel();
    const uint64_t group = unit / (panels_ * blocks_), rest = unit % (panels_ * blocks_);
    const uint64_t panel = by_panel ? rest / blocks_ : rest % panels_;
    const uint64_t first = (by_panel ? rest % blocks_ : rest / panels_) * block_;
    const uint32_t pixels = static_cast<uint32_t>(std::min(block_, volume_ - first));
    const uint64_t channel = panel * filter_.width;
    const unsigned columns = static_cast<unsigned>(std::min(filter_.width, filter_.out - channel));
    find_pixels(worker, group, first, pixels);
    const uint64_t width = filter_.width;
    grow(worker.panel, buffer_words(width));
    int32_t* const sums = reinterpret_cast<int32_t*>(worker.panel.data());
    int32_t* const start = sums + (abi::VLMAX + 2) * width;
    const uint64_t vector = filter_.vector(group, channel);
    for (uint64_t i = 0; i < width; ++i)
      start[i] = filter_.words == Words::QUADS
                     ? static_cast<int32_t>(start_of(filter_.words, g_.lhs_zero, weights_.sums[vector + i]))
                     : 0;
    const uint32_t* b = weights_.words.data() + filter_.first(group, channel);
    const Runs runs{runs_.data(), runs_.size(), run_words_};
    const uint32_t tiles = (pixels + kernels.rows - 1) / kernels.rows;
    for (uint32_t tile = 0; tile < tiles; ++tile) {
      const uint32_t at = static_cast<uint32_t>(uint64_t{pixels} * tile / tiles);
      const uint32_t end = static_cast<uint32_t>(uint64_t{pixels} * (tile + 1) / tiles);
      kernels.integers.window(end - at, columns, runs, worker.pixels.data() + at, b, start, sums + at * width);
    }
    finish(worker, {image, group * filter_.out + channel, first, pixels}, columns);
  }

 private:
  // Pixels of an output channel.
  struct Block {
    uint64_t image, channel, first;
    uint32_t pixels;
  };

  // What is larger stays in the second cache longer, unless threads cut planes by rows.
  bool is_by_panel() const {
    return lines_ * line_ <= filter_.columns * filter_.depth &&
           (engine_.workers.sharing() == 1 || !is_cut_by_rows(volume_));
  }

  void fill(uint32_t* line, uint64_t first, uint64_t end) const {
    const uint32_t zero =
        filter_.words == Words::QUADS ? static_cast<uint32_t>(g_.lhs_zero + 128) * 0x01010101u : 0u;
    std::fill(line + first * filter_.tap_words, line + end * filter_.tap_words, zero);
  }

  void find_runs() {
    const bool adjacent = axes_.width.dilation == 1;
    const uint64_t across = adjacent ? 1 : g_.kernel_width;
    run_words_ = filter_.tap_words * (adjacent ? g_.kernel_width : 1);
    for (uint64_t z = 0; z < g_.kernel_depth; ++z)
      for (uint64_t y = 0; y < g_.kernel_height; ++y)
        for (uint64_t x = 0; x < across; ++x)
          runs_.push_back((z * axes_.depth.dilation * axes_.height.size + y * axes_.height.dilation) * line_ +
                          x * axes_.width.dilation * filter_.tap_words);
  }

  void find_pixels(Worker& worker, uint64_t group, uint64_t first, uint32_t pixels) const {
    const Axis &x = axes_.width, &y = axes_.height, &z = axes_.depth;
    worker.pixels.resize(pixels);
    const uint32_t* image = engine_.lhs.data() + group * lines_ * line_;
    uint64_t column = first % x.out, row = first / x.out % y.out, plane = first / x.out / y.out;
    for (uint32_t i = 0; i < pixels; ++i) {
      worker.pixels[i] = image + (plane * z.stride * y.size + row * y.stride) * line_ +
                         column * x.stride * filter_.tap_words;
      if (++column < x.out) continue;
      column = 0;
      if (++row < y.out) continue;
      row = 0;
      ++plane;
    }
  }

  void finish(Worker& worker, const Block& block, unsigned columns) const {
    grow(worker.accumulators, SQUARE * COLUMN);
    const uint8_t* sums = reinterpret_cast<const uint8_t*>(worker.panel.data());
    for (unsigned column = 0; column < columns; column += SQUARE) {
      engine_.kernels.columns(worker.accumulators.data(), COLUMN, sums, column, static_cast<int64_t>(filter_.width),
                              block.pixels);
      const uint64_t channel = block.channel + column;
      const uint64_t element = (block.image * g_.out_channels + channel) * volume_ + block.first;
      finish_chunks(engine_, bound_, worker, worker.accumulators.data(),
                    {element, static_cast<uint32_t>(channel), 0, block.pixels},
                    {std::min(SQUARE, columns - column), COLUMN, volume_, 1});
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry& g_;
  const Filter filter_;
  const Axes axes_;
  std::vector<size_t> runs_;
  uint64_t run_words_, volume_in_, volume_, line_, lines_, parts_, block_, blocks_, panels_;
};

}  // namespace

bool has_pixels(const Engine&, const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  const auto volume = [](uint64_t depth, uint64_t height, uint64_t width) {
    return static_cast<double>(depth) * static_cast<double>(height) * static_cast<double>(width);
  };
  return axes_of(g).positions() <=
         MOST_POSITIONS * (volume(g.in_depth, g.in_height, g.in_width) +
                           volume(g.out_depth, g.out_height, g.out_width));
}

uint64_t pixels_buffer_bytes(const Engine& engine, const Launch&) {
  const uint64_t words = buffer_words(engine.kernels.panel) +
                         uint64_t{SQUARE} * COLUMN;
  return words * sizeof(uint32_t) + abi::VLMAX * sizeof(uint32_t*);
}

uint64_t pixels_lhs_bytes(const Engine& engine, const Launch& launch) {
  const Axes axes = axes_of(launch.volume);
  const Filter filter(launch.volume, launch.words, engine.kernels);
  return product({launch.volume.groups, axes.depth.size, axes.height.size, axes.width.size, filter.tap_words,
                  sizeof(uint32_t)}, launch.name);
}

void conv_by_pixels(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const PixelConvolution convolution(engine, bound, weights);
  grow(engine.lhs, convolution.words());
  for (uint64_t image = 0; image < bound.launch.volume.batch; ++image) {
    engine.workers.spread(convolution.spread_units(),
                          [&](uint64_t unit, unsigned) { convolution.spread(image, unit); });
    engine.workers.spread(convolution.units(),
                       [&](uint64_t unit, unsigned worker) { convolution.unit(image, unit, worker); });
  }
}

}  // namespace tfmbs
