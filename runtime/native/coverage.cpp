#include "coverage.h"

#include "bit_ranges.h"

namespace tfmbs {
namespace {

constexpr uint64_t BITS = 64;
constexpr uint64_t MOST = uint64_t{1} << 28;  // bytes of an output that are looked at

}  // namespace

void Coverage::write(uint32_t slot, uint64_t offset, uint64_t size) {
  if (offset > MOST || size > MOST) return;
  std::vector<uint64_t>& bytes = outputs_[slot].bytes;
  if (bytes.size() * BITS < offset + size) bytes.resize((offset + size + BITS - 1) / BITS);
  each_word(offset, offset + size, [&](uint64_t word, uint64_t mask) { bytes[word] |= mask; });
}

void Coverage::read(uint32_t slot, uint64_t offset, uint64_t size) {
  Output& output = outputs_[slot];
  if (offset > MOST || size > MOST) {
    output.is_read = true;
    return;
  }
  each_word(offset, offset + size, [&](uint64_t word, uint64_t mask) {
    output.is_read |= word >= output.bytes.size() || (~output.bytes[word] & mask) != 0;
  });
}

std::map<uint32_t, uint64_t> Coverage::written() const {
  std::map<uint32_t, uint64_t> result;
  for (const auto& [slot, output] : outputs_) {
    uint64_t bytes = 0;
    for (const uint64_t word : output.bytes) {
      const unsigned ones = ~word ? static_cast<unsigned>(__builtin_ctzll(~word)) : BITS;
      bytes += ones;
      if (ones < BITS) break;
    }
    if (!output.is_read) result[slot] = bytes;
  }
  return result;
}

}  // namespace tfmbs
