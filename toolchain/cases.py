"""A report as test cases, one a property and one a dropped guard: what CI systems and pytest show instead of tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ..transpiler import ir
from ..transpiler.diagnostics import NOWHERE, Span
from .counterexample import counter_example, place
from .layout import count, render_plain
from .report import Mutant, PropertyRow, Report, property_rows, span_of, unknown_survivors
from .report_text import bounds
from .trace_text import title, trace_blocks
from .traces import DescribedTrace

Outcome = Literal["passed", "failed", "error", "blocked", "not selected"]
"""`error`: nothing was decided, since a tool failed or a bound was reached. `blocked`: nothing was decided, since
another case did not pass."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a check says about one property, or about one dropped guard.

    Attributes:
        name: the property, or `without action.guard`.
        outcome: whether it passed, and if not, in which way.
        kind: what was found, in a word or two: `holds`, `violated`, `survived`, `inconclusive` …
        message: the same in one sentence.
        span: where the property or the guard is declared; of what every protocol has, where the protocol is.
        mutant: whether this is about a dropped guard.
        text: the counter-example of a failed case as a table; empty where there is none.
        blocked_by: of a blocked case, the name of the one that says why.
        declared: of a dropped guard whose loss nobody is to notice, the reason that the class gives.
        seconds: what it took; the search of the baseline, which judges all properties, counts for the first of them.
    """

    name: str
    outcome: Outcome
    kind: str
    message: str
    span: Span
    mutant: bool = False
    text: str = ""
    blocked_by: str = ""
    declared: str = ""
    seconds: float = 0.0

    @property
    def bad(self) -> bool:
        """Whether this is why a run fails; what is blocked has its reason in another case."""
        return self.outcome in ("failed", "error")


def mutant_name(guard: str) -> str:
    """The name of the case of a dropped guard."""
    return f"without {guard}"


def case_names(protocol: ir.Protocol, requested: Iterable[str], mutate: bool) -> tuple[str, ...]:
    """The names of the cases that the check of these properties will have, before it is made, in their order."""
    guards = (*protocol.guard_names, *unknown_survivors(protocol)) if mutate else ()
    return (*requested, *map(mutant_name, guards))


def cases(report: Report, width: int = 120) -> tuple[Case, ...]:
    """Every property, selected or not, then every dropped guard. None is bad iff the report's exit code is 0."""
    found = [_of_property(report, row, width) for row in property_rows(report)]
    selected = next((place for place, case in enumerate(found) if case.outcome != "not selected"), None)
    stats = report.baseline.answer.stats
    if selected is not None and stats is not None:
        found[selected] = replace(found[selected], seconds=stats.wall_seconds)
    if report.gated:
        # The case that says why: that of the violated property, or the first that could not be decided.
        reason = next(case for case in found if case.bad)
        found += [_gated(report, guard, reason) for guard in report.protocol.guard_names]
    elif report.mutants is not None:
        found += [_of_mutant(report, mutant, width) for mutant in report.mutants]
    if report.mutants is not None:
        found += [_unknown(report, guard) for guard in unknown_survivors(report.protocol)]
    return tuple(found)


# ------------------------------------------------------------------------------------------------------ properties


def _of_property(report: Report, row: PropertyRow, width: int) -> Case:
    baseline = report.baseline
    span = row.span if row.span.line > 0 else report.protocol.span

    def case(outcome: Outcome, kind: str, message: str, text: str = "", blocked_by: str = "") -> Case:
        return Case(row.name, outcome, kind, message, span, text=text, blocked_by=blocked_by)

    match row.result:
        case "holds" | "reached":
            return case("passed", row.result, f"{row.name} {_passive(row.result)} {_within(report)}")
        case "not selected":
            return case("not selected", row.result, f"{row.name} was not selected")
        case "violated" | "never reached":
            example = counter_example(report.instance, baseline)
            if example is None:
                within = f" {bounds(report)}" if report.constants else ""
                return case("failed", row.result, f"{row.name} is never reached{within}")
            return case("failed", row.result, title(example), _text(example, width))
        case "not decided":
            if baseline.status == "violated":
                message = f"{row.name} was not decided, since {baseline.violated} is violated"
                return case("blocked", row.result, message, blocked_by=baseline.violated or "")
            reason = baseline.disagreement or baseline.reason or f"no engine evaluated {row.name}"
            kind = baseline.status if baseline.status != "holds" else "invalid"
            return case("error", kind, f"{row.name} was not decided: {reason}")


def _passive(result: str) -> str:
    return "is reached" if result == "reached" else result


def _within(report: Report) -> str:
    return bounds(report) if report.constants else "in all reachable states"


def _text(example: DescribedTrace, width: int) -> str:
    return render_plain(trace_blocks(example, width))


# --------------------------------------------------------------------------------------------------------- mutants


def _of_mutant(report: Report, mutant: Mutant, width: int) -> Case:
    answer = mutant.verdict.answer
    seconds = answer.stats.wall_seconds if answer.stats is not None else 0.0

    def case(outcome: Outcome, kind: str, message: str, text: str = "") -> Case:
        name = mutant_name(mutant.guard)
        return Case(name, outcome, kind, message, mutant.span, mutant=True, text=text, seconds=seconds)

    if mutant.problem:
        example = counter_example(mutant.instance, mutant.verdict)
        described = replace(example, dropped_where=place(mutant.span)) if example is not None else None
        text = _text(described, width) if described is not None else ""
        return case("failed", mutant.status, mutant.problem, text)
    match mutant.status:
        case "killed":
            trace = answer.trace
            length = f" in {count(len(trace.steps), 'state')}" if trace is not None else ""
            return case("passed", "killed", f"without {mutant.guard}, {mutant.verdict.violated} is violated{length}")
        case "survived":
            survivor = case("passed", "survived", f"{mutant.guard} survives as declared: {mutant.declared}")
            return replace(survivor, declared=mutant.declared or "")
        case "inconclusive" | "invalid":
            reason = mutant.verdict.disagreement or mutant.verdict.reason
            return case("error", mutant.status, f"the variant without {mutant.guard} is {mutant.status}: {reason}")


def _gated(report: Report, guard: str, reason: Case) -> Case:
    message = f"{guard} was not dropped, since the baseline must hold first ({reason.message})"
    span = span_of(report.protocol, guard)
    return Case(mutant_name(guard), "blocked", "not decided", message, span, mutant=True, blocked_by=reason.name)


def _unknown(report: Report, guard: str) -> Case:
    message = unknown_survivors(report.protocol)[guard]
    span = report.protocol.span if report.protocol.span.line > 0 else NOWHERE
    return Case(mutant_name(guard), "failed", "no guard", message, span, mutant=True)
