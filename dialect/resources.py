"""Constants as numpy arrays: weights become resource attributes, small arrays plain ones, both are read back exactly.

The bindings cannot read a resource, so the arrays made here are kept per context; a resource that came from parsed
text is read once from the bytes that the printer shows, and kept as well.
"""

import re
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.attributes import as_elements
from tfmbs.dialect.mlir import arith, func, ir, passmanager
from tfmbs.dialect.shapes import Shape, elements, shape_of, tensor_type
from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]

INLINE_ELEMENTS = 16
_ALIGNMENT_BYTES = 4  # the printed blob starts with its alignment, a little-endian u32

_SAMPLE_BYTES = 64

_samples: WeakKeyDictionary[Any, dict[tuple[int, bytes], Array]] = WeakKeyDictionary()
"""One array for each size and sample of its bytes."""

_arrays: WeakKeyDictionary[Any, dict[str, Array]] = WeakKeyDictionary()


def element_type_of(dtype: npt.DTypeLike) -> Any:
    """The signless MLIR element type of a numpy dtype. Raises TfmbsError for a dtype without one."""
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return ir.IntegerType.get_signless(1)
    if dtype.kind in "iu":
        return ir.IntegerType.get_signless(8 * dtype.itemsize)
    floats = {"float16": ir.F16Type, "float32": ir.F32Type, "float64": ir.F64Type}
    if dtype.name not in floats:
        raise TfmbsError("unsupported", "constant", f"element type {dtype.name}")
    return floats[dtype.name].get()


def numpy_dtype_of(element: Any) -> np.dtype[Any]:
    """The numpy dtype of stored elements; bf16 reads as its bits, uint16. Raises TfmbsError for a type without one."""
    if isinstance(element, ir.IntegerType):
        if element.width == 1:
            return np.dtype(np.bool_)
        if element.width in (8, 16, 32, 64):
            return np.dtype(f"{'u' if element.is_unsigned else ''}int{element.width}")
    if isinstance(element, ir.IndexType):
        return np.dtype(np.int64)
    names = {ir.F16Type: "float16", ir.F32Type: "float32", ir.F64Type: "float64", ir.BF16Type: "uint16"}
    for kind, name in names.items():
        if isinstance(element, kind):
            return np.dtype(name)
    raise TfmbsError("unsupported", "constant", f"element type {element}")


def row_major(array: Array) -> Array:
    """The elements of an array in row-major order, a vector where it is a scalar; a copy where they are not already.

    A large matrix that lies in memory by columns, such as transposed weights, is copied some rows of its memory at a
    time, which takes a quarter of the time: each line of the copy is written while it is in a cache.
    """
    if array.ndim != _MATRIX or array.size < _LARGE or not array.T.flags.c_contiguous or array.flags.c_contiguous:
        return np.ascontiguousarray(array)
    result = np.empty(array.shape, array.dtype)
    for first in range(0, array.shape[1], _AT_ONCE):
        result[:, first : first + _AT_ONCE] = array[:, first : first + _AT_ONCE]
    return result


_MATRIX, _LARGE, _AT_ONCE = 2, 1 << 16, 32


def resource_attr(array: Array, name: str, element: Any = None, shape: Shape | None = None) -> Any:
    """The elements attribute of `array`: a resource called `name`, or a plain attribute of at most `INLINE_ELEMENTS`.

    Needs a current context. The attribute's type is `tensor<shape×element>`, by default the array's own. `element` must
    be as wide as the array's; characters of `name` that MLIR would quote become `_`, a taken name gets a suffix.
    Booleans are always plain: MLIR has no one layout for them in resources. A read-only array is kept, not copied: its
    memory must not change any more.
    """
    element = element_type_of(array.dtype) if element is None else element
    shape = array.shape if shape is None else shape
    given, array = array, row_major(array)
    if elements(shape) != array.size or numpy_dtype_of(element).itemsize != array.dtype.itemsize:
        raise ValueError(f"constant {name}: {array.size} × {array.dtype} do not fill {shape} × {element}")
    type_ = tensor_type(shape, element)
    if array.size <= INLINE_ELEMENTS or array.dtype == np.bool_:
        return ir.DenseElementsAttr.get(array.reshape(shape), type=type_)
    kept = array.reshape(-1).view(np.uint8)
    if kept.flags.writeable and np.may_share_memory(kept, given):
        kept = kept.copy()
    kept.setflags(write=False)
    kept = _known(kept, type_.context)
    attribute = ir.DenseResourceElementsAttr.get_from_buffer(kept, _safe(name), type_, array.itemsize)
    _blobs(attribute)[resource_name(attribute)] = kept
    return attribute


