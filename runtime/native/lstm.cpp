// LSTM: one product of all inputs, then step by step a product of the states and what gates make of both.
//
// A step is shared out by elements of the state where it is worth waking threads up for, and by sequences and
// directions, which do not know of each other, where it is not.
#include "lstm.h"

#include <algorithm>
#include <cstring>

#include "checks.h"
#include "launch.h"

namespace tfmbs {
namespace {

constexpr unsigned MOST_ROWS = 64;             // sequences of a unit
constexpr unsigned LANE_GROUP = 16;            // lanes are read up to the end of a group
constexpr unsigned MOST_CHUNK = 128;           // elements of the state of a unit
constexpr uint64_t SHARED_STEP = 1u << 19;     // multiply-accumulates of a step that threads share
constexpr uint64_t UNITS_OF_A_WORKER = 2;

uint64_t up(uint64_t count, uint64_t unit) { return (count + unit - 1) / unit * unit; }
uint64_t parts(uint64_t count, uint64_t unit) { return (count + unit - 1) / unit; }

// Which gate stands where, by what it does.
struct Gates {
  unsigned input, output, forget, cell;

  explicit Gates(abi::GateOrder order)
      : input(0),
        output(order == abi::GateOrder::IOFC ? 1 : 3),
        forget(order == abi::GateOrder::IOFC ? 2 : 1),
        cell(order == abi::GateOrder::IOFC ? 3 : 2) {}
};

// Part of a step: sequences `row`… of a direction, elements `column`… of their states.
struct Part {
  uint64_t way, row, rows, column, columns;
};

class Lstm {
 public:
  Lstm(const Engine& engine, const Bound& bound, const PackedWeights& recurrent)
      : kernels_(engine.kernels),
        g_(bound.launch.lstm),
        gates_(g_.order),
        ways_(ways_of(g_)),
        out_(reinterpret_cast<float*>(bound.out)),
        recurrent_(reinterpret_cast<const float*>(recurrent.words.data())),
        add_(lane(abi::DOp::ADD)),
        multiply_(lane(abi::DOp::MUL)),
        sigmoid_(lane(abi::DOp::SIGMOID)),
        tanh_(lane(abi::DOp::TANH)) {
    const uint8_t* const* further = bound.further + 1;
    const auto next = [&](bool given) { return given ? reinterpret_cast<const float*>(*further++) : nullptr; };
    bias_ = next(g_.bias);
    recurrent_bias_ = next(g_.recurrent_bias);
    hidden_ = next(g_.initial);
    cell_ = next(g_.initial);
    panels_ = parts(g_.hidden, kernels_.panel);
    row_ = up(g_.hidden, LANE_GROUP);
    const uint64_t unit = std::max(kernels_.panel, LANE_GROUP);
    const uint64_t workers = engine.buffers.size() * UNITS_OF_A_WORKER;
    chunk_ = std::min<uint64_t>(MOST_CHUNK, up(parts(uint64_t{g_.hidden} * ways_, workers), unit));
    rows_ = std::min<uint64_t>(g_.batch, MOST_ROWS);
    shared_ = engine.buffers.size() > 1 && product_of_step() >= SHARED_STEP;
    float* words = reinterpret_cast<float*>(engine.recurrence.data());
    inputs_ = words;
    words += uint64_t{g_.steps} * g_.batch * ways_ * LSTM_GATES * g_.hidden;
    words += LANE_GROUP;  // the last gate is read up to the end of a group
    cells_ = words;
    zeros_ = cells_ + ways_ * g_.batch * row_;
  }

  // Words that all threads share.
  static uint64_t words(const abi::LstmGeometry& g, const std::string& where) {
    const uint64_t gates = product({g.steps, g.batch, ways_of(g), LSTM_GATES, g.hidden}, where);
    const uint64_t cells = product({ways_of(g), g.batch, up(g.hidden, LANE_GROUP)}, where);
    return product({gates + LANE_GROUP + cells + g.hidden, 1}, where);
  }
  // Words of each thread: sums of the gates, biases and a line.
  static uint64_t own_words(const abi::LstmGeometry& g) {
    return (std::min<uint64_t>(g.batch, MOST_ROWS) * LSTM_GATES + 2 * LSTM_GATES + 1) * MOST_CHUNK;
  }

  float* inputs() const { return inputs_; }

