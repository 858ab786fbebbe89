// Python bindings of the emulator: tfmbs.runtime._native.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>

#include "context.h"
#include "error.h"
#include "lent.h"
#include "loaded.h"
#include "plan.h"
#include "probes.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace tfmbs {
namespace {

LoadedImage load(const std::map<std::string, nb::bytes>& tables, std::vector<std::string> strings, Octets weights,
                 const std::string& isa, uint64_t memory_limit, const LoadedImage* whole, bool translates) {
  std::map<std::string, Bytes> sections;
  for (const auto& [name, bytes] : tables) sections[name] = {static_cast<const uint8_t*>(bytes.data()), bytes.size()};
  const Bytes region{weights.data(), weights.size()};
  if (reinterpret_cast<uintptr_t>(region.data) % 8)
    throw Error("device", "emulator", "the weights are not aligned to 8 bytes");
  const Choice choice(isa);
  nb::object owner = nb::find(weights);
  std::shared_ptr<const Image> image;
  {
    const nb::gil_scoped_release release;
    image = std::make_shared<const Image>(sections, std::move(strings), region, choice, memory_limit,
                                          whole ? whole->image.get() : nullptr, translates);
  }
  return {std::move(owner), std::move(image)};
}

// A context keeps its image's weights alive.
struct LoadedContext {
  LoadedContext(const LoadedImage& loaded, unsigned threads, uint64_t steps, uint64_t operations, uint64_t memory,
                const nb::object& first_use)
      : owner(loaded.owner), check(first_use), context(loaded.image, threads, steps, operations, memory) {
    if (check.is_none()) return;
    context.on_first_use([this](const std::vector<uint32_t>& tensors) {
      const nb::gil_scoped_acquire acquire;
      check(tensors);
    });
  }
  nb::object owner, check;
  Context context;
  Lent inputs, outputs;  // used by who has set `is_lent`; their memory stays for the next run
  std::atomic<bool> is_lent{false};
};

void run(LoadedContext& self, const LoadedImage& image, uint32_t entry, const nb::list& inputs,
         const nb::list& outputs) {
  if (self.is_lent.exchange(true)) throw Error("device", "emulator", "a context runs in one thread at a time");
  struct Return {
    LoadedContext& self;
    ~Return() {
      self.inputs.give_back();
      self.outputs.give_back();
      self.is_lent = false;
    }
  } const at_the_end{self};
  const std::vector<Buffer>& in = self.inputs.take(inputs, PyBUF_SIMPLE);
  const std::vector<Buffer>& out = self.outputs.take(outputs, PyBUF_WRITABLE);
  const std::shared_ptr<const Image> kept = image.image;
  const nb::gil_scoped_release release;
  self.context.run(kept, entry, in, out);
}

// Bytes that are codes of a packing of elements, each by itself, before the first that is none; all of them in NIBBLES.
uint64_t codes_before(Octets octets, uint8_t packing, const std::string& isa) {
  const CodeFns& fns = kernels(isa).codes;
  CodesFn fn = nullptr;
  switch (static_cast<abi::Packing>(packing)) {
    case abi::Packing::I8: fn = fns.bytes; break;
    case abi::Packing::PT5: fn = fns.five; break;
    case abi::Packing::T2: fn = fns.pairs; break;
    case abi::Packing::R5: fn = fns.residues; break;
    case abi::Packing::A5: fn = fns.abreast; break;
    case abi::Packing::NIBBLES: return octets.size();
    default: throw Error("record", "WEIGHTS", "packing " + std::to_string(packing) + " has no codes of one byte");
  }
  const nb::gil_scoped_release release;
  return fn(octets.data(), octets.size());
}

// A tensor of another library as an array on the same bytes, which `source` keeps, and whether these are the bits of
// bf16, which numpy lacks.
std::pair<nb::ndarray<nb::numpy>, bool> array_of(const nb::object& source) {
  nb::ndarray<nb::device::cpu> tensor;
  if (!nb::try_cast(source, tensor)) throw nb::type_error("no tensor in memory of this machine");
  nb::dlpack::dtype type = tensor.dtype();
  const bool is_bf16 = type.code == static_cast<uint8_t>(nb::dlpack::dtype_code::Bfloat);
  if (is_bf16) type.code = static_cast<uint8_t>(nb::dlpack::dtype_code::UInt);
  std::vector<size_t> shape(tensor.ndim());
  std::vector<int64_t> strides(tensor.ndim());
  for (size_t i = 0; i < tensor.ndim(); ++i) {
    shape[i] = tensor.shape(i);
    strides[i] = tensor.stride(i);
  }
  return {nb::ndarray<nb::numpy>(tensor.data(), tensor.ndim(), shape.data(), source, strides.data(), type), is_bf16};
}

nb::list counters(LoadedContext& self) {
  nb::list rows;
  for (const LaunchCounters& c : self.context.counters()) {
    nb::dict row;
    row["operations"] = c.operations;
    row["active"] = c.active;
    row["words"] = c.vector.words;
    row["lane_ops"] = c.vector.lane_ops;
    row["real_lane_ops"] = c.vector.real_lane_ops;
    row["loads"] = c.vector.loads;
    row["stores"] = c.vector.stores;
    row["start_ns"] = c.start_ns;
    row["wall_ns"] = c.wall_ns;
    rows.append(row);
  }
  return rows;
}

// By launch of an entry that is executed in parts: how many parts there are, and how many threads may begin by
// themselves.
std::map<uint32_t, std::vector<uint32_t>> parts(const LoadedImage& self, uint32_t entry) {
  const nb::gil_scoped_release released;
  std::map<uint32_t, std::vector<uint32_t>> result;
  for (const Group& group : self.image->plan(entry).groups)
    for (const Group::Part& part : group.parts) {
      std::vector<uint32_t>& counts = result.try_emplace(group.first + part.launch, 2).first->second;
      ++counts[0];
      counts[1] += part.entrance != nullptr;
    }
  return result;
}

// By launch of an entry: the family of its kernels, and their instruction set.
std::vector<std::pair<std::string, std::string>> dispatch(const LoadedImage& self, uint32_t entry) {
  std::vector<std::pair<std::string, std::string>> result;
  const std::vector<abi::Entry>& entries = self.image->entries();
  if (entry >= entries.size()) throw Error("device", "emulator", "no such entry");
  for (uint32_t i = 0; i < entries[entry].descriptor_count; ++i) {
    const Launch& launch = self.image->launches()[entries[entry].first_descriptor + i];
    result.emplace_back(FAMILIES[static_cast<size_t>(launch.family)], launch.kernels->name);
  }
  return result;
}

nb::tuple peak(const std::string& isa, const std::string& type, unsigned threads, double seconds) {
  const Probes& found = probes(isa);
  if (type != "f32" && type != "i8") throw Error("usage", "type", "expected f32 or i8, got " + type);
  const Burn& burn = type == "f32" ? found.f32 : found.i8;
  double rate;
  {
    const nb::gil_scoped_release release;
    rate = peak_rate(burn, threads, seconds);
  }
  return nb::make_tuple(burn.unit, rate);
}

double read_time(const std::string& isa, Octets bytes, unsigned threads, unsigned passes) {
  const Probes& found = probes(isa);
  const nb::gil_scoped_release release;
  return read_seconds(found, bytes.data(), bytes.size(), threads, passes);
}

void raise(const std::string& code, const std::string& where, const std::string& what) {
  const nb::object type = nb::module_::import_("tfmbs.runtime.abi.errors").attr("TfmbsError");
  PyErr_SetObject(type.ptr(), type(code, where, what).ptr());
}

void translate(const std::exception_ptr& pointer, void*) {
  try {
    std::rethrow_exception(pointer);
  } catch (const Error& error) {
    raise(error.code(), error.where(), error.what());
  } catch (const std::bad_alloc&) {
    raise("resource-limit", "emulator", "out of memory");
  }
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "The emulator: executes the descriptors of a fabric binary.";
  nb::register_exception_translator(translate);
  // At exit the interpreter need not free what a global variable holds; that is no leak to tell a user about.
  nb::set_leak_warnings(false);
  m.def("instruction_sets", &instruction_sets, "Instruction sets that this processor runs, slowest first.");
  m.def("kernel_families", [] { return std::vector<std::string>(FAMILIES.begin(), FAMILIES.end()); },
        "Kernels of launches that may run on an instruction set of their own.");
  m.def("modelled_sets", &modelled_sets, "Sets for tests, as other processors have them.");
  m.def("peak", &peak, "isa"_a, "type"_a, "threads"_a, "seconds"_a,
        "The instruction set's multiplier of a type, f32 or i8, and its operations per second on several threads: the "
        "best of bursts of about so many seconds each.");
  m.def("read_seconds", &read_time, "isa"_a, "bytes"_a, "threads"_a, "passes"_a = 1,
        "Seconds of reading all bytes so many times, a part of them on each thread.");
  nb::class_<LoadedImage>(m, "Image")
      .def_prop_ro("isa", [](const LoadedImage& self) { return self.image->choice().text(); })
      .def_prop_ro(
          "packed", [](const LoadedImage& self) { return self.image->packed_bytes(); },
          "Bytes of the packed weights that are its own.")
      .def(
          "written",
          [](const LoadedImage& self, uint32_t entry) {
            nb::gil_scoped_release released;
            return self.image->plan(entry).written;
          },
          "entry"_a,
          "By output of an entry, how many of its first bytes a run writes, and does not read before.")
      .def_prop_ro("chains", [](const LoadedImage& self) { return self.image->chains(); },
                   "How many chains of vector operations are machine code.")
      .def_prop_ro("loops", [](const LoadedImage& self) { return self.image->loops(); },
                   "How many loops are chains whose turns hand nothing on in registers.")
      .def("dispatch", &dispatch, "entry"_a,
           "By launch of an entry: the family of its kernels, and their instruction set.")
      .def("parts", &parts, "entry"_a,
           "By launch of an entry that is executed in parts: their number, and that of those that a thread may begin "
           "without what comes before them.");
  m.def("load", &load, "tables"_a, "strings"_a, "weights"_a, "isa"_a, "memory_limit"_a,
        "whole"_a.none() = nb::none(), "translates"_a = true,
        "Checks and prepares an image; `tables` are section bytes by name, `isa` as Choice takes it, of "
        "instruction_sets() and modelled_sets(). `whole` is the image that this one is for certain sizes: weights that "
        "it has packed are taken from it. "
        "`translates`: chains of vector operations become machine code.");
  m.def("array_of", &array_of, "tensor"_a,
        "A tensor in memory of this machine, taken by DLPack, as an array on the same bytes, and whether it holds the "
        "bits of bf16, as uint16.");
  m.def("codes_before", &codes_before, "bytes"_a, "packing"_a, "isa"_a = "",
        "How many bytes are codes of a packing before the first one that is none.");
  nb::class_<LoadedContext>(m, "Context")
      .def(nb::init<const LoadedImage&, unsigned, uint64_t, uint64_t, uint64_t, const nb::object&>(), "image"_a,
           "threads"_a, "step_limit"_a, "operation_limit"_a, "memory_limit"_a, "check"_a.none() = nb::none(),
           "`check` is called with a list of tensors of WEIGHTS before a launch reads them for the first time.")
      .def("run", &run, "image"_a, "entry"_a, "inputs"_a, "outputs"_a,
           "Executes an entry of the context's image, or of one for other sizes, on contiguous arrays; outputs are "
           "written.")
      .def(
          "reset", [](LoadedContext& self) { self.context.reset(); }, "Zeroes the state.")
      .def("counters", &counters, "Counters of the last run, one dictionary per descriptor.");
  bind_kpu(m);
}

}  // namespace tfmbs
