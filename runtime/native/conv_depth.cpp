// Convolutions of integers with few channels per group, as depthwise ones, or few input channels: planes are padded
// once, their rows follow each other as one line, and words of a few taps each meet the weights along it.
#include <algorithm>
#include <cstring>

#include "axes.h"
#include "chain.h"
#include "checks.h"
#include "conv.h"
#include "short_rows.h"

namespace tfmbs {
namespace {

// Bytes of the padded rows of a group that stay in the first cache, and those that are worth it at all.
constexpr double FEW_BYTES = 1 << 14, MOST_BYTES = 1 << 18;
// Outputs of a unit of work, if a group has fewer.
constexpr uint64_t UNIT_OUTPUTS = 1 << 11;
// Sums are moved so many at a time.
constexpr uint64_t MOVED = 16;
constexpr uint64_t LINES_APART = 64;

uint64_t up(uint64_t count, uint64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

// How outputs, and the padded rows under them, are cut. Rows that are `stride` apart follow each other, so that what is
// under neighbouring rows of outputs lies one row apart.
struct DepthCuts {
  DepthCuts(const abi::VolumeGeometry& g, unsigned bytes)
      : axes(g), in(g.in_channels / g.groups), step(bytes * axes.width.stride) {
    const Axis& x = axes.width;
    // What pads the end of a row also pads the beginning of the next one.
    row = up((x.size - std::min(x.first(), x.size - x.end())) * bytes, step);
    pitch = row / step;
    together = std::max<uint64_t>(1, abi::VLMAX / x.out);
    const double line = planes(g) * static_cast<double>(row) * static_cast<double>(axes.height.stride);
    const double all = static_cast<double>(axes.height.out);
    const uint64_t most = static_cast<uint64_t>(std::clamp(FEW_BYTES / line, 1.0, all));
    band = most > together ? most / together * together : most;
    bands = (axes.height.out + band - 1) / band;
    const uint64_t volume = axes.height.out * x.out;
    groups = volume > UNIT_OUTPUTS ? 1 : std::min<uint64_t>(g.groups, UNIT_OUTPUTS / volume);
    if (bands > 1 || axes.depth.out > 1) groups = 1;
  }

  // Of a band: rows that are one `stride` from the next, padded rows of a plane, and bytes of it.
  uint64_t rows() const {
    const Axis& y = axes.height;
    return (y.size - (y.out - 1) * y.stride - 1) / y.stride + band;
  }
  uint64_t padded() const { return rows() * axes.height.stride; }
  uint64_t plane() const { return padded() * row; }
  double bytes(const abi::VolumeGeometry& g) const {
    return static_cast<double>(groups) * planes(g) * static_cast<double>(padded()) * static_cast<double>(row);
  }
  // Under an output of a group.
  double planes(const abi::VolumeGeometry& g) const { return static_cast<double>(in) * g.kernel_depth; }
  // Outputs on a line, with those between its rows, and results from one channel to the next.
  uint64_t outputs(uint64_t lines) const { return (lines - 1) * pitch + axes.width.out; }
  uint64_t apart() const { return up(outputs(std::min(together, band)), RowFns::TOGETHER) + LINES_APART; }
  uint64_t slack() const { return RowFns::TOGETHER * sizeof(uint32_t) + RowFns::READ_BEHIND + row; }

  const Axes axes;
  const uint64_t in, step;  // input channels of a group, bytes from one output to the next
  uint64_t row, pitch;      // bytes of a padded row, outputs from one row to the next
  uint64_t together;        // rows of outputs that are finished together
  uint64_t band, bands;     // rows of a unit of work, and how many units a plane has
  uint64_t groups;          // of a unit of work
};

class DepthConvolution {
 public:
  DepthConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.volume),
        filter_(g_, bound.launch.words, engine.kernels),
        fns_(engine.kernels.integers.rows),
        cuts_(g_, fns_.bytes),
        axes_(cuts_.axes),
        plane_(cuts_.plane()),
        words_(words(g_, fns_.bytes)),
        sums_(sums(g_, fns_.bytes)) {
    volume_in_ = axes_.depth.in * axes_.height.in * axes_.width.in;
    volume_ = axes_.depth.out * axes_.height.out * axes_.width.out;
    runs_ = (g_.groups + cuts_.groups - 1) / cuts_.groups;
    find_taps();
  }

  // A band of rows of a few groups of an image.
  uint64_t units() const { return uint64_t{g_.batch} * runs_ * axes_.depth.out * cuts_.bands; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t line = unit % cuts_.bands * cuts_.band, z = unit / cuts_.bands % axes_.depth.out;
    const uint64_t rest = unit / cuts_.bands / axes_.depth.out, run = rest % runs_, image = rest / runs_;
    const Part part{image, run * cuts_.groups, std::min(cuts_.groups, g_.groups - run * cuts_.groups), z, line,
                    std::min(cuts_.band, axes_.height.out - line)};
    pad(worker, part);
    worker.taps.resize(part.groups * filter_.out * (offsets_.size() + 1));
    find_weights(worker.taps.data(), part);
    ChainStep steps[Chain::MOST];
    const uint64_t channels = part.groups * filter_.out, channel = part.group * filter_.out;
    const uint64_t pieces = (part.lines + cuts_.together - 1) / cuts_.together;
    const bool narrow = fns_.narrow && requantize(bound_, worker, {channel, channels, pieces * channels,
                                                                   channels * part.lines * axes_.width.out}, steps);
    for (uint64_t done = 0; done < part.lines; done += cuts_.together)
      lines(worker, part, done, std::min(cuts_.together, part.lines - done), narrow ? steps : nullptr);
  }

  static bool fits(const Engine& engine, const Launch& launch) {
    const abi::VolumeGeometry& g = launch.volume;
    const unsigned bytes = engine.kernels.integers.rows.bytes;
    const uint64_t step = uint64_t{bytes} * g.stride_width;
    if (step != 1 && step != 2 && step != 4) return false;
    if (g.out_width > abi::VLMAX || Axes(g).positions() > MOST_POSITIONS) return false;
    return DepthCuts(g, bytes).bytes(g) <= MOST_BYTES;
  }

  static uint64_t words(const abi::VolumeGeometry& g, unsigned bytes) {
    const DepthCuts cuts(g, bytes);
    return (static_cast<uint64_t>(cuts.bytes(g)) + cuts.slack()) / sizeof(uint32_t) + 1;
  }
  static uint64_t sums(const abi::VolumeGeometry& g, unsigned bytes) {
    const DepthCuts cuts(g, bytes);
    return cuts.groups * (g.out_channels / g.groups) * cuts.apart() + MOVED;
  }

 private:
  // Positions of a padded volume whose sizes fit the arithmetic here.
  static constexpr double MOST_POSITIONS = 1e15;

  // Rows of outputs of a plane of a few groups.
  struct Part {
    uint64_t image, group, groups, z, line, lines;
  };
  // Taps of a word: where their weights lie in those of a channel, and their bits in the words there.
  struct Taps {
    uint64_t first;
    unsigned count, shift;
  };

  // Where words of taps lie, from the first byte under a window: along a row where taps are neighbours, else each by
  // itself.
  void find_taps() {
    const Axis &y = axes_.height, &x = axes_.width;
    const uint64_t together = x.dilation == 1 ? sizeof(uint32_t) / fns_.bytes : 1;
    for (uint64_t from = 0; from < filter_.in; ++from)
      for (uint64_t kz = 0; kz < g_.kernel_depth; ++kz)
        for (uint64_t ky = 0; ky < g_.kernel_height; ++ky)
          for (uint64_t kx = 0; kx < g_.kernel_width; kx += together) {
            const uint64_t down = ky * y.dilation, row = down % y.stride * cuts_.rows() + down / y.stride;
            offsets_.push_back((from * g_.kernel_depth + kz) * plane_ + row * cuts_.row + kx * x.dilation * fns_.bytes);
            taps_.push_back({filter_.word(0, 0, from, (kz * g_.kernel_height + ky) * g_.kernel_width + kx),
                             static_cast<unsigned>(std::min(together, g_.kernel_width - kx)),
                             8 * fns_.bytes * filter_.number(from)});
          }
  }

  // The words of each channel, then the starts of all.
  void find_weights(uint32_t* out, const Part& part) const {
    const unsigned bits = 8 * fns_.bytes;
    const uint32_t mask = (uint32_t{1} << bits) - 1;
    const uint64_t tap = filter_.tap_words * filter_.width;
    uint32_t* starts = out + part.groups * filter_.out * taps_.size();
    for (uint64_t group = part.group; group < part.group + part.groups; ++group)
      for (uint64_t channel = 0; channel < filter_.out; ++channel) {
        // Few channels are one block.
        const uint32_t* const weights = weights_.words.data() + (filter_.padded ? filter_.word(group, channel, 0, 0)
                                                                               : filter_.first(group, 0) + channel);
        for (const Taps& taps : taps_) {
          const uint32_t* from = weights + taps.first;
          uint32_t word = from[0] >> taps.shift & mask;
#pragma GCC unroll 4
          for (unsigned i = 1; i < sizeof word; ++i)
            if (i < taps.count) word |= (from[i * tap] >> taps.shift & mask) << bits * i;
          *out++ = word;
        }
        *starts++ = filter_.words == Words::QUADS
                        ? start_of(filter_.words, g_.lhs_zero, weights_.sums[filter_.vector(group, channel)])
                        : 0;
      }
  }

  // The padded rows under a part.
  void pad(Worker& worker, const Part& part) const {
    const Axis &x = axes_.width, &y = axes_.height, &z = axes_.depth;
    const uint64_t planes = part.groups * filter_.in * g_.kernel_depth;
    grow(worker.panel, words_);
    uint8_t* const out = reinterpret_cast<uint8_t*>(worker.panel.data());
    std::memset(out, fns_.bytes == 1 ? g_.lhs_zero + 128 : 0, planes * plane_ + cuts_.row);
    if (x.first() >= x.end()) return;
    const int8_t* input = reinterpret_cast<const int8_t*>(bound_.lhs) +
                          (part.image * g_.in_channels + part.group * filter_.in) * volume_in_;
    const uint64_t top = part.line * y.stride, end = std::min(y.end(), top + (part.lines - 1) * y.stride + reach());
    for (uint64_t kz = 0; kz < g_.kernel_depth; ++kz) {
      const uint64_t deep = part.z * z.stride + kz * z.dilation;
      if (!z.on(deep)) continue;
      const int8_t* from = input + (deep - z.pad) * y.in * x.in + (x.first() - x.pad);
      for (uint64_t phase = 0; phase < y.stride; ++phase) {
        // The first row of this phase that lies on the input.
        uint64_t first = top + phase;
        if (first < y.first()) first += up(y.first() - first, y.stride);
        if (first >= end) continue;
        const uint64_t row = phase * cuts_.rows() + (first - top) / y.stride;
        fns_.pad({from + (first - y.pad) * x.in, x.in * y.stride, (end - first + y.stride - 1) / y.stride,
                  x.end() - x.first(), g_.lhs_zero,
                  out + kz * plane_ + row * cuts_.row + x.first() * fns_.bytes, cuts_.row,
                  part.groups * filter_.in, volume_in_, g_.kernel_depth * plane_});
      }
    }
  }

  // Padded rows under a row of outputs.
  uint64_t reach() const { return axes_.height.size - (axes_.height.out - 1) * axes_.height.stride; }

  // `count` rows of outputs from row `first` of a part on; steps of its requantization, or nullptr.
  void lines(Worker& worker, const Part& part, uint64_t first, uint64_t count, const ChainStep* steps) const {
    const uint64_t width = axes_.width.out, apart = cuts_.apart(), size = offsets_.size();
    const uint64_t channels = part.groups * filter_.out;
    const uint8_t* padded = reinterpret_cast<const uint8_t*>(worker.panel.data()) + first * cuts_.row;
    const int32_t* starts = reinterpret_cast<const int32_t*>(worker.taps.data() + channels * size);
    const uint64_t plane = (part.image * g_.out_channels + part.group * filter_.out) * axes_.depth.out + part.z;
    const uint64_t element = (plane * axes_.height.out + part.line + first) * width;
    grow(worker.accumulators, 2 * sums_);
    uint32_t* const results = worker.accumulators.data();
    const WindowWords words{padded, filter_.in * g_.kernel_depth * plane_, offsets_.data(), worker.taps.data(), size,
                            static_cast<unsigned>(cuts_.step), part.groups, filter_.out,
                            static_cast<uint32_t>(cuts_.outputs(count)), starts};
    if (steps) {
      uint8_t* const bytes = reinterpret_cast<uint8_t*>(results);
      fns_.narrow(words, steps, bytes, apart);
      for (uint64_t i = 0; i < channels; ++i)
        copy_rows(bytes + i * apart, cuts_.pitch, count, width, bound_.out + element + i * volume_, width);
      return;
    }
    fns_.window(words, reinterpret_cast<int32_t*>(results), apart);
    const uint32_t* finished = cuts_.pitch == width ? results : without_gaps(results, channels, count);
    finish_chunks(engine_, bound_, worker, finished,
                  {element, static_cast<uint32_t>(part.group * filter_.out), 0, static_cast<uint32_t>(count * width)},
                  {channels, apart, volume_, 1});
  }

  // The sums of rows, one behind the other.
  const uint32_t* without_gaps(uint32_t* from, uint64_t channels, uint64_t count) const {
    const uint64_t width = axes_.width.out, apart = cuts_.apart();
    uint32_t* const all = from + sums_;
    for (uint64_t channel = 0; channel < channels; ++channel)
      // What is moved behind the end of a row, the next one replaces.
      for (uint64_t row = 0; row < count; ++row)
        for (uint64_t i = 0; i < width; i += MOVED)
          std::memcpy(all + channel * apart + row * width + i, from + channel * apart + row * cuts_.pitch + i,
                      MOVED * sizeof(uint32_t));
    return all;
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry& g_;
  const Filter filter_;
  const RowFns& fns_;
  const DepthCuts cuts_;
  const Axes& axes_;
  const uint64_t plane_, words_, sums_;  // bytes of a padded plane; words of all of a unit, and of its sums
  std::vector<size_t> offsets_;
  std::vector<Taps> taps_;
  uint64_t volume_in_, volume_, runs_;
};

}  // namespace

bool has_depth(const Engine& engine, const Launch& launch) { return DepthConvolution::fits(engine, launch); }

uint64_t depth_words(const Engine& engine, const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  const uint64_t together = g.dilation_width == 1 ? sizeof(uint32_t) / engine.kernels.integers.rows.bytes : 1;
  const uint64_t across = (g.kernel_width + together - 1) / together;
  return uint64_t{g.in_channels / g.groups} * g.kernel_depth * g.kernel_height * across;
}

uint64_t depth_buffer_bytes(const Engine& engine, const Launch& launch) {
  const abi::VolumeGeometry& g = launch.volume;
  const unsigned bytes = engine.kernels.integers.rows.bytes;
  const DepthCuts cuts(g, bytes);
  const uint64_t channels = product({cuts.groups, g.out_channels / g.groups}, launch.name);
  return product({DepthConvolution::words(g, bytes), sizeof(uint32_t)}, launch.name) +
         product({channels, depth_words(engine, launch) + 1, sizeof(uint32_t)}, launch.name) +
         product({2, channels, cuts.apart() + MOVED, sizeof(uint32_t)}, launch.name);
}

void conv_by_depth(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const DepthConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
