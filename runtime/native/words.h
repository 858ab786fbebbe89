// Vectors of 32-bit words at addresses that are multiples of a cache line, so that no load of lanes crosses one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace tfmbs {

template <class T>
struct CacheLines {
  using value_type = T;
  static constexpr std::align_val_t ALIGNMENT{64};

  CacheLines() = default;
  template <class U>
  CacheLines(const CacheLines<U>&) {}

  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), ALIGNMENT)); }
  void deallocate(T* data, size_t) { ::operator delete(data, ALIGNMENT); }
  friend bool operator==(const CacheLines&, const CacheLines&) { return true; }
  friend bool operator!=(const CacheLines&, const CacheLines&) { return false; }
};

using AlignedWords = std::vector<uint32_t, CacheLines<uint32_t>>;

// At least `count` words; a buffer that launches share is not made smaller, as growing it again would clear it.
inline void grow(AlignedWords& words, size_t count) {
  if (words.size() < count) words.resize(count);
}

}  // namespace tfmbs
