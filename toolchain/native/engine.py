"""The native engine: the explorer's program as C, compiled, run in a process of its own.

    instance → packed program → C → executable (cached) → search → result

States are packed as the explorer packs them, so that traces and liveness are its own. What C's integers cannot do is
`inconclusive`, with the reason: the explorer can.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...transpiler.packing.c_program import CProgram, c_program
from ...transpiler.packing.c_render import NotInC
from ...transpiler.packing.program import Program
from ..explorer import VERSION, PackedCheck
from ..explorer_liveness import Stopped, find_violation
from ..results import Budget, CheckJob, EngineResult
from ..searched import Counters, Searched, Violation
from ..tlc.errors import RunError
from ..traces import Trace
from .compiler import Cancelled, Compiler, OutOfTime, executable_for, find_compiler
from .memory import available_memory, megabytes
from .process import Crashed, Limits, Outcome, run_search


class NativeEngine:
    """Exhaustive search in a compiled process. Raises `CompilerNotFound` where there is no compiler."""

    def __init__(self, compiler: Compiler | None = None) -> None:
        self.compiler = compiler or find_compiler()

    @property
    def name(self) -> str:
        return "native"

    @property
    def version(self) -> str:
        return f"{VERSION} ({self.compiler.name})"

    def check(self, job: CheckJob, started: float | None = None) -> EngineResult:
        """Check one instance; never raises for a protocol's fault. Raises `ToolError` where it cannot be compiled.

        `started` is when its time began, if that was before: as `time.perf_counter` tells it.
        """
        check = _NativeCheck(job, self.compiler, self.version)
        check.started = check.started if started is None else started
        return check.answer()


class _NativeCheck(PackedCheck):
    """One job on its way to its result."""

    engine = "native"

    def __init__(self, job: CheckJob, compiler: Compiler, version: str) -> None:
        super().__init__(job)
        self.compiler = compiler
        self.version = version

    def answer(self) -> EngineResult:
        """The result, or why there is none."""
        try:
            return self.result()
        except NotInC as reason:
            return self.unanswered("inconclusive", f"the native engine cannot search this protocol: {reason}")
        except Cancelled:
            return self.unanswered("inconclusive", "cancelled")
        except OutOfTime:
            return self.unanswered("inconclusive", f"not finished within {self.job.budget.timeout:g} seconds")

    def searched(self, program: Program) -> tuple[Searched, float]:
        """Compile and run the search."""
        written = c_program(program, self.reachable, self.liveness)
        job, budget = self.job, self.job.budget
        executable = executable_for(written.source, self.compiler, job.cancel, self.left())
        memory = available_memory() if budget.memory is None else budget.memory
        try:
            outcome = self.run(executable, written, memory)
        except Crashed:
            raise
        except RunError:
            # What is kept is no program any more: of another system, say.
            executable = executable_for(written.source, self.compiler, job.cancel, self.left(), anew=True)
            outcome = self.run(executable, written, memory)
        return NativeSearch(program, written, outcome, budget, job.cancel, self.started, memory), outcome.seconds

    def left(self) -> float | None:
        """How many seconds are left, None for any number. Raises `OutOfTime` where there are none."""
        limit = self.job.budget.timeout
        left = None if limit is None else limit - (time.perf_counter() - self.started)
        if left is not None and left <= 0:
            raise OutOfTime
        return left

    def run(self, executable: Path, written: CProgram, memory: int) -> Outcome:
        """The search in a process of its own."""
        job = self.job
        return run_search(
            executable,
            # Fair cycles are looked for by one thread, in the places that one thread has given.
            Limits(1 if self.liveness else job.workers, memory, job.budget.max_states, self.left()),
            words=written.words,
            with_states=bool(self.liveness),
            on_progress=job.on_progress,
            cancel=job.cancel,
        )

    def unfair(self, search: Searched) -> tuple[str, Trace] | None:
        """What the process said. The behaviour itself is found once more, by the explorer: so it has two witnesses."""
        assert isinstance(search, NativeSearch)
        if not search.written.liveness:
            return super().unfair(search)
        judged = search.outcome.liveness
        for place, item in enumerate(self.liveness):
            if place not in judged:
                raise AssertionError(f"the native search did not say whether {item.name} holds")
            if not judged[place]:
                if search.outcome.too_many:
                    raise Stopped(
                        f"{item.name} is violated, says the native search alone: for the explorer, which finds the "
                        f"behaviour, {megabytes(search.memory)} are not enough for {search.outcome.distinct:,} states"
                    )
                found = find_violation(search, (item,))
                if found is None:
                    raise AssertionError(f"only the native search sees that {item.name} is violated")
                return found
        return None


@dataclass(frozen=True)
class _Path:
    """The states of an outcome."""

    outcome: Outcome

    @property
    def states(self) -> list[int]:
        return self.outcome.states

    def path(self, state: int) -> list[int]:
        found = self.outcome.violation
        if found is None or found.path[-1] != state:
            raise AssertionError("the native search was asked for one path alone")
        return list(found.path)


@dataclass(frozen=True)
class NativeSearch:
    """What the process found, as a `Searched`."""

    program: Program
    written: CProgram
    outcome: Outcome
    budget: Budget
    cancel: threading.Event
    started: float
    memory: int

    @property
    def violation(self) -> Violation | None:
        """What was violated, and in which state."""
        found = self.outcome.violation
        if found is None:
            return None
        return Violation(self.program.order[found.kind], found.path[-1] if found.path else None, found.length)

    @property
    def stopped(self) -> str:
        """Why the search did not finish."""
        kind = self.outcome.begun
        known = "" if kind is None else f": {self.program.order[kind]} is violated, but the way there was not found"
        match self.outcome.stopped:
            case "states":
                return f"more than {self.budget.max_states} states"
            case "time":
                return f"not finished within {self.budget.timeout:g} seconds{known}"
            case "memory":
                return f"out of memory: {megabytes(self.memory)} are not enough{known}"
            case "places":
                return "more than 4,294,967,293 states"
            case why:
                return why

    @property
    def counters(self) -> Counters:
        return Counters(self.outcome.distinct, self.outcome.generated, self.outcome.depth)

    @property
    def initial_count(self) -> int:
        return self.outcome.initial

    @property
    def visited(self) -> _Path:
        return _Path(self.outcome)

    @property
    def reached(self) -> Collection[str]:
        return {self.written.wanted[place] for place in self.outcome.reached}

    @property
    def changing(self) -> int:
        return sum(self.outcome.taken) - self.outcome.unchanged

    @property
    def coverage(self) -> Mapping[str, int]:
        actions = self.program.instance.protocol.actions
        taken = self.outcome.taken or (0,) * len(actions)
        return {action.name: times for action, times in zip(actions, taken, strict=True)}
