"""`protocheck trace show` and `protocheck graph`: what was found, as text, pictures or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .commands_common import (
    NearestGroup,
    OneOf,
    check_writable,
    compile_target,
    complete_guards,
    emit,
    set_option,
    target_argument,
    width,
    write_file,
)
from .toolchain.errors import UserError, nearest

if TYPE_CHECKING:
    from .toolchain.trace_json import TraceFile
    from .toolchain.traces import DescribedTrace

output_option = click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE in place of standard output."
)

DRAWABLE = 250
"""States up to which a drawn graph can be looked at."""
LISTABLE = 100_000
"""States up to which a graph is written as JSON without being asked twice."""


@click.group(cls=NearestGroup)
def trace() -> None:
    """Look at counter-examples."""


@trace.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=OneOf("format", ("text", "dot", "svg", "json")),
    default="text",
    show_default=True,
    help="How to show it.",
)
@click.option("--guard", metavar="ACTION.GUARD", help="Only the trace of the variant without this guard.")
@output_option
def show(file: Path, kind: str, guard: str | None, output: Path | None) -> None:
    """Show the traces in FILE, written by `protocheck run --trace FILE` (or by `--json`)."""
    from .toolchain.trace_json import dumps, read_traces

    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is no text, so it is no trace that `protocheck run --trace` wrote") from None
    found = _selected(read_traces(text, str(file)), guard, file)
    if kind == "json":
        _put(dumps(found.as_json()), output)
    elif kind == "text":
        _show_text(found.examples, output)
    elif len(found.examples) == 1:
        from .toolchain.picture import trace_picture, write_picture

        _put(write_picture(trace_picture(found.examples[0]), kind), output)
    else:
        guards = ", ".join(example.dropped or "" for example in found.examples)
        raise UserError(f"{file} has {len(found.examples)} traces and a picture shows one: add --guard ({guards})")


def _selected(traces: TraceFile, guard: str | None, file: Path) -> TraceFile:
    if not traces.examples:
        raise UserError(f"{file} has no counter-example: nothing was violated")
    if guard is None:
        return traces
    found = traces.only(guard)
    if not found.examples:
        known = [example.dropped for example in traces.examples if example.dropped is not None]
        raise UserError(f"{file} has no trace without the guard {guard}{nearest(guard, known)}")
    return found


def _show_text(examples: tuple[DescribedTrace, ...], output: Path | None) -> None:
    from .toolchain.layout import BLANK, Block, line, render_plain
    from .toolchain.trace_text import trace_blocks
    from .transpiler.domains import show as show_value

    first = examples[0]
    constants = "".join(f"  {name}={show_value(value)}" for name, value in first.constants.items())
    blocks: list[Block] = [line(f"{first.protocol}{constants}")]
    for example in examples:
        blocks += [BLANK, *trace_blocks(example, width() if output is None else 120)]
    if output is None:
        emit(blocks)
    else:
        _put(render_plain(blocks), output)


def _put(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        check_writable(output)
        write_file(output, text if text.endswith("\n") else text + "\n")


@click.command()
@target_argument
@set_option
@click.option(
    "--format",
    "kind",
    type=OneOf("format", ("dot", "svg", "json")),
    default="dot",
    show_default=True,
    help="How to write it.",
)
@click.option(
    "--without",
    "guard",
    metavar="ACTION.GUARD",
    shell_complete=complete_guards,
    help="The graph of the variant without this guard.",
)
@click.option(
    "--max-states",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Refuse larger graphs.  [default: {DRAWABLE}, for json {LISTABLE}]",
)
@output_option
@click.pass_context
def graph(
    ctx: click.Context,
    target: str,
    settings: tuple[str, ...],
    kind: str,
    guard: str | None,
    max_states: int | None,
    output: Path | None,
) -> None:
    """Write the reachable states of TARGET and the steps between them."""
    from .toolchain.settings import read_settings
    from .transpiler.domains import show as show_value
    from .transpiler.instance import instantiate
    from .transpiler.mutation import drop_guard
    from .transpiler.naming import snake_case

    if output is not None:
        check_writable(output)
    protocol = compile_target(target)
    constants = read_settings(protocol, settings)
    if guard is not None:
        if guard not in protocol.guard_names:
            raise UserError(f"{protocol.name} has no guard {guard}{nearest(guard, protocol.guard_names)}")
        protocol = drop_guard(protocol, guard)
    instance = instantiate(protocol, constants)
    limit = max_states or (LISTABLE if kind == "json" else DRAWABLE)
    from .toolchain.explorer import state_graph

    found = state_graph(instance, limit)
    if found is None:
        click.echo(f"{snake_case(protocol.name)} has more than {limit:,} states: raise --max-states", err=True)
        ctx.exit(4)
    if kind == "json":
        from .toolchain.report_json import graph_json
        from .toolchain.trace_json import dumps

        _put(dumps(graph_json(instance, found)), output)
    else:
        from .toolchain.picture import graph_picture, write_picture

        shown = "".join(f"  {item.name}={show_value(instance.constants[item.name])}" for item in protocol.constants)
        _put(write_picture(graph_picture(found, snake_case(protocol.name) + shown), kind), output)
