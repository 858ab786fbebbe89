// The fabric ABI: element types, records and the sentron instruction word.
// Generated from runtime/abi by `python -m tfmbs.runtime.abi.cpp_header`; do not edit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian and read in place");

namespace tfmbs::abi {

constexpr uint32_t NO_INDEX = 0xffffffffu;
constexpr unsigned VLMAX = 512;
constexpr unsigned VECTOR_REGISTERS = 32;
constexpr unsigned SCALAR_REGISTERS = 32;
constexpr unsigned WINDOWS = 16;
constexpr unsigned LOOP_DEPTH = 8;
constexpr unsigned REDUCTION_LANES = 16;
constexpr unsigned WORD_BITS = 128;
constexpr unsigned EPILOGUE_ELEMENT = 1;
constexpr unsigned EPILOGUE_CHANNEL = 2;
constexpr unsigned EPILOGUE_CHANNEL_STEP = 3;
constexpr unsigned EPILOGUE_ONE = 4;

// Element type of a tensor. The value is its code in a binary; see `DTYPES` for size and numpy name.
enum class DType : uint8_t {
  BOOL = 1,
  I8 = 2,
  U8 = 3,
  I16 = 4,
  U16 = 5,
  I32 = 6,
  U32 = 7,
  I64 = 8,
  U64 = 9,
  F16 = 10,
  BF16 = 11,
  F32 = 12,
  F64 = 13,
  TRIT = 14,
  I4 = 15,
};

// What the elements of an input or output stand for, where their DType does not say it.
enum class Meaning : uint8_t {
  PLAIN = 0,
  F8E4M3FN = 1,
  F8E4M3FNUZ = 2,
  F8E5M2 = 3,
  F8E5M2FNUZ = 4,
  F8E8M0FNU = 5,
  F4E2M1FN = 6,
  I4 = 7,
  U4 = 8,
  I2 = 9,
  U2 = 10,
};

// How the elements of a tensor lie in memory.
enum class Packing : uint8_t {
  DENSE = 0,
  I8 = 1,
  PT5 = 2,
  T2 = 3,
  NIBBLES = 4,
  S2 = 5,
  S4 = 6,
  R5 = 7,
  A5 = 8,
};

// Where a tensor lives. WEIGHTS is read only; INPUT and OUTPUT have one buffer per argument (`slot`).
enum class Region : uint8_t {
  WEIGHTS = 1,
  SCRATCH = 2,
  STATE = 3,
  INPUT = 4,
  OUTPUT = 5,
};

// What a descriptor launches (append-only).
enum class Kind : uint8_t {
  GEMM = 1,
  GEMV = 2,
  CONV2D = 3,
  POOL = 4,
  VECTOR = 5,
  COPY = 6,
  CONV3D = 7,
  ATTENTION = 8,
  LSTM = 9,
  GROUP_GEMM = 10,
};

// Which operand stays in the array.
enum class Dataflow : uint8_t {
  OUTPUT_STATIONARY = 1,
  WEIGHT_STATIONARY = 2,
  INPUT_STATIONARY = 3,
};

// Which output tiles follow each other: those of neighbouring rows, or columns; ANY: as the device chooses.
enum class LoopOrder : uint8_t {
  ANY = 0,
  ROWS = 1,
  COLUMNS = 2,
};

// How zero weights are exploited: not at all, by gating energy, or by a compacted stream that saves cycles.
enum class ZeroSkip : uint8_t {
  NONE = 0,
  ENERGY = 1,
  CYCLE = 2,
};

// MAX; AVG over the valid taps; AVG_PADDED over all taps of the window, padding included.
enum class PoolMode : uint8_t {
  NONE = 0,
  MAX = 1,
  AVG = 2,
  AVG_PADDED = 3,
};

// What the mask of an attention is: none; F32 that is added; the same, and a sum of −∞ is hidden; BOOL that shows
// (other bytes than 0) and hides.
enum class MaskMode : uint8_t {
  NONE = 0,
  ADD = 1,
  ADD_SHOWN = 2,
  SELECT = 3,
};

// What is done to lhs first. STORED: nothing. ABSMAX: each row of F32 becomes I8, by its largest magnitude.
enum class Activations : uint8_t {
  STORED = 0,
  ABSMAX = 1,
};

// How a recurrence walks over its steps: from the first on, from the last on, or both ways, each by itself.
enum class Direction : uint8_t {
  FORWARD = 0,
  REVERSE = 1,
  BOTH = 2,
};

// The order of the gates in weights and biases of an LSTM: input, output, forget, cell (as ONNX has them), or input,
// forget, cell, output (as PyTorch has them).
enum class GateOrder : uint8_t {
  IOFC = 0,
  IFCO = 1,
};

// VECTOR: launched by a VECTOR descriptor. EPILOGUE: applied by a kernel to each output chunk.
enum class ProgramKind : uint8_t {
  VECTOR = 1,
  EPILOGUE = 2,
};

// Codes of the sections whose records may depend on sizes; SIW are instruction words, `at` is a bit there.
enum class Patched : uint8_t {
  PROGRAM = 6,
  SIW = 7,
  TENSOR = 8,
  GEMM_GEOMETRY = 9,
  WINDOW_GEOMETRY = 10,
  SCHEDULE = 11,
  ENTRY = 15,
  VOLUME_GEOMETRY = 23,
  ATTENTION = 24,
  LSTM_GEOMETRY = 25,
  GROUP_GEOMETRY = 26,
  SEMANTICS = 30,
};

// What becomes of a number: NUMBER: itself. F32: the bits of the F32 nearest to it.
enum class Reading : uint8_t {
  NUMBER = 0,
  F32 = 1,
};

// Dependency bits: the word issues only when every earlier result of that kind is visible.
enum class Dep : uint8_t {
  COMPUTE = 1,
  LOAD = 2,
  STORE = 4,
};

// `aux` of RED, FOLD, SCAN and REDUCE.
enum class Reduce : uint8_t {
  SUM = 0,
  MAX = 1,
  MIN = 2,
  PROD = 3,
  AND = 4,
  OR = 5,
  XOR = 6,
};

// `d_aux` of CMP. O… are false, U… true when an operand is NaN.
enum class Predicate : uint8_t {
  FALSE = 0,
  OEQ = 1,
  OGT = 2,
  OGE = 3,
  OLT = 4,
  OLE = 5,
  ONE = 6,
  ORD = 7,
  UEQ = 8,
  UGT = 9,
  UGE = 10,
  ULT = 11,
  ULE = 12,
  UNE = 13,
  UNO = 14,
  TRUE = 15,
};

// Bits of one element in memory; 0 where the packing decides.
constexpr unsigned dtype_bits(DType type) {
  switch (type) {
    case DType::BOOL: return 8;
    case DType::I8: return 8;
    case DType::U8: return 8;
    case DType::I16: return 16;
    case DType::U16: return 16;
    case DType::I32: return 32;
    case DType::U32: return 32;
    case DType::I64: return 64;
    case DType::U64: return 64;
    case DType::F16: return 16;
    case DType::BF16: return 16;
    case DType::F32: return 32;
    case DType::F64: return 64;
    case DType::TRIT: return 0;
    case DType::I4: return 0;
  }
  return 0;
}

// Whether lanes of this type are 64 bits wide and live in pairs of registers.
constexpr bool is_wide(DType type) {
  return type == DType::I64 || type == DType::U64 || type == DType::F64;
}

// A dense row-major tensor in one memory region.
struct Tensor {
  Region region;  // memory region
  DType dtype;  // element type
  Packing packing;  // packing of the elements
  uint8_t rank;  // number of dimensions, at most 8
  uint32_t slot;  // argument number for INPUT and OUTPUT, else 0
  uint64_t offset;  // byte offset in the region, aligned to the element
  uint64_t bytes;  // size in bytes: rows times the bytes of a packed row
  uint32_t dims[8];  // sizes, outermost first; 0 beyond the rank
  uint32_t name;  // name, for people; index into strings
  uint8_t reserved_60[4];  // zero
};
static_assert(sizeof(Tensor) == 64);
static_assert(offsetof(Tensor, region) == 0);
static_assert(offsetof(Tensor, dtype) == 1);
static_assert(offsetof(Tensor, packing) == 2);
static_assert(offsetof(Tensor, rank) == 3);
static_assert(offsetof(Tensor, slot) == 4);
static_assert(offsetof(Tensor, offset) == 8);
static_assert(offsetof(Tensor, bytes) == 16);
static_assert(offsetof(Tensor, dims) == 24);
static_assert(offsetof(Tensor, name) == 56);

// out[b,m,n] = sum over ascending k of lhs[b,m,k] * rhs[b,n,k]; strides in elements, out is dense.
struct GemmGeometry {
  uint32_t batch;  // number of independent products
  uint32_t m;  // rows of lhs and out
  uint32_t n;  // columns of out, the output channels
  uint32_t k;  // reduction length
  uint32_t lhs_batch_stride;  // elements between the lhs of two products (0: shared)
  uint32_t lhs_m_stride;  // elements between two rows of lhs
  uint32_t lhs_k_stride;  // elements between two k of lhs
  uint32_t rhs_batch_stride;  // elements between the rhs of two products (0: shared)
  uint32_t rhs_n_stride;  // elements between two n of rhs; packed rhs: k, rows are padded to bytes
  uint32_t rhs_k_stride;  // elements between two k of rhs; packed rhs: 1
  int32_t lhs_zero;  // zero point subtracted from every integer lhs element
  uint8_t reserved_44[20];  // zero
};
static_assert(sizeof(GemmGeometry) == 64);
static_assert(offsetof(GemmGeometry, batch) == 0);
static_assert(offsetof(GemmGeometry, m) == 4);
static_assert(offsetof(GemmGeometry, n) == 8);
static_assert(offsetof(GemmGeometry, k) == 12);
static_assert(offsetof(GemmGeometry, lhs_batch_stride) == 16);
static_assert(offsetof(GemmGeometry, lhs_m_stride) == 20);
static_assert(offsetof(GemmGeometry, lhs_k_stride) == 24);
static_assert(offsetof(GemmGeometry, rhs_batch_stride) == 28);
static_assert(offsetof(GemmGeometry, rhs_n_stride) == 32);
static_assert(offsetof(GemmGeometry, rhs_k_stride) == 36);
static_assert(offsetof(GemmGeometry, lhs_zero) == 40);

// A sliding window over NCHW, for CONV2D and POOL; padding at the bottom and right follows from the output size.
struct WindowGeometry {
  uint32_t batch;  // images
  uint32_t in_channels;  // input channels
  uint32_t in_height;  // input rows
  uint32_t in_width;  // input columns
  uint32_t out_channels;  // output channels (POOL: as input)
  uint32_t out_height;  // output rows
  uint32_t out_width;  // output columns
  uint32_t kernel_height;  // window rows
  uint32_t kernel_width;  // window columns
  uint16_t stride_height;  // rows between two windows, at least 1
  uint16_t stride_width;  // columns between two windows, at least 1
  uint16_t dilation_height;  // rows between two taps, at least 1
  uint16_t dilation_width;  // columns between two taps, at least 1
  uint16_t pad_top;  // rows of padding above
  uint16_t pad_left;  // columns of padding on the left
  uint16_t pad_bottom;  // rows of padding below that count as window taps (average pooling)
  uint16_t pad_right;  // columns of padding on the right that count as window taps (average pooling)
  uint32_t groups;  // channel groups (POOL: 1)
  int32_t lhs_zero;  // zero point subtracted from every integer input element
  PoolMode mode;  // pooling mode (CONV2D: NONE)
  uint8_t reserved_61[3];  // zero
};
static_assert(sizeof(WindowGeometry) == 64);
static_assert(offsetof(WindowGeometry, batch) == 0);
static_assert(offsetof(WindowGeometry, in_channels) == 4);
static_assert(offsetof(WindowGeometry, in_height) == 8);
static_assert(offsetof(WindowGeometry, in_width) == 12);
static_assert(offsetof(WindowGeometry, out_channels) == 16);
static_assert(offsetof(WindowGeometry, out_height) == 20);
static_assert(offsetof(WindowGeometry, out_width) == 24);
static_assert(offsetof(WindowGeometry, kernel_height) == 28);
static_assert(offsetof(WindowGeometry, kernel_width) == 32);
static_assert(offsetof(WindowGeometry, stride_height) == 36);
static_assert(offsetof(WindowGeometry, stride_width) == 38);
static_assert(offsetof(WindowGeometry, dilation_height) == 40);
static_assert(offsetof(WindowGeometry, dilation_width) == 42);
static_assert(offsetof(WindowGeometry, pad_top) == 44);
static_assert(offsetof(WindowGeometry, pad_left) == 46);
static_assert(offsetof(WindowGeometry, pad_bottom) == 48);
static_assert(offsetof(WindowGeometry, pad_right) == 50);
static_assert(offsetof(WindowGeometry, groups) == 52);
static_assert(offsetof(WindowGeometry, lhs_zero) == 56);
static_assert(offsetof(WindowGeometry, mode) == 60);

// A sliding window over NCDHW, for CONV3D; padding behind follows from the output size.
struct VolumeGeometry {
  uint32_t batch;  // volumes
  uint32_t in_channels;  // input channels
  uint32_t in_depth;  // input planes
  uint32_t in_height;  // input rows
  uint32_t in_width;  // input columns
  uint32_t out_channels;  // output channels
  uint32_t out_depth;  // output planes
  uint32_t out_height;  // output rows
  uint32_t out_width;  // output columns
  uint32_t kernel_depth;  // window planes
  uint32_t kernel_height;  // window rows
  uint32_t kernel_width;  // window columns
  uint16_t stride_depth;  // planes between two windows, at least 1
  uint16_t stride_height;  // rows between two windows, at least 1
  uint16_t stride_width;  // columns between two windows, at least 1
  uint16_t dilation_depth;  // planes between two taps, at least 1
  uint16_t dilation_height;  // rows between two taps, at least 1
  uint16_t dilation_width;  // columns between two taps, at least 1
  uint16_t pad_front;  // planes of padding in front
  uint16_t pad_top;  // rows of padding above
  uint16_t pad_left;  // columns of padding on the left
  uint8_t reserved_66[2];  // zero
  uint32_t groups;  // channel groups
  int32_t lhs_zero;  // zero point subtracted from every integer input element
  uint8_t reserved_76[4];  // zero
};
static_assert(sizeof(VolumeGeometry) == 80);
static_assert(offsetof(VolumeGeometry, batch) == 0);
static_assert(offsetof(VolumeGeometry, in_channels) == 4);
static_assert(offsetof(VolumeGeometry, in_depth) == 8);
static_assert(offsetof(VolumeGeometry, in_height) == 12);
static_assert(offsetof(VolumeGeometry, in_width) == 16);
static_assert(offsetof(VolumeGeometry, out_channels) == 20);
static_assert(offsetof(VolumeGeometry, out_depth) == 24);
static_assert(offsetof(VolumeGeometry, out_height) == 28);
static_assert(offsetof(VolumeGeometry, out_width) == 32);
static_assert(offsetof(VolumeGeometry, kernel_depth) == 36);
static_assert(offsetof(VolumeGeometry, kernel_height) == 40);
static_assert(offsetof(VolumeGeometry, kernel_width) == 44);
static_assert(offsetof(VolumeGeometry, stride_depth) == 48);
static_assert(offsetof(VolumeGeometry, stride_height) == 50);
static_assert(offsetof(VolumeGeometry, stride_width) == 52);
static_assert(offsetof(VolumeGeometry, dilation_depth) == 54);
static_assert(offsetof(VolumeGeometry, dilation_height) == 56);
static_assert(offsetof(VolumeGeometry, dilation_width) == 58);
static_assert(offsetof(VolumeGeometry, pad_front) == 60);
static_assert(offsetof(VolumeGeometry, pad_top) == 62);
static_assert(offsetof(VolumeGeometry, pad_left) == 64);
static_assert(offsetof(VolumeGeometry, groups) == 68);
static_assert(offsetof(VolumeGeometry, lhs_zero) == 72);

// out[b,h,i] = sum over j of softmax over j of score(b,h,i,j), times v[b,h / shared,j]; strides in elements, out is
// dense, or [b,i,h] is. score = lhs[b,h,i] · rhs[b,h / shared,j] · scale, then the mask, then hidden elements become
// `fill`.
struct AttentionGeometry {
  uint32_t batch;  // sequences
  uint32_t groups;  // heads of keys and values
  uint32_t shared;  // query heads of each of them, which follow each other
  uint32_t rows;  // queries of a head
  uint32_t columns;  // keys of a head
  uint32_t width;  // elements of a query and of a key
  uint32_t value_width;  // elements of a value
  uint32_t lhs_batch_stride;  // elements between the queries of two sequences
  uint32_t lhs_head_stride;  // elements between the queries of two heads
  uint32_t lhs_row_stride;  // elements between two queries
  uint32_t lhs_stride;  // elements between two elements of a query
  uint32_t rhs_batch_stride;  // elements between the keys of two sequences
  uint32_t rhs_group_stride;  // elements between the keys of two heads
  uint32_t rhs_row_stride;  // elements between two keys
  uint32_t rhs_stride;  // elements between two elements of a key
  uint32_t value_batch_stride;  // elements between the values of two sequences
  uint32_t value_group_stride;  // elements between the values of two heads
  uint32_t value_row_stride;  // elements between two values
  uint32_t value_stride;  // elements between two elements of a value
  uint32_t mask_batch_stride;  // elements between the masks of two sequences (0: shared)
  uint32_t mask_head_stride;  // elements between the masks of two query heads (0: shared)
  uint32_t mask_row_stride;  // elements between the masks of two queries (0: shared)
  uint32_t mask_column_stride;  // elements between the masks of two keys (0: shared)
  float scale;  // factor of the scores
  float fill;  // score of what is hidden
  int32_t offset;  // causal: query i sees the keys up to i + offset
  MaskMode mask;  // how the mask is applied
  uint8_t causal;  // 1: later keys are hidden
  uint8_t clear;  // 1: the weights of what is hidden become +0
  uint8_t out_by_rows;  // 1: out lies as [b,i,h], with the heads of a query side by side
  uint8_t reserved_108[4];  // zero
};
static_assert(sizeof(AttentionGeometry) == 112);
static_assert(offsetof(AttentionGeometry, batch) == 0);
static_assert(offsetof(AttentionGeometry, groups) == 4);
static_assert(offsetof(AttentionGeometry, shared) == 8);
static_assert(offsetof(AttentionGeometry, rows) == 12);
static_assert(offsetof(AttentionGeometry, columns) == 16);
static_assert(offsetof(AttentionGeometry, width) == 20);
static_assert(offsetof(AttentionGeometry, value_width) == 24);
static_assert(offsetof(AttentionGeometry, lhs_batch_stride) == 28);
static_assert(offsetof(AttentionGeometry, lhs_head_stride) == 32);
static_assert(offsetof(AttentionGeometry, lhs_row_stride) == 36);
static_assert(offsetof(AttentionGeometry, lhs_stride) == 40);
static_assert(offsetof(AttentionGeometry, rhs_batch_stride) == 44);
static_assert(offsetof(AttentionGeometry, rhs_group_stride) == 48);
static_assert(offsetof(AttentionGeometry, rhs_row_stride) == 52);
static_assert(offsetof(AttentionGeometry, rhs_stride) == 56);
static_assert(offsetof(AttentionGeometry, value_batch_stride) == 60);
static_assert(offsetof(AttentionGeometry, value_group_stride) == 64);
static_assert(offsetof(AttentionGeometry, value_row_stride) == 68);
static_assert(offsetof(AttentionGeometry, value_stride) == 72);
static_assert(offsetof(AttentionGeometry, mask_batch_stride) == 76);
static_assert(offsetof(AttentionGeometry, mask_head_stride) == 80);
static_assert(offsetof(AttentionGeometry, mask_row_stride) == 84);
static_assert(offsetof(AttentionGeometry, mask_column_stride) == 88);
static_assert(offsetof(AttentionGeometry, scale) == 92);
static_assert(offsetof(AttentionGeometry, fill) == 96);
static_assert(offsetof(AttentionGeometry, offset) == 100);
static_assert(offsetof(AttentionGeometry, mask) == 104);
static_assert(offsetof(AttentionGeometry, causal) == 105);
static_assert(offsetof(AttentionGeometry, clear) == 106);
static_assert(offsetof(AttentionGeometry, out_by_rows) == 107);

// out[m,n] = sum over k of lhs[m,k] * rhs[n,k] * scale[n, k / group]; rhs has a packed row for each group.
struct GroupGeometry {
  uint32_t m;  // rows of lhs and out
  uint32_t n;  // columns of out, the output channels
  uint32_t k;  // reduction length, a multiple of group
  uint32_t group;  // k that share a scale
  uint32_t lhs_m_stride;  // elements between two rows of lhs
  uint32_t lhs_k_stride;  // elements between two k of lhs
  int32_t lhs_zero;  // zero point subtracted from every integer lhs element
  uint32_t scales;  // F32 scales in WEIGHTS: k / group of each n; index into tensor
  Activations activations;  // what is done to lhs first
  uint8_t reserved_33[31];  // zero
};
static_assert(sizeof(GroupGeometry) == 64);
static_assert(offsetof(GroupGeometry, m) == 0);
static_assert(offsetof(GroupGeometry, n) == 4);
static_assert(offsetof(GroupGeometry, k) == 8);
static_assert(offsetof(GroupGeometry, group) == 12);
static_assert(offsetof(GroupGeometry, lhs_m_stride) == 16);
static_assert(offsetof(GroupGeometry, lhs_k_stride) == 20);
static_assert(offsetof(GroupGeometry, lhs_zero) == 24);
static_assert(offsetof(GroupGeometry, scales) == 28);
static_assert(offsetof(GroupGeometry, activations) == 32);

// out[t,d,b] = h = o * tanh(c), where c = f * c before + i * g; i, o, f = sigmoid and g = tanh of gates lhs[t,b] ·
// rhs[d] + h before · recurrent[d] + biases. All operands are dense; behind the steps of out may stand c.
struct LstmGeometry {
  uint32_t steps;  // steps of a sequence
  uint32_t batch;  // sequences
  uint32_t width;  // elements of an input
  uint32_t hidden;  // elements of a state
  Direction direction;  // which way steps follow each other
  GateOrder order;  // which gate comes where
  uint8_t bias;  // 1: a bias is added to the product of the input
  uint8_t recurrent_bias;  // 1: a bias is added to the product of the state
  uint8_t initial;  // 1: the first states are operands, else +0
  uint8_t cell;  // 1: the last cell states follow the steps of out
  uint8_t reserved_22[10];  // zero
};
static_assert(sizeof(LstmGeometry) == 32);
static_assert(offsetof(LstmGeometry, steps) == 0);
static_assert(offsetof(LstmGeometry, batch) == 4);
static_assert(offsetof(LstmGeometry, width) == 8);
static_assert(offsetof(LstmGeometry, hidden) == 12);
static_assert(offsetof(LstmGeometry, direction) == 16);
static_assert(offsetof(LstmGeometry, order) == 17);
static_assert(offsetof(LstmGeometry, bias) == 18);
static_assert(offsetof(LstmGeometry, recurrent_bias) == 19);
static_assert(offsetof(LstmGeometry, initial) == 20);
static_assert(offsetof(LstmGeometry, cell) == 21);

// How a launch is cut into tiles. It changes time, never values.
struct Schedule {
  Dataflow dataflow;  // what stays in the array
  uint8_t buffers;  // buffers per streamed operand, at least 1
  ZeroSkip zero_skip;  // zero-skip mode
  LoopOrder order;  // which output tiles follow each other
  uint32_t tile_m;  // rows of an output tile
  uint32_t tile_n;  // columns of an output tile
  uint32_t tile_k;  // reduction length of a step
  uint32_t block_m;  // rows of a block of the output, 0: all
  uint32_t block_n;  // columns of a block of the output, 0: all
  uint32_t block_k;  // reduction length for all tiles of a block before the next, 0: all
  uint8_t reserved_28[4];  // zero
};
static_assert(sizeof(Schedule) == 32);
static_assert(offsetof(Schedule, dataflow) == 0);
static_assert(offsetof(Schedule, buffers) == 1);
static_assert(offsetof(Schedule, zero_skip) == 2);
static_assert(offsetof(Schedule, order) == 3);
static_assert(offsetof(Schedule, tile_m) == 4);
static_assert(offsetof(Schedule, tile_n) == 8);
static_assert(offsetof(Schedule, tile_k) == 12);
static_assert(offsetof(Schedule, block_m) == 16);
static_assert(offsetof(Schedule, block_n) == 20);
static_assert(offsetof(Schedule, block_k) == 24);

// A set of fabric tiles, at most 256.
struct Mask {
  uint64_t words[4];  // bit i of word i // 64 is tile i
};
static_assert(sizeof(Mask) == 32);
static_assert(offsetof(Mask, words) == 0);

// A kernel launch. Descriptors of an entry start in order, each when the tokens it waits for are signalled.
struct Descriptor {
  Kind kind;  // the kernel
  uint8_t reserved_1[1];  // zero
  uint16_t waits_count;  // number of tokens to wait for
  uint32_t lhs;  // left operand, input or source; index into tensor, or NO_INDEX
  uint32_t rhs;  // right operand, the weights; index into tensor, or NO_INDEX
  uint32_t out;  // result; index into tensor, or NO_INDEX
  uint32_t geometry;  // sizes, of the table that belongs to the kind; index into geometry, or NO_INDEX
  uint32_t schedule;  // tiling; index into schedule, or NO_INDEX
  uint32_t mask;  // fabric tiles it runs on; index into mask
  uint32_t program;  // VECTOR: the program; else the epilogue; index into program, or NO_INDEX
  uint32_t args_first;  // first operand window, or further operand, in the args table
  uint16_t args_count;  // number of operand windows or further operands, at most 16
  uint8_t reserved_38[2];  // zero
  uint32_t waits_first;  // first token in the waits table
  uint32_t signal;  // token that is signalled when the result is visible; each once
  uint32_t telemetry;  // the layer it belongs to; index into telemetry, or NO_INDEX
  uint32_t name;  // name, for people; index into strings
  uint8_t reserved_56[8];  // zero
};
static_assert(sizeof(Descriptor) == 64);
static_assert(offsetof(Descriptor, kind) == 0);
static_assert(offsetof(Descriptor, waits_count) == 2);
static_assert(offsetof(Descriptor, lhs) == 4);
static_assert(offsetof(Descriptor, rhs) == 8);
static_assert(offsetof(Descriptor, out) == 12);
static_assert(offsetof(Descriptor, geometry) == 16);
static_assert(offsetof(Descriptor, schedule) == 20);
static_assert(offsetof(Descriptor, mask) == 24);
static_assert(offsetof(Descriptor, program) == 28);
static_assert(offsetof(Descriptor, args_first) == 32);
static_assert(offsetof(Descriptor, args_count) == 36);
static_assert(offsetof(Descriptor, waits_first) == 40);
static_assert(offsetof(Descriptor, signal) == 44);
static_assert(offsetof(Descriptor, telemetry) == 48);
static_assert(offsetof(Descriptor, name) == 52);

// A SIW program: a range of words.
struct Program {
  ProgramKind kind;  // how it is launched
  uint8_t windows;  // operand windows it addresses, at most 16
  uint8_t reserved_2[2];  // zero
  uint32_t first_word;  // first word in the SIW section
  uint32_t word_count;  // number of words, the last holds END
  uint32_t name;  // name, for people; index into strings
  uint64_t max_steps;  // words it executes at most, loops unrolled
  uint8_t reserved_24[8];  // zero
};
static_assert(sizeof(Program) == 32);
static_assert(offsetof(Program, kind) == 0);
static_assert(offsetof(Program, windows) == 1);
static_assert(offsetof(Program, first_word) == 4);
static_assert(offsetof(Program, word_count) == 8);
static_assert(offsetof(Program, name) == 12);
static_assert(offsetof(Program, max_steps) == 16);

// An entry point: a range of descriptors and what they run on.
struct Entry {
  uint32_t name;  // name; index into strings
  uint32_t first_descriptor;  // first descriptor
  uint32_t descriptor_count;  // number of descriptors; 0 where no output has elements
  uint32_t inputs_first;  // first input in IO_SIG
  uint32_t inputs_count;  // number of inputs
  uint32_t outputs_first;  // first output in IO_SIG
  uint32_t outputs_count;  // number of outputs
  uint8_t reserved_28[4];  // zero
  uint64_t scratch_bytes;  // size of the scratch arena
  uint8_t reserved_40[24];  // zero
};
static_assert(sizeof(Entry) == 64);
static_assert(offsetof(Entry, name) == 0);
static_assert(offsetof(Entry, first_descriptor) == 4);
static_assert(offsetof(Entry, descriptor_count) == 8);
static_assert(offsetof(Entry, inputs_first) == 12);
static_assert(offsetof(Entry, inputs_count) == 16);
static_assert(offsetof(Entry, outputs_first) == 20);
static_assert(offsetof(Entry, outputs_count) == 24);
static_assert(offsetof(Entry, scratch_bytes) == 32);

// An input or output of an entry point; its tensor gives shape, dtype and slot.
struct Io {
  uint32_t name;  // name; index into strings
  uint32_t tensor;  // its tensor; index into tensor
  Meaning meaning;  // what its elements stand for
  uint8_t reserved_9[7];  // zero
};
static_assert(sizeof(Io) == 16);
static_assert(offsetof(Io, name) == 0);
static_assert(offsetof(Io, tensor) == 4);
static_assert(offsetof(Io, meaning) == 8);

// A persistent buffer of a context, zero at first.
struct State {
  uint32_t name;  // name; index into strings
  uint8_t reserved_4[4];  // zero
  uint64_t offset;  // byte offset in the state region
  uint64_t bytes;  // size in bytes
  uint8_t reserved_24[8];  // zero
};
static_assert(sizeof(State) == 32);
static_assert(offsetof(State, name) == 0);
static_assert(offsetof(State, offset) == 8);
static_assert(offsetof(State, bytes) == 16);

// What the compiler knows of a layer's weights; counted after quantization.
struct Telemetry {
  uint32_t layer;  // layer name; index into strings
  uint32_t mask;  // fabric tiles of the layer; index into mask
  uint64_t zero_count;  // weights that are zero
  uint64_t total;  // all weights
  float sparsity;  // zero_count / total, 0 without weights
  int32_t fusion_order;  // position in a fused run, -1 when not fused
  float fusion_sparsity;  // sparsity over the whole fused run
  uint8_t reserved_36[4];  // zero
};
static_assert(sizeof(Telemetry) == 40);
static_assert(offsetof(Telemetry, layer) == 0);
static_assert(offsetof(Telemetry, mask) == 4);
static_assert(offsetof(Telemetry, zero_count) == 8);
static_assert(offsetof(Telemetry, total) == 16);
static_assert(offsetof(Telemetry, sparsity) == 24);
static_assert(offsetof(Telemetry, fusion_order) == 28);
static_assert(offsetof(Telemetry, fusion_sparsity) == 32);

// Where a record comes from.
struct Debug {
  uint32_t descriptor;  // descriptor; index into descriptor
  uint32_t location;  // source location, e.g. the ONNX node; index into strings
  uint8_t reserved_8[8];  // zero
};
static_assert(sizeof(Debug) == 16);
static_assert(offsetof(Debug, descriptor) == 0);
static_assert(offsetof(Debug, location) == 4);

// Where words of a launch's program come from, if not from where the launch does. Each slot of a word at most once.
struct Origin {
  uint32_t descriptor;  // descriptor; index into descriptor
  uint32_t location;  // source location, e.g. the ONNX node; index into strings
  uint32_t first_word;  // first word, counted from the program's first
  uint16_t word_count;  // number of words
  uint8_t slots;  // slots that come from there: bit 0 is D, 1 is S, 2 is C
  uint8_t reserved_15[1];  // zero
};
static_assert(sizeof(Origin) == 16);
static_assert(offsetof(Origin, descriptor) == 0);
static_assert(offsetof(Origin, location) == 4);
static_assert(offsetof(Origin, first_word) == 8);
static_assert(offsetof(Origin, word_count) == 12);
static_assert(offsetof(Origin, slots) == 14);

// A run-time size of an entry point. Entries of one name share it among ranges of sizes that are disjoint.
struct Size {
  uint32_t entry;  // the entry point; index into entry
  uint32_t name;  // name; index into strings
  uint32_t low;  // least value
  uint32_t high;  // greatest value, the one of the other tables
};
static_assert(sizeof(Size) == 16);
static_assert(offsetof(Size, entry) == 0);
static_assert(offsetof(Size, name) == 4);
static_assert(offsetof(Size, low) == 8);
static_assert(offsetof(Size, high) == 12);

// A number that depends on the sizes of an entry point: the sum of its terms over `divisor`, without a remainder.
struct Patch {
  uint32_t entry;  // the entry point whose sizes it depends on; index into entry
  uint32_t row;  // number of the record, or word
  uint32_t first_term;  // first term
  uint32_t divisor;  // what the sum is divided by
  uint16_t term_count;  // number of terms
  Patched section;  // section of the record
  Reading reading;  // what becomes of the number
  uint16_t at;  // first byte of the number in the record; first bit in an instruction word
  uint8_t shift;  // low bits of the number that are left out
  uint8_t part;  // 1: only as many bits as the field has; 0: the number must fit
};
static_assert(sizeof(Patch) == 24);
static_assert(offsetof(Patch, entry) == 0);
static_assert(offsetof(Patch, row) == 4);
static_assert(offsetof(Patch, first_term) == 8);
static_assert(offsetof(Patch, divisor) == 12);
static_assert(offsetof(Patch, term_count) == 16);
static_assert(offsetof(Patch, section) == 18);
static_assert(offsetof(Patch, reading) == 19);
static_assert(offsetof(Patch, at) == 20);
static_assert(offsetof(Patch, shift) == 22);
static_assert(offsetof(Patch, part) == 23);

// A term of a polynomial: coefficient · size₀^degree₀ · size₁^degree₁ ….
struct Term {
  int64_t coefficient;  // the factor, not 0
  uint8_t degrees[4];  // power of each size of the entry point
  uint8_t reserved_12[4];  // zero
};
static_assert(sizeof(Term) == 16);
static_assert(offsetof(Term, coefficient) == 0);
static_assert(offsetof(Term, degrees) == 8);

// An op of the network that a launch does a part of: what it is for and what it costs. A launch's first is its own.
struct Semantics {
  uint32_t descriptor;  // descriptor; index into descriptor
  uint32_t number;  // the op's place among those of its entry's network; several launches may do one op
  uint32_t phase;  // phase of the network, or nothing; index into strings
  uint32_t pattern;  // structures that it ends, joined by +, or nothing; index into strings
  uint64_t flops;  // operations, by the formulas of the compiler
  uint64_t bytes;  // bytes of operands and results in the network's own types
};
static_assert(sizeof(Semantics) == 32);
static_assert(offsetof(Semantics, descriptor) == 0);
static_assert(offsetof(Semantics, number) == 4);
static_assert(offsetof(Semantics, phase) == 8);
static_assert(offsetof(Semantics, pattern) == 12);
static_assert(offsetof(Semantics, flops) == 16);
static_assert(offsetof(Semantics, bytes) == 24);

// Opcodes of slot D.
enum class DOp : uint8_t {
  NOP = 0,  // nothing
  MOV = 1,  // vd = va, bits unchanged
  ADD = 2,  // vd = va + vb; integers wrap
  SUB = 3,  // vd = va - vb; integers wrap
  MUL = 4,  // vd = va * vb; integers wrap
  FMA = 5,  // vd = va * vb + vc, rounded once; integers wrap
  DIV = 6,  // vd = va / vb; integers truncate, x / 0 = 0, least / -1 = least
  MIN = 7,  // IEEE 754-2019 minimum: NaN wins, -0 < +0; integers by their sign
  MAX = 8,  // IEEE 754-2019 maximum: NaN wins, -0 < +0; integers by their sign
  NEG = 9,  // floats: the sign bit flipped; integers: 0 - va
  ABS = 10,  // floats: the sign bit cleared; integers: wraps at the least
  CMP = 11,  // vd = 1 where va aux vb holds, else 0, in 32-bit lanes; aux is a Predicate
  SEL = 12,  // vd = va != 0 ? vb : vc, bits unchanged (va as i32)
  AND = 13,  // bitwise and
  OR = 14,  // bitwise or
  XOR = 15,  // bitwise exclusive or
  SHL = 16,  // vd = va << vb; a count that is negative or at least the width gives 0
  SHRA = 17,  // arithmetic shift right; a count that is no bit number gives the sign
  SHRL = 18,  // logical shift right; a count that is no bit number gives 0
  FLOOR = 19,  // round towards minus infinity
  CEIL = 20,  // round towards plus infinity
  ROUND = 21,  // round to the nearest integer, ties to even
  TRUNC = 22,  // round towards zero
  // vd = va converted from type aux to the type; an integer is read from the low bits of the lane, BOOL as != 0; float
  // to integer truncates and saturates, NaN gives 0; integers wrap; to BOOL: != 0; to F16 and BF16: rounded to nearest
  // even, and kept in an f32 lane; a float type to itself keeps the bits, other conversions make NaN canonical
  CVT = 23,
  RED = 24,  // partial reduction: for i < VL in ascending order, vd[i mod 16] = vd[i mod 16] aux va[i]
  // combine the 16 partials p of va: for h in 8, 4, 2, 1: p[j] = p[j] aux p[j + h]; all VLMAX lanes of vd become p[0]
  FOLD = 25,
  SQRT = 26,  // square root, correctly rounded
  RSQRT = 27,  // 1 / sqrt
  EXP = 28,  // e to the power
  LOG = 29,  // natural logarithm
  TANH = 30,  // hyperbolic tangent
  ERF = 31,  // error function
  TERNARY = 32,  // vd = va > vb ? 1 : va < -vb ? -1 : 0, as i32
  TPOP = 33,  // for i < VL, vd[i mod 16] += va[i] != 0 (i32)
  TACC = 34,  // vd += va where vb (i32) is 1, vd -= va where it is -1, else unchanged
  REM = 35,  // remainder with the sign of va: floats exact (C's fmod), integers va - (va / vb) * vb
  ROUNDA = 36,  // round to the nearest integer, ties away from zero
  SIN = 37,  // sine
  COS = 38,  // cosine
  POW = 39,  // va to the power vb
  SIGMOID = 40,  // 1 / (1 + e to the power -va)
  GELU = 41,  // va * (1 + erf(va / sqrt(2))) / 2
  MOV64 = 42,  // MOV of 64-bit lanes
  SEL64 = 43,  // SEL of 64-bit lanes by a condition in 32-bit lanes
  SCAN = 44,  // inclusive scan: c = vb[0]; for i < VL in ascending order, c = c aux va[i], vd[i] = c
  LAST = 45,  // all VLMAX lanes of vd become va[VL - 1]
  LAST64 = 46,  // LAST of 64-bit lanes
};

// Opcodes of slot S.
enum class SOp : uint8_t {
  NOP = 0,  // nothing
  LD = 1,  // load: v[reg][i] = window[s[base] + imm + i * s[index]], widened to the lane
  // store: window[s[base] + imm + i * s[index]] = v[reg][i], in ascending i; integers keep their low bits, BOOL stores
  // v != 0, F16 and BF16 round to nearest even and keep the upper bits of a NaN
  ST = 2,
  GATHER = 3,  // v[reg][i] = window[s[base] + imm + v[index][i]]; v[index] as i32
  SCATTER = 4,  // window[s[base] + imm + v[index][i]] = v[reg][i], in ascending i
  LI = 5,  // s[reg] = imm
  LIH = 6,  // s[reg] = s[reg] << 17 | (imm & 0x1ffff), wraps
  ADDI = 7,  // s[reg] = s[base] + imm, wraps
  SADD = 8,  // s[reg] = s[base] + s[index], wraps
  SMUL = 9,  // s[reg] = s[base] * s[index], wraps
  GATHER64 = 10,  // GATHER with v[index] as i64
  SCATTER64 = 11,  // SCATTER with v[index] as i64
  INDEX = 12,  // v[reg][i] = s[base] + imm + i * s[index], wraps
  SGET = 13,  // s[reg] = v[index][0], sign-extended
  SSUB = 14,  // s[reg] = s[base] - s[index], wraps
  SMIN = 15,  // s[reg] = the lesser of s[base] and s[index]
  SMAX = 16,  // s[reg] = the greater of s[base] and s[index]
};

// Opcodes of slot C.
enum class COp : uint8_t {
  NOP = 0,  // nothing
  END = 1,  // the program ends after this word; only in the last word
  SETVL = 2,  // VL = imm, 1…VLMAX, from the next word on
  SETVLR = 3,  // VL = s[reg] clamped to 1…VLMAX, from the next word on
  // the next imm words (at least 1) run s[reg] times, not at all when it is below 1; loops nest, the inner one ends no
  // later
  LOOP = 4,
  // the next imm words (at least 1) do not run when s[reg] is 0; they end no later than the loop, and the skipped part,
  // around the word
  SKIP = 5,
  BREAK = 6,  // when s[reg] is 0 the innermost loop, which there must be, ends after this word
  // CVT in this slot: v[reg] = v[src] converted from type aux to the type; an integer is read from the low bits of the
  // lane, BOOL as != 0; float to integer truncates and saturates, NaN gives 0; integers wrap; to BOOL: != 0; to F16 and
  // BF16: rounded to nearest even, and kept in an f32 lane; a float type to itself keeps the bits, other conversions
  // make NaN canonical
  CAST = 7,
  REDUCE = 8,  // RED in this slot: for i < VL in ascending order, v[reg][i mod 16] = v[reg][i mod 16] aux v[src][i]
  RECV = 9,  // v[reg] = the next VL elements of window src, widened as by LD; its read cursor moves on by VL
  SEND = 10,  // the next VL elements of window src = v[reg], narrowed as by ST; its write cursor moves on by VL
};

// Which vector operands of an operation of slot D have 64-bit lanes, as bits: 1: d_vd, 2: d_va, 4: d_vb, 8: d_vc.
constexpr unsigned wide_operands(DOp op, DType type, uint8_t aux) {
  switch (op) {
    case DOp::ADD:
    case DOp::SUB:
    case DOp::MUL:
    case DOp::DIV:
    case DOp::MIN:
    case DOp::MAX:
    case DOp::AND:
    case DOp::OR:
    case DOp::XOR:
    case DOp::SHL:
    case DOp::SHRA:
    case DOp::SHRL:
    case DOp::REM:
    case DOp::POW:
    case DOp::SCAN: return (is_wide(type) ? 7 : 0);
    case DOp::FMA: return (is_wide(type) ? 15 : 0);
    case DOp::NEG:
    case DOp::ABS:
    case DOp::FLOOR:
    case DOp::CEIL:
    case DOp::ROUND:
    case DOp::TRUNC:
    case DOp::RED:
    case DOp::FOLD:
    case DOp::SQRT:
    case DOp::RSQRT:
    case DOp::EXP:
    case DOp::LOG:
    case DOp::TANH:
    case DOp::ERF:
    case DOp::ROUNDA:
    case DOp::SIN:
    case DOp::COS:
    case DOp::SIGMOID:
    case DOp::GELU: return (is_wide(type) ? 3 : 0);
    case DOp::CMP: return (is_wide(type) ? 6 : 0);
    case DOp::CVT: return (is_wide(type) ? 1 : 0) | (is_wide(static_cast<DType>(aux)) ? 2 : 0);
    case DOp::MOV64:
    case DOp::LAST64: return 3;
    case DOp::SEL64: return 13;
    default: return 0;
  }
}

// Which vector operands an operation of slot D reads, and which it writes, as the same bits.
constexpr unsigned read_operands(DOp op) {
  switch (op) {
    case DOp::MOV:
    case DOp::NEG:
    case DOp::ABS:
    case DOp::FLOOR:
    case DOp::CEIL:
    case DOp::ROUND:
    case DOp::TRUNC:
    case DOp::CVT:
    case DOp::FOLD:
    case DOp::SQRT:
    case DOp::RSQRT:
    case DOp::EXP:
    case DOp::LOG:
    case DOp::TANH:
    case DOp::ERF:
    case DOp::ROUNDA:
    case DOp::SIN:
    case DOp::COS:
    case DOp::SIGMOID:
    case DOp::GELU:
    case DOp::MOV64:
    case DOp::LAST:
    case DOp::LAST64: return 2;
    case DOp::ADD:
    case DOp::SUB:
    case DOp::MUL:
    case DOp::DIV:
    case DOp::MIN:
    case DOp::MAX:
    case DOp::CMP:
    case DOp::AND:
    case DOp::OR:
    case DOp::XOR:
    case DOp::SHL:
    case DOp::SHRA:
    case DOp::SHRL:
    case DOp::TERNARY:
    case DOp::REM:
    case DOp::POW:
    case DOp::SCAN: return 6;
    case DOp::FMA:
    case DOp::SEL:
    case DOp::SEL64: return 14;
    case DOp::RED:
    case DOp::TPOP: return 3;
    case DOp::TACC: return 7;
    default: return 0;
  }
}

constexpr unsigned written_operands(DOp op) {
  switch (op) {
    case DOp::MOV:
    case DOp::ADD:
    case DOp::SUB:
    case DOp::MUL:
    case DOp::FMA:
    case DOp::DIV:
    case DOp::MIN:
    case DOp::MAX:
    case DOp::NEG:
    case DOp::ABS:
    case DOp::CMP:
    case DOp::SEL:
    case DOp::AND:
    case DOp::OR:
    case DOp::XOR:
    case DOp::SHL:
    case DOp::SHRA:
    case DOp::SHRL:
    case DOp::FLOOR:
    case DOp::CEIL:
    case DOp::ROUND:
    case DOp::TRUNC:
    case DOp::CVT:
    case DOp::RED:
    case DOp::FOLD:
    case DOp::SQRT:
    case DOp::RSQRT:
    case DOp::EXP:
    case DOp::LOG:
    case DOp::TANH:
    case DOp::ERF:
    case DOp::TERNARY:
    case DOp::TPOP:
    case DOp::TACC:
    case DOp::REM:
    case DOp::ROUNDA:
    case DOp::SIN:
    case DOp::COS:
    case DOp::POW:
    case DOp::SIGMOID:
    case DOp::GELU:
    case DOp::MOV64:
    case DOp::SEL64:
    case DOp::SCAN:
    case DOp::LAST:
    case DOp::LAST64: return 1;
    default: return 0;
  }
}

// The name of an opcode of slot D.
constexpr const char* name_of(DOp op) {
  switch (op) {
    case DOp::NOP: return "NOP";
    case DOp::MOV: return "MOV";
    case DOp::ADD: return "ADD";
    case DOp::SUB: return "SUB";
    case DOp::MUL: return "MUL";
    case DOp::FMA: return "FMA";
    case DOp::DIV: return "DIV";
    case DOp::MIN: return "MIN";
    case DOp::MAX: return "MAX";
    case DOp::NEG: return "NEG";
    case DOp::ABS: return "ABS";
    case DOp::CMP: return "CMP";
    case DOp::SEL: return "SEL";
    case DOp::AND: return "AND";
    case DOp::OR: return "OR";
    case DOp::XOR: return "XOR";
    case DOp::SHL: return "SHL";
    case DOp::SHRA: return "SHRA";
    case DOp::SHRL: return "SHRL";
    case DOp::FLOOR: return "FLOOR";
    case DOp::CEIL: return "CEIL";
    case DOp::ROUND: return "ROUND";
    case DOp::TRUNC: return "TRUNC";
    case DOp::CVT: return "CVT";
    case DOp::RED: return "RED";
    case DOp::FOLD: return "FOLD";
    case DOp::SQRT: return "SQRT";
    case DOp::RSQRT: return "RSQRT";
    case DOp::EXP: return "EXP";
    case DOp::LOG: return "LOG";
    case DOp::TANH: return "TANH";
    case DOp::ERF: return "ERF";
    case DOp::TERNARY: return "TERNARY";
    case DOp::TPOP: return "TPOP";
    case DOp::TACC: return "TACC";
    case DOp::REM: return "REM";
    case DOp::ROUNDA: return "ROUNDA";
    case DOp::SIN: return "SIN";
    case DOp::COS: return "COS";
    case DOp::POW: return "POW";
    case DOp::SIGMOID: return "SIGMOID";
    case DOp::GELU: return "GELU";
    case DOp::MOV64: return "MOV64";
    case DOp::SEL64: return "SEL64";
    case DOp::SCAN: return "SCAN";
    case DOp::LAST: return "LAST";
    case DOp::LAST64: return "LAST64";
    default: return "no opcode";
  }
}

// Which vector operands of an operation of slot S have 64-bit lanes, as bits: 1: s_reg, 2: s_index.
constexpr unsigned wide_operands(SOp op, DType type) {
  switch (op) {
    case SOp::LD:
    case SOp::ST:
    case SOp::GATHER:
    case SOp::SCATTER:
    case SOp::INDEX: return (is_wide(type) ? 1 : 0);
    case SOp::GATHER64:
    case SOp::SCATTER64: return (is_wide(type) ? 1 : 0) | 2;
    case SOp::SGET: return (is_wide(type) ? 2 : 0);
    default: return 0;
  }
}

// Which vector operands an operation of slot S reads, and which it writes, as the same bits.
constexpr unsigned read_operands(SOp op) {
  switch (op) {
    case SOp::ST: return 1;
    case SOp::GATHER:
    case SOp::GATHER64:
    case SOp::SGET: return 2;
    case SOp::SCATTER:
    case SOp::SCATTER64: return 3;
    default: return 0;
  }
}

constexpr unsigned written_operands(SOp op) {
  switch (op) {
    case SOp::LD:
    case SOp::GATHER:
    case SOp::GATHER64:
    case SOp::INDEX: return 1;
    default: return 0;
  }
}

// The name of an opcode of slot S.
constexpr const char* name_of(SOp op) {
  switch (op) {
    case SOp::NOP: return "NOP";
    case SOp::LD: return "LD";
    case SOp::ST: return "ST";
    case SOp::GATHER: return "GATHER";
    case SOp::SCATTER: return "SCATTER";
    case SOp::LI: return "LI";
    case SOp::LIH: return "LIH";
    case SOp::ADDI: return "ADDI";
    case SOp::SADD: return "SADD";
    case SOp::SMUL: return "SMUL";
    case SOp::GATHER64: return "GATHER64";
    case SOp::SCATTER64: return "SCATTER64";
    case SOp::INDEX: return "INDEX";
    case SOp::SGET: return "SGET";
    case SOp::SSUB: return "SSUB";
    case SOp::SMIN: return "SMIN";
    case SOp::SMAX: return "SMAX";
    default: return "no opcode";
  }
}

// Which vector operands of an operation of slot C have 64-bit lanes, as bits: 1: c_reg, 2: c_src.
constexpr unsigned wide_operands(COp op, DType type, uint8_t aux) {
  switch (op) {
    case COp::CAST: return (is_wide(type) ? 1 : 0) | (is_wide(static_cast<DType>(aux)) ? 2 : 0);
    case COp::REDUCE: return (is_wide(type) ? 3 : 0);
    case COp::RECV:
    case COp::SEND: return (is_wide(type) ? 1 : 0);
    default: return 0;
  }
}

// Which vector operands an operation of slot C reads, and which it writes, as the same bits.
constexpr unsigned read_operands(COp op) {
  switch (op) {
    case COp::CAST: return 2;
    case COp::REDUCE: return 3;
    case COp::SEND: return 1;
    default: return 0;
  }
}

constexpr unsigned written_operands(COp op) {
  switch (op) {
    case COp::CAST:
    case COp::REDUCE:
    case COp::RECV: return 1;
    default: return 0;
  }
}

// The name of an opcode of slot C.
constexpr const char* name_of(COp op) {
  switch (op) {
    case COp::NOP: return "NOP";
    case COp::END: return "END";
    case COp::SETVL: return "SETVL";
    case COp::SETVLR: return "SETVLR";
    case COp::LOOP: return "LOOP";
    case COp::SKIP: return "SKIP";
    case COp::BREAK: return "BREAK";
    case COp::CAST: return "CAST";
    case COp::REDUCE: return "REDUCE";
    case COp::RECV: return "RECV";
    case COp::SEND: return "SEND";
    default: return "no opcode";
  }
}

// The fields of one instruction word. c_imm holds all its bits; c_src, c_type and c_aux, parts of it, are
// for the opcodes of slot C that move data.
struct Word {
  DOp d_op;  // bits 0…7
  DType d_type;  // bits 8…11
  uint8_t d_vd;  // bits 12…16
  uint8_t d_va;  // bits 17…21
  uint8_t d_vb;  // bits 22…26
  uint8_t d_vc;  // bits 27…31
  uint8_t d_aux;  // bits 32…39
  SOp s_op;  // bits 40…47
  DType s_type;  // bits 48…51
  uint8_t s_reg;  // bits 52…56
  uint8_t s_win;  // bits 57…60
  uint8_t s_base;  // bits 61…65
  uint8_t s_index;  // bits 66…70
  int32_t s_imm;  // bits 71…87
  COp c_op;  // bits 88…95
  uint8_t c_reg;  // bits 96…100
  uint16_t c_imm;  // bits 101…116
  uint8_t c_zero;  // bits 117…119
  uint8_t deps;  // bits 120…122
  uint8_t left;  // bits 123…127
  uint8_t c_src;  // bits 101…105
  DType c_type;  // bits 106…109
  uint8_t c_aux;  // bits 110…113
};

constexpr std::size_t WORD_BYTES = WORD_BITS / 8;

// Decodes the word in the `WORD_BYTES` bytes at `data`, which need not be aligned.
inline Word decode_word(const uint8_t* data) {
  uint64_t part[2];
  std::memcpy(part, data, sizeof part);
  Word word;
  word.d_op = static_cast<DOp>((part[0] >> 0) & 0xffu);
  word.d_type = static_cast<DType>((part[0] >> 8) & 0xfu);
  word.d_vd = static_cast<uint8_t>((part[0] >> 12) & 0x1fu);
  word.d_va = static_cast<uint8_t>((part[0] >> 17) & 0x1fu);
  word.d_vb = static_cast<uint8_t>((part[0] >> 22) & 0x1fu);
  word.d_vc = static_cast<uint8_t>((part[0] >> 27) & 0x1fu);
  word.d_aux = static_cast<uint8_t>((part[0] >> 32) & 0xffu);
  word.s_op = static_cast<SOp>((part[0] >> 40) & 0xffu);
  word.s_type = static_cast<DType>((part[0] >> 48) & 0xfu);
  word.s_reg = static_cast<uint8_t>((part[0] >> 52) & 0x1fu);
  word.s_win = static_cast<uint8_t>((part[0] >> 57) & 0xfu);
  word.s_base = static_cast<uint8_t>(((part[0] >> 61 | part[1] << 3)) & 0x1fu);
  word.s_index = static_cast<uint8_t>((part[1] >> 2) & 0x1fu);
  word.s_imm = static_cast<int32_t>(((part[1] >> 7) & 0x1ffffu) ^ 0x10000u) - 0x10000;
  word.c_op = static_cast<COp>((part[1] >> 24) & 0xffu);
  word.c_reg = static_cast<uint8_t>((part[1] >> 32) & 0x1fu);
  word.c_imm = static_cast<uint16_t>((part[1] >> 37) & 0xffffu);
  word.c_zero = static_cast<uint8_t>((part[1] >> 53) & 0x7u);
  word.deps = static_cast<uint8_t>((part[1] >> 56) & 0x7u);
  word.left = static_cast<uint8_t>((part[1] >> 59) & 0x1fu);
  word.c_src = static_cast<uint8_t>((part[1] >> 37) & 0x1fu);
  word.c_type = static_cast<DType>((part[1] >> 42) & 0xfu);
  word.c_aux = static_cast<uint8_t>((part[1] >> 46) & 0xfu);
  return word;
}

}  // namespace tfmbs::abi
