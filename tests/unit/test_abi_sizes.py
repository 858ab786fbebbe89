"""Run-time sizes in a binary: polynomials, what the verifier refuses, images for given sizes, and how they run."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfmbs
from tests.golden.sizes import MOST, sized
from tfmbs.runtime import instances
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm import assemble, disassemble
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.fitting import Fitter
from tfmbs.runtime.abi.forms import Form, solve
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.patches import Patch, at_of, field_value, form_of, instance, patch_tables, targets
from tfmbs.runtime.abi.records import Patched
from tfmbs.runtime.abi.sized_shapes import solved
from tfmbs.runtime.abi.verify import verify_image
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.instances import Instances, checked_instance
from tfmbs.runtime.signature import Size

TEXT = (Path(__file__).parents[1] / "golden" / "v1.5" / "sized.s").read_text(encoding="utf-8")
RNG = np.random.default_rng(3)

DEGREES = st.lists(st.tuples(*[st.integers(0, 3)] * 2).filter(lambda d: sum(d) <= 3), min_size=1, unique=True)
FACTORS = st.integers(-(1 << 40), 1 << 40).filter(bool)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    degrees = sorted(draw(DEGREES), reverse=True)
    terms = tuple((each, draw(FACTORS)) for each in degrees)
    return Form(terms, draw(st.integers(1, 9)), draw(st.integers(0, 63)), draw(st.booleans()), draw(st.booleans()))


@given(forms(), st.integers(0, 99), st.integers(0, 99))
def test_a_form_is_its_polynomial(form: Form, n: int, m: int) -> None:
    value = sum(factor * n**a * m**b for (a, b), factor in form.terms) * form.divisor
    times = tuple((degrees, factor * form.divisor) for degrees, factor in form.terms)
    assert Form(times, form.divisor).at([n, m]) * form.divisor == value


@given(st.integers(-(1 << 53), 1 << 53))
def test_a_form_may_be_the_bits_of_a_float(n: int) -> None:
    form = Form((((1,), 3), ((0,), 0)), 3, is_f32=True)
    assert form.at([n]) == int(np.float32(n).view(np.uint32))
    assert form.text(["n"]).startswith("f32(")


def test_numbers_with_too_many_digits_are_no_floats() -> None:
    with pytest.raises(ValueError, match="too many digits"):
        Form((((1,), 1),), is_f32=True).at([(1 << 53) + 1])


@given(forms(), st.integers(1, 200), st.integers(1, 200))
def test_fitting_finds_the_polynomial(form: Form, low: int, high: int) -> None:
    """From the upper bounds down; from too few points, or values that follow none, nothing."""
    exact = Form(tuple((d, factor) for d, factor in form.terms))
    axes = [sorted({1, low, high, low + high, 2 * low + high}), [1, 2, 5, 9, 11]]
    points = [(n, m) for n in axes[0] for m in axes[1]]
    values = [exact.at(point) for point in points]
    fitted = Fitter(points, whole=len(axes[0]) < 5).fit(values)
    assert fitted is not None
    assert [fitted.at(point) for point in points] == values
    if len(axes[0]) == 5:
        assert fitted == exact
        assert Fitter(points).fit([*values[:-1], values[-1] + 1]) is None


def test_fitting_wants_one_point_more() -> None:
    assert Fitter([(1,), (2,)]).fit([3, 5]) is None
    assert Fitter([(1,), (2,)], whole=True).fit([3, 5]) == Form((((1,), 2), ((0,), 1)))
    assert Fitter([(1,), (2,), (7,), (9,), (12,)]).fit([n * (n + 1) // 2 for n in (1, 2, 7, 9, 12)]) == Form(
        (((2,), 1), ((1,), 1)), 2
    )
    assert Fitter([(1,), (4,), (7,), (10,), (13,)]).fit([0, 1, 2, 3, 4]) is None  # whole numbers at every third point


@given(st.lists(forms(), min_size=1, max_size=6, unique=True))
def test_forms_survive_the_tables(given_forms: list[Form]) -> None:
    at = [at for at, target in targets(Patched.TENSOR).items() if target.field == "dims"]
    patches = [Patch(Patched.TENSOR, row, at[row % 8], 1, form) for row, form in enumerate(given_forms)]
    image = Image(**patch_tables(reversed(patches)))
    assert [form_of(image, patch, 2) for patch in image.patches] == given_forms
    assert len(image.terms) == sum(len(terms) for terms in {form.terms for form in given_forms})


@given(st.integers(-(1 << 33), (1 << 33) - 1))
def test_two_words_hold_a_number(value: int) -> None:
    """What LI and LIH take of it, put together as LIH does, is the number."""
    target = targets(Patched.SIW)[siw.BIT_FIELD["s_imm"].low]
    terms = (((1,), 1), ((0,), value - 1))
    high, low = (field_value(Form(terms, 1, *digit), target, [1]) for digit in ((17, False), (0, True)))
    assert high << 17 | low & (1 << 17) - 1 == value
    word = siw.with_field(siw.with_field(bytes(16), "s_imm", low), "c_imm", 5)
    assert (siw.field_of(word, "s_imm"), siw.field_of(word, "c_imm")) == (low, 5)
    assert siw.decode(word) == siw.decode(siw.encode({"s_imm": low, "c_imm": 5}))


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 9), st.integers(0, 9))
def test_shapes_tell_sizes(n: int, m: int, slope: int, rest: int) -> None:
    """The second size by the first: no dim holds it alone."""
    first, both = Form((((1, 0), slope), ((0, 0), rest))), Form((((1, 0), 1), ((0, 1), 1)))
    dims, shapes = [(2, first), (both,)], [(2, slope * n + rest), (n + m,)]
    assert solved(dims, shapes, [(1, 50), (1, 50)]) == [n, m]
    assert solved(dims, shapes, [(n + 1, 50 + n), (1, 50)]) is None
    assert solved(dims, [(3, shapes[0][1]), shapes[1]], [(1, 50), (1, 50)]) is None
    assert solved([*dims, (both,)], [*shapes, (n + m + 1,)], [(1, 50), (1, 50)]) is None


def test_a_remainder_is_no_number() -> None:
    half = Form((((2,), 1), ((1,), -1)), divisor=2)
    assert [half.at([n]) for n in range(5)] == [0, 0, 1, 3, 6]
    with pytest.raises(ValueError, match="1 is no multiple of 2"):
        Form((((1,), 1),), divisor=2).at([1])
    assert solve(Form((((2,), 1),)), 9, 0, [1]) is None
    assert Form((((2,), 1), ((1,), -3), ((0,), 1)), divisor=2).text(["n"]) == "(n² - 3·n + 1) / 2"


REFUSED = [
    (".size entry=%0", ".size entry=%2", "SIZES[0].entry"),
    ("low=2 high=6", "low=0 high=6", "expected at least 1, got 0"),
    ("low=2 high=6", "low=7 high=6", "greatest value, expected at least 7, got 6"),
    ("low=2 high=6", "low=1 high=6", "sizes of entry point main, expected others than of ENTRY[0], got some of them"),
    ('.size entry=%1 name="n" low=1 high=1', '.size entry=%1 name="x" low=1 high=1', "a name used twice, got main"),
    ('.size entry=%1 name="n" low=1 high=1', '.size entry=%0 name="n" low=1 high=1', "a name used twice, got n"),
    ("section=TENSOR at=16 ; 3", "section=TENSOR at=17 ; 3", "a number of TENSOR that may be patched"),
    ("section=TENSOR at=16 ; 3", "section=TENSOR at=3 ; 3", "expected 8/16/24/28"),
    ("section=SIW at=71 shift=17", "section=SIW at=0 shift=17", "a number of SIW that may be patched"),
    ("section=PROGRAM at=16 ; 0", "section=12 at=16 ; 0", "expected PROGRAM/SIW/"),
    ("row=3 first_term=3", "row=33 first_term=3", "record of TENSOR, expected below 7, got 33"),
    ("row=4 first_term=4", "row=3 first_term=4", "section, row and place, expected more than (8, 3, 24)"),
    ("row=3 first_term=3", "row=3 first_term=4", "terms, expected those of a patch before, or from 3 on, at most 5"),
    ("row=4 first_term=4 divisor=1 term_count=1", "row=4 first_term=4 divisor=1 term_count=2", "got 4…6"),
    ("row=4 first_term=4", "row=4 first_term=2", "number at the high ends of the sizes, expected 144, got 6"),
    ("divisor=1 term_count=2", "divisor=0 term_count=2", "PATCHES[0].divisor"),
    ("divisor=1 term_count=2", "divisor=2 term_count=2", "number at an end of the sizes, got 13 is no multiple of 2"),
    (".term coefficient=7 ; 1", ".term coefficient=8 ; 1", "expected 25, got 26"),
    (".term coefficient=7 ; 1", ".term coefficient=0 ; 1", "coefficient, expected not 0"),
    (".term coefficient=7 ; 1", ".term coefficient=7 degrees=[1]", "degrees, expected less than [1, 0, 0, 0]"),
    (".term coefficient=7 ; 1", ".term coefficient=7 degrees=[0, 1]", "at most 3 in all, of 1 sizes"),
    (
        ".term coefficient=24 degrees=[1] ; 4",
        ".term coefficient=24 degrees=[1]\n.term coefficient=1",
        "terms of patches",
    ),
    (".term coefficient=1 degrees=[1] ; 2", ".term coefficient=6 ; 2", "a number that depends on sizes"),
    (
        ".patch entry=%0 row=3 first_term=2 divisor=1 term_count=1 section=TENSOR at=24 ; 4",
        ";",
        "a size that no shape of an input tells",
    ),
    ('.io name="y" tensor=%6', '.io name="w" tensor=%6', "inputs and outputs, expected those of ENTRY[0], got others"),
]


@pytest.mark.parametrize(("old", "new", "message"), REFUSED)
def test_bad_sizes_are_refused(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(TfmbsError) as caught:
        Image.from_buffer(assemble(TEXT.replace(old, new, 1)).to_bytes())
    assert message in str(caught.value)
    assert caught.value.code == "record"
    assert "at byte 0x" in str(caught.value)


def test_bad_images_for_sizes_are_refused() -> None:
    """What is right at both ends need not be so between them: n² + 16·n + 12 is 24·n at 6."""
    terms = [".term coefficient=1 degrees=[2]", ".term coefficient=16 degrees=[1]", ".term coefficient=12"]
    text = TEXT.replace(".term coefficient=24 degrees=[1] ; 4", "\n".join(terms), 1)
    old = "row=4 first_term=4 divisor=1 term_count=1"
    image = Image.from_buffer(assemble(text.replace(old, old.replace("count=1", "count=3"), 1)).to_bytes())
    with pytest.raises(TfmbsError, match=r"TENSOR\[4\].bytes: size in bytes, expected 72, got 69"):
        checked_instance(image, 0, (3,))


def test_an_instance_is_as_one_made_for_its_size() -> None:
    image = Image.from_buffer(sized().to_bytes())
    for n in range(2, MOST + 1):
        made = checked_instance(image, 0, (n,))
        assert made.tensors[3]["dims"][:2] == (n, 8)
        assert made.tensors[4]["bytes"] == 24 * n
        assert made.gemm_geometries[0]["m"] == n
        assert made.programs[0]["max_steps"] == 3 * n + 7
        assert [siw.field_of(word, "s_imm") for word in made.words[:2]] == [0, n]
        assert made.tensors[5:] == image.tensors[5:]
        assert not made.patches
        assert made.weights is image.weights
        verify_image(Image.from_buffer(made.to_bytes()))
    with pytest.raises(TfmbsError, match=r"GEMM_GEOMETRY\[0\].m"):
        checked_instance(image, 0, (0,))
    with pytest.raises(TfmbsError, match=r"PATCHES\[1\] for n = 8589934592: 65536 is not in -65536…65535"):
        instance(image, 0, (1 << 33,))


def test_assembly_says_what_depends_on_sizes() -> None:
    image = Image.from_buffer(sized().to_bytes())
    text = disassemble(image)
    assert "; 4: TENSOR[3].dims[0] = n" in text
    assert "SIW[1].s_imm = bits 0…16 of n" in text
    assert "PROGRAM[0].max_steps = 3·n + 7" in text
    assert assemble(text).to_bytes() == image.to_bytes()
    assert at_of(Patched.TENSOR, "rank") is None


# --- runs -------------------------------------------------------------------------------------------------------------


def rows(n: int) -> np.ndarray:
    return RNG.integers(-4, 5, (n, 8)).astype(np.float32)


def weights(image: Image) -> np.ndarray:
    return np.frombuffer(image.weights, np.float32, 48).reshape(6, 8)


def test_state_outlives_a_change_of_size() -> None:
    program = tfmbs.Program(Image.from_buffer(sized().to_bytes()))
    context, total = program.context(), np.zeros(6, np.float32)
    for n in (3, 1, 6, 2, 1, 3):
        x = rows(n)
        out = context.run({"x": x})
        y = out["y"]
        np.testing.assert_allclose(y, x @ weights(program.image).T, rtol=1e-5, atol=1e-5)
        for row in y:
            total = total + row
        assert out["sums"].tobytes() == total.tobytes()
        (product, *_) = context.stats.launches
        assert (product.kind, product.total_ops) == ("GEMV" if n == 1 else "GEMM", 48 * n)
    context.reset()
    assert not context.run({"x": np.zeros((2, 8), np.float32)})["sums"].any()


def test_signatures_show_bounds() -> None:
    program = tfmbs.Program(Image.from_buffer(sized().to_bytes()))
    (entry,) = program.entries
    assert entry.sizes == (Size("n", 1, MOST),)
    assert [(a.least, a.shape) for a in (*entry.inputs, *entry.outputs)] == [
        ((1, 8), (MOST, 8)),
        ((1, 6), (MOST, 6)),
        (None, (6,)),
    ]


def test_shapes_of_no_size_are_refused() -> None:
    program = tfmbs.Program(Image.from_buffer(sized().to_bytes()))
    for x, got in ((np.zeros((7, 8), np.float32), "7×8"), (np.zeros((0, 8), np.float32), "0×8")):
        with pytest.raises(TfmbsError) as caught:
            program.run({"x": x})
        assert str(caught.value) == f"error: x: shape, expected (1…6)×8, got {got}"
    with pytest.raises(TfmbsError, match="element type"):
        program(np.zeros((2, 8), np.float64))


def test_instances_are_few_and_shared_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "CAPACITY", 2)
    image = Image.from_buffer(sized().to_bytes())
    made: list[Image] = []

    def prepare(one: Image) -> Image:
        made.append(one)
        return one

    kept = Instances(image, prepare)
    assert [kept.get(0, (n,)).gemm_geometries[0]["m"] for n in (2, 3, 2, 4, 2, 3)] == [2, 3, 2, 4, 2, 3]
    assert len(made) == 4  # 3 went when 4 came
    program, wrong = tfmbs.Program(image), []

    def use() -> None:
        own = np.random.default_rng(threading.get_ident())
        for n in own.integers(1, MOST + 1, 40):
            x = own.integers(-4, 5, (n, 8)).astype(np.float32)
            if not np.allclose(program(x)["y"], x @ weights(image).T, rtol=1e-5, atol=1e-5):
                wrong.append(n)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_weights_are_packed_once() -> None:
    """The pieces share what is packed, and so do the images for sizes."""
    device = Emulator(Image.from_buffer(sized().to_bytes()))
    whole, _ = device.loaded(device.entry("main"), [(MOST, 8)])
    assert whole is device.whole
    assert 48 * 4 <= whole.native.packed <= 64 * 8 * 4
    for n in range(2, MOST):
        loaded, index = device.loaded(device.entry("main"), [(n, 8)])
        assert (index, loaded.native.packed) == (0, 0)
