// Outputs of a convolution of f32 as runs of pixels that have the same taps on the input.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels.h"
#include "window_rows.h"

namespace tfmbs {

// Outputs x.first <= x < x.end of lines from `line` on, whole lines but for a part of a single one.
struct PixelBlock {
  uint64_t line, lines;
  Range x;
  uint64_t pixels() const { return lines * (x.end - x.first); }
};

// The tiles of a block. Those of a group have the same taps.
class PixelTiles {
 public:
  struct Group {
    size_t taps, tap_count, tiles, tile_count;
  };
  std::vector<PixelTile::Tap> taps;
  std::vector<PixelTile> tiles;
  std::vector<Group> groups;

  // `image` is the first channel of an input; `sums` are `width` for each pixel of the block, weights of a tap, too;
  // runs have at most `run` pixels.
  void find(const abi::VolumeGeometry& g, const PixelBlock& block, const float* image, float* sums, uint64_t width,
            unsigned run) {
    taps.clear();
    tiles.clear();
    groups.clear();
    const WindowRows rows(g);
    for (uint64_t line = block.line; line < block.line + block.lines;) {
      // Lines that follow each other in a plane and have the same rows of taps.
      const uint64_t z = line / g.out_height, y = line % g.out_height;
      const uint64_t most = std::min(block.line + block.lines - line, g.out_height - y);
      uint64_t lines = 1;
      while (lines < most && rows.rows(y + lines) == rows.rows(y)) ++lines;
      for (uint64_t x = block.x.first; x < block.x.end;) {
        uint64_t count = 1;
        while (x + count < block.x.end && rows.columns(x + count) == rows.columns(x)) ++count;
        const uint64_t pixel = (line - block.line) * (block.x.end - block.x.first) + x - block.x.first;
        rectangle(g, rows, {z, y, x, lines, count}, image, sums + pixel * width,
                  (block.x.end - block.x.first) * width, width, run);
        x += count;
      }
      line += lines;
    }
  }

 private:
  // Outputs from (z, y, x) on.
  struct Rectangle {
    uint64_t z, y, x, lines, columns;
  };

  void rectangle(const abi::VolumeGeometry& g, const WindowRows& rows, const Rectangle& r, const float* image,
                 float* sums, uint64_t line_sums, uint64_t width, unsigned run) {
    const size_t first_tap = taps.size(), first_tile = tiles.size();
    const Range deep = rows.planes(r.z), down = rows.rows(r.y), across = rows.columns(r.x);
    const uint64_t line = g.in_width, plane = line * g.in_height;
    for (uint64_t kz = deep.first; kz < deep.end; ++kz)
      for (uint64_t ky = down.first; ky < down.end; ++ky)
        for (uint64_t kx = across.first; kx < across.end; ++kx)
          taps.push_back({(kz - deep.first) * g.dilation_depth * plane + (ky - down.first) * g.dilation_height * line +
                              (kx - across.first) * g.dilation_width,
                          ((kz * g.kernel_height + ky) * g.kernel_width + kx) * width});
    // Where there are no taps, no pixel is read.
    const bool empty = taps.size() == first_tap;
    if (!empty) image += rows.input(r.z, deep.first, r.y, down.first, r.x, across.first);
    const uint64_t down_step = empty ? 0 : g.stride_height * line, across_step = empty ? 0 : g.stride_width;
    // Runs go along the longer side, if it is not long either way.
    if (r.columns >= r.lines || r.columns >= run)
      runs({r.lines, down_step, line_sums}, {r.columns, across_step, width}, image, sums, run);
    else
      runs({r.columns, across_step, width}, {r.lines, down_step, line_sums}, image, sums, run);
    groups.push_back({first_tap, taps.size() - first_tap, first_tile, tiles.size() - first_tile});
  }

  // Pixels along a side of a rectangle: how many, and elements and sums from one to the next.
  struct Side {
    uint64_t count, step, sums;
  };

  // Cuts each of `across.count` lines of pixels into runs that are about as long; two of the same length are a tile.
  void runs(const Side& across, const Side& along, const float* image, float* sums, unsigned run) {
    const uint64_t parts = (along.count + run - 1) / run;
    size_t open[2] = {NONE, NONE};  // tiles of one run, of the shorter and the longer kind
    for (uint64_t i = 0; i < across.count; ++i)
      for (uint64_t part = 0; part < parts; ++part) {
        const uint64_t first = along.count * part / parts, count = along.count * (part + 1) / parts - first;
        const float* pixels = image + i * across.step + first * along.step;
        float* to = sums + i * across.sums + first * along.sums;
        size_t& waits = open[count > along.count / parts];
        if (waits != NONE) {
          PixelTile& tile = tiles[waits];
          tile.pixels[1] = pixels;
          tile.sums[1] = to;
          tile.runs = 2;
          waits = NONE;
          continue;
        }
        waits = tiles.size();
        tiles.push_back({{pixels, pixels}, {to, to}, 1, static_cast<unsigned>(count), along.step, along.sums});
      }
  }

  static constexpr size_t NONE = ~size_t{0};
};

}  // namespace tfmbs
