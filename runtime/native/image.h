// The tables of a fabric binary, checked as far as memory safety needs, with weights in the form the kernels read.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "abi.gen.h"
#include "choice.h"
#include "kernels.h"
#include "lazy_weights.h"
#include "pack.h"
#include "siw.h"

namespace tfmbs {

// Bytes of a section.
struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;
};

inline bool convolves(abi::Kind kind) { return kind == abi::Kind::CONV2D || kind == abi::Kind::CONV3D; }

// A descriptor with what was prepared for it when the image was loaded.
struct Launch {
  abi::Descriptor record;
  std::string name;
  abi::GemmGeometry gemm{};
  abi::WindowGeometry window{};  // of a POOL
  abi::AttentionGeometry attention{};
  abi::VolumeGeometry volume{};  // of a CONV2D or POOL with one plane
  abi::GroupGeometry groups{};
  abi::LstmGeometry lstm{};
  const Program* program = nullptr;
  std::vector<uint32_t> args;
  bool integer = false;   // i32 accumulators, else f32
  Family family{};
  const Kernels* kernels = nullptr;  // of the family
  Words words{};          // in which products take their operands
  bool constant = false;  // rhs lies in WEIGHTS
  std::shared_ptr<const LazyWeights> weights;  // where rhs is constant
  std::shared_ptr<const LazyWeights> recurrent;  // as `weights`, of the states of an LSTM; nullptr where not constant
  uint64_t operations = 0;                       // multiply-accumulates, none on padding
  std::shared_ptr<const LazyCount> active;       // those whose weight is not a constant zero; nullptr: all

  uint64_t active_operations() const { return active ? active->get() : operations; }
  // Whether an epilogue is given f32: sums of groups are scaled before it.
  bool finishes_reals() const { return !integer || record.kind == abi::Kind::GROUP_GEMM; }
};

struct Plan;

class Image {
 public:
  // `tables` are section bytes by section name, `strings` the string table, `weights` the WEIGHTS region, which must
  // outlive the image and be aligned to 8 bytes; at most `memory_limit` bytes are taken for packed weights, those of
  // `whole` aside: an image of the same weights and choice, or none. With `translates`, chains of vector operations
  // become machine code. Throws Error.
  Image(const std::map<std::string, Bytes>& tables, std::vector<std::string> strings, Bytes weights,
        const Choice& choice, uint64_t memory_limit, const Image* whole = nullptr, bool translates = true);
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  const Choice& choice() const { return choice_; }
  // Of vector code.
  const Kernels& kernels() const { return choice_.of(Family::VECTOR); }
  const std::vector<abi::Entry>& entries() const { return entries_; }
  const std::vector<Launch>& launches() const { return launches_; }
  Bytes weights() const { return weights_; }
  // How many chains of vector operations are machine code.
  size_t chains() const;
  // How many loops are chains whose turns hand nothing on in registers.
  size_t loops() const;
  uint64_t scratch_bytes() const { return scratch_bytes_; }
  uint64_t state_bytes() const { return state_bytes_; }
  // Bytes of the packed weights that are its own.
  uint64_t packed_bytes() const { return packed_bytes_; }
  // Bytes that packing the weights of a launch takes.
  uint64_t packed_size(const Launch& launch) const;
  const std::string& string(uint32_t index) const;
  const abi::Tensor& tensor(uint32_t index, const std::string& where) const;
  // How an entry is executed; made when it is first asked for. Throws Error where there is no such entry.
  const Plan& plan(uint32_t entry) const;

 private:
  void choose(Launch& launch, Family family) const;
  Launch prepare(const abi::Descriptor& record, size_t index);
  void prepare_weights(Launch& launch);
  void prepare_groups(Launch& launch);
  void prepare_lstm(Launch& launch);
  void prepare_trits(Launch& launch, const abi::Tensor& rhs, const abi::Tensor* scales, uint64_t n, uint64_t k);
  // The weights that `key` and the launch's kernels tell, to be made by `make` in `size` bytes unless another launch,
  // or one of `whole`, has them. `make` outlives the image.
  std::shared_ptr<const LazyWeights> stored(std::string key, const Launch& launch, uint64_t size,
                                            std::function<StoredWeights()> make);

  std::vector<std::string> strings_;
  std::vector<abi::Tensor> tensors_;
  std::vector<abi::GemmGeometry> gemms_;
  std::vector<abi::WindowGeometry> windows_;
  std::vector<abi::VolumeGeometry> volumes_;
  std::vector<abi::AttentionGeometry> attentions_;
  std::vector<abi::GroupGeometry> groups_;
  std::vector<abi::LstmGeometry> lstms_;
  std::vector<uint32_t> args_;
  std::vector<Program> programs_;
  std::vector<Launch> launches_;
  std::vector<abi::Entry> entries_;
  Bytes weights_;
  const Choice choice_;
  uint64_t memory_left_, packed_bytes_ = 0;
  const Image* whole_;  // while the image is made
  std::map<std::string, std::shared_ptr<const LazyWeights>> stored_;
  uint64_t scratch_bytes_ = 0, state_bytes_ = 0;
  mutable std::mutex planning_;
  mutable std::map<uint32_t, std::shared_ptr<const Plan>> plans_;
};

}  // namespace tfmbs
