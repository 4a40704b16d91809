"""The runs of TLC that a check takes: each with its share of the budget, its progress told, its counts kept."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

from ..transpiler.tla import Module
from ..transpiler.tla_config import Config
from .generate import bounded_module, config_text, module_files
from .results import CheckJob, Progress, Stats, Status
from .tlc import Toolchain, codes
from .tlc.driver import TlcJob, TlcRun, run_tlc
from .tlc.stats import TlcProgress
from .tlc_checkpoint import SavedRuns
from .tlc_effort import is_short_run

ENGINE = "tlc"

_BUDGETS = frozenset({"incomplete", "out_of_memory"})


class Doubt(Exception):
    """A run that says nothing, or nothing that can be believed."""

    def __init__(self, status: Literal["invalid", "inconclusive"], reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason


class Runs:
    """What the runs of one check have in common; `module`, and `actions` by operator, are set before the first."""

    module: Module
    actions: Mapping[str, str]

    def __init__(self, job: CheckJob, toolchain: Toolchain) -> None:
        self.job = job
        self.toolchain = toolchain
        self.instance = job.instance
        self.protocol = job.instance.protocol
        self.started = time.monotonic()
        self.short_run = is_short_run(job.instance)
        self.stats: Stats | None = None
        self.coverage: Mapping[str, int] = {}
        self.saved: SavedRuns | None = None

    def tlc(
        self,
        config: Config,
        *,
        deadlock: bool,
        workers: int = 1,
        coverage: bool = False,
        counts: bool = False,
        depth: int | None = None,
        phase: str = "",
        saved_as: str = "",
    ) -> TlcRun:
        """Run TLC on this instance; with `counts` what it counted is kept as the result's.

        Where the check saves its progress, a run with a name for that does.
        """
        name, files = self.module.name, module_files(self.module)
        if depth is not None:
            name, text, constraint = bounded_module(self.module, depth)
            files[f"{name}.tla"] = text
            config = replace(config, constraint=constraint)
        files[f"{name}.cfg"] = config_text(config)
        demand_listed(config, files[f"{name}.cfg"])
        stop = Stop(self.job.cancel)
        job = TlcJob(
            files,
            name,
            f"{name}.cfg",
            workers=workers,
            check_deadlock=deadlock,
            coverage=coverage,
            short_run=self.short_run,
            timeout=self.remaining(),
        )

        def execute(job: TlcJob, saved: Callable[[], None] | None = None) -> TlcRun:
            told = partial(self.progress, stop=stop, phase=phase)
            return run_tlc(job, self.toolchain, progress=told, saved=saved, cancel=stop)

        run = execute(job) if self.saved is None or not saved_as else self.saved.run(saved_as, job, execute)
        if counts:
            self.count(run)
            if self.stats is not None and self.saved is not None and self.saved.resumed(saved_as):
                self.stats = replace(self.stats, at_least=True)
        if stop.reason:
            raise Doubt("inconclusive", stop.reason)
        self.demand_within_limit(run)
        return run

    def demand_within_limit(self, run: TlcRun) -> None:
        """TLC reports its progress too rarely to be stopped in a short run; the budget means the same all the same."""
        limit, distinct = self.job.budget.max_states, run.outcome.stats.distinct
        if limit is not None and distinct is not None and distinct > limit and run.outcome.kind not in codes.FOUND:
            raise Doubt("inconclusive", f"more than {limit:,} states")

    def remaining(self) -> float | None:
        limit = self.job.budget.timeout
        if limit is None:
            return None
        left = self.started + limit - time.monotonic()
        if left <= 0:
            raise Doubt("inconclusive", f"the time of {limit:g} s is up")
        return left

    def progress(self, shown: TlcProgress, stop: Stop, phase: str = "") -> None:
        """Pass on a sign of life; end the run where it has found more states than allowed."""
        if self.saved is not None:
            self.saved.noticed(shown)
        limit = self.job.budget.max_states
        if limit is not None and shown.distinct is not None and shown.distinct > limit and shown.queue != 0:
            stop.end(f"more than {limit:,} states")
        if self.job.on_progress is not None:
            self.job.on_progress(
                Progress(
                    engine=ENGINE,
                    distinct=shown.distinct or 0,
                    generated=shown.generated or 0,
                    depth=shown.depth or 0,
                    queue=shown.queue or 0,
                    seconds=time.monotonic() - self.started,
                    phase=phase,
                )
            )

    def count(self, run: TlcRun) -> None:
        counted = run.outcome.stats
        if counted.distinct is None and run.outcome.kind == "incomplete":
            return  # it was ended before it said anything
        cut_off = (counted.level or 0) if run.outcome.kind == "incomplete" else 0
        depth = counted.depth if counted.depth is not None else max(cut_off, len(run.outcome.states))
        self.stats = Stats(
            distinct=counted.distinct or 0,
            generated=counted.generated or 0,
            depth=depth,
            seconds=run.search_seconds or 0.0,
            wall_seconds=run.wall_seconds,
        )
        taken = {
            self.actions[text]: item.generated for text, item in run.outcome.coverage.items() if text in self.actions
        }
        self.coverage = {action.name: taken.get(action.name, 0) for action in self.protocol.actions} if taken else {}

    def doubt(self, run: TlcRun) -> Doubt:
        kept = f" (the run is kept in {run.workspace})" if run.workspace is not None else ""
        status: Literal["invalid", "inconclusive"] = "inconclusive" if run.outcome.kind in _BUDGETS else "invalid"
        # What the user can do about it; a module that does not parse, say, is for us to mend.
        hint = "; its integers have 32 bits, the explorer's have no end" if run.outcome.kind == "overflow" else ""
        return Doubt(status, f"{' '.join(run.outcome.message.split())}{hint}{kept}")


def demand_listed(config: Config, text: str) -> None:
    """Raise where a property is not in the .cfg as it was written: TLC would pass over it without a word."""
    lines = set(text.splitlines())
    wanted = [
        *(f"INVARIANT {name}" for name in config.invariants),
        *(f"PROPERTY {name}" for name in config.properties),
        *([f"SYMMETRY {config.symmetry}"] if config.symmetry else []),
    ]
    for line in wanted:
        if line not in lines:
            raise Doubt("invalid", f"the .cfg has no line `{line}`: TLC would not evaluate it")


def forget(run: TlcRun) -> None:
    """Remove what was kept of a run that TLC calls failed, where the failure only says something of the protocol."""
    if run.workspace is not None:
        shutil.rmtree(run.workspace, ignore_errors=True)


class Stop(threading.Event):
    """Set when the whole check is cancelled, or when this run has to end for a reason of its own."""

    def __init__(self, cancel: threading.Event) -> None:
        super().__init__()
        self._cancel = cancel
        self.reason = ""

    def end(self, reason: str) -> None:
        self.reason = reason
        self.set()

    def is_set(self) -> bool:
        return super().is_set() or self._cancel.is_set()
