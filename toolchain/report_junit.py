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
    root = ET.Element("testsuites")
    root.append(_suite(report, found, now or datetime.now(UTC)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: Report, found: Sequence[Case], now: datetime) -> ET.Element:
    elements = [_ELEMENTS.get(case.outcome) for case in found]
    name = snake_case(report.protocol.name)
    suite = ET.Element(
        "testsuite",
        {
            "name": name,
            "package": "protocheck",
            "id": "0",
            "timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": _token(platform.node()) or "localhost",
            "tests": str(len(found)),
            "failures": str(elements.count("failure")),
            "errors": str(elements.count("error")),
            "skipped": str(elements.count("skipped")),
            "time": f"{report.seconds:.3f}",
        },
    )
    # Ant's schema has an order: properties, test cases, what was printed.
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report):
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    suite.extend(_case(case, f"protocheck.{name}") for case in found)
    ET.SubElement(suite, "system-out").text = _clean(render_plain(report_blocks(report)))
    ET.SubElement(suite, "system-err").text = ""
    return suite


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
