"""A trace that was read without its protocol, bound to it: values in their domains, every step one that it allows.

What a file of another tool leaves out, actions and their arguments, is found by replaying its states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..transpiler import ir
from ..transpiler.diagnostics import CompileError
from ..transpiler.domains import Domain, show
from ..transpiler.erasure import as_it_runs
from ..transpiler.instance import Instance, instantiate
from ..transpiler.interpreter import Refused, Taken, attempt
from ..transpiler.itf import ItfError, decode, encode
from ..transpiler.mutation import drop_guard
from .errors import UserError, nearest
from .itf import decode_untyped
from .replay import ReplayError, begun, closed, leading, replay
from .traces import DescribedTrace, Trace, TraceStep
from .validation.constants import read_constants
from .validation.model import Foreign


@dataclass(frozen=True, slots=True)
class Bound:
    """A trace of a protocol: `instance` is what allows its steps, a variant where a guard is dropped."""

    instance: Instance
    described: DescribedTrace

    @property
    def trace(self) -> Trace:
        return self.described.trace


def bind(example: DescribedTrace, protocol: ir.Protocol, name: str) -> Bound:
    """The trace as one of this protocol; `name` is the file's, for messages.

    A trace without the ghosts, the recording of a run, is one of the protocol as it runs. Raises `UserError` where it
    is no trace of the protocol.
    """
    try:
        instance = _instance(example, protocol)
        trace = _typed(example.trace, instance)
        if any(step.action == "" for step in trace.steps):
            loop = trace.loop_to
            trace = replay(instance, trace.states, _names(trace), loop_to=loop, stuttering=trace.stuttering)
        if trace.variables:
            trace = closed(instance, _completed(begun(instance, trace), instance))
        _demand_steps(trace, instance)
    except (Foreign, ItfError, ReplayError, CompileError) as error:
        reason = error.diagnostics[0].message if isinstance(error, CompileError) else error
        raise UserError(f"{name} holds no trace of {protocol.name}: {reason}") from None
    return Bound(instance, replace(example, constants=instance.constants, trace=trace))


def _instance(example: DescribedTrace, protocol: ir.Protocol) -> Instance:
    if example.dropped is not None:
        if example.dropped not in protocol.guard_names:
            raise Foreign(f"it has no guard {example.dropped}{nearest(example.dropped, protocol.guard_names)}")
        protocol = drop_guard(protocol, example.dropped)
    ghosts = [variable.name for variable in protocol.variables if variable.ghost]
    if ghosts and not set(ghosts) & set(example.trace.variables):
        protocol = as_it_runs(protocol)
    constants = read_constants(protocol, {name: encode(value) for name, value in example.constants.items()})
    return instantiate(protocol, constants)


def _typed(trace: Trace, instance: Instance) -> Trace:
    def state(values: Mapping[str, Any]) -> dict[str, Any]:
        missing = [name for name in instance.variables if name not in values]
        unknown = [name for name in values if name not in instance.variables]
        if missing or unknown:
            names = ", ".join(map(show, missing or unknown))
            raise Foreign(f"its states {'lack the variable' if missing else 'have a foreign variable'} {names}")
        return {name: _value(values[name], domain) for name, domain in instance.variables.items()}

    def step(item: TraceStep) -> TraceStep:
        given = {name: argument(item.action or "", name, value) for name, value in item.arguments}
        declared = (name for action, name in instance.parameters if action == (item.action or ""))
        return TraceStep(
            item.action, tuple((name, given[name]) for name in declared if name in given), state(item.state)
        )

    def argument(action: str, name: str, value: Any) -> Any:
        if (action, name) not in instance.parameters:
            raise Foreign(f"{action or 'init'} has no parameter {name}")
        return decode(encode(value), instance.parameters[action, name])

    closing = step(trace.closing) if trace.closing is not None else None
    return Trace(tuple(map(step, trace.steps)), trace.loop_to, closing, trace.stuttering)


def _value(value: Any, domain: Domain) -> Any:
    """The value in its domain; one outside it, which a `type_ok` trace ends with, by its own shape."""
    data = encode(value)
    try:
        return decode(data, domain)
    except ItfError:
        return decode_untyped(data)


def _names(trace: Trace) -> list[str | None]:
    return [step.action or None for step in trace.steps]


def _completed(trace: Trace, instance: Instance) -> Trace:
    """The trace with arguments where the source leaves some out (Quint does, without `--mbt`): the first that fit."""
    steps = []
    for move in trace.moves():
        step, action = move.step, move.step.action or ""
        missing = any(place == action and name not in dict(step.arguments) for place, name in instance.parameters)
        if move.before is not None and missing:
            fitting = leading(instance, move.before, action, step.state)
            found = next((each for each in fitting if set(step.arguments) <= set(each)), None)
            if found is None:
                raise ReplayError(move.place, f"{step.label} does not lead there, whatever else its arguments are")
            step = replace(step, arguments=found)
        steps.append(step)
    closing = steps.pop() if trace.closing is not None else None
    return replace(trace, steps=tuple(steps), closing=closing)


def _demand_steps(trace: Trace, instance: Instance) -> None:
    """Raise `ReplayError` for the first step that the protocol does not allow, or not with these arguments."""
    for move in trace.moves():
        if move.before is None:
            continue
        step = move.step
        known = [action.name for action in instance.protocol.actions]
        if step.action not in known:
            raise ReplayError(move.place, f"there is no action {step.action}{nearest(str(step.action), known)}")
        outcome = attempt(instance, move.before, instance.protocol.action(step.action), step.arguments)
        if isinstance(outcome, Refused):
            raise ReplayError(move.place, f"{step.label} is refused by {' and '.join(outcome.guards)}")
        if not isinstance(outcome, Taken) or outcome.state != step.state:
            raise ReplayError(move.place, f"{step.label} does not lead there")
