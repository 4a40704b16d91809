"""Traces of every shape, with values of every kind."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from protocheck.toolchain.traces import DescribedTrace, Trace, TraceStep
from protocheck.transpiler.valuetypes import FrozenDict

from ..cli.samples import lasso, stuttering


class Phase(enum.Enum):
    IDLE = 1
    BUSY = 2


@dataclass(frozen=True)
class Slot:
    owner: str | None
    count: int


def finite() -> DescribedTrace:
    """Rollback's, without the guard."""
    states = [(0, frozenset[int]()), (1, frozenset()), (1, frozenset({1})), (0, frozenset({1}))]
    calls = [(None, ()), ("extend", ()), ("start_read", (("i", 1),)), ("rollback", (("k", 0),))]
    steps = [
        TraceStep(action, arguments, {"length": length, "pending_reads": reads})
        for (action, arguments), (length, reads) in zip(calls, states, strict=True)
    ]
    return DescribedTrace(
        protocol="rollback",
        constants={"max_len": 4},
        trace=Trace(tuple(steps)),
        violated="no_ghost_reads",
        kind="invariant",
        where="protocols/rollback.py:48",
        dropped="rollback.no_reader_above",
        dropped_where="protocols/rollback.py:43",
        actions_where={"extend": "protocols/rollback.py:21"},
        source="explorer",
        target="rollback",
    )


def long(length: int = 40) -> DescribedTrace:
    """Steps that change one variable each, and a loop; one variable never changes."""
    steps = [TraceStep(None, (), {"count": 0, "flags": frozenset(), "limit": length})]
    for number in range(1, length):
        flags = frozenset(range(number // 5))
        steps.append(TraceStep("tick", (("n", number),), {"count": number, "flags": flags, "limit": length}))
    closing = TraceStep("wrap", (), steps[12].state)
    return DescribedTrace("ticker", {}, Trace(tuple(steps), 12, closing), "ends", "eventually")


def kinds() -> DescribedTrace:
    """Values that JSON has no word for."""
    state = {
        "phase": Phase.IDLE,
        "slot": Slot(None, 2**60),
        "queue": (1, 2),
        "pair": (True, 'a "b" <c> #d;'),
        "owner": None,
        "counts": FrozenDict({"x": frozenset({3, 10, 1})}),
    }
    after = {**state, "owner": "ann", "phase": Phase.BUSY}
    return DescribedTrace(
        "kinds", {"limit": None}, Trace((TraceStep(None, (("first", None),), state), TraceStep("go", (), after)))
    )


ALL = {"finite": finite, "lasso": lasso, "stuttering": stuttering, "long": long, "kinds": kinds}
