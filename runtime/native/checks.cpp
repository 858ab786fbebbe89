#include "checks.h"

#include "error.h"
#include "lstm.h"
#include "trits.h"

namespace tfmbs {
namespace {

using abi::DType;
using abi::Kind;
using abi::Packing;
using abi::Region;
__extension__ using Wide = unsigned __int128;

class Checker {
 public:
  Checker(const Image& image, Launch& launch) : image_(image), launch_(launch) {}

  void run() {
    switch (launch_.record.kind) {
      case Kind::GEMM:
      case Kind::GEMV: gemm(); break;
      case Kind::CONV2D:
      case Kind::CONV3D: conv(); break;
      case Kind::POOL: pool(); break;
      case Kind::GROUP_GEMM: groups(); break;
      case Kind::VECTOR: require(launch_.program != nullptr, "it has no program"); break;
      case Kind::COPY: copy(); break;
      case Kind::ATTENTION: attention(); break;
      case Kind::LSTM: lstm(); break;
      default: require(false, "no such kind");
    }
    windows();
  }

 private:
  void require(bool condition, const std::string& what) const {
    if (!condition) throw Error("record", launch_.name, what);
  }
  const abi::Tensor& operand(uint32_t index) const { return image_.tensor(index, launch_.name); }
  uint64_t count(const abi::Tensor& tensor) const { return element_count(tensor, launch_.name); }
  uint64_t times(std::initializer_list<uint64_t> factors) const { return product(factors, launch_.name); }
  void writable(const abi::Tensor& tensor) const {
    require(tensor.region == Region::SCRATCH || tensor.region == Region::STATE || tensor.region == Region::OUTPUT,
            "it writes to a region that is read only");
  }

  // Type pairs of a multiplication; the accumulator follows the left operand.
  void types(const abi::Tensor& lhs, const abi::Tensor& rhs, int32_t zero) {
    require(lhs.dtype == DType::F32 || lhs.dtype == DType::I8, "lhs is neither f32 nor i8");
    require(rhs.dtype == lhs.dtype || is_packed(rhs.dtype), "rhs is neither of the type of lhs nor packed");
    require(!is_packed(rhs.dtype) || rhs.region == Region::WEIGHTS, "a packed rhs lies outside WEIGHTS");
    launch_.integer = lhs.dtype == DType::I8;
    require(launch_.integer ? zero >= -128 && zero <= 127 : zero == 0, "lhs_zero is outside the type of lhs");
  }

  void result(const abi::Tensor& out, DType plain) const {
    writable(out);
    if (launch_.program)
      require(image_.kernels().moves(out.dtype).load != nullptr, "lanes cannot hold the type of out");
    else require(out.dtype == plain, "the type of out is not the accumulator's");
  }

  // The last element that a strided operand reads lies inside it.
  void reach(const abi::Tensor& tensor, std::initializer_list<std::pair<uint32_t, uint32_t>> axes,
             const char* what) const {
    Wide last = 0;
    for (const auto& [size, stride] : axes) last += static_cast<Wide>(size - 1) * stride;
    require(last < count(tensor), std::string(what) + " is read beyond its end");
  }

  void gemm() {
    const abi::GemmGeometry& g = launch_.gemm;
    const abi::Tensor& lhs = operand(launch_.record.lhs);
    const abi::Tensor& rhs = operand(launch_.record.rhs);
    const abi::Tensor& out = operand(launch_.record.out);
    types(lhs, rhs, g.lhs_zero);
    result(out, launch_.integer ? DType::I32 : DType::F32);
    require(g.batch && g.m && g.n && g.k, "a size of the geometry is 0");
    require(count(out) == times({g.batch, g.m, g.n}), "out has not batch * m * n elements");
    reach(lhs, {{g.batch, g.lhs_batch_stride}, {g.m, g.lhs_m_stride}, {g.k, g.lhs_k_stride}}, "lhs");
    reach(rhs, {{g.batch, g.rhs_batch_stride}, {g.n, g.rhs_n_stride}, {g.k, g.rhs_k_stride}}, "rhs");
    const uint64_t products = g.rhs_batch_stride ? g.batch : 1;
    require(times({products, g.n, g.k}) <= count(rhs), "rhs has fewer than batch * n * k elements");
  }

