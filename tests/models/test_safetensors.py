"""Decoders from safetensors files, which that package writes, beside torch's decoder of the same weights."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import tfmbs
from examples.bitnet.reference import Shape, of_arrays
from examples.models.llama import SMALL, build
from tfmbs.runtime.abi.errors import TfmbsError

_ROLES = {
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
CONFIG = {
    "model_type": "llama",
    "hidden_act": "silu",
    "vocab_size": SMALL.vocabulary,
    "hidden_size": SMALL.width,
    "num_hidden_layers": SMALL.layers,
    "intermediate_size": SMALL.inner,
    "num_attention_heads": SMALL.heads,
    "num_key_value_heads": SMALL.groups,
    "max_position_embeddings": SMALL.cache,
    "rope_theta": SMALL.theta,
    "rms_norm_eps": 1e-5,
}


def hugging_face_names(model):
    """The weights of the example's decoder by the names that Hugging Face gives them."""
    named = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
    named["head.weight"] = "lm_head.weight"
    for layer in range(SMALL.layers):
        named |= {f"layers.{layer}.{a}.weight": f"model.layers.{layer}.{b}.weight" for a, b in _ROLES.items()}
    return {named[name]: tensor for name, tensor in model.state_dict().items() if name in named}


def save(folder, tensors, **changes):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder / "model.safetensors"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_prompt_gives_torchs_logits(tmp_path, dtype):
    model, (ids,) = build(SMALL)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype).float()
    path = save(tmp_path, {name: tensor.to(dtype) for name, tensor in hugging_face_names(model).items()})
    program = tfmbs.compile(path, dims={"tokens": SMALL.tokens, "cache": SMALL.cache})
    logits = program.run({"tokens": ids[0].numpy(), "start": np.zeros(1, np.int64)})["logits"]
    with torch.no_grad():
        expected = model(ids)[:, -1].numpy()
    assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()


def ternary_tensors():
    """A BitNet whose products are −s, 0 and s in each row, in bf16."""
    torch.manual_seed(0)
    width, inner, shared = SMALL.width, SMALL.inner, SMALL.width // SMALL.heads * SMALL.groups
    tensors = {
        "model.embed_tokens.weight": torch.randn(SMALL.vocabulary, width),
        "model.norm.weight": torch.ones(width),
    }
    shapes = {
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (shared, width),
        "self_attn.v_proj": (shared, width),
    }
    shapes |= {"self_attn.o_proj": (width, width), "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width)}
    shapes["mlp.down_proj"] = (width, inner)
    norms = {"input_layernorm": width, "post_attention_layernorm": width, "self_attn.attn_sub_norm": width}
    for layer in range(SMALL.layers):
        name = f"model.layers.{layer}."
        tensors |= {f"{name}{role}.weight": 1 + 0.1 * torch.randn(size) for role, size in norms.items()}
        tensors[f"{name}mlp.ffn_sub_norm.weight"] = torch.ones(inner)
        for role, shape in shapes.items():
            tensors[f"{name}{role}.weight"] = torch.randint(-1, 2, shape) * (0.05 + torch.rand(shape[0], 1))
    return {name: tensor.bfloat16() for name, tensor in tensors.items()}


def test_ternary_floats_of_a_bitnet_are_trits(tmp_path):
    tensors = ternary_tensors()
    path = save(tmp_path, tensors, model_type="bitnet", hidden_act="relu2")
    context = tfmbs.compile(path, dims={"cache": 16}).context()
    gguf = dict(zip(_ROLES.values(), _GGUF_ROLES, strict=True)) | {
        "self_attn.attn_sub_norm": "attn_sub_norm",
        "mlp.ffn_sub_norm": "ffn_sub_norm",
    }
    arrays = {}
    for name, tensor in tensors.items():
        *_, layer, role = name.removesuffix(".weight").partition("model.layers.")
        values = tensor.float().numpy()
        if "_proj" in name:
            values = np.sign(values).astype(np.int8), np.abs(values).max(axis=1)
        number, _, part = role.partition(".")
        arrays[f"blk.{number}.{gguf[part]}" if layer else name] = values
    arrays["token_embd"] = arrays.pop("model.embed_tokens.weight")
    arrays["output_norm"] = arrays.pop("model.norm.weight")
    head_width = SMALL.width // SMALL.heads
    reference = of_arrays(Shape(SMALL.layers, SMALL.heads, SMALL.groups, head_width, 16), arrays)
    for position, token in enumerate([5, 71, 3, 8]):
        inputs = {"tokens": np.array([token]), "start": np.array([position])}
        logits, expected = context.run(inputs)["logits"][0], reference.step(token)
        assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()


_GGUF_ROLES = (
    "attn_norm", "ffn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down",
)  # fmt: skip

REFUSED = {
    "model_type": ({"model_type": "qwen2"}, "config.json: model_type: value, expected llama or bitnet, got qwen2"),
    "bias": ({"attention_bias": True}, "attention_bias: value, expected no such key, or false, got True"),
    "scaling": (
        {"rope_scaling": {"type": "yarn", "factor": 4.0}},
        "rope_scaling: value, expected null, or linear",
    ),
    "missing": ({"hidden_size": None}, "hidden_size: value, expected a whole number, got nothing"),
    "heads": ({"num_key_value_heads": 3}, "heads, expected a multiple of the 3 of keys, got 4"),
    "size": ({"hidden_size": -1}, "width, expected 1…2147483647, got -1"),
    "shape": ({"intermediate_size": 47}, "mlp.gate_proj.weight': shape, expected 47 × 32, got 48 × 32"),
    "too few": ({"num_hidden_layers": 1}, "tensor 'model.layers.1."),
    "too many": ({"num_hidden_layers": 3}, "tensor 'model.layers.2."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_sizes_that_do_not_fit_are_refused_by_name(tmp_path, case):
    changes, message = REFUSED[case]
    path = save(tmp_path, hugging_face_names(build(SMALL)[0]), **changes)
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 40, (2**62).to_bytes(8, "little") + b"{}"], ids=["none", "bits", "long"]
)
def test_bytes_that_are_no_such_file_are_refused(tmp_path, data):
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(tmp_path / "model.safetensors")
    assert caught.value.code == "safetensors.parse"


def test_a_missing_config_is_an_error_of_that_file(tmp_path):
    path = save(tmp_path, hugging_face_names(build(SMALL)[0]))
    (tmp_path / "config.json").unlink()
    with pytest.raises(TfmbsError, match=r"config.json: cannot read the sizes of the decoder"):
        tfmbs.compile(path)


def test_weights_that_are_no_floats_are_refused_by_name(tmp_path):
    tensors = hugging_face_names(build(SMALL)[0])
    tensors["model.layers.0.mlp.up_proj.weight"] = torch.zeros(SMALL.inner, SMALL.width, dtype=torch.uint8)
    with pytest.raises(TfmbsError, match=r"tensor 'model.layers.0.mlp.up_proj.weight': type, expected F32, F16, BF16"):
        tfmbs.compile(save(tmp_path, tensors))
