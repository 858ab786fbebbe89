// The products that an LSTM is made of.
#pragma once

#include "abi.gen.h"

namespace tfmbs {

constexpr uint32_t LSTM_GATES = 4;

inline uint32_t ways_of(const abi::LstmGeometry& g) { return g.direction == abi::Direction::BOTH ? 2 : 1; }

// All inputs with the weights of all gates and directions: (steps * batch) x (ways * 4 * hidden).
inline abi::GemmGeometry product_of_inputs(const abi::LstmGeometry& g) {
  abi::GemmGeometry out{};
  out.batch = 1;
  out.m = g.steps * g.batch;
  out.n = ways_of(g) * LSTM_GATES * g.hidden;
  out.k = g.width;
  out.lhs_m_stride = out.rhs_n_stride = g.width;
  out.lhs_k_stride = out.rhs_k_stride = 1;
  return out;
}

// The states of one step with the weights of each gate of each direction, which panels do not mix.
inline abi::GemmGeometry product_of_states(const abi::LstmGeometry& g) {
  abi::GemmGeometry out{};
  out.batch = ways_of(g) * LSTM_GATES;
  out.m = g.batch;
  out.n = out.k = g.hidden;
  out.lhs_m_stride = out.rhs_n_stride = g.hidden;
  out.lhs_k_stride = out.rhs_k_stride = 1;
  out.rhs_batch_stride = g.hidden * g.hidden;
  return out;
}

}  // namespace tfmbs
