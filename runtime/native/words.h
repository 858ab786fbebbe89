// Vectors of 32-bit words at addresses that are multiples of a cache line, so that no load of lanes crosses one; large
// ones in large pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace tfmbs {

template <class T>
struct CacheLines {
  using value_type = T;
  static constexpr std::align_val_t ALIGNMENT{64};
  // Of so many bytes, memory starts at a large page, and the system is asked for large pages: what is read once from
  // beginning to end takes a third longer where each 4 KiB have to be found.
  static constexpr size_t LARGE = size_t{4} << 20;
  static constexpr std::align_val_t LARGE_PAGE{size_t{2} << 20};

  CacheLines() = default;
  template <class U>
  CacheLines(const CacheLines<U>&) {}

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    if (bytes < LARGE) return static_cast<T*>(::operator new(bytes, ALIGNMENT));
    void* const data = ::operator new(bytes, LARGE_PAGE);
#if defined(__linux__)
    madvise(data, bytes, MADV_HUGEPAGE);  // advice: nothing depends on what comes of it
#endif
    return static_cast<T*>(data);
  }
  void deallocate(T* data, size_t count) {
    ::operator delete(data, count * sizeof(T) < LARGE ? ALIGNMENT : LARGE_PAGE);
  }
  friend bool operator==(const CacheLines&, const CacheLines&) { return true; }
  friend bool operator!=(const CacheLines&, const CacheLines&) { return false; }
};

using AlignedWords = std::vector<uint32_t, CacheLines<uint32_t>>;

// At least `count` words; a buffer that launches share is not made smaller, as growing it again would clear it.
inline void grow(AlignedWords& words, size_t count) {
  if (words.size() < count) words.resize(count);
}

}  // namespace tfmbs
