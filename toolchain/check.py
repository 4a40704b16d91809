"""The check of a protocol as a whole: a clean baseline first, then every guard dropped in turn.

In-process engines run in the calling thread, the others side by side in threads that wait for their processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..transpiler import ir
from ..transpiler.abstract_view import AbstractView
from ..transpiler.instance import Instance, instantiate
from ..transpiler.interpreter import Taken, holds, initial_states
from ..transpiler.mutation import drop_guard
from ..transpiler.reference import reachable_states
from .counterexample import place
from .errors import UserError, nearest
from .orbits import of_orbits, reduced_constants
from .report import (
    Behaviour,
    Mutant,
    MutantStatus,
    Report,
    Verdict,
    checkable,
    judged_late,
    kind_of,
    span_of,
    unknown_survivors,
)
from .results import Budget, CheckJob, Engine, EngineResult, Progress
from .verdicts import checked, combine

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

NO_BUDGET = Budget()

IN_PROCESS = frozenset({"explorer"})
"""Engines that compute in this process: threads would not make them faster."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What a check is doing: `subject` is "" for the baseline, else the dropped guard; variants `done` of `total`.

    `expected` is how many states there are, where another engine has seen all of them already.
    """

    subject: str
    progress: Progress
    done: int
    total: int
    expected: int | None = None


INTERRUPTED = "interrupted"
"""The reason of whatever was not finished when the check was cancelled."""


def check_protocol(
    protocol: ir.Protocol,
    constants: Mapping[str, Any] | None = None,
    *,
    engines: Sequence[Engine],
    mutate: bool = False,
    properties: Iterable[str] | None = None,
    budget: Budget = NO_BUDGET,
    workers: int = 1,
    baseline_workers: int = 1,
    on_activity: Callable[[Activity], None] | None = None,
    cancel: threading.Event | None = None,
    symmetry: bool = True,
) -> Report:
    """Check a protocol with every engine given; the first answers, the others confirm.

    `properties` selects by name (`type_ok` and `well_defined` are always evaluated). `workers` checks run side by
    side, each with a single worker, so that traces are shortest and repeatable; `baseline_workers` may speed up a
    large baseline. With `symmetry`, states that are the same but for the names of symmetric members count as one.
    When `cancel` is set, what is not finished becomes inconclusive, and the report says how far it came. Raises
    `UserError` for an unknown property, and for liveness with symmetry, `CompileError` for constants that do not fit,
    `ToolError` for an engine that cannot be used; on KeyboardInterrupt everything that was started is ended before it
    goes on.
    """
    started = time.monotonic()
    requested = select_properties(protocol, properties)
    instance = instantiate(protocol, constants)
    reduced = reduced_constants(instance, requested, symmetry)
    runner = _Runner(engines, budget, workers, on_activity, cancel or threading.Event(), symmetry=bool(reduced))
    with runner:
        baseline = runner.finish(runner.start(instance, requested, workers=baseline_workers))
        mutants: tuple[Mutant, ...] | None = None
        warnings = _coverage_warnings(protocol, baseline)
        if baseline.status == "holds":
            warnings += _vacuous(runner, instance, requested)
        if mutate:
            mutants = _campaign(runner, instance, requested, baseline) if baseline.status == "holds" else ()
    warnings += _unconfirmed(baseline, "the baseline")
    for mutant in mutants or ():
        warnings += _unconfirmed(mutant.verdict, f"the variant without {mutant.guard}")
        if mutant.declared is not None and mutant.behaviour == "changed":
            warnings += (f"{mutant.guard} survives as declared, but its absence changes what can happen",)
    return Report(
        protocol=protocol,
        instance=instance,
        engines={result.engine: result.version for result in baseline.results},
        requested=requested,
        baseline=baseline,
        mutants=mutants,
        gated=mutate and baseline.status != "holds",
        warnings=warnings,
        problems=_problems(protocol, mutants),
        notes=(*of_orbits(reduced), *dict.fromkeys(n for one in baseline.results for n in one.notes)),
        seconds=time.monotonic() - started,
    )


def select_properties(protocol: ir.Protocol, names: Iterable[str] | None) -> tuple[str, ...]:
    """The properties to evaluate, in the order of verdicts; raises `UserError` for a name that is none of them."""
    known = checkable(protocol)
    if names is None:
        return known
    chosen = set(names)
    for name in sorted(chosen - set(known)):
        if kind_of(protocol, name) == "terminal":
            raise UserError(f"{name} says where the protocol may end; it is no property to check (see deadlock_free)")
        raise UserError(f"{protocol.name} has no property {name}{nearest(name, known)}")
    return tuple(name for name in known if name in chosen or name in ir.ALWAYS_JUDGED)


# ----------------------------------------------------------------------------------------------- running engines


@dataclass(frozen=True, slots=True)
class _Pending:
    job: CheckJob
    futures: Mapping[str, Future[EngineResult]]


class _Runner(AbstractContextManager["_Runner"]):
    """Runs jobs on every engine; leaving it on an error ends whatever still runs."""

    def __init__(
        self,
        engines: Sequence[Engine],
        budget: Budget,
        workers: int,
        on_activity: Callable[[Activity], None] | None,
        cancel: threading.Event,
        symmetry: bool,
    ) -> None:
        if not engines:
            raise ValueError("a check needs an engine")
        self.engines = tuple(engines)
        self.budget = budget
        self.workers = max(1, workers)
        self.on_activity = on_activity
        self.cancel = cancel
        self.symmetry = symmetry
        self.done = self.total = 0
        self.memory: int | None = None
        self._sizes: dict[str, int] = {}  # subject → how many states it has
        self._pool: ThreadPoolExecutor | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancel.set()
        if self._pool is not None:
            # On an error, waiting ends with the engines' own clean-up: they watch `cancel`.
            self._pool.shutdown(wait=True, cancel_futures=True)

    def start(
        self,
        instance: Instance,
        requested: Iterable[str],
        engines: Sequence[Engine] | None = None,
        workers: int = 1,
        beside: int = 1,
    ) -> _Pending:
        """Begin a job on the engines that run in processes of their own, as one of so many that may run together."""
        job = CheckJob(
            instance=instance,
            properties=frozenset(requested),
            budget=self._share(min(beside, self.workers)),
            workers=workers,
            symmetry=self.symmetry,
            on_progress=self._observer(instance.protocol.dropped or ""),
            cancel=self.cancel,
        )
        chosen = self.engines if engines is None else tuple(engines)
        return _Pending(job, {e.name: self._submit(e, job) for e in chosen if e.name not in IN_PROCESS})

    def _share(self, jobs: int) -> Budget:
        """What each of some jobs that run side by side may use: together they may use no more than one."""
        if jobs == 1 or all(engine.name != "native" for engine in self.engines):
            return self.budget
        if self.memory is None:
            from .native.memory import available_memory

            self.memory = available_memory() if self.budget.memory is None else self.budget.memory
        return replace(self.budget, memory=self.memory // jobs)

    def finish(self, pending: _Pending) -> Verdict:
        """Do the in-process part of a job, wait for the rest, and combine what was found."""
        results: dict[str, EngineResult] = {}
        for engine in self.engines:
            if engine.name in IN_PROCESS:
                results[engine.name] = result = self._ask(engine, pending.job)
                if result.status == "holds" and result.stats is not None and not result.stats.orbits:
                    self._sizes[pending.job.instance.protocol.dropped or ""] = result.stats.distinct
        for name, future in pending.futures.items():
            results[name] = future.result()
        ordered = [checked(results[e.name], pending.job) for e in self.engines if e.name in results]
        return combine(ordered, pending.job.instance.protocol, same_depth=pending.job.workers == 1)

    def ask_first(self, instance: Instance, requested: Iterable[str]) -> EngineResult:
        """A side question to the answering engine alone."""
        pending = self.start(instance, requested, engines=())
        return checked(self._ask(self.engines[0], pending.job), pending.job)

    def _ask(self, engine: Engine, job: CheckJob) -> EngineResult:
        """The answer of an engine, which need not be asked any more once the check is cancelled."""
        if self.cancel.is_set():
            return EngineResult(engine.name, engine.version, "inconclusive", reason=INTERRUPTED)
        result = engine.check(job)
        cut_off = result.status == "inconclusive" and self.cancel.is_set()
        return replace(result, reason=INTERRUPTED) if cut_off else result

    def _submit(self, engine: Engine, job: CheckJob) -> Future[EngineResult]:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="protocheck")
        return self._pool.submit(self._ask, engine, job)

    def _observer(self, subject: str) -> Callable[[Progress], None] | None:
        observe = self.on_activity
        if observe is None:
            return None
        return lambda progress: observe(
            Activity(subject, progress, self.done, self.total, self._sizes.get(subject) if not progress.phase else None)
        )


# ------------------------------------------------------------------------------------------------------ mutation


def _campaign(runner: _Runner, instance: Instance, requested: Sequence[str], baseline: Verdict) -> tuple[Mutant, ...]:
    """Drop each guard in turn, in source order. Reachability is the baseline's business alone."""
    protocol = instance.protocol
    wanted = [name for name in requested if kind_of(protocol, name) != "reachable"]
    variants = [instantiate(drop_guard(protocol, guard), instance.constants) for guard in protocol.guard_names]
    runner.total = len(variants)
    pending = [runner.start(variant, wanted, beside=len(variants)) for variant in variants]
    mutants = []
    for guard, variant, job in zip(protocol.guard_names, variants, pending, strict=True):
        if variant.protocol.dropped != guard:
            raise AssertionError(f"the variant without {guard} was not built")
        verdict = runner.finish(job)
        mutants.append(_judge(runner, instance, guard, variant, baseline, verdict))
        runner.done += 1
    return tuple(mutants)


