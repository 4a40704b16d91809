"""A report as JUnit XML, which every CI system reads: one test case a property and one a dropped guard.

There is no standard, only readers. What is written is valid against both schemas in wide use, that of Ant's tasks
(windyroad/JUnit-Schema, the stricter) and that of Jenkins' xunit plugin (junit-10.xsd).
"""

from __future__ import annotations

import platform
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime

from ..transpiler import ir
from ..transpiler.domains import show
from ..transpiler.naming import snake_case
from .cases import Case, cases
from .counterexample import place
from .layout import render_plain
from .report import Report
from .report_text import report_blocks

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""

_ELEMENTS = {"failed": "failure", "error": "error", "blocked": "skipped", "not selected": "skipped"}


def junit_xml(report: Report, now: datetime | None = None) -> str:
    """The whole file. `now` is when the check ended, the present where it is not given; written as UTC."""
    found = cases(report)
    name = snake_case(report.protocol.name)
    suite = _suite(name, [_ELEMENTS.get(case.outcome) for case in found], report.seconds, now)
    # Ant's schema has an order: properties, test cases, what was printed.
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report):
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    suite.extend(_case(case, f"protocheck.{name}") for case in found)
    return _document(suite, render_plain(report_blocks(report)))


def junit_xml_of_failure(protocol: ir.Protocol, problem: str, now: datetime | None = None) -> str:
    """The whole file of a check that was not made, since a tool failed: one test case, and what the problem is."""
    name = snake_case(protocol.name)
    suite = _suite(name, ["error"], 0.0, now)
    ET.SubElement(suite, "properties")
    case = ET.SubElement(suite, "testcase", {"name": "check", "classname": f"protocheck.{name}", "time": "0.000"})
    ET.SubElement(case, "error", {"message": _token(problem), "type": "a tool failed"}).text = _clean(problem)
    return _document(suite, "")


def _document(suite: ET.Element, printed: str) -> str:
    ET.SubElement(suite, "system-out").text = _clean(printed)
    ET.SubElement(suite, "system-err").text = ""
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(name: str, elements: Sequence[str | None], seconds: float, now: datetime | None) -> ET.Element:
    return ET.Element(
        "testsuite",
        {
            "name": name,
            "package": "protocheck",
            "id": "0",
            "timestamp": (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": _token(platform.node()) or "localhost",
            "tests": str(len(elements)),
            "failures": str(elements.count("failure")),
            "errors": str(elements.count("error")),
            "skipped": str(elements.count("skipped")),
            "time": f"{seconds:.3f}",
        },
    )


def _properties(report: Report) -> list[tuple[str, str]]:
    constants = [(f"constant.{name}", show(value)) for name, value in report.constants.items()]
    engines = [(f"engine.{name}", version) for name, version in report.engines.items()]
    warnings = [("warning", text) for text in report.warnings]
    return [*constants, *engines, *warnings]


def _case(case: Case, suite: str) -> ET.Element:
    classname = f"{suite}.{'mutants' if case.mutant else 'properties'}"
    attributes = {"name": _token(case.name), "classname": classname, "time": f"{case.seconds:.3f}"}
    element = ET.Element("testcase", attributes)
    tag = _ELEMENTS.get(case.outcome)
    if tag is not None:
        detail = ET.SubElement(element, tag, {"message": _token(case.message), "type": case.kind})
        # The table of a counter-example names the places itself.
        detail.text = _clean(case.text or place(case.span))
    return element


def _clean(text: str) -> str:
    """The text with what XML cannot hold written as Python would, `\\x1b`."""
    return _FORBIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)


def _token(text: str) -> str:
    """The text on one line."""
    return " ".join(_clean(text).split())
