"""The embedded engine: every reachable state, as packed integers, with generated code.

    instance → generated program → breadth-first search → (where safety holds) fair cycles → result

Every trace that it reports has been replayed by the interpreter, which knows nothing of packed states.
"""

from __future__ import annotations

import time
from dataclasses import replace

from ..transpiler import ir
from ..transpiler.instance import Instance
from ..transpiler.packing.program import Program, compile_program
from ..transpiler.packing.reduction import TooManyOrders
from .explorer_search import Search, Visited
from .orbits import unsound
from .results import Budget, CheckJob, Edge, EngineResult, Progress, StateGraph, Stats, Status
from .searched import Searched
from .traces import Trace

VERSION = "0.1.0"


class ExplorerEngine:
    """Answers a job by exhaustive search in this process."""

    @property
    def name(self) -> str:
        return "explorer"

    @property
    def version(self) -> str:
        return VERSION

    def check(self, job: CheckJob) -> EngineResult:
        """Check one instance; never raises for a protocol's fault."""
        return PackedCheck(job).result()


class PackedCheck:
    """One job on its way to its result, through a search of packed states."""

    engine = "explorer"
    version = VERSION

    def __init__(self, job: CheckJob) -> None:
        self.job = job
        self.started = time.perf_counter()
        self.protocol = job.instance.protocol
        self.liveness = tuple(item for item in self.protocol.properties if item.is_liveness and self.selected(item))
        # Reachability is the baseline's business: it is evaluated only where it is named.
        named = job.properties or frozenset()
        self.reachable = tuple(item for item in self.protocol.of_kind("reachable") if item.name in named)

    def selected(self, item: ir.Property) -> bool:
        return self.job.properties is None or item.name in self.job.properties

    def result(self) -> EngineResult:
        job = self.job
        try:
            program = compile_program(job.instance, job.properties, job.symmetry)
        except TooManyOrders as error:
            return self.unanswered("inconclusive", str(error))
        if program.reduction is not None and self.liveness:
            return self.unanswered("invalid", unsound(item.name for item in self.liveness))
        search, seconds = self.searched(program)
        safety = tuple(name for name in program.order if name in ir.ALWAYS_JUDGED or self.named(name))
        answer = EngineResult(
            engine=self.engine,
            version=self.version,
            status="holds",
            evaluated=(*safety, *(item.name for item in self.reachable), *(item.name for item in self.liveness)),
            stats=_stats(search, seconds),
            coverage=search.coverage,
        )
        return self.timed(self.judged(search, answer))

    def searched(self, program: Program) -> tuple[Searched, float]:
        """The search of the program's states, when it has ended, and how many seconds it took."""
        job = self.job
        wanted = {item.name: program.predicate(item.body) for item in self.reachable}
        search = Search(program, wanted, job.budget, job.on_progress, job.cancel, self.started)
        before = time.perf_counter()
        search.run()
        return search, time.perf_counter() - before

    def unanswered(self, status: Status, reason: str) -> EngineResult:
        """No verdict, and why there is none."""
        return EngineResult(self.engine, self.version, status, reason=reason)

    def named(self, name: str) -> bool:
        return self.job.properties is None or name in self.job.properties

    def judged(self, search: Searched, answer: EngineResult) -> EngineResult:
        """The answer with what the search, and where safety holds the search for fair cycles, found."""
        if search.violation is not None:
            from .explorer_trace import safety_trace

            return replace(answer, status="violated", violated=search.violation.property, trace=safety_trace(search))
        if search.stopped:
            return replace(answer, status="inconclusive", evaluated=(), reason=search.stopped)
        if search.counters.distinct == 0:
            reason = "there is no initial state, so that everything would hold of nothing"
            return replace(answer, status="invalid", evaluated=(), reason=reason)
        for item in self.reachable:
            if item.name not in search.reached:
                return replace(answer, status="violated", violated=item.name, reason="no reachable state satisfies it")
        if self.liveness:
            from .explorer_liveness import Stopped

            self.tell(answer, "fair cycles")
            try:
                found = self.unfair(search)
            except Stopped as stopped:
                return replace(answer, status="inconclusive", evaluated=(), reason=str(stopped))
            except MemoryError:
                return replace(answer, status="inconclusive", evaluated=(), reason="out of memory")
            if found is not None:
                violated, trace = found
                return replace(answer, status="violated", violated=violated, trace=trace)
        return answer

    def unfair(self, search: Searched) -> tuple[str, Trace] | None:
        """The first liveness property that some fair behaviour violates, with that behaviour. Raises `Stopped`."""
        from .explorer_liveness import find_violation

        return find_violation(search, self.liveness)

    def tell(self, answer: EngineResult, phase: str) -> None:
        """Say that all states are found, and what is looked for in them now."""
        if self.job.on_progress is not None and answer.stats is not None:
            found, seconds = answer.stats, time.perf_counter() - self.started
            self.job.on_progress(Progress(self.engine, found.distinct, found.generated, found.depth, 0, seconds, phase))

    def timed(self, answer: EngineResult) -> EngineResult:
        """The answer with the time from the very start."""
        if answer.stats is None:
            return answer
        return replace(answer, stats=replace(answer.stats, wall_seconds=time.perf_counter() - self.started))


def _stats(search: Searched, seconds: float) -> Stats:
    counters = search.counters
    finished = search.violation is None and not search.stopped
    return Stats(
        orbits=search.program.reduction is not None,
        distinct=counters.distinct,
        generated=counters.generated,
        depth=counters.depth,
        seconds=seconds,
        wall_seconds=seconds,
        changing=search.changing if finished else None,
    )


def state_graph(instance: Instance, limit: int) -> StateGraph | None:
    """Every reachable state and labelled step; None where there are more than `limit` states.

    Steps out of a variable's domain are left out, and so are those that are not well defined: see `violated_by_steps`.
    """
    program = compile_program(instance, frozenset())
    places: dict[int, int] = {}
    found: list[int] = []
    program.initial(found.append, lambda kind, state: None)
    for state in found:
        places.setdefault(state, len(places))
    initial = tuple(places.values())
    waiting = list(places)
    labelled: list[tuple[int, int, int, tuple[int, ...]]] = []
    edges = program.edges()
    for state in waiting:  # which grows while it is walked
        source = places[state]

        def edge(block: int, codes: tuple[int, ...], target: int, source: int = source) -> None:
            if target not in places:
                places[target] = len(places)
                waiting.append(target)
            labelled.append((source, places[target], block, codes))

        edges(state, edge)
        if len(places) > limit:
            return None
    return StateGraph(
        states=tuple(map(program.decode, waiting)),
        initial=initial,
        edges=tuple(
            Edge(source, target, *program.arguments(block, codes)) for source, target, block, codes in labelled
        ),
    )


def violated_by_steps(instance: Instance, graph: StateGraph) -> tuple[str, ...]:
    """Which of `type_ok` and `well_defined` are violated, so that steps are left out of the state graph."""
    program = compile_program(instance, frozenset())
    found: set[str] = set()

    def flag(kind: int, state: int | None) -> None:
        found.add(program.order[kind])

    program.initial(lambda state: None, flag)
    Visited(program).expand(program, [program.encode(state) for state in graph.states], flag)
    return tuple(name for name in ("type_ok", "well_defined") if name in found)


__all__ = ["Budget", "ExplorerEngine", "Program", "Trace", "state_graph", "violated_by_steps"]
