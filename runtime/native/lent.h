// Memory of Python objects that a run reads and writes.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <vector>

#include "bindings.h"

namespace tfmbs {

// The bytes of arrays that are contiguous, lent while a run takes.
class Lent {
 public:
  ~Lent() { give_back(); }
  // Throws what Python raised where an object lends no bytes.
  const std::vector<Buffer>& take(const nanobind::list& arrays, int flags) {
    views_.reserve(arrays.size());
    for (const nanobind::handle array : arrays) {
      views_.emplace_back();
      if (PyObject_GetBuffer(array.ptr(), &views_.back(), flags)) {
        views_.pop_back();
        throw nanobind::python_error();
      }
      const Py_buffer& view = views_.back();
      buffers_.push_back({static_cast<uint8_t*>(view.buf), static_cast<uint64_t>(view.len)});
    }
    return buffers_;
  }
  void give_back() {
    for (Py_buffer& view : views_) PyBuffer_Release(&view);
    views_.clear();
    buffers_.clear();
  }

 private:
  std::vector<Py_buffer> views_;
  std::vector<Buffer> buffers_;
};

}  // namespace tfmbs
