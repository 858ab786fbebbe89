"""The fabric level through linalg and scf: a second reading of the binary, held to the conformance tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance import (
    test_epilogue,
    test_gemm,
    test_vector_control,
    test_vector_memory,
    test_vector_slots,
    test_window,
)
from tests.conformance.devices import DeviceUnderTest
from tests.siw.generate import generate, inputs_of
from tests.siw.runner import by_linalg, compare_bytes, parse
from tests.siw.values import stored
from tfmbs.compiler.api import compile as compile_model
from tfmbs.compiler.api import lower
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.compiler.pipelines import sequence_text
from tfmbs.dialect.mlir import context, ir
from tfmbs.passes.linalg.from_fabric import FabricLowering
from tfmbs.passes.tfmbs_to_linalg import NUMERICS
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import PoolMode
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.types import DTYPES, DType, Packing

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


class Interpreter:
    """An image, lowered and compiled; inputs and outputs are reinterpreted where MLIR has no unsigned type."""

    def __init__(self, image: Image) -> None:
        tables = {kind.attribute: getattr(image, kind.attribute) for kind in KIND_OF_RECORD.values() if kind.attribute}
        tables |= {name: getattr(image, name) for name in ("strings", "words", "args", "waits", "weights")}
        with context(), ir.Location.unknown():
            module = ir.Module.create()
            FabricLowering(tables).run(module.body)
            for function in module.body.operations:
                function.attributes[NUMERICS] = ir.StringAttr.get("exact")
            self._reference = Reference(module, optimization=0)
        entry = image.entries[0]
        rows = image.io[entry["outputs_first"] : entry["outputs_first"] + entry["outputs_count"]]
        self._types = {image.strings[r["name"]]: DTYPES[DType(image.tensors[r["tensor"]]["dtype"])].numpy for r in rows}

    def run(self, entry: str, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        assert entry == self._reference.name
        slots = {slot.name: slot.dtype for slot in self._reference.inputs}
        outputs = self._reference.run({name: array.view(slots[name]) for name, array in inputs.items()})
        return {name: array.view(self._types[name]) for name, array in outputs.items()}


LINALG: Any = DeviceUnderTest("linalg", Interpreter)

CASES: dict[str, Callable[[], None]] = {
    "gemm f32": lambda: test_gemm.test_dense(LINALG, "f32-f32", Packing.DENSE, (5, 37, 19)),
    "gemm i8": lambda: test_gemm.test_zero_point(LINALG, "i8-i8", Packing.DENSE, -3),
    "gemm pt5": lambda: test_gemm.test_dense(LINALG, "f32-trit", Packing.PT5, (5, 37, 19)),
    "gemm t2": lambda: test_gemm.test_zero_point(LINALG, "i8-trit", Packing.T2, 127),
    "gemm in batches": lambda: test_gemm.test_batch_of_packed_rhs(LINALG, "i8-trit", Packing.PT5, 5),
    "gemm strided": lambda: test_gemm.test_strided_lhs(LINALG, "f32-f32"),
    "gemm special values": lambda: test_gemm.test_special_values(LINALG),
    "convolutions": lambda: test_window.test_convolution(LINALG, "f32-f32", Packing.DENSE, "dilation"),
    "padding": lambda: test_window.test_padding_stands_for_the_zero_point(LINALG, 5),
    "skipped taps": lambda: test_window.test_padded_taps_are_skipped_not_multiplied(LINALG),
    "max pool": lambda: test_window.test_max_pool_i8(LINALG, "overlap"),
    "average pool": lambda: test_window.test_average_pool(LINALG, "overlap", PoolMode.AVG),
    "gemm epilogue": lambda: test_epilogue.test_gemm_f32(LINALG, Packing.PT5, 2, 3, 20, 9),
    "gemm requantized": lambda: test_epilogue.test_gemm_requantizes(LINALG, 3, 17, 33),
    "conv epilogue": lambda: test_epilogue.test_conv_f32(LINALG, 5),
    "grouped conv requantized": lambda: test_epilogue.test_grouped_conv_requantizes(LINALG),
    "pool epilogue": lambda: test_epilogue.test_pool_with_an_epilogue_of_another_type(LINALG),
    "copy": lambda: test_epilogue.test_copy_keeps_bits_of_every_type(LINALG, "uint16"),
    "chain": lambda: test_epilogue.test_chain_through_scratch(LINALG),
    "slots": lambda: test_vector_slots.test_slots_read_before_any_writes(LINALG),
    "scalars": lambda: test_vector_control.test_scalars_wrap_and_s0_is_zero(LINALG),
    "control": lambda: test_vector_control.test_control_reads_its_register_before_the_word_writes_it(LINALG),
    "nested loops": lambda: test_vector_control.test_nested_loops_with_a_shared_end(LINALG),
    "strip mining": lambda: test_vector_control.test_strip_mining_with_a_tail(LINALG, 1300),
    "reduction": lambda: test_vector_control.test_reduction_over_many_chunks(LINALG),
    "registers": lambda: test_vector_control.test_registers_start_as_zero_in_every_run(LINALG),
    "load": lambda: test_vector_memory.test_load_widens_and_strides(LINALG, DType.U16, -2, 21),
    "store": lambda: test_vector_memory.test_store_narrows_and_strides(LINALG, DType.BOOL, 3, 20),
}


@pytest.mark.parametrize("case", CASES)
def test_the_binary_means_what_devices_do(case: str) -> None:
    CASES[case]()


@pytest.fixture(scope="module")
def samples() -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return [rng.random((1, 64)).astype(np.float32) for _ in range(4)]


@pytest.mark.parametrize(
    ("model", "shape", "precision"),
    [
        ("cnn", (1, 1, 8, 8), "fp32"),
        ("cnn", (1, 1, 8, 8), "int8"),
        ("cnn", (1, 1, 8, 8), "ternary"),
        ("mlp_ternary", (1, 64), "ternary"),
    ],
)
def test_all_levels_and_the_emulator_agree(
    model: str, shape: tuple[int, ...], precision: str, samples: list[np.ndarray[Any, Any]]
) -> None:
    batches = [{"input": sample.reshape(shape)} for sample in samples]
    options: dict[str, Any] = {"precision": precision, "dims": {"batch": 1}}
    if precision != "fp32":
        options["calibration"] = batches
    program = compile_model(DIGITS / f"{model}.onnx", **options)
    expected = [program.run(batch)["logits"].tobytes() for batch in batches]
    for stage in ("tfmbs", "kernel", "fabric"):
        reference = Reference(lower(DIGITS / f"{model}.onnx", stage, **options))
        assert [reference.run(batch)["logits"].tobytes() for batch in batches] == expected, stage


@pytest.mark.parametrize("seed", range(5))
def test_random_programs_mean_the_same_at_all_levels(seed: int) -> None:
    program = generate(seed)
    inputs = inputs_of(program, seed)
    expected, module = by_linalg(program, inputs), parse(program)
    for stage in ("optimise", "kernel", "fabric"):
        Driver().run_text(module, sequence_text(stage, {"target": "kpu-16x16"}))
        outputs = Reference(module, optimization=0).run({f"in{i}": stored(array) for i, array in enumerate(inputs)})
        compare_bytes(expected, list(outputs.values()))
