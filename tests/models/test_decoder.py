"""Decoders from GGUF files beside a plain numpy decoder of the same file, which the gguf package reads."""

import numpy as np
import pytest
from gguf import GGUFReader, quants
from gguf.constants import GGMLQuantizationType as Kind

import tfmbs
from examples.bitnet.model_file import Geometry, write_model
from examples.bitnet.read_back import groups_of
from examples.bitnet.reference import Shape, of_arrays
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.compile import main

CACHE, PROMPT = 24, [3, 14, 15, 92]


def arrays_of(path, ternary):
    """The file's arrays, as the gguf package dequantizes them; of a BitNet's products the integers and their scales."""
    arrays = {}
    for tensor in GGUFReader(path).tensors:
        name, values = tensor.name.removesuffix(".weight"), quants.dequantize(tensor.data, tensor.tensor_type)
        if ternary and name.startswith("blk.") and "norm" not in name:
            values = np.sign(values).astype(np.int8), np.abs(values).max(axis=1)
        if ternary and name == "token_embd":
            arrays["output"] = groups_of(tensor.data)
        arrays[name] = values
    return arrays


def reference_of(path, geometry, **changes):
    relu2, pairs = geometry.architecture == "bitnet-b1.58", geometry.architecture == "llama"
    sizes = (geometry.layers, geometry.heads, geometry.groups, geometry.width // geometry.heads, CACHE)
    shape = Shape(*sizes, relu2=relu2, sub_norms=geometry.ternary, pairs=pairs, **changes)
    return of_arrays(shape, arrays_of(path, geometry.ternary))


def compiled(path, geometry, seed=0, **options):
    write_model(path, geometry, seed)
    return tfmbs.compile(path, dims={"cache": CACHE}, **options)


def step(context, tokens, start, entry=None):
    inputs = {"tokens": np.array(tokens, np.int64), "start": np.array([start], np.int64)}
    return context.run(inputs)["logits"][0]


def streams(program, reference, count):
    """Tokens of both, each fed with its own, and the largest difference of logits in units of the largest logit."""
    context, ours, theirs, worst = program.context(), list(PROMPT), list(PROMPT), 0.0
    for position in range(count):
        logits, expected = step(context, [ours[position]], position), reference.step(theirs[position])
        worst = max(worst, float(np.abs(logits - expected).max() / np.abs(expected).max()))
        if position + 1 >= len(PROMPT):
            ours.append(int(logits.argmax()))
            theirs.append(int(expected.argmax()))
    return ours, theirs, worst


@pytest.mark.parametrize("architecture", ["bitnet-b1.58", "bitnet"])
@pytest.mark.parametrize("kind", [Kind.TQ2_0, Kind.TQ1_0], ids=lambda kind: kind.name)
def test_bitnet_says_what_the_same_integers_say_in_numpy(tmp_path, architecture, kind):
    geometry = Geometry(architecture, kind=kind)
    program = compiled(tmp_path / "m.gguf", geometry)
    ours, theirs, worst = streams(program, reference_of(tmp_path / "m.gguf", geometry), 16)
    assert ours == theirs
    assert len(set(ours)) > 4
    assert worst < 1e-5


KINDS = [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_K, Kind.Q6_K, Kind.TQ2_0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_llama_of_each_type_says_what_numpy_says(tmp_path, kind):
    table = Kind.F16 if kind is Kind.TQ2_0 else kind
    geometry = Geometry("llama", kind=kind, table=table, layers=1, vocabulary=97, groups=1)
    program = compiled(tmp_path / "m.gguf", geometry)
    ours, theirs, worst = streams(program, reference_of(tmp_path / "m.gguf", geometry), 8)
    assert ours == theirs
    assert worst < 1e-5


def test_a_prompt_at_once_leaves_what_its_tokens_leave_one_by_one(tmp_path):
    geometry = Geometry()
    write_model(tmp_path / "m.gguf", geometry)
    sizes = {"cache": CACHE, "prefill": {"tokens": len(PROMPT)}, "decode": {"tokens": 1}}
    program = tfmbs.compile(tmp_path / "m.gguf", dims=sizes)
    slow, quick = program.context(), program.context()
    for position, token in enumerate(PROMPT):
        expected = step(slow, [token], position)
    assert step(quick, PROMPT, 0).tobytes() == expected.tobytes()
    token = int(expected.argmax())
    assert step(quick, [token], len(PROMPT)).tobytes() == step(slow, [token], len(PROMPT)).tobytes()


def test_emulator_and_linalg_give_the_same_bytes(tmp_path):
    geometry = Geometry(layers=1, inner=256)
    program = compiled(tmp_path / "m.gguf", geometry)
    inputs = {"tokens": np.array([7], np.int64), "start": np.array([0], np.int64)}
    module = lower(tmp_path / "m.gguf", "tfmbs", dims={"cache": CACHE})
    states = {name: np.zeros((1, 2, CACHE, 64), np.float32) for name in ("arg0", "arg1")}
    expected = Reference(module).run({**inputs, **states})["logits"]
    assert program.run(inputs)["logits"].tobytes() == expected.tobytes()


def test_compiling_twice_gives_the_same_bytes(tmp_path):
    write_model(tmp_path / "m.gguf", Geometry(layers=1))
    for name in ("a", "b"):
        assert main([str(tmp_path / "m.gguf"), "-o", str(tmp_path / name), "--dim", "cache=16"]) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_trits_are_in_the_binary_as_five_to_a_byte(tmp_path):
    geometry = Geometry(layers=4, inner=2048)
    write_model(tmp_path / "m.gguf", geometry)
    assert main([str(tmp_path / "m.gguf"), "-o", str(tmp_path / "m.tfb"), "--dim", "cache=16"]) == 0
    size = (tmp_path / "m.tfb").stat().st_size
    assert size < geometry.ternary_weights * 0.25 + geometry.vocabulary * geometry.width * 4


REFUSED = {
    "architecture": (Geometry("qwen2"), {}, "general.architecture: architecture, expected llama, bitnet, bitnet-b1.58"),
    "experts": (Geometry("llama", kind=Kind.F32, extra={"llama.expert_count": 8}), {}, "llama.expert_count"),
    "scaling": (
        Geometry("llama", kind=Kind.F32, extra={"llama.rope.scaling.type": "yarn"}),
        {},
        "llama.rope.scaling.type: value, expected none or linear, got yarn",
    ),
    "sizes": (
        Geometry("llama", kind=Kind.F32, extra={"llama.attention.key_length": 32}),
        {},
        "tensor 'blk.0.attn_q.weight': shape, expected 128 × 256, got 256 × 256",
    ),
    "no trits": (Geometry(kind=Kind.Q8_0), {}, "blk.0.attn_q.weight': weights of a BitNet product, expected ternary"),
    "dimension": (Geometry(), {"seq": 4}, "dimension 'seq', expected tokens or cache"),
    "cache": (Geometry(), {"cache": 129}, "tokens ≤ cache ≤ 128"),
    "range": (Geometry(), {"tokens": (1, 4)}, "numbers, no ranges"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_a_decoder_is_refused_by_name(tmp_path, case):
    geometry, dims, message = REFUSED[case]
    write_model(tmp_path / "m.gguf", geometry)
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(tmp_path / "m.gguf", dims=dims)
    assert message in str(caught.value)


def test_the_tool_says_it_in_one_line(tmp_path, capsys):
    (tmp_path / "m.gguf").write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 64)
    assert main([str(tmp_path / "m.gguf"), "-o", str(tmp_path / "m.tfb")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "number of tensors" in said
    assert said.count("\n") == 1
