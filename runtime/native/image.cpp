#include "image.h"

#include <algorithm>
#include <cstring>

#include "checks.h"
#include "error.h"
#include "lstm.h"
#include "plan.h"
#include "trits.h"
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

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// A tensor of weights without its name.
abi::Tensor place_of(abi::Tensor tensor) {
  tensor.name = 0;
  return tensor;
}

// What packing a right operand depends on: one row, each matrix of it once.
abi::GemmGeometry matrix_of(abi::GemmGeometry g) {
  if (!g.rhs_batch_stride) g.batch = 1;
  g.m = 1;
  g.lhs_batch_stride = g.lhs_m_stride = g.lhs_k_stride = 0;
  g.lhs_zero = 0;
  return g;
}

// What packing a filter depends on.
abi::VolumeGeometry filter_of(const abi::VolumeGeometry& g) {
  abi::VolumeGeometry filter{};
  filter.in_channels = g.in_channels;
  filter.out_channels = g.out_channels;
  filter.kernel_depth = g.kernel_depth;
  filter.kernel_height = g.kernel_height;
  filter.kernel_width = g.kernel_width;
  filter.groups = g.groups;
  return filter;
}

bool convolves(Kind kind) { return kind == Kind::CONV2D || kind == Kind::CONV3D; }
bool multiplies(Kind kind) { return kind == Kind::GEMM || kind == Kind::GEMV || convolves(kind); }

}  // namespace

