// The functions that exist once per instruction set. Every set gives the same bits; they differ in speed only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "abi.gen.h"
#include "chain_fns.h"
#include "lane_fns.h"
#include "quad_fns.h"
#include "row_fns.h"
#include "strip_fns.h"

namespace tfmbs {

// How many consecutive elements of a vector a packed 32-bit word holds, and as what. Integer products are exact in all.
enum class Words {
  F32,    // one f32
  PAIRS,  // two i16 in both operands: products of i8, less a zero point, with i8
  QUADS,  // four u8 of the activations, by 128 more than their i8, and four i8 of the weights
  RESIDUES,  // rows of trits, see TritFns
  NIBBLES,  // eight weights of 4 bits by 8 more than they are: low halves of the bytes, then high ones
  BYTES,    // four i8 of weights
  BYTE_ROWS,  // rows of i8 in the file, see ByteRows
};

// out[r][c] += sum over ascending i < k of a[i][r] * b[i][c] for r < rows and all columns c of a panel. a is k words x
// rows, b is k words x panel, out has `stride` columns.
using TileFn = void (*)(unsigned rows, size_t k, const uint32_t* a, const uint32_t* b, int32_t* out, size_t stride);

// A row of trits: blocks of RESIDUE_BYTES residues that hold RESIDUE_TRITS trits, five to a byte; 64 rows stand
// abreast, see abreast.h.
constexpr size_t RESIDUE_BYTES = 64, RESIDUE_TRITS = 320;

// What is brought into the second cache while tables are made, which takes the place of waiting for memory: the first
// `blocks` of `groups` groups of rows abreast, `apart` bytes from one to the next.
struct Fetched {
  const uint8_t* weights;
  size_t blocks, groups, apart;
};

// Products of rows of trits and of i8, wrapped, by tables of what five activations come to with any five trits. Rows of
// activations are as long as those of trits, filled up with zeros.
struct TritFns {
  unsigned most_rows;  // of activations for which it may pay; 0: none
  size_t table_bytes;  // of a block
  size_t together;     // groups that share what loading a table costs, at most
  void (*tables)(size_t blocks, const int8_t* a, uint8_t* out, const Fetched& fetched);
  // sums[64 g + r] = the product with row r of group g of rows abreast. The groups behind are fetched.
  void (*look_up)(size_t groups, size_t blocks, const uint8_t* weights, const uint8_t* tables, int32_t* sums);
};

// Rows of i8 as a file has them, `apart` bytes from one to the next, with a scale for each group of the reduction, by a
// row of i8, which zeros follow, GROUP_PADDING at least.
constexpr unsigned BYTE_ROWS = 4;
constexpr size_t GROUP_PADDING = 128;
struct ByteRows {
  size_t groups, length;  // of a row, and elements of a group: 16, 32, or a multiple of 64
  const int8_t* weights;
  size_t apart;
  const float* scales;  // those of a row follow each other
  size_t scales_apart;  // from one row to the next
  const int8_t* a;
  const int32_t* starts;  // groups x BYTE_ROWS: -128 times the sum of a's group
};
constexpr bool has_byte_rows(size_t length) { return length == 16 || length == 32 || (length && length % 64 == 0); }
// out[r] = fma(f32(sum of products of a group), scale, out[r]) of BYTE_ROWS rows, group after group, from +0.0. A NaN
// becomes the canonical one.
using ByteRowsFn = void (*)(const ByteRows& rows, float* out);

// What products of trits have of a set for look-ups.
struct LookUps {
  TritFns trits;
  void (*few)(const FewRows& few);  // as StripFns::few
};

// Where the words of a window lie that belong to a pixel: `count` runs of `words` that follow each other, each at an
// offset from the pixel.
struct Runs {
  const size_t* offsets;
  size_t count, words;
};

// out[r * panel + c] = start[c] + the products of all words under pixel r, in the order of the runs, with b, a panel of
// weights: words x panel. `columns` of the panel count, the others of `out` are anything.
using WindowFn = void (*)(unsigned rows, unsigned columns, const Runs& runs, const uint32_t* const* pixels,
                          const uint32_t* b, const int32_t* start, int32_t* out);

// Channels of a plane, `stride` bytes apart, as the words of its pixels, `pitch` words apart: pixel i of `count` is
// element i * step of each channel. What the last word of a pixel has beyond the channels meets weights that are zero.
struct Spread {
  const int8_t* from;
  const int8_t* end;  // of what may be read
  size_t stride, channels, step, count;
  int32_t zero;
  size_t pitch;
};
using SpreadFn = void (*)(const Spread& spread, uint32_t* out);

// The products of integers, wrapped.
struct IntegerTiles {
  Words words;
  TileFn activations;  // where a are the activations, b the weights
  TileFn weights;      // where a are the weights, b the activations
  TritFns trits;
  StripFns strips;  // of trits
  WindowFn window;
  SpreadFn spread;
  RowFns rows;
  ByteRowsFn byte_rows;
};

// Packed rows of f32 against panels of columns, steps of which follow each other.
struct FloatBlock {
  unsigned panels;
  bool streams;  // panels are read from memory, once
  size_t steps;
  const float* a;  // steps x rows
  const float* b;  // steps x panel
  size_t apart;    // from one panel to the next
  const float* next;  // so many lines of a cache, at most a step each, are fetched meanwhile
  size_t next_lines;
  const float* from;  // sums so far, rows `from_stride` apart, or nullptr: +0.0
  size_t from_stride;
  float* out;
  size_t out_stride;
};
// out[r][c] = the fused products in ascending steps, for r < rows and all columns c of the panels, which follow each
// other in `from` and out. A NaN becomes the canonical one.
using FloatBlockFn = void (*)(unsigned rows, const FloatBlock& block);

// Weights of NIBBLES with a scale for each group of the reduction, against activations in two words of four i8 for each
// word of weights.
struct NibbleTile {
  size_t groups, words;   // words of weights of a group
  const uint32_t* a;      // groups x 2 words x rows
  const uint32_t* b;      // groups x words x panel
  const int32_t* starts;  // groups x rows: -8 times the sums of the activations
  const float* scales;    // groups x panel
  int32_t zero;           // zero point of the activations, and
  const int32_t* sums;    // groups x panel: sums of the weights, where it is not 0, else nullptr
};

// out[r][c] = fma(f32(sum of products of a group), scale, out[r][c]), group after group, for r < rows and all columns c
// of a panel; out has `stride` columns. A NaN becomes the canonical one.
struct NibbleTiles {
  unsigned rows;  // most rows of a tile
  void (*tile)(unsigned rows, const NibbleTile& tile, float* out, size_t stride);
};

// Weights as f32(weight) * scale, rounded, against rows of f32.
struct RealTile {
  size_t panels, groups, length;  // length of a group
  const float* a;                 // groups x length x rows
  const uint32_t* b;              // panels x groups x words of a group x panel
  const float* scales;            // panels x groups x panel
  bool tiny;                      // some scale but 0 is not normal when divided by 2^24
};

// What is made f32 of weights of NIBBLES or BYTES.
struct RealFns {
  // out[r][c] = the fused products in ascending k, from +0.0, for r < rows (as in `tile_f32`) and all columns of
  // panels, which follow each other in out.
  void (*tile)(unsigned rows, const RealTile& tile, float* out, size_t stride);
  // out[i * panel + c] = f32(weight i of column c) * scales[c], rounded, for i < length.
  void (*weights)(size_t length, const uint32_t* weights, const float* scales, float* out);
};

// Rows of activations and weights of groups.
struct GroupFns {
  RealFns nibbles, bytes;
  // `Activations::ABSMAX`, of n elements, `stride` apart: their largest magnitude, the factor of a row whose largest
  // magnitude it is, and what the elements become by that.
  float (*magnitude)(const float* x, size_t stride, size_t n);
  float (*factor)(float magnitude);
  void (*integers)(const float* x, size_t stride, size_t n, float factor, int8_t* out);
  // All of it; returns the factor.
  float quantize(const float* x, size_t stride, size_t n, int8_t* out) const {
    const float by = factor(magnitude(x, stride, n));
    integers(x, stride, n, by, out);
    return by;
  }
  int32_t (*sum)(const int8_t* x, size_t n);
  // n sums, i32, become fma(f32(sum), scale, +0.0) / factor, f32; a NaN becomes the canonical one.
  void (*scale)(uint32_t* sums, const float* scales, float factor, size_t n);
  // x[i] /= factor, and a NaN becomes the canonical one.
  void (*divide)(float* x, float factor, size_t n);
};

// Rows of scores, and of masks, which are read up to the end of a group.
constexpr uint64_t SCORES_AT_ONCE = 16;
struct ScoreFns {
  // out[i * panel + j] = from[j * stride + i * step] for i < k and j < count, 0 for the other j < panel.
  void (*panel)(const float* from, size_t stride, size_t step, unsigned count, size_t k, float* out);
  bool (*finite)(const float* x, uint32_t n);
  void (*scale)(float* x, float factor, uint32_t n);
  void (*add)(float* x, const float* mask, uint32_t n);
  // x[i] = shown[i] ? x[i] : fill.
  void (*hide)(float* x, const uint8_t* shown, float fill, uint32_t n);
  // x becomes its softmax, as it is with scores of `also` behind it (-infinity: none). False where that is not so:
  // where such scores have another weight than +0, or the sum is a NaN.
  bool (*soften)(float* x, float also, uint32_t n);
  // Whether one of n floats is -0.
  bool (*has_minus_zero)(const float* x, uint32_t n);
};

// Products of four u8 of a and four i8 of b in a word, as those of QUADS, on a unit for whole matrices.
struct BlockTiles {
  unsigned rows = 0;    // most rows of a block; 0: there is no such unit
  unsigned group = 1;   // rows are filled up to a multiple of this, and words of a row to one of `words`
  unsigned words = 1;
  // As IntegerTiles::activations, but a has for each `words` words of k all rows, one after the other.
  TileFn tile = nullptr;
};

// Pixels of an image whose windows have the same taps on it, against a panel of f32 weights: up to two runs of as many
// pixels each.
struct PixelTile {
  struct Tap {
    size_t pixel, weights;  // elements from the first tap of a pixel, and from the weights of a channel
  };
  const float* pixels[2];  // of a run: what lies under the first tap of its first pixel, in the first channel
  float* sums[2];          // of the first pixel of a run: those of a panel
  unsigned runs, count;    // `count` pixels of each, at most `Kernels::run`
  size_t step, sum_step;   // elements from one pixel of a run to the next, and from its sums to the next
};
// What tiles of an image share.
struct PixelTaps {
  const PixelTile::Tap* taps;
  size_t count, channels;
  size_t first, plane;     // elements before the first channel, and from one to the next
  const float* weights;    // of the first channel: rows of a panel
  size_t channel_weights;  // elements from one channel to the next
  unsigned columns;        // of the panel that count, the sums of the others are anything
  bool fresh;              // sums start from +0.0, not from what is there
  const float* next;       // so many lines of a cache are fetched from there on meanwhile, for each channel
  size_t next_lines;
};
// sums += fused products, in ascending order of channels, and of taps in each. A NaN becomes the canonical one.
using PixelTileFn = void (*)(const PixelTile& tile, const PixelTaps& taps);

// What becomes of sums of f32 on their way out: a number is added, by channel, and they are kept within both ends, none
// of which is a zero that might be lost to the other one. A NaN becomes the canonical one.
struct FloatEnds {
  const float* bias;
  size_t apart;  // from one channel to the next
  float low, high;
};

// Neighbouring pixels of all channels, `plane` elements apart, against a panel of f32 weights, a row for each channel.
struct PixelRow {
  const float* in;
  size_t channels, plane;
  const float* weights;
  float* out;     // of each column of the panel the sums of all pixels
  size_t stride;  // from one column to the next
};
// out = ends of fused products of `columns` columns and n pixels in ascending order of channels, from +0.0.
using PixelRowFn = void (*)(const PixelRow& row, const FloatEnds& ends, unsigned columns, uint32_t n);

// Lines of f32 outputs with few channels: vectors go across the outputs of a line.
struct LineBlock {
  size_t at;       // of the tap of the first output, from the first element of the input line; wraps below it
  uint64_t reads;  // bit i: element at + i lies on the line, and belongs to an output that counts
  uint32_t valid;  // bit i: output i counts, and has the tap on the line
};
struct LineTaps {
  const size_t* lines;     // of the input, from the first one: elements; in the order of the sums
  const size_t* weights;   // of the first tap of each line
  size_t count, width;     // lines, and taps across each
  size_t weight_step;      // from one tap of a line to the next
  unsigned stride;         // 1 or 2
  const LineBlock* blocks;  // `width` for each vector of outputs
  size_t pitch;            // elements of the input from what is under a line of outputs to what is under the next
};
// Sums of lines of n outputs that have the same taps and follow each other, from +0.0. A NaN becomes the canonical one.
using LineFn = void (*)(const LineTaps& taps, size_t lines, const float* in, const float* weights, uint32_t n,
                        float* out);

// Planes of outputs of one input channel each, as wide as the input, so that taps lie as far from every output: vectors
// go on from line to line.
struct FlatTaps {
  const size_t* at;       // of each tap, from an output: elements, which wrap below it
  // For each vector: whether all that follows are all outputs; for each tap, bit i: output i has it.
  const uint16_t* valid;
  size_t count;           // taps
  const float* in;        // of the first plane
  size_t first, plane;    // the first output, and elements from one plane to the next
  size_t planes;
  const float* weights;
  size_t step, apart;     // from one tap to the next, and from one plane to the next
  float* out;
  size_t stride;          // from one plane to the next
  uint32_t n;             // outputs of each
};
// Sums of the taps in order, from +0.0, written up to the end of a vector. A NaN becomes the canonical one.
using FlatFn = void (*)(const FlatTaps& taps);

// Lines of planes of outputs of one input channel each, under square windows.
struct SlideTaps {
  unsigned size, stride;  // 3 or 5 taps across, windows one or two elements apart
  const float* in;        // of the first plane
  size_t plane, height, width;  // from one plane to the next; lines, and elements of a line
  size_t top, left;             // padding
  const float* weights;
  size_t step, apart;    // from one tap to the next, and from one plane to the next
  size_t planes, first, lines;  // the first line of outputs of each plane
  size_t across;         // outputs of a line
  float* out;            // of that line of the first plane; lines follow each other
  size_t out_plane;      // from one plane to the next
};
// Ends of the sums of the taps in order, from +0.0.
using SlideFn = void (*)(const SlideTaps& taps, const FloatEnds& ends);

// A line of maxima of windows: `taps` across, `dilation` elements apart, of `lines` of the input.
struct MaxLine {
  const void* in;                 // the first element that lies on the input
  size_t lines, pitch;            // elements from one line to the next
  size_t before, on, size;        // elements under the line: those before the input, on it, and all
  size_t taps, dilation, stride;
  uint32_t count;                 // results
  void* buffer;                   // of `size` + 64 elements, twice
};
// As lanes of 32 bits; what is not on the input is less than everything. A NaN becomes the canonical one.
using MaxLineFn = void (*)(const MaxLine& line, uint32_t* results);

// How many bytes are codes of a packing before the first one that is none, at most `count`.
using CodesFn = size_t (*)(const uint8_t* bytes, size_t count);
struct CodeFns {
  CodesFn five, residues, abreast, pairs, bytes;  // PT5, R5, A5, T2, I8
};

struct Kernels {
  const char* name;
  unsigned panel;  // columns of a tile; divides VLMAX
  unsigned rows;   // most rows of a tile