  void run(const Engine& engine) const {
    start();
    const uint64_t blocks = parts(g_.batch, rows_), chunks = parts(g_.hidden, chunk_);
    if (shared_) {
      for (uint64_t t = 0; t < g_.steps; ++t)
        engine.workers.spread(ways_ * blocks * chunks, [&](uint64_t unit, unsigned worker) {
          step(t, part(unit / chunks, unit % chunks * chunk_), *engine.buffers[worker]);
        });
    } else {
      engine.workers.spread(ways_ * blocks, [&](uint64_t unit, unsigned worker) {
        for (uint64_t t = 0; t < g_.steps; ++t)
          for (uint64_t column = 0; column < g_.hidden; column += chunk_)
            step(t, part(unit, column), *engine.buffers[worker]);
      });
    }
    if (g_.cell) finish();
  }

 private:
  LaneFn lane(abi::DOp op) const { return kernels_.lane(op, abi::DType::F32, 0); }

  uint64_t product_of_step() const { return uint64_t{ways_} * g_.batch * LSTM_GATES * g_.hidden * g_.hidden; }

  Part part(uint64_t block, uint64_t column) const {
    const uint64_t blocks = parts(g_.batch, rows_), row = block % blocks * rows_;
    return {block / blocks, row, std::min<uint64_t>(rows_, g_.batch - row), column,
            std::min<uint64_t>(chunk_, g_.hidden - column)};
  }

  float* cell_of(uint64_t way, uint64_t row) const { return cells_ + (way * g_.batch + row) * row_; }

  void start() const {
    std::fill_n(zeros_, g_.hidden, 0.0f);
    for (uint64_t way = 0; way < ways_; ++way)
      for (uint64_t row = 0; row < g_.batch; ++row) {
        float* to = cell_of(way, row);
        std::fill_n(to, row_, 0.0f);
        if (cell_) std::memcpy(to, cell_ + (way * g_.batch + row) * g_.hidden, g_.hidden * sizeof(float));
      }
  }

  void finish() const {
    float* to = state(g_.steps, 0, 0);
    for (uint64_t way = 0; way < ways_; ++way)
      for (uint64_t row = 0; row < g_.batch; ++row, to += g_.hidden)
        std::memcpy(to, cell_of(way, row), g_.hidden * sizeof(float));
  }

  // The state of a sequence behind the step that stands at `place` of the sequence.
  float* state(uint64_t place, uint64_t way, uint64_t row) const {
    return out_ + ((place * ways_ + way) * g_.batch + row) * g_.hidden;
  }

  // Where step number t of a direction stands.
  uint64_t place_of(uint64_t t, uint64_t way) const {
    const bool backwards = g_.direction == abi::Direction::REVERSE || way == 1;
    return backwards ? g_.steps - 1 - t : t;
  }

  const float* state_before(uint64_t t, uint64_t way, uint64_t row) const {
    if (t) return state(place_of(t - 1, way), way, row);
    return hidden_ ? hidden_ + (way * g_.batch + row) * g_.hidden : zeros_;
  }

  void step(uint64_t t, const Part& part, Worker& worker) const {
    worker.accumulators.resize((part.rows * LSTM_GATES + 2 * LSTM_GATES + 1) * chunk_);
    float* sums = reinterpret_cast<float*>(worker.accumulators.data());
    float* biases = sums + part.rows * LSTM_GATES * chunk_;
    float* line = biases + 2 * LSTM_GATES * chunk_;
    multiply_states(t, part, sums);
    for (unsigned gate = 0; gate < LSTM_GATES; ++gate) {
      take_bias(bias_, part, gate, biases);
      take_bias(recurrent_bias_, part, gate, biases + LSTM_GATES * chunk_);
    }
    const uint64_t place = place_of(t, part.way);
    for (uint64_t r = 0; r < part.rows; ++r) finish_row(place, part, r, sums, biases, line);
  }

  // sums[gate][row][column]: what the states of the step before contribute.
  void multiply_states(uint64_t t, const Part& part, float* sums) const {
    const uint64_t size = uint64_t{g_.hidden} * kernels_.panel;  // of a packed panel
    const uint64_t first = part.column / kernels_.panel;
    const unsigned panels = static_cast<unsigned>(parts(part.columns, kernels_.panel));
    // A panel that serves several tiles of rows stays in a cache while they pass.
    const unsigned together = part.rows > kernels_.rows ? 1 : panels;
    const float* lines[MOST_ROWS];
    for (uint64_t r = 0; r < part.rows; ++r) lines[r] = state_before(t, part.way, part.row + r);
    for (unsigned gate = 0; gate < LSTM_GATES; ++gate) {
      const float* weights = recurrent_ + ((part.way * LSTM_GATES + gate) * panels_ + first) * size;
      for (unsigned panel = 0; panel < panels; panel += together)
        for (uint64_t r = 0; r < part.rows; r += kernels_.rows) {
          const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(kernels_.rows, part.rows - r));
          kernels_.spread_tile_f32(rows, std::min(together, panels - panel), g_.hidden, lines + r,
                                   weights + panel * size, kernels_.panel, size,
                                   sums + (gate * part.rows + r) * chunk_ + panel * kernels_.panel, chunk_, false);
        }
    }
  }

