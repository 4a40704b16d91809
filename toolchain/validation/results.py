"""What is asked of a validation and what it answers: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..traces import State

Verdict = Literal["behaviour", "rejected", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a log is read.

    Attributes:
        unlogged: actions that may happen between two events without being in the log.
        skipped: actions of the log that are none of the protocol's, and are passed over.
        assumptions: whether the environment must keep the protocol's assumptions too. Its ghosts are then part of the
            state, and what init chooses is tried in all ways.
        anywhere: whether the log may begin in any state, and not only in an initial one.
        truncated: whether a last line that was cut off is no error.
        max_states: states that are held possible at once, at most; a log for which more are needed is inconclusive.
    """

    unlogged: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    assumptions: bool = False
    anywhere: bool = False
    truncated: bool = False
    max_states: int = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a log: an action with the arguments that are known, and what was seen of the state after it.

    Values are JSON still. `action` is None where the state was only looked at. With `exhaustive` the variables that
    are not in `seen` are as they were before. `refused` names the guards that refused the step, None where it was
    taken.
    """

    line: int
    action: str | None
    arguments: Mapping[str, Any]
    seen: Mapping[str, Any]
    exhaustive: bool = False
    refused: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an event is none that could happen, in `states` of the states that were possible; `where` is "file:line"."""

    text: str
    states: int
    where: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The first event that no behaviour explains.

    `possible` are the states in which it could have happened, the first few of `count`. `instead` are steps that were
    possible in the first of them.
    """

    line: int
    event: str
    reasons: tuple[Reason, ...]
    possible: tuple[State, ...]
    count: int
    instead: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer about one instance of a protocol in a log.

    Attributes:
        protocol: its name on the command line.
        instance: its name in a recording; empty for a log that has one.
        constants: those of the run.
        verdict: "behaviour" only where every event was read and explained.
        events: how many were explained.
        with_arguments: of these, how many named every argument.
        with_values: of these, how many named values of variables.
        lines: the last line that was read.
        rejection: where the verdict is "rejected".
        reason: why it is inconclusive.
        possible: how many states are possible at the end.
        notes: what else is worth knowing, lines that are missing say.
    """

    protocol: str
    instance: str
    constants: Mapping[str, Any]
    verdict: Verdict
    events: int
    with_arguments: int
    with_values: int
    lines: int
    rejection: Rejection | None = None
    reason: str = ""
    possible: int = 0
    notes: tuple[str, ...] = ()
