#include "trits.h"

#include <array>

#include "abreast.h"
#include "error.h"

namespace tfmbs {
namespace {

struct Code {
  unsigned per_byte, base, codes;
};

Code code_of(abi::Packing packing) {
  switch (packing) {
    case abi::Packing::PT5: return {5, 3, 243};
    case abi::Packing::T2: return {4, 4, 256};
    case abi::Packing::NIBBLES: return {2, 16, 256};
    default: return {1, 1, 0};
  }
}

// The trits of every byte; -2 marks a byte (by its first trit) that is no code.
std::array<std::array<int8_t, 5>, 256> digits_of(const Code& code) {
  std::array<std::array<int8_t, 5>, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    bool valid = byte < code.codes;
    unsigned rest = byte;
    for (unsigned i = 0; i < code.per_byte; ++i, rest /= code.base) {
      const unsigned digit = rest % code.base;
      valid &= digit < 3;
      table[byte][i] = static_cast<int8_t>(static_cast<int>(digit) - 1);
    }
    if (!valid) table[byte][0] = -2;
  }
  return table;
}

[[noreturn]] void refuse(const std::string& where, uint64_t row, uint64_t byte, const char* what) {
  throw Error("record", where, "row " + std::to_string(row) + " byte " + std::to_string(byte) + " " + what);
}

std::vector<int8_t> unpack_nibbles(const uint8_t* data, uint64_t rows, uint64_t length, const std::string& where) {
  std::vector<int8_t> out(rows * length);
  const uint64_t row_bytes = length / 2 + length % 2;
  const auto value = [](unsigned nibble) { return static_cast<int8_t>(static_cast<int>(nibble ^ 8u) - 8); };
  for (uint64_t row = 0; row < rows; ++row, data += row_bytes) {
    int8_t* to = out.data() + row * length;
    for (uint64_t i = 0; i < length; ++i) to[i] = value(i % 2 ? data[i / 2] >> 4 : data[i / 2] & 15u);
    if (length % 2 && data[row_bytes - 1] >> 4) refuse(where, row, row_bytes - 1, "is padded with something but 0");
  }
  return out;
}

// One of how many trits may be other than 0; 0 for packings that hold any trits.
uint64_t share_of(abi::Packing packing) {
  return packing == abi::Packing::S2 ? 2 : packing == abi::Packing::S4 ? 4 : 0;
}

uint64_t up(uint64_t count, uint64_t unit) { return count / unit + (count % unit != 0); }

bool bit(const uint8_t* data, uint64_t i) { return data[i / 8] >> i % 8 & 1; }

// Flags of the trits that are not 0, then the signs of these.
std::vector<int8_t> unpack_sparse(const uint8_t* data, uint64_t rows, uint64_t length, abi::Packing packing,
                                  const std::string& where) {
  std::vector<int8_t> out(rows * length);
  const uint64_t flags = up(length, 8), most = up(length, share_of(packing)), row_bytes = flags + up(most, 8);
  for (uint64_t row = 0; row < rows; ++row, data += row_bytes) {
    const uint8_t* signs = data + flags;
    uint64_t found = 0;
    for (uint64_t i = 0; i < length; ++i) {
      if (!bit(data, i)) continue;
      if (found == most) refuse(where, row, i / 8, "has more trits that are not 0 than its packing holds");
      out[row * length + i] = bit(signs, found++) ? int8_t{-1} : int8_t{1};
    }
    for (uint64_t i = length; i < flags * 8; ++i)
      if (bit(data, i)) refuse(where, row, i / 8, "flags a trit behind the last");
    for (uint64_t i = found; i < (row_bytes - flags) * 8; ++i)
      if (bit(signs, i)) refuse(where, row, flags + i / 8, "has a sign of no trit");
  }
  return out;
}

// 13 bytes are the residue of no number of five ternary digits.
bool is_residue(unsigned byte) { return 243 * byte % 256 < 243; }

// Visits the trits of a byte of a row: visit(place in the row, trit).
template <class Visit>
void visit_residue(uint64_t byte, unsigned residue, Visit visit) {
  uint64_t i = byte / RESIDUE_BYTES * RESIDUE_TRITS + byte % RESIDUE_BYTES;
  for (; i < (byte / RESIDUE_BYTES + 1) * RESIDUE_TRITS; i += RESIDUE_BYTES, residue = 3 * residue & 255u)
    visit(i, static_cast<int8_t>(static_cast<int>(3 * residue >> 8) - 1));
}

void check_residues(const uint8_t* data, uint64_t rows, uint64_t length, const std::string& where) {
  const uint64_t row_bytes = residue_row_bytes(length), whole = length / RESIDUE_TRITS * RESIDUE_BYTES;
  for (uint64_t row = 0; row < rows; ++row, data += row_bytes) {
    unsigned bad = 0;
    for (uint64_t byte = 0; byte < row_bytes; ++byte) bad |= static_cast<unsigned>(!is_residue(data[byte]));
    for (uint64_t byte = 0; bad && byte < row_bytes; ++byte)
      if (!is_residue(data[byte])) refuse(where, row, byte, "is no code of its packing");
    for (uint64_t byte = whole; byte < row_bytes; ++byte)
      visit_residue(byte, data[byte], [&](uint64_t i, int8_t trit) {
        if (i >= length && trit) refuse(where, row, byte, "is padded with a trit that is not 0");
      });
  }
}

std::vector<int8_t> unpack_residues(const uint8_t* data, uint64_t rows, uint64_t length, const std::string& where) {
  check_residues(data, rows, length, where);
  std::vector<int8_t> out(rows * length);
  const uint64_t row_bytes = residue_row_bytes(length);
  for (uint64_t row = 0; row < rows; ++row, data += row_bytes)
    for (uint64_t byte = 0; byte < row_bytes; ++byte)
      visit_residue(byte, data[byte], [&](uint64_t i, int8_t trit) {
        if (i < length) out[row * length + i] = trit;
      });
  return out;
}

constexpr uint8_t ABREAST_ZEROS = 128;  // the byte of trits 0 of A5

std::vector<int8_t> unpack_abreast(const uint8_t* data, uint64_t rows, uint64_t length, const std::string& where) {
  static const CodesFn codes_before = kernels("").codes.abreast;
  check_abreast(data, rows, length, codes_before, where);
  std::vector<int8_t> out(rows * length);
  const uint64_t row_bytes = residue_row_bytes(length);
  for (uint64_t first = 0; first < rows; first += ABREAST_ROWS, data += ABREAST_ROWS * row_bytes)
    for (uint64_t block = 0; block < row_bytes; block += RESIDUE_BYTES)
      for (uint64_t row = first; row < rows && row < first + ABREAST_ROWS; ++row) {
        const uint8_t* const lines = data + abreast_place(row);
        for (uint64_t byte = block; byte < block + RESIDUE_BYTES; ++byte)
          visit_residue(byte, lines[byte * ABREAST_ROWS], [&](uint64_t i, int8_t trit) {
            if (i < length) out[row * length + i] = trit;
          });
      }
  return out;
}

}  // namespace

