"""How fast a search goes, and how long it may still take: only what can be said honestly of it.

A search knows what it has found and what waits in its queue, not what it will find. So the rest is an estimate only
where another engine has counted all states already; elsewhere it is a lower bound: what waits must be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .toolchain.check import Activity
    from .toolchain.results import Progress

WINDOW = 30.0
"""Seconds over which a rate is taken: long enough to be steady, short enough to see a search slow down."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Rates over the last while, and the seconds that are left.

    `basis` says what `remaining` is: an estimate, or a bound from below; None where there is no telling.
    """

    states_per_second: float
    steps_per_second: float
    remaining: float | None = None
    basis: Literal["estimate", "at least"] | None = None


def pace(earlier: Progress | None, now: Progress, expected: int | None = None) -> Pace:
    """The pace between two reports of one search (from its beginning where there is no earlier one)."""
    before = (0.0, 0, 0, 0)
    if earlier is not None and earlier.seconds < now.seconds:
        before = (earlier.seconds, earlier.distinct, earlier.generated, earlier.queue)
    seconds = now.seconds - before[0]
    if seconds <= 0:
        return Pace(0.0, 0.0)
    rates = (max(0, now.distinct - before[1]) / seconds, max(0, now.generated - before[2]) / seconds)
    looked_at = now.distinct - now.queue
    expanding = (looked_at - (before[1] - before[3])) / seconds
    if expanding <= 0:
        return Pace(*rates)
    if expected is not None and expected >= now.distinct:
        return Pace(*rates, (expected - looked_at) / expanding, "estimate")
    return Pace(*rates, now.queue / expanding, "at least") if now.queue else Pace(*rates)


class PaceMeter:
    """Takes the reports of a check as they come, and tells the pace of the search that reported last."""

    def __init__(self) -> None:
        self._search: tuple[str, str, str] | None = None
        self._reports: list[Progress] = []

    def take(self, activity: Activity) -> None:
        """Remember a report; those of an earlier search are forgotten."""
        progress = activity.progress
        search = (activity.subject, progress.engine, progress.phase)
        reports = self._reports if search == self._search else []
        if reports and progress.seconds < reports[-1].seconds:
            reports = []  # the same search once more
        # All but one of those that are too old go: the window may be wider than asked for, never emptier.
        recent = [report for report in reports if report.seconds >= progress.seconds - WINDOW]
        older = [report for report in reports if report.seconds < progress.seconds - WINDOW][-1:]
        self._search, self._reports = search, [*older, *recent, progress]

    def pace(self, activity: Activity) -> Pace:
        """The pace at a report that was taken last."""
        reports = self._reports
        return pace(reports[0] if len(reports) > 1 else None, activity.progress, activity.expected)
