// Convolutions of f32: runs of pixels, where they lie, by panels of output channels.
#include <algorithm>

#include "checks.h"
#include "conv.h"
#include "cut.h"
#include "pixel_tiles.h"

namespace tfmbs {
namespace {

// Pixels whose sums are kept at once, and bytes of weights that meet all of them from the first cache.
constexpr uint64_t BLOCK_PIXELS = 240, WEIGHT_BYTES = 3 << 13;
static_assert(BLOCK_PIXELS <= abi::VLMAX, "a block is finished as one chunk");
// Pixels of a single tap that are worth vectors of their own: then few lanes of the last one are idle.
constexpr uint64_t LONG_ROW = 128;
// Columns of sums are taken sixteen at a time, which reach beyond the last panel where panels are narrower.
constexpr unsigned SQUARE = 16;
// Elements from one column to the next: not so many that all meet in the same sets of a cache.
constexpr uint64_t COLUMN = abi::VLMAX + 16;

// A window of a single tap, at every pixel of a plane that could be a line.
bool is_single(const abi::VolumeGeometry& g) {
  return g.kernel_depth == 1 && g.kernel_height == 1 && g.kernel_width == 1 && g.stride_depth == 1 &&
         g.stride_height == 1 && g.stride_width == 1 && g.out_depth == g.in_depth && g.out_height == g.in_height &&
         g.out_width == g.in_width && !g.pad_front && !g.pad_top && !g.pad_left &&
         static_cast<double>(g.in_depth) * g.in_height * g.in_width <= INT32_MAX;
}

// Such a window knows no lines.
abi::VolumeGeometry flat(abi::VolumeGeometry g) {
  if (!is_single(g)) return g;
  g.in_width = g.out_width = g.in_depth * g.in_height * g.in_width;
  g.in_depth = g.in_height = g.out_depth = g.out_height = 1;
  return g;
}

class PlaneConvolution {
 public:
  PlaneConvolution(const Engine& engine, const Bound& bound, const PackedWeights& weights)
      : engine_(engine),
        bound_(bound),
        weights_(weights),
        g_(flat(bound.launch.volume)),
        filter_(g_, Words::F32, engine.kernels) {
    volume_in_ = uint64_t{g_.in_depth} * g_.in_height * g_.in_width;
    lines_ = uint64_t{g_.out_depth} * g_.out_height;
    volume_ = lines_ * g_.out_width;
    panels_ = filter_.columns / filter_.width;
    // Blocks of whole lines, or parts of a line, that are about as large.
    const uint64_t together = std::max<uint64_t>(1, BLOCK_PIXELS / g_.out_width);
    bands_ = (lines_ + together - 1) / together;
    is_long_ = is_single(g_) && volume_ >= LONG_ROW;
    parts_ = (g_.out_width + BLOCK_PIXELS - 1) / BLOCK_PIXELS;
  }

  uint64_t units() const { return uint64_t{g_.batch} * g_.groups * panels_ * bands_ * parts_; }

  // A block of pixels by a panel of output channels.
  void unit(uint64_t unit, unsigned index) const {
    Worker& worker = *engine_.buffers[index];
    const uint64_t part = unit % parts_, band = unit / parts_ % bands_, rest = unit / parts_ / bands_;
    const uint64_t panel = rest % panels_, group = rest / panels_ % g_.groups, image = rest / panels_ / g_.groups;
    const uint64_t line = lines_ * band / bands_, x = g_.out_width * part / parts_;
    const PixelBlock block{line, lines_ * (band + 1) / bands_ - line, {x, g_.out_width * (part + 1) / parts_}};
    const uint64_t channel = panel * filter_.width;
    const unsigned columns = static_cast<unsigned>(std::min(filter_.width, filter_.out - channel));
    const float* input =
        reinterpret_cast<const float*>(bound_.lhs) + (image * g_.in_channels + group * filter_.in) * volume_in_;
    const Place place{image * g_.out_channels + group * filter_.out + channel, group * filter_.out + channel, block};
    const uint32_t* weights = weights_.words.data() + filter_.first(group, channel);
    if (is_long_) return long_row(worker, place, input + x, weights, columns);
    grow(worker.panel, sum_words(engine_.kernels));
    float* const sums = reinterpret_cast<float*>(worker.panel.data());
    worker.tiles.find(g_, block, input, sums, filter_.width, engine_.kernels.run);
    multiply(worker.tiles, weights, columns);
    finish(worker, place, columns);
  }

  // Words of sums.
  static uint64_t sum_words(const Kernels& kernels) { return BLOCK_PIXELS * kernels.panel + SQUARE; }

