// Convolutions of integers by panels of output channels: an image becomes planes of words of four channels once, with
// padding around it, so that what lies under a tap of neighbouring windows are neighbouring words, and sums come out as
// planes.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "chain.h"
#include "checks.h"
#include "conv.h"
#include "phases.h"
#include "plane_cut.h"

namespace tfmbs {
namespace {

constexpr uint64_t QUAD = 4;
// Pixels whose sums are finished together; those of a program that is interpreted fill its registers.
constexpr uint64_t FEW_PIXELS = 256, MANY_PIXELS = abi::VLMAX - 16;
// Channels of a unit of work at most, and units for each thread of which none waits long for the last one.
constexpr uint64_t CHANNELS = 2 * QuadWindow::CHANNELS, UNITS_OF_A_THREAD = 8;
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
    find_blocks(bound.launch.program && !bound.launch.program->chain ? MANY_PIXELS : FEW_PIXELS);
    find_panels();
    find_chunks();
  }

  uint64_t words() const { return image_.words(); }
  uint64_t spread_units() const { return spread_parts_ * spread_runs_; }
  uint64_t units() const { return g_.groups * panels_ * blocks(); }

  // A part of a run of planes.
  void spread(uint64_t image, uint64_t unit, unsigned index) const {
    const Range run = part_of(planes(), unit % spread_runs_, spread_runs_, 1);
    for (uint64_t plane = run.first; plane < run.end; ++plane)
      spread_plane(image, plane, unit / spread_runs_, *engine_.buffers[index]);
    // What goes past the caches has arrived when others are told of it.
    if (is_streamed_) std::atomic_thread_fence(std::memory_order_seq_cst);
  }

  // A part of the plane of four channels.
  void spread_plane(uint64_t image, uint64_t plane, uint64_t part, Worker& worker) const {
    const uint64_t group = plane / image_.quads, first = plane % image_.quads * QUAD;
    const int8_t* input =
        reinterpret_cast<const int8_t*>(bound_.lhs) + (image * g_.in_channels + group * image_.in + first) * volume_in_;
    // Channels that are missing may be anything: their weights are zero.
    const int8_t* channels[QUAD];
    for (uint64_t i = 0; i < QUAD; ++i) channels[i] = input + (first + i < image_.in ? i : 0) * volume_in_;
    uint32_t* const out = engine_.lhs.data() + plane * plane_;
    const PhasedAxis &z = axes_.depth, &y = axes_.height, &x = axes_.width;
    // Of a part: positions down and across.
    const Range rows = y.size > 1 ? part_of(y.size, part, spread_parts_, 1) : Range{0, 1};
    const Range columns = y.size > 1 ? Range{0, x.size} : part_of(x.size, part, spread_parts_, TOGETHER);
    for (uint64_t zp = 0; zp < z.phases; ++zp)
      for (uint64_t i = 0; i < z.size; ++i)
        for (uint64_t yp = 0; yp < y.phases; ++yp)
          for (uint64_t xp = 0; xp < x.phases; ++xp)
            for (uint64_t j = rows.first; j < rows.end; ++j) {
              uint32_t* const line = out + axes_.at(zp, i, yp, j, xp, 0);
              const Range deep = z.on(zp), down = y.on(yp);
              if (i < deep.first || i >= deep.end || j < down.first || j >= down.end) {
                fill(line, columns.first, columns.end);
                continue;
              }
              const uint64_t row = (z.element(zp, i) * y.in + y.element(yp, j)) * x.in;
              spread_line(worker, channels, row, xp, columns, line);
            }
  }

  // A block of pixels by a panel of output channels.
  void unit(uint64_t image, uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t group = unit / (panels_ * blocks()), rest = unit % (panels_ * blocks());
    const uint64_t block = by_panel_ ? rest % blocks() : rest / panels_;
    const uint64_t panel = by_panel_ ? rest / blocks() : rest % panels_;
    const uint64_t z = block / bands_ / parts_, band = block / parts_ % bands_, part = block % parts_;
    const uint64_t line = lines_ * band / bands_, lines = lines_ * (band + 1) / bands_ - line;
    const uint64_t x = cut(part), width = cut(part + 1) - x;
    const uint64_t channel = panel * channels_, rows = std::min(channels_, filter_.columns - channel);
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
    const uint64_t vectors = up(axes_.width.out, TOGETHER) / TOGETHER;
    parts_ = together > 1 ? 1 : (vectors + most / TOGETHER - 1) / (most / TOGETHER);
    if (bands_ > 1) bands_ = even_parts(volume_, bands_, lines_);
    else if (parts_ > 1) parts_ = even_parts(volume_, parts_, vectors);
  }
  uint64_t blocks() const { return axes_.depth.out * bands_ * parts_; }
  uint64_t cut(uint64_t part) const { return part_of(axes_.width.out, part, parts_, TOGETHER).first; }

  void find_panels() {
    const unsigned threads = engine_.workers.sharing();
    channels_ = CHANNELS;
    panels_ = (filter_.columns + channels_ - 1) / channels_;
    // Few units that threads cannot share evenly are halved, if those with one more are at most half of the threads:
    // else some thread has as much to do as before.
    const uint64_t units = g_.groups * panels_ * blocks(), more = units % threads;
    if (more && 2 * more <= threads && units < UNITS_OF_A_THREAD * threads) {
      channels_ = CHANNELS / 2;
      panels_ = (filter_.columns + channels_ - 1) / channels_;
    }
    // What is larger stays in the second cache longer.
    const uint64_t words = planes() * plane_;
    by_panel_ = words <= filter_.columns * filter_.depth && (threads == 1 || !is_cut_by_rows(volume_));
    // Who computes a part of the pixels spreads it.
    spread_parts_ = by_panel_ || g_.groups > 1 || blocks() < threads ? 1 : threads;
    // Planes that all threads read go past the caches, where each is one line without padding.
    const PhasedAxis& x = axes_.width;
    is_streamed_ = threads > 1 && spread_parts_ == 1 && axes_.positions() == static_cast<double>(x.size) &&
                   x.on(0) == Range{0, x.size};
    spread_runs_ = is_streamed_ ? std::min<uint64_t>(planes(), 4 * threads) : planes();
  }
  uint64_t planes() const { return g_.groups * image_.quads; }

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

  // Positions of a phase of the line that begins with element `row` of the channels.
  void spread_line(Worker& worker, const int8_t* const* channels, uint64_t row, uint64_t phase, const Range& positions,
                   uint32_t* line) const {
    const PhasedAxis& x = axes_.width;
    Range across = x.on(phase);
    across.first = std::clamp(across.first, positions.first, positions.end);
    across.end = std::clamp(across.end, across.first, positions.end);
    fill(line, positions.first, across.first);
    fill(line, across.end, positions.end);
    if (across.first == across.end) return;
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
    engine_.kernels.quads.words(from, count, line + across.first, is_streamed_);
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
  uint64_t volume_in_, volume_, channels_, panels_, pitch_, lines_, bands_, parts_, spread_parts_, spread_runs_;
  bool by_panel_, is_streamed_;
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
