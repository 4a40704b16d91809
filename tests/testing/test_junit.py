"""JUnit XML: what both schemas in use demand of it, and that nothing of a report is lost or breaks it.

The schemas themselves are not here: the rules are those of windyroad/JUnit-Schema, the stricter one, written out.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.cases import cases
from protocheck.toolchain.report import Report
from protocheck.toolchain.report_junit import _clean, _token, junit_xml, junit_xml_of_failure
from protocheck.toolchain.results import Budget
from protocheck.transpiler.frontend import compile_protocol

from .protocols import COUNTER, FALSE, UNDECLARED
from .test_cases import checked, of_file

NOW = datetime(2026, 2, 1, 12, 30, 5, 123456, tzinfo=timezone(timedelta(hours=2)))

SUITE = {
    "name": r"\S.*",
    "package": r".*",
    "id": r"\d+",
    "timestamp": r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}",
    "hostname": r"\S.*",
    "tests": r"\d+",
    "failures": r"\d+",
    "errors": r"\d+",
    "skipped": r"\d+",
    "time": r"\d+\.\d{3}",
}
CASE = {"name": r"\S.*", "classname": r"[\w.]+", "time": r"\d+\.\d{3}"}
DETAIL = {"message": r"[^\n]+", "type": r".+"}


def demand(element: ET.Element, attributes: dict[str, str]) -> None:
    """All of these attributes, no others, and each as its pattern says."""
    assert set(element.attrib) == set(attributes)
    for name, pattern in attributes.items():
        assert re.fullmatch(pattern, element.attrib[name]), (name, element.attrib[name])


def validated(text: str) -> ET.Element:
    """The only test suite of a file, after the rules of the schema were held against it."""
    root = ET.fromstring(text)
    assert (root.tag, root.attrib) == ("testsuites", {})
    (suite,) = root
    assert suite.tag == "testsuite"
    demand(suite, SUITE)
    tags = [child.tag for child in suite]
    assert tags == ["properties", *["testcase"] * (len(tags) - 3), "system-out", "system-err"]
    for item in suite[0]:
        assert item.tag == "property"
        demand(item, {"name": r"\S+", "value": r"(?s).*"})
    for case in suite.iter("testcase"):
        demand(case, CASE)
        assert len(case) <= 1
        for detail in case:
            assert detail.tag in ("failure", "error", "skipped")
            demand(detail, DETAIL)
            assert len(detail) == 0
    for tag, count in (("testcase", "tests"), ("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert suite.attrib[count] == str(len(list(suite.iter(tag)))), count
    return suite


def results(suite: ET.Element) -> dict[str, str]:
    """Test case → the tag that says what became of it, `passed` without one."""
    return {case.attrib["name"]: case[0].tag if len(case) else "passed" for case in suite.iter("testcase")}


def test_all_is_well() -> None:
    report = checked(compile_protocol(Rollback))
    suite = validated(junit_xml(report, NOW))
    assert set(results(suite).values()) == {"passed"}
    assert list(results(suite)) == [case.name for case in cases(report)]
    assert suite.attrib["timestamp"] == "2026-02-01T10:30:05"
    properties = {item.attrib["name"]: item.attrib["value"] for item in suite[0]}
    assert properties == {"constant.max_len": "4", "engine.explorer": "0"}
    assert "4 of 5 mutants killed" in (suite.findtext("system-out") or "")


def test_a_violation_holds_its_trace(tmp_path: Path) -> None:
    suite = validated(junit_xml(checked(of_file(COUNTER, tmp_path), bound=2)))
    assert results(suite)["small"] == "failure"
    assert results(suite)["natural"] == "skipped"
    assert results(suite)["without up.room"] == "skipped"
    (failure,) = suite.iter("failure")
    assert failure.attrib == {"message": "small is violated in 4 states", "type": "violated"}
    assert re.search(r"^ +4  up\(\) +3", failure.text or "", re.MULTILINE)


def test_mutants_that_are_not_accounted_for_are_failures(tmp_path: Path) -> None:
    suite = validated(junit_xml(checked(of_file(UNDECLARED, tmp_path))))
    assert [name for name, tag in results(suite).items() if tag == "failure"] == ["without reset.full"]
    suite = validated(junit_xml(checked(of_file(FALSE, tmp_path))))
    assert [name for name, tag in results(suite).items() if tag == "failure"] == ["without up.room"]
    properties = [item.attrib["value"] for item in suite[0] if item.attrib["name"] == "warning"]
    assert properties == ["reset.full survives as declared, but its absence changes what can happen"]


def test_what_was_not_decided_is_an_error() -> None:
    suite = validated(junit_xml(checked(compile_protocol(Rollback), budget=Budget(max_states=10))))
    errors = list(suite.iter("error"))
    assert len(errors) == 5
    assert {error.attrib["type"] for error in errors} == {"inconclusive"}


def spoken(words: str) -> Report:
    """A report with words in it that nobody checked."""
    report = checked(compile_protocol(Rollback), mutate=False)
    return replace(report, warnings=(words,), baseline=replace(report.baseline, status="inconclusive", reason=words))


@given(st.text())
def test_no_text_breaks_it(words: str) -> None:
    validated(junit_xml(spoken(words)))


def test_what_xml_cannot_hold_is_written_as_python_would() -> None:
    assert _clean("a\x00b\x1b[0m\ud800<&>\n") == r"a\x00b\x1b[0m\ud800<&>" + "\n"
    assert _token(" a\n b\t\x07c ") == r"a b \x07c"
    suite = validated(junit_xml(spoken("red \x1b[31m<&> \"quoted\" ]]> 'it'")))
    error = next(suite.iter("error"))
    assert error.attrib["message"].endswith(": red \\x1b[31m<&> \"quoted\" ]]> 'it'")


def test_the_present_is_the_default() -> None:
    suite = validated(junit_xml(checked(compile_protocol(Rollback), mutate=False)))
    written = datetime.fromisoformat(suite.attrib["timestamp"]).replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=10)


def test_a_tool_that_fails_is_an_error_of_one_case() -> None:
    suite = validated(junit_xml_of_failure(compile_protocol(Rollback), "TLC cannot run\n\x1bno memory", NOW))
    (case,) = suite.iter("testcase")
    assert (suite.get("name"), case.get("classname"), case.get("name")) == ("rollback", "protocheck.rollback", "check")
    (error,) = case
    assert (error.tag, error.get("message")) == ("error", "TLC cannot run \\x1bno memory")