  // As TileFn, fused; a NaN becomes the canonical one. Bit c of valid[i] says whether step i counts for column c
  // (valid == nullptr: all do).
  void (*tile_f32)(unsigned rows, size_t k, const float* a, const float* b, const uint32_t* valid, float* out,
                   size_t stride);
  FloatBlockFn float_block;
  unsigned run;  // most pixels of a run
  PixelTileFn pixel_tile;
  PixelRowFn pixel_row;
  unsigned lanes;  // outputs in a vector of `lines_f32` and `flat_f32`
  LineFn lines_f32;
  FlatFn flat_f32;
  SlideFn slide_f32;
  IntegerTiles integers;
  BlockTiles blocks;
  QuadFns quads;
  // out[r][c] = fma(f32(parts[r][c]), scales[c], out[r][c]) for r < rows and all columns c of a panel, which parts has
  // no more than; out has `stride` columns. A NaN becomes the canonical one.
  void (*add_scaled)(unsigned rows, const int32_t* parts, const float* scales, float* out, size_t stride);
  NibbleTiles nibbles;
  GroupFns groups;

  // tile_f32 on `panels` panels of columns, from +0.0, or what is in out where it `goes_on`, and without packing: row r
  // of a is at a[r], step i of panel p of b at b + p * apart + i * step; panels follow each other in out.
  void (*spread_tile_f32)(unsigned rows, unsigned panels, size_t k, const float* const* a, const float* b, size_t step,
                          size_t apart, float* out, size_t stride, bool goes_on);
  ScoreFns scores;