def _judge(
    runner: _Runner, instance: Instance, guard: str, variant: Instance, baseline: Verdict, verdict: Verdict
) -> Mutant:
    status: MutantStatus
    behaviour: Behaviour | None = None
    match verdict.status:
        case "violated":
            status = "killed"
        case "holds":
            status = "survived"
            if fault := _lost_behaviour(baseline, verdict):
                status, verdict = "invalid", replace(verdict, status="invalid", reason=fault)
            else:
                behaviour = _behaviour(runner, instance, variant, baseline, verdict)
                if behaviour is None:
                    status = "inconclusive"
                    reason = "it survives, but the steps that change something could not be counted"
                    verdict = replace(verdict, status="inconclusive", reason=reason)
        case "inconclusive" | "invalid":
            status = verdict.status
    protocol = instance.protocol
    declared = dict(protocol.survivors).get(guard)
    return Mutant(guard, span_of(protocol, guard), status, verdict, variant, behaviour, declared)


def _lost_behaviour(baseline: Verdict, verdict: Verdict) -> str:
    """Dropping a guard only adds steps; a variant with fewer of them was not the variant, or not explored."""
    before, after = baseline.answer.stats, verdict.answer.stats
    if before is None or after is None or (after.distinct >= before.distinct and after.generated >= before.generated):
        return ""
    return (
        f"{verdict.answer.engine} found less behaviour without the guard than with it "
        f"({after.distinct} states and {after.generated} steps against {before.distinct} and {before.generated})"
    )