def _known(array: Array, context: Any) -> Array:
    """The array with these bytes that is kept already, or this one: weights that are tied come several times."""
    known = _samples.setdefault(context, {})
    key = array.size, array[:: max(1, array.size // _SAMPLE_BYTES)].tobytes()
    kept = known.setdefault(key, array)
    is_same = kept.__array_interface__["data"] == array.__array_interface__["data"]
    return kept if is_same or np.array_equal(kept, array) else array


def read_elements(attribute: Any) -> Array:
    """The elements of a dense attribute, splat, listed or resource, in its shape; the array is read only.

    bf16 is returned as float32, which holds every bf16 exactly. Raises TfmbsError for any other kind of attribute, for
    an element type without a numpy dtype, and for a resource that has no data.
    """
    dense = as_elements(attribute)
    if dense is None:
        raise TfmbsError("unsupported", "constant", "attribute kind", "dense elements", attribute)
    if isinstance(dense, ir.DenseElementsAttr):
        return _read_dense(dense)
    stored: Array = read_resource(dense)
    if not isinstance(dense.type.element_type, ir.BF16Type):
        return stored
    wide: Array = (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    wide.setflags(write=False)
    return wide


def stored_bytes(attribute: Any) -> memoryview:
    """The elements of a dense attribute as they lie in memory, of bf16 two bytes each. Raises as `read_elements`."""
    array = read_elements(attribute)
    if isinstance(attribute.type.element_type, ir.BF16Type):
        array = (array.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def resource_name(attribute: Any) -> str:
    """The key of a resource attribute."""
    match = re.match(r'dense_resource<(?:"((?:[^"\\]|\\.)*)"|([^">]*))>', str(attribute))
    if match is None:
        raise TfmbsError("unsupported", "constant", "attribute kind", "a resource", attribute)
    return match[1] if match[2] is None else match[2]


def _safe(name: str) -> str:
    cleaned = re.sub(r"[^A-Za-z0-9_.$]", "_", name)
    return cleaned if re.match(r"[A-Za-z_]", cleaned) else f"_{cleaned}"


def _blobs(attribute: Any) -> dict[str, Array]:
    return _arrays.setdefault(attribute.context, {})


def _read_dense(attribute: Any) -> Array:
    if isinstance(attribute.type.element_type, ir.BF16Type):
        attribute = _widened(attribute)
    numpy_dtype_of(attribute.type.element_type)
    array = np.array(attribute)
    array.setflags(write=False)
    return array


def _widened(attribute: Any) -> Any:
    """A bf16 attribute as f32, by MLIR's own constant folding: the bindings give no view of bf16."""
    with attribute.context, ir.Location.unknown():
        wide = tensor_type(shape_of(attribute.type), ir.F32Type.get())
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("widen", ([], [wide]))
            with ir.InsertionPoint(function.add_entry_block()):
                func.ReturnOp([arith.extf(wide, arith.constant(attribute.type, attribute))])
        passmanager.PassManager.parse("builtin.module(canonicalize)").run(module.operation)
        return function.entry_block.operations[0].attributes["value"]


def read_resource(attribute: Any) -> Array:
    """The elements of a resource attribute in its shape, as `numpy_dtype_of` has them; the array is read only."""
    blobs, name = _blobs(attribute), resource_name(attribute)
    if name not in blobs:
        blobs[name] = _printed_blob(attribute, name)
    blob, shape, element = blobs[name], shape_of(attribute.type), attribute.type.element_type
    dtype, count = numpy_dtype_of(element), elements(shape)
    if dtype == np.bool_ and blob.size == -(-count // 8) and count > 1:
        flags = np.unpackbits(blob, count=count, bitorder="little").astype(np.bool_).reshape(shape)
        flags.setflags(write=False)
        return flags
    if blob.size != count * dtype.itemsize:
        raise TfmbsError("ir.verify", name, "bytes of the resource", count * dtype.itemsize, blob.size)
    return blob.view(dtype).reshape(shape)


def _printed_blob(attribute: Any, name: str) -> Array:
    """The bytes of a resource that this module did not make, from the text of a module that refers to it alone."""
    with attribute.context, ir.Location.unknown():
        module = ir.Module.create()
        module.operation.attributes["tfmbs.value"] = attribute
        text = module.operation.get_asm()
    match = re.search(r': "0x([0-9A-Fa-f]*)"', text)
    if match is None:
        raise TfmbsError("ir.verify", name, "resource without data")
    return np.frombuffer(bytes.fromhex(match[1]), dtype=np.uint8)[_ALIGNMENT_BYTES:]
