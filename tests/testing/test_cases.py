"""A report as test cases: what is bad fails a run and nothing else does, and every name is known before the check."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protocheck import Protocol, action, eventually, reachable
from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.cases import Case, case_names, cases
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.loading import load_protocol
from protocheck.toolchain.report import Report
from protocheck.toolchain.results import Budget, CheckJob, Engine, EngineResult
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol

from ..cli.engines import ReferenceEngine
from .protocols import COUNTER, FALSE, UNDECLARED


def of_file(text: str, folder: Path) -> ir.Protocol:
    (folder / "counter.py").write_text(text, encoding="utf-8")
    return compile_protocol(load_protocol("counter.py", folder))


def checked(
    protocol: ir.Protocol,
    *engines: Engine,
    mutate: bool = True,
    properties: list[str] | None = None,
    budget: Budget | None = None,
    **constants: int,
) -> Report:
    return check_protocol(
        protocol,
        constants,
        engines=engines or (ReferenceEngine(),),
        mutate=mutate,
        properties=properties,
        budget=budget or Budget(),
    )


def outcomes(report: Report) -> dict[str, str]:
    return {case.name: case.outcome for case in cases(report)}


def agrees_with_the_exit_code(report: Report) -> tuple[Case, ...]:
    """The cases, where some are bad exactly if the run failed, and whatever is blocked is so by one that is bad."""
    found = cases(report)
    assert any(case.bad for case in found) is (report.exit_code != 0)
    bad = {case.name for case in found if case.bad}
    assert all(case.blocked_by in bad for case in found if case.outcome == "blocked")
    assert [case.name for case in found if case.outcome != "not selected"] == list(
        case_names(report.protocol, report.requested, report.mutants is not None)
    )
    return found


def test_all_is_well() -> None:
    found = agrees_with_the_exit_code(checked(compile_protocol(Rollback)))
    assert {case.outcome for case in found} == {"passed"}
    assert [case.name for case in found][2] == "no_ghost_reads"
    assert found[2].message == "no_ghost_reads holds within max_len=4"
    assert found[-1].message == "without rollback.no_reader_above, no_ghost_reads is violated in 4 states"
    survivor = next(case for case in found if case.kind == "survived")
    assert survivor.declared == "finishing a read twice changes nothing"
    assert survivor.span.file.endswith("rollback.py")
    assert found[0].span == compile_protocol(Rollback).span  # what every protocol has stands nowhere else


def test_a_violation_blocks_the_others_and_shows_its_trace(tmp_path: Path) -> None:
    found = agrees_with_the_exit_code(checked(of_file(COUNTER, tmp_path), limit=3, bound=2))
    assert {case.name: case.outcome for case in found if not case.mutant} == {
        "type_ok": "blocked",
        "well_defined": "blocked",
        "small": "failed",
        "natural": "blocked",
        "deadlock_free": "blocked",
    }
    assert {case.outcome for case in found if case.mutant} == {"blocked"}
    small = next(case for case in found if case.name == "small")
    assert small.message == "small is violated in 4 states"
    assert small.text.startswith(small.message)
    assert "= state 4  3" in small.text


def test_a_survivor_nobody_declared(tmp_path: Path) -> None:
    found = agrees_with_the_exit_code(checked(of_file(UNDECLARED, tmp_path)))
    (bad,) = (case for case in found if case.bad)
    assert (bad.name, bad.outcome, bad.kind) == ("without reset.full", "failed", "survived")
    assert "a property is missing" in bad.message
    assert bad.span.line == UNDECLARED.splitlines().index("        guard(full=self.value == self.limit)") + 1


def test_a_declaration_that_is_not_true_shows_what_kills_it(tmp_path: Path) -> None:
    found = agrees_with_the_exit_code(checked(of_file(FALSE, tmp_path)))
    (bad,) = (case for case in found if case.bad)
    assert (bad.name, bad.kind) == ("without up.room", "killed")
    assert bad.message == "up.room is declared as a survivor but type_ok kills it"
    assert "without the guard up.room" in bad.text


def test_a_budget_that_was_reached_decides_nothing() -> None:
    found = agrees_with_the_exit_code(checked(compile_protocol(Rollback), budget=Budget(max_states=10)))
    assert {case.outcome for case in found if not case.mutant} == {"error"}
    assert {case.kind for case in found if not case.mutant} == {"inconclusive"}
    assert {case.outcome for case in found if case.mutant} == {"blocked"}


def _dropped(job: CheckJob, result: EngineResult) -> EngineResult:
    """A tool that fails at one of the variants."""
    fails = job.instance.protocol.dropped == "rollback.shrinks"
    return replace(result, status="invalid", violated=None, trace=None, reason="it crashed") if fails else result


def test_a_tool_that_fails_at_a_mutant() -> None:
    report = checked(compile_protocol(Rollback), ReferenceEngine(alter=_dropped))
    assert report.exit_code == 3
    (bad,) = (case for case in agrees_with_the_exit_code(report) if case.bad)
    assert (bad.name, bad.outcome, bad.kind) == ("without rollback.shrinks", "error", "invalid")
    assert "it crashed" in bad.message


def test_engines_that_disagree() -> None:
    def off(_: CheckJob, result: EngineResult) -> EngineResult:
        stats = replace(result.stats, distinct=30) if result.stats is not None else None
        return replace(result, stats=stats)

    report = checked(compile_protocol(Rollback), ReferenceEngine(), ReferenceEngine("tlc", alter=off))
    assert report.exit_code == 3
    found = agrees_with_the_exit_code(report)
    assert all("count differently" in case.message for case in found if case.bad)


def test_what_was_not_selected_is_there_and_says_so() -> None:
    report = checked(compile_protocol(Rollback), mutate=False, properties=["no_ghost_reads"])
    agrees_with_the_exit_code(report)
    assert outcomes(report) == {
        "type_ok": "passed",
        "well_defined": "passed",
        "no_ghost_reads": "passed",
        "grows_by_one": "not selected",
        "deadlock_free": "not selected",
    }


def test_a_declaration_for_a_guard_that_is_none() -> None:
    """The frontend refuses it; of a protocol that was made otherwise it is a case of its own."""
    protocol = compile_protocol(Rollback)
    wrong = replace(protocol, survivors=(*protocol.survivors, ("rollback.shrink", "a typing mistake")))
    found = agrees_with_the_exit_code(checked(wrong))
    (bad,) = (case for case in found if case.bad)
    assert bad.name == "without rollback.shrink"
    assert "did you mean rollback.shrinks?" in bad.message


class Lamp(Protocol):
    """Need not ever go on, and never glows."""

    on: bool = False
    glows: bool = False

    @action
    def switch(self) -> None:
        self.on = not self.on

    @eventually
    def lit(self) -> bool:
        return self.on

    @reachable
    def glowing(self) -> bool:
        return self.glows


def test_a_behaviour_without_end_and_a_state_that_is_never_reached() -> None:
    """What holds of single states is known by then, and passes."""
    report = checked(compile_protocol(Lamp), ExplorerEngine(), mutate=False, properties=["lit"])
    (lit,) = (case for case in agrees_with_the_exit_code(report) if case.bad)
    assert lit.message == "lit is violated by 1 state and stuttering"
    assert "it may stay for ever" in lit.text
    assert [case.outcome for case in cases(report) if case.name in ("type_ok", "well_defined")] == ["passed", "passed"]
    report = checked(compile_protocol(Lamp), ExplorerEngine(), mutate=False, properties=["glowing", "deadlock_free"])
    (glowing,) = (case for case in agrees_with_the_exit_code(report) if case.bad)
    assert (glowing.kind, glowing.text) == ("never reached", "")
    assert glowing.message == "glowing is never reached"
    assert next(case for case in cases(report) if case.name == "deadlock_free").outcome == "passed"


@pytest.mark.parametrize("limit", [2, 3, 4])
@pytest.mark.parametrize("text", [COUNTER, UNDECLARED, FALSE], ids=["declared", "undeclared", "false"])
@pytest.mark.parametrize("states", [None, 3])
def test_some_case_is_bad_exactly_if_the_run_fails(tmp_path: Path, limit: int, text: str, states: int | None) -> None:
    report = checked(of_file(text, tmp_path), limit=limit, budget=Budget(max_states=states))
    agrees_with_the_exit_code(report)
