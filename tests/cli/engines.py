"""Engines for tests: the reference checker in an engine's clothes, and engines that say whatever they are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from protocheck.toolchain.native.compiler import CompilerNotFound, find_compiler
from protocheck.toolchain.results import CheckJob, EngineResult, Stats, Status
from protocheck.toolchain.traces import Trace, TraceStep
from protocheck.transpiler.reference import reference_check


def _has_compiler() -> bool:
    try:
        find_compiler()
    except CompilerNotFound:
        return False
    return True


NATIVE = pytest.param("native", marks=pytest.mark.skipif(not _has_compiler(), reason="needs a C compiler"))
"""The native engine as a parameter, where it can be had."""


@dataclass
class ReferenceEngine:
    """Answers by the reference checker; `alter` falsifies a result, `jobs` records what was asked.

    Liveness counts as evaluated and holding, which is the tests' business to keep true.
    """

    name: str = "explorer"
    version: str = "0"
    alter: Callable[[CheckJob, EngineResult], EngineResult] | None = None
    jobs: list[CheckJob] = field(default_factory=list)

    def check(self, job: CheckJob) -> EngineResult:
        self.jobs.append(job)
        started = time.monotonic()
        found = reference_check(job.instance, job.properties, job.budget.max_states or 200_000)
        steps = tuple(TraceStep(step.action, tuple(step.arguments), step.state) for step in found.trace)
        seconds = time.monotonic() - started
        wanted = job.properties or frozenset()
        result = EngineResult(
            engine=self.name,
            version=self.version,
            status=found.status,
            evaluated=tuple(wanted | {"type_ok"}),
            violated=found.violated,
            trace=Trace(steps) if steps else None,
            stats=Stats(found.distinct, found.generated, found.depth, seconds, seconds, found.changing),
            coverage=found.coverage,
            reason=found.reason,
        )
        unreached = [
            item.name
            for item in job.instance.protocol.of_kind("reachable")
            if item.name in wanted and item.name not in found.reached
        ]
        if result.status == "holds" and unreached:
            result = replace(result, status="violated", violated=unreached[0], trace=None)
        return self.alter(job, result) if self.alter is not None else result


def result(status: Status = "holds", **values: Any) -> EngineResult:
    """An engine's answer with plausible values for whatever is not named."""
    defaults: dict[str, Any] = {
        "engine": "explorer",
        "version": "0",
        "stats": Stats(31, 189, 9, 0.001, 0.001, 100),
        "evaluated": ("type_ok", "well_defined", "no_ghost_reads", "grows_by_one", "deadlock_free"),
    }
    return EngineResult(**{**defaults, "status": status, **values})


def finite(*states: Mapping[str, Any]) -> Trace:
    """A trace through the given states by actions called `go`."""
    steps = [TraceStep("go" if index else None, (), state) for index, state in enumerate(states)]
    return Trace(tuple(steps))
