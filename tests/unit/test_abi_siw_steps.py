"""Step counts of SIW programs against execution."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.siw_steps import count_steps
from tfmbs.runtime.abi.siw_verify import decode_program

ZEROS = dict.fromkeys(range(siw.SCALAR_REGISTERS), 0)
_SCALARS = st.integers(1, 3)
_SCALAR_OPS = st.one_of(
    st.builds(lambda r, i: {"s_op": 5, "s_reg": r, "s_imm": i}, _SCALARS, st.integers(-2, 4)),
    st.builds(lambda r, i: {"s_op": 6, "s_reg": r, "s_imm": i}, _SCALARS, st.integers(-1, 1)),
    st.builds(lambda r, b, i: {"s_op": 7, "s_reg": r, "s_base": b, "s_imm": i}, _SCALARS, _SCALARS, st.integers(-2, 2)),
    st.builds(
        lambda op, r, b, i: {"s_op": op, "s_reg": r, "s_base": b, "s_index": i},
        st.sampled_from([8, 9]),
        *[_SCALARS] * 3,
    ),
)
_SCALAR_BLOCKS = st.recursive(
    st.lists(_SCALAR_OPS, min_size=1, max_size=3),
    lambda inner: st.lists(st.one_of(_SCALAR_OPS, st.tuples(_SCALARS, inner)), min_size=1, max_size=3),
    max_leaves=8,
)
_STEP_LIMIT = 20_000


def _flatten_scalar(block):
    words = []
    for item in block:
        if isinstance(item, tuple) and isinstance(item[1], list):
            body = _flatten_scalar(item[1])
            words += [{"c_op": 4, "c_reg": item[0], "c_imm": len(body)}, *body]
        elif isinstance(item, list):
            words += _flatten_scalar(item)
        else:
            words.append(item)
    return words


def _execute(words, first, end, s, steps):
    def wrap(value):
        return (value + (1 << 63)) % (1 << 64) - (1 << 63)

    i = first
    while i <= end and steps <= _STEP_LIMIT:
        w = words[i]
        trips = s[w["c_reg"]] if w.get("c_op") == 4 else 0
        steps += 1
        base, index, imm = s[w.get("s_base", 0)], s[w.get("s_index", 0)], w.get("s_imm", 0)
        rules = {5: imm, 6: s[w.get("s_reg", 0)] << 17 | imm & 0x1FFFF, 7: base + imm, 8: base + index, 9: base * index}
        if "s_op" in w:
            s[w["s_reg"]] = wrap(rules[w["s_op"]])
        if w.get("c_op") == 4:
            last = i + w["c_imm"]
            trip = 0
            while trip < trips and steps <= _STEP_LIMIT:
                steps = _execute(words, i + 1, last, s, steps)
                trip += 1
            i = last
        i += 1
    return steps


@settings(max_examples=150)
@given(_SCALAR_BLOCKS)
def test_step_counts_agree_with_execution(block):
    words = [*_flatten_scalar(block), {"c_op": 1}]
    counted = count_steps(decode_program([siw.encode(word) for word in words], "p"), ZEROS)
    executed = _execute(words, 0, len(words) - 1, [0] * siw.SCALAR_REGISTERS, 0)
    if executed <= _STEP_LIMIT:
        assert counted in (None, executed)
    else:
        assert counted is None or counted > _STEP_LIMIT


def test_constant_loops_are_counted_exactly():
    text = "LI s1, 1000\nLI s2, 3\nLOOP s1, 3\nADDI s3, s3, 1 | LOOP s2, 2\nNOP\nNOP\nEND"
    assert count_steps(decode_program(assemble(text).words, "p"), ZEROS) == 3 + 1000 * (1 + 3 * 2) + 1