  void groups() {
    const abi::GroupGeometry& g = launch_.groups;
    const abi::Tensor& lhs = operand(launch_.record.lhs);
    const abi::Tensor& rhs = operand(launch_.record.rhs);
    const abi::Tensor& scales = operand(g.scales);
    require(lhs.dtype == DType::F32 || lhs.dtype == DType::I8, "lhs is neither f32 nor i8");
    require(rhs.dtype == DType::I8 || is_packed(rhs.dtype), "rhs is neither i8 nor packed");
    require(rhs.region == Region::WEIGHTS && scales.region == Region::WEIGHTS, "rhs or scales lie outside WEIGHTS");
    require(scales.dtype == DType::F32, "scales are not f32");
    const bool stored = g.activations == abi::Activations::STORED;
    require(stored || (g.activations == abi::Activations::ABSMAX && lhs.dtype == DType::F32),
            "no such treatment of lhs");
    launch_.integer = lhs.dtype == DType::I8 || !stored;
    require(lhs.dtype == DType::I8 ? g.lhs_zero >= -128 && g.lhs_zero <= 127 : g.lhs_zero == 0,
            "lhs_zero is outside the type of lhs");
    result(operand(launch_.record.out), DType::F32);
    require(g.m && g.n && g.k && g.group && g.k % g.group == 0, "sizes are 0, or groups do not divide k");
    require(count(operand(launch_.record.out)) == times({g.m, g.n}), "out has not m * n elements");
    reach(lhs, {{g.m, g.lhs_m_stride}, {g.k, g.lhs_k_stride}}, "lhs");
    require(count(rhs) == times({g.n, g.k}), "rhs has not n * k elements");
    require(!is_packed(rhs.dtype) || rhs.dims[0] == times({g.n, g.k / g.group}), "rhs has not a row for each group");
    require(count(scales) == times({g.n, g.k / g.group}), "scales are not one for each group");
  }

  void conv() {
    const abi::VolumeGeometry& g = launch_.volume;
    const abi::Tensor& lhs = operand(launch_.record.lhs);
    const abi::Tensor& rhs = operand(launch_.record.rhs);
    const abi::Tensor& out = operand(launch_.record.out);
    types(lhs, rhs, g.lhs_zero);
    result(out, launch_.integer ? DType::I32 : DType::F32);
    window(lhs, out);
    require(g.groups && g.in_channels % g.groups == 0 && g.out_channels % g.groups == 0,
            "groups do not divide the channels");
    require(count(rhs) == times({g.out_channels, g.in_channels / g.groups, g.kernel_depth, g.kernel_height,
                                 g.kernel_width}),
            "rhs has not the elements of the kernel");
  }

  void pool() {
    const abi::WindowGeometry& g = launch_.window;
    const abi::Tensor& lhs = operand(launch_.record.lhs);
    const abi::Tensor& out = operand(launch_.record.out);
    const bool average = g.mode == abi::PoolMode::AVG || g.mode == abi::PoolMode::AVG_PADDED;
    require(average || g.mode == abi::PoolMode::MAX, "no such pooling mode");
    require(lhs.dtype == DType::F32 || (lhs.dtype == DType::I8 && !average), "pooling does not take the type of lhs");
    launch_.integer = lhs.dtype == DType::I8;
    require(g.lhs_zero == 0, "pooling has no zero point");
    require(g.groups == 1 && g.in_channels == g.out_channels, "pooling keeps its channels, in one group");
    result(out, lhs.dtype);
    window(lhs, out);
  }

