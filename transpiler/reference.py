"""The reference checker: breadth-first over value states, straight from the definitions, for every safety property.

It is the yardstick of the explorer and the third opinion when engines disagree. Nothing here is fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from . import ir
from .abstract_view import AbstractView
from .instance import Instance
from .interpreter import Arguments, IllDefined, State, Taken, Undefined, holds, initial_states, outside, steps
from .symmetry import orbit

SAFETY: tuple[ir.PropertyKind, ...] = ("invariant", "transition_invariant")

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ReferenceStep:
    """A state of a trace and how it was reached; `action` is None for the first, whose arguments init chose."""

    action: str | None
    arguments: Arguments
    state: State


@dataclass(frozen=True, slots=True)
class ReferenceResult:
    """The verdict with the shortest trace; the counts are those of the whole graph where `status` is "holds".

    `reached` names the reachability properties that some reachable state satisfies; like the counts it is complete
    only if the search finished. `depth` counts states from 1, `changing` the labelled steps that change something.
    """

    status: Literal["holds", "violated", "inconclusive"]
    evaluated: tuple[str, ...]
    violated: str | None
    trace: tuple[ReferenceStep, ...]
    reason: str
    distinct: int
    generated: int
    depth: int
    changing: int
    coverage: Mapping[str, int]
    reached: frozenset[str]


def safety_order(protocol: ir.Protocol) -> tuple[str, ...]:
    """The names of the safety properties in the order in which a violation of equal length is reported."""
    return protocol.safety


def reference_check(
    instance: Instance,
    properties: frozenset[str] | None = None,
    max_states: int = 200_000,
    symmetry: bool = False,
) -> ReferenceResult:
    """Check the named safety properties (None: all) by visiting every reachable state in breadth-first order.

    `type_ok` and `well_defined` are always judged: every property of the protocol, selected or not, is evaluated in
    every state, liveness and the like included, and what has no value there violates `well_defined`.

    With `symmetry` the states of an orbit count as one, the first that is met.
    """
    search = _Search(instance, properties, symmetry)
    return search.run(max_states)


@dataclass
class _Violation:
    """A candidate: the trace ends in `key`, or in the outcome of one more step."""

    name: str
    trace: tuple[ReferenceStep, ...]
    reason: str


@dataclass
class _Search:
    instance: Instance
    properties: frozenset[str] | None
    symmetry: bool = False
    parents: dict[Key, tuple[Key | None, str | None, Arguments]] = field(default_factory=dict)
    states: dict[Key, State] = field(default_factory=dict)
    coverage: dict[str, int] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    generated: int = 0
    changing: int = 0
    depth: int = 0
    found: dict[int, list[_Violation]] = field(default_factory=dict)
    """Violations by the number of states of their traces."""
    met: dict[Key, Key] = field(default_factory=dict)
    """With symmetry: every state of the orbits that were met, and the first that was met of its orbit."""

    def __post_init__(self) -> None:
        protocol = self.instance.protocol
        self.coverage = {action.name: 0 for action in protocol.actions}
        self.invariants = [item for item in protocol.of_kind("invariant") if self.selected(item.name)]
        self.transitions = [item for item in protocol.of_kind("transition_invariant") if self.selected(item.name)]
        self.terminals = protocol.of_kind("terminal")
        self.view = AbstractView(self.instance) if protocol.refinement is not None else None
        self.refined = self.view if self.selected(ir.REFINES) else None
        # What is looked at for its definedness or its reachability only: liveness, and what is not selected.
        judged = {item.name for item in (*self.invariants, *self.transitions, *self.terminals)}
        others = [item for item in protocol.properties if item.name not in judged]
        self.others = [item for item in others if item.kind != "transition_invariant"]
        self.other_transitions = [item for item in others if item.kind == "transition_invariant"]

    def selected(self, name: str) -> bool:
        return self.properties is None or name in self.properties

    def run(self, max_states: int) -> ReferenceResult:
        level = list(self.start())
        while level:
            self.depth += 1
            following: list[Key] = []
            for key in level:
                following += self.visit(key)
            if self.depth in self.found:
                return self.verdict(self.found[self.depth])
            if len(self.states) > max_states:
                return self.result("inconclusive", reason=f"more than {max_states} states")
            level = following
        # A step that violates can lead back to states seen before, when no further level follows; and an initial
        # choice can be ill-defined when there is no initial state at all.
        if self.found:
            return self.verdict(self.found[min(self.found)])
        return self.result("holds")

    def start(self) -> Iterator[Key]:
        for arguments, outcome in initial_states(self.instance):
            self.generated += 1
            match outcome:
                case Taken(state):
                    key = self.key(state)
                    if self.add(key, state, None, None, arguments):
                        self.judge_start(key, state)
                        yield key
                case IllDefined():
                    # There is no state yet: the trace shows only what init chose.
                    trace = (ReferenceStep(None, arguments, {}),)
                    self.report("well_defined", trace, outcome.reason)

    def visit(self, key: Key) -> list[Key]:
        """Judge a state and take every step from it; the states that are new."""
        state = self.states[key]
        bad = outside(self.instance, state)
        if bad:
            self.report("type_ok", self.trace(key), f"{', '.join(bad)} outside its domain")
            return []
        terminal = self.judge(key, state)
        enabled, new = False, []
        for action, arguments, outcome in steps(self.instance, state):
            if isinstance(outcome, IllDefined):
                self.report("well_defined", self.trace(key), outcome.reason)
                continue
            enabled = True
            self.generated += 1
            self.coverage[action] += 1
            after = outcome.state
            target = self.key(after)
            if self.add(target, after, key, action, arguments):
                new.append(target)
            if after != state:
                self.changing += 1
                # A state outside its domains ends the trace with type_ok; nothing else is asked of it.
                if not outcome.outside:
                    self.judge_step(key, state, ReferenceStep(action, arguments, after))
        if terminal:
            self.generated += 1
        elif not enabled and self.selected("deadlock_free"):
            self.report("deadlock_free", self.trace(key), "no action is enabled")
        return new

    def judge(self, key: Key, state: State) -> bool:
        """Evaluate the properties of a state; whether it is terminal."""
        terminal = False
        for item in (*self.invariants, *self.terminals, *self.others):
            try:
                value = holds(self.instance, item.body, state)
                if item.target is not None:
                    holds(self.instance, item.target, state)
            except Undefined as undefined:
                self.report("well_defined", self.trace(key), undefined.reason)
                continue
            if item.kind == "terminal":
                terminal = terminal or value
            elif item.kind == "invariant" and not value and self.selected(item.name):
                self.report(item.name, self.trace(key), "the invariant is false")
            elif item.kind == "reachable" and value:
                self.reached.add(item.name)
        if self.view is not None:
            try:
                self.view.seen(state)
            except Undefined as undefined:
                self.report("well_defined", self.trace(key), undefined.reason)
        return terminal

    def judge_start(self, key: Key, state: State) -> None:
        if self.refined is None or outside(self.instance, state) or not self.refined.is_defined(state):
            return
        if not self.refined.begins(state):
            self.report(ir.REFINES, self.trace(key), "the state is no initial state of what is refined")

    def judge_step(self, key: Key, state: State, step: ReferenceStep) -> None:
        for item in (*self.transitions, *self.other_transitions):
            try:
                value = holds(self.instance, item.body, state, step.state)
            except Undefined as undefined:
                self.report("well_defined", self.trace(key), undefined.reason)
                continue
            if not value and self.selected(item.name):
                self.report(item.name, (*self.trace(key), step), "the step violates the transition invariant")
        if self.refined is not None:
            # Where an abstraction has no value, that is what is reported of the state.
            known = self.refined.is_defined(state) and self.refined.is_defined(step.state)
            if known and not self.refined.follows(state, step.state):
                self.report(ir.REFINES, (*self.trace(key), step), "the step is none of what is refined")

    def add(self, key: Key, state: State, parent: Key | None, action: str | None, arguments: Arguments) -> bool:
        if key in self.states:
            return False
        self.states[key] = state
        self.parents[key] = (parent, action, arguments)
        return True

    def key(self, state: State) -> Key:
        """What states count as the same by."""
        plain = self.plain(state)
        if not self.symmetry:
            return plain
        if plain not in self.met:
            for other in orbit(self.instance, state):
                self.met[self.plain(other)] = plain
        return self.met[plain]

    def plain(self, state: State) -> Key:
        return tuple(state[name] for name in self.instance.variables)

    def trace(self, key: Key) -> tuple[ReferenceStep, ...]:
        steps_back: list[ReferenceStep] = []
        at: Key | None = key
        while at is not None:
            parent, action, arguments = self.parents[at]
            steps_back.append(ReferenceStep(action, arguments, self.states[at]))
            at = parent
        return tuple(reversed(steps_back))

    def report(self, name: str, trace: tuple[ReferenceStep, ...], reason: str) -> None:
        self.found.setdefault(len(trace), []).append(_Violation(name, trace, reason))

    def verdict(self, candidates: list[_Violation]) -> ReferenceResult:
        order = safety_order(self.instance.protocol)
        # `min` keeps the first of equals: the one found first in breadth-first order.
        best = min(candidates, key=lambda violation: order.index(violation.name))
        return self.result("violated", best.name, best.trace, best.reason)

    def result(
        self,
        status: Literal["holds", "violated", "inconclusive"],
        violated: str | None = None,
        trace: tuple[ReferenceStep, ...] = (),
        reason: str = "",
    ) -> ReferenceResult:
        evaluated = tuple(
            name for name in safety_order(self.instance.protocol) if name in ir.ALWAYS_JUDGED or self.selected(name)
        )
        return ReferenceResult(
            status=status,
            evaluated=evaluated,
            violated=violated,
            trace=trace,
            reason=reason,
            distinct=len(self.states),
            generated=self.generated,
            depth=self.depth,
            changing=self.changing,
            coverage=self.coverage,
            reached=frozenset(self.reached),
        )


def reachable_states(instance: Instance, limit: int) -> tuple[State, ...]:
    """The first states in breadth-first order, up to `limit`, those outside their domains left out."""
    found: dict[Key, State] = {}
    waiting = [outcome.state for _, outcome in initial_states(instance) if isinstance(outcome, Taken)]
    while waiting and len(found) < limit:
        following: list[State] = []
        for state in waiting:
            key = tuple(state[name] for name in instance.variables)
            if key in found or outside(instance, state) or len(found) >= limit:
                continue
            found[key] = state
            following += [outcome.state for _, _, outcome in steps(instance, state) if isinstance(outcome, Taken)]
        waiting = following
    return tuple(found.values())
