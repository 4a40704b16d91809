"""The model of a trace: its shapes, its steps with what they change, and what cannot be one."""

from __future__ import annotations

from typing import Any

import pytest

from protocheck.protocols.hand_off import HandOff
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.counterexample import counter_examples
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.traces import Trace, TraceStep
from protocheck.transpiler.frontend import compile_protocol

from .samples import finite, lasso, long, stuttering


def test_shapes() -> None:
    assert [example().trace.shape for example in (finite, lasso, stuttering)] == ["finite", "lasso", "stuttering"]
    assert finite().trace.variables == ("length", "pending_reads")


def test_moves_know_what_they_change() -> None:
    moves = list(finite().trace.moves())
    assert [move.changed for move in moves] == [
        ("length", "pending_reads"),
        ("length",),
        ("pending_reads",),
        ("length",),
    ]
    assert [move.step.label for move in moves] == ["init", "extend()", "start_read(i=1)", "rollback(k=0)"]
    assert not any(move.closes for move in moves)


def test_the_step_that_closes_a_loop_is_the_last_move() -> None:
    *_, last = long().trace.moves()
    assert (last.closes, last.place, last.changed) == (True, 12, ("count", "flags"))


STEP = TraceStep(None, (), {"x": 1})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"loop_to": 1}, "the loop leads to state 2, of 1"),
        ({"loop_to": -1}, "the loop leads to state 0, of 1"),
        ({"loop_to": 0, "stuttering": True}, "does not go back to another one as well"),
        ({"closing": STEP}, "a step closes a loop, but the trace has none"),
    ],
)
def test_what_cannot_be_a_trace(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Trace((STEP,), **more)


def test_a_step_of_which_no_action_is_known() -> None:
    assert TraceStep("", (), {}).label == "?"


def test_engines_say_where_a_trace_comes_from() -> None:
    report = check_protocol(compile_protocol(HandOff), {}, engines=[ExplorerEngine()], mutate=True)
    found = counter_examples(report)
    assert {example.source for example in found} == {"explorer"}
    for example in found:
        before = None
        for move in example.trace.moves():
            assert move.before is before or move.before == before
            before = move.step.state