 private:
  // Where results of a panel are: the plane of the first one among all, and its channel.
  struct Place {
    uint64_t plane, channel;
    PixelBlock block;
  };

  // Pixels of a line of a window of a single tap.
  void long_row(Worker& worker, const Place& place, const float* input, const uint32_t* weights,
                unsigned columns) const {
    const uint64_t pixels = place.block.pixels(), element = place.plane * volume_ + place.block.x.first;
    const auto multiply = [&](const FloatEnds& ends, float* out, uint64_t stride) {
      engine_.kernels.pixel_row(
          {input, filter_.in, volume_in_, reinterpret_cast<const float*>(weights), out, stride}, ends, columns,
          static_cast<uint32_t>(pixels));
    };
    FloatEnds ends;
    if (find_ends(bound_, worker, {place.channel, columns, columns, columns * pixels}, ends))
      return multiply(ends, reinterpret_cast<float*>(bound_.out) + element, volume_);
    grow(worker.accumulators, BLOCK_PIXELS * filter_.width);
    multiply(ends, reinterpret_cast<float*>(worker.accumulators.data()), BLOCK_PIXELS);
    finish_chunks(engine_, bound_, worker, worker.accumulators.data(),
                  {element, static_cast<uint32_t>(place.channel), 0, static_cast<uint32_t>(pixels)},
                  {columns, BLOCK_PIXELS, volume_, 1});
  }

  void multiply(const PixelTiles& tiles, const uint32_t* weights, unsigned columns) const {
    const uint64_t row = filter_.taps * filter_.width;  // weights of an input channel
    const uint64_t together = std::max<uint64_t>(1, WEIGHT_BYTES / (row * sizeof(float)));
    for (uint64_t from = 0; from < filter_.in; from += together) {
      PixelTaps taps{nullptr, 0, std::min(together, filter_.in - from), from * volume_in_, volume_in_,
                     reinterpret_cast<const float*>(weights) + from * row, row, columns, from == 0, nullptr, 0};
      // As many weights as these follow them, of this panel or the next one. Every tile fetches a part.
      const uint64_t lines = ceil_div(row, tiles.tiles.size() * LINE_WORDS);
      const float* const end = taps.weights + 2 * taps.channels * row;
      taps.next = taps.weights + taps.channels * row;
      for (const PixelTiles::Group& group : tiles.groups) {
        taps.taps = tiles.taps.data() + group.taps;
        taps.count = group.tap_count;
        for (size_t i = 0; i < group.tile_count; ++i, taps.next += taps.channels * lines * LINE_WORDS) {
          taps.next_lines = taps.next < end ? lines : 0;
          engine_.kernels.pixel_tile(tiles.tiles[group.tiles + i], taps);
        }
      }
    }
  }

  void finish(Worker& worker, const Place& place, unsigned columns) const {
    grow(worker.accumulators, SQUARE * COLUMN);
    const uint8_t* sums = reinterpret_cast<const uint8_t*>(worker.panel.data());
    const uint32_t pixels = static_cast<uint32_t>(place.block.pixels());
    const uint64_t first = place.block.line * g_.out_width + place.block.x.first;
    for (unsigned column = 0; column < columns; column += SQUARE) {
      engine_.kernels.columns(worker.accumulators.data(), COLUMN, sums, column, static_cast<int64_t>(filter_.width),
                              pixels);
      finish_chunks(engine_, bound_, worker, worker.accumulators.data(),
                    {(place.plane + column) * volume_ + first, static_cast<uint32_t>(place.channel + column), 0,
                     pixels},
                    {std::min(SQUARE, columns - column), COLUMN, volume_, 1});
    }
  }

  const Engine& engine_;
  const Bound& bound_;
  const PackedWeights& weights_;
  const abi::VolumeGeometry g_;
  const Filter filter_;
  uint64_t volume_in_, lines_, volume_, panels_, bands_, parts_;
  bool is_long_;
};

}  // namespace

uint64_t planes_buffer_bytes(const Engine& engine, const Launch& launch) {
  // Every pixel may have taps of its own.
  const uint64_t tiles = BLOCK_PIXELS * (sizeof(PixelTile) + sizeof(PixelTiles::Group));
  return product({launch.volume.kernel_depth, launch.volume.kernel_height, launch.volume.kernel_width, BLOCK_PIXELS,
                  sizeof(PixelTile::Tap)}, launch.name) +
         tiles + (PlaneConvolution::sum_words(engine.kernels) + SQUARE * COLUMN) * sizeof(uint32_t);
}

void conv_by_planes(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const PlaneConvolution convolution(engine, bound, weights);
  engine.workers.spread(convolution.units(), [&](uint64_t unit, unsigned worker) { convolution.unit(unit, worker); });
}

}  // namespace tfmbs
