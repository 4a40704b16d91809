"""Every way in which a checker of this field has passed silently, tried on both engines as they are shipped.

Each test makes the thing happen that once went unnoticed somewhere, and demands that it is noticed here.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import Annotated, Self

import pytest

from protocheck import (
    Between,
    Protocol,
    action,
    const,
    eventually,
    eventually_always,
    guard,
    infinitely_often,
    invariant,
    leads_to,
    reachable,
    transition_invariant,
)
from protocheck.protocols.rollback import Rollback
from protocheck.toolchain import check as campaign
from protocheck.toolchain import tlc_runs
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.engines import select_engines
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.report import Report
from protocheck.toolchain.results import Budget, CheckJob, Engine
from protocheck.toolchain.tlc import TlcRun
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.tla import Module


@pytest.fixture(params=["explorer", "tlc"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return ExplorerEngine() if request.param == "explorer" else TlcEngine()


def check(cls: type[Protocol], engine: Engine, **options: object) -> Report:
    constants = options.pop("constants", None)
    return check_protocol(compile_protocol(cls), constants, engines=[engine], **options)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ a property that was never evaluated


class Wrong(Protocol, fairness="weak"):
    """Every property of it is false: one that is not evaluated shows as a pass."""

    count: Annotated[int, Between(0, 2)] = 0

    @action
    def step(self) -> None:
        guard(room=self.count < 2)
        self.count += 1

    @action
    def back(self) -> None:
        guard(full=self.count == 2)
        self.count = 0

    @invariant
    def false_invariant(self) -> bool:
        return self.count < 2

    @transition_invariant
    def false_step(self, after: Self) -> bool:
        return after.count > self.count

    @eventually
    def false_eventually(self) -> bool:
        return self.count == 2 and self.count == 1

    @infinitely_often
    def false_infinitely_often(self) -> bool:
        return self.count > 2

    @eventually_always
    def false_eventually_always(self) -> bool:
        return self.count == 1

    @leads_to("false_invariant_never")
    def false_leads_to(self) -> bool:
        return self.count == 1

    @reachable
    def false_invariant_never(self) -> bool:
        return self.count > 2


FALSE = ["false_invariant", "false_step", "false_eventually", "false_infinitely_often", "false_eventually_always"]


@pytest.mark.parametrize("name", [*FALSE, "false_leads_to", "false_invariant_never"])
def test_each_kind_of_property_is_evaluated(engine: Engine, name: str) -> None:
    report = check(Wrong, engine, properties=[name])
    assert report.baseline.status == "violated"
    assert report.baseline.answer.violated == name
    assert report.exit_code == 1


@pytest.mark.parametrize("name", ["type_ok", "well_defined", "deadlock_free"])
def test_each_implicit_property_is_evaluated(engine: Engine, name: str) -> None:
    class Broken(Protocol):
        count: Annotated[int, Between(0, 1)] = 0
        queue: tuple[bool, bool] = (False, True)

        @action
        def overflows(self) -> None:
            guard(wanted=False)
            self.count += 1

        @action
        def divides(self) -> None:
            guard(wanted=False)
            self.count = 1 // self.count

        @action
        def goes_on(self) -> None:
            guard(wanted=True)
            self.count = 1 - self.count

    dropped = {"type_ok": "overflows.wanted", "well_defined": "divides.wanted"}
    protocol = compile_protocol(Broken)
    if name == "deadlock_free":
        stuck = tuple(
            replace(item, steps=protocol.action("overflows").steps) if item.name == "goes_on" else item
            for item in protocol.actions
        )
        variant = replace(protocol, actions=stuck)
    else:
        variant = drop_guard(protocol, dropped[name])
    result = engine.check(CheckJob(instantiate(variant), frozenset({name})))
    assert (result.status, result.violated) == ("violated", name)


def test_what_holds_was_evaluated_by_name(engine: Engine) -> None:
    result = engine.check(CheckJob(instantiate(compile_protocol(Rollback))))
    assert result.status == "holds"
    expected = {"type_ok", "well_defined", "no_ghost_reads", "grows_by_one", "deadlock_free"}
    assert set(result.evaluated) == expected


# ------------------------------------------------------------------- a line that vanished from a .cfg, a broken tool


@pytest.mark.parametrize("lost", ["INVARIANT NoGhostReads\n", "PROPERTY GrowsByOne\n", "INVARIANT TypeOK\n"])
def test_a_line_that_vanished_from_the_configuration(monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    written = tlc_runs.config_text
    monkeypatch.setattr(tlc_runs, "config_text", lambda config: written(config).replace(lost, ""))
    report = check(Rollback, TlcEngine())
    assert report.baseline.status == "invalid"
    assert report.exit_code == 3


def test_a_module_that_does_not_parse_is_neither_pass_nor_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    written = tlc_runs.module_files

    def broken(module: Module) -> dict[str, str]:
        return {name: text.replace("Init ==", "Init = =") for name, text in written(module).items()}

    monkeypatch.setattr(tlc_runs, "module_files", broken)
    report = check(Rollback, TlcEngine())
    assert report.baseline.status == "invalid"
    assert report.exit_code == 3


def test_a_mutant_whose_run_fails_is_invalid_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another failure than the violation of a named property, here an evaluation error, kills nothing."""
    run = tlc_runs.run_tlc

    def failing(job: tlc_runs.TlcJob, *rest: object, **options: object) -> TlcRun:
        done = run(job, *rest, **options)  # type: ignore[arg-type]
        if "__rollback__shrinks" not in job.module:
            return done
        return replace(done, outcome=replace(done.outcome, kind="evaluation_error", violated=None))

    monkeypatch.setattr(tlc_runs, "run_tlc", failing)
    report = check(Rollback, TlcEngine(), mutate=True)
    statuses = {mutant.guard: mutant.status for mutant in report.mutants or ()}
    assert statuses["rollback.shrinks"] == "invalid"
    assert statuses["rollback.no_reader_above"] == "killed"
    assert report.exit_code == 3


