#include "bindings.h"

#include <algorithm>

#include "checks.h"
#include "error.h"
#include "lstm.h"
#include "stream.h"
#include "trit_product.h"

namespace tfmbs {
namespace {

using abi::Kind;
using abi::NO_INDEX;
using abi::Region;

// Operands by number; of an ATTENTION or LSTM, its args follow, else those of the windows.
enum Operand : unsigned { LHS, RHS, OUT, FURTHER, WINDOW = 16 };

// Whether products take their rows in the same form, which does not depend on what their weights are.
bool pack_alike(const Launch& a, const Launch& b) {
  const abi::GemmGeometry &g = a.gemm, &h = b.gemm;
  const abi::GroupGeometry &p = a.groups, &q = b.groups;
  if (a.record.kind != b.record.kind || a.kernels != b.kernels || a.words != b.words || a.integer != b.integer)
    return false;
  if (a.words == Words::RESIDUES && looks_up(a) != looks_up(b)) return false;
  if (a.record.kind == Kind::GROUP_GEMM)
    return p.m == q.m && p.k == q.k && p.group == q.group && p.lhs_m_stride == q.lhs_m_stride &&
           p.lhs_k_stride == q.lhs_k_stride && p.lhs_zero == q.lhs_zero && p.activations == q.activations;
  // How blocks of rows of f32 are cut depends on the columns, too.
  const bool products = a.record.kind == Kind::GEMM || a.record.kind == Kind::GEMV;
  return products && g.batch == h.batch && g.m == h.m && g.n == h.n && g.k == h.k &&
         g.lhs_batch_stride == h.lhs_batch_stride && g.lhs_m_stride == h.lhs_m_stride &&
         g.lhs_k_stride == h.lhs_k_stride && g.lhs_zero == h.lhs_zero;
}

// Operations, or elements that an epilogue or a stream takes, that one thread is done with in a few microseconds.
constexpr uint64_t SMALL_OPERATIONS = 1u << 17, SMALL_RESULTS = 1u << 10, SMALL_STREAM = 1u << 15;

}  // namespace

uint64_t operations_of(const Launch& launch) {
  const abi::GemmGeometry& g = launch.gemm;
  const abi::VolumeGeometry& w = launch.volume;
  switch (launch.record.kind) {
    case Kind::GEMM:
    case Kind::GEMV: return product({g.batch, g.m, g.n, g.k}, launch.name);
    case Kind::CONV2D:
    case Kind::CONV3D:
      return product({w.batch, w.out_channels, w.out_depth, w.out_height, w.out_width, w.in_channels / w.groups,
                      w.kernel_depth, w.kernel_height, w.kernel_width},
                     launch.name);
    case Kind::ATTENTION: {
      const abi::AttentionGeometry& a = launch.attention;
      const uint64_t both = static_cast<uint64_t>(a.width) + a.value_width;
      return product({a.batch, a.groups, a.shared, a.rows, a.columns, both}, launch.name);
    }
    case Kind::LSTM: {
      const abi::LstmGeometry& l = launch.lstm;
      const uint64_t both = static_cast<uint64_t>(l.width) + l.hidden;
      return product({l.steps, l.batch, ways_of(l), LSTM_GATES, l.hidden, both}, launch.name);
    }
    case Kind::GROUP_GEMM: return product({launch.groups.m, launch.groups.n, launch.groups.k}, launch.name);
    case Kind::POOL:
      // Windows are clipped to the input.
      return product({w.batch, w.out_channels, w.out_height, w.out_width, std::min(w.kernel_height, w.in_height),
                      std::min(w.kernel_width, w.in_width)},
                     launch.name);
    default: return 0;
  }
}

Bindings::Bindings(const Image& image, const abi::Entry& entry, Buffer scratch, Buffer state, FiniteBlocks& known)
    : image_(image), scratch_(scratch), state_(state), known_(known) {
  launches_.reserve(entry.descriptor_count);
  for (uint32_t i = 0; i < entry.descriptor_count; ++i) add(image.launches()[entry.first_descriptor + i]);
}

void Bindings::add(const Launch& launch) {
  const abi::Descriptor& record = launch.record;
  launches_.emplace_back(launch);
  Bound& bound = launches_.back();
  bound.operations = operations_of(launch);
  bound.keeps_rows = packed_ && shares_rows(*packed_, launch);
  note_rows(launch);
  if (record.lhs != NO_INDEX) add(record.lhs, LHS);
  if (record.rhs != NO_INDEX) add(record.rhs, RHS);
  uint64_t results = 0;
  if (record.out != NO_INDEX) {
    add(record.out, OUT);
    const abi::Tensor& out = image_.tensor(record.out, launch.name);
    bound.out_type = out.dtype;
    bound.out_bytes = out.bytes;
    results = element_count(out, launch.name);
  }
  const bool streams = launch.program && launch.program->stream && launch.program->stream->elements > SMALL_STREAM;
  bound.is_small = bound.operations <= SMALL_OPERATIONS && (!launch.program || results <= SMALL_RESULTS) && !streams;
  if (record.kind == Kind::GROUP_GEMM) bound.constants.push_back(launch.groups.scales);
  if (lists_operands(record.kind))
    for (unsigned i = 0; i < launch.args.size(); ++i) add(launch.args[i], FURTHER + i);
  if (!launch.program) return;
  for (const WindowUse& use : launch.program->uses) {
    const uint32_t tensor = launch.args[use.window];
    bound.windows[use.window].elements = element_count(image_.tensor(tensor, launch.name), launch.name);
    add(tensor, WINDOW + use.window);
  }
}

// Whether a launch multiplies the rows that another one has packed before it.
bool Bindings::shares_rows(const Launch& before, const Launch& launch) const {
  if (!pack_alike(before, launch) || before.record.lhs != launch.record.lhs) return false;
  // No result overlaps an operand of its launch, but inputs and outputs may be the same memory of a caller.
  const Region region = image_.tensor(launch.record.lhs, launch.name).region;
  return region == Region::SCRATCH || region == Region::STATE;
}

void Bindings::note_rows(const Launch& launch) {
  switch (launch.record.kind) {
    // These pack nothing where products do.
    case Kind::VECTOR:
    case Kind::COPY:
    case Kind::POOL:
    case Kind::ATTENTION:
      if (packed_ && stores(launch, image_.tensor(packed_->record.lhs, packed_->name))) packed_ = nullptr;
      return;
    default: packed_ = &launch;
  }
}

// Whether a launch stores to what a tensor has, as far as its operands tell.
bool Bindings::stores(const Launch& launch, const abi::Tensor& to) const {
  const auto meets = [&](uint32_t index) {
    const abi::Tensor& own = image_.tensor(index, launch.name);
    return own.region == to.region && own.offset < to.offset + to.bytes && to.offset < own.offset + own.bytes;
  };
  if (launch.record.out != NO_INDEX && meets(launch.record.out)) return true;
  if (!launch.program) return false;
  const auto& uses = launch.program->uses;
  return std::any_of(uses.begin(), uses.end(),
                     [&](const WindowUse& use) { return use.writes && meets(launch.args[use.window]); });
}

void Bindings::add(uint32_t index, unsigned operand) {
  Bound& bound = launches_.back();
  const std::string& where = bound.launch.name;
  const abi::Tensor& tensor = image_.tensor(index, where);
  switch (tensor.region) {
    // The weights are never written: check_launch refuses it.
    case Region::WEIGHTS: {
      bound.constants.push_back(index);
      const Buffer weights{const_cast<uint8_t*>(image_.weights().data), image_.weights().size};
      return set(bound, operand, place(tensor, weights, where));
    }
    case Region::SCRATCH: return set(bound, operand, place(tensor, scratch_, where));
    case Region::STATE: {
      uint8_t* const data = place(tensor, state_, where);
      note_stores(bound, operand, data, tensor);
      return set(bound, operand, data);
    }
    case Region::INPUT:
    case Region::OUTPUT: brought_.push_back({static_cast<uint32_t>(launches_.size() - 1), index, operand}); return;
  }
  throw Error("record", where, "a tensor lies in no region");
}

void Bindings::note_stores(Bound& bound, unsigned operand, uint8_t* data, const abi::Tensor& tensor) {
  const Launch& launch = bound.launch;
  const Kind kind = launch.record.kind;
  bool stores = (operand == OUT && kind != Kind::VECTOR) ||
                (operand >= FURTHER && operand < WINDOW && kind == Kind::LSTM);
  if (operand >= WINDOW)
    for (const WindowUse& use : launch.program->uses) stores |= use.window == operand - WINDOW && use.writes;
  if (!stores || !tensor.bytes) return;
  if (kind != Kind::VECTOR) return bound.stored.push_back({data, tensor.bytes});
  Window& window = bound.windows[operand - WINDOW];
  window.known = &known_;
  window.element_bytes = element_bytes(tensor.dtype);
}

void Bindings::bind(const std::vector<Buffer>& inputs, const std::vector<Buffer>& outputs) {
  for (const Brought& brought : brought_) {
    Bound& bound = launches_[brought.launch];
    const abi::Tensor& tensor = image_.tensor(brought.tensor, bound.launch.name);
    const std::vector<Buffer>& buffers = tensor.region == Region::INPUT ? inputs : outputs;
    if (tensor.slot >= buffers.size())
      throw Error("record", bound.launch.name, "a tensor has no such input or output");
    set(bound, brought.operand, place(tensor, buffers[tensor.slot], bound.launch.name));
  }
}

void Bindings::set(Bound& bound, unsigned operand, uint8_t* data) const {
  switch (operand) {
    case LHS: bound.lhs = data; return;
    case RHS: bound.rhs = data; return;
    case OUT: bound.out = data; return;
    default: break;
  }
  if (operand >= WINDOW) bound.windows[operand - WINDOW].data = data;
  else bound.further[operand - FURTHER] = data;
}

uint8_t* Bindings::place(const abi::Tensor& tensor, Buffer buffer, const std::string& where) const {
  check_place(tensor, buffer.size, where);
  uint8_t* data = buffer.data + tensor.offset;
  // A caller's array is aligned to its own elements only, and the tensor may be another reading of its bytes.
  if (reinterpret_cast<uintptr_t>(data) % std::max(element_bytes(tensor.dtype), 1u))
    throw Error("record", where, "a tensor's elements are larger than those of its input or output");
  return data;
}

}  // namespace tfmbs
