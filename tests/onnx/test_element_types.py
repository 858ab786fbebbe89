"""Element types that numpy lacks: conversions bit by bit beside ml_dtypes, and how they go in and out."""

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import tfmbs
from tfmbs import TfmbsError
from tfmbs.onnx_backend import TfmbsBackend, prepare

FLOATS = {
    "FLOAT8E4M3FN": ml_dtypes.float8_e4m3fn,
    "FLOAT8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "FLOAT8E5M2": ml_dtypes.float8_e5m2,
    "FLOAT8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "FLOAT4E2M1": ml_dtypes.float4_e2m1fn,
}
INTEGERS = {"INT4": ml_dtypes.int4, "UINT4": ml_dtypes.uint4, "INT2": ml_dtypes.int2, "UINT2": ml_dtypes.uint2}
UNSIGNED = {"UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64}


def cast_model(source, target, shape, **attributes):
    node = helper.make_node("Cast", ["x"], ["y"], to=target, **attributes)
    ends = [helper.make_tensor_value_info(*end, shape) for end in (("x", source), ("y", target))]
    graph = helper.make_graph([node], "cast", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13)


def cast(x, target, **attributes):
    source = helper.np_dtype_to_tensor_dtype(x.dtype)
    return TfmbsBackend.run_model(cast_model(source, getattr(TensorProto, target), x.shape, **attributes), [x])[0]


def all_halves():
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16)


def awkward(dtype):
    """All f16 numbers and their neighbours in a wider type: around every tie of the narrow formats."""
    middle = all_halves().astype(dtype)
    middle = middle[np.isfinite(middle)]
    ends = np.array([np.inf, -np.inf, np.nan, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal], dtype)
    return np.concatenate([middle, np.nextafter(middle, dtype(np.inf)), np.nextafter(middle, dtype(0)), ends])


def narrowed(x, dtype):
    """What ml_dtypes makes of x, which rounds f64 twice: by way of an f32 whose last bit keeps that it is not exact."""
    single = x.astype(np.float32)
    bits = single.view(np.uint32)
    even = np.isfinite(x) & (single.astype(x.dtype) != x) & (bits % 2 == 0)
    nearer = np.where(np.abs(single.astype(x.dtype)) > np.abs(x), bits - 1, bits + 1).astype(np.uint32)
    return np.where(even, nearer, bits).view(np.float32).astype(dtype)


def same(ours, theirs):
    """Equal bits, and a NaN where there is one."""
    nan = np.isnan(theirs.astype(np.float32))
    np.testing.assert_array_equal(np.isnan(ours.astype(np.float32)), nan)
    np.testing.assert_array_equal(ours.view(np.uint8)[~nan], theirs.view(np.uint8)[~nan])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
def test_floats_are_rounded_once(name, dtype):
    x = awkward(dtype)
    if name == "FLOAT4E2M1":
        x = x[~np.isnan(x)]  # it has none; ours gives 0
    most = ml_dtypes.finfo(FLOATS[name]).max
    with np.errstate(all="ignore"):
        same(cast(x, name), narrowed(np.clip(x, -dtype(most), dtype(most)), FLOATS[name]))
        same(cast(x, name, saturate=0), narrowed(x, FLOATS[name]))


@pytest.mark.parametrize("target", ["FLOAT", "BFLOAT16", "INT32"])
@pytest.mark.parametrize("name", FLOATS)
def test_floats_widen_exactly(name, target):
    x = np.arange(16 if name == "FLOAT4E2M1" else 256, dtype=np.uint8).view(FLOATS[name])
    theirs = x.astype(np.float32)
    ours = cast(x, target)
    if target == "INT32":
        theirs = np.clip(np.nan_to_num(theirs.astype(np.float64)), -(2**31), 2**31 - 1).astype(np.int32)
    else:
        ours, theirs = ours.astype(np.float32), theirs.astype(ours.dtype).astype(np.float32)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("mode", ["up", "down", "nearest"])
def test_powers_of_two(mode):
    exponents = np.arange(-127, 128)
    scale = [1.0, 1.25, 1.5, 1.75]
    x = np.ldexp(np.array(scale)[:, None], exponents).astype(np.float32)
    rounds_up = {"up": [0, 1, 1, 1], "down": [0, 0, 0, 0], "nearest": [0, 0, 1, 1]}[mode]
    codes = np.minimum(exponents + 127 + np.array(rounds_up)[:, None], 254).astype(np.uint8)
    ours = cast(x, "FLOAT8E8M0", round_mode=mode)
    np.testing.assert_array_equal(ours.view(np.uint8), codes)
    back = cast(ours, "FLOAT")
    np.testing.assert_array_equal(back, np.ldexp(1.0, codes.astype(int) - 127).astype(np.float32))


