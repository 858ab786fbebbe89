#include "image.h"

#include <algorithm>
#include <cstring>

#include "abreast.h"
#include "byte_product.h"
#include "checks.h"
#include "error.h"
#include "lstm.h"
#include "plan.h"
#include "siw_chain.h"
#include "operations.h"
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

// The elements of constant weights; they live as long as this does.
struct Elements {
  Elements(const abi::Tensor& rhs, const uint8_t* data, const std::string& where) {
    if (is_packed(rhs.dtype)) {
      const uint64_t elements = element_count(rhs, where), rows = rhs.rank ? rhs.dims[0] : 1;
      unpacked = unpack_elements(data, rows, rows ? elements / rows : 0, rhs.packing, where);
      vectors.i8 = unpacked.data();
    } else if (rhs.dtype == abi::DType::I8) {
      vectors.i8 = reinterpret_cast<const int8_t*>(data);
    } else {
      vectors.f32 = reinterpret_cast<const float*>(data);
    }
  }
  Elements(const Elements&) = delete;
  Elements& operator=(const Elements&) = delete;

  std::vector<int8_t> unpacked;
  Vectors vectors;
};

// Rows of fewer trits would be padding for the most part.
constexpr uint64_t LEAST_RESIDUES = 256;

// Whether the weights of an integer product are rows of trits that may be multiplied as residues.
bool has_trit_rows(const Launch& launch, const abi::Tensor& rhs) {
  if (!launch.integer || rhs.dtype != abi::DType::TRIT) return false;
  const abi::GroupGeometry& h = launch.groups;
  if (launch.record.kind == Kind::GROUP_GEMM) return h.group == h.k && h.k >= LEAST_RESIDUES;
  const abi::GemmGeometry& g = launch.gemm;
  return g.rhs_k_stride == 1 && g.rhs_n_stride == g.k && g.k >= LEAST_RESIDUES &&
         (g.batch == 1 || !g.rhs_batch_stride) && element_count(rhs, launch.name) == uint64_t{g.n} * g.k;
}

// So many products of each weight that is not zero.
std::shared_ptr<const LazyCount> times(std::shared_ptr<const LazyWeights> weights, uint64_t uses) {
  return std::make_shared<const LazyCount>([weights = std::move(weights), uses] {
    return weights->get().nonzero[0] * uses;
  });
}

bool convolves(Kind kind) { return kind == Kind::CONV2D || kind == Kind::CONV3D; }
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

uint64_t Image::packed_size(const Launch& launch) const {
  if (convolves(launch.record.kind))
    return tfmbs::packed_bytes(launch.volume, launch.words, *launch.kernels, launch.name);
  return tfmbs::packed_bytes(launch.gemm, launch.words, launch.kernels->panel, launch.name);
}

std::shared_ptr<const LazyWeights> Image::stored(std::string key, const Launch& launch, uint64_t size,
                                                 std::function<StoredWeights()> make) {
  key = bytes_of(launch.kernels) + key;
  if (whole_) {
    const auto found = whole_->stored_.find(key);
    if (found != whole_->stored_.end()) return found->second;
  }
  std::shared_ptr<const LazyWeights>& own = stored_[key];
  if (own) return own;
  if (size > memory_left_)
    throw Error("resource-limit", launch.name, "its packed weights take more memory than is granted");
  memory_left_ -= size;
  packed_bytes_ += size;
  own = std::make_shared<const LazyWeights>(std::move(make));
  return own;
}

