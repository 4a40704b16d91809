"""GitHub's annotations and job summary: at the right lines, and escaped so that nothing is cut off."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.report import Report
from protocheck.toolchain.report_github import _command, summary, workflow_commands
from protocheck.toolchain.results import Budget
from protocheck.transpiler.diagnostics import NOWHERE, Span
from protocheck.transpiler.frontend import compile_protocol

from .protocols import COUNTER, UNDECLARED
from .test_cases import checked, of_file


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it: the command, its properties and the message, escapes undone."""
    match = re.fullmatch(r"::(\w+) ([^\n]*?)::([^\n\r]*)", line)
    assert match is not None, line
    properties = dict(item.split("=", 1) for item in match[2].split(","))
    return match[1], {name: unquote(value) for name, value in properties.items()}, unquote(match[3])


def commands(report: Report, root: Path) -> list[tuple[str, dict[str, str], str]]:
    return [parsed(line) for line in workflow_commands(report, str(root)).splitlines()]


def test_nothing_to_say() -> None:
    assert workflow_commands(checked(compile_protocol(Rollback)), "/") == ""


def test_a_violation_stands_at_its_property_with_its_trace(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    report = checked(of_file(COUNTER, tmp_path / "src"), bound=2)
    ((level, properties, message),) = commands(report, tmp_path)
    assert level == "error"
    assert properties == {"file": "src/counter.py", "line": "25", "title": "counter: small is violated"}
    assert COUNTER.splitlines()[24] == "    def small(self) -> bool:"
    assert message.startswith("small is violated in 4 states")
    # Beside long paths the values of a state stand below each other.
    assert "= state 4" in message
    assert message.endswith("3")


def test_an_unaccounted_mutant_stands_at_its_guard(tmp_path: Path) -> None:
    ((_, properties, message),) = commands(checked(of_file(UNDECLARED, tmp_path)), tmp_path)
    assert "guard(full=" in UNDECLARED.splitlines()[int(properties["line"]) - 1]
    assert properties["title"] == "counter: without reset.full (survived)"
    assert message == "reset.full survives and is not declared as a survivor: a property is missing"


def test_a_warning_and_what_was_not_decided(tmp_path: Path) -> None:
    ((level, _, message),) = commands(checked(of_file(COUNTER, tmp_path)), tmp_path)
    assert (level, message) == ("warning", "reset.full survives as declared, but its absence changes what can happen")
    found = commands(checked(of_file(COUNTER, tmp_path), budget=Budget(max_states=2)), tmp_path)
    assert len(found) == 5
    assert {level for level, _, _ in found} == {"error"}


def test_a_file_outside_of_the_repository_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    ((_, properties, _),) = commands(checked(of_file(COUNTER, tmp_path), bound=2), tmp_path / "repository")
    assert set(properties) == {"title"}


@given(st.text(), st.text())
def test_every_text_comes_back(title: str, message: str) -> None:
    """The runner splits at the first `::` after the properties, and undoes the escapes; lines end at CR and LF."""
    line = _command("error", NOWHERE, ".", title, message)
    assert "\n" not in line
    assert "\r" not in line
    head, _, escaped = line.removeprefix("::error ").partition("::")
    undone = head.removeprefix("title=").replace("%3A", ":").replace("%2C", ",")
    assert undone.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") == title
    assert "," not in head
    assert escaped.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%") == message


def test_a_file_whose_name_has_a_comma(tmp_path: Path) -> None:
    line = _command("error", Span(str(tmp_path / "a,b:c%.py"), 3, 1, 3, 2), str(tmp_path), "t", "m")
    assert line == "::error file=a%2Cb%3Ac%25.py,line=3,title=t::m"


# --------------------------------------------------------------------------------------------------------- summary


def test_the_summary_of_a_campaign() -> None:
    text = summary(checked(compile_protocol(Rollback)))
    lines = text.splitlines()
    assert lines[0] == "### rollback"
    assert lines[2].startswith("✓ rollback holds within max\\_len=4")
    assert "| `no_ghost_reads` | ✅ holds | no\\_ghost\\_reads holds within max\\_len=4 |" in lines
    assert any(line.startswith("| `finish_read.is_pending` | ✅ survived |") for line in lines)
    assert "<details" not in text
    assert text.endswith("\n\n")  # the next one is appended


def test_the_summary_of_a_violation_shows_the_trace(tmp_path: Path) -> None:
    text = summary(checked(of_file(COUNTER, tmp_path), bound=2))
    assert "| `small` | ❌ violated | small is violated in 4 states |" in text
    assert "<details open><summary>small is violated in 4 states</summary>\n\n```text\nsmall is" in text
    assert text.count("```") == 2


def test_words_do_not_break_the_summary() -> None:
    report = checked(compile_protocol(Rollback), mutate=False)
    words = "a | b\n<script> `x` *y* ```"
    broken = replace(report, warnings=(words,), baseline=replace(report.baseline, status="inconclusive", reason=words))
    for line in summary(broken).splitlines():
        assert "<script>" not in line.replace("\\<", "")
        if line.startswith("| `"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 4
