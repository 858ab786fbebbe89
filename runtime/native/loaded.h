// What the bindings of the emulator and of the KPU simulator share.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <vector>

#include "context.h"
#include "image.h"

namespace tfmbs {

using Octets = nanobind::ndarray<const uint8_t, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;
using MutableOctets = nanobind::ndarray<uint8_t, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;

// An image and the Python object that owns its weights.
struct LoadedImage {
  nanobind::object owner;
  std::shared_ptr<const Image> image;
};

template <class Arrays>
std::vector<Buffer> buffers(const Arrays& arrays) {
  std::vector<Buffer> result;
  for (const auto& array : arrays) result.push_back({const_cast<uint8_t*>(array.data()), array.size()});
  return result;
}

// Adds the KPU simulator to the extension.
void bind_kpu(nanobind::module_& m);

}  // namespace tfmbs
