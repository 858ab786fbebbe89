// Epilogues: a program on each chunk of accumulators, in one pass where it is a chain.
#include <cmath>
#include <cstring>

#include "chain.h"
#include "launch.h"

namespace tfmbs {
namespace {

// The steps of the launch's chain with their operands. False where one would be read outside its window.
bool bind_steps(const Bound& bound, const Chunk& chunk, const ChunkRows& rows, ChainStep* steps) {
  for (const Chain::Step& step : bound.launch.program->chain->steps) {
    const ChainOperand& operand = step.operand;
    ChainStep& to = *steps++;
    to = {step.op, false, &operand.at, 0, step.zero, step.low, step.high, step.divisor, step.function};
    if (operand.place == ChainOperand::Place::NONE || operand.place == ChainOperand::Place::CONSTANT) continue;
    uint64_t first = operand.at, stride = 0, apart = 0;
    if (operand.place == ChainOperand::Place::CHANNEL)
      first = chunk.channel, stride = chunk.channel_step, apart = rows.channels;
    if (operand.place == ChainOperand::Place::ELEMENT) first = chunk.element, stride = 1, apart = rows.elements;
    const Window& window = bound.windows[operand.window];
    if (stride > 1 || first + stride * (chunk.lanes - 1) + apart * (rows.count - 1) >= window.elements) return false;
    to.lanes = stride == 1;
    to.apart = apart;
    to.at = reinterpret_cast<const uint32_t*>(window.data) + first;
  }
  return true;
}

// Whether the launch's chain may run on so many chunks.
bool may_run(const Bound& bound, const Worker& worker, uint64_t chunks) {
  const Program& program = *bound.launch.program;
  const Chain& chain = *program.chain;
  return chain.result == bound.out_type && chain.real_first == bound.launch.finishes_reals() &&
         chain.words <= program.max_steps && chunks <= worker.steps_left / chain.words;
}

void count_chain(const Chain& chain, Worker& worker, uint64_t chunks, uint64_t lanes) {
  VectorCounters& counters = worker.machine.counters();
  counters.words += chunks * chain.words;
  counters.lane_ops += lanes * chain.lane_ops;
  counters.real_lane_ops += lanes * chain.real_lane_ops;
  counters.loads += lanes * chain.loads;
  worker.steps_left -= chunks * chain.words;
}

// Runs the chain that the launch's program is. False where the program has to run instead: an operand would be read
// outside its window, or the steps do not last; then it says what is wrong.
bool run_chain(const Engine& engine, const Bound& bound, Worker& worker, const uint32_t* accumulators,
               const Chunk& chunk, const ChunkRows& rows) {
  const Chain& chain = *bound.launch.program->chain;
  ChainStep steps[Chain::MOST];
  if (!may_run(bound, worker, rows.count) || !bind_steps(bound, chunk, rows, steps)) return false;
  const bool narrow = chain.result == abi::DType::I8;
  const size_t bytes = narrow ? sizeof(int8_t) : sizeof(float);
  engine.kernels.chain(steps, chain.steps.size(),
                       {accumulators, rows.accumulators, rows.count, chunk.lanes, narrow,
                        bound.out + chunk.element * bytes, rows.elements * bytes});
  count_chain(chain, worker, rows.count, rows.count * chunk.lanes);
  return true;
}

// Runs the launch's program, if it has one, on a chunk.
void interpret(const Engine& engine, const Bound& bound, Worker& worker, const void* accumulators,
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

constexpr float NOTHING = -0.0f;  // what leaves a zero its sign when it is added

}  // namespace

const FloatEnds NO_ENDS{&NOTHING, 0, -INFINITY, INFINITY};

bool find_ends(const Bound& bound, Worker& worker, const Finished& work, FloatEnds& ends) {
  ends = NO_ENDS;
  const Program* program = bound.launch.program;
  if (!program) return bound.out_type == abi::DType::F32;
  ChainStep steps[2];
  if (!program->chain || !program->chain->ends() || !may_run(bound, worker, work.chunks) ||
      !bind_steps(bound, {0, static_cast<uint32_t>(work.channel), 0, 1}, {work.channels, 0, 0, 1}, steps))
    return false;
  count_chain(*program->chain, worker, work.chunks, work.lanes);
  const std::vector<Chain::Step>& chain = program->chain->steps;
  if (chain.front().op == ChainOp::ADD) {
    ends.bias = reinterpret_cast<const float*>(steps[0].at);
    ends.apart = steps[0].apart;
  }
  if (chain.back().op == ChainOp::BETWEEN) {
    ends.low = chain.back().low;
    ends.high = chain.back().high;
  }
  return true;
}

bool requantize(const Bound& bound, Worker& worker, const Finished& work, ChainStep* steps) {
  const Program* program = bound.launch.program;
  if (!program || !program->chain || !program->chain->requantizes() || !may_run(bound, worker, work.chunks) ||
      !bind_steps(bound, {0, static_cast<uint32_t>(work.channel), 0, 1}, {work.channels, 0, 0, 1}, steps))
    return false;
  count_chain(*program->chain, worker, work.chunks, work.lanes);
  return true;
}

void finish_chunk(const Engine& engine, const Bound& bound, Worker& worker, const void* accumulators,
                  const Chunk& chunk) {
  finish_chunks(engine, bound, worker, static_cast<const uint32_t*>(accumulators), chunk, {1, 0, 0, 0});
}

void finish_chunks(const Engine& engine, const Bound& bound, Worker& worker, const uint32_t* accumulators,
                   const Chunk& chunk, const ChunkRows& rows) {
  const Program* program = bound.launch.program;
  if (program && program->chain && engine.kernels.chain &&
      run_chain(engine, bound, worker, accumulators, chunk, rows)) return;
  for (uint64_t row = 0; row < rows.count; ++row)
    interpret(engine, bound, worker, accumulators + row * rows.accumulators,
              {chunk.element + row * rows.elements, chunk.channel + static_cast<uint32_t>(row * rows.channels),
               chunk.channel_step, chunk.lanes});
}

}  // namespace tfmbs
