// What a vector program of a launch accesses in each of its parts, and where parts may begin by themselves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "parts.h"
#include "plan.h"
#include "siw_walk.h"

namespace tfmbs {

// A vector program whose accesses are known.
struct Known {
  Walk walk;
  uint64_t bytes = 0;  // of its windows
  Parts parts;
  std::vector<std::shared_ptr<const Entrance>> entrances;  // of the parts; nullptr where one goes on
  std::vector<std::pair<unsigned, uint64_t>> own;  // windows that parts may have for themselves, and their bytes
};

// The windows of a launch: tensors, and their elements.
struct Windows {
  std::vector<const abi::Tensor*> tensors;
  std::vector<uint64_t> elements;
  uint64_t largest = 0;  // bytes

  Windows(const Image& image, const Launch& launch);
};

// Called for each access, in order, once.
using AccessFn = std::function<void(const Access&, const abi::Tensor&)>;

// nullopt where the accesses depend on operands, or take more than `limit` words. `words` is set to those walked.
std::optional<Known> known_of(const Program& program, const Windows& windows, uint64_t limit, uint64_t& words,
                              const AccessFn& visit);

}  // namespace tfmbs
