"""`protocheck graph`: the reachable states and the steps between them, as a picture or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .commands_common import (
    OneOf,
    check_writable,
    compile_target,
    complete_guards,
    output_option,
    put,
    set_option,
    target_argument,
)
from .toolchain.errors import UserError, nearest

if TYPE_CHECKING:
    from .toolchain.picture import Picture

DRAWABLE = 250
"""States up to which a drawn graph can be looked at."""
LISTABLE = 100_000
"""States up to which a graph is written as JSON without being asked twice."""
LEFT_OUT = {"type_ok": "steps out of a variable's domain", "well_defined": "steps that have no value"}


@click.command()
@target_argument
@set_option
@click.option(
    "--format",
    "kind",
    type=OneOf("format", ("dot", "svg", "png", "json")),
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
    from .toolchain.explorer import state_graph, violated_by_steps

    found = state_graph(instance, limit)
    if found is None:
        click.echo(f"{snake_case(protocol.name)} has more than {limit:,} states: raise --max-states", err=True)
        ctx.exit(4)
    for name in violated_by_steps(instance, found):
        click.echo(f"{name} is violated: {LEFT_OUT[name]} are left out of the graph", err=True)
    if kind == "json":
        from .toolchain.report_json import graph_json
        from .toolchain.trace_json import dumps

        put(dumps(graph_json(instance, found)), output)
    else:
        from .toolchain.picture import graph_picture

        shown = "".join(f"  {item.name}={show_value(instance.constants[item.name])}" for item in protocol.constants)
        put(_drawn(graph_picture(found, snake_case(protocol.name) + shown), kind), output)


def _drawn(picture: Picture, kind: str) -> str | bytes:
    from .toolchain.drawing import png_of
    from .toolchain.picture import dot_source, svg_source

    if kind == "dot":
        return dot_source(picture)
    svg = svg_source(picture)
    return png_of(svg) if kind == "png" else svg
