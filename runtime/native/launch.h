// The kernels behind the descriptor kinds. All work on bound operands that were checked when the image was loaded.
#pragma once

#include "context.h"

namespace tfmbs {

// Everything a kernel needs besides its operands.
struct Engine {
  const Kernels& kernels;
  Workers& workers;
  std::vector<std::unique_ptr<Worker>>& buffers;
  AlignedWords& lhs;         // the left operand of a GEMM, packed for all threads
  AlignedWords& recurrence;  // of an LSTM: what inputs contribute to gates, and cell states
  FiniteBlocks& known;       // of the state
};

// `weights` are the packed right operand.
void run_gemm(const Engine& engine, const Bound& bound, const PackedWeights& weights);
void run_conv(const Engine& engine, const Bound& bound, const PackedWeights& weights);
void run_groups(const Engine& engine, const Bound& bound, const PackedWeights& weights);
void run_pool(const Engine& engine, const Bound& bound);
// Whether a VECTOR is a stream (stream.h) that could run as one; else nothing was done.
bool run_stream(const Engine& engine, const Bound& bound);
// `lanes` outputs of a channel from `first` on, at most VLMAX, whose input is `plane`, as lanes, which are at the
// beginning of a buffer of POOL_WORDS.
constexpr uint64_t POOL_WORDS = 5 * abi::VLMAX + 128;
void pool_outputs(const Kernels& kernels, const Launch& launch, const uint8_t* plane, uint64_t first, uint32_t lanes,
                  uint32_t* results);
void run_attention(const Engine& engine, const Bound& bound);
// `recurrent` are the packed weights of states.
void run_lstm(const Engine& engine, const Bound& bound, const PackedWeights& weights, const PackedWeights& recurrent);
// Bytes that each thread needs for a launch; throws Error where they do not fit 64 bits.
uint64_t gemm_buffer_bytes(const Engine& engine, const Launch& launch);
// Bytes of the packed left operand, for all threads; throws as above.
uint64_t gemm_lhs_bytes(const Engine& engine, const Launch& launch);
uint64_t groups_buffer_bytes(const Engine& engine, const Launch& launch);
uint64_t groups_lhs_bytes(const Engine& engine, const Bound& bound);
uint64_t conv_buffer_bytes(const Engine& engine, const Launch& launch);
// Bytes of the words of an image, for all threads; throws as above.
uint64_t conv_lhs_bytes(const Engine& engine, const Launch& launch);
uint64_t attention_buffer_bytes(const Engine& engine, const Launch& launch);
// Bytes of all buffers of a launch.
uint64_t lstm_bytes(const Engine& engine, const Launch& launch);
// Taps on the input of all windows of a pooling.
uint64_t pool_taps(const Launch& launch);

// One chunk of a result: at most VLMAX elements that follow each other.
struct Chunk {
  uint64_t element;       // of the first one in the result
  uint32_t channel;       // output channel of the first one
  uint32_t channel_step;  // channels between two of them
  uint32_t lanes;
};
// Rows of chunks: how many, and from one to the next the accumulators, elements and channels.
struct ChunkRows {
  uint64_t count, accumulators, elements, channels;
};
// Applies the epilogue to accumulators and stores the results; of rows, `chunk` is the first. Whole groups of 16
// accumulators may be read.
void finish_chunk(const Engine& engine, const Bound& bound, Worker& worker, const void* accumulators,
                  const Chunk& chunk);
void finish_chunks(const Engine& engine, const Bound& bound, Worker& worker, const uint32_t* accumulators,
                   const Chunk& chunk, const ChunkRows& rows);
// Output channels whose accumulators a kernel finishes by itself: `chunks` chunks of them, `lanes` in all.
struct Finished {
  uint64_t channel, channels, chunks, lanes;
};
// Whether the epilogue is a chain that requantizes by channel (see RowFns). Then `steps` are its steps, rows of which
// are channels, and the work is counted as done; else it is for `finish_chunks`.
bool requantize(const Bound& bound, Worker& worker, const Finished& work, ChainStep* steps);
// Leaves sums of f32 as they are, but for NaNs.
extern const FloatEnds NO_ENDS;
// Whether the results are f32 that FloatEnds says how to make of sums, `ends` those of work.channel and the following
// ones, and the work is counted as done; else `ends` are NO_ENDS, and it is for `finish_chunks`.
bool find_ends(const Bound& bound, Worker& worker, const Finished& work, FloatEnds& ends);

}  // namespace tfmbs
