"""One verdict from several engines: what each may claim, and what counts as a contradiction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocheck.toolchain.results import CheckJob, EngineResult, Stats
from protocheck.toolchain.verdicts import checked, combine
from protocheck.transpiler import ir
from protocheck.transpiler.instance import instantiate

from ..handmade import rollback
from .engines import finite, result

PROTOCOL = rollback()
REQUESTED = frozenset({"type_ok", "well_defined", "no_ghost_reads", "grows_by_one", "deadlock_free"})
JOB = CheckJob(instance=instantiate(PROTOCOL), properties=REQUESTED)
STATE = {"length": 0, "pending_reads": frozenset()}


def violated(name: str = "no_ghost_reads", states: int = 4, **values: Any) -> EngineResult:
    return result("violated", violated=name, trace=finite(*[STATE] * states), **values)


def tlc(answer: EngineResult, **values: Any) -> EngineResult:
    return replace(answer, engine="tlc", version="2.15", **values)


# ------------------------------------------------------------------------------------------------- a single result


def test_an_honest_result_is_believed() -> None:
    for honest in (result(), violated(), result("inconclusive", reason="100 states"), result("invalid", reason="no")):
        assert checked(honest, JOB) is honest


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (result(evaluated=("type_ok", "well_defined")), "did not evaluate deadlock_free, grows_by_one, no_ghost_reads"),
        (result(evaluated=tuple(REQUESTED - {"type_ok"})), "did not evaluate type_ok"),
        (result(stats=None), "not how much it explored"),
        (result(violated="no_ghost_reads"), "shows a counter-example"),
        (result("violated", trace=finite(STATE)), "without naming the property"),
        (result("violated", violated="no_ghost_reads"), "without a trace"),
        (violated("no_such_thing"), "no_such_thing, which was not asked for"),
    ],
)
def test_a_claim_without_its_evidence_is_invalid(claim: EngineResult, reason: str) -> None:
    found = checked(claim, JOB)
    assert found.status == "invalid"
    assert found.violated is None
    assert found.trace is None
    assert reason in found.reason


def test_what_always_ends_a_run_may_be_violated_though_it_was_not_selected() -> None:
    job = replace(JOB, properties=frozenset({"no_ghost_reads"}))
    assert checked(violated("type_ok"), job).status == "violated"
    assert checked(violated("well_defined"), job).status == "violated"
    assert checked(violated("deadlock_free"), job).status == "invalid"


def test_only_an_unreached_property_may_come_without_a_trace() -> None:
    reachable = ir.Property(name="full", kind="reachable", body=PROTOCOL.properties[0].body)
    protocol = replace(PROTOCOL, properties=(*PROTOCOL.properties, reachable))
    job = replace(JOB, instance=instantiate(protocol), properties=REQUESTED | {"full"})
    assert checked(result("violated", violated="full"), job).status == "violated"


# -------------------------------------------------------------------------------------------------- several results


def test_agreement_is_the_answer_of_the_first() -> None:
    verdict = combine([result(), tlc(result())], PROTOCOL)
    assert (verdict.status, verdict.answer.engine, verdict.disagreement) == ("holds", "explorer", "")
    assert len(verdict.results) == 2


@pytest.mark.parametrize("key", ["distinct", "generated", "depth"])
def test_finished_runs_must_count_alike(key: str) -> None:
    stats = replace(Stats(31, 189, 9, 0.5, 1.5), **{key: 7})
    verdict = combine([result(), tlc(result(), stats=stats)], PROTOCOL)
    assert verdict.status == "invalid"
    assert f"count differently: {key} " in verdict.disagreement
    assert "and 7" in verdict.disagreement


def test_counts_of_stopped_runs_are_not_compared() -> None:
    early = Stats(8, 14, 4, 0.5, 1.5)
    assert combine([violated(), tlc(violated(), stats=early)], PROTOCOL).status == "violated"


def test_with_several_workers_the_depth_is_not_compared() -> None:
    other = tlc(result(), stats=Stats(31, 189, 12, 0.5, 1.5))
    assert combine([result(), other], PROTOCOL, same_depth=False).status == "holds"


def test_a_violation_that_only_one_engine_sees_is_a_disagreement() -> None:
    for pair in ([result(), tlc(violated())], [violated(), tlc(result())]):
        verdict = combine(pair, PROTOCOL)
        assert verdict.status == "invalid"
        assert verdict.violated is None
        assert "no_ghost_reads is violated" in verdict.disagreement


def test_traces_of_different_length_are_a_disagreement() -> None:
    verdict = combine([violated(states=4), tlc(violated(states=3))], PROTOCOL)
    assert verdict.status == "invalid"
    assert "in 4 states" in verdict.disagreement
    assert "in 3 states" in verdict.disagreement


def test_equally_short_traces_must_violate_the_same_property() -> None:
    verdict = combine([violated("type_ok"), tlc(violated("no_ghost_reads"))], PROTOCOL)
    assert verdict.status == "invalid"
    assert verdict.disagreement == "explorer violates type_ok in 4 states, tlc violates no_ghost_reads in 4 states"


def test_liveness_traces_may_differ_but_not_the_kind_of_verdict() -> None:
    ends = ir.Property(name="ends", kind="eventually", body=PROTOCOL.properties[0].body)
    protocol = replace(PROTOCOL, properties=(*PROTOCOL.properties, ends))
    assert combine([violated("ends", 2), tlc(violated("ends", 5))], protocol).status == "violated"
    assert combine([violated("ends", 2), tlc(violated("no_ghost_reads", 2))], protocol).status == "invalid"


def test_an_engine_that_does_not_finish_leaves_the_answer_unconfirmed() -> None:
    late = tlc(result("inconclusive", reason="10 s are over", stats=None))
    verdict = combine([result(), late], PROTOCOL)
    assert (verdict.status, verdict.unconfirmed, verdict.reason) == ("holds", ("tlc",), "10 s are over")


def test_a_finished_engine_answers_for_one_that_ran_out_of_its_budget() -> None:
    verdict = combine([result("inconclusive", reason="100 states"), tlc(result())], PROTOCOL)
    assert (verdict.status, verdict.answer.engine) == ("holds", "tlc")


def test_a_tool_that_fails_is_never_a_confirmation() -> None:
    broken = tlc(result("invalid", reason="tlc could not evaluate", stats=None))
    for answer in (result(), violated()):
        verdict = combine([answer, broken], PROTOCOL)
        assert verdict.status == "invalid"
        assert "tlc could not evaluate" in verdict.reason


def test_nothing_finished_is_no_verdict() -> None:
    undecided = result("inconclusive", reason="100 states")
    assert combine([undecided, tlc(undecided)], PROTOCOL).status == "inconclusive"
    broken = tlc(result("invalid", reason="broken"))
    assert combine([undecided, broken], PROTOCOL).status == "invalid"


def test_engines_that_give_the_same_reason_give_it_once() -> None:
    undecided = result("inconclusive", reason="100 states")
    assert combine([undecided, tlc(undecided)], PROTOCOL).reason == "100 states"
    late = tlc(result("inconclusive", reason="2 s"))
    assert combine([undecided, late], PROTOCOL).reason == "explorer: 100 states; tlc: 2 s"
