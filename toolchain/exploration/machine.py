"""One state of a protocol, looked at from all sides: what comes of every call in it, and what is true in it.

Everything is asked of the interpreter. Nothing here knows of numbers of states, of variants or of pages.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from ...transpiler import ir
from ...transpiler.abstract_view import AbstractView
from ...transpiler.diagnostics import Span
from ...transpiler.domains import Domain, values
from ...transpiler.fairness import same_state
from ...transpiler.instance import Instance
from ...transpiler.interpreter import (
    Arguments,
    AssumedAway,
    IllDefined,
    Refused,
    State,
    Taken,
    Undefined,
    attempt,
    begin,
    holds,
    outside,
)
from .why import why_refused

MOST_CALLS = 2_000
"""Argument tuples of one action that are tried; a protocol with more is told to have more."""

Truth = bool | None
"""None: it has no value here, or nothing is evaluated because a variable is outside its domain, or it is not known."""

JudgedOf = Literal["state", "step", "behaviour"]


@dataclass(frozen=True, slots=True)
class Step:
    """The call is possible and leads to `state`.

    `breaks` names what the step itself violates; `undefined` where a property about steps has no value for it.
    """

    state: State
    breaks: tuple[str, ...] = ()
    undefined: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Guards are false, each with what decides it."""

    guards: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Impossible:
    """An assumption about the environment rules the call out."""

    span: Span


@dataclass(frozen=True, slots=True)
class Fault:
    """The call needs something that has no value."""

    span: Span
    reason: str


Result = Step | Refusal | Impossible | Fault


