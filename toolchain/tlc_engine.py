"""The engine that asks the real TLC, and believes only what it can check.

Safety comes first, in one run; where it holds, each liveness property in a run of its own, because TLC does not say
which of several is violated. A counter-example is decoded, replayed by the interpreter, which recovers the arguments
that TLC leaves out, and must violate what it names; anything else is `invalid`.

TLC stops at the first violation it meets, which need not be the one that is reported here (the shortest trace, then the
order of properties): a deadlock shows one level later than a bad state. What could still come first is then asked in
further runs, bounded in depth.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..transpiler import ir
from ..transpiler.domains import values
from ..transpiler.instance import Instance
from ..transpiler.interpreter import IllDefined, initial_states
from ..transpiler.mutation import drop_guard
from ..transpiler.reference import reference_check
from ..transpiler.symmetry import count_renamings, symmetric_sets
from ..transpiler.tla import Module, build_module
from ..transpiler.tla_config import Config
from ..transpiler.tla_names import STEPS_WELL_DEFINED, TERMINATED, TYPE_OK, WELL_DEFINED
from .generate import (
    liveness_config,
    reachability_config,
    refinement_properties,
    safety_config,
)
from .orbits import liveness_among, unsound
from .replay import ReplayError, replay, shows, violates
from .results import CheckJob, EngineResult, Status
from .tlc import Toolchain, find_toolchain
from .tlc.checkpoint import CheckpointFolder
from .tlc.driver import TlcRun
from .tlc_checkpoint import SavedRuns
from .tlc_decode import DecodeError, Decoder
from .tlc_runs import ENGINE, Doubt, Runs, forget
from .traces import State, Trace, TraceStep

# How many states the interpreter looks at to see that TLC's first violation is the one to report. Beyond that a second
# run of TLC is cheaper.
_INTERPRETED_STATES = 200

MOST_RENAMINGS = 5_040
"""TLC tries every renaming for each state that it finds. With those of 7 members it is hardly faster than without."""

_SHORTER = "a shorter counter-example"


@dataclass(frozen=True)
class Found:
    """A violation by name, with its trace."""

    name: str
    trace: Trace


class TlcEngine:
    """TLC behind the interface of engines.

    With `canonical` the violation reported is the same that the other engines report, at the cost of a second run where
    TLC may have met another one first; without it TLC's own first one is. `coverage` counts the steps of each action.
    The runs of the first check save their progress in the folder of `checkpoint`, and go on from what is there; their
    steps are not counted by action.
    """

    name = ENGINE

    def __init__(
        self,
        toolchain: Toolchain | None = None,
        *,
        canonical: bool = True,
        coverage: bool = True,
        checkpoint: CheckpointFolder | None = None,
    ) -> None:
        self.toolchain = toolchain or find_toolchain(archive="use")
        self._own_toolchain = toolchain is None
        self.canonical = canonical
        self.coverage = coverage
        self.checkpoint = checkpoint
        self._lock = threading.Lock()
        self._checks = 0
        self._baselines: dict[str, ir.Protocol] = {}

    @property
    def version(self) -> str:
        return self.toolchain.jar.version.short if self.toolchain.jar.version else "unknown"

    def check(self, job: CheckJob) -> EngineResult:
        """The answer about one instance.

        Raises `ToolError` where Java or TLC cannot be used, `CompileError` where a name cannot stand in TLA+ beside the
        modules that the protocol needs there, which is for the user to mend.
        """
        toolchain = self.prepared(job)
        if self.checkpoint is None or self._checks > 1:
            return self.begin(job, toolchain).run()
        saved = SavedRuns(self.checkpoint, job.instance, toolchain)
        with saved.locked():
            check = self.begin(job, toolchain)
            check.saved = saved
            result = check.run()
            return replace(result, notes=saved.end(result.status in ("holds", "violated")))

    def begin(self, job: CheckJob, toolchain: Toolchain) -> Check:
        """The check of one instance, before its first run."""
        return Check(self, job, toolchain)

    def module_of(self, instance: Instance) -> Module:
        """The module of an instance.

        That of a variant is made from its baseline, if that was checked before: its text is then the very text that
        `protocheck generate` writes. A variant alone could not know what its lost guard had needed.
        """
        protocol = instance.protocol
        if protocol.dropped is None:
            self._baselines[protocol.name] = protocol
            return build_module(protocol, instance.constants)
        baseline = self._baselines.get(protocol.name)
        if baseline is None or not _is_variant(protocol, baseline):
            return build_module(protocol, instance.constants)
        return build_module(baseline, instance.constants, protocol.dropped)

    def prepared(self, job: CheckJob) -> Toolchain:
        """The tools; from the second check on with the archive that halves the start-up, made where it is missing."""
        with self._lock:
            self._checks += 1
            if self._checks == 2 and self._own_toolchain and self.toolchain.archive is None:
                self.toolchain = find_toolchain(archive="build", cancel=job.cancel)
            return self.toolchain


def _is_variant(protocol: ir.Protocol, baseline: ir.Protocol) -> bool:
    guard = protocol.dropped
    return guard in baseline.guard_names and drop_guard(baseline, guard) == protocol


class Check(Runs):
    """One check: the runs it takes, and what came of them."""

    def __init__(self, engine: TlcEngine, job: CheckJob, toolchain: Toolchain) -> None:
        super().__init__(job, toolchain)
        self.engine = engine
        self.evaluated: list[str] = []

    def run(self) -> EngineResult:
        try:
            self.prepare()
            found = self.safety()
            if found is None:
                found = self.liveness()
            if found is not None:
                return self.result("violated", found.name, found.trace)
            missing = self.unreached()
            return self.result("violated", missing) if missing is not None else self.result("holds")
        except Doubt as doubt:
            return self.result(doubt.status, reason=doubt.reason)

    def prepare(self) -> None:
        """Make the module, and what reads TLC's answers about it."""
        self.module = self.reduced(self.engine.module_of(self.instance))
        self.decoder = Decoder.of(self.module, {item.name: item.type for item in self.protocol.variables})
        self.actions = {self.module.names["action", action.name]: action.name for action in self.protocol.actions}

    def result(
        self, status: Status, violated: str | None = None, trace: Trace | None = None, reason: str = ""
    ) -> EngineResult:
        if self.stats is not None:
            self.stats = replace(self.stats, orbits=self.module.symmetry is not None)
        if trace is not None and self.stats is not None:
            # TLC does not count a level that it was only about to reach.
            self.stats = replace(self.stats, depth=max(self.stats.depth, len(trace.steps)))
        return EngineResult(
            engine=self.engine.name,
            version=self.engine.version,
            status=status,
            evaluated=tuple(self.evaluated),
            violated=violated,
            trace=trace,
            stats=self.stats,
            coverage=self.coverage,
            reason=reason,
        )

    def reduced(self, module: Module) -> Module:
        """The module, with its symmetry only where this check is to make use of it."""
        if not self.job.symmetry or module.symmetry is None:
            return replace(module, symmetry=None)
        liveness = liveness_among(self.protocol, self.job.properties)
        if liveness:
            raise Doubt("invalid", unsound(liveness))
        renamings = count_renamings(symmetric_sets(self.instance))
        if renamings > MOST_RENAMINGS:
            reason = (
                f"TLC tries each of {renamings:,} renamings for each state, and up to {MOST_RENAMINGS:,} are bearable"
            )
            raise Doubt("inconclusive", f"{reason}; --no-symmetry lets it visit every state")
        return module

    def can_be_called(self, action: ir.Action) -> bool:
        domains = (self.instance.parameters[action.name, parameter.name] for parameter in action.parameters)
        return all(any(True for _ in values(domain)) for domain in domains)

    def selected(self, name: str) -> bool:
        return self.job.properties is None or name in self.job.properties

    # ---------------------------------------------------------------------------------------------------- safety

    def safety(self) -> Found | None:
        """The run that checks everything but liveness; the violation to report, or None where it finished without."""
        config, deadlock, order = self.safety_run()
        run = self.tlc(
            config,
            deadlock=deadlock,
            workers=self.job.workers,
            coverage=self.engine.coverage,
            counts=True,
            saved_as="safety",
        )
        if run.outcome.is_violation and self.job.workers > 1:
            # Only one worker finds a shortest trace, and always the same.
            run = self.tlc(config, deadlock=deadlock, coverage=self.engine.coverage, counts=True)
        found = self.violation(run)
        self.evaluated += order
        return None if found is None else self.first_of(found, config, order)

    def safety_run(self) -> tuple[Config, bool, Sequence[str]]:
        """What the safety run checks, deadlock included or not, and these properties in the order of verdicts."""
        module = self.module
        invariants = {name: text for name, text in module.invariants.items() if self.selected(name)}
        transitions = {name: text for name, text in module.transitions.items() if self.selected(name)}
        steps = [STEPS_WELL_DEFINED] if module.steps_well_defined else []
        domains, refined = refinement_properties(module) if self.selected(ir.REFINES) else ((), ())
        config = replace(
            safety_config(module),
            invariants=(TYPE_OK, WELL_DEFINED, *invariants.values(), *domains),
            properties=(*steps, *transitions.values(), *refined),
        )
        order = tuple(name for name in self.protocol.safety if name in ir.ALWAYS_JUDGED or self.selected(name))
        return config, self.selected("deadlock_free"), order

    def violation(self, run: TlcRun) -> Found | None:
        """What a safety run found; None where it finished without a violation."""
        outcome = run.outcome
        match outcome.kind:
            case "no_error":
                return None
            case "no_initial_state":
                forget(run)
                raise Doubt("invalid", "there is no initial state, so that everything would hold of nothing")
            case "assumption_false":
                return self.ill_defined_init(run)
            case "invariant" | "action_property" | "deadlock":
                return self.counterexample(run, self.violated(run))
            case "config_error" if not any(map(self.can_be_called, self.protocol.actions)):
                # TLC says "no next state actions" (2115), as it would of a broken module.
                forget(run)
                raise Doubt("inconclusive", "every action has a parameter without values, and TLC refuses that")
            case _:
                raise self.doubt(run)

    def violated(self, run: TlcRun) -> str:
        """The property that a run names, as the protocol calls it."""
        if run.outcome.kind == "deadlock":
            return "deadlock_free"
        module = self.module
        known = {TYPE_OK: "type_ok", WELL_DEFINED: "well_defined", STEPS_WELL_DEFINED: "well_defined"}
        known |= dict.fromkeys((name for names in refinement_properties(module) for name in names), ir.REFINES)
        for names in (module.invariants, module.transitions):
            known |= {text: name for name, text in names.items()}
        if run.outcome.violated not in known:
            raise Doubt("invalid", f"TLC names a property that is none of the protocol's: {run.outcome.violated}")
        return known[run.outcome.violated]

    def ill_defined_init(self, run: TlcRun) -> Found:
        """An ASSUME failed. If that is because a choice of init has no value, there is no state yet to show."""
        for arguments, outcome in initial_states(self.instance):
            if isinstance(outcome, IllDefined):
                forget(run)
                return Found("well_defined", Trace((TraceStep(None, arguments, {}),)))
        raise self.doubt(run)

    def first_of(self, found: Found, config: Config, order: Sequence[str]) -> Found:
        """The violation to report: that of the shortest trace, among equally long ones the first in order."""
        if not self.engine.canonical:
            return found
        small = reference_check(self.instance, frozenset(order), max_states=_INTERPRETED_STATES)
        if small.status == "violated" and (small.violated, len(small.trace)) == (found.name, len(found.trace.steps)):
            return found
        while (better := self.better(found, config, order)) is not None:
            found = better
        return found

    def better(self, found: Found, config: Config, order: Sequence[str]) -> Found | None:
        """A violation that comes before the one found: asked of TLC alone, as deep as the one found."""
        length = len(found.trace.steps)
        before = set(order[: order.index(found.name)])
        module = self.module
        texts = {"type_ok": TYPE_OK, "well_defined": WELL_DEFINED, **module.invariants, **module.transitions}
        wanted = {text for name, text in texts.items() if name in before}
        if ir.REFINES in before:
            wanted.update(name for names in refinement_properties(module) for name in names)
        deadlock = "deadlock_free" in order and found.name != "deadlock_free"
        steps = {STEPS_WELL_DEFINED} if found.name != "well_defined" or length > 1 else set()
        narrowed = replace(
            config,
            invariants=tuple(text for text in config.invariants if text in wanted or text == TYPE_OK),
            properties=tuple(text for text in config.properties if text in wanted or text in steps),
        )
        if not deadlock and not narrowed.properties and narrowed.invariants == (TYPE_OK,) and found.name == "type_ok":
            return None
        other = self.within(narrowed, deadlock, length, beyond=found.name == "well_defined")
        if other is None:
            return None
        key, known = self.key(other, order), self.key(found, order)
        return other if key < known else None

    def within(self, config: Config, deadlock: bool, length: int, beyond: bool) -> Found | None:
        """A violation in at most about `length` states.

        beyond: what lies behind them may have no value. Versions differ in what they take for the level of a state when
        they come to its successors: where TLC looks too far, it is asked not to.
        """
        run = self.tlc(config, deadlock=deadlock, depth=length, phase=_SHORTER)
        try:
            return self.violation(run)
        except Doubt as doubt:
            if not beyond or doubt.status != "invalid":
                raise
            forget(run)
        return self.violation(self.tlc(config, deadlock=deadlock, depth=length - 2, phase=_SHORTER))

    @staticmethod
    def key(found: Found, order: Sequence[str]) -> tuple[int, int]:
        return len(found.trace.steps), order.index(found.name)

    # -------------------------------------------------------------------------------- liveness and reachability

    def liveness(self) -> Found | None:
        """Each liveness property in a run of its own."""
        for name in self.module.liveness:
            if self.selected(name):
                run = self.tlc(liveness_config(self.module, name), deadlock=False, phase=name, saved_as=name)
                if run.outcome.kind == "liveness":
                    self.evaluated.append(name)
                    return self.counterexample(run, name)
                if run.outcome.kind != "no_error":
                    raise self.doubt(run)
                self.evaluated.append(name)
        return None

    def unreached(self) -> str | None:
        """The first of the reachability properties asked for that no state satisfies."""
        for name in self.module.reachable:
            if self.job.properties is None or name not in self.job.properties:
                continue
            run = self.tlc(reachability_config(self.module, name), deadlock=False, phase=name)
            if run.outcome.kind == "no_error":
                self.evaluated.append(name)
                return name
            if run.outcome.kind != "invariant" or run.outcome.violated != self.module.reachable[name]:
                raise self.doubt(run)
            trace = self.replayed(run)
            if not shows(self.instance, trace, name):
                raise Doubt("invalid", f"TLC's witness of {name} does not show it")
            self.evaluated.append(name)
        return None

    # -------------------------------------------------------------------------------------------------- traces

    def counterexample(self, run: TlcRun, name: str) -> Found:
        """TLC's counter-example, if it replays and violates what it names."""
        trace = self.replayed(run)
        if run.outcome.violated == STEPS_WELL_DEFINED:
            # The step that a transition invariant has no value of is not taken: the trace ends before it.
            trace = Trace(trace.steps[:-1])
        if not violates(self.instance, trace, name):
            raise Doubt("invalid", f"TLC's counter-example does not violate {name}, which it is said to violate")
        return Found(name, trace)

    def replayed(self, run: TlcRun) -> Trace:
        printed = run.outcome.trace
        actions: list[str | None] = []
        for item in printed.states:
            if item.action is not None and item.action != TERMINATED and item.action not in self.actions:
                raise Doubt("invalid", f"TLC names an action that is none of the protocol's: {item.action}")
            actions.append(self.actions.get(item.action or ""))
        try:
            states: list[State] = [self.decoder.state(item.values) for item in printed.states]
            loop_to = None if printed.back_to is None else printed.back_to - 1
            return replay(self.instance, states, actions, loop_to=loop_to, stuttering=printed.stuttering)
        except (DecodeError, ReplayError) as error:
            raise Doubt("invalid", f"TLC's counter-example is not one of the protocol's: {error}") from error
