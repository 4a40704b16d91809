"""Schedules: actions with their arguments, taken one by one by the interpreter, ghosts and assumptions included.

Tests that `protocheck trace to-test` writes ask this of what the class that runs cannot say: properties of ghosts, of
behaviours that never end, and the three that every protocol has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..transpiler.frontend import compile_protocol
from ..transpiler.instance import Instance, instantiate
from ..transpiler.interpreter import Taken, attempt, begin
from ..transpiler.language import Protocol
from ..transpiler.mutation import drop_guard
from .replay import violates
from .traces import Trace, TraceStep

Step = tuple[str, Mapping[str, Any]]
"""An action and its arguments by name."""


def shows_violation(
    protocol: type[Protocol],
    violated: str,
    steps: Sequence[Step],
    *,
    constants: Mapping[str, Any] | None = None,
    chosen: Mapping[str, Any] | None = None,
    without: str | None = None,
    loop_to: int | None = None,
    stuttering: bool = False,
) -> bool:
    """Whether a schedule can be taken, and violates the property.

    protocol: the class. violated: the property, a built-in one (`type_ok`, `deadlock_free` …) too. constants: those
    that differ from their defaults. chosen: what init chooses. without: the guard that is dropped, "action.guard".
    loop_to: of a schedule that goes on for ever, the state (0 for the initial one) to which the last of its steps leads
    back. stuttering: whether it stays in its last state for ever.

    Raises `KeyError` for a property, or a guard, that there is not.
    """
    compiled = compile_protocol(protocol)
    instance = instantiate(compiled if without is None else drop_guard(compiled, without), constants)
    trace = take(instance, steps, chosen or {}, loop_to=loop_to, stuttering=stuttering)
    return trace is not None and violates(instance, trace, violated)


def take(
    instance: Instance,
    steps: Sequence[Step],
    chosen: Mapping[str, Any],
    *,
    loop_to: int | None = None,
    stuttering: bool = False,
) -> Trace | None:
    """The trace of a schedule; None where one of its steps cannot be taken, or its loop is none."""
    outcome = begin(instance, tuple(chosen.items()))
    if not isinstance(outcome, Taken):
        return None
    found = [TraceStep(None, tuple(chosen.items()), outcome.state)]
    for name, arguments in steps:
        ordered = tuple((item.name, arguments[item.name]) for item in instance.protocol.action(name).parameters)
        outcome = attempt(instance, found[-1].state, instance.protocol.action(name), ordered)
        if not isinstance(outcome, Taken):
            return None
        found.append(TraceStep(name, ordered, outcome.state))
    if loop_to is None:
        return Trace(tuple(found), stuttering=stuttering)
    closing = found.pop()
    if loop_to >= len(found) or found[loop_to].state != closing.state:
        return None
    return Trace(tuple(found), loop_to, closing)
