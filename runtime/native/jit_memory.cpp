#include "jit_memory.h"

#include <cstring>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace tfmbs {

#if defined(__unix__) || defined(__APPLE__)

std::shared_ptr<const CodeMemory> CodeMemory::of(const std::vector<uint8_t>& code) {
  const long page = sysconf(_SC_PAGESIZE);
  if (code.empty() || page <= 0) return nullptr;
  const auto unit = static_cast<size_t>(page), size = (code.size() + unit - 1) / unit * unit;
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  const std::shared_ptr<const CodeMemory> memory(new CodeMemory(static_cast<uint8_t*>(data), size));
  std::memcpy(data, code.data(), code.size());
  if (mprotect(data, size, PROT_READ | PROT_EXEC)) return nullptr;
  return memory;
}

CodeMemory::~CodeMemory() { munmap(data_, size_); }

#else

std::shared_ptr<const CodeMemory> CodeMemory::of(const std::vector<uint8_t>&) { return nullptr; }
CodeMemory::~CodeMemory() = default;

#endif

}  // namespace tfmbs