def _behaviour(
    runner: _Runner, instance: Instance, variant: Instance, baseline: Verdict, verdict: Verdict
) -> Behaviour | None:
    """`same` iff neither states nor labelled steps that change something were added."""
    before, after = baseline.answer.stats, verdict.answer.stats
    if before is not None and after is not None and before.distinct != after.distinct:
        return "changed"
    # Whoever counts them counts the same: under auto the baseline may be answered by another engine than the variant.
    # TLC does not tell how many steps change something: then the explorer counts, it judges nothing here.
    counts = [
        told if (told := _changing(found)) is not None else _count_changing(runner, one)
        for found, one in ((baseline, instance), (verdict, variant))
    ]
    if None in counts:
        return None
    return "same" if counts[0] == counts[1] else "changed"


def _changing(verdict: Verdict) -> int | None:
    """Labelled steps that change something, as far as an engine tells."""
    told = (result.stats.changing for result in verdict.results if result.stats is not None)
    return next((changing for changing in told if changing is not None), None)


def _count_changing(runner: _Runner, instance: Instance) -> int | None:
    from .explorer import ExplorerEngine

    job = CheckJob(
        instance=instance,
        properties=frozenset(ir.ALWAYS_JUDGED),
        budget=runner.budget,
        symmetry=runner.symmetry,
        cancel=runner.cancel,
    )
    result = ExplorerEngine().check(job)
    return result.stats.changing if result.status == "holds" and result.stats else None


