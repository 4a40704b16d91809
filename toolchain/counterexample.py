"""A trace with everything a reader needs to know about it, whether it comes from a check or from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..transpiler.diagnostics import Span
from ..transpiler.domains import contains, show
from ..transpiler.instance import Instance
from ..transpiler.naming import snake_case
from .faults import faults
from .report import Report, Verdict, kind_of, span_of
from .results import EngineResult, Trace


@dataclass(frozen=True, slots=True)
class CounterExample:
    """What was violated, where it is declared, which guard was dropped, and the steps that show it.

    `kind` is the property's kind in words; `where` and `dropped_where` are "file:line", empty for what is built in;
    `detail` is one sentence on what exactly is wrong, where more can be said than the property's name.
    """

    protocol: str
    constants: Mapping[str, Any]
    violated: str
    kind: str
    where: str
    trace: Trace
    dropped: str | None = None
    dropped_where: str = ""
    detail: str = ""
    actions_where: Mapping[str, str] = field(default_factory=dict)


def place(span: Span) -> str:
    """Where something stands, "file:line", as short as it is from the working directory; empty for the built in."""
    if span.line <= 0:
        return ""
    relative = os.path.relpath(span.file) if os.path.isabs(span.file) else span.file
    return f"{span.file if relative.startswith('..') else relative}:{span.line}"


def counter_example(instance: Instance, verdict: Verdict) -> CounterExample | None:
    """The counter-example of a violated instance; None where nothing is violated or there is no trace."""
    protocol, trace = instance.protocol, verdict.answer.trace
    if verdict.violated is None or trace is None:
        return None
    # A variant no longer contains the guard; whoever made it knows its span.
    return CounterExample(
        protocol=snake_case(protocol.name),
        constants={constant.name: instance.constants[constant.name] for constant in protocol.constants},
        violated=verdict.violated,
        kind=kind_of(protocol, verdict.violated),
        where=place(span_of(protocol, verdict.violated)),
        trace=trace,
        dropped=protocol.dropped,
        detail=_detail(instance, verdict.answer, trace),
        actions_where={action.name: place(action.span) for action in protocol.actions},
    )


def _detail(instance: Instance, answer: EngineResult, trace: Trace) -> str:
    if answer.violated == "well_defined":
        fault = next(faults(instance, trace), None)
        return "" if fault is None else f"in {fault.what}, {place(fault.span)}: {fault.reason}"
    if answer.violated != "type_ok":
        return ""
    last = trace.steps[-1].state
    outside = [
        f"{name} = {show(last[name])} is outside {domain}"
        for name, domain in instance.variables.items()
        if not contains(domain, last[name])
    ]
    return "; ".join(outside)


def counter_examples(report: Report) -> tuple[CounterExample, ...]:
    """Every counter-example of a report: the baseline's, or those of its variants in order of their guards."""
    found = [counter_example(report.instance, report.baseline)]
    for mutant in report.mutants or ():
        example = counter_example(mutant.instance, mutant.verdict)
        found.append(replace(example, dropped_where=place(mutant.span)) if example is not None else None)
    return tuple(example for example in found if example is not None)