void Image::prepare_weights(Launch& launch) {
  const bool conv = convolves(launch.record.kind);
  const abi::Tensor& rhs = tensor(launch.record.rhs, launch.name);
  launch.operations = conv ? operations_of(launch.volume) : operations_of(launch.gemm);
  launch.constant = rhs.region == abi::Region::WEIGHTS;
  if (!launch.constant) return;
  check_place(rhs, weights_.size, launch.name);
  if (!conv && has_trit_rows(launch, rhs)) return prepare_trits(launch, rhs, nullptr, launch.gemm.n, launch.gemm.k);
  // What packing does not depend on is the same in the keys of all launches.
  std::string key = bytes_of(launch.words) + bytes_of(place_of(rhs));
  const uint8_t* const data = weights_.data + rhs.offset;
  if (conv) {
    // The taps that lie on padding differ with the size of the input, and with them the work.
    const abi::VolumeGeometry filter = filter_of(launch.volume);
    launch.weights = stored(key + bytes_of(filter), launch, packed_size(launch),
                            [filter, rhs, data, words = launch.words, kernels = launch.kernels, name = launch.name] {
                              const Elements elements(rhs, data, name);
                              return StoredWeights{pack_conv(filter, elements.vectors, words, *kernels),
                                                   nonzero_of(filter, elements.vectors)};
                            });
    launch.active = std::make_shared<const LazyCount>([weights = launch.weights, volume = launch.volume] {
      return active_of(volume, weights->get().nonzero);
    });
    return;
  }
  const abi::GemmGeometry one = matrix_of(launch.gemm);
  launch.weights = stored(key + bytes_of(one), launch, packed_size(launch),
                          [one, rhs, data, words = launch.words, panel = launch.kernels->panel, name = launch.name] {
                            const Elements elements(rhs, data, name);
                            return StoredWeights{pack_gemm(one, elements.vectors, words, panel),
                                                 {nonzero_of(one, elements.vectors)}};
                          });
  launch.active = times(launch.weights, launch.gemm.m * (launch.gemm.batch / uint64_t{one.batch}));
}

void Image::prepare_groups(Launch& launch) {
  const abi::GroupGeometry& g = launch.groups;
  const abi::Tensor& rhs = tensor(launch.record.rhs, launch.name);
  const abi::Tensor& scales = tensor(g.scales, launch.name);
  check_place(rhs, weights_.size, launch.name);
  check_place(scales, weights_.size, launch.name);
  launch.constant = true;
  launch.operations = product({g.m, g.n, g.k}, launch.name);
  if (has_trit_rows(launch, rhs)) return prepare_trits(launch, rhs, &scales, g.n, g.k);
  if (launch.integer && rhs.dtype == abi::DType::I8 && takes_byte_rows(g)) launch.words = Words::BYTE_ROWS;
  else if (is_packed(rhs.dtype)) launch.words = Words::NIBBLES;  // trits have less than 4 bits
  else if (!launch.integer) launch.words = Words::BYTES;
  abi::GroupGeometry one = g;
  one.m = 1;
  one.lhs_m_stride = one.lhs_k_stride = one.scales = 0;
  one.lhs_zero = 0;
  const std::string key =
      bytes_of(launch.words) + bytes_of(place_of(rhs)) + bytes_of(place_of(scales)) + bytes_of(one);
  const bool in_place = launch.words == Words::BYTE_ROWS;
  const uint64_t size = in_place ? 0 : tfmbs::packed_bytes(g, launch.words, launch.kernels->panel, launch.name);
  const uint8_t* const data = weights_.data + rhs.offset;
  const float* const factors = reinterpret_cast<const float*>(weights_.data + scales.offset);
  launch.weights = stored(
      key, launch, size,
      [one, rhs, data, factors, in_place, words = launch.words, panel = launch.kernels->panel, name = launch.name] {
        const Elements elements(rhs, data, name);
        if (in_place) {
          PackedWeights rows;
          rows.bytes = elements.vectors.i8;
          rows.factors = factors;
          return StoredWeights{std::move(rows), {}};
        }
        return StoredWeights{pack_groups(one, elements.vectors.i8, factors, words, panel),
                             {nonzero_of(one, elements.vectors.i8)}};
      });
  if (!in_place) launch.active = times(launch.weights, g.m);
  else launch.active = std::make_shared<const LazyCount>([one, data, m = g.m] {
    return nonzero_of(one, reinterpret_cast<const int8_t*>(data)) * m;
  });
}

