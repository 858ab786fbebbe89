// How threads share out the planes of images: all launches alike, so that a thread finds in its caches what it left
// there, and writes few lines of a cache that another one read last.
#pragma once

#include <algorithm>
#include <cstdint>

#include "window_rows.h"

namespace tfmbs {

// Large planes are cut by rows, each of which is a small part of one; small ones, in which many lines of a cache would
// lie on both sides of a cut, by channels.
constexpr uint64_t LEAST_CUT_PLANE = 512;
inline bool is_cut_by_rows(uint64_t plane) { return plane >= LEAST_CUT_PLANE; }

// Parts of a large plane, so that two threads have as many; not by the number of threads, which counters do not show.
inline uint64_t even_parts(uint64_t plane, uint64_t parts, uint64_t most) {
  const uint64_t even = parts + parts % 2;
  return is_cut_by_rows(plane) && even <= most ? even : parts;
}

// A part of a plane of an image, as a unit of work.
struct PlaneUnit {
  uint64_t plane, part;
};
// Units in their order, where images have `planes` of `parts` parts each: parts of the upper halves of all planes of
// an image, then of the lower ones, if there are as many; else, or for a single thread, all parts of a plane.
inline PlaneUnit plane_unit(uint64_t unit, uint64_t planes, uint64_t parts, unsigned threads) {
  const uint64_t halves = threads == 1 || parts % 2 ? 1 : 2, together = parts / halves;
  const uint64_t image = unit / (planes * parts), half = unit / (planes * together) % halves;
  return {image * planes + unit / together % planes, half * together + unit % together};
}

// Part number `part` of so many of `size` positions, in whole multiples, as even as can be.
inline Range part_of(uint64_t size, uint64_t part, uint64_t parts, uint64_t multiple) {
  const uint64_t all = size / multiple + (size % multiple != 0);
  const auto cut = [&](uint64_t number) { return std::min(size, all * number / parts * multiple); };
  return {cut(part), cut(part + 1)};
}

}  // namespace tfmbs
