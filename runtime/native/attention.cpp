// ATTENTION: rows of queries against panels of keys, softmax of their scores, weights against panels of values.
//
// Keys that are hidden from all rows of a block, behind the last one that is shown, are left out where that gives the
// same bits: their weights are +0, and all that +0 does is to make a NaN of an infinite value, or +0 of a sum of -0.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "checks.h"
#include "launch.h"

namespace tfmbs {
namespace {

constexpr unsigned MAX_ROWS = 8;

uint64_t up(uint64_t count, uint64_t unit) { return (count + unit - 1) / unit * unit; }

uint64_t heads_of(const abi::AttentionGeometry& g) { return static_cast<uint64_t>(g.groups) * g.shared; }

// How the buffers of one thread are cut.
struct Layout {
  // Scores of a block of rows; queries and results of a block; a mask row; packed keys; packed values.
  uint64_t columns, scores, queries, results, mask, keys, values, total;

  Layout(const abi::AttentionGeometry& g, unsigned rows, unsigned panel, const std::string& where) {
    columns = up(g.columns, panel);
    scores = product({rows, columns}, where);
    queries = g.lhs_stride == 1 ? 0 : product({rows, g.width}, where);
    results = rows * panel;
    mask = g.mask == abi::MaskMode::NONE && !g.causal ? 0 : up(g.columns, 64);
    // One block of rows needs each panel of keys once.
    const bool once = static_cast<uint64_t>(g.shared) * g.rows <= rows;
    keys = product({once ? panel : columns, g.width}, where);
    const uint64_t loose = g.value_stride == 1 ? g.value_width % panel : up(g.value_width, panel);
    values = product({g.columns, loose ? (g.value_stride == 1 ? panel : loose) : 0}, where);
    total = scores + queries + results + 2 * mask + keys + values;
  }
};

class Attention {
 public:
  Attention(const Engine& engine, const Bound& bound)
      : kernels_(engine.kernels),
        g_(bound.launch.attention),
        layout_(g_, kernels_.rows, kernels_.panel, bound.launch.name),
        q_(reinterpret_cast<const float*>(bound.lhs)),
        k_(reinterpret_cast<const float*>(bound.rhs)),
        v_(reinterpret_cast<const float*>(bound.further[0])),
        mask_(bound.further[1]),
        known_(bound.stored.empty() && g_.value_stride == 1 && engine.known.has(v_) ? &engine.known : nullptr),
        out_(reinterpret_cast<float*>(bound.out)) {
    rows_ = static_cast<uint64_t>(g_.shared) * g_.rows;
    blocks_ = (rows_ + kernels_.rows - 1) / kernels_.rows;
    groups_ = static_cast<uint64_t>(g_.batch) * g_.groups;
    parts_ = std::min<uint64_t>(blocks_, (engine.buffers.size() + groups_ - 1) / groups_);
  }

  uint64_t units() const { return groups_ * parts_; }

  // Blocks of rows of one group of heads.
  void unit(uint64_t unit, Worker& worker) const {
    worker.scores.resize(layout_.total);
    Group group{unit / parts_ / g_.groups, unit / parts_ % g_.groups, worker.scores.data()};
    group.k = k_ + group.batch * g_.rhs_batch_stride + group.number * g_.rhs_group_stride;
    group.v = v_ + group.batch * g_.value_batch_stride + group.number * g_.value_group_stride;
    group.looked_at = g_.columns;
    pack_values(group);
    const uint64_t part = unit % parts_;
    for (uint64_t i = part * blocks_ / parts_; i < (part + 1) * blocks_ / parts_; ++i) block(group, i * kernels_.rows);
  }

 private:
  struct Group {
    uint64_t batch, number;
    float* buffer;
    const float *k = nullptr, *v = nullptr;
    uint64_t packed = 0;     // keys that are packed
    uint64_t looked_at = 0;  // values from this one on are finite

    float* scores() const { return buffer; }
  };

  float* queries(const Group& group) const { return group.buffer + layout_.scores; }
  float* results(const Group& group) const { return queries(group) + layout_.queries; }
  float* mask(const Group& group) const { return results(group) + layout_.results; }
  uint8_t* shown(const Group& group) const { return reinterpret_cast<uint8_t*>(mask(group) + layout_.mask); }
  float* keys(const Group& group) const { return mask(group) + 2 * layout_.mask; }
  float* values(const Group& group) const { return keys(group) + layout_.keys; }

