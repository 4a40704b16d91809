"""What was measured, on what machine; kept in a file, so that a run that was interrupted goes on."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .checkers_engines import Measurement
from .checkers_spin import spin_version


@dataclass(frozen=True)
class Machine:
    """What the figures depend on. Tools that are not there are named as missing."""

    date: str
    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    compiler: str
    tlc: str
    java: str
    spin: str

    def same(self, other: Machine) -> bool:
        """Whether figures of one may stand beside those of the other: they are alike but for the day."""
        return asdict(self) | {"date": ""} == asdict(other) | {"date": ""}


@dataclass
class Results:
    """Measurements by row and round, words of a state by row, and seconds of whole processes by their names."""

    machine: Machine
    words: dict[str, int] = field(default_factory=dict)
    rounds: dict[str, list[dict[str, Measurement]]] = field(default_factory=dict)
    startups: dict[str, list[float]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write them down; what was there is replaced as a whole."""
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        beside.replace(path)


def load_results(path: Path, machine: Machine) -> Results:
    """What was kept in a file, or nothing yet.

    Raises:
        ValueError: it was measured elsewhere, or with other versions.
    """
    if not path.exists():
        return Results(machine)
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    kept = Machine(**found["machine"])
    if not kept.same(machine):
        raise ValueError(f"{path} was measured on another machine, or with other versions")
    rounds = {
        row: [{engine: Measurement(**values) for engine, values in each.items()} for each in measured]
        for row, measured in found["rounds"].items()
    }
    return Results(machine, dict(found["words"]), rounds, dict(found["startups"]))


def this_machine() -> Machine:
    """The machine and the tools here."""
    from protocheck.toolchain.native.compiler import CompilerNotFound, find_compiler
    from protocheck.toolchain.tlc import find_toolchain
    from protocheck.toolchain.tlc.errors import ToolError

    tlc = java = compiler = "none"
    try:
        tools = find_toolchain(archive="off")
        tlc = ".".join(map(str, tools.jar.version.number)) if tools.jar.version else "of unknown version"
        java = f"Java {'.'.join(map(str, tools.java.version))}"
    except ToolError:
        pass
    try:
        command = find_compiler().command
        compiler = _first_line([*command, "--version"])
    except CompilerNotFound:
        pass
    return Machine(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        compiler=compiler,
        tlc=tlc,
        java=java,
        spin=spin_version() or "no SPIN",
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip()