  // One tap of a window on n outputs: sums[i] = fma(weight, x[i * stride], sums[i]), or sums[i] += weight *
  // (x[i * stride] - zero), wrapped; strides are positive.
  void (*tap_row_f32)(float* sums, const float* x, int64_t stride, float weight, uint32_t n);
  void (*tap_row_i8)(int32_t* sums, const int8_t* x, int64_t stride, int32_t zero, int32_t weight, uint32_t n);
  MaxLineFn max_line_f32, max_line_i8;

  // The function of a vector opcode, nullptr where the combination is not valid.
  LaneFn (*lane)(abi::DOp op, abi::DType type, uint8_t aux);
  // Moves between registers and windows of a type; all nullptr where lanes cannot hold it.
  MoveFns (*moves)(abi::DType type);
  IndexFn index32, index64;
  BoundsFn bounds32, bounds64;  // of signed lanes
  ColumnsFn columns;
  ChainFn chain;  // nullptr where chains are interpreted
  bool has_code;  // chains of vector operations may become machine code, which takes AVX-512 (siw_chain.h)
  GroupFn exp_f32, erf_f32;  // where that code is not sure of its results
  CodeFns codes;
};

// Instruction sets of this build that this processor runs, slowest first: "baseline", "avx2", "avxvnni", "avx512",
// "avx512vnni", "amx". "avxvnni" and those behind "avx512" differ from the one before in the products of integers only.
std::vector<std::string> instruction_sets();
// Sets for tests: "amx-model", in which a unit of another processor is a model, and "avx512vnni-no-vbmi", without what
// this processor has and others have not.
std::vector<std::string> modelled_sets();
// The set of that name, also a modelled one; the fastest one for "". Throws Error where it does not exist here.
const Kernels& kernels(const std::string& name);

}  // namespace tfmbs
