// ATTENTION: rows of queries against panels of keys, softmax of their scores, weights against panels of values.
//
// Keys that are hidden from all rows of a block, behind the last one that is shown, are left out where that gives the
// same bits: their weights are +0, and all that +0 does is to make a NaN of an infinite value, or +0 of a sum of -0.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "attention_layout.h"
#include "checks.h"
#include "launch.h"

namespace tfmbs {
namespace {

constexpr unsigned MAX_ROWS = 8;
constexpr uint64_t VALUE_STEPS = 192;  // of a panel of values that tiles pass at a time
constexpr uint64_t UNITS = 8;          // for each thread, so that causal ones may differ

uint64_t heads_of(const abi::AttentionGeometry& g) { return static_cast<uint64_t>(g.groups) * g.shared; }

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
    tiles_ = (rows_ + kernels_.rows - 1) / kernels_.rows;
    groups_ = static_cast<uint64_t>(g_.batch) * g_.groups;
    const uint64_t threads = engine.workers.sharing(), blocks = (tiles_ + layout_.tiles - 1) / layout_.tiles;
    const auto each = [&](uint64_t units) { return (units + groups_ - 1) / groups_; };
    parts_ = threads == 1 ? 1 : std::min(tiles_, std::max(each(threads), std::min(each(UNITS * threads), blocks)));
  }

  uint64_t units() const { return groups_ * parts_; }

  // Tiles of rows of one group of heads.
  void unit(uint64_t unit, Worker& worker) const {
    worker.scores.resize(layout_.total);
    const uint64_t number = unit / parts_, part = unit % parts_;
    // A worker's units follow each other.
    if (worker.heads.group != number) worker.heads = {number, 0, 0, g_.columns};
    Group group{number / g_.groups, number % g_.groups, worker.scores.data(), worker.heads};
    group.k = k_ + group.batch * g_.rhs_batch_stride + group.number * g_.rhs_group_stride;
    group.v = v_ + group.batch * g_.value_batch_stride + group.number * g_.value_group_stride;
    const uint64_t end = (part + 1) * tiles_ / parts_;
    for (uint64_t i = part * tiles_ / parts_; i < end; i += layout_.tiles)
      block(group, i, std::min(layout_.tiles, end - i));
  }

 private:
  struct Group {
    uint64_t batch, number;
    float* buffer;
    Worker::Heads& done;
    const float *k = nullptr, *v = nullptr;

    float* scores() const { return buffer; }
  };
  struct Tile {
    uint64_t first = 0;  // row
    unsigned rows = 0;
    uint64_t end = 0;  // of the keys that are looked at
    float* scores = nullptr;
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
    uint64_t eight = 0;
    while (g_.mask_column_stride == 1 && end >= sizeof eight) {
      std::memcpy(&eight, line + end - sizeof eight, sizeof eight);
      if (eight) break;
      end -= sizeof eight;
    }
    while (end && !line[(end - 1) * g_.mask_column_stride]) --end;
    return end;
  }

  void block(Group& group, uint64_t first, uint64_t count) const {
    Tile tiles[AttentionLayout::MOST_TILES];
    for (uint64_t t = 0; t < count; ++t) {
      Tile& tile = tiles[t];
      tile.first = (first + t) * kernels_.rows;
      tile.rows = static_cast<unsigned>(std::min<uint64_t>(kernels_.rows, rows_ - tile.first));
      tile.scores = group.scores() + t * kernels_.rows * layout_.columns;
      tile.end = 1;
      for (unsigned r = 0; r < tile.rows; ++r) tile.end = std::max(tile.end, reach(group, tile.first + r));
    }
    multiply_keys(group, tiles, count);
    for (Tile* tile = tiles; tile < tiles + count; ++tile) {
      if (!weights(group, *tile) && tile->end < g_.columns) {
        // What is hidden has a weight after all.
        tile->end = g_.columns;
        multiply_keys(group, tile, 1);
        weights(group, *tile);
      }
      if (tile->end < g_.columns && !is_finite_behind(group, tile->end)) fill_up(*tile);
    }
    multiply_values(group, tiles, count);
    for (Tile* tile = tiles; tile < tiles + count; ++tile) {
      if (tile->end == g_.columns || !has_minus_zero(group, *tile)) continue;
      fill_up(*tile);
      multiply_values(group, tile, 1);
    }
  }

