// Movement programs: the rows of their tables.
// Generated from runtime/abi/movement by `python -m tfmbs.runtime.abi.movement.header`; do not edit.
#pragma once

#include <cstdint>

namespace tfmbs::movement {

enum class Op : int64_t {
  COPY = 0,
  GATHER = 1,
  FOLD = 2,
  EPILOGUE = 3,
  VECTOR = 4,
  POOL = 5,
  SOFTMAX = 6,
  QUANTIZE = 7,
  GATES = 8,
  CLEAR = 9,
  MAGNITUDE = 10,
};

enum class Memory : int64_t {
  WEIGHTS = 0,
  SCRATCH = 1,
  STATE = 2,
  L3 = 3,
  L2 = 4,
  WORKSPACE = 5,
  L1 = 1024,
  INPUT = 65536,
  OUTPUT = 4294967296,
};

enum class Control : int64_t {
  NONE = 0,
  SETVL = 1,
  SETVLR = 2,
  LOOP = 3,
  SKIP = 4,
  BREAK = 5,
  END = 6,
};

enum class ScalarOp : int64_t {
  NONE = 0,
  LI = 1,
  LIH = 2,
  ADDI = 3,
  SADD = 4,
  SSUB = 5,
  SMUL = 6,
  SMIN = 7,
  SMAX = 8,
  SGET = 9,
};

struct Movement {
  int64_t op;
  int64_t engine;
  int64_t queue;
  int64_t launch;
  int64_t tile;
  int64_t busy_ps;
  int64_t lag_ps;
  int64_t pipe_ps;
  int64_t bytes;
  int64_t source;
  int64_t target;
  int64_t macs;
  int64_t operations;
  int64_t wait_first;
  int64_t wait_count;
  int64_t part_first;
  int64_t part_count;
  int64_t parameter_first;
  int64_t parameter_count;
};
static_assert(sizeof(Movement) == 152);

struct Part {
  int64_t source;
  int64_t from;
  int64_t target;
  int64_t to;
  int64_t count0;
  int64_t from0;
  int64_t to0;
  int64_t count1;
  int64_t from1;
  int64_t to1;
  int64_t run;
};
static_assert(sizeof(Part) == 88);

struct Access {
  int64_t movement;
  int64_t memory;
  int64_t low;
  int64_t high;
  int64_t writes;
};
static_assert(sizeof(Access) == 40);

struct Token {
  int64_t launch;
  int64_t movement;
};
static_assert(sizeof(Token) == 16);

struct TimedWord {
  int64_t op_first;
  int64_t op_count;
  int64_t deps;
  int64_t left;
  int64_t control;
  int64_t condition;
  int64_t amount;
  int64_t scalar;
  int64_t scalar_target;
  int64_t base;
  int64_t index;
  int64_t immediate;
};
static_assert(sizeof(TimedWord) == 96);

struct TimedOp {
  int64_t number;
  int64_t slot;
  int64_t has_beats;
  int64_t least_lanes;
  int64_t is_scan;
  int64_t cycles;
  int64_t latency;
  int64_t ends_late;
  int64_t reads_end;
  int64_t accumulates;
  int64_t is_load;
  int64_t is_store;
  int64_t is_slow;
  int64_t window;
  int64_t is_indexed;
  int64_t is_stream;
  int64_t read_first;
  int64_t read_count;
  int64_t write_first;
  int64_t write_count;
};
static_assert(sizeof(TimedOp) == 160);

struct TimedWindow {
  int64_t memory;
  int64_t offset;
  int64_t element_bytes;
  int64_t elements;
};
static_assert(sizeof(TimedWindow) == 32);

struct TimedEngine {
  int64_t lanes;
  int64_t core_ps;
  int64_t dma_ps;
  int64_t width;
  int64_t external_per_million;
  int64_t max_words;
};
static_assert(sizeof(TimedEngine) == 48);

struct Gather {
  int64_t memory;
  int64_t address;
  int64_t pixel;
  int64_t rows;
  int64_t channels;
  int64_t element_bytes;
  int64_t rows_per_block;
  int64_t zero;
  int64_t blocks;
};
static_assert(sizeof(Gather) == 72);

struct Fold {
  int64_t memory;
  int64_t lhs;
  int64_t rhs;
  int64_t sums;
  int64_t rows;
  int64_t columns;
  int64_t depth;
  int64_t is_float;
  int64_t is_first;
  int64_t lhs_zero;
  int64_t packing;
  int64_t rhs_row_bytes;
  int64_t is_window;
  int64_t pixel;
  int64_t rhs_is_float;
  int64_t lhs_stride;
  int64_t sums_stride;
  int64_t group;
  int64_t factors;
  int64_t kept;
};
static_assert(sizeof(Fold) == 160);

struct Epilogue {
  int64_t memory;
  int64_t sums;
  int64_t out;
  int64_t rows;
  int64_t columns;
  int64_t is_window;
  int64_t element;
  int64_t stride;
  int64_t channel;
  int64_t channel_step;
  int64_t element_bytes;
  int64_t chunk_rows;
  int64_t windows;
};
static_assert(sizeof(Epilogue) == 104);

struct Vector {
  int64_t memory;
  int64_t accesses;
  int64_t is_first;
  int64_t is_direct;
  int64_t timed;
  int64_t stored_bytes;
  int64_t loads;
  int64_t stores;
};
static_assert(sizeof(Vector) == 64);

struct Pool {
  int64_t memory;
  int64_t in;
  int64_t out;
  int64_t is_wide;
  int64_t channels;
  int64_t first;
  int64_t lanes;
  int64_t first_row;
  int64_t rows;
};
static_assert(sizeof(Pool) == 72);

struct Softmax {
  int64_t memory;
  int64_t scores;
  int64_t rows;
  int64_t columns;
  int64_t first;
  int64_t mask;
  int64_t mask_row_stride;
  int64_t mask_column_stride;
};
static_assert(sizeof(Softmax) == 64);

struct Quantize {
  int64_t memory;
  int64_t in;
  int64_t out;
  int64_t factors;
  int64_t rows;
  int64_t columns;
};
static_assert(sizeof(Quantize) == 48);

struct Gates {
  int64_t memory;
  int64_t of_input;
  int64_t of_state;
  int64_t bias;
  int64_t recurrent_bias;
  int64_t cell;
  int64_t hidden;
  int64_t rows;
  int64_t columns;
};
static_assert(sizeof(Gates) == 72);

struct Clear {
  int64_t memory;
  int64_t address;
  int64_t bytes;
};
static_assert(sizeof(Clear) == 24);

struct Magnitude {
  int64_t memory;
  int64_t in;
  int64_t factors;
  int64_t rows;
  int64_t columns;
  int64_t is_first;
  int64_t is_last;
};
static_assert(sizeof(Magnitude) == 56);

}  // namespace tfmbs::movement