  // Row number `row` of a group: which query of which head.
  uint64_t head_of(const Group& group, uint64_t row) const { return group.number * g_.shared + row / g_.rows; }
  uint64_t query_of(uint64_t row) const { return row % g_.rows; }

  const uint8_t* mask_row(const Group& group, uint64_t row, unsigned bytes) const {
    return mask_ + bytes * (group.batch * g_.mask_batch_stride + head_of(group, row) * g_.mask_head_stride +
                            query_of(row) * g_.mask_row_stride);
  }

  // Keys that the causal rule shows to a row.
  uint64_t visible(uint64_t row) const {
    if (!g_.causal) return g_.columns;
    const int64_t end = static_cast<int64_t>(query_of(row)) + g_.offset + 1;
    return static_cast<uint64_t>(std::clamp<int64_t>(end, 0, g_.columns));
  }

  // Keys up to the last one that is shown to a row.
  uint64_t reach(const Group& group, uint64_t row) const {
    uint64_t end = visible(row);
    if (g_.mask != abi::MaskMode::SELECT) return end;
    const uint8_t* line = mask_row(group, row, 1);
    while (end && !line[(end - 1) * g_.mask_column_stride]) --end;
    return end;
  }

  void block(Group& group, uint64_t first) const {
    const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(kernels_.rows, rows_ - first));
    uint64_t end = 1;  // of the keys that are looked at
    for (unsigned r = 0; r < rows; ++r) end = std::max(end, reach(group, first + r));
    if (!weights(group, first, rows, end) && end < g_.columns) {
      // What is hidden has a weight after all.
      end = g_.columns;
      weights(group, first, rows, end);
    }
    if (end < g_.columns && !is_finite_behind(group, end)) end = fill_up(group, rows, end);
    if (multiply_values(group, first, rows, end) && end < g_.columns)
      multiply_values(group, first, rows, fill_up(group, rows, end));
  }

  // Weights of the keys before `end`. Returns whether those behind, which are hidden, have weights of +0.
  bool weights(Group& group, uint64_t first, unsigned rows, uint64_t end) const {
    multiply_keys(group, first, rows, end);
    bool nothing_behind = true;
    for (unsigned r = 0; r < rows; ++r) nothing_behind &= weigh(group, first + r, r, end);
    return nothing_behind;
  }

  // Weights of +0 from `end` on; returns the new end.
  uint64_t fill_up(const Group& group, unsigned rows, uint64_t end) const {
    for (unsigned r = 0; r < rows; ++r)
      std::fill(group.scores() + r * layout_.columns + end, group.scores() + r * layout_.columns + g_.columns, 0.0f);
    return g_.columns;
  }

  void multiply_keys(Group& group, uint64_t first, unsigned rows, uint64_t end) const {
    const float* lines[MAX_ROWS];
    for (unsigned r = 0; r < rows; ++r) {
      const uint64_t row = first + r;
      lines[r] = q_ + group.batch * g_.lhs_batch_stride + head_of(group, row) * g_.lhs_head_stride +
                 query_of(row) * g_.lhs_row_stride;
      if (g_.lhs_stride == 1) continue;
      float* copy = queries(group) + r * static_cast<uint64_t>(g_.width);
      for (uint64_t i = 0; i < g_.width; ++i) copy[i] = lines[r][i * g_.lhs_stride];
      lines[r] = copy;
    }
    const unsigned panel = kernels_.panel;
    const uint64_t size = static_cast<uint64_t>(panel) * g_.width;  // of a packed panel
    if (layout_.keys == size && layout_.columns != panel) {  // a buffer for one panel at a time
      for (uint64_t column = 0; column < end; column += panel) {
        pack_keys(group, column, keys(group));
        kernels_.spread_tile_f32(rows, 1, g_.width, lines, keys(group), panel, size, group.scores() + column,
                                 layout_.columns);
      }
      return;
    }
    for (; group.packed < end; group.packed += panel)
      pack_keys(group, group.packed, keys(group) + group.packed * g_.width);
    const unsigned panels = static_cast<unsigned>(up(end, panel) / panel);
    kernels_.spread_tile_f32(rows, panels, g_.width, lines, keys(group), panel, size, group.scores(), layout_.columns);
  }

