#include "image.h"

#include <algorithm>
#include <cstring>

#include "checks.h"
#include "error.h"
#include "plan.h"
#include "siw_chain.h"
#include "window_rows.h"

namespace tfmbs {
namespace {

using abi::Kind;
using abi::NO_INDEX;

template <class T>
std::vector<T> records(const std::map<std::string, Bytes>& tables, const char* section) {
  const auto found = tables.find(section);
  if (found == tables.end() || found->second.size == 0) return {};
  if (found->second.size % sizeof(T)) throw Error("record", section, "length is not a multiple of the record's");
  std::vector<T> rows(found->second.size / sizeof(T));
  std::memcpy(static_cast<void*>(rows.data()), found->second.data, found->second.size);
  return rows;
}

template <class T>
const T& pick(const std::vector<T>& table, uint32_t index, const char* section, const std::string& where) {
  if (index >= table.size())
    throw Error(
        "record", where,
        "index " + std::to_string(index) + " is outside " + section + ", which has " + std::to_string(table.size()));
  return table[index];
}

void check_range(uint64_t first, uint64_t count, uint64_t size, const char* section, const std::string& where) {
  if (first > size || count > size - first) throw Error("record", where, std::string("a range leaves ") + section);
}

bool multiplies(Kind kind) { return kind == Kind::GEMM || kind == Kind::GEMV || convolves(kind); }

}  // namespace

Image::Image(const std::map<std::string, Bytes>& tables, std::vector<std::string> strings, Bytes weights,
             const Choice& choice, uint64_t memory_limit, const Image* whole, bool translates)
    : strings_(std::move(strings)),
      tensors_(records<abi::Tensor>(tables, "TENSOR")),
      gemms_(records<abi::GemmGeometry>(tables, "GEMM_GEOMETRY")),
      windows_(records<abi::WindowGeometry>(tables, "WINDOW_GEOMETRY")),
      volumes_(records<abi::VolumeGeometry>(tables, "VOLUME_GEOMETRY")),
      attentions_(records<abi::AttentionGeometry>(tables, "ATTENTION")),
      groups_(records<abi::GroupGeometry>(tables, "GROUP_GEOMETRY")),
      lstms_(records<abi::LstmGeometry>(tables, "LSTM_GEOMETRY")),
      args_(records<uint32_t>(tables, "ARGS")),
      entries_(records<abi::Entry>(tables, "ENTRY")),
      weights_(weights),
      choice_(choice),
      memory_left_(memory_limit),
      whole_(whole) {
  if (whole && (whole->weights_.data != weights.data || whole->choice_ != choice))
    throw Error("device", "emulator", "an image for other sizes has other weights");
  const auto words = tables.find("SIW");
  const Bytes code = words == tables.end() ? Bytes{} : words->second;
  for (const auto& record : records<abi::Program>(tables, "PROGRAM")) {
    check_range(record.first_word, record.word_count, code.size / abi::WORD_BYTES, "SIW", string(record.name));
    const uint8_t* first = code.data + record.first_word * abi::WORD_BYTES;
    programs_.push_back(decode_program(record, first, string(record.name), kernels(), translates));
  }
  const auto descriptors = records<abi::Descriptor>(tables, "CODE");
  launches_.reserve(descriptors.size());
  for (size_t i = 0; i < descriptors.size(); ++i) launches_.push_back(prepare(descriptors[i], i));
  const size_t signature = records<abi::Io>(tables, "IO_SIG").size();
  for (const abi::Entry& entry : entries_) {
    check_range(entry.first_descriptor, entry.descriptor_count, launches_.size(), "CODE", string(entry.name));
    check_range(entry.inputs_first, entry.inputs_count, signature, "IO_SIG", string(entry.name));
    check_range(entry.outputs_first, entry.outputs_count, signature, "IO_SIG", string(entry.name));
    scratch_bytes_ = std::max(scratch_bytes_, entry.scratch_bytes);
  }
  for (const auto& state : records<abi::State>(tables, "STATE")) {
    uint64_t end;
    if (__builtin_add_overflow(state.offset, state.bytes, &end))
      throw Error("record", "STATE", "a buffer is too large");
    state_bytes_ = std::max(state_bytes_, end);
  }
  whole_ = nullptr;
}

const std::string& Image::string(uint32_t index) const { return pick(strings_, index, "STRINGS", "a name"); }

const abi::Tensor& Image::tensor(uint32_t index, const std::string& where) const {
  return pick(tensors_, index, "TENSOR", where);
}

size_t Image::chains() const {
  size_t count = 0;
  for (const Program& program : programs_) count += program.chains ? program.chains->chains.size() : 0;
  return count;
}

size_t Image::loops() const {
  size_t count = 0;
  for (const Program& program : programs_) {
    if (!program.chains) continue;
    for (const Stretch& chain : program.chains->chains) count += chain.turns != nullptr;
  }
  return count;
}

const Plan& Image::plan(uint32_t entry) const {
  if (entry >= entries_.size()) throw Error("device", "emulator", "no such entry");
  const std::lock_guard<std::mutex> lock(planning_);
  std::shared_ptr<const Plan>& plan = plans_[entry];
  if (!plan) plan = std::make_shared<const Plan>(plan_of(*this, entries_[entry]));
  return *plan;
}

void Image::choose(Launch& launch, Family family) const {
  launch.family = family;
  launch.kernels = &choice_.of(family);
}

Launch Image::prepare(const abi::Descriptor& record, size_t index) {
  Launch launch;
  launch.record = record;
  launch.name = "descriptor " + std::to_string(index) + " (" + string(record.name) + ")";
  if (record.kind == Kind::GEMM || record.kind == Kind::GEMV)
    launch.gemm = pick(gemms_, record.geometry, "GEMM_GEOMETRY", launch.name);
  if (record.kind == Kind::CONV2D || record.kind == Kind::POOL) {
    launch.window = pick(windows_, record.geometry, "WINDOW_GEOMETRY", launch.name);
    launch.volume = volume_of(launch.window);
  }
  if (record.kind == Kind::CONV3D)
    launch.volume = pick(volumes_, record.geometry, "VOLUME_GEOMETRY", launch.name);
  if (record.kind == Kind::ATTENTION)
    launch.attention = pick(attentions_, record.geometry, "ATTENTION", launch.name);
  if (record.kind == Kind::GROUP_GEMM) launch.groups = pick(groups_, record.geometry, "GROUP_GEOMETRY", launch.name);
  if (record.kind == Kind::LSTM) launch.lstm = pick(lstms_, record.geometry, "LSTM_GEOMETRY", launch.name);
  if (record.program != NO_INDEX) launch.program = &pick(programs_, record.program, "PROGRAM", launch.name);
  check_range(record.args_first, record.args_count, args_.size(), "ARGS", launch.name);
  if (record.args_count > abi::WINDOWS) throw Error("record", launch.name, "it lists too many windows");
  const auto first = args_.begin() + record.args_first;
  launch.args.assign(first, first + record.args_count);
  check_launch(*this, launch);
  choose(launch, family_of(record.kind, launch.integer));
  launch.words = launch.integer ? launch.kernels->integers.words : Words::F32;
  if (multiplies(record.kind)) prepare_weights(launch);
  if (record.kind == Kind::GROUP_GEMM) prepare_groups(launch);
  if (record.kind == Kind::LSTM) prepare_lstm(launch);
  return launch;
}


}  // namespace tfmbs
