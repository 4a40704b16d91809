"""What measurements say: medians, ratios round by round, and whether they are what is expected."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .checkers_engines import NATIVE, NATIVE_2, SPIN, TLC_2, Measurement
from .checkers_rows import MILLION, Row
from .checkers_startup import STARTUPS, Startup

Round = Mapping[str, Measurement]
"""What each checker that took part measured, once, by its name."""

SLOW = 20.0
"""Seconds; a run that takes longer is made once and not again in the rounds that follow."""

TIMES_TLC, TIMES_SPIN, TIMES_ONE_THREAD = 100.0, 5.0, 1.6
"""How many times as many transitions a second are expected: of the native engine against TLC with two workers and
against SPIN, and of two threads against one."""

COMPARED = (
    *("rollback 18", "rollback 20", "rollback 22"),
    *("two-phase commit 7", "two-phase commit 8", "two-phase commit 9"),
)
"""Rows in which the native engine is expected to be so far ahead; smaller ones are over before they begin."""

MOST_BYTES = 16.0
"""A state, of the native engine, where a state is one word."""

LARGE = MILLION
"""States; of fewer, the system's pages of 2 MiB would be counted rather than what they need."""

ANSWERED_WITHIN = 0.3
"""Seconds, for a small protocol."""


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Expected:
    """A figure that is expected, and what was measured: at least `bound`, or at most; None if nothing was."""

    what: str
    bound: float
    measured: Spread | None
    at_most: bool = False
    unit: str = "×"

    @property
    def kept(self) -> bool:
        """Of a median; what was not measured is not kept."""
        if self.measured is None:
            return False
        return self.measured.median <= self.bound if self.at_most else self.measured.median >= self.bound


def of_engine(rounds: Sequence[Round], engine: str) -> list[Measurement]:
    """What a checker measured, round by round."""
    return [each[engine] for each in rounds if engine in each]


def ratio(rounds: Sequence[Round], one: str, other: str) -> Spread | None:
    """How many times as many transitions a second `one` takes as `other`, in the rounds in which both took part."""
    ratios = [each[one].rate / each[other].rate for each in rounds if one in each and other in each]
    return Spread.of(ratios) if ratios else None


def expectations(
    rows: Sequence[Row],
    words: Mapping[str, int],
    rounds: Mapping[str, Sequence[Round]],
    planned: Mapping[str, Collection[str]],
) -> Iterator[Expected]:
    """What is expected of these rows, where the checkers that are compared were to take part, or did.

    Where one was to take part (`planned`, by row) and did not, nothing was measured, and that is not what is expected.
    """
    for row in rows:
        measured = rounds.get(row.name, ())
        there = {*planned[row.name], *(engine for each in measured for engine in each)}
        if row.name in COMPARED:
            if {NATIVE, TLC_2} <= there:
                what = f"{row.name}: native against TLC with two workers"
                yield Expected(what, TIMES_TLC, ratio(measured, NATIVE, TLC_2))
            if {NATIVE, SPIN} <= there:
                yield Expected(f"{row.name}: native against SPIN", TIMES_SPIN, ratio(measured, NATIVE, SPIN))
        if row.generated >= 100 * MILLION and {NATIVE, NATIVE_2} <= there:
            what = f"{row.name}: two threads against one"
            yield Expected(what, TIMES_ONE_THREAD, ratio(measured, NATIVE_2, NATIVE))
        if words[row.name] == 1 and row.distinct >= LARGE and NATIVE in there:
            bytes_each = [found.bytes_a_state for found in of_engine(measured, NATIVE)]
            what = f"{row.name}: bytes a state, native"
            yield Expected(what, MOST_BYTES, Spread.of(bytes_each) if bytes_each else None, at_most=True, unit="")


def startup_expectations(measured: Mapping[str, Sequence[float]]) -> Iterator[Expected]:
    """What is expected of whole processes on small protocols."""
    for startup in STARTUPS:
        if startup.bounded and startup.name in measured:
            yield _answered(startup, measured[startup.name])


def _answered(startup: Startup, seconds: Sequence[float]) -> Expected:
    return Expected(f"`{startup.name}`", ANSWERED_WITHIN, Spread.of(seconds), at_most=True, unit=" s")
