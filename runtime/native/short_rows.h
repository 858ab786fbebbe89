// Rows of a few bytes, in pieces that are as long as they can be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

typedef uint64_t Sixteen __attribute__((vector_size(16)));
#if defined(__AVX512F__)
typedef uint64_t Widest __attribute__((vector_size(64)));
#elif defined(__AVX2__)
typedef uint64_t Widest __attribute__((vector_size(32)));
#else
typedef Sixteen Widest;
#endif
#if defined(__AVX2__)
typedef uint64_t Thirtytwo __attribute__((vector_size(32)));
#else
typedef Sixteen Thirtytwo;
#endif

template <class Bits>
struct Piece {
  using Type = Bits;
  static Bits load(const void* from) {
    Bits bits;
    std::memcpy(&bits, from, sizeof bits);
    return bits;
  }
  static void store(void* to, Bits bits) { std::memcpy(to, &bits, sizeof bits); }
};

// each(visit_row) calls visit_row(visit) for rows of `count` bytes; visit(Piece, byte) for pieces that cover those of a
// row and nothing else. The last one may begin within the one before. How long pieces are is known before the first
// row.
template <class Each>
[[gnu::always_inline]] inline void each_piece(size_t count, Each each) {
  const auto both_ends = [&](auto piece) __attribute__((always_inline)) {
    const size_t last = count - sizeof(typename decltype(piece)::Type);
    each([&](auto visit) __attribute__((always_inline)) {
      visit(piece, 0);
      visit(piece, last);
    });
  };
  if (count > 2 * sizeof(Widest)) {
    each([&](auto visit) __attribute__((always_inline)) {
      for (size_t i = 0; i + sizeof(Widest) < count; i += sizeof(Widest)) visit(Piece<Widest>(), i);
      visit(Piece<Widest>(), count - sizeof(Widest));
    });
  } else if (count >= sizeof(Widest)) both_ends(Piece<Widest>());
  else if (count >= sizeof(Thirtytwo)) both_ends(Piece<Thirtytwo>());
  else if (count >= sizeof(Sixteen)) both_ends(Piece<Sixteen>());
  else if (count >= 8) both_ends(Piece<uint64_t>());
  else if (count >= 4) both_ends(Piece<uint32_t>());
  else {
    each([&](auto visit) __attribute__((always_inline)) {
      for (size_t i = 0; i < count; ++i) visit(Piece<uint8_t>(), i);
    });
  }
}

// `count` bytes of each of `rows` rows.
inline void copy_rows(const uint8_t* from, size_t pitch, size_t rows, size_t count, uint8_t* to, size_t apart) {
  each_piece(count, [&](auto pieces) __attribute__((always_inline)) {
    for (size_t row = 0; row < rows; ++row, from += pitch, to += apart)
      pieces([&](auto piece, size_t i) __attribute__((always_inline)) { piece.store(to + i, piece.load(from + i)); });
  });
}

}  // namespace
