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

from ...transpiler.packing.c_program import CProgram, c_program
from ...transpiler.packing.c_render import NotInC
from ...transpiler.packing.program import Program
from ..explorer import VERSION, PackedCheck
from ..explorer_liveness import find_violation
from ..results import Budget, CheckJob, EngineResult
from ..searched import Counters, Searched, Violation
from ..traces import Trace
from .compiler import Cancelled, Compiler, executable_for, find_compiler
from .memory import available_memory, megabytes
from .process import Limits, Outcome, run_search


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

    def check(self, job: CheckJob) -> EngineResult:
        """Check one instance; never raises for a protocol's fault. Raises `ToolError` where it cannot be compiled."""
        return _NativeCheck(job, self.compiler, self.version).answer()


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

    def searched(self, program: Program) -> tuple[Searched, float]:
        """Compile and run the search."""
        written = c_program(program, self.reachable, self.liveness)
        executable = executable_for(written.source, self.compiler, self.job.cancel)
        job, budget = self.job, self.job.budget
        left = None if budget.timeout is None else budget.timeout - (time.perf_counter() - self.started)
        memory = available_memory() if budget.memory is None else budget.memory
        if left is not None and left <= 0:
            outcome = Outcome(stopped="time")
        else:
            outcome = run_search(
                executable,
                # Fair cycles are looked for by one thread, in the places that one thread has given.
                Limits(1 if self.liveness else job.workers, memory, budget.max_states, left),
                words=written.words,
                with_states=bool(self.liveness),
                on_progress=job.on_progress,
                cancel=job.cancel,
            )
        return NativeSearch(program, written, outcome, budget, job.cancel, self.started, memory), outcome.seconds

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
        match self.outcome.stopped:
            case "states":
                return f"more than {self.budget.max_states} states"
            case "time":
                return f"not finished within {self.budget.timeout:g} seconds"
            case "memory":
                return f"out of memory: {megabytes(self.memory)} are not enough"
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
