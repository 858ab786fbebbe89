// Python bindings of the KPU simulator.
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "loaded.h"
#include "error.h"
#include "float_environment.h"
#include "kpu_hazards.h"
#include "kpu_simulation.h"
#include "kpu_walk.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tfmbs {
namespace {

using Numbers = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Row>
std::vector<Row> rows(const Rows& table) {
  if (table.shape(1) * sizeof(int64_t) != sizeof(Row)) throw Error("device", "kpu", "a table has other columns");
  std::vector<Row> result(table.shape(0));
  // An empty table may be nowhere.
  if (!result.empty()) std::memcpy(static_cast<void*>(result.data()), table.data(), result.size() * sizeof(Row));
  return result;
}

// Words, operations, places, windows and engine.
using Timed = std::tuple<Rows, Rows, Numbers, Rows, Rows>;

kpu::TimedProgram timed_program(const Timed& timed) {
  const auto& [words, ops, places, windows, engine] = timed;
  if (engine.shape(0) != 1) throw Error("device", "kpu", "a program runs on one engine");
  return {rows<movement::TimedWord>(words),
          rows<movement::TimedOp>(ops),
          {places.data(), places.data() + places.size()},
          rows<movement::TimedWindow>(windows),
          rows<movement::TimedEngine>(engine)[0]};
}

std::shared_ptr<kpu::MovementProgram> program(const Rows& movements, const Numbers& waits, const Rows& parts,
                                              const Numbers& parameters, const std::vector<Timed>& timed,
                                              int64_t engines, int64_t workspace) {
  auto result = std::make_shared<kpu::MovementProgram>();
  result->movements = rows<movement::Movement>(movements);
  result->parts = rows<movement::Part>(parts);
  result->waits.assign(waits.data(), waits.data() + waits.size());
  result->parameters.assign(parameters.data(), parameters.data() + parameters.size());
  for (const Timed& one : timed) result->timed.push_back(timed_program(one));
  result->engines = engines;
  result->workspace = workspace;
  kpu::check_program(*result);
  return result;
}

nb::list conflicts(const kpu::MovementProgram& program, const Rows& accesses, const Rows& tokens) {
  std::vector<kpu::Conflict> found;
  {
    const auto table = rows<movement::Access>(accesses);
    const auto waited = rows<movement::Token>(tokens);
    const nb::gil_scoped_release release;
    found = kpu::conflicts(program, table, waited);
  }
  nb::list result;
  for (const kpu::Conflict& c : found)
    result.append(nb::make_tuple(c.first, c.second, c.memory, c.low, c.high, c.first_writes, c.second_writes));
  return result;
}

nb::list listed(const std::vector<kpu::Runs>& runs) {
  nb::list result;
  for (const kpu::Runs& r : runs) result.append(nb::make_tuple(r.memory, r.first, r.bytes, r.count, r.stride));
  return result;
}

nb::tuple walk(const Timed& timed, int64_t wanted, int64_t most) {
  const kpu::TimedProgram program = timed_program(timed);
  kpu::Walked walked;
  {
    const nb::gil_scoped_release release;
    walked = kpu::walk_timed(program, {wanted, most});
  }
  nb::list parts;
  for (const kpu::WalkedPart& part : walked.parts)
    parts.append(nb::make_tuple(part.accesses, part.cycles, part.lag, listed(part.reads), listed(part.writes)));
  return nb::make_tuple(walked.is_known, walked.branches, walked.words, walked.bytes, walked.stored,
                        walked.beats, parts, listed(walked.written), listed(walked.exposed));
}

// The memories of a machine, and state between runs.
class KpuContext {
 public:
  KpuContext(const LoadedImage& loaded, uint64_t l3, uint64_t l2, uint64_t l1, uint64_t tiles, uint64_t steps)
      : owner_(loaded.owner), memories_(*loaded.image, {l3, l2, l1, tiles}), steps_(steps) {}

