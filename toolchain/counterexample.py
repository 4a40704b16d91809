"""What a check found, as traces that a reader understands: the counter-examples of a report."""

from __future__ import annotations

import os
from dataclasses import replace

from ..transpiler.diagnostics import Span
from ..transpiler.domains import contains, show
from ..transpiler.instance import Instance
from ..transpiler.naming import snake_case
from .faults import faults
from .report import Report, Verdict, kind_of, span_of
from .results import EngineResult
from .traces import DescribedTrace, Trace


def place(span: Span) -> str:
    """Where something stands, "file:line", as short as it is from the working directory; empty for the built in."""
    if span.line <= 0:
        return ""
    relative = os.path.relpath(span.file) if os.path.isabs(span.file) else span.file
    return f"{span.file if relative.startswith('..') else relative}:{span.line}"


def counter_example(instance: Instance, verdict: Verdict) -> DescribedTrace | None:
    """The counter-example of a violated instance; None where nothing is violated or there is no trace."""
    protocol, trace = instance.protocol, verdict.answer.trace
    if verdict.violated is None or trace is None:
        return None
    # A variant no longer contains the guard; whoever made it knows its span.
    return DescribedTrace(
        protocol=snake_case(protocol.name),
        constants={constant.name: instance.constants[constant.name] for constant in protocol.constants},
        violated=verdict.violated,
        kind=kind_of(protocol, verdict.violated),
        where=place(span_of(protocol, verdict.violated)),
        trace=trace,
        dropped=protocol.dropped,
        detail=_detail(instance, verdict.answer, trace),
        actions_where={action.name: place(action.span) for action in protocol.actions},
        source=verdict.answer.engine,
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


def counter_examples(report: Report) -> tuple[DescribedTrace, ...]:
    """Every counter-example of a report: the baseline's, or those of its variants in order of their guards."""
    found = [counter_example(report.instance, report.baseline)]
    for mutant in report.mutants or ():
        example = counter_example(mutant.instance, mutant.verdict)
        found.append(replace(example, dropped_where=place(mutant.span)) if example is not None else None)
    return tuple(example for example in found if example is not None)
