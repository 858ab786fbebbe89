from collections.abc import Iterator

import pytest

from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.telemetry import Telemetry, fused, read_telemetry


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    with context():
        yield


EXAMPLES = [
    Telemetry("stem"),
    Telemetry("fc", 3, 12, tile_mask=0b101),
    fused([Telemetry("q", 1, 4), Telemetry("k", 3, 4, tile_mask=1)]),
]


@pytest.mark.parametrize("telemetry", EXAMPLES, ids=lambda telemetry: telemetry.layer)
def test_attributes_read_back(telemetry: Telemetry) -> None:
    assert read_telemetry(telemetry.to_attribute()) == telemetry


def test_a_fused_launch_counts_its_members_together() -> None:
    whole = fused([Telemetry("a", 0, 3), Telemetry("b", 2, 2), Telemetry("c", 1, 5)])
    assert (whole.layer, whole.zero_count, whole.total, whole.sparsity) == ("a+b+c", 3, 10, 0.3)
    assert [member.fusion_order for member in whole.members] == [0, 1, 2]
    assert {member.fusion_sparsity for member in whole.members} == {whole.fusion_sparsity} == {0.3}


def test_nothing_has_no_sparsity() -> None:
    assert Telemetry("pool").sparsity == 0


def test_counts_are_required() -> None:
    with pytest.raises(KeyError):
        read_telemetry(ir.DictAttr.get({"layer": ir.StringAttr.get("x")}))