uint64_t packed_rows(abi::Packing packing, uint64_t rows) {
  return packing == abi::Packing::A5 ? up(rows, ABREAST_ROWS) * ABREAST_ROWS : rows;
}

uint64_t packed_row_bytes(abi::Packing packing, uint64_t length) {
  if (packing == abi::Packing::R5 || packing == abi::Packing::A5) return residue_row_bytes(length);
  if (const uint64_t share = share_of(packing)) return up(length, 8) + up(up(length, share), 8);
  const uint64_t per_byte = code_of(packing).per_byte;
  return length / per_byte + (length % per_byte != 0);
}

void check_abreast(const uint8_t* data, uint64_t rows, uint64_t length, CodesFn codes_before,
                   const std::string& where) {
  const uint64_t row_bytes = residue_row_bytes(length), whole = length / RESIDUE_TRITS * RESIDUE_BYTES;
  const uint64_t size = ABREAST_ROWS * row_bytes;
  for (uint64_t first = 0; first < rows; first += ABREAST_ROWS, data += size) {
    const auto refused = [&](uint64_t at, const char* what) {
      refuse(where, first + abreast_place(at), at / ABREAST_ROWS, what);
    };
    if (const uint64_t at = codes_before(data, size); at < size) refused(at, "is no code of its packing");
    for (uint64_t at = ABREAST_ROWS * whole; at < size; ++at)
      visit_residue(at / ABREAST_ROWS, data[at], [&](uint64_t i, int8_t trit) {
        if (i >= length && trit) refused(at, "is padded with a trit that is not 0");
      });
    for (uint64_t at = 0; first + ABREAST_ROWS > rows && at < size; ++at)
      if (first + abreast_place(at) >= rows && data[at] != ABREAST_ZEROS)
        refused(at, "is of a row that is padding, and not of trits 0");
  }
}

std::vector<int8_t> unpack_elements(const uint8_t* data, uint64_t rows, uint64_t length, abi::Packing packing,
                                 const std::string& where) {
  if (packing == abi::Packing::NIBBLES) return unpack_nibbles(data, rows, length, where);
  if (packing == abi::Packing::R5) return unpack_residues(data, rows, length, where);
  if (packing == abi::Packing::A5) return unpack_abreast(data, rows, length, where);
  if (share_of(packing)) return unpack_sparse(data, rows, length, packing, where);
  const Code code = code_of(packing);
  std::vector<int8_t> trits(rows * length);
  if (code.codes == 0) {
    for (uint64_t i = 0; i < trits.size(); ++i) {
      trits[i] = static_cast<int8_t>(data[i]);
      if (trits[i] < -1 || trits[i] > 1) refuse(where, i / length, i % length, "is no trit");
    }
    return trits;
  }
  const auto digits = digits_of(code);
  const uint64_t row_bytes = packed_row_bytes(packing, length);
  for (uint64_t row = 0; row < rows; ++row, data += row_bytes) {
    int8_t* out = trits.data() + row * length;
    for (uint64_t byte = 0, i = 0; byte < row_bytes; ++byte) {
      const auto& trit = digits[data[byte]];
      if (trit[0] == -2) refuse(where, row, byte, "is no code of its packing");
      for (unsigned j = 0; j < code.per_byte; ++j, ++i) {
        if (i < length) out[i] = trit[j];
        else if (trit[j] != 0) refuse(where, row, byte, "is padded with a trit that is not 0");
      }
    }
  }
  return trits;
}

}  // namespace tfmbs
