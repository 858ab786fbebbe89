"""Tensors of GGUF files, which the gguf package writes, beside that package's own dequantization."""

import numpy as np
import pytest
from gguf import GGUFWriter, quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tfmbs.compiler.importers.decoder.weights import TRITS, Grouped
from tfmbs.compiler.importers.gguf.blocks import FORMATS
from tfmbs.compiler.importers.gguf.file import LOADED, open_gguf
from tfmbs.runtime.abi.errors import TfmbsError

Kind = GGMLQuantizationType
ROWS, COLUMNS = 6, 512


def random_rows(kind, seed=0):
    """Rows of blocks of random bits, but for scales, which are finite: (ROWS, bytes)."""
    rng = np.random.default_rng(seed)
    block, size = GGML_QUANT_SIZES[kind]
    if kind is Kind.F32:
        return rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    if kind is Kind.F16:
        return rng.standard_normal((ROWS, COLUMNS)).astype(np.float16)
    if kind in (Kind.BF16, Kind.TQ1_0, Kind.TQ2_0):
        return quants.quantize(rng.integers(-1, 2, (ROWS, COLUMNS)).astype(np.float32) * np.float32(0.37), kind)
    blocks = rng.integers(0, 256, (ROWS * COLUMNS // block, size), dtype=np.uint8)
    scales = rng.standard_normal((len(blocks), 2)).astype(np.float16)
    at = {Kind.Q6_K: size - 2}.get(kind, 0)
    blocks[:, at : at + 2] = scales[:, :1].view(np.uint8)
    if kind is Kind.Q4_K:
        blocks[:, 2:4] = scales[:, 1:].view(np.uint8)
    return blocks.reshape(ROWS, -1)


def write(path, tensors, metadata=(), architecture="llama"):
    writer = GGUFWriter(path, architecture)
    for key, value in metadata:
        writer.add_uint32(key, value)
    for name, (rows, kind) in tensors.items():
        is_float = kind in (Kind.F32, Kind.F16)
        writer.add_tensor(name, rows, raw_dtype=None if is_float else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("kind", LOADED, ids=lambda kind: kind.name)
def test_a_tensor_of_each_type_is_what_the_package_dequantizes(tmp_path, kind):
    rows = random_rows(kind)
    write(tmp_path / "a.gguf", {"w": (rows, kind)})
    file = open_gguf(tmp_path / "a.gguf")
    expected = quants.dequantize(rows, kind)
    assert file.shape("w") == (ROWS, COLUMNS)
    assert file.real("w").tobytes() == expected.tobytes()
    matrix = file.matrix("w")
    if kind in FORMATS:
        assert isinstance(matrix, Grouped)
        assert np.array_equal(matrix.real(), expected)
    else:
        assert np.array_equal(np.asarray(matrix, np.float32), expected)


@pytest.mark.parametrize(
    "kind", [kind for kind in FORMATS if kind not in (Kind.TQ1_0, Kind.TQ2_0)], ids=lambda k: k.name
)
def test_integers_of_blocks_keep_the_sign_of_zero(tmp_path, kind):
    rows = random_rows(kind, 3)
    write(tmp_path / "a.gguf", {"w": (rows, kind)})
    assert open_gguf(tmp_path / "a.gguf").matrix("w").real().tobytes() == quants.dequantize(rows, kind).tobytes()


@pytest.mark.parametrize("kind", [Kind.TQ1_0, Kind.TQ2_0], ids=lambda kind: kind.name)
def test_trits_arrive_as_they_were(tmp_path, kind):
    trits = np.random.default_rng(1).integers(-1, 2, (ROWS, COLUMNS)).astype(np.int8)
    trits[2, :256] = 0
    trits[3] = 0
    write(tmp_path / "a.gguf", {"w": (quants.quantize(trits.astype(np.float32) * np.float32(0.25), kind), kind)})
    matrix = open_gguf(tmp_path / "a.gguf").matrix("w")
    assert matrix.bits == TRITS
    assert np.array_equal(matrix.stored, trits)
    assert matrix.scales.tolist() == [[0.25], [0.25], [0.25], [0.0], [0.25], [0.25]]


def test_groups_with_scales_of_their_own_stay_groups(tmp_path):
    weights = np.random.default_rng(1).integers(-1, 2, (ROWS, COLUMNS)).astype(np.float32)
    weights[4, 256:] *= 2
    write(tmp_path / "a.gguf", {"w": (quants.quantize(weights, Kind.TQ2_0), Kind.TQ2_0)})
    matrix = open_gguf(tmp_path / "a.gguf").matrix("w")
    assert matrix.group == 256
    assert np.array_equal(matrix.real(), weights)


def test_a_code_that_is_no_trit_is_refused(tmp_path):
    rows = random_rows(Kind.TQ2_0)
    rows[1, 5] |= 0b1100
    write(tmp_path / "a.gguf", {"w": (rows, Kind.TQ2_0)})
    with pytest.raises(TfmbsError, match=r"tensor 'w': code of a ternary tensor, expected 0…2, got 3"):
        open_gguf(tmp_path / "a.gguf").matrix("w")


def test_a_type_without_an_import_is_refused_by_name(tmp_path):
    weights = quants.quantize(np.ones((2, 32), np.float32), Kind.Q5_0)
    write(tmp_path / "a.gguf", {"w": (weights, Kind.Q5_0)})
    with pytest.raises(TfmbsError, match=r"a.gguf: tensor 'w': type, expected F32, .*, got Q5_0") as caught:
        open_gguf(tmp_path / "a.gguf").matrix("w")
    assert caught.value.code == "gguf.unsupported"
