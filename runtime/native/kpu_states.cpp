// What becomes of rows and states on the vector engine: integers by rows, gates of an LSTM, zeros.
#include <algorithm>
#include <cstring>

#include "kpu_jobs.h"
#include "lstm.h"

namespace tfmbs::kpu {
namespace {

constexpr uint32_t LANE_GROUP = 16;  // lanes are read up to the end of a group

size_t padded(int64_t count) { return (static_cast<size_t>(count) + LANE_GROUP - 1) / LANE_GROUP * LANE_GROUP; }

}  // namespace

void Jobs::magnitude(const int64_t* parameters) const {
  movement::Magnitude p;
  std::memcpy(&p, parameters, sizeof p);
  const float* in = reinterpret_cast<const float*>(memories_.at(p.memory, p.in, p.rows * p.columns * 4));
  float* factors = reinterpret_cast<float*>(memories_.at(p.memory, p.factors, p.rows * 4));
  const GroupFns& fns = image_.kernels().groups;
  for (int64_t r = 0; r < p.rows; ++r) {
    const float own = fns.magnitude(in + r * p.columns, 1, static_cast<size_t>(p.columns));
    const float all = p.is_first ? own : std::max(own, factors[r]);
    factors[r] = p.is_last ? fns.factor(all) : all;
  }
}

void Jobs::quantize(const int64_t* parameters) const {
  movement::Quantize p;
  std::memcpy(&p, parameters, sizeof p);
  const float* in = reinterpret_cast<const float*>(memories_.at(p.memory, p.in, p.rows * p.columns * 4));
  int8_t* out = reinterpret_cast<int8_t*>(memories_.at(p.memory, p.out, p.rows * p.columns));
  const float* factors = reinterpret_cast<const float*>(memories_.at(p.memory, p.factors, p.rows * 4));
  const auto integers = image_.kernels().groups.integers;
  for (int64_t r = 0; r < p.rows; ++r)
    integers(in + r * p.columns, 1, static_cast<size_t>(p.columns), factors[r], out + r * p.columns);
}

void Jobs::clear(const int64_t* parameters) const {
  movement::Clear p;
  std::memcpy(&p, parameters, sizeof p);
  std::memset(memories_.at(p.memory, p.address, p.bytes), 0, static_cast<size_t>(p.bytes));
}

void Jobs::gates(const movement::Movement& movement, const int64_t* parameters) const {
  movement::Gates p;
  std::memcpy(&p, parameters, sizeof p);
  const Launch& own = launch(movement.launch);
  const abi::LstmGeometry& g = own.lstm;
  const bool input_first = g.order == abi::GateOrder::IOFC;
  const unsigned output = input_first ? 1 : 3, forget = input_first ? 2 : 1, cell = input_first ? 3 : 2;
  const auto lane = [&](abi::DOp op) { return own.kernels->lane(op, abi::DType::F32, 0); };
  const LaneFn add = lane(abi::DOp::ADD), multiply = lane(abi::DOp::MUL);
  const LaneFn sigmoid = lane(abi::DOp::SIGMOID), tanh = lane(abi::DOp::TANH);
  const int64_t block = p.rows * p.columns;
  const auto words = [&](int64_t address, int64_t count) {
    return reinterpret_cast<float*>(memories_.at(p.memory, address, count * 4));
  };
  const float* of_input = words(p.of_input, LSTM_GATES * block);
  const float* of_state = words(p.of_state, LSTM_GATES * block);
  const float* bias = p.bias < 0 ? nullptr : words(p.bias, LSTM_GATES * p.columns);
  const float* recurrent_bias = p.recurrent_bias < 0 ? nullptr : words(p.recurrent_bias, LSTM_GATES * p.columns);
  float* cells = words(p.cell, block);
  float* states = words(p.hidden, block);
  const uint32_t n = static_cast<uint32_t>(p.columns);
  const size_t width = padded(p.columns);
  std::vector<float> buffer((LSTM_GATES + 3) * width);
  float* const x = buffer.data() + LSTM_GATES * width;
  float* const b = x + width;
  float* const c = b + width;
  const auto take = [&](float* to, const float* from) { std::memcpy(to, from, n * sizeof(float)); };
  // Functions may look at operands that they do not have: at b.
  for (int64_t r = 0; r < p.rows; ++r) {
    for (unsigned i = 0; i < LSTM_GATES; ++i) {
      float* gate = buffer.data() + i * width;
      take(gate, of_state + (r * LSTM_GATES + i) * p.columns);
      take(x, of_input + (r * LSTM_GATES + i) * p.columns);
      if (recurrent_bias) {
        take(b, recurrent_bias + i * p.columns);
        add(gate, gate, b, b, n);
      }
      if (bias) {
        take(b, bias + i * p.columns);
        add(x, x, b, b, n);
      }
      add(gate, gate, x, b, n);
      (i == cell ? tanh : sigmoid)(gate, gate, b, b, n);
    }
    float* const at = cells + r * p.columns;
    take(c, at);
    multiply(c, buffer.data() + forget * width, c, b, n);
    multiply(x, buffer.data(), buffer.data() + cell * width, b, n);  // the input gate comes first in both orders
    add(c, c, x, b, n);
    take(at, c);
    tanh(x, c, b, b, n);
    multiply(x, buffer.data() + output * width, x, b, n);
    take(states + r * p.columns, x);
  }
}

}  // namespace tfmbs::kpu
