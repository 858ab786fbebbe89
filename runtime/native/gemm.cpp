// GEMM and GEMV: rows of lhs against panels of rhs.
#include <algorithm>
#include <cstring>

#include "launch.h"

namespace tfmbs {

void finish_chunk(const Engine& engine, const Bound& bound, Worker& worker, const void* accumulators,
                  const Chunk& chunk) {
  const Program* program = bound.launch.program;
  const void* results = accumulators;
  if (program) {
    Machine& machine = worker.machine;
    machine.clear(*program);
    std::memcpy(machine.vector(0), accumulators, chunk.lanes * sizeof(uint32_t));
    machine.set_scalar(abi::EPILOGUE_ELEMENT, static_cast<int64_t>(chunk.element));
    machine.set_scalar(abi::EPILOGUE_CHANNEL, chunk.channel);
    machine.set_scalar(abi::EPILOGUE_CHANNEL_STEP, chunk.channel_step);
    machine.set_scalar(abi::EPILOGUE_ONE, 1);
    machine.run(*program, bound.windows, chunk.lanes, &worker.steps_left);
    results = machine.vector(0);
  }
  engine.kernels.moves(bound.out_type).store(bound.out, results, static_cast<int64_t>(chunk.element), 1, chunk.lanes);
}

uint64_t gemm_buffer_bytes(const Engine& engine, const Launch& launch) {
  return (depth_of(launch.gemm.k, launch.integer) + abi::VLMAX) * engine.kernels.rows * sizeof(float);
}

void run_gemm(const Engine& engine, const Bound& bound, const PackedWeights& weights) {
  const abi::GemmGeometry& g = bound.launch.gemm;
  const Kernels& kernels = engine.kernels;
  const bool integer = bound.launch.integer;
  const uint64_t depth = depth_of(g.k, integer);
  const uint64_t panels = (g.n + kernels.panel - 1) / kernels.panel;
  const uint64_t blocks = (static_cast<uint64_t>(g.m) + kernels.rows - 1) / kernels.rows;
  const uint64_t chunks = (static_cast<uint64_t>(g.n) + abi::VLMAX - 1) / abi::VLMAX;

  const auto task = [&](uint64_t unit, unsigned index) {
    Worker& worker = *engine.buffers[index];
    const uint64_t first_column = unit % chunks * abi::VLMAX;
    const uint64_t first_row = unit / chunks % blocks * kernels.rows;
    const uint64_t batch = unit / chunks / blocks;
    const unsigned rows = static_cast<unsigned>(std::min<uint64_t>(kernels.rows, g.m - first_row));
    const uint32_t columns = static_cast<uint32_t>(std::min<uint64_t>(abi::VLMAX, g.n - first_column));

    Vectors lhs;
    lhs.stride = g.lhs_m_stride;
    lhs.k_stride = g.lhs_k_stride;
    if (integer) lhs.i8 = reinterpret_cast<const int8_t*>(bound.lhs);
    else lhs.f32 = reinterpret_cast<const float*>(bound.lhs);
    lhs = lhs.at(batch * g.lhs_batch_stride + first_row * g.lhs_m_stride);
    worker.accumulators.resize(kernels.rows * abi::VLMAX);
    uint32_t* sums = worker.accumulators.data();
    if (integer) {
      worker.i16.resize(depth * rows);
      pack_i16(lhs, rows, rows, g.k, g.lhs_zero, worker.i16.data());
    } else {
      worker.f32.resize(depth * rows);
      pack_f32(lhs, rows, rows, g.k, worker.f32.data());
    }

    const uint64_t product = g.rhs_batch_stride ? batch * panels : 0;
    for (uint32_t column = 0; column < columns; column += kernels.panel) {
      const uint64_t at = (product + (first_column + column) / kernels.panel) * depth * kernels.panel;
      if (integer)
        kernels.tile_i16(rows, depth, worker.i16.data(), weights.i16.data() + at,
                         reinterpret_cast<int32_t*>(sums + column), abi::VLMAX);
      else
        kernels.tile_f32(rows, depth, worker.f32.data(), weights.f32.data() + at, nullptr,
                         reinterpret_cast<float*>(sums + column), abi::VLMAX);
    }
    for (unsigned row = 0; row < rows; ++row) {
      const uint64_t element = (batch * g.m + first_row + row) * g.n + first_column;
      finish_chunk(engine, bound, worker, sums + row * abi::VLMAX,
                   {element, static_cast<uint32_t>(first_column), 1, columns});
    }
  };
  engine.workers.run(g.batch * blocks * chunks, task);
}

}  // namespace tfmbs
