"""The engine that answers where nobody chooses one: the explorer for what is small, the native engine for the rest.

How large a state space is cannot be told beforehand: what can be said of it from the domains alone is off by orders of
magnitude. So the explorer begins, which takes no compiler's time, and what it has not finished after a moment is large
enough for the native engine, which begins anew and has caught up before that is noticed.
"""

from __future__ import annotations

import time
from dataclasses import replace

from ..transpiler import ir
from .explorer import ExplorerEngine, PackedCheck
from .native.compiler import CompilerNotFound
from .native.engine import NativeEngine
from .results import CheckJob, EngineResult
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
        started = time.perf_counter()
        first = self.explorer.check(replace(job, budget=replace(job.budget, timeout=MOMENT)))
        if not _was_cut_off(first, job):
            return first
        found = self._in_full(job, started, first)
        # What the explorer found in its moment may not be what comes first; but a violation it is.
        return first if found.status == "inconclusive" and first.status == "violated" else found

    def _in_full(self, job: CheckJob, started: float, first: EngineResult) -> EngineResult:
        """The native engine's answer in the time that is left, or where it cannot say, the explorer's."""
        assert self.native is not None
        try:
            found = self.native.check(job, started)
        except ToolError as error:
            found = EngineResult(self.native.name, self.native.version, "inconclusive", reason=str(error))
        limit = job.budget.timeout
        if found.status != "inconclusive" or found.stats is not None:
            before = first.stats.wall_seconds if first.stats is not None else MOMENT
            seen = first.stats.distinct if first.stats is not None else 0
            note = f"the native engine answered: after {before:.1f} s the explorer had seen {seen:,} states, not all"
            return replace(found, notes=(*found.notes, note))
        if job.cancel.is_set() or (limit is not None and time.perf_counter() - started >= limit):
            # It was ended before it had seen anything: what the explorer saw is what is known.
            return replace(first, reason=found.reason) if first.status == "inconclusive" else first
        slow = PackedCheck(job)
        slow.started = started
        answer = slow.result()
        return replace(answer, notes=(*answer.notes, found.reason))


def _was_cut_off(result: EngineResult, job: CheckJob) -> bool:
    """Whether the moment ended the search. What is wrong then need not be what comes first in order; which it is should
    not depend on how fast the explorer is."""
    if job.cancel.is_set():
        return False
    if result.status == "violated":
        safety = result.violated in (*ir.ALWAYS_JUDGED, *job.instance.protocol.safety)
        return safety and result.stats is not None and result.stats.wall_seconds > MOMENT
    return result.status == "inconclusive" and result.reason.startswith("not finished within")
