// Convolutions of integers with few channels per group, as depthwise ones: their planes are padded once, and words of a
// few taps each meet the weights along rows of outputs.
#include <algorithm>
#include <cstring>

#include "axes.h"
#include "checks.h"
#include "conv.h"

namespace tfmbs {
namespace {

// Bytes of the padded planes of a group that are worth it.
constexpr double MOST_BYTES = 1 << 18;
// Bytes that are read behind the last word, and written behind the last sum.
constexpr uint64_t SLACK = 128, LANES_BEHIND = 16;

class DepthConvolution {
 public:
  DepthConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(bound.launch.volume),
        filter_(g_, bound.launch.words, engine.kernels),
        axes_(g_),
        fns_(engine.kernels.integers.rows) {
    line_ = axes_.width.size * fns_.bytes;
    plane_ = axes_.lines() * line_;
    lines_out_ = axes_.depth.out * axes_.height.out;
    volume_in_ = axes_.depth.in * axes_.height.in * axes_.width.in;
    find_taps();
  }

  // A group of an image.
  uint64_t units() const { return uint64_t{g_.batch} * g_.groups; }

  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    grow(worker.panel, (filter_.in * plane_ + SLACK + 3) / 4);
    grow(worker.accumulators, abi::VLMAX + LANES_BEHIND);
    const uint64_t image = unit / g_.groups, group = unit % g_.groups;
    uint8_t* const padded = reinterpret_cast<uint8_t*>(worker.panel.data());
    const int8_t* input = reinterpret_cast<const int8_t*>(bound_.lhs) + unit * filter_.in * volume_in_;
    for (uint64_t i = 0; i < filter_.in; ++i) pad(input + i * volume_in_, padded + i * plane_);
    const uint64_t together = abi::VLMAX / axes_.width.out;
    worker.taps.resize(offsets_.size());
    for (uint64_t i = 0; i < filter_.out; ++i) {
      find_weights(worker.taps.data(), group, i);
      for (uint64_t line = 0; line < lines_out_; line += together)
        lines(worker, padded, image, group * filter_.out + i, line, std::min(together, lines_out_ - line));
    }
  }

  static bool fits(const Engine& engine, const Launch& launch) {
    const Axes axes(launch.volume);
    const unsigned bytes = engine.kernels.integers.rows.bytes, step = bytes * launch.volume.stride_width;
    return (step == 1 || step == 2 || step == 4) && axes.width.out <= abi::VLMAX &&
           axes.positions() * bytes * (launch.volume.in_channels / launch.volume.groups) <= MOST_BYTES;
  }

 private:
  // Where words of taps lie, from the first byte under a window: along a row where taps are neighbours, else each by
  // itself.
  void find_taps() {
    const uint64_t together = axes_.width.dilation == 1 ? sizeof(uint32_t) / fns_.bytes : 1;
    for (uint64_t from = 0; from < filter_.in; ++from)
      for (uint64_t z = 0; z < g_.kernel_depth; ++z)
        for (uint64_t y = 0; y < g_.kernel_height; ++y)
          for (uint64_t x = 0; x < g_.kernel_width; x += together) {
            offsets_.push_back(from * plane_ + (z * axes_.depth.dilation * axes_.height.size + y * axes_.height.dilation) * line_ +
                               x * axes_.width.dilation * fns_.bytes);
            Taps taps{};
            for (uint64_t i = 0; i < std::min(together, g_.kernel_width - x); ++i, ++taps.count) {
              taps.word[i] = filter_.word(0, 0, from, (z * g_.kernel_height + y) * g_.kernel_width + x + i);
              taps.number = filter_.number(from);
            }
            words_.push_back(taps);
          }
  }

