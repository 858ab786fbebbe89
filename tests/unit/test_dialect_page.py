"""What is generated from the op classes is fresh, and every op is tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tfmbs.dialect import irdl, page
from tfmbs.dialect.load import Tfmbs
from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.mlir import irdl as upstream_irdl

LIT = Path(__file__).parents[1] / "mlir" / "dialect"
OPS = sorted(op.OPERATION_NAME for op in Tfmbs.operations)


def test_the_page_is_fresh() -> None:
    assert page.PATH.read_text(encoding="utf-8") == page.dialect_page()


def test_the_irdl_file_is_fresh() -> None:
    assert irdl.PATH.read_text(encoding="utf-8") == irdl.dialect_irdl()


def test_the_irdl_file_defines_every_op() -> None:
    with context():
        module = ir.Module.parse(irdl.dialect_irdl())
        dialect = module.body.operations[0]
        defined = [op.sym_name.value for op in dialect.body if isinstance(op, upstream_irdl.OperationOp)]
    assert sorted(f"tfmbs.{name}" for name in defined) == OPS


def _texts(invalid: bool) -> str:
    files = (file for file in LIT.glob("*.mlir") if file.name.startswith("invalid") == invalid)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("op", OPS)
def test_every_op_has_a_round_trip_and_an_invalid_case(op: str) -> None:
    assert re.search(rf'CHECK.*"{re.escape(op)}"', _texts(invalid=False))
    assert f"expected-error @below {{{{'{op}' op " in _texts(invalid=True)
