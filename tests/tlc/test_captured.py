"""Every captured output of the three versions means what the table says, and no damage turns one into a pass."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from protocheck.toolchain.tlc.errors import OutputError
from protocheck.toolchain.tlc.messages import Transcript
from protocheck.toolchain.tlc.outcome import read_outcome
from protocheck.toolchain.tlc.stats import ActionCoverage
from protocheck.toolchain.tlc.values import ModelValue, TlaFunction, TlaInterval, TlaRecord, TlaSet, TlaString, TlaTuple

from .support import CAPTURED, captured, transcript


@dataclass(frozen=True)
class Row:
    version: str
    name: str
    exit_status: int
    kind: str
    violated: str | None
    states: int
    end: str
    counts: tuple[int | None, int | None, int | None]


def _row(line: str) -> Row:
    version, name, status, kind, violated, states, end, *counts = line.split()
    distinct, generated, depth = (None if count == "-" else int(count) for count in counts)
    return Row(
        version,
        name,
        int(status),
        kind,
        None if violated == "-" else violated,
        int(states),
        end,
        (distinct, generated, depth),
    )


ROWS = [
    _row(line)
    for line in (CAPTURED / "expected.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
PASSES = [row for row in ROWS if row.kind == "no_error"]


def _id(row: Row) -> str:
    return f"{row.version}-{row.name}"


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_a_captured_output_means_what_the_table_says(row: Row) -> None:
    read = transcript(captured(row.version, row.name))
    if row.kind == "OutputError":
        with pytest.raises(OutputError):
            read_outcome(read, row.exit_status)
        return
    outcome = read_outcome(read, row.exit_status)
    end = "stutters" if outcome.trace.stuttering else f"back={outcome.trace.back_to}" if outcome.trace.back_to else "-"
    counts = (outcome.stats.distinct, outcome.stats.generated, outcome.stats.depth)
    assert (outcome.kind, outcome.violated, len(outcome.states), end) == (row.kind, row.violated, row.states, row.end)
    assert counts == row.counts
    assert outcome.message
    assert [state.index for state in outcome.states] == list(range(1, row.states + 1))


def test_the_table_has_every_captured_output() -> None:
    there = {(path.parent.name, path.stem) for path in CAPTURED.glob("*/*.txt")}
    assert there == {(row.version, row.name) for row in ROWS}


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind not in ("no_error", "OutputError")], ids=_id)
def test_no_exit_status_makes_a_pass_of_what_is_none(row: Row) -> None:
    read = transcript(captured(row.version, row.name))
    assert all(read_outcome(read, status).kind != "no_error" for status in (0, 1, 12, 255, -9, None))


@pytest.mark.parametrize("row", PASSES, ids=_id)
def test_a_pass_needs_the_exit_status_0(row: Row) -> None:
    read = transcript(captured(row.version, row.name))
    assert all(read_outcome(read, status).kind != "no_error" for status in (1, 12, 75, 255, -9, -15, None))


@pytest.mark.parametrize("row", PASSES, ids=_id)
def test_no_part_of_a_pass_is_a_pass(row: Row) -> None:
    text = captured(row.version, row.name).rstrip("\n")
    lines = text.split("\n")
    for length in range(len(lines)):
        assert read_outcome(transcript("\n".join(lines[:length])), 0).kind != "no_error"
    assert read_outcome(transcript(text[:-1]), 0).kind != "no_error"


@pytest.mark.parametrize("row", PASSES, ids=_id)
def test_a_pass_without_a_message_that_it_needs_is_none(row: Row) -> None:
    read = transcript(captured(row.version, row.name))
    for code in (2193, 2186, 2199):
        rest = tuple(
            message for message in read.messages if message.code not in (code, *([2200] if code == 2199 else []))
        )
        assert len(rest) < len(read.messages)
        assert read_outcome(Transcript(rest, read.loose, intact=True), 0).kind != "no_error"


@pytest.mark.parametrize("severity", [1, 3, 2, 9])
@pytest.mark.parametrize("row", PASSES[:3], ids=_id)
def test_an_error_or_a_warning_anywhere_voids_a_pass(row: Row, severity: int) -> None:
    text = captured(row.version, row.name)
    odd = f"@!@!@STARTMSG 2999:{severity} @!@!@\nsomething new\n@!@!@ENDMSG 2999 @!@!@\n"
    starts = [position for position in range(len(text)) if text.startswith("@!@!@STARTMSG", position)]
    for position in [*starts, len(text)]:
        outcome = read_outcome(transcript(text[:position] + odd + text[position:]), 0)
        assert outcome.kind == ("unknown" if severity == 1 else "unreliable")
        assert "something new" in outcome.message


@pytest.mark.parametrize("code", [2300, 2401, 2776, 2777])
def test_a_harmless_warning_voids_nothing_and_is_told(code: int) -> None:
    text = captured("2.19", "Safe") + f"@!@!@STARTMSG {code}:3 @!@!@\nby the way\n@!@!@ENDMSG {code} @!@!@\n"
    outcome = read_outcome(transcript(text), 0)
    assert outcome.kind == "no_error"
    assert outcome.warnings == ("by the way",)


def test_states_left_on_the_queue_void_a_pass() -> None:
    text = captured("2.19", "Safe").replace("0 states left on queue", "3 states left on queue")
    assert read_outcome(transcript(text), 0).kind == "unknown"


def test_no_state_at_all_is_no_pass() -> None:
    text = captured("2.15", "Safe").replace("10 distinct states found", "0 distinct states found")
    assert read_outcome(transcript(text), 0).kind == "no_initial_state"


def test_a_run_that_was_ended_is_incomplete_and_says_why() -> None:
    outcome = read_outcome(transcript(captured("2.15", "kill_TERM")), -15, ended="TLC was ended after its 5 s.")
    assert (outcome.kind, outcome.message, outcome.finished) == ("incomplete", "TLC was ended after its 5 s.", False)
    assert outcome.stats.distinct == 1184395


def test_a_counter_example_that_is_cut_off_is_incomplete() -> None:
    text = captured("2.15", "Inv")
    outcome = read_outcome(transcript(text[: text.index("3: <Start")]), -9)
    assert outcome.kind == "incomplete"
    assert "Invariant NLess" in outcome.message
    assert outcome.states == ()


def test_memory_is_named() -> None:
    text = captured("2.15", "oom") + "Terminating due to java.lang.OutOfMemoryError: Java heap space\n"
    assert read_outcome(transcript(text), 3).kind == "out_of_memory"
    assert (
        read_outcome(transcript(""), 3, stderr="java.lang.OutOfMemoryError: unable to create").kind == "out_of_memory"
    )


def test_java_that_does_not_start_tlc() -> None:
    outcome = read_outcome(transcript(""), 1, stderr="Error: Could not find or load main class tlc2.TLC\n")
    assert outcome.kind == "not_started"
    assert "main class" in outcome.message


def test_arguments_where_this_version_prints_them() -> None:
    old = read_outcome(transcript(captured("2.15", "Names")), 12).states
    new = read_outcome(transcript(captured("1.8.0-prerelease", "Names")), 12).states
    names = [None, "A", "B", "C", "D", "E1", "F", "G", "Next"]
    assert [state.action for state in old] == [state.action for state in new] == names
    assert {state.arguments for state in old} == {None}
    assert [state.arguments for state in new] == [None, (1,), None, None, (3, 4), None, None, (10,), None]
    assert old[1].location == new[1].location == "line 6, col 9 to line 6, col 38 of module Names"


def test_model_values_as_arguments() -> None:
    states = read_outcome(transcript(captured("1.8.0-prerelease", "ActP")), 13).states
    assert [state.arguments for state in states] == [None, (ModelValue("p1"),), (ModelValue("p1"),)]


def test_a_lasso_says_where_it_goes_back_to_and_by_what() -> None:
    trace = read_outcome(transcript(captured("2.15", "Lasso")), 13).trace
    assert (trace.back_to, trace.back_by, trace.stuttering) == (2, "Wrap", False)
    assert [state.values["x"] for state in trace.states] == [0, 1, 2]


@pytest.mark.parametrize("lost", [2122])
def test_a_counter_example_to_liveness_without_its_end_is_refused(lost: int) -> None:
    read = transcript(captured("2.15", "Lasso"))
    rest = tuple(message for message in read.messages if message.code != lost)
    with pytest.raises(OutputError, match="neither in a loop"):
        read_outcome(Transcript(rest, read.loose, intact=True), 13)


def test_a_counter_example_with_a_hole_is_refused() -> None:
    read = transcript(captured("2.15", "Inv"))
    rest = tuple(message for message in read.messages if not message.text.startswith("2: "))
    with pytest.raises(OutputError, match="State 2"):
        read_outcome(Transcript(rest, read.loose, intact=True), 12)


@pytest.mark.parametrize("version", ["2.15", "2.19", "1.8.0-prerelease"])
def test_coverage_by_action(version: str) -> None:
    outcome = read_outcome(transcript(captured(version, "coverage")), 0)
    assert outcome.coverage == {"Start": ActionCoverage(9, 9), "Stop": ActionCoverage(0, 15)}


def test_an_action_that_never_fired_shows() -> None:
    coverage = read_outcome(transcript(captured("2.15", "DeadAct")), 0).coverage
    assert coverage["Never"] == ActionCoverage(0, 0)
    assert coverage["Back"] == ActionCoverage(0, 1)


def test_the_last_coverage_report_counts() -> None:
    text = captured("2.15", "coverage")
    assert read_outcome(transcript(text + text), 0).coverage["Start"] == ActionCoverage(9, 9)


@pytest.mark.parametrize(
    ("version", "number"), [("2.15", (2, 15)), ("2.19", (2, 19)), ("1.8.0-prerelease", (2026, 11, 20, 172050))]
)
def test_the_version_is_read_from_the_banner(version: str, number: tuple[int, ...]) -> None:
    found = read_outcome(transcript(captured(version, "Safe")), 0).version
    assert found is not None
    assert found.number[0] == number[0]
    assert version.startswith("1.8") or found.number == number


def test_what_the_parser_says_is_in_the_message() -> None:
    outcome = read_outcome(transcript(captured("2.15", "SemErr")), 150)
    assert "Unknown operator: `y'." in outcome.message
    assert "Parsing file" not in outcome.message


def test_where_an_expression_has_no_value_is_in_the_message() -> None:
    outcome = read_outcome(transcript(captured("2.15", "EvalErr")), 75)
    assert outcome.message.startswith("Attempted to apply Head to the empty sequence.")
    assert "Line 5, column 14 to line 5, column 20 in EvalErr" in outcome.message


def test_what_the_module_prints_is_kept() -> None:
    assert '<<"hello", 0>>' in read_outcome(transcript(captured("2.15", "AssertF")), 75).output


@pytest.mark.parametrize("version", ["2.15", "1.8.0-prerelease"])
def test_values_of_every_kind(version: str) -> None:
    values = read_outcome(transcript(captured(version, "Vals")), 12).states[0].values
    assert values["str"] == TlaString('quote"d back\\slash tab\t|-> @@ /\\ {')
    assert values["n"] == -3
    assert values["b"] is True
    assert values["big"] == 2147483647
    assert values["s"] == TlaSet(frozenset())
    assert values["mv"] == ModelValue("MV")
    assert values["iv"] == TlaInterval(1, 5)
    assert values["emptyf"] == TlaTuple(())
    assert values["fun"] == TlaRecord((("k1", 1), ("k2", 1)))
    assert values["funseq"] == TlaTuple((1, 4, 9))
    assert values["tup"] == TlaTuple((1, TlaTuple(())))
    assert values["setofsets"] == TlaSet(
        frozenset({TlaSet(frozenset()), TlaSet(frozenset({1})), TlaSet(frozenset({1, 2}))})
    )
    nested = values["nested"]
    assert isinstance(nested, TlaFunction)
    one = nested.mapping()[ModelValue("p2")]
    assert isinstance(one, TlaRecord)
    assert one.mapping()["done"] == TlaSet(frozenset({1, 2, 3}))
    funset = values["funset"]
    assert isinstance(funset, TlaSet)
    assert len(funset.items) == 8
