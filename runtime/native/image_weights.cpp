// How launches have their weights: which form, from where, and made at their first use.
#include "image.h"

#include <algorithm>
#include <cstring>

#include "abreast.h"
#include "byte_product.h"
#include "checks.h"
#include "error.h"
#include "lstm.h"
#include "operations.h"
#include "trits.h"

namespace tfmbs {
namespace {

using abi::Kind;

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

}  // namespace

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
