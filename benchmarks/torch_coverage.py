"""Which core ATen ops compute what torch computes, on sample inputs of torch's OpInfo; `make torch-coverage`.

Each op is called with float32 samples of its OpInfo, compiled as a module of one call, saved, loaded and run on the
emulator. An op counts as correct if each of its samples agrees with torch, as refused if one is refused by name and
none is wrong. Ops run in processes of their own, so that a crash or a long compilation is a row of the table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils import _pytree as pytree

import tfmbs

PAGE = Path(__file__).parents[1] / "docs" / "torch-coverage.md"
SAMPLES = 3
ALIASES = {
    "convolution": "conv2d", "constant_pad_nd": "nn.functional.pad", "avg_pool1d": "nn.functional.avg_pool1d",
    "view": "view", "upsample_bilinear2d": "nn.functional.interpolate", "_to_copy": "to",
}  # fmt: skip
"""OpInfos that come to a core op which has none of its own."""

LIMIT_SECONDS = 120
CORRECT, REFUSED, WRONG, NONE = "correct", "refused", "WRONG", "no sample"
RTOL, ATOL = 1e-4, 1e-5


@dataclass(frozen=True)
class Row:
    """An op, what became of it, and why."""

    name: str
    status: str
    reason: str = ""


class Call(nn.Module):
    """One call of an op, whose tensors are inputs and whose other arguments are fixed."""

    def __init__(self, op: Any, arguments: Any) -> None:
        super().__init__()
        self.op = op
        leaves, self.spec = pytree.tree_flatten(arguments)
        self.fixed = [None if isinstance(leaf, Tensor) else (leaf,) for leaf in leaves]
        self.inputs = [leaf.detach() for leaf in leaves if isinstance(leaf, Tensor)]

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Tensors among the op's results."""
        given = iter(inputs)
        leaves = [next(given) if leaf is None else leaf[0] for leaf in self.fixed]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return [leaf for leaf in pytree.tree_leaves(self.op(*args, **kwargs)) if isinstance(leaf, Tensor)]


def core_ops() -> list[str]:
    """Names of the ATen ops that torch tags as core."""
    found = set()
    schemas = (schema.name.partition("::") for schema in torch._C._jit_get_all_schemas())
    for name in {name for namespace, _, name in schemas if namespace == "aten"}:
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads() if isinstance(packet, torch._ops.OpOverloadPacket) else ():
            if torch.Tag.core in getattr(packet, overload).tags:
                found.add(name)
    return sorted(found)


def samples_of(name: str) -> Iterator[tuple[Any, Any]]:
    """Ops and arguments, (args, kwargs) each, of the OpInfos for the ATen op `name`."""
    plain = ALIASES.get(name, name.strip("_").removesuffix("_with_indices"))
    for info in op_db:
        names = {info.aten_name, info.name, info.name.rpartition(".")[2]}
        if not names & {name, plain} or not info.supports_dtype(torch.float32, "cpu"):
            continue
        for number, sample in enumerate(info.sample_inputs("cpu", torch.float32)):
            if number == SAMPLES:
                break
            yield info.op, ((sample.input, *sample.args), sample.kwargs)
        return


def measure(name: str) -> Row:
    """Compiles and runs the samples of one op."""
    torch.manual_seed(0)
    refused = ""
    count = 0
    for op, arguments in samples_of(name):
        count += 1
        call = Call(op, arguments)
        with torch.no_grad():
            expected = call(*call.inputs)
        try:
            ours = _run(call)
        except tfmbs.TfmbsError as error:
            refused = str(error).removeprefix("error: ")
            continue
        if not expected:
            return Row(name, WRONG, f"sample {count} has no tensor to compare")
        for got, tensor in zip(ours, expected, strict=True):
            theirs = tensor.numpy()
            if (got.shape, got.dtype) != (theirs.shape, theirs.dtype):
                reason = f"sample {count} is {got.dtype}{list(got.shape)}, not {theirs.dtype}{list(theirs.shape)}"
                return Row(name, WRONG, reason)
            if not np.allclose(got, theirs, rtol=RTOL, atol=ATOL, equal_nan=True):
                return Row(name, WRONG, f"sample {count} differs")
    if not count:
        return Row(name, NONE)
    return Row(name, REFUSED, refused) if refused else Row(name, CORRECT, f"{count} samples")


def _run(call: Call) -> list[Any]:
    program = tfmbs.compile(call, example_inputs=tuple(call.inputs))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "op.tfb"
        program.save(file)
        return list(tfmbs.load(file)(*(tensor.numpy() for tensor in call.inputs)).values())


def _child(name: str, pipe: Connection) -> None:
    try:
        pipe.send(measure(name))
    except Exception as error:  # the row says what it was
        pipe.send(Row(name, WRONG, f"{type(error).__name__}: {error}".splitlines()[0]))


def isolated(name: str) -> Row:
    """`measure` in a process of its own, for a limited time."""
    receiver, sender = get_context("fork").Pipe(duplex=False)
    process = get_context("fork").Process(target=_child, args=(name, sender))
    process.start()
    sender.close()
    try:
        row = receiver.recv() if receiver.poll(LIMIT_SECONDS) else Row(name, WRONG, f"longer than {LIMIT_SECONDS} s")
    except EOFError:
        row = Row(name, WRONG, "the process ended")
    process.kill()
    process.join()
    assert isinstance(row, Row)
    return row


def page(rows: Sequence[Row]) -> str:
    """The documentation page of the results."""
    tested = [row for row in rows if row.status != NONE]
    counts = {status: sum(row.status == status for row in rows) for status in (CORRECT, REFUSED, WRONG, NONE)}
    share = 100 * counts[CORRECT] / max(1, len(tested))
    lines = [
        "# Coverage of PyTorch's core ATen ops",
        "",
        "Written by `make torch-coverage`: float32 sample inputs of torch's OpInfo "
        f"({SAMPLES} for each op), torch {torch.__version__.partition('+')[0]}.",
        "",
        f"Of {len(tested)} core ops with samples {counts[CORRECT]} ({share:.0f} %) are correct, {counts[REFUSED]} "
        f"refused by name and {counts[WRONG]} wrong; {counts[NONE]} have no float32 sample of their own.",
        "",
        "| op | | |",
        "|---|---|---|",
    ]
    lines += [f"| {row.name} | {row.status} | {row.reason.replace('|', '¦')[:200]} |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page. Exit code 1 if a result is wrong."""
    parser = argparse.ArgumentParser("python -m benchmarks.torch_coverage", description=__doc__)
    parser.add_argument("ops", nargs="*", help="default: all core ops, and the page is written")
    chosen = parser.parse_args(arguments).ops
    rows = []
    for name in chosen or core_ops():
        rows.append(isolated(name))
        print(rows[-1].name, rows[-1].status, rows[-1].reason, flush=True)
    if not chosen:
        PAGE.write_text(page(rows), encoding="utf-8")
    return 1 if any(row.status == WRONG for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