  void run(const LoadedImage& image, uint32_t entry, const kpu::MovementProgram& movements,
           const std::vector<Octets>& inputs, const std::vector<MutableOctets>& outputs) {
    const std::vector<Buffer> in = buffers(inputs), out = buffers(outputs);
    const nb::gil_scoped_release release;
    const FloatEnvironment environment;
    if (entry >= image.image->entries().size()) throw Error("device", "kpu", "no such entry");
    memories_.bind(in, out);
    memories_.reserve(static_cast<uint64_t>(movements.workspace));
    const abi::Entry& record = image.image->entries()[entry];
    kpu::Jobs jobs(*image.image, record, memories_, steps_);
    trace_ = kpu::simulate(movements, jobs);
    counters_.assign(record.descriptor_count, {});
    for (size_t i = 0; i < counters_.size(); ++i) {
      const Launch& launch = image.image->launches()[record.first_descriptor + i];
      counters_[i].count(launch);
      if (jobs.has_counters(i)) counters_[i].add(jobs.counters(i));
    }
  }

  void reset() { memories_.clear_state(); }

  nb::dict trace() const {
    nb::dict result;
    const auto column = [&](const char* name, const std::vector<int64_t>& values) {
      result[name] = nb::bytes(values.data(), values.size() * sizeof(int64_t));
    };
    column("start_ps", trace_.start);
    column("end_ps", trace_.end);
    column("ready_ps", trace_.ready);
    column("cause", trace_.cause);
    column("bytes", trace_.bytes);
    column("stored", trace_.stored);
    return result;
  }

  nb::list counters() const {
    nb::list result;
    for (const LaunchCounters& c : counters_) {
      nb::dict row;
      row["operations"] = c.operations;
      row["active"] = c.active;
      row["words"] = c.vector.words;
      row["lane_ops"] = c.vector.lane_ops;
      row["real_lane_ops"] = c.vector.real_lane_ops;
      row["loads"] = c.vector.loads;
      row["stores"] = c.vector.stores;
      result.append(row);
    }
    return result;
  }

 private:
  nb::object owner_;
  kpu::Memories memories_;
  uint64_t steps_;
  kpu::Trace trace_;
  std::vector<LaunchCounters> counters_;
};

}  // namespace

void bind_kpu(nb::module_& m) {
  nb::class_<kpu::MovementProgram>(m, "MovementProgram");
  m.def("movement_program", &program, "movements"_a, "waits"_a, "parts"_a, "parameters"_a,
        "timed"_a, "engines"_a, "workspace"_a,
        "Checks the tables of a movement program, see `tfmbs.runtime.abi.movement.program`.");
  m.def("kpu_conflicts", &conflicts, "program"_a, "accesses"_a, "tokens"_a,
        "Pairs of movements that conflict; see `tfmbs.runtime.hazards.Conflict`. `accesses` are beside those of "
        "copies.");
  m.def("kpu_walk", &walk, "program"_a, "wanted"_a, "most"_a,
        "Time and accesses of a vector program; see `tfmbs.runtime.abi.movement.walks.Walked`.");
  nb::class_<KpuContext>(m, "KpuContext")
      .def(nb::init<const LoadedImage&, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t>(), "image"_a, "l3"_a, "l2"_a,
           "l1"_a, "tiles"_a, "step_limit"_a, "Memories of so many bytes; an L1 for each of the tiles.")
      .def("run", &KpuContext::run, "image"_a, "entry"_a, "program"_a, "inputs"_a, "outputs"_a,
           "Executes a movement program of an entry; outputs are written.")
      .def("reset", &KpuContext::reset, "Zeroes the state.")
      .def("trace", &KpuContext::trace,
           "Of the last run, by movement: start_ps, end_ps, ready_ps, cause, bytes and stored, as 64-bit integers.")
      .def("counters", &KpuContext::counters, "Counters of the last run, one dictionary per descriptor.");
}

}  // namespace tfmbs
