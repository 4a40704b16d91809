"""How long a whole process takes to answer about a small protocol, beside one of Python's that does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .checkers_rows import ROOT


@dataclass(frozen=True)
class Startup:
    """A command line, without the interpreter. `bounded`: an answer is expected in a moment. `fresh`: the cache of
    compiled searches is empty."""

    name: str
    arguments: tuple[str, ...]
    bounded: bool = True
    fresh: bool = False


def _run(engine: str) -> tuple[str, ...]:
    return ("-m", "protocheck", "run", "rollback", "--engine", engine)


NOTHING = Startup("python -c pass", ("-c", "pass"), bounded=False)
STARTUPS = (
    NOTHING,
    Startup("protocheck run rollback --engine explorer", _run("explorer")),
    Startup("protocheck run rollback --engine native", _run("native")),
    Startup("protocheck run rollback --engine native, compiled first", _run("native"), bounded=False, fresh=True),
    Startup("protocheck run rollback, TLC confirming", _run("auto"), bounded=False),
)


def measure_startups(rounds: int, with_native: bool) -> dict[str, list[float]]:
    """Seconds of wall-clock time of each, one a round, in turns. A round before the first fills caches and is not kept.

    Without `with_native`, what needs a C compiler is left out.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    chosen = [startup for startup in STARTUPS if with_native or "native" not in startup.arguments]
    found: dict[str, list[float]] = {startup.name: [] for startup in chosen}
    with tempfile.TemporaryDirectory(prefix="protocheck-benchmark-") as bytecode:
        # Modules are compiled once and kept, as they are for everybody, whatever the environment here says.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
        for number in range(rounds + 1):
            for startup in chosen:
                seconds = _seconds(startup, environment)
                if number:
                    found[startup.name].append(seconds)
    return found


def _seconds(startup: Startup, environment: Mapping[str, str]) -> float:
    command = [sys.executable, *startup.arguments]
    with tempfile.TemporaryDirectory(prefix="protocheck-benchmark-") as empty:
        cache = {"PROTOCHECK_CACHE": empty} if startup.fresh else {}
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env={**environment, **cache}, capture_output=True, check=True)
        return time.perf_counter() - started