  void take_bias(const float* bias, const Part& part, unsigned gate, float* to) const {
    if (!bias) return;
    const float* from = bias + (part.way * LSTM_GATES + gate) * g_.hidden + part.column;
    std::memcpy(to + gate * chunk_, from, part.columns * sizeof(float));
  }

  // Gates of a row from what states contribute, then its cell and state.
  void finish_row(uint64_t place, const Part& part, uint64_t r, float* sums, const float* biases, float* line) const {
    const uint32_t n = static_cast<uint32_t>(part.columns);
    const float* given = inputs_ + (place * g_.batch + part.row + r) * ways_ * LSTM_GATES * g_.hidden;
    // Functions may look at operands that they do not have.
    const auto unary = [n](LaneFn function, float* to, const float* x) { function(to, x, x, x, n); };
    const auto binary = [n](LaneFn function, float* to, const float* x, const float* y) { function(to, x, y, y, n); };
    float* gate[LSTM_GATES];
    for (unsigned i = 0; i < LSTM_GATES; ++i) {
      gate[i] = sums + (i * part.rows + r) * chunk_;
      if (recurrent_bias_) binary(add_, gate[i], gate[i], biases + (LSTM_GATES + i) * chunk_);
      const float* x = given + (part.way * LSTM_GATES + i) * g_.hidden + part.column;
      if (bias_) {
        binary(add_, line, x, biases + i * chunk_);
        x = line;
      }
      binary(add_, gate[i], gate[i], x);
      unary(i == gates_.cell ? tanh_ : sigmoid_, gate[i], gate[i]);
    }
    float* cell = cell_of(part.way, part.row + r) + part.column;
    binary(multiply_, cell, gate[gates_.forget], cell);
    binary(multiply_, line, gate[gates_.input], gate[gates_.cell]);
    binary(add_, cell, cell, line);
    unary(tanh_, line, cell);
    binary(multiply_, line, gate[gates_.output], line);
    std::memcpy(state(place, part.way, part.row + r) + part.column, line, n * sizeof(float));
  }

  const Kernels& kernels_;
  const abi::LstmGeometry& g_;
  const Gates gates_;
  const uint64_t ways_;
  float* const out_;
  const float* const recurrent_;
  const LaneFn add_, multiply_, sigmoid_, tanh_;
  const float *bias_, *recurrent_bias_, *hidden_, *cell_;
  float *inputs_, *cells_, *zeros_;
  uint64_t panels_, row_, chunk_, rows_;
  bool shared_;
};

}  // namespace

uint64_t lstm_bytes(const Engine& engine, const Launch& launch) {
  Launch inputs;
  inputs.gemm = product_of_inputs(launch.lstm);
  inputs.words = Words::F32;
  const uint64_t own = std::max(Lstm::own_words(launch.lstm) * sizeof(float), gemm_buffer_bytes(engine, inputs));
  const uint64_t shared = product({Lstm::words(launch.lstm, launch.name), sizeof(float)}, launch.name);
  return shared + gemm_lhs_bytes(engine, inputs) + own * engine.buffers.size();
}

void run_lstm(const Engine& engine, const Bound& bound, const PackedWeights& weights, const PackedWeights& recurrent) {
  engine.recurrence.resize(Lstm::words(bound.launch.lstm, bound.launch.name));
  const Lstm lstm(engine, bound, recurrent);
  Launch launch;  // without a name: its sizes have been checked
  launch.gemm = product_of_inputs(bound.launch.lstm);
  launch.words = Words::F32;
  Bound inputs(launch);
  inputs.lhs = bound.lhs;
  inputs.out = reinterpret_cast<uint8_t*>(lstm.inputs());
  inputs.out_type = abi::DType::F32;
  run_gemm(engine, inputs, weights);
  lstm.run(engine);
}

}  // namespace tfmbs
