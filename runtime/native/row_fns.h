// What convolutions of integers along padded rows take, and how they are called.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tfmbs {

struct ChainStep;

// Rows of padded elements, as bytes: u8 by 128 more than their i8 (QUADS), or i16 less the zero point (PAIRS).
struct PaddedRows {
  const int8_t* from;
  size_t stride, rows, count;  // elements from one row to the next, rows, elements of each
  int32_t zero;
  uint8_t* out;
  size_t pitch;  // bytes from one row to the next
  size_t planes, plane_in, plane_out;  // as many times, and from one plane to the next, elements and bytes
};

// Words under the windows of a line, of `channels` channels of each of `groups` groups: weights[c * taps + t] meets the
// word at from + group * apart + offsets[t] + i * step, for channel c of all, t < taps and output i < n; step is 1, 2
// or 4 bytes.
struct WindowWords {
  const uint8_t* from;
  size_t apart;
  const size_t* offsets;
  const uint32_t* weights;
  size_t taps;
  unsigned step;
  size_t groups, channels;
  uint32_t n;
  const int32_t* starts;  // by channel
};

struct RowFns {
  // Outputs that are computed together: the last of them may lie behind the last one that counts, in the results, and
  // in the words, four bytes for each at most and READ_BEHIND.
  static constexpr size_t TOGETHER = 64, READ_BEHIND = 16;

  unsigned bytes;  // of an element
  void (*pad)(const PaddedRows& rows);
  // out[c * stride + i] = starts[c] + the products.
  void (*window)(const WindowWords& words, int32_t* out, size_t stride);
  // The same through a chain that requantizes (chain.h), as bytes; channel c is row c of its operands. nullptr where
  // chains are interpreted.
  void (*narrow)(const WindowWords& words, const ChainStep* steps, uint8_t* out, size_t stride);
};

}  // namespace tfmbs
