"""A report as tables and sentences; the last line is the verdict, and it claims no more than was explored."""

from __future__ import annotations

from collections.abc import Iterable

from ..transpiler.domains import show
from ..transpiler.naming import snake_case
from .counterexample import counter_example, counter_examples, place
from .layout import BLANK, Block, Column, Line, Style, Table, Text, count, line, listing, row
from .report import Mutant, PropertyResult, Report, Verdict, checkable, judged_late, property_rows
from .results import Stats
from .trace_text import trace_blocks

RESULT_STYLES: dict[PropertyResult, Style] = {
    "holds": "good",
    "reached": "good",
    "violated": "bad",
    "never reached": "bad",
    "not decided": "warn",
    "not selected": "dim",
}


def report_blocks(report: Report, width: int = 120, *, traces: bool = False) -> list[Block]:
    """Everything about a check, top to bottom; `traces` adds the counter-example of every killed mutant."""
    blocks: list[Block] = [*_heading(report), BLANK, _engines(report), BLANK, _properties(report)]
    baseline = counter_example(report.instance, report.baseline)
    if baseline is not None:
        blocks += [BLANK, *trace_blocks(baseline, width)]
    if report.mutants:
        blocks += [BLANK, *_mutants(report.mutants)]
        if traces:
            for example in counter_examples(report):
                blocks += [BLANK, *trace_blocks(example, width)]
    remarks = [line(Text("note: ", "dim"), text) for text in report.notes]
    remarks += [line(Text("warning: ", "warn"), text) for text in report.warnings]
    remarks += [line(Text("problem: ", "bad"), text) for text in report.problems]
    if report.gated:
        remarks.append(line(Text("problem: ", "bad"), "no guard was dropped, since the baseline must hold first"))
    if remarks:
        blocks += [BLANK, *remarks]
    return [*blocks, BLANK, verdict_line(report)]


def _heading(report: Report) -> list[Line]:
    constants = "".join(f"  {name}={show(value)}" for name, value in report.constants.items())
    lines = [line(Text(snake_case(report.protocol.name), "strong"), constants)]
    summary = report.protocol.doc.strip().splitlines()
    if summary:
        lines.append(line(Text(summary[0], "dim")))
    return lines


def _engines(report: Report) -> Table:
    rows = []
    counted = _counted(result.stats for result in report.baseline.results)
    for result in report.baseline.results:
        head = (Text(result.engine), Text(result.version))
        if result.stats is None:
            rows.append(row(*head, "", "", "", "", Text(result.reason, "warn")))
            continue
        stats = result.stats
        # A run that stopped at a violation or at its budget has not seen everything; its counts say so.
        finished = result.status == "holds" or judged_late(report.protocol, result.violated)
        partial = "" if finished else Text("stopped early", "dim")
        if finished and stats.orbits and counted == "distinct":
            partial = Text("orbits", "dim")
        seconds = f"{stats.seconds:.3f}"
        generated = f"≥ {stats.generated:,}" if stats.at_least else stats.generated
        rows.append(row(*head, stats.distinct, generated, stats.depth, seconds, partial))
    numbers = [Column(name, numeric=True) for name in (counted, "generated", "depth", "seconds")]
    return Table((Column("engine"), Column("version"), *numbers, Column("")), tuple(rows))


def _counted(stats: Iterable[Stats | None]) -> str:
    """What the column of states is called: `orbits` where that is all it holds."""
    known = [item.orbits for item in stats if item is not None]
    return "orbits" if known and all(known) else "distinct"


def _properties(report: Report) -> Table:
    rows = [
        row(
            item.name,
            Text(item.kind, "dim"),
            Text(item.result, RESULT_STYLES[item.result]),
            Text(place(item.span), "dim"),
        )
        for item in property_rows(report)
    ]
    return Table((Column("property"), Column("kind"), Column("result"), Column("")), tuple(rows))


def _mutants(mutants: tuple[Mutant, ...]) -> list[Block]:
    """A row a mutant; what needs a sentence follows below, or long reasons would stretch the table."""
    rows = []
    for mutant in mutants:
        answer = mutant.verdict.answer
        length = str(len(answer.trace.steps)) if mutant.status == "killed" and answer.trace else ""
        states = f"{answer.stats.distinct:,}" if mutant.status == "survived" and answer.stats else ""
        killer = mutant.verdict.violated or ""
        place_text = Text(place(mutant.span), "dim")
        rows.append(row(mutant.guard, Text(mutant.status, _style(mutant)), killer, length, states, place_text))
    columns = (
        Column("dropped guard"),
        Column("mutant"),
        Column("by"),
        Column("trace", numeric=True),
        Column(_counted(mutant.verdict.answer.stats for mutant in mutants), numeric=True),
        Column(""),
    )
    remarks = [line("  ", Text(mutant.guard, "strong"), f" {text}") for mutant in mutants if (text := _remark(mutant))]
    return [Table(columns, tuple(rows)), *([BLANK, *remarks] if remarks else [])]


