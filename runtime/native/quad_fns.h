// What convolutions of integers on planes of words take, and how they are called.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tfmbs {

struct ChainStep;

// A window of integers on an image as planes of words: a word has a pixel of four channels, as QUADS; those of the next
// four lie a plane on. The words of a tap come in chunks of STEPS planes. Weights are panels of CHANNELS output
// channels, each a tile of CHANNELS x STEPS words for each chunk, which are zero where there are fewer planes.
struct QuadWindow {
  static constexpr size_t CHANNELS = 16, STEPS = 16;
  struct Chunk {
    size_t at, quads;  // words before the first plane, and planes, at most STEPS; that many can always be read
  };
  const uint32_t* image;  // what lies under the first tap of the first pixel
  size_t plane;
  const Chunk* chunks;
  size_t count;
  const uint32_t* weights;
  size_t panel;           // words from one panel to the next
  const int32_t* starts;  // by channel
  size_t channels, pixels;  // multiples of 16; pixels lie side by side
  int32_t* out;
  size_t stride;  // of a channel
};
// out[c * stride + p] = starts[c] + the products.
using QuadWindowFn = void (*)(const QuadWindow& window);
struct QuadFns {
  QuadWindowFn window = nullptr;  // nullptr: there are no such functions
  bool many_taps = false;         // it is worth it for windows of several taps, too
  // The same times the scale of the channel through a QUANTIZE step (chain.h), as bytes, of any number of channels and
  // pixels; there are starts for all channels of a panel. nullptr where sums are finished by themselves.
  void (*narrow)(const QuadWindow& window, const float* scales, const ChainStep& quantize, uint8_t* out) = nullptr;
  // Words of `count` neighbouring pixels of four channels. Where it `streams`, the words, which begin with a line of a
  // cache and have room up to the end of one, go past the caches.
  void (*words)(const int8_t* const* from, size_t count, uint32_t* out, bool streams) = nullptr;
};

}  // namespace tfmbs