  // Makes weights of the scores of a tile. Returns whether the keys behind its end, which are hidden, have weights of
  // +0.
  bool weights(Group& group, const Tile& tile) const {
    bool nothing_behind = true;
    for (unsigned r = 0; r < tile.rows; ++r)
      nothing_behind &= weigh(group, tile.first + r, tile.scores + r * layout_.columns, tile.end);
    return nothing_behind;
  }

  // Weights of +0 behind the end, which is that of all keys then.
  void fill_up(Tile& tile) const {
    for (unsigned r = 0; r < tile.rows; ++r)
      std::fill(tile.scores + r * layout_.columns + tile.end, tile.scores + r * layout_.columns + g_.columns, 0.0f);
    tile.end = g_.columns;
  }

  static uint64_t last_end(const Tile* tiles, uint64_t count) {
    uint64_t end = 0;
    for (uint64_t t = 0; t < count; ++t) end = std::max(end, tiles[t].end);
    return end;
  }

  void multiply_keys(Group& group, const Tile* tiles, uint64_t count) const {
    const float* lines[AttentionLayout::MOST_TILES][MAX_ROWS];
    for (uint64_t t = 0; t < count; ++t)
      for (unsigned r = 0; r < tiles[t].rows; ++r)
        lines[t][r] = query(group, tiles[t].first + r, (t * kernels_.rows + r) * g_.width);
    const unsigned panel = kernels_.panel;
    const uint64_t size = static_cast<uint64_t>(panel) * g_.width;  // of a packed panel
    const uint64_t end = last_end(tiles, count);
    for (; !layout_.once && group.done.keys < end; group.done.keys += panel)
      pack_keys(group, group.done.keys, keys(group) + group.done.keys * g_.width);
    if (count == 1 && !layout_.once) {
      const unsigned panels = static_cast<unsigned>(whole(end, panel) / panel);
      kernels_.spread_tile_f32(tiles->rows, panels, g_.width, lines[0], keys(group), panel, size, tiles->scores,
                               layout_.columns, false);
      return;
    }
    // A panel stays in the first cache while all tiles pass.
    for (uint64_t column = 0; column < end; column += panel) {
      if (layout_.once) pack_keys(group, column, keys(group));
      const float* const packed = keys(group) + (layout_.once ? 0 : column * g_.width);
      for (uint64_t t = 0; t < count; ++t)
        if (column < tiles[t].end)
          kernels_.spread_tile_f32(tiles[t].rows, 1, g_.width, lines[t], packed, panel, size, tiles[t].scores + column,
                                   layout_.columns, false);
    }
  }

  // The query of a row, its elements side by side: in place, or copied to a place of the buffer.
  const float* query(const Group& group, uint64_t row, uint64_t place) const {
    const float* line = q_ + group.batch * g_.lhs_batch_stride + head_of(group, row) * g_.lhs_head_stride +
                        query_of(row) * g_.lhs_row_stride;
    if (g_.lhs_stride == 1) return line;
    float* copy = queries(group) + place;
    for (uint64_t i = 0; i < g_.width; ++i) copy[i] = line[i * g_.lhs_stride];
    return copy;
  }

  void pack_keys(const Group& group, uint64_t column, float* to) const {
    const unsigned count = static_cast<unsigned>(std::min<uint64_t>(kernels_.panel, g_.columns - column));
    kernels_.scores.panel(group.k + column * g_.rhs_row_stride, g_.rhs_row_stride, g_.rhs_stride, count, g_.width, to);
  }