# --------------------------------------------------------------------------------- bounds too small, budgets too low


class Asking(Protocol, fairness="weak"):
    limit: int = const(0)

    asked: Annotated[int, Between(0, limit)] = 0
    answered: bool = True

    @action
    def ask(self) -> None:
        guard(room=self.asked < self.limit)
        self.asked += 1
        self.answered = False

    @action
    def forget(self) -> None:
        self.asked = 0

    @leads_to("has_answer")
    def waiting(self) -> bool:
        return not self.answered

    @eventually
    def has_answer(self) -> bool:
        return self.answered


def test_liveness_that_holds_vacuously_is_said_to(engine: Engine) -> None:
    report = check(Asking, engine)
    assert report.baseline.status == "holds"
    assert [text for text in report.warnings if "waiting holds vacuously" in text]
    assert [text for text in report.warnings if "has_answer holds vacuously" in text]
    assert [text for text in report.warnings if "ask" in text and "fire" in text]
    wider = check(Asking, engine, constants={"limit": 1})
    assert (wider.baseline.status, wider.baseline.answer.violated) == ("violated", "waiting")


@pytest.mark.parametrize("budget", [Budget(max_states=10), Budget(timeout=0.0)])
def test_a_run_cut_off_by_its_budget_is_no_pass(engine: Engine, budget: Budget) -> None:
    report = check(Rollback, engine, budget=budget, constants={"max_len": 12})
    assert report.baseline.status == "inconclusive"
    assert report.exit_code == 4
    assert report.baseline.reason


# ------------------------------------------------------------------------------------------------- mutants, traces


def test_a_mutant_that_was_not_applied_is_no_survivor(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_applied(protocol: ir.Protocol, guard: str) -> ir.Protocol:
        return protocol

    monkeypatch.setattr(campaign, "drop_guard", not_applied)
    with pytest.raises(AssertionError, match="was not built"):
        check(Rollback, ExplorerEngine(), mutate=True)


def test_dropping_a_guard_changes_the_protocol() -> None:
    protocol = compile_protocol(Rollback)
    for name in protocol.guard_names:
        variant = drop_guard(protocol, name)
        assert variant.guard_names == tuple(other for other in protocol.guard_names if other != name)
    with pytest.raises(KeyError):
        drop_guard(protocol, "rollback.missing")


def test_a_trace_of_several_workers_is_not_taken_for_the_shortest(monkeypatch: pytest.MonkeyPatch) -> None:
    workers: list[int] = []
    run = tlc_runs.run_tlc

    def recording(job: tlc_runs.TlcJob, *rest: object, **options: object) -> TlcRun:
        workers.append(job.workers)
        return run(job, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tlc_runs, "run_tlc", recording)
    variant = drop_guard(compile_protocol(Rollback), "rollback.no_reader_above")
    result = TlcEngine().check(CheckJob(instantiate(variant), workers=2))
    assert workers[0] == 2
    assert set(workers[1:]) == {1}
    assert result.trace is not None
    assert len(result.trace.steps) == 4


def test_no_symmetric_reduction_is_used_with_liveness() -> None:
    class Symmetric(Protocol, fairness="weak"):
        nodes: frozenset[str] = const(frozenset({"n1", "n2"}), symmetric=True)
        done: bool = False

        @action
        def finish(self) -> None:
            self.done = True

        @eventually
        def finished(self) -> bool:
            return self.done

    from protocheck.toolchain.generate import render

    protocol = compile_protocol(Symmetric)
    texts = render(protocol, None)
    uses = {name: "SYMMETRY" in text for name, text in texts.items() if name.endswith(".cfg")}
    assert uses == {"Symmetric.cfg": True, "Symmetric__Finished.cfg": False}
    assert all(("Finished" in texts[name]) is not used for name, used in uses.items())
    for engine in (ExplorerEngine(), TlcEngine()):
        result = engine.check(CheckJob(instantiate(protocol), symmetry=True))
        assert result.status == "invalid"
        assert "symmetry is for safety only" in result.reason


def test_both_engines_are_asked_and_agree() -> None:
    engines = select_engines("auto").engines
    assert [each.name for each in engines] == ["explorer", "tlc"]
    report = check_protocol(compile_protocol(Rollback), engines=engines)
    assert report.baseline.status == "holds"
    assert len(report.baseline.results) == 2


@pytest.fixture(autouse=True)
def no_kept_workspaces(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Working directories of failed runs are kept, by design; here they go with the test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("runs")))
    monkeypatch.setattr(tempfile, "tempdir", None)
