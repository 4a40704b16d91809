"""The engine that answers where nobody chooses one: the explorer for what is small, the native engine for the rest.

How large a state space is cannot be told beforehand: what can be said of it from the domains alone is off by orders of
magnitude. So the explorer begins, which takes no compiler's time, and what it has not finished after a moment is large
enough for the native engine, which begins anew and has caught up before that is noticed.
"""

from __future__ import annotations

from dataclasses import replace

from .explorer import ExplorerEngine
from .native.compiler import CompilerNotFound
from .native.engine import NativeEngine
from .results import Budget, CheckJob, EngineResult
from .tlc.errors import ToolError

MOMENT = 1.0
"""Seconds that the explorer gets: about what the native engine needs to be compiled."""


class EmbeddedEngine:
    """Answers with the explorer, or with the native engine where the search is long and there is a compiler."""

    def __init__(self) -> None:
        self.explorer = ExplorerEngine()
        self.native: NativeEngine | None
        try:
            self.native = NativeEngine()
        except CompilerNotFound:
            # Everything works without it, more slowly.
            self.native = None

    @property
    def name(self) -> str:
        return self.explorer.name

    @property
    def version(self) -> str:
        return self.explorer.version

    def check(self, job: CheckJob) -> EngineResult:
        """Check one instance; the result names the engine that answered."""
        limit = job.budget.timeout
        if self.native is None or (limit is not None and limit <= MOMENT):
            return self.explorer.check(job)
        first = self.explorer.check(replace(job, budget=_within_a_moment(job.budget)))
        if first.status != "inconclusive" or not _out_of_time(first, job):
            return first
        before = first.stats.wall_seconds if first.stats is not None else MOMENT
        left = None if limit is None else limit - before
        try:
            found = self.native.check(replace(job, budget=replace(job.budget, timeout=left)))
        except ToolError as error:
            found = EngineResult(self.native.name, self.native.version, "inconclusive", reason=str(error))
        if found.status == "inconclusive" and found.stats is None and not job.cancel.is_set():
            # It cannot say: the explorer takes its time.
            slow = self.explorer.check(replace(job, budget=replace(job.budget, timeout=left)))
            return replace(slow, notes=(*slow.notes, found.reason))
        if found.status == "inconclusive" and found.stats is None:
            # It was ended before it had seen anything: what the explorer saw is what is known.
            return replace(first, reason=found.reason)
        seen = first.stats.distinct if first.stats is not None else 0
        note = f"the native engine answered: after {before:.1f} s the explorer had seen {seen:,} states, not all"
        return replace(found, notes=(*found.notes, note))


def _within_a_moment(budget: Budget) -> Budget:
    return replace(budget, timeout=MOMENT)


def _out_of_time(result: EngineResult, job: CheckJob) -> bool:
    return not job.cancel.is_set() and result.reason.startswith("not finished within")
