"""The one model of a trace, whatever it comes from: an engine, TLC's output, a recording of a run, or a file.

A trace is a behaviour of a protocol, or the beginning of one. It has one of three shapes: finite, it ends in its last
state; lasso, from its last state it goes back to an earlier one, for ever; stuttering, it stays in its last state for
ever. `DescribedTrace` adds what a reader needs to know about it. Nothing here knows how a trace is written down: that
is for `trace_text` and its siblings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..transpiler.domains import show

State = Mapping[str, Any]
"""Variable name → canonical Python value, in order of declaration."""

Shape = Literal["finite", "lasso", "stuttering"]


@dataclass(frozen=True, slots=True)
class TraceStep:
    """A state and how it was reached.

    `action` is None for the initial state, whose arguments are what init chose. It is "" for a step of which the source
    names no action: a file of another tool, say.
    """

    action: str | None
    arguments: tuple[tuple[str, Any], ...]
    state: State

    @property
    def label(self) -> str:
        """`action(name=value, …)`; of the initial state `init`, with what it chose, if it chose."""
        arguments = ", ".join(f"{name}={show(value)}" for name, value in self.arguments)
        if self.action is None:
            return f"init({arguments})" if arguments else "init"
        return f"{self.action}({arguments})" if self.action else "?"


@dataclass(frozen=True, slots=True)
class Trace:
    """A behaviour, or the beginning of one.

    Finite: of a counter-example it ends in the state, or with the step, that violates. A lasso: after the last step
    the behaviour goes on from `steps[loop_to]` for ever; `closing` is the step that leads back there (its state equals
    that one's), None where it is not known. Stuttering: it stays in the last state for ever.
    """

    steps: tuple[TraceStep, ...]
    loop_to: int | None = None
    closing: TraceStep | None = None
    stuttering: bool = False

    def __post_init__(self) -> None:
        if self.loop_to is not None and not 0 <= self.loop_to < len(self.steps):
            raise ValueError(f"the loop leads to state {self.loop_to + 1}, of {len(self.steps)}")
        if self.loop_to is not None and self.stuttering:
            raise ValueError("a trace that stays in its last state does not go back to another one as well")
        if self.closing is not None and self.loop_to is None:
            raise ValueError("a step closes a loop, but the trace has none")

    @property
    def shape(self) -> Shape:
        """Which of the three it is."""
        if self.loop_to is not None:
            return "lasso"
        return "stuttering" if self.stuttering else "finite"

    @property
    def states(self) -> tuple[State, ...]:
        """The states in order."""
        return tuple(step.state for step in self.steps)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of its states, in order of declaration; none where init itself has no value."""
        return tuple(self.steps[0].state) if self.steps else ()

    def moves(self) -> Iterator[Move]:
        """The steps in order, that of the initial state first, the one that closes the loop last."""
        before: State | None = None
        for place, step in enumerate(self.steps):
            yield Move(place, step, before)
            before = step.state
        if self.loop_to is not None and self.closing is not None:
            yield Move(self.loop_to, self.closing, before, closes=True)


@dataclass(frozen=True, slots=True)
class Move:
    """A step of a trace with the state before it, None before the initial one; `place` is the index of its state."""

    place: int
    step: TraceStep
    before: State | None
    closes: bool = False

    def changes(self, variable: str) -> bool:
        """Whether the step gives the variable another value; the initial state gives each its first."""
        return self.before is None or self.before[variable] != self.step.state[variable]

    @property
    def changed(self) -> tuple[str, ...]:
        """The variables that have another value after the step, in order of declaration."""
        return tuple(name for name in self.step.state if self.changes(name))


@dataclass(frozen=True, slots=True)
class DescribedTrace:
    """A trace with everything a reader needs to know about it, readable without the protocol at hand.

    Attributes:
        protocol: its name on the command line, `rollback`.
        constants: those of the check or the run.
        trace: the steps.
        violated: the property that it violates; None where it violates none, the recording of a run say.
        kind: the property's kind, in words.
        where: "file:line" of the property; empty for what is built in.
        dropped: the guard that the variant lacks, `action.guard`; None for the protocol as it is written.
        dropped_where: "file:line" of that guard.
        detail: one sentence on what exactly is wrong, where more can be said than the property's name.
        actions_where: action → "file:line".
        source: where it comes from: an engine's name, or a description of the file.
        target: how the command line names the protocol, `lock.py:WriteLock`; empty where that is not known.
        instance: its name in a recording; empty elsewhere.
    """

    protocol: str
    constants: Mapping[str, Any]
    trace: Trace
    violated: str | None = None
    kind: str = ""
    where: str = ""
    dropped: str | None = None
    dropped_where: str = ""
    detail: str = ""
    actions_where: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    target: str = ""
    instance: str = ""
