"""What several commands share: naming a protocol and its constants, and writing results out."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .toolchain.errors import UserError, nearest

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from .toolchain.layout import Block
    from .transpiler import ir

F = TypeVar("F", bound=Callable[..., Any])

PLAIN_WIDTH = 120
"""How wide a trace may be in a file or a pipe before it is written as a list."""


class NearestGroup(click.Group):
    """A group that answers an unknown command with the nearest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise UserError(f"there is no command {args[0]}{nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class OneOf(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """One of a few words; any other is answered with the nearest."""

    def __init__(self, noun: str, words: Sequence[str]) -> None:
        self.name = noun
        self.words = tuple(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.words:
            raise UserError(f"there is no {self.name} {value}{nearest(str(value), self.words)}")
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self.words)}]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return items(self.words, incomplete)


class Number(click.FloatRange):
    """A number of which something can be so many: in its range, and neither `inf` nor `nan`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number.", param, ctx)
        return found


def items(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The words that complete what was typed."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def compile_target(target: str) -> ir.Protocol:
    """The protocol that a user names, compiled; `UserError` or `CompileError` where that fails."""
    from .toolchain.loading import load_protocol
    from .transpiler.frontend import compile_protocol

    return compile_protocol(load_protocol(target))


# ---------------------------------------------------------------------------------------------------- completion


def complete_targets(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Built-in names, and files where none fits."""
    from click.shell_completion import CompletionItem

    from .toolchain.loading import built_in_names

    return items(built_in_names(), incomplete) or [CompletionItem(incomplete, type="file")]


def _named(ctx: click.Context) -> ir.Protocol | None:
    """The protocol on the command line so far; completion stays silent about what is wrong with it."""
    # Behind an option that still lacks its value, click leaves the arguments unassigned.
    target = ctx.params.get("target") or next(iter(ctx.args), "")
    try:
        return compile_target(str(target))
    except Exception:
        return None


def complete_properties(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The properties of the protocol named before."""
    from .toolchain.report import checkable

    protocol = _named(ctx)
    return items(checkable(protocol), incomplete) if protocol is not None else []


def complete_guards(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The guards of the protocol named before."""
    protocol = _named(ctx)
    return items(protocol.guard_names, incomplete) if protocol is not None else []


def complete_settings(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The constants of the protocol named before, with an equals sign."""
    protocol = _named(ctx)
    return items((f"{constant.name}=" for constant in protocol.constants), incomplete) if protocol is not None else []


# ------------------------------------------------------------------------------------------------------- options

target_argument = click.argument("target", shell_complete=complete_targets)

set_option = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    shell_complete=complete_settings,
    help="Give a constant another value; may be repeated.",
)


output_option = click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE in place of standard output."
)


# -------------------------------------------------------------------------------------------------------- output


def emit(blocks: Iterable[Block]) -> None:
    """Tables with colour at a terminal, aligned text elsewhere."""
    from .toolchain.layout import render_plain

    if sys.stdout.isatty():
        from .toolchain.layout_rich import render_rich

        render_rich(blocks, sys.stdout)
    else:
        click.echo(render_plain(blocks), nl=False)


def cores() -> int:
    """The cores this process may use, which a container may hold below what the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def width() -> int:
    """How wide a table may be where the output goes."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PLAIN_WIDTH


def put(content: str | bytes, output: Path | None) -> None:
    """Write a result to a file or to standard output; a text ends with a newline, bytes are not for a terminal."""
    if isinstance(content, str) and not content.endswith("\n"):
        content += "\n"
    if output is not None:
        check_writable(output)
        write_file(output, content)
    elif isinstance(content, bytes) and sys.stdout.isatty():
        raise UserError("a terminal cannot show this picture: add --output FILE")
    else:
        click.echo(content, nl=False)


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written before a long run, not after it."""
    folder = path.parent
    # The functions of os.path answer where those of Path raise, at a name that is too long, say.
    if os.path.isdir(path):
        raise UserError(f"{path} is a folder; name a file")
    if not os.path.isdir(folder):
        raise UserError(f"{path} cannot be written: there is no folder {folder}")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise UserError(f"{path} cannot be written: permission denied")


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; through a link, a pipe or a device, which are never replaced.

    Raises `UserError` where the system refuses.
    """
    # In a folder where nothing can be made, a file that is there can still be written.
    plain = not os.path.islink(path) and (os.path.isfile(path) or not os.path.exists(path))
    replaceable = plain and os.access(path.parent, os.W_OK)
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        if replaceable:
            _replace(path, data)
        else:
            path.write_bytes(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from None


def _mode(path: Path) -> int:
    """The permissions of a file: those that it has, and of a new one those of any file that the user makes."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(os.stat(path).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _replace(path: Path, data: bytes) -> None:
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, _mode(path))
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