# ------------------------------------------------------------------------------------------ warnings and problems


def _coverage_warnings(protocol: ir.Protocol, baseline: Verdict) -> tuple[str, ...]:
    """An action that never fired, in a run that saw everything; it may be why a state is never reached."""
    late = baseline.status == "violated" and judged_late(protocol, baseline.violated)
    if baseline.status != "holds" and not late:
        return ()
    coverage = next((result.coverage for result in baseline.results if result.coverage), None)
    if coverage is None:
        return ("no engine told which actions fired",) if protocol.actions else ()
    return tuple(
        f"{action.name} never fires within these bounds ({place(action.span)})"
        for action in protocol.actions
        if not coverage.get(action.name)
    )


def _vacuous(runner: _Runner, instance: Instance, requested: Sequence[str]) -> tuple[str, ...]:
    """What holds and says nothing: liveness of what never occurs, or of what is true at first; a still abstraction."""
    protocol, warnings = instance.protocol, []
    for item in protocol.of_kind("eventually"):
        starts = [begun.state for _, begun in initial_states(instance) if isinstance(begun, Taken)]
        if item.name in requested and all(holds(instance, item.body, state) for state in starts):
            warnings.append(f"{item.name} holds vacuously: it is true in every initial state ({place(item.span)})")
    for item in protocol.of_kind("leads_to"):
        if item.name in requested:
            occurs = replace(item, kind="reachable", target=None)
            probe = replace(instance, protocol=replace(protocol, properties=(occurs,)))
            result = runner.ask_first(probe, (*ir.ALWAYS_JUDGED, item.name))
            if result.status == "violated" and result.violated == item.name:
                where = place(item.span)
                warnings.append(f"{item.name} holds vacuously: what should lead to it never occurs ({where})")
    if ir.REFINES in requested and _stands_still(instance):
        assert protocol.refinement is not None
        name, where = protocol.refinement.abstract.name, place(protocol.refinement.span)
        warnings.append(f"refines holds vacuously: nothing that happens changes anything in {name} ({where})")
    return tuple(warnings)


def _stands_still(instance: Instance) -> bool:
    """Whether a refining protocol looks the same in all its states, as far as a moment tells."""
    view = AbstractView(instance)
    for limit in (20, 2_000):
        states = reachable_states(instance, limit)
        if len({tuple(view.seen(state).values()) for state in states}) > 1:
            return False
        if len(states) < limit:
            return True
    return False


def _unconfirmed(verdict: Verdict, what: str) -> tuple[str, ...]:
    if verdict.status not in ("holds", "violated"):
        return ()
    return tuple(f"{engine} did not confirm {what}: {verdict.reason}" for engine in verdict.unconfirmed)


def _problems(protocol: ir.Protocol, mutants: tuple[Mutant, ...] | None) -> tuple[str, ...]:
    """Why a campaign fails: survivors nobody declared, and declarations that are not true."""
    if mutants is None:
        return ()
    return (*unknown_survivors(protocol).values(), *(mutant.problem for mutant in mutants if mutant.problem))
