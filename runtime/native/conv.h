// The ways in which a convolution is computed.
#pragma once

#include "launch.h"

namespace tfmbs {

// Tap by tap along the rows of the outputs; any convolution, best for few channels per group.
void conv_by_rows(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t rows_buffer_bytes();

// Integers with few channels per group, or few input channels: on padded planes, words of several taps along the rows
// of the outputs.
bool has_depth(const Engine& engine, const Launch& launch);
// Words that meet an output.
uint64_t depth_words(const Engine& engine, const Launch& launch);
void conv_by_depth(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t depth_buffer_bytes(const Engine& engine, const Launch& launch);

// f32 with few channels per group: vectors along the lines of the outputs.
bool has_lines(const Engine& engine, const Launch& launch);
void conv_by_lines(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t lines_buffer_bytes(const Launch& launch);

// f32 with one channel per group, as wide as the input: vectors along whole planes.
bool has_flat(const Engine& engine, const Launch& launch);
void conv_by_flat(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t flat_buffer_bytes(const Engine& engine, const Launch& launch);

// f32 with one input channel per group under small square windows: sums slide down the planes.
bool has_slide(const Launch& launch);
void conv_by_slide(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t slide_buffer_bytes(const Launch& launch);

// f32: runs of pixels by panels of output channels.
void conv_by_planes(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t planes_buffer_bytes(const Engine& engine, const Launch& launch);

// Integers: tiles of pixels by panels of output channels, on an image of padded words.
bool has_pixels(const Engine& engine, const Launch& launch);
void conv_by_pixels(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t pixels_buffer_bytes(const Engine& engine, const Launch& launch);
uint64_t pixels_lhs_bytes(const Engine& engine, const Launch& launch);

// Integers: panels of output channels by neighbouring pixels, on planes of words of four channels.
bool has_quads(const Engine& engine, const Launch& launch);
void conv_by_quads(const Engine& engine, const Bound& bound, const PackedWeights& weights);
uint64_t quads_buffer_bytes(const Launch& launch);
uint64_t quads_lhs_bytes(const Launch& launch);

}  // namespace tfmbs