  void pack_keys(const Group& group, uint64_t column, float* to) const {
    const unsigned count = static_cast<unsigned>(std::min<uint64_t>(kernels_.panel, g_.columns - column));
    kernels_.scores.panel(group.k + column * g_.rhs_row_stride, g_.rhs_row_stride, g_.rhs_stride, count, g_.width, to);
  }

  // Makes weights of the scores in row number r of the block; see `weights`.
  bool weigh(const Group& group, uint64_t row, unsigned r, uint64_t end) const {
    const ScoreFns& scores = kernels_.scores;
    float* x = group.scores() + r * layout_.columns;
    const uint32_t n = static_cast<uint32_t>(end);
    if (g_.scale != 1.0f) scores.scale(x, g_.scale, n);
    if (g_.mask == abi::MaskMode::ADD || g_.mask == abi::MaskMode::ADD_SHOWN) {
      const float* line = reinterpret_cast<const float*>(mask_row(group, row, sizeof(float)));
      // Of a row as it lies, nothing behind its end may be read.
      if (g_.mask_column_stride != 1 || end % SCORES_AT_ONCE) {
        float* copy = mask(group);
        for (uint64_t j = 0; j < end; ++j) copy[j] = line[j * g_.mask_column_stride];
        line = copy;
      }
      scores.add(x, line, n);
    }
    const bool hides = mark(group, row, x, end);
    if (hides) scores.hide(x, shown(group), g_.fill, n);
    const bool nothing_behind = scores.soften(x, end < g_.columns ? g_.fill : -INFINITY, n);
    if (hides && g_.clear) scores.hide(x, shown(group), 0.0f, n);
    return nothing_behind;
  }

  // Which keys before `end` are shown to a row with these scores; whether some are not.
  bool mark(const Group& group, uint64_t row, const float* x, uint64_t end) const {
    const uint64_t seen = visible(row);
    const bool by_mask = g_.mask == abi::MaskMode::SELECT || g_.mask == abi::MaskMode::ADD_SHOWN;
    if (!by_mask && seen >= end) return false;
    uint8_t* to = shown(group);
    if (g_.mask == abi::MaskMode::SELECT) {
      const uint8_t* line = mask_row(group, row, 1);
      for (uint64_t j = 0; j < end; ++j) to[j] = line[j * g_.mask_column_stride] != 0;
    } else if (g_.mask == abi::MaskMode::ADD_SHOWN) {
      for (uint64_t j = 0; j < end; ++j) to[j] = x[j] != -INFINITY;
    } else {
      std::memset(to, 1, end);
    }
    if (seen < end) std::memset(to + seen, 0, end - seen);
    return true;
  }

  // Whether all values from `end` on are finite.
  bool is_finite_behind(Group& group, uint64_t end) const {
    if (known_ && end < group.looked_at) {
      const float* const low = group.v + end * g_.value_row_stride;
      const float* const last = group.v + (group.looked_at - 1) * g_.value_row_stride;
      const bool finite = known_->are_finite(low, last + g_.value_width, kernels_.scores.finite);
      if (finite) group.looked_at = end;
      // What lies between rows is no value.
      if (finite || g_.value_row_stride == g_.value_width) return finite;
    }
    for (; group.looked_at > end; --group.looked_at) {
      const float* value = group.v + (group.looked_at - 1) * g_.value_row_stride;
      bool finite = g_.value_stride != 1 || kernels_.scores.finite(value, g_.value_width);
      if (g_.value_stride != 1)
        for (uint64_t i = 0; i < g_.value_width; ++i) finite &= std::isfinite(value[i * g_.value_stride]);
      if (!finite) return false;
    }
    return true;
  }

