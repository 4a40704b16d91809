"""A counter-example as a table: steps as rows, variables as columns; first and last state whole, else what changed."""

from __future__ import annotations

from ..transpiler.domains import show
from .counterexample import CounterExample
from .layout import Block, Column, Line, Table, Text, count, line, row, table_width
from .results import State, TraceStep

UNCHANGED = Text("·", "dim")


def trace_blocks(example: CounterExample, width: int = 120) -> list[Block]:
    """The heading, the steps, and how it ends; as a list of changes where the table would be wider than `width`."""
    blocks: list[Block] = list(_heading(example))
    table = _table(example)
    if table_width(table) <= width:
        blocks.append(table)
    else:
        blocks += _narrow(example)
    blocks += _ending(example)
    return blocks


def label(step: TraceStep) -> str:
    """`action(name=value, …)`; the initial state shows what init chose, if it chose."""
    arguments = ", ".join(f"{name}={show(value)}" for name, value in step.arguments)
    if step.action is None:
        return f"init({arguments})" if arguments else "init"
    return f"{step.action}({arguments})"


def title(example: CounterExample) -> str:
    """What is violated and how, in one sentence without positions."""
    steps = example.trace.steps
    states = count(len(steps), "state")
    if example.trace.loop_to is not None:
        return f"{example.violated} is violated by {states} and a loop"
    if example.trace.stuttering:
        return f"{example.violated} is violated by {states} and stuttering"
    return f"{example.violated} is violated in {states}"


def _heading(example: CounterExample) -> list[Line]:
    kind = f"{example.kind}, " if example.where and example.kind else ""
    where = f" ({kind}{example.where})" if example.where else ""
    lines = [line(Text(title(example), "bad"), Text(where, "dim"))]
    if example.dropped is not None:
        at = f" ({example.dropped_where})" if example.dropped_where else ""
        lines.append(line("without the guard ", Text(example.dropped, "strong"), Text(at, "dim")))
    return lines


def _table(example: CounterExample) -> Table:
    trace = example.trace
    variables = list(trace.steps[0].state)
    rows = []
    previous: State | None = None
    for number, step in enumerate(trace.steps, start=1):
        cells = [_change(name, step.state, previous) for name in variables]
        rows.append(row(_number(example, number), label(step), *cells, _where(example, step)))
        previous = step.state
    if trace.closing is not None and trace.loop_to is not None:
        cells = [_change(name, trace.steps[trace.loop_to].state, previous) for name in variables]
        target = f"→ {trace.loop_to + 1}"
        rows.append(row(Text(target, "strong"), label(trace.closing), *cells, _where(example, trace.closing)))
    elif len(trace.steps) > 1:
        whole = [Text(show(trace.steps[-1].state[name]), "strong") for name in variables]
        rows.append(row("", Text(f"= state {len(trace.steps)}", "strong"), *whole, ""))
    columns = [Column("step", numeric=True), Column("action"), *map(Column, variables), Column("")]
    return Table(tuple(columns), tuple(rows))


def _narrow(example: CounterExample) -> list[Line]:
    """One line a step and one a changed variable."""
    trace, lines = example.trace, []
    previous: State | None = None
    moves = [(_number(example, number), step) for number, step in enumerate(trace.steps, start=1)]
    if trace.closing is not None and trace.loop_to is not None:
        moves.append((f"→ {trace.loop_to + 1}", trace.closing))
    for number, step in moves:
        lines.append(line(f"  {number:>3}  ", Text(label(step), "strong"), Text(f"  {_at(example, step)}", "dim")))
        for name, value in step.state.items():
            if previous is None or previous[name] != value:
                lines.append(line(f"         {name} = {show(value)}"))
        previous = step.state
    if trace.closing is None and len(trace.steps) > 1:
        lines.append(line("       ", Text(f"= state {len(trace.steps)}", "strong")))
        lines += [line(f"         {name} = {show(value)}") for name, value in trace.steps[-1].state.items()]
    return lines


def _number(example: CounterExample, number: int) -> str:
    # The arrow marks where a loop comes back to, beside the row that leads there.
    return f"↻ {number}" if example.trace.loop_to == number - 1 else str(number)


def _change(name: str, state: State, previous: State | None) -> Text:
    if previous is not None and previous[name] == state[name]:
        return UNCHANGED
    return Text(show(state[name]))


def _where(example: CounterExample, step: TraceStep) -> Text:
    return Text(_at(example, step), "dim")


def _at(example: CounterExample, step: TraceStep) -> str:
    return example.actions_where.get(step.action or "", "")


def _ending(example: CounterExample) -> list[Line]:
    trace = example.trace
    last = len(trace.steps)
    lines = []
    if trace.loop_to is not None:
        by = f" by {label(trace.closing)}" if trace.closing is not None else ""
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