def _style(mutant: Mutant) -> Style:
    if mutant.status == "inconclusive":
        return "warn"
    if not mutant.accounted:
        return "bad"
    return "good" if mutant.status == "killed" else "warn"


def _remark(mutant: Mutant) -> str:
    """What the table has no room for; undeclared survivors and false declarations are problems of their own."""
    match mutant.status:
        case "survived" if mutant.declared is not None:
            return f"survives with {_behaviour(mutant)}, as declared: {mutant.declared}"
        case "survived":
            return f"survives with {_behaviour(mutant)}"
        case "inconclusive" | "invalid":
            return f"is {mutant.status}: {mutant.verdict.reason}"
        case _:
            return ""


def _behaviour(mutant: Mutant) -> str:
    return "the same behaviour" if mutant.behaviour == "same" else "changed behaviour"


# ------------------------------------------------------------------------------------------------------- verdict


def verdict_line(report: Report) -> Line:
    """The outcome in one line."""
    text = f"{snake_case(report.protocol.name)} {_outcome(report)}"
    if report.mutants:
        text += f"; {_campaign(report.mutants)}"
    elif report.mutants is not None and not report.gated:
        text += "; it has no guard to drop"
    good = report.exit_code == 0
    undecided = report.exit_code == 4
    mark, style = ("✓", "good") if good else ("?", "warn") if undecided else ("✗", "bad")
    return line(Text(f"{mark} {text}", style))  # type: ignore[arg-type]


def bounds(report: Report) -> str:
    """`within max_len=4`; a protocol without constants was explored as it is."""
    constants = [f"{name}={show(value)}" for name, value in report.constants.items()]
    return f"within {', '.join(constants)}" if constants else "in all its reachable states"


def _outcome(report: Report) -> str:
    baseline = report.baseline
    match baseline.status:
        case "holds":
            partly = len(report.requested) < len(checkable(report.protocol))
            # With a selection, what held is named: nobody should read more into it.
            what = f"holds for {listing(report.requested)} {bounds(report)}" if partly else f"holds {bounds(report)}"
            return what + _confirmation(baseline)
        case "violated":
            kinds = {item.name: item.kind for item in report.protocol.properties}
            if kinds.get(baseline.violated or "") == "reachable":
                return f"never reaches {baseline.violated} {bounds(report)}"
            # How long a trace is says something where there is an end to it.
            trace = baseline.answer.trace
            finite = trace is not None and trace.loop_to is None and not trace.stuttering
            length = f" in {count(len(trace.steps), 'state')}" if trace is not None and finite else ""
            within = f" {bounds(report)}" if report.constants else ""
            return f"violates {baseline.violated}{length}{within}"
        case "inconclusive":
            return f"is undecided {bounds(report)}: {baseline.reason}"
        case "invalid":
            return f"has no verdict: {baseline.disagreement or baseline.reason}"


def _confirmation(verdict: Verdict) -> str:
    """`, as 2 engines agree` where more than one finished."""
    agreeing = [result.engine for result in verdict.results if result.status == "holds"]
    return f" ({listing(agreeing)} agree)" if len(agreeing) > 1 else ""


def _campaign(mutants: tuple[Mutant, ...]) -> str:
    def number(status: str, *, declared: bool | None = None) -> int:
        fitting = [mutant for mutant in mutants if mutant.status == status]
        return sum(declared in (None, mutant.declared is not None) for mutant in fitting)

    text = f"{number('killed')} of {count(len(mutants), 'mutant')} killed"
    if wrong := number("killed", declared=True):
        text += f" ({wrong} of them declared to survive)"
    others = (
        (number("survived", declared=True), "survived as declared"),
        (number("survived", declared=False), "survived undeclared"),
        (number("inconclusive"), "undecided"),
        (number("invalid"), "invalid"),
    )
    return text + "".join(f", {amount} {words}" for amount, words in others if amount)
