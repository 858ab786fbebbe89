"""The pass driver with passes made for the test: order, nesting, verification, errors, observers, the guard."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.driver import Driver, Observer
from tfmbs.compiler.guard import run_guarded
from tfmbs.compiler.pipeline_text import Placed
from tfmbs.compiler.plan import Step, pipeline_of, resolve
from tfmbs.compiler.probe import probe, survived
from tfmbs.compiler.source import Source, parse
from tfmbs.dialect.mlir import context, ir
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError

TWO = """func.func @f(%a: i32) -> i32 {
  %0 = arith.addi %a, %a : i32
  %1 = arith.addi %a, %a : i32
  return %1 : i32
}
func.func @g() { return }
"""


@dataclass(frozen=True)
class Acting(Pass):
    """Calls a function."""

    act: Callable[[Any], None] = print

    def run(self, module: Any) -> None:
        self.act(module)


def step(act: Callable[[Any], None], *path: str) -> Step:
    return Step(Placed(("builtin.module", *path), "acting"), Acting(act))


@pytest.fixture
def module() -> Any:
    return parse(Source("two.mlir", TWO.encode()), context(), Diagnostics()).operation


def upstream(text: str, module: Any) -> tuple[Step, ...]:
    return resolve(f"builtin.module({text})", module.context)


def adds(module: Any) -> int:
    return str(module).count("arith.addi")


def test_ours_and_upstreams_run_in_order(module: Any) -> None:
    seen: list[int] = []
    count = step(lambda op: seen.append(adds(op)))
    Driver().run(module, [count, *upstream("cse", module), count, *upstream("canonicalize,func.func(cse)", module)])
    assert seen == [2, 1]


def test_a_nested_pass_runs_on_each_direct_child(module: Any) -> None:
    seen: list[str] = []
    Driver().run(module, [step(lambda op: seen.append(op.attributes["sym_name"].value), "func.func")])
    assert seen == ["f", "g"]


def test_a_pass_that_leaves_invalid_ir_is_named(module: Any) -> None:
    def drop_return(op: Any) -> None:
        list(op.regions[0].blocks[0].operations[1].regions[0].blocks[0].operations)[-1].erase()

    with pytest.raises(TfmbsError) as caught:
        Driver().run(module, [step(drop_return)])
    assert caught.value.code == "ir.verify"
    assert str(caught.value).startswith("error: two.mlir:6: ")
    assert "note: after pass acting" in caught.value.details


def test_invalid_ir_passes_where_verification_is_off(module: Any) -> None:
    def drop_return(op: Any) -> None:
        list(op.regions[0].blocks[0].operations[1].regions[0].blocks[0].operations)[-1].erase()

    Driver(verify_each=False).run(module, [step(drop_return)])


def test_an_emitted_error_fails_the_pass_at_its_place(module: Any) -> None:
    driver = Driver()
    with pytest.raises(TfmbsError) as caught:
        driver.run(module, [step(lambda op: op.regions[0].blocks[0].operations[1].location.emit_error("no good"))])
    assert caught.value.code == "pass"
    assert str(caught.value) == "error: two.mlir:6: no good"
    assert [str(diagnostic) for diagnostic in driver.diagnostics.reported] == ["error: two.mlir:6: no good"]


def test_a_raised_error_keeps_its_code_and_names_the_pass(module: Any) -> None:
    def refuse(op: Any) -> None:
        raise TfmbsError("quantize", "two.mlir:2", "scale", "a number", "none")

    driver = Driver()
    with pytest.raises(TfmbsError) as caught:
        driver.run(module, [step(refuse)])
    assert caught.value.code == "quantize"
    assert caught.value.details == "note: in pass acting"
    [diagnostic] = driver.diagnostics.reported
    assert (diagnostic.place.name, diagnostic.place.line) == ("two.mlir", 2)
    assert diagnostic.message == "scale, expected a number, got none"


def test_an_error_of_the_bindings_in_our_pass_is_an_error_of_the_pass(module: Any) -> None:
    with pytest.raises(TfmbsError) as caught:
        Driver().run(module, [step(lambda op: ir.Module.parse("oops"))])
    assert caught.value.code == "pass"
    assert "custom op 'oops' is unknown" in str(caught.value)


def test_a_bug_in_a_pass_is_not_hidden(module: Any) -> None:
    def stumble(op: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Driver().run(module, [step(stumble)])


class Recorder(Observer):
    def __init__(self) -> None:
        self.events: list[str] = []

    def before(self, step: Step, op: Any) -> None:
        self.events.append(f"before {step.name} {op.name} {adds(op)}")

    def after(self, step: Step, op: Any) -> None:
        self.events.append(f"after {step.name} {op.name} {adds(op)}")

    def failed(self, step: Step, op: Any) -> None:
        self.events.append(f"failed {step.name} {op.name}")


def test_observers_see_each_pass_at_each_op(module: Any) -> None:
    recorder = Recorder()
    steps = [*upstream("func.func(cse)", module), step(lambda op: op.location.emit_error("no good"))]
    with pytest.raises(TfmbsError, match="no good"):
        Driver(observers=[recorder]).run(module, steps)
    assert recorder.events == [
        "before cse func.func 2", "after cse func.func 1", "before cse func.func 0", "after cse func.func 0",
        "before acting builtin.module 1", "failed acting builtin.module",
    ]  # fmt: skip


def test_resolving_is_idempotent() -> None:
    fresh = context()
    text = "builtin.module(torch-backend-to-linalg-on-tensors-backend-pipeline,convert-torch-to-tfmbs,func.func(cse))"
    resolved = pipeline_of(resolve(text, fresh))
    assert pipeline_of(resolve(resolved, fresh)) == resolved
    assert "convert-torch-to-linalg" in resolved


@pytest.mark.parametrize(("act", "message"), [
    (os.abort, "crashed with SIGABRT"),
    (lambda: os.kill(os.getpid(), signal.SIGSEGV), "crashed with SIGSEGV"),
])  # fmt: skip
def test_a_crash_in_a_probe_names_the_step(act: Callable[[], None], message: str) -> None:
    def run(step: str) -> None:
        if step == "second":
            act()

    with pytest.raises(TfmbsError) as caught:
        probe(run, ["first", "second", "third"])
    assert caught.value.code == "pass.crash"
    assert str(caught.value) == f"error: second: {message}"


def test_what_a_crash_prints_is_in_the_details(capfd: pytest.CaptureFixture[str]) -> None:
    def run(step: str) -> None:
        os.write(2, b"LLVM ERROR: reason\n")
        os.abort()

    with pytest.raises(TfmbsError) as caught:
        probe(run, ["only"])
    assert caught.value.details == "LLVM ERROR: reason"
    assert capfd.readouterr().err == ""


def test_a_probe_that_hangs_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(TfmbsError) as caught:
        probe(lambda step: time.sleep(60), ["sleeper"], limit_seconds=0.3)
    assert caught.value.code == "resource-limit"
    assert str(caught.value) == "error: sleeper: did not finish within 0.3 s"
    assert time.monotonic() - started < 10


def test_the_time_limit_is_for_each_step() -> None:
    probe(lambda step: time.sleep(0.3), ["a", "b", "c"], limit_seconds=0.7)


def test_the_guard_works_beside_a_thread_pool() -> None:
    threaded = context(threads=True)
    module = parse(Source("two.mlir", TWO.encode()), threaded, Diagnostics(), guard=False).operation
    Driver(limit_seconds=20).run_text(module, "builtin.module(func.func(cse,canonicalize))")
    assert adds(module) == 1
    assert threaded.get_num_threads() > 1


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The children that the test forks."""
    found: list[int] = []
    fork = os.fork

    def recorded() -> int:
        child = fork()
        if child:
            found.append(child)
        return child

    monkeypatch.setattr(os, "fork", recorded)
    return found


