"""The check of a whole protocol: the gate, the campaign, what is declared, and that nothing passes silently."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from protocheck.toolchain.check import Activity, check_protocol, select_properties
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.report import Report, checkable, property_rows
from protocheck.toolchain.results import Budget, CheckJob, EngineResult, Progress
from protocheck.transpiler import ir
from protocheck.transpiler.valuetypes import BOOL

from .. import handmade
from .engines import ReferenceEngine

FALSE = ir.Literal(value=False, type=BOOL)
TRUE = ir.Literal(value=True, type=BOOL)
DECLARED = "finish_read.is_pending"


def rollback(**changes: object) -> ir.Protocol:
    protocol = replace(handmade.rollback(), survivors=((DECLARED, "nothing changes"),))
    return replace(protocol, **changes)  # type: ignore[arg-type]


def with_property(
    protocol: ir.Protocol, name: str, kind: ir.PropertyKind, body: ir.Expr, **rest: ir.Expr
) -> ir.Protocol:
    added = ir.Property(name=name, kind=kind, body=body, **rest)
    return replace(protocol, properties=(*protocol.properties, added))


def check(protocol: ir.Protocol, engine: ReferenceEngine | None = None, **options: object) -> Report:
    return check_protocol(protocol, engines=[engine or ReferenceEngine()], **options)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------- baseline


def test_a_clean_baseline_holds() -> None:
    report = check(rollback())
    assert report.exit_code == 0
    assert report.mutants is None
    assert report.baseline.answer.stats is not None
    assert report.baseline.answer.stats.distinct == 31
    assert {row.name: row.result for row in property_rows(report)} == dict.fromkeys(checkable(rollback()), "holds")


def test_every_property_is_asked_for_by_name() -> None:
    engine = ReferenceEngine()
    check(rollback(), engine)
    assert engine.jobs[0].properties == {"type_ok", "well_defined", "no_ghost_reads", "grows_by_one", "deadlock_free"}


def test_a_selection_always_has_what_is_always_judged_and_is_shown_as_one() -> None:
    engine = ReferenceEngine()
    report = check(rollback(), engine, properties=["no_ghost_reads"])
    assert engine.jobs[0].properties == {"type_ok", "well_defined", "no_ghost_reads"}
    results = {row.name: row.result for row in property_rows(report)}
    assert results["no_ghost_reads"] == results["type_ok"] == results["well_defined"] == "holds"
    assert results["grows_by_one"] == results["deadlock_free"] == "not selected"


def test_an_unknown_property_comes_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean no_ghost_reads"):
        select_properties(rollback(), ["no_ghost_read"])
    ended = with_property(rollback(), "ended", "terminal", TRUE)
    with pytest.raises(UserError, match="no property to check"):
        select_properties(ended, ["ended"])


def test_a_property_that_was_never_evaluated_does_not_hold() -> None:
    def forget(_: CheckJob, result: EngineResult) -> EngineResult:
        return replace(result, evaluated=tuple(name for name in result.evaluated if name != "grows_by_one"))

    report = check(rollback(), ReferenceEngine(alter=forget))
    assert report.baseline.status == "invalid"
    assert report.exit_code == 3


def test_a_budget_that_ends_a_run_is_no_verdict() -> None:
    report = check(rollback(), budget=Budget(max_states=5), mutate=True)
    assert report.baseline.status == "inconclusive"
    assert report.exit_code == 4
    assert report.gated
    assert {row.result for row in property_rows(report)} == {"not decided"}


def test_a_violated_baseline_stops_before_any_mutant() -> None:
    engine = ReferenceEngine()
    broken = with_property(rollback(), "never", "invariant", FALSE)
    report = check(broken, engine, mutate=True)
    assert report.exit_code == 1
    assert report.gated
    assert report.mutants == ()
    assert len(engine.jobs) == 1
    results = {row.name: row.result for row in property_rows(report)}
    assert results["never"] == "violated"
    # The search stopped there: nothing else may be said to hold.
    assert results["no_ghost_reads"] == "not decided"


def test_an_unreached_state_fails_the_baseline_and_is_no_business_of_mutants() -> None:
    engine = ReferenceEngine()
    report = check(with_property(rollback(), "unreachable", "reachable", FALSE), engine, mutate=True)
    assert (report.exit_code, report.baseline.violated) == (1, "unreachable")
    results = {row.name: row.result for row in property_rows(report)}
    assert results["unreachable"] == "never reached"
    assert results["no_ghost_reads"] == "holds"

    engine = ReferenceEngine()
    report = check(with_property(rollback(), "reached", "reachable", TRUE), engine, mutate=True)
    assert report.exit_code == 0
    assert {row.name: row.result for row in property_rows(report)}["reached"] == "reached"
    assert all("reached" not in (job.properties or ()) for job in engine.jobs[1:])


def test_an_action_that_never_fires_is_a_warning() -> None:
    idle = ir.Action("idle", (), (ir.Guard("never", FALSE, 0),), ())
    report = check(rollback(actions=(*rollback().actions, idle)))
    assert report.exit_code == 0
    assert [warning for warning in report.warnings if "idle never fires" in warning]
    # Why a state is never reached is what one wants to know then; a run that stopped early knows nothing of it.
    idle_again = rollback(actions=(*rollback().actions, idle))
    report = check(with_property(idle_again, "unreachable", "reachable", FALSE))
    assert report.exit_code == 1
    assert [warning for warning in report.warnings if "idle never fires" in warning]
    assert check(with_property(idle_again, "never", "invariant", FALSE)).warnings == ()


def test_actions_nobody_counted_are_a_warning_too() -> None:
    engine = ReferenceEngine(alter=lambda _, result: replace(result, coverage={}))
    assert check(rollback(), engine).warnings == ("no engine told which actions fired",)


def test_a_response_without_a_request_is_vacuous() -> None:
    report = check(with_property(rollback(), "answered", "leads_to", FALSE, target=TRUE))
    assert [warning for warning in report.warnings if "answered holds vacuously" in warning]
    report = check(with_property(rollback(), "answered", "leads_to", TRUE, target=TRUE))
    assert report.warnings == ()


# ------------------------------------------------------------------------------------------------------- campaign


def test_each_guard_is_dropped_in_turn() -> None:
    engine = ReferenceEngine()
    report = check(rollback(), engine, mutate=True)
    assert report.mutants is not None
    told = {m.guard: (m.status, m.verdict.violated, m.behaviour) for m in report.mutants}
    assert told == {
        "extend.room_left": ("killed", "type_ok", None),
        "start_read.inside_tail": ("killed", "no_ghost_reads", None),
        "finish_read.is_pending": ("survived", None, "same"),
        "rollback.shrinks": ("killed", "grows_by_one", None),
        "rollback.no_reader_above": ("killed", "no_ghost_reads", None),
    }
    assert [job.instance.protocol.dropped for job in engine.jobs] == [None, *told]
    assert report.exit_code == 0
    assert all(mutant.accounted for mutant in report.mutants)


def test_the_trace_without_no_reader_above() -> None:
    report = check(rollback(), mutate=True)
    mutant = next(m for m in report.mutants or () if m.guard == "rollback.no_reader_above")
    assert mutant.verdict.answer.trace is not None
    steps = mutant.verdict.answer.trace.steps
    assert [(step.action, dict(step.arguments)) for step in steps] == [
        (None, {}),
        ("extend", {}),
        ("start_read", {"i": 1}),
        ("rollback", {"k": 0}),
    ]
    assert steps[-1].state == {"length": 0, "pending_reads": frozenset({1})}


def test_an_undeclared_survivor_fails_the_run() -> None:
    report = check(rollback(survivors=()), mutate=True)
    assert report.exit_code == 1
    assert [problem for problem in report.problems if DECLARED in problem and "not declared" in problem]


def test_a_declared_survivor_that_is_killed_fails_the_run() -> None:
    false = (*rollback().survivors, ("rollback.shrinks", "I thought so"))
    report = check(rollback(survivors=false), mutate=True)
    assert report.exit_code == 1
    assert report.problems == ("rollback.shrinks is declared as a survivor but grows_by_one kills it",)


def test_a_declaration_that_names_no_guard_fails_the_run() -> None:
    report = check(rollback(survivors=(*rollback().survivors, ("rollback.shrink", "typo"))), mutate=True)
    assert report.exit_code == 1
    assert "did you mean rollback.shrinks?" in report.problems[0]


def test_a_survivor_that_changes_what_can_happen_is_told_apart() -> None:
    # Without grows_by_one nothing notices that rollback may "roll back" to a longer prefix: no state is new, steps are.
    invariants = tuple(p for p in rollback().properties if p.kind == "invariant")
    report = check(rollback(properties=invariants), mutate=True)
    changed = {m.guard: m.behaviour for m in report.mutants or () if m.status == "survived"}
    assert changed == {DECLARED: "same", "rollback.shrinks": "changed"}
    assert [
        problem for problem in report.problems if "rollback.shrinks" in problem and "property is missing" in problem
    ]


def test_behaviour_is_changed_by_a_new_state_without_counting_steps() -> None:
    def uncounted(job: CheckJob, result: EngineResult) -> EngineResult:
        assert result.stats is not None
        stats = replace(result.stats, changing=None)
        if job.instance.protocol.dropped == DECLARED:
            stats = replace(stats, distinct=stats.distinct + 1)
        return replace(result, stats=stats)

    report = check(rollback(), ReferenceEngine(alter=uncounted), mutate=True)
    survivor = next(m for m in report.mutants or () if m.guard == DECLARED)
    assert survivor.behaviour == "changed"
    assert [warning for warning in report.warnings if "its absence changes what can happen" in warning]


def test_a_variant_with_less_behaviour_than_the_baseline_was_not_explored() -> None:
    def fewer(job: CheckJob, result: EngineResult) -> EngineResult:
        if job.instance.protocol.dropped != DECLARED or result.stats is None:
            return result
        return replace(result, stats=replace(result.stats, distinct=30))

    report = check(rollback(), ReferenceEngine(alter=fewer), mutate=True)
    survivor = next(m for m in report.mutants or () if m.guard == DECLARED)
    assert survivor.status == "invalid"
    assert report.exit_code == 3


def test_a_kill_without_a_named_property_is_no_kill() -> None:
    def nameless(job: CheckJob, result: EngineResult) -> EngineResult:
        return replace(result, violated=None) if job.instance.protocol.dropped == "rollback.shrinks" else result

    report = check(rollback(), ReferenceEngine(alter=nameless), mutate=True)
    mutant = next(m for m in report.mutants or () if m.guard == "rollback.shrinks")
    assert mutant.status == "invalid"
    assert report.exit_code == 3


def test_a_mutant_that_runs_out_of_its_budget_is_inconclusive() -> None:
    def late(job: CheckJob, result: EngineResult) -> EngineResult:
        return (
            replace(result, status="inconclusive", reason="late")
            if job.instance.protocol.dropped == DECLARED
            else result
        )

    report = check(rollback(), ReferenceEngine(alter=late), mutate=True)
    assert [m.status for m in report.mutants or () if m.guard == DECLARED] == ["inconclusive"]
    assert report.exit_code == 4


# -------------------------------------------------------------------------------------------------------- engines


def test_two_engines_confirm_each_other_side_by_side() -> None:
    threads: set[str] = set()

    def note(_: CheckJob, result: EngineResult) -> EngineResult:
        threads.add(threading.current_thread().name)
        return result

    explorer, tlc = ReferenceEngine(), ReferenceEngine("tlc", "2.15", alter=note)
    report = check_protocol(rollback(), engines=[explorer, tlc], mutate=True, workers=2)
    assert report.exit_code == 0
    assert dict(report.engines) == {"explorer": "0", "tlc": "2.15"}
    assert len(explorer.jobs) == len(tlc.jobs) == 6
    assert all(name.startswith("protocheck") for name in threads)
    assert all([result.engine for result in m.verdict.results] == ["explorer", "tlc"] for m in report.mutants or ())


def test_only_the_baseline_may_have_several_workers() -> None:
    def other_depth(job: CheckJob, result: EngineResult) -> EngineResult:
        assert result.stats is not None
        return replace(result, stats=replace(result.stats, depth=99)) if job.workers > 1 else result

    tlc = ReferenceEngine("tlc", alter=other_depth)
    report = check_protocol(rollback(), engines=[ReferenceEngine(), tlc], mutate=True, workers=2, baseline_workers=2)
    assert report.exit_code == 0
    assert [job.workers for job in tlc.jobs] == [2, 1, 1, 1, 1, 1]


def test_engines_that_disagree_about_a_mutant_fail_the_run() -> None:
    def blind(job: CheckJob, result: EngineResult) -> EngineResult:
        if job.instance.protocol.dropped != "rollback.shrinks":
            return result
        return replace(result, status="holds", violated=None, trace=None)

    report = check_protocol(rollback(), engines=[ReferenceEngine(), ReferenceEngine("tlc", alter=blind)], mutate=True)
    mutant = next(m for m in report.mutants or () if m.guard == "rollback.shrinks")
    assert mutant.status == "invalid"
    assert "grows_by_one is violated, tlc says holds" in mutant.verdict.disagreement
    assert report.exit_code == 3


def test_an_engine_that_did_not_confirm_is_a_warning() -> None:
    def late(_: CheckJob, result: EngineResult) -> EngineResult:
        return replace(result, status="inconclusive", reason="1 s is over", stats=None)

    report = check_protocol(rollback(), engines=[ReferenceEngine(), ReferenceEngine("tlc", alter=late)])
    assert report.exit_code == 0
    assert report.warnings == ("tlc did not confirm the baseline: 1 s is over",)


def test_an_interrupt_ends_what_was_started() -> None:
    cancelled = threading.Event()

    class Patient(ReferenceEngine):
        def check(self, job: CheckJob) -> EngineResult:
            if job.cancel.wait(30):
                cancelled.set()
            return super().check(job)

    class Interrupted(ReferenceEngine):
        def check(self, job: CheckJob) -> EngineResult:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_protocol(rollback(), engines=[Interrupted(), Patient("tlc")])
    assert cancelled.is_set()
    assert not [t for t in threading.enumerate() if t.name.startswith("protocheck")]


def test_activity_names_the_variant() -> None:
    seen: list[Activity] = []

    class Talkative(ReferenceEngine):
        def check(self, job: CheckJob) -> EngineResult:
            assert job.on_progress is not None
            job.on_progress(Progress(self.name, 1, 2, 3, 4, 0.5))
            return super().check(job)

    check(rollback(), Talkative(), mutate=True, on_activity=seen.append)
    assert [(activity.subject, activity.done, activity.total) for activity in seen] == [
        ("", 0, 0),
        ("extend.room_left", 0, 5),
        ("start_read.inside_tail", 1, 5),
        ("finish_read.is_pending", 2, 5),
        ("rollback.shrinks", 3, 5),
        ("rollback.no_reader_above", 4, 5),
    ]
