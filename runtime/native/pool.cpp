// POOL: maximum or average of a sliding window, each channel by itself.
#include <algorithm>
#include <cstring>
#include <limits>

#include "launch.h"
#include "plane_cut.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

using abi::DOp;
using abi::DType;
using abi::PoolMode;

// Most elements under a line whose maxima are taken down and across.
constexpr uint64_t MOST_LINE = 2 * abi::VLMAX;
static_assert(POOL_WORDS >= abi::VLMAX + 2 * (MOST_LINE + 64), "room for results and two lines");

template <class T>
uint32_t lane_of(T value) {
  uint32_t lane;
  std::memcpy(&lane, &value, sizeof lane);
  return lane;
}

class Pool {
 public:
  Pool(const Kernels& kernels, const Launch& launch, const uint8_t* in)
      : g_(launch.window),
        rows_(launch.volume),
        in_(in),
        type_(launch.integer ? DType::I8 : DType::F32),
        is_max_(g_.mode == PoolMode::MAX),
        moves_(kernels.moves(type_)),
        combine_(kernels.lane(is_max_ ? DOp::MAX : DOp::ADD, launch.integer ? DType::I32 : DType::F32, 0)),
        divide_(kernels.lane(DOp::DIV, DType::F32, 0)),
        max_line_(launch.integer ? kernels.max_line_i8 : kernels.max_line_f32) {}

  // Results of `lanes` outputs of a channel from `first` on, in a buffer of POOL_WORDS: what is computed in lanes reads
  // beyond the last one, up to the end of its group.
  void run(uint64_t channel, uint64_t first, uint32_t lanes, uint32_t* results) const {
    uint32_t* const taps = results + abi::VLMAX;
    const uint64_t plane = static_cast<uint64_t>(g_.in_height) * g_.in_width;
    const bool integer = type_ == DType::I8;
    const uint8_t* in = in_ + channel * plane * (integer ? sizeof(int8_t) : sizeof(float));
    if (is_max_ && under(abi::VLMAX) <= MOST_LINE) return maxima(in, first, lanes, results);
    std::fill_n(results, lanes,
                integer   ? lane_of<int32_t>(std::numeric_limits<int8_t>::min())
                : is_max_ ? lane_of(-std::numeric_limits<float>::infinity())
                          : lane_of(0.0f));
    rows_.visit(first, lanes, [&](uint32_t lane, uint32_t count, uint64_t, uint64_t at) {
      moves_.load(taps, in, static_cast<int64_t>(at), g_.stride_width, count);
      combine_(results + lane, results + lane, taps, results + lane, count);
    });
    if (is_max_) return;
    for (uint32_t lane = 0; lane < lanes; ++lane) taps[lane] = lane_of(static_cast<float>(size(first + lane)));
    divide_(results, results, taps, results, lanes);
  }

 private:
  // Elements of the input under `count` outputs of a line.
  uint64_t under(uint64_t count) const {
    return (std::min<uint64_t>(count, g_.out_width) - 1) * g_.stride_width +
           (g_.kernel_width - 1) * uint64_t{g_.dilation_width} + 1;
  }

  // Line by line.
  void maxima(const uint8_t* in, uint64_t first, uint32_t lanes, uint32_t* results) const {
    const uint64_t bytes = type_ == DType::I8 ? sizeof(int8_t) : sizeof(float);
    uint32_t* const buffer = results + abi::VLMAX;
    for (uint64_t at = first; at < first + lanes;) {
      const uint64_t x = at % g_.out_width, y = at / g_.out_width;
      const uint64_t count = std::min<uint64_t>(g_.out_width - x, first + lanes - at), size = under(count);
      const int64_t left = static_cast<int64_t>(x * g_.stride_width) - g_.pad_left;
      Range on = inside(left, 1, g_.in_width, size), rows = rows_.rows(y);
      on.end = std::max(on.first, on.end);
      rows.end = std::max(rows.first, rows.end);
      const bool empty = on.first == on.end || rows.first == rows.end;
      const auto column = static_cast<uint64_t>(left + static_cast<int64_t>(on.first));
      const uint64_t element = empty ? 0 : rows_.line(0, 0, y, rows.first) + column;
      max_line_({in + element * bytes, rows.end - rows.first, uint64_t{g_.dilation_height} * g_.in_width, on.first,
                 on.end - on.first, size, g_.kernel_width, g_.dilation_width, g_.stride_width,
                 static_cast<uint32_t>(count), buffer}, results);
      results += count;
      at += count;
    }
  }

  // What an average divides by: the taps of the output that count.
  uint64_t size(uint64_t output) const {
    const uint64_t y = output / g_.out_width, x = output % g_.out_width;
    if (g_.mode == PoolMode::AVG_PADDED)
      return rows_.padded_rows(y, g_.pad_bottom) * rows_.padded_columns(x, g_.pad_right);
    const Range down = rows_.rows(y), across = rows_.columns(x);
    return (down.end - down.first) * (across.end - across.first);
  }

  const abi::WindowGeometry& g_;
  const WindowRows rows_;
  const uint8_t* in_;
  DType type_;
  bool is_max_;
  MoveFns moves_;
  LaneFn combine_, divide_;
  MaxLineFn max_line_;
};

}  // namespace

uint64_t pool_taps(const Launch& launch) {
  const abi::WindowGeometry& g = launch.window;
  const WindowRows rows(launch.volume);
  const auto length = [](const Range& range) { return range.end - range.first; };
  uint64_t down = 0, across = 0;
  for (uint64_t y = 0; y < g.out_height; ++y) down += length(rows.rows(y));
  for (uint64_t x = 0; x < g.out_width; ++x) across += length(rows.columns(x));
  return down * across * g.batch * g.out_channels;
}

void pool_outputs(const Kernels& kernels, const Launch& launch, const uint8_t* plane, uint64_t first, uint32_t lanes,
                  uint32_t* results) {
  Pool(kernels, launch, plane).run(0, first, lanes, results);
}

void run_pool(const Engine& engine, const Bound& bound) {
  const abi::WindowGeometry& g = bound.launch.window;
  const uint64_t plane = static_cast<uint64_t>(g.out_height) * g.out_width;
  const uint64_t chunks = even_parts(plane, (plane + abi::VLMAX - 1) / abi::VLMAX, plane);
  const uint64_t channels = g.out_channels;
  const Pool pool(engine.kernels, bound.launch, bound.lhs);
  engine.workers.spread(g.batch * channels * chunks, [&](uint64_t unit, unsigned index) {
    Worker& worker = *engine.buffers[index];
    const PlaneUnit at = plane_unit(unit, channels, chunks, engine.workers.sharing());
    const uint64_t channel = at.plane;
    const Range lanes_of = part_of(plane, at.part, chunks, 1);
    const uint64_t first = lanes_of.first;
    const uint32_t lanes = static_cast<uint32_t>(lanes_of.end - first);
    worker.accumulators.resize(POOL_WORDS);
    uint32_t* results = worker.accumulators.data();
    pool.run(channel, first, lanes, results);
    const uint32_t out_channel = static_cast<uint32_t>(channel % g.out_channels);
    finish_chunk(engine, bound, worker, results, {channel * plane + first, out_channel, 0, lanes});
  });
}

}  // namespace tfmbs
