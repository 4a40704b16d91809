"""`protocheck explore`: a page to step through a protocol by hand or along a trace."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .commands_common import (
    check_writable,
    compile_target,
    complete_guards,
    set_option,
    target_argument,
    write_file,
)
from .toolchain.errors import UserError, nearest

if TYPE_CHECKING:
    from .toolchain.exploration.content import Content
    from .toolchain.traces import DescribedTrace
    from .transpiler import ir

PORT = 8470


@click.command()
@target_argument
@set_option
@click.option(
    "--trace",
    "trace_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Step along the traces in FILE, as `protocheck run --trace` or another tool wrote them.",
)
@click.option(
    "--variant",
    "guard",
    metavar="ACTION.GUARD",
    shell_complete=complete_guards,
    help="Show the variant without this guard beside the baseline, and its counter-example.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Write the page to a file that needs no server, and end.",
)
@click.option(
    "--max-states",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --output: states that the file holds.  [default: 4000]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    show_default=True,
    metavar="N",
    help="Where the page is served, on this machine only; the next free one if it is in use, 0: any.",
)
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
def explore(
    target: str,
    settings: tuple[str, ...],
    trace_file: Path | None,
    guard: str | None,
    output: Path | None,
    max_states: int | None,
    port: int,
    no_browser: bool,
) -> None:
    """Open a page to explore TARGET: what is enabled in each state, and which guard refuses the rest.

    The page is served on the loopback address until Ctrl-C. With --output it is a file by itself.
    """
    if output is not None:
        check_writable(output)
    elif max_states is not None:
        raise UserError("--max-states is for --output: a page behind a server asks for states as they are needed")
    protocol = compile_target(target)
    if guard is not None and guard not in protocol.guard_names:
        raise UserError(f"{protocol.name} has no guard {guard}{nearest(guard, protocol.guard_names)}")
    content = _content(protocol, target, settings, trace_file, guard)
    if output is not None:
        _write(content, output, max_states)
    else:
        _serve(content, port, browser=not no_browser)


def _content(
    protocol: ir.Protocol, target: str, settings: tuple[str, ...], trace_file: Path | None, guard: str | None
) -> Content:
    from .toolchain.exploration.content import Content
    from .toolchain.exploration.session import Exploration
    from .toolchain.settings import read_settings
    from .transpiler.instance import instantiate

    constants = read_settings(protocol, settings)
    if trace_file is None:
        content = Content(Exploration(instantiate(protocol, constants)), target, guard=guard)
        content.look_for(guard)
        return content
    from .toolchain.exploration.walks import needed, read_walks

    read = read_walks(protocol, constants, _examples(trace_file, guard), str(trace_file))
    if read.left_out:
        click.echo(f"{trace_file}: {read.left_out} more with other constants are left out", err=True)
    return Content(Exploration(read.instance, needed(read.walks)), target, list(read.walks), read.walks[0].guard)


def _examples(file: Path, guard: str | None) -> list[DescribedTrace]:
    """The traces of a file, that of the variant asked for first."""
    from .toolchain.trace_reading import read_trace_file

    examples = read_trace_file(file).examples
    known = [example.dropped for example in examples if example.dropped is not None]
    if guard is not None and guard not in known:
        raise UserError(f"{file} has no trace without the guard {guard}{nearest(guard, known)}")
    return sorted(examples, key=lambda example: guard is not None and example.dropped != guard)


def _write(content: Content, output: Path, max_states: int | None) -> None:
    from .toolchain.exploration.content import EMBEDDED_STATES, variants_for_a_file, whole_content
    from .toolchain.exploration.page import page

    shown = variants_for_a_file(content)
    data = whole_content(content, shown, max_states or EMBEDDED_STATES)
    write_file(output, page(data))
    click.echo(f"{output}: {embedded_text(data['embedded'])}")
    if not shown and content.session.guards:
        click.echo("no variant is in it: name one with --variant", err=True)


def embedded_text(embedded: dict[str, object]) -> str:
    """What a page by itself holds, in one sentence."""
    states = f"{embedded['states']:,} states"
    if embedded["baseline"] and embedded["variants"]:
        return f"all {states}"
    if embedded["baseline"]:
        return f"all states of the baseline, {states} with those of variants, which have more"
    return f"{states}, and the values of {embedded['border']:,} next to them; there are more (--max-states)"


def _serve(content: Content, port: int, *, browser: bool) -> None:
    from .toolchain.exploration.server import listening

    server = listening(content, port)
    try:
        if port and server.server_port != port:
            click.echo(f"port {port} is in use", err=True)
        click.echo(f"{server.url}  (Ctrl-C ends it)")
        sys.stdout.flush()
        if browser and _has_screen():
            import webbrowser

            webbrowser.open(server.url)
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo("ended", err=True)
    finally:
        server.server_close()


def _has_screen() -> bool:
    """Whether a browser would open a window: a text browser would take this terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