  void window(const abi::Tensor& lhs, const abi::Tensor& out) const {
    const abi::VolumeGeometry& g = launch_.volume;
    require(g.batch && g.in_channels && g.in_depth && g.in_height && g.in_width && g.out_channels && g.out_depth &&
                g.out_height && g.out_width && g.kernel_depth && g.kernel_height && g.kernel_width,
            "a size of the geometry is 0");
    require(g.stride_depth && g.stride_height && g.stride_width && g.dilation_depth && g.dilation_height &&
                g.dilation_width,
            "a stride or dilation is 0");
    require(count(lhs) == times({g.batch, g.in_channels, g.in_depth, g.in_height, g.in_width}),
            "lhs has not the elements of the input");
    require(count(out) == times({g.batch, g.out_channels, g.out_depth, g.out_height, g.out_width}),
            "out has not the elements of the output");
  }

  void attention() const {
    using abi::MaskMode;
    const abi::AttentionGeometry& g = launch_.attention;
    const abi::Tensor& lhs = operand(launch_.record.lhs);
    const abi::Tensor& rhs = operand(launch_.record.rhs);
    const abi::Tensor& out = operand(launch_.record.out);
    require(launch_.program == nullptr, "an attention has no epilogue");
    require(g.mask <= MaskMode::SELECT, "no such mask mode");
    require(launch_.args.size() == (g.mask == MaskMode::NONE ? 1 : 2), "it has not the operands of its mask mode");
    const abi::Tensor& values = operand(launch_.args[0]);
    for (const abi::Tensor* tensor : {&lhs, &rhs, &values, &out})
      require(tensor->dtype == DType::F32, "an operand is not f32");
    writable(out);
    require(g.batch && g.groups && g.shared && g.rows && g.columns && g.width && g.value_width,
            "a size of the geometry is 0");
    const uint64_t heads = times({g.groups, g.shared});
    require(heads <= UINT32_MAX, "it has too many heads");
    const uint32_t all = static_cast<uint32_t>(heads);
    require(count(out) == times({g.batch, heads, g.rows, g.value_width}), "out has not the elements of the values");
    reach(lhs, {{g.batch, g.lhs_batch_stride}, {all, g.lhs_head_stride}, {g.rows, g.lhs_row_stride},
                {g.width, g.lhs_stride}}, "lhs");
    reach(rhs, {{g.batch, g.rhs_batch_stride}, {g.groups, g.rhs_group_stride}, {g.columns, g.rhs_row_stride},
                {g.width, g.rhs_stride}}, "rhs");
    reach(values, {{g.batch, g.value_batch_stride}, {g.groups, g.value_group_stride}, {g.columns, g.value_row_stride},
                   {g.value_width, g.value_stride}}, "the values");
    if (g.mask == MaskMode::NONE) return;
    const abi::Tensor& mask = operand(launch_.args[1]);
    require(mask.dtype == (g.mask == MaskMode::SELECT ? DType::BOOL : DType::F32), "the mask has another type");
    reach(mask, {{g.batch, g.mask_batch_stride}, {all, g.mask_head_stride}, {g.rows, g.mask_row_stride},
                 {g.columns, g.mask_column_stride}}, "the mask");
  }

  void lstm() const {
    const abi::LstmGeometry& g = launch_.lstm;
    require(launch_.program == nullptr, "an LSTM has no epilogue");
    require(g.direction <= abi::Direction::BOTH && g.order <= abi::GateOrder::IFCO, "no such direction or gate order");
    require(g.steps && g.batch && g.width && g.hidden, "a size of the geometry is 0");
    const uint64_t ways = ways_of(g), rows = times({ways, LSTM_GATES, g.hidden});
    require(rows <= UINT32_MAX && times({g.steps, g.batch}) <= UINT32_MAX && times({g.hidden, g.hidden}) <= UINT32_MAX,
            "its sizes are too large");
    const uint64_t states = times({ways, g.batch, g.hidden});
    const uint64_t planes = uint64_t{g.steps} + (g.cell ? 1 : 0);
    std::vector<std::pair<uint32_t, uint64_t>> wanted{{launch_.record.lhs, times({g.steps, g.batch, g.width})},
                                                      {launch_.record.rhs, times({rows, g.width})},
                                                      {launch_.record.out, times({planes, states})}};
    std::vector<uint64_t> further{times({rows, g.hidden})};
    if (g.bias) further.push_back(rows);
    if (g.recurrent_bias) further.push_back(rows);
    if (g.initial) further.insert(further.end(), 2, states);
    require(launch_.args.size() == further.size(), "it has not the operands of its geometry");
    for (size_t i = 0; i < further.size(); ++i) wanted.emplace_back(launch_.args[i], further[i]);
    for (const auto& [index, elements] : wanted) {
      require(operand(index).dtype == DType::F32, "an operand is not f32");
      require(count(operand(index)) == elements, "an operand has not the elements of the geometry");
    }
    writable(operand(launch_.record.out));
  }

