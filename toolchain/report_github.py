"""A report for GitHub Actions: annotations at the lines they are about, and a job summary in Markdown.

Annotations are workflow commands, lines that the runner picks out of what a step prints (docs.github.com, "Workflow
commands for GitHub Actions"); they appear in the list of a run and beside the lines of a pull request.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..transpiler.diagnostics import Diagnostic, Span
from ..transpiler.naming import snake_case
from .cases import Case, cases
from .report import Report
from .report_text import verdict_line

_SIGNS = {"passed": "✅", "failed": "❌", "error": "⚠️", "blocked": "➖", "not selected": "➖"}


def workflow_commands(report: Report, root: str) -> str:
    """One workflow command a line: an error for each bad case, a warning for each warning; empty where all is well.

    `root` is the folder of the repository, which GitHub wants files to be named from.
    """
    name = snake_case(report.protocol.name)
    lines = [_command("error", case.span, root, f"{name}: {_heading(case)}", _body(case)) for case in _bad(report)]
    lines += [_command("warning", report.protocol.span, root, name, text) for text in report.warnings]
    return "".join(f"{line}\n" for line in lines)


def commands_of_mistakes(diagnostics: Iterable[Diagnostic], root: str) -> str:
    """An error for each mistake in a protocol that does not compile."""
    lines = []
    for mistake in diagnostics:
        why = f"why: {mistake.reason}" if mistake.reason else ""
        instead = f"instead: {mistake.remedy}" if mistake.remedy else ""
        text = "\n".join(part for part in (mistake.message, why, instead) if part)
        lines.append(
            _command("error", mistake.span, root, f"{mistake.code.value}: the protocol does not compile", text)
        )
    return "".join(f"{line}\n" for line in lines)


def _bad(report: Report) -> Iterator[Case]:
    return (case for case in cases(report) if case.bad)


def _heading(case: Case) -> str:
    return f"{case.name} ({case.kind})" if case.mutant else f"{case.name} is {case.kind}"


def _body(case: Case) -> str:
    # The table of a counter-example says in its first line what the message says.
    return case.text.rstrip() if case.text and not case.mutant else f"{case.message}\n{case.text}".rstrip()


def _command(level: Literal["error", "warning"], span: Span, root: str, title: str, message: str) -> str:
    properties = {}
    file = _from_root(span.file, root) if span.line > 0 else ""
    if file:
        properties = {"file": file, "line": str(span.line)}
    properties["title"] = title
    listed = ",".join(f"{key}={_escaped_property(value)}" for key, value in properties.items())
    return f"::{level} {listed}::{_escaped(message)}"


def _from_root(file: str, root: str) -> str:
    """The file as it is named from the root of the repository; "" where it lies outside, a library's say."""
    relative = os.path.relpath(os.path.abspath(file), root)
    return "" if relative.startswith(os.pardir) or os.path.isabs(relative) else relative.replace(os.sep, "/")


def _escaped(text: str) -> str:
    """As the toolkit of GitHub does it (`@actions/core`, command.ts, escapeData)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    """The same of a property, where colons and commas have a meaning, too (escapeProperty)."""
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


# --------------------------------------------------------------------------------------------------------- summary


@dataclass(frozen=True, slots=True)
class _Section:
    heading: str
    rows: tuple[Case, ...]


def summary(report: Report) -> str:
    """The report as Markdown: the verdict, a table of properties and one of mutants, counter-examples folded away."""
    found = cases(report)
    lines = [f"### {_cell(snake_case(report.protocol.name))}", "", _cell(_verdict(report)), ""]
    for section in (
        _Section("property", tuple(case for case in found if not case.mutant)),
        _Section("dropped guard", tuple(case for case in found if case.mutant)),
    ):
        if section.rows:
            lines += [*_table(section), ""]
    for case in found:
        if case.bad and case.text:
            opened = " open" if not case.mutant else ""
            lines += [f"<details{opened}><summary>{_cell(case.message)}</summary>", "", *_fenced(case.text), ""]
            lines += ["</details>", ""]
    lines += [f"- warning: {_cell(text)}" for text in report.warnings]
    lines += [f"- note: {_cell(text)}" for text in report.notes]
    return "\n".join(lines).rstrip() + "\n\n"


def _verdict(report: Report) -> str:
    return "".join(part.text for part in verdict_line(report).parts)


def _table(section: _Section) -> list[str]:
    rows = [
        f"| `{case.name.removeprefix('without ')}` | {_SIGNS[case.outcome]} {case.kind} | {_cell(case.message)} |"
        for case in section.rows
    ]
    return [f"| {section.heading} | | |", "|---|---|---|", *rows]


def _cell(text: str) -> str:
    """Text on one line that Markdown leaves as it is, also inside of a table."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", " ".join(text.split()))


def _fenced(text: str) -> Iterable[str]:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return (f"{fence}text", text.rstrip("\n"), fence)
