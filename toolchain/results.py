"""What is asked of an engine and what it answers: plain data, shared by both engines, the reports and the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..transpiler.instance import Instance
from .traces import State, Trace

Status = Literal["holds", "violated", "inconclusive", "invalid"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Of a safety run: distinct states, generated (initial states and steps), depth counted in states from 1.

    `seconds` is the search, `wall_seconds` includes start-up. `changing` counts labelled steps that change something,
    None where the engine does not tell. `at_least` says that `generated` is a lower bound: of a run that went on from a
    checkpoint, say, nobody counted the steps before it. With `orbits` what is counted are orbits under renamings of
    symmetric members: one state of each, and the steps from that.
    """

    distinct: int
    generated: int
    depth: int
    seconds: float
    wall_seconds: float
    changing: int | None = None
    orbits: bool = False
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search has come: states found, steps taken, states found but not yet looked at (`queue`).

    `seconds` counts from the beginning of the check. `phase` is "" for the search that judges safety, else what else is
    looked for.
    """

    engine: str
    distinct: int
    generated: int
    depth: int
    queue: int
    seconds: float
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits after which a run is inconclusive: distinct states, seconds for the whole check of one instance, and bytes
    that the states of the native engine may take (None: most of what is available)."""

    max_states: int | None = None
    timeout: float | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class CheckJob:
    """One instance (a baseline or a variant) to be checked.

    `properties` are the names to evaluate, None for all that the protocol has; `type_ok` and `well_defined`
    are evaluated in any case, and reachability properties only where they are named (they are the baseline's business).
    With `symmetry` one state of each orbit is visited, where there are symmetric constants; whoever asks for liveness
    as well gets no answer but `invalid`.
    """

    instance: Instance
    properties: frozenset[str] | None = None
    budget: Budget = Budget()
    workers: int = 1
    symmetry: bool = False
    on_progress: Callable[[Progress], None] | None = None
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class EngineResult:
    """The answer of one engine about one instance.

    `holds` only if the search finished and every name in `evaluated` was really evaluated. `violated` names the
    property and comes with its trace. `reason` says in one sentence why a result is inconclusive or invalid.
    `coverage`: action → steps taken by it (enabled argument tuples, summed over the states). `notes` are sentences on
    how the answer came about that a reader should know.
    """

    engine: str
    version: str
    status: Status
    evaluated: tuple[str, ...] = ()
    violated: str | None = None
    trace: Trace | None = None
    stats: Stats | None = None
    coverage: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """An engine checks one instance at a time; several checks may run side by side from threads."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def check(self, job: CheckJob) -> EngineResult:
        """Never raises for a protocol's fault; raises `ToolError` where the tool itself cannot be used."""
        ...


@dataclass(frozen=True, slots=True)
class Edge:
    """A labelled step between two states of a `StateGraph`, given by their indices."""

    source: int
    target: int
    action: str
    arguments: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StateGraph:
    """The reachable states in breadth-first order, the indices of the initial ones, and every labelled step.

    The stuttering disjunct `Terminated` is no edge.
    """

    states: tuple[State, ...]
    initial: tuple[int, ...]
    edges: tuple[Edge, ...]