  void copy() {
    const abi::Tensor& lhs = operand(launch_.record.lhs);
    const abi::Tensor& out = operand(launch_.record.out);
    writable(out);
    require(lhs.dtype == out.dtype && lhs.packing == out.packing && lhs.bytes == out.bytes,
            "lhs and out are not alike");
    count(lhs);
    count(out);
    require(launch_.program == nullptr, "a copy has no epilogue");
  }

  void windows() const {
    const Program* program = launch_.program;
    if (!program) return;
    const bool vector = launch_.record.kind == Kind::VECTOR;
    require(program->kind == (vector ? abi::ProgramKind::VECTOR : abi::ProgramKind::EPILOGUE),
            "its program has another kind");
    for (const WindowUse& use : program->uses) {
      require(use.window < launch_.args.size(), "its program uses a window that it does not list");
      const abi::Tensor& tensor = operand(launch_.args[use.window]);
      require(!is_packed(tensor.dtype) && element_bytes(tensor.dtype) == element_bytes(use.type),
              "its program reads window " + std::to_string(use.window) + " as another type");
      count(tensor);
      if (use.writes) writable(tensor);
    }
  }

  const Image& image_;
  Launch& launch_;
};

}  // namespace

uint64_t product(std::initializer_list<uint64_t> factors, const std::string& where) {
  uint64_t value = 1;
  for (const uint64_t factor : factors)
    if (__builtin_mul_overflow(value, factor, &value)) throw Error("record", where, "its sizes are too large");
  return value;
}

bool lists_operands(Kind kind) { return kind == Kind::ATTENTION || kind == Kind::LSTM; }

bool is_packed(DType type) { return type == DType::TRIT || type == DType::I4; }

unsigned element_bytes(DType type) { return abi::dtype_bits(type) / 8; }

uint64_t element_count(const abi::Tensor& tensor, const std::string& where) {
  if (tensor.rank > 8) throw Error("record", where, "a tensor has more than 8 dimensions");
  uint64_t rows = 1, row = 1;
  for (unsigned i = 0; i < tensor.rank; ++i)
    (i == 0 ? rows : row) = product({i == 0 ? rows : row, tensor.dims[i]}, where);
  const bool packed = is_packed(tensor.dtype), nibbles = tensor.dtype == DType::I4;
  if (packed != (tensor.packing != Packing::DENSE) || nibbles != (tensor.packing == Packing::NIBBLES) ||
      tensor.packing > Packing::A5)
    throw Error("record", where, "a tensor's packing does not fit its type");
  if (!packed && element_bytes(tensor.dtype) == 0) throw Error("record", where, "a tensor has no such element type");
  const uint64_t row_bytes =
      packed ? packed_row_bytes(tensor.packing, row) : product({row, element_bytes(tensor.dtype)}, where);
  if (product({packed_rows(tensor.packing, rows), row_bytes}, where) != tensor.bytes)
    throw Error("record", where, "a tensor's bytes do not fit its sizes");
  const uint64_t elements = product({rows, row}, where);
  if (elements == 0) throw Error("record", where, "a launch uses a tensor without elements");
  return elements;
}

void check_place(const abi::Tensor& tensor, uint64_t size, const std::string& where) {
  if (tensor.offset > size || tensor.bytes > size - tensor.offset)
    throw Error("record", where, "a tensor leaves its region");
  const unsigned bytes = element_bytes(tensor.dtype);
  if (bytes > 1 && tensor.offset % bytes) throw Error("record", where, "a tensor is not aligned to its element");
}

void check_launch(const Image& image, Launch& launch) { Checker(image, launch).run(); }

}  // namespace tfmbs
