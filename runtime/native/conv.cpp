// CONV2D and CONV3D: which way they are computed.
#include "conv.h"

namespace tfmbs {
namespace {

enum class Way { ROWS, LINES, FLAT, SLIDE, DEPTH, PLANES, PIXELS, QUADS };

Way way_of(const Engine& engine, const Launch& launch) {
  const bool few = launch.volume.out_channels / launch.volume.groups <= MOST_ROW_CHANNELS;
  if (launch.words == Words::F32) {
    if (!few) return Way::PLANES;
    if (has_slide(launch)) return Way::SLIDE;
    return has_flat(engine, launch) ? Way::FLAT : has_lines(engine, launch) ? Way::LINES : Way::ROWS;
  }
  if (few) return has_depth(engine, launch) ? Way::DEPTH : Way::ROWS;
  const Filter filter(launch.volume, launch.words, engine.kernels);
  if (filter.tiled) return has_quads(engine, launch) ? Way::QUADS : Way::ROWS;
  // Nothing is gathered then, nor transposed.
  if (has_depth(engine, launch) && depth_words(engine, launch) <= filter.depth) return Way::DEPTH;
  return has_pixels(engine, launch) ? Way::PIXELS : Way::ROWS;
}

}  // namespace

uint64_t conv_buffer_bytes(const Engine& engine, const Launch& launch) {
  switch (way_of(engine, launch)) {
    case Way::ROWS: return rows_buffer_bytes();
    case Way::LINES: return lines_buffer_bytes(launch);
    case Way::FLAT: return flat_buffer_bytes(engine, launch);
    case Way::SLIDE: return slide_buffer_bytes(launch);
    case Way::DEPTH: return depth_buffer_bytes(engine, launch);
    case Way::PLANES: return planes_buffer_bytes(engine, launch);
    case Way::QUADS: return quads_buffer_bytes(launch);
    case Way::PIXELS: break;
  }
  return pixels_buffer_bytes(engine, launch);
}

uint64_t conv_lhs_bytes(const Engine& engine, const Launch& launch) {
  const Way way = way_of(engine, launch);
  return way == Way::QUADS ? quads_lhs_bytes(launch) : way == Way::PIXELS ? pixels_lhs_bytes(engine, launch) : 0;
}

void run_conv(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  switch (way_of(engine, bound.launch)) {
    case Way::ROWS: return conv_by_rows(engine, bound, weights);
    case Way::LINES: return conv_by_lines(engine, bound, weights);
    case Way::FLAT: return conv_by_flat(engine, bound, weights);
    case Way::SLIDE: return conv_by_slide(engine, bound, weights);
    case Way::DEPTH: return conv_by_depth(engine, bound, weights);
    case Way::PLANES: return conv_by_planes(engine, bound, weights);
    case Way::PIXELS: return conv_by_pixels(engine, bound, weights);
    case Way::QUADS: return conv_by_quads(engine, bound, weights);
  }
}

}  // namespace tfmbs
