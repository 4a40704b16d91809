"""What a search of packed states found, whichever engine searched: what verdicts, traces and liveness are made of."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..transpiler.packing.program import Program
from .results import Budget


@dataclass(frozen=True)
class Violation:
    """The property, the state that it was flagged in (None: init), and the number of states of the trace.

    For `type_ok` and transition invariants the trace goes one step beyond the state.
    """

    property: str
    state: int | None
    length: int


@dataclass(frozen=True)
class Counters:
    """How far the search came: at its end, or at the first violation."""

    distinct: int
    generated: int
    depth: int


class Visited(Protocol):
    """The states that were reached, in breadth-first order, and how each was."""

    @property
    def states(self) -> Sequence[int]: ...

    def path(self, state: int) -> list[int]:
        """The states on a shortest way to a state, from an initial one to itself."""
        ...


class Searched(Protocol):
    """A search that has ended.

    `stopped` says why it did not finish, "" where it did. `reached` are the reachability properties that some state
    satisfies. `changing` counts the steps that change something, `coverage` the steps of each action.
    """

    @property
    def program(self) -> Program: ...
    @property
    def budget(self) -> Budget: ...
    @property
    def cancel(self) -> threading.Event: ...
    @property
    def started(self) -> float: ...
    @property
    def violation(self) -> Violation | None: ...
    @property
    def stopped(self) -> str: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def initial_count(self) -> int: ...
    @property
    def visited(self) -> Visited: ...
    @property
    def reached(self) -> Collection[str]: ...
    @property
    def changing(self) -> int: ...
    @property
    def coverage(self) -> Mapping[str, int]: ...
