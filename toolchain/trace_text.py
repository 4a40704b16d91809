"""A trace as a table: steps as rows, variables as columns; first and last state whole, else what changed."""

from __future__ import annotations

from ..transpiler.domains import show
from .layout import Block, Column, Line, Table, Text, count, line, row, table_width
from .traces import DescribedTrace, Move, Trace, TraceStep

UNCHANGED = Text("·", "dim")


def trace_blocks(example: DescribedTrace, width: int = 120) -> list[Block]:
    """The heading, the steps, and how it ends; as a list of changes where the table would be wider than `width`."""
    blocks: list[Block] = list(_heading(example))
    table = _table(example)
    if table_width(table) <= width:
        blocks.append(table)
    else:
        blocks += _narrow(example)
    blocks += _ending(example)
    return blocks


def title(example: DescribedTrace) -> str:
    """What is violated and how, in one sentence without positions; of a trace that violates nothing, how long it is."""
    states = count(len(example.trace.steps), "state")
    if example.violated is None:
        endings = {"finite": "", "lasso": " and a loop", "stuttering": " and stuttering"}
        return f"a behaviour of {states}{endings[example.trace.shape]}"
    match example.trace.shape:
        case "lasso":
            return f"{example.violated} is violated by {states} and a loop"
        case "stuttering":
            return f"{example.violated} is violated by {states} and stuttering"
        case _:
            return f"{example.violated} is violated in {states}"


def _heading(example: DescribedTrace) -> list[Line]:
    kind = f"{example.kind}, " if example.where and example.kind else ""
    where = f" ({kind}{example.where})" if example.where else ""
    lines = [line(Text(title(example), "" if example.violated is None else "bad"), Text(where, "dim"))]
    if example.dropped is not None:
        at = f" ({example.dropped_where})" if example.dropped_where else ""
        lines.append(line("without the guard ", Text(example.dropped, "strong"), Text(at, "dim")))
    return lines


def _table(example: DescribedTrace) -> Table:
    trace = example.trace
    rows = []
    for move in trace.moves():
        cells = [_change(move, name) for name in trace.variables]
        rows.append(row(_number(example, move), move.step.label, *cells, _where(example, move.step)))
    if _ends_whole(trace):
        whole = [Text(show(trace.steps[-1].state[name]), "strong") for name in trace.variables]
        rows.append(row("", Text(f"= state {len(trace.steps)}", "strong"), *whole, ""))
    columns = [Column("step", numeric=True), Column("action"), *map(Column, trace.variables), Column("")]
    return Table(tuple(columns), tuple(rows))


def _narrow(example: DescribedTrace) -> list[Line]:
    """One line a step and one a changed variable."""
    trace, lines = example.trace, []
    for move in trace.moves():
        number, step = _number(example, move).text, move.step
        lines.append(line(f"  {number:>3}  ", Text(step.label, "strong"), Text(f"  {_at(example, step)}", "dim")))
        lines += [line(f"         {name} = {show(step.state[name])}") for name in move.changed]
    if _ends_whole(trace):
        lines.append(line("       ", Text(f"= state {len(trace.steps)}", "strong")))
        lines += [line(f"         {name} = {show(value)}") for name, value in trace.steps[-1].state.items()]
    return lines


def _ends_whole(trace: Trace) -> bool:
    """Whether the last state is written out: the first is whole anyhow, and a loop goes back to one above."""
    return trace.closing is None and len(trace.steps) > 1


def _number(example: DescribedTrace, move: Move) -> Text:
    if move.closes:
        return Text(f"→ {move.place + 1}", "strong")
    # The arrow marks where a loop comes back to, beside the row that leads there.
    return Text(f"↻ {move.place + 1}" if example.trace.loop_to == move.place else str(move.place + 1))


def _change(move: Move, name: str) -> Text:
    return Text(show(move.step.state[name])) if move.changes(name) else UNCHANGED


def _where(example: DescribedTrace, step: TraceStep) -> Text:
    return Text(_at(example, step), "dim")


def _at(example: DescribedTrace, step: TraceStep) -> str:
    return example.actions_where.get(step.action or "", "")


def _ending(example: DescribedTrace) -> list[Line]:
    trace = example.trace
    last = len(trace.steps)
    lines = []
    if trace.loop_to is not None:
        by = f" by {trace.closing.label}" if trace.closing is not None else ""
        lines.append(line(f"from state {last} it goes back to state {trace.loop_to + 1}{by}, and so on for ever"))
    elif trace.stuttering:
        lines.append(line(f"in state {last} it may stay for ever (stuttering): no fairness demands a step"))
    elif example.violated == "deadlock_free":
        lines.append(line(f"in state {last} nothing is enabled, and no terminal property allows that"))
    elif example.kind == "transition invariant":
        lines.append(line(f"the step from state {last - 1} to state {last} is not allowed"))
    elif example.kind == "refinement" and last > 1:
        lines.append(line(f"the step from state {last - 1} to state {last} is none of what is refined"))
    elif example.kind == "refinement":
        lines.append(line("the initial state is none of what is refined"))
    if example.detail:
        lines.append(line(example.detail))
    return lines
