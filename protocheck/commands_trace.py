"""`protocheck trace`: counter-examples, recordings and other tools' traces, as text, pictures, and tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .commands_common import NearestGroup, OneOf, complete_targets, emit, output_option, put, width
from .toolchain.errors import UserError, nearest

if TYPE_CHECKING:
    from .toolchain.trace_json import TraceFile
    from .toolchain.traces import DescribedTrace

FORMATS = ("text", "json", "svg", "png", "mermaid", "dot", "itf")

guard_option = click.option("--guard", metavar="ACTION.GUARD", help="Only the trace of the variant without this guard.")
instance_option = click.option("--instance", metavar="NAME", help="Only this instance of a recording.")


@click.group(cls=NearestGroup)
def trace() -> None:
    """Look at counter-examples and recordings, and make tests of them."""


@trace.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "kind", type=OneOf("format", FORMATS), default="text", show_default=True, help="How to show it."
)
@guard_option
@instance_option
@output_option
def show(file: Path, kind: str, guard: str | None, instance: str | None, output: Path | None) -> None:
    """Show the traces in FILE, or convert them.

    FILE was written by `protocheck run --trace` (or `--json`), by the scheduler's recorder, or by Apalache or Quint in
    the Informal Trace Format. Every format but text is a conversion: json is this project's own, itf the Informal
    Trace Format, mermaid for a comment on GitHub.
    """
    from .toolchain.trace_formats import write_one
    from .toolchain.trace_json import dumps

    found = selected(file, guard, instance)
    if kind == "text":
        _show_text(found.examples, output)
    elif kind == "json":
        _demand_one_protocol(found, file)
        put(dumps(found.as_json()), output)
    else:
        demand_one(found, file, "an ITF file holds one" if kind == "itf" else "a picture shows one")
        put(write_one(found, kind), output)


@trace.command("to-test")
@click.argument("file", type=click.Path(path_type=Path))
@guard_option
@instance_option
@click.option(
    "--protocol",
    "target",
    metavar="TARGET",
    shell_complete=complete_targets,
    help="The protocol, if FILE does not name it: rollback, FILE.py:Class, or package.module:Class.",
)
@click.option("--no-runtime", is_flag=True, help="Leave out what acts the trace out on a real model.")
@output_option
def to_test(
    file: Path, guard: str | None, instance: str | None, target: str | None, no_runtime: bool, output: Path | None
) -> None:
    """Write a pytest file that replays the traces in FILE on the class that runs.

    Of a counter-example without a guard it asserts that the class with the guard refuses the step, and that the class
    without it takes the step and violates the property; for tree_cache, hand_off and walk on a real model too. Of a
    recording it asserts that the run is possible.
    """
    from .toolchain.loading import load_protocol
    from .toolchain.trace_binding import bind
    from .toolchain.written_tests import pytest_source
    from .transpiler.frontend import compile_protocol

    found = selected(file, guard, instance)
    _demand_one_protocol(found, file)
    first = found.examples[0]
    named = target or first.target or first.protocol
    cls = load_protocol(named)
    bound = [bind(example, compile_protocol(cls), str(file)) for example in found.examples]
    folder = (output.parent if output is not None else Path()).absolute()
    put(pytest_source(bound, cls, named, folder, runtime=not no_runtime), output)


def selected(file: Path, guard: str | None, instance: str | None) -> TraceFile:
    """The traces of a file that the user asks for, at least one."""
    from .toolchain.trace_reading import read_trace_file

    traces = read_trace_file(file)
    if not traces.examples:
        raise UserError(f"{file} has no counter-example: nothing was violated")
    found = traces.only(guard)
    if not found.examples:
        known = [example.dropped for example in traces.examples if example.dropped is not None]
        raise UserError(f"{file} has no trace without the guard {guard}{nearest(str(guard), known)}")
    if instance is not None:
        known = [example.instance for example in found.examples if example.instance]
        found = found.only(guard, instance)
        if not found.examples:
            raise UserError(f"{file} has no instance {instance}{nearest(instance, known)}")
    return found


def demand_one(found: TraceFile, file: Path, why: str) -> None:
    """Raise `UserError` where the user has to choose among traces."""
    if len(found.examples) == 1:
        return
    number = len(found.examples)
    if found.examples[0].instance:
        names = ", ".join(example.instance for example in found.examples)
        raise UserError(f"{file} has {number} instances and {why}: add --instance ({names})")
    guards = ", ".join(example.dropped or "" for example in found.examples)
    raise UserError(f"{file} has {number} traces and {why}: add --guard ({guards})")


def _demand_one_protocol(found: TraceFile, file: Path) -> None:
    heads = {(example.protocol, tuple(example.constants.items())) for example in found.examples}
    if len(heads) > 1:
        demand_one(found, file, "a JSON file holds those of one protocol")


def _show_text(examples: tuple[DescribedTrace, ...], output: Path | None) -> None:
    from .toolchain.layout import BLANK, Block, line, render_plain
    from .toolchain.trace_text import trace_blocks
    from .transpiler.domains import show as show_value

    blocks: list[Block] = []
    heading = ""
    for example in examples:
        constants = "".join(f"  {name}={show_value(value)}" for name, value in example.constants.items())
        head = f"{example.instance or example.protocol}{constants}"
        if head != heading:
            heading = head
            blocks += [*([BLANK] if blocks else ()), line(head)]
        blocks += [BLANK, *trace_blocks(example, width() if output is None else 120)]
    if output is None:
        emit(blocks)
    else:
        put(render_plain(blocks), output)
