"""A C compiler: the system's, or the one of the `ziglang` wheel; and what it made, kept in the user's cache."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import os
import platform
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..tlc.cache import cache_directory, remove_tree, staged
from ..tlc.errors import ToolError
from ..tlc.process import run_process

VARIABLE = "PROTOCHECK_CC"
"""Names the compiler to use, with options if need be; `none` means that there is none."""

FLAGS = ("-std=gnu11", "-O2", "-pthread")

MOST_KEPT = 400
"""So many programs are kept; of more, those that were used longest ago are removed."""

COMPILE_SECONDS = 300.0

ABANDONED = 24 * 3600.0
"""Seconds after which nobody compiles any more what was begun."""


class CompilerNotFound(ToolError):
    """There is no C compiler, or the one that was asked for cannot be used."""


class Cancelled(Exception):
    """It was cancelled while it compiled."""


class OutOfTime(Exception):
    """There was no time to compile it."""


@dataclass(frozen=True)
class Compiler:
    """A command that compiles C, what to call it, and options beside our own, which they may overrule."""

    command: tuple[str, ...]
    name: str
    options: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """Changes whenever the compiler does, as far as can be told without running it."""
        words = " ".join((*self.command, *self.options))
        found = shutil.which(self.command[0]) or self.command[0]
        with suppress(OSError):
            status = os.stat(found)
            return f"{words} {status.st_size} {status.st_mtime_ns} {platform.machine()}"
        return words


def find_compiler(env: Mapping[str, str] | None = None) -> Compiler:
    """The compiler that PROTOCHECK_CC names, else `cc`, `gcc` or `clang` on the path, else that of the ziglang wheel.

    Raises:
        CompilerNotFound: there is none, with what to do about it.
    """
    env = os.environ if env is None else env
    if os.name != "posix":
        raise CompilerNotFound("The native engine needs a POSIX system.", remedy="Use --engine explorer here.")
    named = env.get(VARIABLE, "").strip()
    if named == "none":
        raise CompilerNotFound(f"There is no C compiler: {VARIABLE}=none.")
    if named:
        return _named(shlex.split(named), env)
    for candidate in ("cc", "gcc", "clang"):
        if found := shutil.which(candidate, path=env.get("PATH")):
            return Compiler((os.path.abspath(found),), candidate)
    if importlib.util.find_spec("ziglang") is not None:
        return Compiler((sys.executable, "-m", "ziglang", "cc"), "zig cc")
    raise CompilerNotFound(
        "There is no C compiler for the native engine.",
        reason="Neither cc, gcc nor clang is on the path, and the ziglang wheel is not installed.",
        remedy='Install one: pip install "protocheck-tla[native]", or your system\'s gcc or clang.',
    )


def _named(words: list[str], env: Mapping[str, str]) -> Compiler:
    """`ccache gcc -O3`: the command is all before the first option. Ours come between, for these to overrule."""
    options = list(itertools.dropwhile(lambda word: not word.startswith("-"), words[1:]))
    command = words[: len(words) - len(options)]
    found = shutil.which(command[0], path=env.get("PATH"))
    if found is None:
        raise CompilerNotFound(
            f"{VARIABLE} names {command[0]}, which is no command.", remedy="Correct it, or unset it."
        )
    # It is run in another directory.
    return Compiler((os.path.abspath(found), *command[1:]), " ".join((Path(found).name, *command[1:])), tuple(options))


def executable_for(
    source: str,
    compiler: Compiler,
    cancel: threading.Event | None = None,
    seconds: float | None = None,
    *,
    anew: bool = False,
) -> Path:
    """The compiled source, from the cache where it was compiled before, and need not be `anew`.

    Raises:
        ToolError: it cannot be compiled, or the cache not be written.
        OutOfTime: not in so many seconds.
        Cancelled: `cancel` was set.
    """
    key = hashlib.sha256("\0".join((source, compiler.identity, *FLAGS)).encode()).hexdigest()
    folder = cache_directory() / "native"
    target = folder / key[:32]
    if target.exists() and not anew:
        with suppress(OSError):
            os.utime(target)  # it is used: to be kept
        return target
    with staged(target) as written:
        _compile(source, compiler, written, cancel, seconds)
    _tidy(folder)
    return target


def _compile(
    source: str, compiler: Compiler, target: Path, cancel: threading.Event | None, seconds: float | None
) -> None:
    with tempfile.TemporaryDirectory(prefix="protocheck-native-") as name:
        directory = Path(name)
        (directory / "search.c").write_text(source, encoding="utf-8")
        output, errors = directory / "stdout", directory / "stderr"
        done = run_process(
            [*compiler.command, *FLAGS, *compiler.options, "-o", "search", "search.c"],
            directory=directory,
            stdout=output,
            stderr=errors,
            timeout=COMPILE_SECONDS if seconds is None else min(COMPILE_SECONDS, seconds),
            cancel=cancel,
        )
        if done.ended == "cancelled":
            raise Cancelled
        if done.ended == "timeout" and seconds is not None and seconds < COMPILE_SECONDS:
            raise OutOfTime
        if done.exit_status != 0 or not (directory / "search").exists():
            said = errors.read_text(encoding="utf-8", errors="replace").strip() or output.read_text(errors="replace")
            why = f"not within {COMPILE_SECONDS:g} seconds" if done.ended == "timeout" else _first_error(said)
            raise ToolError(
                f"{compiler.name} cannot compile the search.",
                reason=why,
                remedy=f"Name another compiler with {VARIABLE}, or use --engine explorer.",
            )
        shutil.move(directory / "search", target)
        # Whoever finds it later finds all of it, also after a power failure.
        with target.open("rb") as written:
            os.fsync(written.fileno())


def _first_error(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line), lines[0] if lines else "It does not say why.")


def _tidy(folder: Path) -> None:
    """Remove what was used longest ago, beyond what is kept, and what others began and never ended; another process may
    do the same."""
    with suppress(OSError):
        for item in folder.glob(".*"):
            with suppress(OSError):
                if time.time() - item.stat().st_mtime > ABANDONED:
                    remove_tree(item)
    with suppress(OSError):
        kept = sorted(
            (item for item in folder.iterdir() if not item.name.startswith(".")),
            key=lambda item: item.stat().st_mtime,
        )
        for item in kept[:-MOST_KEPT]:
            with suppress(OSError):
                item.unlink()
