"""What exactly has no value where `well_defined` is violated: the step or property, the place, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..transpiler.diagnostics import Span
from ..transpiler.domains import show
from ..transpiler.fairness import same_state
from ..transpiler.instance import Instance
from ..transpiler.interpreter import Arguments, IllDefined, Undefined, holds, initial_states, outside, steps
from .traces import State, Trace


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` was evaluated (a step with its arguments, or a property), and at `span` it went wrong, for `reason`."""

    what: str
    span: Span
    reason: str


def faults(instance: Instance, trace: Trace) -> Iterator[Fault]:
    """Everything that has no value in the last state of a trace: steps in canonical order, then properties.

    Nothing where the state lies outside its domains, since nothing is evaluated there.
    """
    last = trace.steps[-1]
    if not last.state:
        for arguments, outcome in initial_states(instance):
            if isinstance(outcome, IllDefined) and (not last.arguments or arguments == last.arguments):
                yield Fault(_call("init", arguments), outcome.span, outcome.reason)
    elif not outside(instance, last.state):
        yield from _of_state(instance, last.state)


def _of_state(instance: Instance, state: State) -> Iterator[Fault]:
    after: list[tuple[str, State]] = []
    for action, arguments, outcome in steps(instance, state):
        if isinstance(outcome, IllDefined):
            yield Fault(_call(action, arguments), outcome.span, outcome.reason)
        elif not outcome.outside and not same_state(state, outcome.state):
            after.append((_call(action, arguments), outcome.state))
    for item in instance.protocol.properties:
        for condition in (item.body, item.target):
            if condition is None:
                continue
            judged = [(f" after {call}", then) for call, then in after]
            for behind, then in judged if item.kind == "transition_invariant" else [("", None)]:
                try:
                    holds(instance, condition, state, then)
                except Undefined as undefined:
                    yield Fault(item.name + behind, undefined.span, undefined.reason)


def _call(action: str, arguments: Arguments) -> str:
    return f"{action}({', '.join(f'{name}={show(value)}' for name, value in arguments)})"