  // Makes weights of the scores x of a row; see `weights`.
  bool weigh(const Group& group, uint64_t row, float* x, uint64_t end) const {
    const ScoreFns& scores = kernels_.scores;
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
    const uint32_t from = static_cast<uint32_t>(mark(group, row, x, end));
    if (from < n) scores.hide(x + from, shown(group) + from, g_.fill, n - from);
    const bool nothing_behind = scores.soften(x, end < g_.columns ? g_.fill : -INFINITY, n);
    if (from < n && g_.clear) scores.hide(x + from, shown(group) + from, 0.0f, n - from);
    return nothing_behind;
  }

  // Which keys before `end` are shown to a row with these scores, from the one on that it returns; all before it are.
  uint64_t mark(const Group& group, uint64_t row, const float* x, uint64_t end) const {
    const uint64_t seen = std::min(visible(row), end);
    const bool by_mask = g_.mask == abi::MaskMode::SELECT || g_.mask == abi::MaskMode::ADD_SHOWN;
    if (!by_mask && seen == end) return end;
    uint8_t* to = shown(group);
    uint64_t from = seen;
    if (g_.mask == abi::MaskMode::SELECT) {
      const uint8_t* line = mask_row(group, row, 1);
      if (g_.mask_column_stride == 1) {
        const void* const hidden = std::memchr(line, 0, seen);
        if (!hidden && seen == end) return end;
        if (hidden) from = static_cast<uint64_t>(static_cast<const uint8_t*>(hidden) - line);
        from -= from % SCORES_AT_ONCE;
        std::memcpy(to + from, line + from, seen - from);
      } else {
        from = 0;
        for (uint64_t j = 0; j < seen; ++j) to[j] = line[j * g_.mask_column_stride] != 0;
      }
    } else if (g_.mask == abi::MaskMode::ADD_SHOWN) {
      from = 0;
      for (uint64_t j = 0; j < seen; ++j) to[j] = x[j] != -INFINITY;
    } else {
      from -= from % SCORES_AT_ONCE;
      std::memset(to + from, 1, seen - from);
    }
    std::memset(to + seen, 0, end - seen);
    return from;
  }

  // Whether all values from `end` on are finite.
  bool is_finite_behind(Group& group, uint64_t end) const {
    if (known_ && end < group.done.looked_at) {
      const float* const low = group.v + end * g_.value_row_stride;
      const float* const last = group.v + (group.done.looked_at - 1) * g_.value_row_stride;
      const bool finite = known_->are_finite(low, last + g_.value_width, kernels_.scores.finite);
      if (finite) group.done.looked_at = end;
      // What lies between rows is no value.
      if (finite || g_.value_row_stride == g_.value_width) return finite;
    }
    for (; group.done.looked_at > end; --group.done.looked_at) {
      const float* value = group.v + (group.done.looked_at - 1) * g_.value_row_stride;
      bool finite = g_.value_stride != 1 || kernels_.scores.finite(value, g_.value_width);
      if (g_.value_stride != 1)
        for (uint64_t i = 0; i < g_.value_width; ++i) finite &= std::isfinite(value[i * g_.value_stride]);
      if (!finite) return false;
    }
    return true;
  }

  // Panels of the values before `end`, of columns that tiles do not read in place.
  void pack_values(Group& group, uint64_t end) const {
    const unsigned panel = kernels_.panel;
    if (layout_.packed == g_.value_width) return;
    for (; group.done.values < end; ++group.done.values) {
      const float* from = group.v + group.done.values * g_.value_row_stride;
      float* to = values(group) + group.done.values * panel;
      for (uint64_t column = layout_.packed; column < g_.value_width; column += panel, to += g_.columns * panel) {
        const uint64_t count = std::min<uint64_t>(panel, g_.value_width - column);
        if (g_.value_stride == 1) std::memcpy(to, from + column, count * sizeof(float));
        else
          for (uint64_t i = 0; i < count; ++i) to[i] = from[(column + i) * g_.value_stride];
        std::fill(to + count, to + panel, 0.0f);
      }
    }
  }

  // Rows from `row` on, of a tile that ends before `end`, whose results are equally far from each other.
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