def test_powers_of_two_at_their_ends():
    x = np.array([0.0, np.inf, np.nan, -1.0, 2.0**-140, np.finfo(np.float32).max], np.float32)
    np.testing.assert_array_equal(cast(x, "FLOAT8E8M0").view(np.uint8), [0, 254, 255, 255, 0, 254])
    np.testing.assert_array_equal(cast(x, "FLOAT8E8M0", saturate=0).view(np.uint8), [255] * 6)
    assert np.isnan(cast(np.full(1, 255, np.uint8).view(ml_dtypes.float8_e8m0fnu), "FLOAT")[0])
    with pytest.raises(TfmbsError, match="f8E8M0FNU"):
        cast(np.zeros(1, np.int64), "FLOAT8E8M0")


@pytest.mark.parametrize("name", INTEGERS)
def test_narrow_integers_keep_their_low_bits(name):
    wide = np.arange(-128, 128, dtype=np.int8)
    np.testing.assert_array_equal(cast(wide, name), wide.astype(INTEGERS[name]))
    np.testing.assert_array_equal(cast(wide.astype(np.float32), name), wide.astype(INTEGERS[name]))
    narrow = np.unique(wide.astype(INTEGERS[name]).astype(np.int8)).astype(INTEGERS[name])
    for target, dtype in (("FLOAT", np.float32), ("INT8", np.int8), ("INT64", np.int64), ("BOOL", np.bool_)):
        np.testing.assert_array_equal(cast(narrow, target), narrow.astype(dtype))
    np.testing.assert_array_equal(cast(np.array([True, False]), name), np.array([1, 0]).astype(INTEGERS[name]))


@pytest.mark.parametrize("name", UNSIGNED)
def test_unsigned_integers_are_no_signed_ones(name):
    x = np.array([0, 1, np.iinfo(UNSIGNED[name]).max, np.iinfo(UNSIGNED[name]).max // 2 + 1], UNSIGNED[name])
    np.testing.assert_array_equal(cast(x, "DOUBLE"), x.astype(np.float64))
    np.testing.assert_array_equal(cast(x, "INT64"), x.astype(np.int64))
    np.testing.assert_array_equal(cast(np.array([-5.5, 3.9, 1e30, np.nan]), name), [0, 3, x[2], 0])


def test_programs_take_and_give_bytes(tmp_path):
    """What `tfmbs.load` knows of such types, without ml_dtypes: bits of floats, values of integers."""
    prepare(cast_model(TensorProto.INT4, TensorProto.FLOAT8E4M3FN, [3])).program.save(tmp_path / "m.tfb")
    program = tfmbs.load(tmp_path / "m.tfb")
    (x,), (y,) = program.inputs, program.outputs
    assert (x.dtype, x.extension, y.dtype, y.extension) == (np.int8, "int4", np.uint8, "float8_e4m3fn")
    values = np.array([-8, 0, 7], np.int8)
    for given in (values, values.astype(ml_dtypes.int4)):
        given_bits = program.run({"x": given})["y"]
        np.testing.assert_array_equal(given_bits, values.astype(ml_dtypes.float8_e4m3fn).view(np.uint8))
    with pytest.raises(TfmbsError, match="elements, expected -8…7"):
        program.run({"x": np.array([0, 8, 1], np.int8)})
    with pytest.raises(TfmbsError, match="element type"):
        program.run({"x": values.astype(ml_dtypes.uint4)})


def test_moves_take_any_element():
    x = np.arange(6, dtype=np.uint8).view(ml_dtypes.float8_e5m2).reshape(2, 3)
    node = helper.make_node("Transpose", ["x"], ["y"])
    np.testing.assert_array_equal(TfmbsBackend.run_node(node, [x])[0].view(np.uint8), x.T.view(np.uint8))


def test_narrow_constants_are_unpacked():
    constant = numpy_helper.from_array(np.array([-8, 3, 7], ml_dtypes.int4), "c")
    assert len(constant.raw_data) == 2
    nodes = [helper.make_node("Cast", ["c"], ["d"], to=TensorProto.FLOAT), helper.make_node("Add", ["x", "d"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    graph = helper.make_graph(nodes, "constant", ends[:1], ends[1:], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    np.testing.assert_array_equal(TfmbsBackend.run_model(model, [np.ones(3, np.float32)])[0], [-7, 4, 8])


@pytest.mark.parametrize(("op", "dtype"), [("Add", ml_dtypes.float8_e4m3fn), ("Mul", ml_dtypes.int4)])
def test_nobody_computes_with_bytes(op, dtype):
    with pytest.raises(TfmbsError):
        TfmbsBackend.run_node(helper.make_node(op, ["x", "x"], ["y"]), [np.ones(2).astype(dtype)] * 2)
