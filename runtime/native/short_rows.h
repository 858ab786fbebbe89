// Rows of a few bytes, in pieces that are as long as they can be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

typedef uint64_t Sixteen __attribute__((vector_size(16)));

template <class Bits>
struct Piece {
  static Bits load(const void* from) {
    Bits bits;
    std::memcpy(&bits, from, sizeof bits);
    return bits;
  }
  static void store(void* to, Bits bits) { std::memcpy(to, &bits, sizeof bits); }
};

// visit(Piece, byte) for pieces that cover `count` bytes and nothing else. The last one may begin within the one before.
template <class Visit>
[[gnu::always_inline]] inline void in_pieces(size_t count, Visit visit) {
  if (count >= 16) {
    for (size_t i = 0; i + 16 < count; i += 16) visit(Piece<Sixteen>(), i);
    visit(Piece<Sixteen>(), count - 16);
  } else if (count >= 8) {
    visit(Piece<uint64_t>(), 0);
    visit(Piece<uint64_t>(), count - 8);
  } else if (count >= 4) {
    visit(Piece<uint32_t>(), 0);
    visit(Piece<uint32_t>(), count - 4);
  } else {
    for (size_t i = 0; i < count; ++i) visit(Piece<uint8_t>(), i);
  }
}

// `count` bytes of each of `rows` rows.
inline void copy_rows(const uint8_t* from, size_t pitch, size_t rows, size_t count, uint8_t* to, size_t apart) {
  const auto each = [&](auto copy) {
    for (size_t row = 0; row < rows; ++row, from += pitch, to += apart) copy();
  };
  const auto both_ends = [&](auto piece) {
    const size_t last = count - sizeof(piece.load(from));
    each([&] {
      piece.store(to, piece.load(from));
      piece.store(to + last, piece.load(from + last));
    });
  };
  if (count > 32) each([&] { in_pieces(count, [&](auto piece, size_t i) { piece.store(to + i, piece.load(from + i)); }); });
  else if (count >= 16) both_ends(Piece<Sixteen>());
  else if (count >= 8) both_ends(Piece<uint64_t>());
  else if (count >= 4) both_ends(Piece<uint32_t>());
  else each([&] { for (size_t i = 0; i < count; ++i) to[i] = from[i]; });
}

}  // namespace
