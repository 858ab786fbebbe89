// Which bytes of the outputs launches have written, one after the other.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "abi.gen.h"

namespace tfmbs {

class Coverage {
 public:
  // Bytes offset … offset + size of an output.
  void write(uint32_t slot, uint64_t offset, uint64_t size);
  void read(uint32_t slot, uint64_t offset, uint64_t size);
  // By slot, the bytes written from the start on; none where any were read before they were written.
  std::map<uint32_t, uint64_t> written() const;

 private:
  struct Output {
    std::vector<uint64_t> bytes;  // as bits
    bool is_read = false;         // before it was written
  };
  std::map<uint32_t, Output> outputs_;
};

}  // namespace tfmbs