void Image::prepare_trits(Launch& launch, const abi::Tensor& rhs, const abi::Tensor* scales, uint64_t n, uint64_t k) {
  choose(launch, Family::TRITS);
  launch.words = Words::RESIDUES;
  const uint64_t whole = rows_abreast(n);
  // Rows of the tensor that are rows of the product feed the kernels from the file.
  const bool in_place = rhs.packing == abi::Packing::A5 && rhs.dims[0] == n;
  const uint64_t own_bytes = product({n, sizeof(uint32_t) + (scales ? sizeof(float) : 0)}, launch.name);
  const uint64_t size = in_place ? own_bytes : own_bytes + product({whole, residue_row_bytes(k)}, launch.name);
  const std::string key =
      bytes_of(launch.words) + bytes_of(place_of(rhs)) + bytes_of(n) + bytes_of(k) +
      (scales ? bytes_of(place_of(*scales)) : std::string());
  const uint8_t* const data = weights_.data + rhs.offset;
  const uint8_t* const factors = scales ? weights_.data + scales->offset : nullptr;
  launch.weights = stored(key, launch, size, [=, kernels = launch.kernels, name = launch.name] {
    StoredWeights stored;
    PackedWeights& packed = stored.packed;
    const uint64_t blocks = residue_blocks(k), row_bytes = residue_row_bytes(k);
    if (in_place) {
      check_abreast(data, n, k, kernels->codes.abreast, name);
      packed.residues = data;
    } else {
      const Elements elements(rhs, data, name);
      packed.words.resize(whole * row_bytes / sizeof(uint32_t));
      uint8_t* lines = reinterpret_cast<uint8_t*>(packed.words.data());
      pack_abreast(elements.vectors.i8, n, k, lines);
      packed.residues = lines;
    }
    stored.nonzero.assign(1, 0);
    packed.sums.resize(n);
    for (uint64_t row = 0; row < n; row += ABREAST_ROWS) {
      uint32_t sums[ABREAST_ROWS];
      stored.nonzero[0] += count_abreast(packed.residues + row * row_bytes, blocks, sums);
      std::copy_n(sums, std::min<uint64_t>(ABREAST_ROWS, n - row), packed.sums.begin() + static_cast<ptrdiff_t>(row));
    }
    if (factors) {
      packed.scales.resize(n);
      std::memcpy(packed.scales.data(), factors, n * sizeof(float));
    }
    return stored;
  });
  const uint64_t rows = scales ? launch.groups.m : uint64_t{launch.gemm.batch} * launch.gemm.m;
  launch.active = times(launch.weights, rows);
}

void Image::prepare_lstm(Launch& launch) {
  struct Factor {
    std::shared_ptr<const LazyWeights> weights;
    uint64_t operations, uses;
    uint64_t active() const { return weights ? weights->get().nonzero[0] * uses : operations; }
  };
  // The right operand of a product that is made `times` times, packed where it is constant.
  const auto prepare = [&](uint32_t index, const abi::GemmGeometry& g, uint64_t times) {
    Factor factor{nullptr, times * operations_of(g), times * g.m};
    const abi::Tensor& rhs = tensor(index, launch.name);
    if (rhs.region != abi::Region::WEIGHTS) return factor;
    check_place(rhs, weights_.size, launch.name);
    const abi::GemmGeometry one = matrix_of(g);
    const uint64_t size = tfmbs::packed_bytes(g, Words::F32, launch.kernels->panel, launch.name);
    const uint8_t* const data = weights_.data + rhs.offset;
    factor.weights = stored(bytes_of(Words::F32) + bytes_of(place_of(rhs)) + bytes_of(one), launch, size,
                            [one, rhs, data, panel = launch.kernels->panel, name = launch.name] {
                              const Elements elements(rhs, data, name);
                              return StoredWeights{pack_gemm(one, elements.vectors, Words::F32, panel),
                                                   {nonzero_of(one, elements.vectors)}};
                            });
    return factor;
  };
  const Factor inputs = prepare(launch.record.rhs, product_of_inputs(launch.lstm), 1);
  const Factor states = prepare(launch.args[0], product_of_states(launch.lstm), launch.lstm.steps);
  launch.weights = inputs.weights;
  launch.recurrent = states.weights;
  launch.operations = inputs.operations + states.operations;
  launch.active = std::make_shared<const LazyCount>([inputs, states] { return inputs.active() + states.active(); });
  launch.constant = launch.weights != nullptr;
}

}  // namespace tfmbs