  // Results of tiles from their weights.
  void multiply_values(Group& group, const Tile* tiles, uint64_t count) const {
    const unsigned panel = kernels_.panel;
    const uint64_t width = g_.value_width, end = last_end(tiles, count);
    pack_values(group, end);
    if (layout_.packed)
      for (uint64_t t = 0; t < count; ++t)
        each_run(group, tiles[t], 0, [&](unsigned rows, const float* const* lines, float* out) {
          kernels_.spread_tile_f32(rows, static_cast<unsigned>(layout_.packed / panel), tiles[t].end, lines, group.v,
                                   g_.value_row_stride, panel, out, out_stride(), false);
        });
    for (uint64_t column = layout_.packed; column < width; column += panel) {
      const float* const packed = values(group) + (column - layout_.packed) * g_.columns;
      const uint64_t lanes = std::min<uint64_t>(panel, width - column);
      if (lanes < panel) {
        for (uint64_t t = 0; t < count; ++t) multiply_last(group, tiles[t], packed, column, lanes);
        continue;
      }
      // Some steps of a panel stay in the first cache while all tiles pass.
      for (uint64_t k = 0; k < end; k += VALUE_STEPS)
        for (uint64_t t = 0; t < count; ++t) {
          if (k >= tiles[t].end) continue;
          each_run(group, tiles[t], k, [&](unsigned rows, const float* const* lines, float* out) {
            kernels_.spread_tile_f32(rows, 1, std::min(VALUE_STEPS, tiles[t].end - k), lines, packed + k * panel, panel,
                                     panel, out + column, out_stride(), k);
          });
        }
    }
  }

  // Columns that are no whole panel.
  void multiply_last(const Group& group, const Tile& tile, const float* packed, uint64_t column, uint64_t lanes) const {
    const unsigned panel = kernels_.panel;
    each_run(group, tile, 0, [&](unsigned rows, const float* const* lines, float* out) {
      kernels_.spread_tile_f32(rows, 1, tile.end, lines, packed, panel, panel, results(group), panel, false);
      for (unsigned r = 0; r < rows; ++r)
        std::memcpy(out + r * out_stride() + column, results(group) + r * panel, lanes * sizeof(float));
    });
  }

  // visit(rows, their weights from key k on, their results) for rows of a tile of which `evenly` holds.
  template <class Visit>
  void each_run(const Group& group, const Tile& tile, uint64_t k, const Visit& visit) const {
    const float* lines[MAX_ROWS];
    for (unsigned r = 0; r < tile.rows; ++r) lines[r] = tile.scores + r * layout_.columns + k;
    for (unsigned r = 0, rows = 0; r < tile.rows; r += rows) {
      rows = evenly(tile.first + r, tile.first + tile.rows);
      visit(rows, lines + r, result_of(group, tile.first + r));
    }
  }

  // Whether a result of a tile is -0.
  bool has_minus_zero(const Group& group, const Tile& tile) const {
    for (unsigned r = 0; r < tile.rows; ++r)
      if (kernels_.scores.has_minus_zero(result_of(group, tile.first + r), g_.value_width)) return true;
    return false;
  }

  const Kernels& kernels_;
  const abi::AttentionGeometry& g_;
  const AttentionLayout layout_;
  const float *q_, *k_, *v_;
  const uint8_t* mask_;
  FiniteBlocks* const known_;  // of the memory of values, if they are state that nothing stores to meanwhile
  float* out_;
  uint64_t rows_, tiles_, groups_, parts_;
};

}  // namespace

uint64_t attention_buffer_bytes(const Engine& engine, const Launch& launch) {
  const AttentionLayout layout(launch.attention, engine.kernels.rows, engine.kernels.panel, launch.name);
  return product({layout.total, sizeof(float)}, launch.name);
}

void run_attention(const Engine& engine, const Bound& bound) {
  const Attention attention(engine, bound);
  for (const auto& worker : engine.buffers) worker->heads = {};
  engine.workers.spread(attention.units(),
                     [&](uint64_t unit, unsigned index) { attention.unit(unit, *engine.buffers[index]); });
}

}  // namespace tfmbs
