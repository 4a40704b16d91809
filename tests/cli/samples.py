"""Small protocols and hand-made results that several tests of this area use."""

from __future__ import annotations

from protocheck.toolchain.traces import DescribedTrace, Trace, TraceStep
from protocheck.transpiler.valuetypes import FrozenDict

IDLE = {"producer": "idle", "buffer": FrozenDict({"a": 1, "b": 10}), "note": None}
BUSY = {"producer": "busy", "buffer": FrozenDict({"a": 1, "b": 10}), "note": None}
FULL = {"producer": "busy", "buffer": FrozenDict({"a": 2, "b": 10}), "note": 'a "b"\\'}


def lasso() -> DescribedTrace:
    """Three states, of which the last two repeat for ever."""
    steps = (
        TraceStep(None, (("first", "a"),), IDLE),
        TraceStep("fill", (("x", frozenset({2, 10, 1})),), BUSY),
        TraceStep("write", (), FULL),
    )
    return DescribedTrace(
        protocol="hand_over",
        constants={"slots": 2},
        violated="drained_in_the_end",
        kind="leads to",
        where="mine.py:40",
        trace=Trace(steps, loop_to=1, closing=TraceStep("undo", (("y", 1),), BUSY)),
        dropped="fill.is_idle",
        dropped_where="mine.py:12",
        actions_where={"fill": "mine.py:10", "write": "mine.py:20", "undo": "mine.py:30"},
    )


def stuttering() -> DescribedTrace:
    """Two states, in the last of which it stays."""
    steps = (TraceStep(None, (), IDLE), TraceStep("fill", (), BUSY))
    return DescribedTrace(
        protocol="hand_over",
        constants={},
        violated="drained_in_the_end",
        kind="eventually",
        where="mine.py:40",
        trace=Trace(steps, stuttering=True),
    )


USER_FILE = '''\
from typing import Annotated

from protocheck import Between, Protocol, action, guard, invariant, reachable


class Counter(Protocol):
    """Counts to three."""

    value: Annotated[int, Between(0, 3)] = 0

    @action
    def up(self) -> None:
        guard(room=self.value < 3)
        self.value += 1

    @action
    def reset(self) -> None:
        guard(full=self.value == 3)
        self.value = 0

    @invariant
    def small(self) -> bool:
        return self.value <= {limit}
'''


def user_file(limit: int = 3) -> str:
    """The source of a protocol in a file of a user's own; it fails for a limit below 3."""
    return USER_FILE.replace("{limit}", str(limit))
