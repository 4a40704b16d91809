"""A protocol as the oracle of an implementation: what may happen next, what must be refused, and the state after it.

States are those of the model, ghosts among them, and steps are taken by the interpreter of the IR: so assumptions
count, and an implementation is never given what its environment cannot do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..toolchain.counterexample import place
from ..toolchain.layout import render_plain
from ..toolchain.trace_text import trace_blocks
from ..toolchain.traces import DescribedTrace, Trace, TraceStep
from ..transpiler import ir
from ..transpiler.domains import canonical, contains, show
from ..transpiler.instance import Instance
from ..transpiler.interpreter import (
    AssumedAway,
    IllDefined,
    Outcome,
    Refused,
    State,
    Taken,
    Undefined,
    attempt,
    begin,
    choices,
    holds,
)
from ..transpiler.naming import snake_case
from .strategies import size_up_to

MANY = 512
"""Argument tuples of an action up to which it is worked out, in each state, which of them are enabled."""

KEPT = 4096
"""States whose enabled steps are remembered."""

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """What an action can be called with in a state: argument tuples that are enabled, and that guards refuse."""

    enabled: tuple[Values, ...]
    refused: tuple[Values, ...]


@dataclass(slots=True)
class Oracle:
    """The protocol side of one run: its state, and the schedule that led there."""

    instance: Instance
    small: frozenset[str]
    """The actions whose argument tuples are few enough to look at each in every state, see `small_actions`."""
    state: State = field(default_factory=dict)
    steps: list[TraceStep] = field(default_factory=list)
    known: dict[tuple[str, Values], Options] = field(default_factory=dict)
    """Shared by the runs of one machine."""

    def begin(self, arguments: Mapping[str, Any]) -> Outcome:
        """Start in the initial state for what init chose."""
        outcome = begin(self.instance, tuple(arguments.items()))
        if isinstance(outcome, Taken):
            self.state = outcome.state
            self.steps = [TraceStep(None, tuple(arguments.items()), outcome.state)]
        return outcome

    def attempt(self, action: ir.Action, arguments: Mapping[str, Any]) -> Outcome:
        """What the protocol says of a step; nothing is taken yet."""
        return attempt(self.instance, self.state, action, tuple(arguments.items()))

    def take(self, action: ir.Action, arguments: Mapping[str, Any], outcome: Taken) -> None:
        """The step was taken."""
        self.state = outcome.state
        self.steps.append(TraceStep(action.name, tuple(arguments.items()), outcome.state))

    def note_refused(self, action: ir.Action, arguments: Mapping[str, Any]) -> None:
        """The step was tried, and refused: it stands in the schedule, since an implementation may have been hurt."""
        self.steps.append(TraceStep(f"{REFUSED}{action.name}", tuple(arguments.items()), self.state))

    def options(self, action: ir.Action) -> Options | None:
        """The argument tuples by what comes of them now; None where there are too many to look at each."""
        if action.name not in self.small:
            return None
        key = (action.name, tuple(self.state.values()))
        found = self.known.get(key)
        if found is None:
            if len(self.known) >= KEPT:
                self.known.clear()
            found = self.known[key] = self._worked_out(action)
        return found

    def _worked_out(self, action: ir.Action) -> Options:
        enabled, refused = [], []
        for arguments in choices(self.instance, action.name):
            match attempt(self.instance, self.state, action, arguments):
                case Taken() | IllDefined():
                    # What has no value is to be met, and told: the protocol is wrong.
                    enabled.append(tuple(value for _, value in arguments))
                case Refused():
                    refused.append(tuple(value for _, value in arguments))
                case AssumedAway():
                    pass
        return Options(tuple(enabled), tuple(refused))

    # ------------------------------------------------------------------------------------------ what is compared

    def differences(self, observed: Mapping[str, Any]) -> Iterator[str]:
        """A sentence on each observed variable whose value is not the protocol's."""
        for name, value in observed.items():
            seen, expected = canonical(value), self.state[name]
            # Equal values of different types, 1 and True, are told apart by the domain.
            if seen != expected or contains(self.instance.variables[name], expected) is not contains(
                self.instance.variables[name], seen
            ):
                yield f"{name} is {shown(seen)}, but should be {show(expected)}"

    def own_fault(self) -> str:
        """What the last step shows to be wrong with the protocol itself, in a sentence; empty where nothing is."""
        outside = [name for name, domain in self.instance.variables.items() if not contains(domain, self.state[name])]
        if outside:
            value, domain = show(self.state[outside[0]]), self.instance.variables[outside[0]]
            return f"the protocol itself violates type_ok: {outside[0]} = {value} is outside {domain}"
        before = self.steps[-2].state if len(self.steps) > 1 else self.state
        for item in self.instance.protocol.properties:
            try:
                match item.kind:
                    case "invariant":
                        fine = holds(self.instance, item.body, self.state)
                    case "transition_invariant":
                        fine = before == self.state or holds(self.instance, item.body, before, self.state)
                    case _:
                        continue  # about whole behaviours, or about none
            except Undefined as undefined:
                return (
                    f"the protocol itself is not well defined: {item.name}, {place(undefined.span)}: {undefined.reason}"
                )
            if not fine:
                return f"the protocol itself violates {item.name} ({place(item.span)})"
        return ""

    def schedule(self) -> str:
        """The steps so far as a table."""
        protocol = self.instance.protocol
        described = DescribedTrace(
            protocol=snake_case(protocol.name),
            constants=self.instance.constants,
            trace=Trace(tuple(self.steps)),
            actions_where={action.name: place(action.span) for action in protocol.actions},
        )
        constants = "".join(f"  {c.name}={show(self.instance.constants[c.name])}" for c in protocol.constants)
        return f"{snake_case(protocol.name)}{constants}\n" + render_plain(trace_blocks(described)[1:])


REFUSED = "refused: "
"""Marks a step in a schedule that was tried and refused."""


def small_actions(instance: Instance) -> frozenset[str]:
    """The actions with at most `MANY` argument tuples."""
    return frozenset(action.name for action in instance.protocol.actions if _tuples(instance, action) <= MANY)


def _tuples(instance: Instance, action: ir.Action) -> int:
    domains = [instance.parameters[action.name, parameter.name] for parameter in action.parameters]
    return math.prod(size_up_to(domain, MANY) for domain in domains)


def shown(value: Any) -> str:
    """A value of an implementation's, which may be of any type."""
    try:
        return show(value)
    except Exception:  # a foreign object whose repr fails must not hide the difference
        return f"<{type(value).__name__}>"


def place_of_guard(action: ir.Action, name: str) -> str:
    """Where a guard of an action stands, "file:line"."""
    return place(next(guard.span for guard in action.guards if guard.name == name))