def has_been_waited_for(child: int) -> bool:
    try:
        os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def test_probes_leave_no_process_and_no_effect(forked: list[int]) -> None:
    effects: list[str] = []
    assert probe(effects.append, ["a", "b"]) is None

    def fail(step: str) -> None:
        if step == "b":
            raise ValueError(step)

    assert probe(fail, ["a", "b", "c"]) == "b"
    assert effects == []
    assert forked
    assert all(map(has_been_waited_for, forked))


def test_the_parent_follows_the_probe() -> None:
    """The first step comes while the probe is in the second, which waits for it; the one that crashes never comes."""
    given: list[str] = []
    reader, writer = os.pipe()

    def run(step: str) -> None:
        if step == "b":
            os.read(reader, 1)
        if step == "c":
            os.abort()

    def follow() -> None:
        for step in survived(run, ["a", "b", "c"], limit_seconds=20):
            given.append(step)
            os.write(writer, b".")

    with pytest.raises(TfmbsError, match="c: crashed with SIGABRT"):
        follow()
    assert given == ["a", "b"]


def test_time_that_the_parent_takes_is_not_the_probe_s() -> None:
    given: list[str] = []
    for step in survived(lambda step: time.sleep(0.1), ["a", "b", "c"], limit_seconds=0.5):
        given.append(step)
        time.sleep(0.7)
    assert given == ["a", "b", "c"]


def test_a_parent_that_gives_up_ends_the_probe(forked: list[int]) -> None:
    survivors = survived(lambda step: time.sleep(0.1 if step == "a" else 60), ["a", "b"])
    assert next(survivors) == "a"
    survivors.close()
    assert forked
    assert all(map(has_been_waited_for, forked))


def test_run_guarded_turns_failures_into_errors(module: Any) -> None:
    run_guarded(module, "builtin.module(cse)")
    assert adds(module) == 1
    with pytest.raises(TfmbsError) as caught:
        run_guarded(module, "builtin.module(cse,func.func(convert-torch-onnx-to-torch),canonicalize)")
    assert caught.value.details.endswith("note: in pass convert-torch-onnx-to-torch")
    assert caught.value.code == "pass"
    assert str(caught.value).startswith("error: two.mlir:1: function is missing onnx opset version attribute")


def test_any_op_may_anchor_upstream_passes(module: Any) -> None:
    recorder = Recorder()
    Driver(observers=[recorder]).run(module, upstream("any(cse)", module))
    assert recorder.events[0] == "before cse func.func 2"
    assert recorder.events[-1] == "after cse func.func 0"