Image::Image(const std::map<std::string, Bytes>& tables, std::vector<std::string> strings, Bytes weights,
             const Kernels& kernels, uint64_t memory_limit, const Image* whole)
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
      kernels_(kernels),
      memory_left_(memory_limit),
      whole_(whole) {
  if (whole && (whole->weights_.data != weights.data || &whole->kernels_ != &kernels))
    throw Error("device", "emulator", "an image for other sizes has other weights");
  const auto words = tables.find("SIW");
  const Bytes code = words == tables.end() ? Bytes{} : words->second;
  for (const auto& record : records<abi::Program>(tables, "PROGRAM")) {
    check_range(record.first_word, record.word_count, code.size / abi::WORD_BYTES, "SIW", string(record.name));
    const uint8_t* first = code.data + record.first_word * abi::WORD_BYTES;
    programs_.push_back(decode_program(record, first, string(record.name), kernels));
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

const Plan& Image::plan(uint32_t entry) const {
  if (entry >= entries_.size()) throw Error("device", "emulator", "no such entry");
  const std::lock_guard<std::mutex> lock(planning_);
  std::shared_ptr<const Plan>& plan = plans_[entry];
  if (!plan) plan = std::make_shared<const Plan>(plan_of(*this, entries_[entry]));
  return *plan;
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
  launch.words = launch.integer ? kernels_.integers.words : Words::F32;
  if (multiplies(record.kind)) prepare_weights(launch);
  if (record.kind == Kind::GROUP_GEMM) prepare_groups(launch);
  if (record.kind == Kind::LSTM) prepare_lstm(launch);
  return launch;
}

uint64_t Image::packed_size(const Launch& launch) const {
  if (convolves(launch.record.kind)) return tfmbs::packed_bytes(launch.volume, launch.words, launch.name);
  return tfmbs::packed_bytes(launch.gemm, launch.words, kernels_.panel, launch.name);
}

template <class Pack>
std::shared_ptr<const StoredWeights> Image::stored(const std::string& key, const Launch& launch, uint64_t size,
                                                   const Pack& pack) {
  if (whole_) {
    const auto found = whole_->stored_.find(key);
    if (found != whole_->stored_.end()) return found->second;
  }
  std::shared_ptr<const StoredWeights>& own = stored_[key];
  if (own) return own;
  if (size > memory_left_)
    throw Error("resource-limit", launch.name, "its packed weights take more memory than is granted");
  memory_left_ -= size;
  packed_bytes_ += size;
  own = std::make_shared<const StoredWeights>(pack());
  return own;
}

void Image::prepare_weights(Launch& launch) {
  const bool conv = convolves(launch.record.kind);
  const auto work = [&](const Vectors* rhs) { return conv ? work_of(launch.volume, rhs) : work_of(launch.gemm, rhs); };
  const abi::Tensor& rhs = tensor(launch.record.rhs, launch.name);
  launch.constant = rhs.region == abi::Region::WEIGHTS;
  if (!launch.constant) {
    launch.work = work(nullptr);
    return;
  }
  check_place(rhs, weights_.size, launch.name);
  std::vector<int8_t> trits;
  const auto vectors_of = [&] {
    const uint8_t* data = weights_.data + rhs.offset;
    Vectors vectors;
    if (is_packed(rhs.dtype)) {
      const uint64_t elements = element_count(rhs, launch.name), rows = rhs.rank ? rhs.dims[0] : 1;
      trits = unpack_elements(data, rows, rows ? elements / rows : 0, rhs.packing, launch.name);
      vectors.i8 = trits.data();
    } else if (rhs.dtype == abi::DType::I8) {
      vectors.i8 = reinterpret_cast<const int8_t*>(data);
    } else {
      vectors.f32 = reinterpret_cast<const float*>(data);
    }
    return vectors;
  };
  // What packing does not depend on is the same in the keys of all launches.
  std::string key = bytes_of(launch.words) + bytes_of(place_of(rhs));
  if (conv) {
    // The taps that lie on padding differ with the size of the input, and with them the work.
    const Vectors vectors = vectors_of();
    launch.work = work_of(launch.volume, &vectors);
    const auto store = stored(key + bytes_of(filter_of(launch.volume)), launch, packed_size(launch), [&] {
      return StoredWeights{pack_conv(launch.volume, vectors, launch.words, kernels_.rows)};
    });
    launch.weights = {store, &store->packed};
    return;
  }
  const abi::GemmGeometry one = matrix_of(launch.gemm);
  const auto store = stored(key + bytes_of(one), launch, packed_size(launch), [&] {
    const Vectors vectors = vectors_of();
    return StoredWeights{pack_gemm(launch.gemm, vectors, launch.words, kernels_.panel), work_of(one, &vectors).active};
  });
  launch.weights = {store, &store->packed};
  launch.work = work_of(launch.gemm, nullptr);
  launch.work.active = store->nonzero * launch.gemm.m * (launch.gemm.batch / one.batch);
}

void Image::prepare_groups(Launch& launch) {
  const abi::GroupGeometry& g = launch.groups;
  const abi::Tensor& rhs = tensor(launch.record.rhs, launch.name);
  const abi::Tensor& scales = tensor(g.scales, launch.name);
  check_place(rhs, weights_.size, launch.name);
  check_place(scales, weights_.size, launch.name);
  if (is_packed(rhs.dtype)) launch.words = Words::NIBBLES;  // trits have less than 4 bits
  abi::GroupGeometry one = g;
  one.m = 1;
  one.lhs_m_stride = one.lhs_k_stride = one.scales = 0;
  one.lhs_zero = 0;
  const std::string key =
      bytes_of(launch.words) + bytes_of(place_of(rhs)) + bytes_of(place_of(scales)) + bytes_of(one);
  const uint64_t size = tfmbs::packed_bytes(g, launch.words, kernels_.panel, launch.name);
  const auto store = stored(key, launch, size, [&] {
    const uint8_t* data = weights_.data + rhs.offset;
    std::vector<int8_t> unpacked;
    const int8_t* elements = reinterpret_cast<const int8_t*>(data);
    if (is_packed(rhs.dtype)) {
      unpacked = unpack_elements(data, rhs.dims[0], g.group, rhs.packing, launch.name);
      elements = unpacked.data();
    }
    const float* factors = reinterpret_cast<const float*>(weights_.data + scales.offset);
    return StoredWeights{pack_groups(g, elements, factors, launch.words, kernels_.panel),
                         work_of(one, elements).active};
  });
  launch.constant = true;
  launch.work.all = product({g.m, g.n, g.k}, launch.name);
  launch.work.active = store->nonzero * g.m;
  launch.weights = {store, &store->packed};
}

void Image::prepare_lstm(Launch& launch) {
  // The right operand of a product that is made `times` times, packed where it is constant.
  const auto prepare = [&](uint32_t index, const abi::GemmGeometry& g, uint64_t times) {
    std::shared_ptr<const PackedWeights> packed;
    const abi::Tensor& rhs = tensor(index, launch.name);
    Work work = work_of(g, nullptr);
    if (rhs.region == abi::Region::WEIGHTS) {
      check_place(rhs, weights_.size, launch.name);
      const abi::GemmGeometry one = matrix_of(g);
      const uint64_t size = tfmbs::packed_bytes(g, Words::F32, kernels_.panel, launch.name);
      const auto store = stored(bytes_of(Words::F32) + bytes_of(place_of(rhs)) + bytes_of(one), launch, size, [&] {
        Vectors vectors;
        vectors.f32 = reinterpret_cast<const float*>(weights_.data + rhs.offset);
        return StoredWeights{pack_gemm(g, vectors, Words::F32, kernels_.panel), work_of(one, &vectors).active};
      });
      packed = {store, &store->packed};
      work.active = store->nonzero * g.m;
    }
    launch.work.all += times * work.all;
    launch.work.active += times * work.active;
    return packed;
  };
  launch.weights = prepare(launch.record.rhs, product_of_inputs(launch.lstm), 1);
  launch.recurrent = prepare(launch.args[0], product_of_states(launch.lstm), launch.lstm.steps);
  launch.constant = launch.weights != nullptr;
}

}  // namespace tfmbs
