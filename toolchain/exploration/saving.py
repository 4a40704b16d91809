"""A walk that was taken by hand as a trace file, like those that a check writes: shown, converted, or made a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...transpiler.instance import Instance
from ...transpiler.interpreter import Taken, attempt, begin, outside
from ...transpiler.naming import snake_case
from ..counterexample import counter_example, place
from ..explorer import VERSION
from ..replay import violates
from ..report import Verdict, span_of
from ..results import EngineResult
from ..trace_json import one_trace_json
from ..traces import DescribedTrace, Trace, TraceStep
from .session import Exploration

SOURCE = "explore"


def saved(session: Exploration, target: str, guard: str | None, first: int, calls: Sequence[tuple[int, int]]) -> Any:
    """The object of a trace file with the walk that a choice of init and calls name, by their places.

    It says what its end violates, if that is a matter of the last state or step. Raises `ValueError` for places that
    there are not, and for a step that is not possible.
    """
    instance = session.machine(guard).instance
    trace = _walked(session, instance, first, calls)
    violated = next((name for name in instance.protocol.safety if violates(instance, trace, name)), None)
    described = _described(instance, trace, violated)
    if guard is not None:
        described = replace(described, dropped_where=place(span_of(session.instance.protocol, guard)))
    return one_trace_json(replace(described, target=target), instance)


def _walked(session: Exploration, instance: Instance, first: int, calls: Sequence[tuple[int, int]]) -> Trace:
    machine = session.baseline
    try:
        arguments = machine.beginnings[first]
        outcome = begin(instance, arguments)
        steps = [TraceStep(None, arguments, _state(outcome))]
        for row, call in calls:
            chosen = machine.calls[row]
            action, arguments = instance.protocol.action(chosen.action.name), chosen.arguments[call]
            if outside(instance, steps[-1].state):
                raise ValueError("nothing follows a state outside the domains")
            outcome = attempt(instance, steps[-1].state, action, arguments)
            steps.append(TraceStep(action.name, arguments, _state(outcome)))
    except IndexError:
        raise ValueError("there is no such call") from None
    return Trace(tuple(steps))


def _state(outcome: object) -> Any:
    if not isinstance(outcome, Taken):
        raise ValueError("a step of the walk is not possible")
    return outcome.state


def _described(instance: Instance, trace: Trace, violated: str | None) -> DescribedTrace:
    protocol = instance.protocol
    if violated is not None:
        answer = EngineResult(SOURCE, VERSION, "violated", violated=violated, trace=trace)
        described = counter_example(instance, Verdict("violated", answer, (answer,)))
        assert described is not None
        return described
    return DescribedTrace(
        protocol=snake_case(protocol.name),
        constants={item.name: instance.constants[item.name] for item in protocol.constants},
        trace=trace,
        dropped=protocol.dropped,
        actions_where={action.name: place(action.span) for action in protocol.actions},
        source=SOURCE,
    )
