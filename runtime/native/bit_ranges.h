// Ranges of bits in vectors of 64-bit words.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tfmbs {

// Calls visit(word, mask) for the words that bits first … end lie in.
template <class Visit>
void each_word(uint64_t first, uint64_t end, Visit visit) {
  constexpr uint64_t BITS = 64;
  for (uint64_t at = first; at < end;) {
    const uint64_t low = at % BITS, count = std::min(BITS - low, end - at);
    const uint64_t ones = count == BITS ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
    visit(at / BITS, ones << low);
    at += count;
  }
}

}  // namespace tfmbs
