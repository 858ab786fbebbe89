"""Where words come from: kept from the model's nodes to the listing of schedules, checked when a binary is loaded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfmbs
from tests.models.zoo import build, node
from tfmbs.dialect.mlir import context, ir
from tfmbs.passes.fabric.sources import Sources
from tfmbs.runtime.abi.asm import assemble, disassemble
from tfmbs.runtime.abi.asm.schedule import schedules
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.origins import word_origins
from tfmbs.runtime.abi.siw_word import SLOTS, decode_word
from tfmbs.tools import assemble as as_tool
from tfmbs.tools import objdump

SHAPE = (64, 96)


@pytest.fixture(scope="module")
def chain() -> Image:
    """Two nodes in one launch: x is divided by a tensor, then compared with another one."""
    operands = {name: np.full(SHAPE, value, np.float32) for name, value in (("d", 3), ("m", 0.25))}
    model = build([node("Div", "x d", "q"), node("Max", "q m", "y")], SHAPE, **operands)
    return tfmbs.compile(model).image


def _operations(image: Image) -> set[tuple[str, str]]:
    """Name and place of each operation of the one program."""
    (program,) = image.programs
    words = image.words[program["first_word"] : program["first_word"] + program["word_count"]]
    return {
        (slot.op.name, places[slot.op.slot])
        for data, places in zip(words, word_origins(image, 0), strict=True)
        for slot in decode_word(data, "word").slots
    }


def test_a_fused_chain_names_both_nodes_at_their_words(chain: Image) -> None:
    assert len(chain.descriptors) == 1
    found = _operations(chain)
    assert {place for op, place in found if op == "DIV"} == {"div_q"}
    assert {place for op, place in found if op == "MAX"} == {"max_y"}
    assert {place for op, place in found if op in ("ST", "SEND")} == {"max_y"}
    assert {place for op, place in found if op in ("LD", "RECV")} == {"div_q", "max_y"}
    assert {chain.strings[row["location"]] for row in chain.origins} <= {"div_q", "max_y"}


def test_an_epilogue_names_the_node_that_it_is(tmp_path: Path) -> None:
    model = build([node("MatMul", "x w", "p"), node("Tanh", "p", "y")], (4, 8), w=np.ones((8, 8), np.float32))
    image = tfmbs.compile(model).image
    assert ("TANH", "tanh_y") in _operations(image)
    assert [image.strings[row["location"]] for row in image.debug] == ["matmul_p"]


def test_schedules_show_them_and_assembly_keeps_them(
    chain: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary, text, again = (tmp_path / name for name in ("a.tfb", "a.s", "b.tfb"))
    binary.write_bytes(chain.to_bytes())
    assert objdump.main([str(binary), "--schedule"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all("div_q" in line.partition(";")[2] for line in lines if "DIV.F32" in line)
    assert all("max_y" in line.partition(";")[2] for line in lines if "MAX.F32" in line)
    different = r"; [DSC]+ (max_y|div_q), [DSC]+ (max_y|div_q)"  # slots of one word
    assert any(re.search(different, line) for line in lines)
    assert objdump.main([str(binary)]) == 0
    text.write_text(capsys.readouterr().out, encoding="utf-8")
    assert ".origin descriptor=%0 location=" in text.read_text(encoding="utf-8")
    assert as_tool.main([str(text), "-o", str(again)]) == 0
    assert again.read_bytes() == binary.read_bytes()


def test_a_binary_without_them_is_one(chain: Image) -> None:
    bare = assemble(disassemble(chain), "chain.s")
    bare.debug, bare.origins = [], []
    loaded = Image.from_buffer(bare.to_bytes())
    assert word_origins(loaded, 0) == [dict.fromkeys(SLOTS, "")] * len(loaded.words)
    assert loaded.words == chain.words


BAD = [
    ({"descriptor": 1}, "ORIGIN[0].descriptor"),
    ({"location": 99}, "ORIGIN[0].location"),
    ({"slots": 0}, "expected 1…7, got 0"),
    ({"slots": 8}, "expected 1…7, got 8"),
    ({"word_count": 0}, "number of words, expected at least 1, got 0"),
    ({"word_count": 5000}, "end in the program, expected at most"),
    ({"first_word": 0xFFFFFFFF}, "end in the program, expected at most"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_ones_are_refused(chain: Image, change: dict[str, int], message: str) -> None:
    image = assemble(disassemble(chain), "chain.s")
    image.origins = [image.origins[0] | change]
    with pytest.raises(TfmbsError) as caught:
        Image.from_buffer(image.to_bytes())
    assert message in str(caught.value)


def test_no_slot_of_a_word_comes_from_two_places(chain: Image) -> None:
    image = assemble(disassemble(chain), "chain.s")
    image.origins = [image.origins[0], image.origins[0]]
    with pytest.raises(TfmbsError, match="first word of slot"):
        Image.from_buffer(image.to_bytes())
    image.origins = [image.origins[0] | {"first_word": 1, "word_count": 1}, image.origins[0] | {"first_word": 0}]
    with pytest.raises(TfmbsError, match="descriptor and first word"):
        Image.from_buffer(image.to_bytes())


def test_a_launch_without_a_program_has_none(chain: Image) -> None:
    image = assemble(disassemble(tfmbs.compile(build([node("Identity", "x", "y")], (4,))).image), "copy.s")
    image.strings = [*image.strings, "nowhere"]
    image.origins = [{**chain.origins[0], "descriptor": 0, "location": len(image.strings) - 1}]
    with pytest.raises(TfmbsError, match="its program"):
        Image.from_buffer(image.to_bytes())


def test_a_place_cannot_forge_lines_of_the_listing(chain: Image) -> None:
    chain = assemble(disassemble(chain), "copy.s")
    chain.strings = [*chain.strings, "node\n     9       9  forged\x1b[2J"]
    last = len(chain.strings) - 1
    chain.origins = [{**row, "location": last} for row in chain.origins]
    chain.debug = [{**row, "location": last} for row in chain.debug]
    listing = schedules(chain)
    assert "\x1b" not in listing
    assert "\n     9       9  forged" not in listing
    assert r"node\n     9       9  forged\x1b[2J" in listing


@given(st.lists(st.dictionaries(st.sampled_from(SLOTS), st.integers(-1, 3))))
def test_runs_give_each_operation_its_place(words: list[dict[str, int]]) -> None:
    sources = Sources()
    with context():
        launch, *others = (_Op(ir.Location.name(f"node{n}")) for n in range(4))
        for op in (launch, *others):
            sources.of(op)
        runs = sources.runs(words, launch)
    given_ = [dict.fromkeys(SLOTS, "node0") for _ in words]
    for run in runs:
        for word in given_[run.first : run.first + run.count]:
            word.update({slot: run.place for bit, slot in enumerate(SLOTS) if run.slots >> bit & 1})
    for word, places in zip(words, given_, strict=True):
        assert all(places[slot] == f"node{max(source, 0)}" for slot, source in word.items())


class _Op:
    """As much of an op as has a place."""

    def __init__(self, location: ir.Location) -> None:
        self.location = location
