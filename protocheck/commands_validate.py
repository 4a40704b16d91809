"""`protocheck validate`: is this log of a real system a behaviour of the protocol?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from .commands_common import complete_targets, emit, set_option, write_file
from .toolchain.errors import UserError

if TYPE_CHECKING:
    from .toolchain.validation.following import Follower
    from .toolchain.validation.results import Options


@click.command()
@click.argument("log", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--protocol",
    "target",
    required=True,
    metavar="TARGET",
    shell_complete=complete_targets,
    help="The protocol: rollback, FILE.py:Class, or package.module:Class.",
)
@set_option
@click.option("--instance", "instances", metavar="NAME", multiple=True, help="Only this instance of a recording.")
@click.option("--unlogged", metavar="ACTION", multiple=True, help="An action that may happen without being in the log.")
@click.option(
    "--skip", "skipped", metavar="ACTION", multiple=True, help="Pass over events with this action, which is foreign."
)
@click.option("--assumptions", is_flag=True, help="Demand that the environment keeps the assumptions too.")
@click.option("--from-anywhere", "anywhere", is_flag=True, help="The log need not begin in an initial state.")
@click.option("--truncated", is_flag=True, help="Accept a last line that is cut off.")
@click.option(
    "--max-states",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Give up where more states are possible at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/validate.md) in place of the text.")
@click.option(
    "--tla-trace-spec",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a specification of this log, for TLC, into DIR as well.",
)
@click.pass_context
def validate(
    ctx: click.Context,
    log: Path,
    target: str,
    settings: tuple[str, ...],
    instances: tuple[str, ...],
    unlogged: tuple[str, ...],
    skipped: tuple[str, ...],
    assumptions: bool,
    anywhere: bool,
    truncated: bool,
    max_states: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Say whether LOG, a file of one JSON object an event or `-` for a pipe, is a behaviour of a protocol.

    LOG is a recording of the scheduler (docs/scheduler.md), or names in each line an `action`, as much of its `args`
    as is known, and as much of the `state` after it as was seen.

    Exit codes: 0 it is a behaviour, 1 an event cannot have happened, 2 wrong use or a log that cannot be read, 4 it
    was not decided.
    """
    from .toolchain.loading import load_protocol
    from .toolchain.settings import read_settings
    from .toolchain.validation.report import exit_code, validation_blocks, validation_json
    from .toolchain.validation.results import Options
    from .toolchain.validation.validate import follow
    from .transpiler.frontend import compile_protocol

    cls = load_protocol(target)
    constants = read_settings(compile_protocol(cls), settings)
    options = Options(frozenset(unlogged), frozenset(skipped), assumptions, anywhere, truncated, max_states)
    name = "standard input" if str(log) == "-" else str(log)
    with _opened(log) as file:
        followed = follow(
            _lines(file),
            cls,
            name=name,
            options=options,
            constants=constants,
            instances=instances,
            keeps=folder is not None,
        )
    found = [follower.answer() for follower in followed]
    if folder is not None:
        _write_specification(followed, options, folder)
    if as_json:
        from .toolchain.trace_json import dumps

        click.echo(dumps(validation_json(found)), nl=False)
    else:
        emit(validation_blocks(found, name))
    ctx.exit(exit_code(found))


@contextmanager
def _opened(log: Path) -> Iterator[BinaryIO]:
    if str(log) == "-":
        if sys.stdin is None:  # the caller has closed it
            raise UserError("standard input is closed: name a file, or pipe the log in")
        yield sys.stdin.buffer
        return
    try:
        file = log.open("rb")
    except OSError as error:
        raise UserError(f"{log} cannot be read: {error.strerror}") from None
    with file:
        yield file


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file as they come, each as long as a line may be at most: a pipe may bring anything."""
    from .toolchain.validation.lines import LONGEST

    try:
        yield from iter(lambda: file.readline(LONGEST + 1), b"")
    except OSError as error:
        raise UserError(f"the log cannot be read: {error.strerror or error}") from None


def _write_specification(followed: Sequence[Follower], options: Options, folder: Path) -> None:
    from .toolchain.validation.tla_spec import log_specification

    if len(followed) > 1:
        names = ", ".join(follower.instance for follower in followed)
        raise UserError(f"a specification is of one instance: add --instance ({names})")
    (follower,) = followed
    specification = log_specification(follower.model, follower.begun, follower.journal, options)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from None
    for name, text in specification.files.items():
        write_file(folder / name, text)
    click.echo(
        f"{folder / specification.module}.tla: TLC reports that {specification.unexplained} is violated if and only if "
        "the log, as far as it was read, is a behaviour",
        err=True,
    )