  void find_weights(uint32_t* out, uint64_t group, uint64_t channel) const {
    // All channels of a group are one block.
    const uint32_t* first = weights_.words.data() + filter_.first(group, 0) + channel;
    const uint32_t mask = fns_.bytes == 1 ? 0xffu : 0xffffu;
    for (const Taps& taps : words_) {
      uint32_t word = 0;
      for (unsigned i = 0; i < taps.count; ++i) {
        const int32_t weight = element_of(filter_.words, first[taps.word[i]], taps.number);
        word |= (static_cast<uint32_t>(weight) & mask) << 8 * fns_.bytes * i;
      }
      *out++ = word;
    }
  }

  void pad(const int8_t* input, uint8_t* out) const {
    const Axis &x = axes_.width, &y = axes_.height;
    const uint8_t zero = fns_.bytes == 1 ? static_cast<uint8_t>(g_.lhs_zero + 128) : uint8_t{0};
    if (!axes_.depth.whole() || !y.whole() || !x.whole()) std::memset(out, zero, plane_);
    if (x.first() == x.end() || y.first() == y.end()) return;
    for (uint64_t z = axes_.depth.first(); z < axes_.depth.end(); ++z) {
      const int8_t* from = input + ((z - axes_.depth.pad) * y.in + (y.first() - y.pad)) * x.in + (x.first() - x.pad);
      fns_.pad({from, x.in, y.end() - y.first(), x.end() - x.first(), g_.lhs_zero,
                out + (z * y.size + y.first()) * line_ + x.first() * fns_.bytes, line_});
    }
  }

  // `count` rows of an output channel.
  void lines(Worker& worker, const uint8_t* padded, uint64_t image, uint64_t channel, uint64_t line,
             uint64_t count) const {
    const Axis &x = axes_.width, &y = axes_.height;
    const uint32_t width = static_cast<uint32_t>(x.out);
    int32_t* const sums = reinterpret_cast<int32_t*>(worker.accumulators.data());
    const uint32_t start = filter_.words == Words::QUADS ? start_of(filter_.words, g_.lhs_zero, weights_.sums[channel]) : 0;
    WindowWords words{nullptr, offsets_.data(), worker.taps.data(), offsets_.size(),
                      fns_.bytes * static_cast<unsigned>(x.stride), y.stride * line_, 0, width, static_cast<int32_t>(start)};
    // Rows of one plane together.
    for (uint64_t i = 0; i < count; i += words.rows) {
      const uint64_t plane = (line + i) / y.out, row = (line + i) % y.out;
      words.from = padded + (plane * axes_.depth.stride * y.size + row * y.stride) * line_;
      words.rows = std::min(count - i, y.out - row);
      fns_.window(words, sums + i * width);
    }
    const uint64_t element = ((image * g_.out_channels + channel) * lines_out_ + line) * width;
    finish_chunk(engine_, bound_, worker, sums,
                 {element, static_cast<uint32_t>(channel), 0, static_cast<uint32_t>(count * width)});
  }

  // Taps of a word: where their weights lie in those of a channel.
  struct Taps {
    uint64_t word[sizeof(uint32_t)];
    unsigned count, number;
  };

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry& g_;
  const Filter filter_;
  const Axes axes_;
  const RowFns& fns_;
  std::vector<size_t> offsets_;
  std::vector<Taps> words_;
  uint64_t line_, plane_, lines_out_, volume_in_;
};

}  // namespace

bool has_depth(const Engine& engine, const Launch& launch) { return DepthConvolution::fits(engine, launch); }

uint64_t depth_buffer_bytes(const Engine& engine, const Launch& launch) {
  const Axes axes(launch.volume);
  const uint64_t elements =
      product({launch.volume.in_channels / launch.volume.groups, axes.lines(), axes.width.size}, launch.name);
  return product({elements, engine.kernels.integers.rows.bytes}, launch.name) + SLACK +
         product({depth_of(launch.volume), sizeof(uint32_t)}, launch.name) +
         (abi::VLMAX + LANES_BEHIND) * sizeof(uint32_t);
}

void conv_by_depth(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const DepthConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
