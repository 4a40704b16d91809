"""The JSON report fits its schema, and trace files are read back as they were written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.counterexample import counter_examples
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.layout import render_plain
from protocheck.toolchain.report import Report
from protocheck.toolchain.report_json import report_json
from protocheck.toolchain.results import Budget, CheckJob, EngineResult
from protocheck.toolchain.trace_json import dumps, read_traces, trace_file_json, trace_json
from protocheck.toolchain.trace_text import trace_blocks
from protocheck.toolchain.traces import DescribedTrace
from protocheck.transpiler import ir

from .. import handmade
from .engines import ReferenceEngine
from .samples import lasso, stuttering

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
DECLARED = (("finish_read.is_pending", "nothing changes"),)


def rollback() -> ir.Protocol:
    return replace(handmade.rollback(), survivors=DECLARED)


def validated(report: Report) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(dumps(report_json(report)))
    errors = list(Draft202012Validator(SCHEMA).iter_errors(data))
    assert errors == []
    return data


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_a_campaign() -> None:
    data = validated(
        check_protocol(rollback(), engines=[ReferenceEngine(), ReferenceEngine("tlc", "2.15")], mutate=True)
    )
    assert list(data) == [
        "protocol",
        "constants",
        "engines",
        "properties",
        "baseline",
        "mutants",
        "warnings",
        "problems",
        "notes",
        "exit_code",
    ]
    assert data["protocol"] == "rollback"
    assert data["constants"] == {"max_len": 4}
    assert data["engines"] == {"explorer": "0", "tlc": "2.15"}
    baseline = data["baseline"]
    assert list(baseline) == ["status", "violated", "trace", "stats", "coverage"]
    assert (baseline["status"], baseline["violated"], baseline["trace"]) == ("holds", None, None)
    assert list(baseline["stats"]["tlc"]) == ["distinct", "generated", "depth", "seconds", "wall_seconds"]
    assert [baseline["stats"]["explorer"][key] for key in ("distinct", "generated", "depth")] == [31, 189, 9]
    assert list(baseline["coverage"]) == ["extend", "start_read", "finish_read", "rollback"]
    mutants = {mutant["guard"]: mutant for mutant in data["mutants"]}
    ghost = mutants["rollback.no_reader_above"]
    assert list(ghost) == ["guard", "status", "violated", "trace", "stats", "coverage"]
    assert (ghost["status"], ghost["violated"]) == ("killed", "no_ghost_reads")
    assert ghost["trace"] == [
        {"action": None, "args": {}, "state": {"length": 0, "pending_reads": {"#set": []}}},
        {"action": "extend", "args": {}, "state": {"length": 1, "pending_reads": {"#set": []}}},
        {"action": "start_read", "args": {"i": 1}, "state": {"length": 1, "pending_reads": {"#set": [1]}}},
        {"action": "rollback", "args": {"k": 0}, "state": {"length": 0, "pending_reads": {"#set": [1]}}},
    ]
    survivor = mutants["finish_read.is_pending"]
    assert (survivor["status"], survivor["behaviour"], survivor["declared"]) == ("survived", "same", "nothing changes")
    assert mutants["extend.room_left"]["trace"][-1]["state"]["length"] == 5


def test_every_machine_fits_the_schema() -> None:
    for machine in handmade.MACHINES:
        validated(check_protocol(handmade.MACHINES[machine](), engines=[ReferenceEngine()], mutate=True))


def test_what_is_no_verdict_says_why() -> None:
    data = validated(check_protocol(rollback(), engines=[ReferenceEngine()], budget=Budget(max_states=3), mutate=True))
    assert data["baseline"]["status"] == "inconclusive"
    assert data["baseline"]["reason"]
    assert data["mutants"] == []
    assert data["exit_code"] == 4

    def miscount(_: CheckJob, result: EngineResult) -> EngineResult:
        assert result.stats is not None
        return replace(result, stats=replace(result.stats, distinct=30))

    engines = [ReferenceEngine(), ReferenceEngine("tlc", alter=miscount)]
    data = validated(check_protocol(rollback(), engines=engines))
    assert data["baseline"]["status"] == "invalid"
    assert "distinct 31 and 30" in data["baseline"]["disagreement"]


def test_equal_runs_give_equal_text() -> None:
    def untimed(_: CheckJob, result: EngineResult) -> EngineResult:
        assert result.stats is not None
        return replace(result, stats=replace(result.stats, seconds=0.1, wall_seconds=0.2))

    texts = {
        dumps(report_json(check_protocol(rollback(), engines=[ReferenceEngine(alter=untimed)], mutate=True)))
        for _ in range(2)
    }
    assert len(texts) == 1


def test_a_loop_and_stuttering() -> None:
    data = trace_json(lasso().trace, {}, {})
    assert (data["loop_to"], data["closing"]) == (1, {"action": "undo", "args": {"y": 1}})
    assert trace_json(stuttering().trace, {}, {})["stuttering"] is True
    assert "loop_to" not in trace_json(stuttering().trace, {}, {})


# ---------------------------------------------------------------------------------------------------- trace files


def text_of(example: DescribedTrace) -> str:
    return render_plain(trace_blocks(example))


def test_a_trace_file_is_shown_like_the_run_itself() -> None:
    for protocol in (rollback(), handmade.wire(), handmade.slots(), handmade.two_phase_commit()):
        report = check_protocol(protocol, engines=[ReferenceEngine()], mutate=True)
        examples = counter_examples(report)
        assert examples
        read = read_traces(dumps(trace_file_json(report, examples)), "t.json")
        for original, again in zip(examples, read.examples, strict=True):
            assert text_of(again) == text_of(original)


def test_a_report_can_be_read_as_a_trace_file() -> None:
    report = check_protocol(rollback(), engines=[ReferenceEngine()], mutate=True)
    read = read_traces(dumps(report_json(report)), "report.json")
    assert [example.dropped for example in read.examples] == [example.dropped for example in counter_examples(report)]
    assert [len(example.trace.steps) for example in read.examples] == [6, 2, 2, 4]


def test_one_guards_trace_can_be_taken_out() -> None:
    report = check_protocol(rollback(), engines=[ReferenceEngine()], mutate=True)
    read = read_traces(dumps(trace_file_json(report, counter_examples(report))), "t.json").only("rollback.shrinks")
    assert [example.dropped for example in read.examples] == ["rollback.shrinks"]
    again = read_traces(dumps(read.as_json()), "t.json")
    assert text_of(again.examples[0]) == text_of(read.examples[0])


def damaged(**changes: Any) -> str:
    step = {"action": None, "args": {}, "state": {"x": 1}}
    entry = {"violated": "p", "kind": "eventually", "trace": [step], **changes}
    head = {"format": "protocheck-trace", "version": 1, "protocol": "p", "constants": {}, "traces": [entry]}
    return json.dumps(head)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "t.json:1:2: this is no JSON"),
        ("", "t.json:1:1: this is no JSON"),
        ("[" * 100_000, "this is no JSON"),
        ("[1]", "holds no JSON object"),
        ("{}", "neither a trace"),
        ('{"format": "protocheck-trace", "version": 2}', "of version 2; this protocheck reads 1"),
        ('{"format": "protocheck-trace", "version": 1}', "'traces' is missing"),
        ('{"baseline": 3}', "is damaged"),
        (damaged(trace=[]), "no state"),
        (damaged(trace=[{"action": None, "args": {}}]), "'state' is missing"),
        (damaged(trace=[{"action": None, "args": {}, "state": {"x": 1.5}}]), "1.5 is no value"),
        (damaged(loop_to=1), "the loop leads to state 1"),
        (damaged(loop_to="x"), "the loop leads to state x"),
        (
            damaged(trace=[{"action": None, "args": {}, "state": {"x": 1}}, {"action": "a", "args": {}, "state": {}}]),
            "the same variables",
        ),
    ],
)
def test_what_is_no_trace_file_is_a_mistake_of_the_user(text: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        read_traces(text, "t.json")
    assert reason in str(caught.value)


def test_a_whole_damaged_free_file_is_read() -> None:
    assert len(read_traces(damaged(loop_to=0), "t.json").examples) == 1
