// Convolutions of integers by panels of output channels: an image becomes planes of words of four channels once, with
// padding around it, so that what lies under a tap of neighbouring windows are neighbouring words, and sums come out as
// planes.
#include <algorithm>
#include <cstring>

#include "chain.h"
#include "checks.h"
#include "conv.h"
#include "phases.h"

namespace tfmbs {
namespace {

constexpr uint64_t QUAD = 4;
// Pixels whose sums are finished together; those of a program that is interpreted fill its registers.
constexpr uint64_t FEW_PIXELS = 256, MANY_PIXELS = abi::VLMAX - 16;
// Channels of a unit of work.
constexpr uint64_t CHANNELS = 2 * QuadWindow::CHANNELS;
// Sums from one channel to the next: not so many that all meet in the same sets of a cache.
constexpr uint64_t COLUMN = abi::VLMAX + 16;
// Pixels are taken sixteen at a time.
constexpr uint64_t TOGETHER = 16;
// More positions of padded input for each of the input and the output are not worth their memory.
constexpr double MOST_POSITIONS = 8;

uint64_t up(uint64_t count, uint64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

// A window of a single tap at every pixel knows no lines.
abi::VolumeGeometry flat(abi::VolumeGeometry g) {
  if (g.kernel_depth != 1 || g.kernel_height != 1 || g.kernel_width != 1 || g.stride_depth != 1 ||
      g.stride_height != 1 || g.stride_width != 1 ||
      g.out_depth != g.in_depth || g.out_height != g.in_height || g.out_width != g.in_width ||
      g.pad_front || g.pad_top || g.pad_left || static_cast<double>(g.in_depth) * g.in_height * g.in_width > INT32_MAX)
    return g;
  g.in_width = g.out_width = g.in_depth * g.in_height * g.in_width;
  g.in_depth = g.in_height = g.out_depth = g.out_height = 1;
  return g;
}

// Where the words of an image lie.
struct QuadImage {
  explicit QuadImage(const abi::VolumeGeometry& geometry)
      : g(flat(geometry)), axes(g), in(g.in_channels / g.groups), quads((in + QUAD - 1) / QUAD) {}

  // Words from one plane to the next: whole cache lines, and an odd number of them, so that those of many planes do not
  // meet in the same sets of a cache.
  uint64_t plane() const {
    const uint64_t lines = static_cast<uint64_t>(axes.positions()) / TOGETHER + 1;
    return (lines | 1) * TOGETHER;
  }
  // Of all planes, with those that a chunk reads behind the last one, and what vectors of pixels read behind lines.
  uint64_t words() const {
    return (g.groups * quads + QuadWindow::STEPS - 1) * plane() + axes.width.size + 2 * TOGETHER;
  }

  const abi::VolumeGeometry g;
  const Phases axes;
  const uint64_t in, quads;  // of a group: input channels, and planes of four of them
};

class QuadConvolution {
 public:
  QuadConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        image_(bound.launch.volume),
        g_(image_.g),
        axes_(image_.axes),
        filter_(bound.launch.volume, bound.launch.words, engine.kernels),
        plane_(image_.plane()) {
    volume_in_ = axes_.depth.in * axes_.height.in * axes_.width.in;
    volume_ = axes_.depth.out * axes_.height.out * axes_.width.out;
    panels_ = (filter_.columns + CHANNELS - 1) / CHANNELS;
    find_blocks(bound.launch.program && !bound.launch.program->chain ? MANY_PIXELS : FEW_PIXELS);
    find_chunks();
  }

  uint64_t words() const { return image_.words(); }
  uint64_t spread_units() const { return g_.groups * image_.quads; }
  uint64_t units() const { return g_.groups * panels_ * axes_.depth.out * bands_ * parts_; }

  // The plane of four channels.
  void spread(uint64_t image, uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t group = unit / image_.quads, first = unit % image_.quads * QUAD;
    const int8_t* input =
        reinterpret_cast<const int8_t*>(bound_.lhs) + (image * g_.in_channels + group * image_.in + first) * volume_in_;
    // Channels that are missing may be anything: their weights are zero.
    const int8_t* channels[QUAD];
    for (uint64_t i = 0; i < QUAD; ++i) channels[i] = input + (first + i < image_.in ? i : 0) * volume_in_;
    uint32_t* const out = engine_.lhs.data() + unit * plane_;
    const PhasedAxis &z = axes_.depth, &y = axes_.height, &x = axes_.width;
    for (uint64_t zp = 0; zp < z.phases; ++zp)
      for (uint64_t i = 0; i < z.size; ++i)
        for (uint64_t yp = 0; yp < y.phases; ++yp)
          for (uint64_t xp = 0; xp < x.phases; ++xp)
            for (uint64_t j = 0; j < y.size; ++j) {
              uint32_t* const line = out + axes_.at(zp, i, yp, j, xp, 0);
              const Range deep = z.on(zp), down = y.on(yp);
              if (i < deep.first || i >= deep.end || j < down.first || j >= down.end) {
                fill(line, 0, x.size);
                continue;
              }
              const uint64_t row = (z.element(zp, i) * y.in + y.element(yp, j)) * x.in;
              spread_line(worker, channels, row, xp, line);
            }
  }

  // A block of pixels by a panel of output channels.
  void unit(uint64_t image, uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t blocks = axes_.depth.out * bands_ * parts_;
    // What is larger stays in the second cache longer.
    const bool by_panel = spread_units() * plane_ <= filter_.columns * filter_.depth;
    const uint64_t group = unit / (panels_ * blocks), rest = unit % (panels_ * blocks);
    const uint64_t block = by_panel ? rest % blocks : rest / panels_, panel = by_panel ? rest / blocks : rest % panels_;
    const uint64_t z = block / bands_ / parts_, band = block / parts_ % bands_, part = block % parts_;
    const uint64_t line = lines_ * band / bands_, lines = lines_ * (band + 1) / bands_ - line;
    const uint64_t x = cut(part), width = cut(part + 1) - x;
    const uint64_t channel = panel * CHANNELS, rows = std::min(CHANNELS, filter_.columns - channel);
    grow(worker.panel, CHANNELS * (COLUMN + 2));
    int32_t* const sums = reinterpret_cast<int32_t*>(worker.panel.data());
    int32_t* const starts = sums + CHANNELS * COLUMN;
    const uint64_t vector = filter_.vector(group, channel);
    for (uint64_t i = 0; i < rows; ++i)
      starts[i] = static_cast<int32_t>(start_of(filter_.words, g_.lhs_zero, weights_.sums[vector + i]));
    const uint64_t pixels = (lines - 1) * pitch_ + width;
    const uint32_t* first = engine_.lhs.data() + group * image_.quads * plane_ + axes_.at(0, z, 0, line, 0, x);
    QuadWindow window{first, plane_, chunks_.data(), chunks_.size(),
                      weights_.words.data() + filter_.first(group, channel), filter_.depth * QuadWindow::CHANNELS,
                      starts, rows, up(pixels, TOGETHER), sums, COLUMN};
    const uint64_t out = group * filter_.out + channel, count = std::min(rows, filter_.out - channel);
    const uint64_t element = (image * g_.out_channels + out) * volume_ + (z * lines_ + line) * axes_.width.out + x;
    ChainStep steps[Chain::MOST];
    const bool has_gaps = lines > 1 && width < pitch_;
    if (engine_.kernels.quads.narrow && !has_gaps &&
        requantize(bound_, worker, {out, count, count, count * pixels}, steps)) {
      float* const scales = reinterpret_cast<float*>(starts + CHANNELS);
      for (uint64_t i = 0; i < count; ++i) {
        starts[i] = static_cast<int32_t>(static_cast<uint32_t>(starts[i]) + steps[0].at[i * steps[0].apart]);
        scales[i] = float_of(steps[2].at[i * steps[2].apart]);
      }
      window.channels = count;
      window.pixels = pixels;
      window.stride = volume_;
      return engine_.kernels.quads.narrow(window, scales, steps[3], bound_.out + element);
    }
    engine_.kernels.quads.window(window);
    const uint32_t* finished = worker.panel.data();
    if (has_gaps) finished = without_gaps(worker, rows, lines, width);
    finish_chunks(engine_, bound_, worker, finished,
                  {element, static_cast<uint32_t>(out), 0, static_cast<uint32_t>(lines * width)},
                  {count, COLUMN, volume_, 1});
  }

  static uint64_t buffer_words() { return CHANNELS * (2 * COLUMN + 2); }

 private:
  // Blocks of whole lines, or of parts of one.
  void find_blocks(uint64_t most) {
    pitch_ = axes_.width.size;
    lines_ = axes_.height.out;
    const uint64_t together = std::max<uint64_t>(1, most / pitch_);
    bands_ = (lines_ + together - 1) / together;
    parts_ = together > 1 ? 1 : (axes_.width.out + most - 1) / most;
    part_ = up((axes_.width.out + parts_ - 1) / parts_, TOGETHER);
    parts_ = (axes_.width.out + part_ - 1) / part_;
  }
  uint64_t cut(uint64_t part) const { return std::min(axes_.width.out, part * part_); }

  void find_chunks() {
    const PhasedAxis &z = axes_.depth, &y = axes_.height, &x = axes_.width;
    for (uint64_t kz = 0; kz < g_.kernel_depth; ++kz)
      for (uint64_t ky = 0; ky < g_.kernel_height; ++ky)
        for (uint64_t kx = 0; kx < g_.kernel_width; ++kx) {
          const size_t tap = axes_.at(z.phase(kz), z.shift(kz), y.phase(ky), y.shift(ky), x.phase(kx), x.shift(kx));
          for (uint64_t quad = 0; quad < image_.quads; quad += QuadWindow::STEPS)
            chunks_.push_back({quad * plane_ + tap, std::min<size_t>(QuadWindow::STEPS, image_.quads - quad)});
        }
  }

  void fill(uint32_t* line, uint64_t first, uint64_t end) const {
    std::fill(line + first, line + end, static_cast<uint32_t>(g_.lhs_zero + 128) * 0x01010101u);
  }

  // A phase of the line that begins with element `row` of the channels.
  void spread_line(Worker& worker, const int8_t* const* channels, uint64_t row, uint64_t phase, uint32_t* line) const {
    const PhasedAxis& x = axes_.width;
    const Range across = x.on(phase);
    fill(line, 0, across.first);
    fill(line, std::max(across.first, across.end), x.size);
    if (across.first >= across.end) return;
    const uint64_t count = across.end - across.first;
    const int8_t* from[QUAD];
    for (uint64_t i = 0; i < QUAD; ++i) from[i] = channels[i] + row + x.element(phase, across.first);
    if (x.stride > 1) {
      grow(worker.accumulators, QUAD * count);
      int8_t* apart = reinterpret_cast<int8_t*>(worker.accumulators.data());
      for (uint64_t i = 0; i < QUAD; ++i, apart += count) {
        if (x.stride == 2)
          for (uint64_t j = 0; j < count; ++j) apart[j] = from[i][2 * j];
        else
          for (uint64_t j = 0; j < count; ++j) apart[j] = from[i][j * x.stride];
        from[i] = apart;
      }
    }
    engine_.kernels.quads.words(from, count, line + across.first);
  }

  // The sums of lines, one behind the other.
  const uint32_t* without_gaps(Worker& worker, uint64_t rows, uint64_t lines, uint64_t width) const {
    grow(worker.accumulators, CHANNELS * COLUMN);
    for (uint64_t row = 0; row < rows; ++row) {
      const uint32_t* from = worker.panel.data() + row * COLUMN;
      uint32_t* to = worker.accumulators.data() + row * COLUMN;
      // What is copied behind the end of a line, the next one replaces.
      for (uint64_t line = 0; line < lines; ++line, from += pitch_, to += width)
        for (uint64_t i = 0; i < width; i += TOGETHER) std::memcpy(to + i, from + i, TOGETHER * sizeof(uint32_t));
    }
    return worker.accumulators.data();
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const QuadImage image_;
  const abi::VolumeGeometry& g_;
  const Phases& axes_;
  const Filter filter_;
  const uint64_t plane_;
  std::vector<QuadWindow::Chunk> chunks_;
  uint64_t volume_in_, volume_, panels_, pitch_, lines_, bands_, parts_, part_;
};

}  // namespace

bool has_quads(const Engine&, const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  const auto volume = [](uint64_t depth, uint64_t height, uint64_t width) {
    return static_cast<double>(depth) * static_cast<double>(height) * static_cast<double>(width);
  };
  const double in = volume(g.in_depth, g.in_height, g.in_width);
  return Phases(g).positions() <= MOST_POSITIONS * (in + volume(g.out_depth, g.out_height, g.out_width));
}

uint64_t quads_buffer_bytes(const Launch& launch) {
  // Four channels of a line, or sums.
  return std::max(QuadConvolution::buffer_words() * sizeof(uint32_t),
                  product({QUAD, launch.volume.in_width, sizeof(uint32_t)}, launch.name));
}

uint64_t quads_lhs_bytes(const Launch& launch) {
  const QuadImage image(launch.volume);
  const uint64_t planes = uint64_t{launch.volume.groups} * image.quads + QuadWindow::STEPS;
  product({planes, image.plane(), sizeof(uint32_t)}, launch.name);
  return image.words() * sizeof(uint32_t);
}

void conv_by_quads(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const QuadConvolution convolution(engine, bound, weights);
  grow(engine.lhs, convolution.words());
  for (uint64_t image = 0; image < bound.launch.volume.batch; ++image) {
    engine.workers.spread(convolution.spread_units(),
                          [&](uint64_t unit, unsigned worker) { convolution.spread(image, unit, worker); });
    engine.workers.spread(convolution.units(),
                          [&](uint64_t unit, unsigned worker) { convolution.unit(image, unit, worker); });
  }
}

}  // namespace tfmbs