Rows = Sequence[Sequence[Result]]
"""One row an action, one result a call."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The argument tuples of an action that are tried, in canonical order; `more` where there are others."""

    action: ir.Action
    arguments: tuple[Arguments, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A property of the page: `conditions` are what is true or false of a state, none for one about steps."""

    name: str
    kind: str
    scope: JudgedOf
    conditions: tuple[ir.Expr, ...] = ()
    declared: ir.Property | None = None


def argument_tuples(domains: Sequence[Domain]) -> Iterator[tuple[Any, ...]]:
    """As `itertools.product` over the domains' values, but one at a time however many there are."""
    if not domains:
        yield ()
        return
    for first in values(domains[0]):
        for rest in argument_tuples(domains[1:]):
            yield first, *rest


def calls_of(
    instance: Instance, owner: str, names: Sequence[str], needed: Sequence[Arguments]
) -> tuple[tuple[Arguments, ...], bool]:
    """The first calls of an action ("" for init), those needed besides, and whether there are more."""
    domains = [instance.parameters[owner, name] for name in names]
    first = list(itertools.islice(argument_tuples(domains), MOST_CALLS + 1))
    more = len(first) > MOST_CALLS
    found = dict.fromkeys(tuple(zip(names, chosen, strict=True)) for chosen in first[:MOST_CALLS])
    found.update(dict.fromkeys(needed))
    return tuple(found), more


class Machine:
    """An instance that is explored; `needed` are calls (action, arguments) that must be among those tried."""

    def __init__(self, instance: Instance, needed: Sequence[tuple[str, Arguments]] = ()) -> None:
        self.instance = instance
        protocol = instance.protocol
        self.calls = tuple(self._calls(action, needed) for action in protocol.actions)
        self.complete = not any(calls.more for calls in self.calls)
        own = [item.name for item in protocol.init.parameters]
        self.beginnings, self.more_beginnings = calls_of(instance, "", own, [args for name, args in needed if not name])
        self.judged = tuple(_judged(protocol))
        self.of_steps = protocol.of_kind("transition_invariant")
        self.view = AbstractView(instance) if instance.abstract is not None else None

    def _calls(self, action: ir.Action, needed: Sequence[tuple[str, Arguments]]) -> Calls:
        names = [parameter.name for parameter in action.parameters]
        own = [arguments for name, arguments in needed if name == action.name]
        return Calls(action, *calls_of(self.instance, action.name, names, own))

    def initial(self) -> Iterator[tuple[Arguments, Result]]:
        """What comes of each choice of init."""
        for arguments in self.beginnings:
            match begin(self.instance, arguments):
                case Taken(state=state):
                    yield arguments, Step(state, self._breaks_at_first(state))
                case IllDefined(span=span, reason=reason):
                    yield arguments, Fault(span, reason)
                case AssumedAway(span=span):
                    yield arguments, Impossible(span)

    def _breaks_at_first(self, state: State) -> tuple[str, ...]:
        if self.view is None or outside(self.instance, state) or not self.view.is_defined(state):
            return ()
        return () if self.view.begins(state) else (ir.REFINES,)

    # ------------------------------------------------------------------------------------------------------ steps

    def results(self, state: State, calls: Calls) -> tuple[Result, ...]:
        """What comes of each call of an action in a state that lies in its domains."""
        return tuple(self.result(state, calls.action, arguments) for arguments in calls.arguments)

    def results_without(self, state: State, calls: Calls, guard: str, before: Sequence[Result]) -> tuple[Result, ...]:
        """As `results`, of a variant without a guard of this action, where the baseline has the results `before`.

        The guard matters where it is among those that refuse, or may be what has no value.
        """
        return tuple(
            self.result(state, calls.action, arguments) if _may_differ(result, guard) else result
            for arguments, result in zip(calls.arguments, before, strict=True)
        )

    def result(self, state: State, action: ir.Action, arguments: Arguments) -> Result:
        """What comes of one call."""
        outcome = attempt(self.instance, state, action, arguments)
        match outcome:
            case Taken(state=after, outside=left):
                return Step(after) if left or same_state(state, after) else self._judged_step(state, after)
            case Refused(guards=guards):
                told = (why_refused(self.instance, state, action, arguments, guard) for guard in guards)
                return Refusal(tuple(zip(guards, told, strict=True)))
            case AssumedAway(span=span):
                return Impossible(span)
            case IllDefined(span=span, reason=reason):
                return Fault(span, reason)
            case _:
                assert_never(outcome)

    def _judged_step(self, state: State, after: State) -> Step:
        truths = {item.name: self.truth(item.body, state, after) for item in self.of_steps}
        broken = [name for name, truth in truths.items() if truth is False]
        view = self.view
        if view is not None and view.is_defined(state) and view.is_defined(after) and not view.follows(state, after):
            broken.append(ir.REFINES)
        return Step(after, tuple(broken), None in truths.values())

    # ------------------------------------------------------------------------------------------------- properties

    def truth(self, condition: ir.Expr, state: State, after: State | None = None) -> Truth:
        """Whether a condition holds in a state, or of a step; None where it has no value."""
        try:
            return holds(self.instance, condition, state, after)
        except Undefined:
            return None

    def truths(self, state: State, results: Rows) -> tuple[Truth, ...]:
        """One truth a condition of `judged`, in order; those of type_ok, well_defined and deadlock_free are one each.

        results: what comes of the calls in this state, an action each; unused where the state is outside its domains.
        """
        if outside(self.instance, state):
            return tuple(
                False if item.name == "type_ok" else None for item in self.judged for _ in range(truths_of(item))
            )
        found: list[Truth] = []
        for item in self.judged:
            if item.declared is None:
                found += [True] * truths_of(item)
            else:
                found += [self.truth(condition, state) for condition in item.conditions]
        return self.truths_without(state, results, found)

    def truths_without(self, state: State, results: Rows, truths: Sequence[Truth]) -> tuple[Truth, ...]:
        """The truths of a state whose calls have other results: only what is judged of the calls is judged anew."""
        found: list[Truth] = []
        for item in self.judged:
            own = truths[len(found) : len(found) + truths_of(item)]
            if item.name == "well_defined" and item.declared is None:
                found.append(self._well_defined(state, results, truths))
            elif item.name == ir.DEADLOCK_FREE and item.declared is None:
                found.append(self._deadlock_free(state, results))
            else:
                found += own
        return tuple(found)

    def _well_defined(self, state: State, results: Rows, truths: Sequence[Truth]) -> Truth:
        """`truths` has None where a declared condition has no value here."""
        taken = [each for row in results for each in row]
        if any(isinstance(each, Fault) or (isinstance(each, Step) and each.undefined) for each in taken):
            return False
        declared = [item.declared is not None for item in self.judged for _ in range(truths_of(item))]
        if any(truth is None and is_declared for truth, is_declared in zip(truths, declared, strict=True)):
            return False
        if self.view is not None and not self.view.is_defined(state):
            return False
        return True if self.complete else None

    def _deadlock_free(self, state: State, results: Rows) -> Truth:
        if any(isinstance(each, Step | Fault) for row in results for each in row):
            return True
        if any(self.truth(item.body, state) for item in self.instance.protocol.of_kind("terminal")):
            return True
        return False if self.complete else None


def _may_differ(result: Result, guard: str) -> bool:
    match result:
        case Refusal(guards=guards):
            return any(name == guard for name, _ in guards)
        case Fault():
            return True
        case _:
            return False


def truths_of(item: Judged) -> int:
    """How many truths of a state belong to a property."""
    if item.scope == "step":
        return 0
    return len(item.conditions) if item.declared is not None else 1


def _judged(protocol: ir.Protocol) -> Iterator[Judged]:
    """The properties in the order of verdicts."""
    declared = {item.name: item for item in protocol.properties}
    for name in protocol.safety:
        item = declared.get(name)
        if item is None:
            yield Judged(
                name, "refinement" if name == ir.REFINES else "implicit", "step" if name == ir.REFINES else "state"
            )
        elif item.kind == "transition_invariant":
            yield Judged(name, "transition invariant", "step", declared=item)
        else:
            yield Judged(name, "invariant", "state", (item.body,), item)
    for item in protocol.properties:
        if item.is_liveness:
            conditions = (item.body,) if item.target is None else (item.body, item.target)
            yield Judged(item.name, item.kind.replace("_", " "), "behaviour", conditions, item)
        elif item.kind in ("reachable", "terminal"):
            yield Judged(item.name, item.kind, "state", (item.body,), item)
