"""The command line: every command, and the exit codes in which they end.

Exit codes: 0 everything held and every mutant is accounted for, 1 a violation or an unaccounted mutant, 2 wrong use or
a protocol that does not compile, 3 a tool failed or engines disagree, 4 inconclusive, 70 a bug of ours, 130
interrupted, 128 and the number of any other signal that ended it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, TextIO

import click

from .commands_common import NearestGroup
from .commands_decode import decode
from .commands_explore import explore
from .commands_graph import graph
from .commands_run import run
from .commands_tools import completion, generate, list_protocols, toolchain
from .commands_trace import trace
from .commands_validate import validate
from .toolchain.errors import UserError
from .toolchain.tlc.errors import ToolError
from .transpiler.diagnostics import CompileError

EXIT_USAGE, EXIT_TOOL, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_PIPE, EXIT_SIGNAL = 2, 3, 70, 130, 141, 128

_OF_THE_SYSTEM = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EFBIG", "EMFILE", "ENFILE", "EAGAIN", "EACCES", "EPERM")
    if hasattr(errno, name)
)
"""A full disk, too many files or processes: neither the user's mistake nor a bug of ours."""


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"protocheck {version('protocheck-tla')}")
        ctx.exit(0)


class _OutputClosed(Exception):
    """Standard output was closed before everything was written."""


class _Root(NearestGroup):
    """The whole command line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Click would end with 1, which says that something is violated.
            raise _OutputClosed from None


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """Check a protocol that is written once in Python, break it guard by guard, and show what goes wrong."""


cli.add_command(list_protocols)
cli.add_command(run)
cli.add_command(decode)
cli.add_command(generate)
cli.add_command(trace)
cli.add_command(graph)
cli.add_command(explore)
cli.add_command(validate)
cli.add_command(toolchain)
cli.add_command(completion)


class _Terminated(BaseException):
    """The process was asked to end; unwinds like an interrupt, so that nothing started is left behind."""

    def __init__(self, number: int) -> None:
        self.number = number


def _terminate(number: int, _: FrameType | None) -> None:
    raise _Terminated(number)


def _end_cleanly_on(name: str) -> None:
    """Unwind at a signal; one that is ignored (by `nohup`, say) stays ignored, one the system lacks is none."""
    number = getattr(signal, name, None)
    if number is None or signal.getsignal(number) is signal.SIG_IGN:
        return
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(number, _terminate)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: runs a command and exits with its code; no user sees a traceback for his own mistake."""
    # Python has no stream where the caller has closed it (`>&-`).
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # it is open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, never a failed run.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    _end_cleanly_on("SIGTERM")
    _end_cleanly_on("SIGHUP")  # the terminal was closed
    sys.exit(_exit_code(list(arguments) if arguments is not None else None))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        result: Any = cli.main(arguments, prog_name="protocheck", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        with _saying():
            error.show()
        return EXIT_USAGE
    except UserError as error:
        return _fail(str(error), EXIT_USAGE)
    except CompileError as error:
        with _saying():
            click.echo(str(error), err=True)
        return EXIT_USAGE
    except ToolError as error:
        return _fail(str(error), EXIT_TOOL)
    except (KeyboardInterrupt, click.Abort):
        with _saying():
            click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except _Terminated as ended:
        with _saying():
            click.echo("terminated", err=True)
        return EXIT_SIGNAL + ended.number
    except (BrokenPipeError, _OutputClosed):
        # Whoever read our output has seen enough.
        _drop(sys.stdout)
        return EXIT_PIPE
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            return _internal(error)
        _drop(sys.stdout)
        return _fail(f"the system refused: {error}", EXIT_TOOL)
    except Exception as error:
        return _internal(error)


def _drop(stream: TextIO) -> None:
    """What is still to be written goes nowhere, so that the flush at exit does not complain a second time."""
    with contextlib.suppress(OSError, ValueError):  # a stand-in for the stream has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def _saying() -> Iterator[None]:
    """Where an error cannot even be told, since the terminal is gone or the disk full, its exit code still can."""
    try:
        yield
    except OSError:
        _drop(sys.stderr)


def _fail(message: str, code: int) -> int:
    with _saying():
        click.echo(f"{click.style('error:', fg='red', bold=True)} {message}", err=True)
    return code


def _internal(error: Exception) -> int:
    if os.environ.get("PROTOCHECK_DEBUG"):
        import traceback

        traceback.print_exception(error)
    text = " ".join(str(error).split())
    hint = "" if os.environ.get("PROTOCHECK_DEBUG") else " (PROTOCHECK_DEBUG=1 shows where)"
    return _fail(
        f"this is a bug in protocheck, please report it: {type(error).__name__}: {text}{hint}",
        EXIT_INTERNAL,
    )