  // Panels of values that tiles cannot read in place.
  void pack_values(const Group& group) const {
    const unsigned panel = kernels_.panel;
    const uint64_t direct = g_.value_stride == 1 ? g_.value_width / panel * panel : 0;
    for (uint64_t column = direct; column < g_.value_width; column += panel) {
      const uint64_t count = std::min<uint64_t>(panel, g_.value_width - column);
      float* to = values(group) + (column - direct) * g_.columns;
      for (uint64_t j = 0; j < g_.columns; ++j, to += panel) {
        const float* from = group.v + j * g_.value_row_stride + column * g_.value_stride;
        for (uint64_t i = 0; i < panel; ++i) to[i] = i < count ? from[i * g_.value_stride] : 0.0f;
      }
    }
  }

  // Rows from `row` on, of a block that ends before `end`, whose results are equally far from each other.
  unsigned evenly(uint64_t row, uint64_t end) const {
    if (g_.out_by_rows && g_.rows > 1) end = std::min(end, row + g_.rows - query_of(row));
    return static_cast<unsigned>(end - row);
  }

  // How far; heads of one query lie beside each other either way.
  uint64_t out_stride() const { return g_.out_by_rows && g_.rows > 1 ? heads_of(g_) * g_.value_width : g_.value_width; }

  float* result_of(const Group& group, uint64_t row) const {
    const uint64_t head = head_of(group, row), query = query_of(row);
    const uint64_t place = g_.out_by_rows ? (group.batch * g_.rows + query) * heads_of(g_) + head
                                          : (group.batch * heads_of(g_) + head) * g_.rows + query;
    return out_ + place * g_.value_width;
  }

  // Results of the block from the weights before `end`; whether one of them is -0.
  bool multiply_values(const Group& group, uint64_t first, unsigned rows, uint64_t end) const {
    bool found = false;
    for (unsigned r = 0, count = 0; r < rows; r += count) {
      count = evenly(first + r, first + rows);
      found |= multiply_values(group, first, r, count, end);
    }
    return found;
  }

  // The same for `rows` of the block from number `from` on, of which `evenly` holds.
  bool multiply_values(const Group& group, uint64_t first, unsigned from, unsigned rows, uint64_t end) const {
    const unsigned panel = kernels_.panel;
    const uint64_t width = g_.value_width, direct = g_.value_stride == 1 ? width / panel * panel : 0;
    const float* lines[MAX_ROWS];
    for (unsigned r = 0; r < rows; ++r) lines[r] = group.scores() + (from + r) * layout_.columns;
    const uint64_t stride = out_stride();
    float* out = result_of(group, first + from);
    if (direct)
      kernels_.spread_tile_f32(rows, static_cast<unsigned>(direct / panel), end, lines, group.v, g_.value_row_stride,
                               panel, out, stride);
    for (uint64_t column = direct; column < width; column += panel) {
      const float* packed = values(group) + (column - direct) * g_.columns;
      kernels_.spread_tile_f32(rows, 1, end, lines, packed, panel, panel, results(group), panel);
      const uint64_t count = std::min<uint64_t>(panel, width - column);
      for (unsigned r = 0; r < rows; ++r)
        std::memcpy(out + r * stride + column, results(group) + r * panel, count * sizeof(float));
    }
    if (end == g_.columns) return false;
    const auto is_minus_zero = [](float x) { return x == 0.0f && std::signbit(x); };
    for (unsigned r = 0; r < rows; ++r, out += stride)
      if (std::any_of(out, out + width, is_minus_zero)) return true;
    return false;
  }

  const Kernels& kernels_;
  const abi::AttentionGeometry& g_;
  const Layout layout_;
  const float *q_, *k_, *v_;
  const uint8_t* mask_;
  FiniteBlocks* const known_;  // of the memory of values, if they are state that nothing stores to meanwhile
  float* out_;
  uint64_t rows_, blocks_, groups_, parts_;
};

}  // namespace

uint64_t attention_buffer_bytes(const Engine& engine, const Launch& launch) {
  const Layout layout(launch.attention, engine.kernels.rows, engine.kernels.panel, launch.name);
  return product({layout.total, sizeof(float)}, launch.name);
}

void run_attention(const Engine& engine, const Bound& bound) {
  const Attention attention(engine, bound);
  engine.workers.spread(attention.units(),
                     [&](uint64_t unit, unsigned index) { attention.unit(unit, *engine.buffers[index]); });
}

}  // namespace tfmbs
