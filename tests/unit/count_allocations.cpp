// Counts calls of the allocator. Preloaded into a process, it takes the place of the C library's functions.
#include <dlfcn.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {

std::atomic<unsigned long> calls{0};

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// dlsym allocates before there is anything to allocate with.
alignas(64) unsigned char early[1 << 16];
std::atomic<size_t> used{0};
thread_local bool is_looking_up = false;

}  // namespace

extern "C" {

unsigned long allocations() { return calls; }

void* malloc(size_t size) {
  static void* (*const real)(size_t) = next<void* (*)(size_t)>("malloc");
  ++calls;
  return real(size);
}

void* calloc(size_t count, size_t size) {
  if (is_looking_up) return early + used.fetch_add((count * size + 63) / 64 * 64);
  is_looking_up = true;
  static void* (*const real)(size_t, size_t) = next<void* (*)(size_t, size_t)>("calloc");
  is_looking_up = false;
  ++calls;
  return real(count, size);
}

void* realloc(void* old, size_t size) {
  static void* (*const real)(void*, size_t) = next<void* (*)(void*, size_t)>("realloc");
  ++calls;
  return real(old, size);
}

void free(void* memory) {
  static void (*const real)(void*) = next<void (*)(void*)>("free");
  const unsigned char* const place = static_cast<unsigned char*>(memory);
  if (place < early || place >= early + sizeof early) real(memory);
}

void* aligned_alloc(size_t alignment, size_t size) {
  static void* (*const real)(size_t, size_t) = next<void* (*)(size_t, size_t)>("aligned_alloc");
  ++calls;
  return real(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
  static int (*const real)(void**, size_t, size_t) = next<int (*)(void**, size_t, size_t)>("posix_memalign");
  ++calls;
  return real(memory, alignment, size);
}

void* memalign(size_t alignment, size_t size) {
  static void* (*const real)(size_t, size_t) = next<void* (*)(size_t, size_t)>("memalign");
  ++calls;
  return real(alignment, size);
}

}  // extern "C"
