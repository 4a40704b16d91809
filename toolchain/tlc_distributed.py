"""The engine that asks TLC's distributed mode, and makes up for what that passes over without a word.

That mode exits with 0 on violations and names none; it shows the last step of a counter-example as if that were all;
it checks action properties only at steps to states not seen before; and it does not look at liveness at all. Here

- a run is a pass only if its server says so, has nothing left in its queue, and had workers;
- action properties are checked as invariants (`tlc_steps`);
- where the server stopped at a state, the interpreter says what is wrong there, and TLC alone on this host then finds
  the counter-example to report: a shortest one that replays, like any other of TLC's;
- liveness is refused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..transpiler import ir
from ..transpiler.domains import show
from ..transpiler.fairness import same_state
from ..transpiler.instance import Instance
from ..transpiler.interpreter import Taken, steps
from ..transpiler.tla_config import Config
from .errors import UserError
from .generate import config_text, module_files
from .layout import count
from .replay import violates
from .results import CheckJob, EngineResult
from .tlc import Toolchain
from .tlc.distributed import Crew, DistributedRun, run_distributed
from .tlc.driver import TlcJob
from .tlc.process import room_mb
from .tlc_decode import DecodeError
from .tlc_engine import Check, Found, TlcEngine
from .tlc_runs import Doubt, Stop, demand_listed
from .tlc_steps import stepwise_module
from .traces import State, Trace, TraceStep


class DistributedTlcEngine(TlcEngine):
    """TLC over several processes, on this host or on many, behind the interface of engines.

    `crew` says who works and where they meet; `ready` is called once workers may come, with the line to run on each
    further host ("" where none can take part).
    """

    def __init__(
        self, crew: Crew, toolchain: Toolchain | None = None, *, ready: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(toolchain, coverage=False)
        self.crew = crew
        self.ready = ready

    def begin(self, job: CheckJob, toolchain: Toolchain) -> Check:
        return DistributedCheck(self, job, toolchain)


def refuse_liveness(protocol: ir.Protocol, requested: Sequence[str]) -> None:
    """Raise `UserError` where a liveness property is among what is asked for: the mode would pass over it."""
    liveness = [item.name for item in protocol.properties if item.is_liveness and item.name in requested]
    if not liveness:
        return
    others = [name for name in requested if name not in liveness and name not in ir.ALWAYS_JUDGED]
    selection = " ".join(f"--property {name}" for name in others or ["type_ok"])
    raise UserError(
        f"TLC's distributed mode checks no liveness, and {protocol.name} has {', '.join(liveness)}\n"
        f"check the rest with {selection}, and liveness without --distributed, at smaller bounds"
    )


class DistributedCheck(Check):
    """One check: a distributed run, and what one TLC alone has to add to it."""

    engine: DistributedTlcEngine
    notes: tuple[str, ...] = ()

    def run(self) -> EngineResult:
        return replace(super().run(), notes=self.notes)

    def safety(self) -> Found | None:
        config, deadlock, order = self.safety_run()
        distributed = self.distributed(config, deadlock)
        outcome = distributed.run.outcome
        match outcome.kind:
            case "no_error":
                self.evaluated += order
                return None
            case "stopped":
                return self.explained(distributed, order)
            case "assumption_false" | "no_initial_state":
                return self.violation(distributed.run)
            case _:
                raise self.doubt(distributed.run)

    def liveness(self) -> Found | None:
        """None, if none is asked for; else it raises, so that nobody takes silence for an answer."""
        names = [name for name in self.module.liveness if self.selected(name)]
        if names:
            raise Doubt("invalid", f"TLC's distributed mode checks no liveness: {', '.join(names)}")
        return None

    # --------------------------------------------------------------------------------------------------- the run

    def distributed(self, config: Config, deadlock: bool) -> DistributedRun:
        """Run the server and its workers."""
        job = self.distributed_job(config, deadlock)
        stop = Stop(self.job.cancel)
        found = run_distributed(
            job,
            self.engine.crew,
            self.toolchain,
            ready=self.engine.ready,
            progress=lambda shown: self.progress(shown, stop),
            cancel=stop,
        )
        self.count_distributed(found)
        self.notes = (_of_workers(found),)
        if stop.reason:
            raise Doubt("inconclusive", stop.reason)
        self.demand_within_limit(found.run)
        return found

    def distributed_job(self, config: Config, deadlock: bool) -> TlcJob:
        """The run, with every property of steps as an invariant of states."""
        module = self.module
        _, initially = self.refinement_parts(config)
        stepwise = [name for name in config.properties if name not in initially]
        name, text, invariants = stepwise_module(module, stepwise)
        config = replace(
            config, invariants=(*config.invariants, *invariants.values()), properties=tuple(initially), title=name
        )
        files = {**module_files(module), f"{name}.tla": text, f"{name}.cfg": config_text(config)}
        demand_listed(config, files[f"{name}.cfg"])
        room = room_mb(Path(tempfile.gettempdir()), TlcJob.disk_limit_mb or 0)
        return TlcJob(
            files,
            name,
            f"{name}.cfg",
            check_deadlock=deadlock,
            short_run=self.short_run,
            timeout=self.remaining(),
            disk_limit_mb=room,
        )

    def refinement_parts(self, config: Config) -> tuple[Sequence[str], Sequence[str]]:
        """Of a refinement: the properties of steps, and those of initial states."""
        if self.module.abstract is None:
            return (), ()
        initial = self.module.refinement_operator("init")
        return (self.module.refinement_operator("steps"),), [name for name in config.properties if name == initial]

    def count_distributed(self, found: DistributedRun) -> None:
        """Keep what was counted.

        What the server calls generated is the distinct states and the steps that workers told it of, and of some it is
        never told. Where all workers are ours they say themselves how many there were.
        """
        self.count(found.run)
        counted = found.run.outcome.stats
        if self.stats is None or counted.initial is None:
            return
        if found.computed is not None:
            self.stats = replace(self.stats, generated=counted.initial + found.computed)
        else:
            told = max(0, self.stats.generated - self.stats.distinct)
            self.stats = replace(self.stats, generated=counted.initial + told, at_least=True)

    # ----------------------------------------------------------------------------------------------- a violation

    def explained(self, found: DistributedRun, order: Sequence[str]) -> Found:
        """The violation behind a stop: named at the state, its counter-example found by TLC alone."""
        states = self.printed(found)
        wrong = wrong_at(self.instance, states, order)
        where = f"at {_text(states[-1])}" if states else "in an initial state"
        said = f"{wrong} is violated {where}" if wrong else f"something is wrong {where}"
        self.notes = (*self.notes, f"{said}, they found; TLC alone then found how it is reached")
        try:
            alone = super().safety()
        except Doubt as doubt:
            if doubt.status == "invalid":
                raise
            reason = f"{said}, which TLC's workers reached, but how was not found again: {doubt.reason}"
            raise Doubt("inconclusive", reason) from doubt
        if alone is None:
            raise Doubt("invalid", f"TLC's workers say that {said}, but TLC alone finds nothing wrong")
        return alone

    def printed(self, found: DistributedRun) -> list[State]:
        """The states that the server printed: where it stopped, and before it the one whose successor that is."""
        try:
            return [self.decoder.state(item.values) for item in found.run.outcome.trace.states]
        except DecodeError as error:
            raise Doubt(
                "invalid", f"TLC's server stopped at a state that is none of the protocol's: {error}"
            ) from error


def wrong_at(instance: Instance, states: Sequence[State], order: Iterable[str]) -> str | None:
    """The first property in order that is violated by the last of these states, or by a step out of it."""
    here = Trace(tuple(TraceStep(None, (), state) for state in states))
    beyond = [
        Trace((*here.steps, TraceStep(action, arguments, outcome.state)))
        for action, arguments, outcome in (steps(instance, states[-1]) if states else ())
        if isinstance(outcome, Taken) and not same_state(states[-1], outcome.state)
    ]
    of_steps = {item.name for item in instance.protocol.of_kind("transition_invariant")} | {ir.REFINES}
    for name in order:
        if violates(instance, here, name):
            return name
        if name in of_steps and any(violates(instance, trace, name) for trace in beyond):
            return name
    return None


def _of_workers(found: DistributedRun) -> str:
    took_part = f"{count(found.joined, 'worker')} took part"
    if not found.lost:
        return took_part
    return f"{took_part}, of which {found.lost} went before the end; the states that they had were given to others"


def _text(state: State) -> str:
    return "[" + ", ".join(f"{name} = {show(value)}" for name, value in state.items()) + "]"
