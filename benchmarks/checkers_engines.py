"""One checker on one row, once: `python -m benchmarks.checkers_engines ENGINE ROW FOLDER` prints a `Measurement`.

It is a process of its own, so that its memory is its own. What runs beside Python, native searches and SPIN's
verifiers, is run under `benchmarks/peak.c`, in the folder that `prepare` has filled.
"""

from __future__ import annotations

import json
import platform
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from subprocess import run
from typing import NoReturn

from .checkers_rows import MILLION, ROOT, Row, instance_of, row_named, safety_of
from .checkers_spin import ORDERS, build_verifier, demand_counts, limits_for, read_verifier, spin_version

NATIVE, NATIVE_2, EXPLORER, TLC, TLC_2, SPIN = (
    "native",
    "native, 2 threads",
    "explorer",
    "TLC",
    "TLC, 2 workers",
    "SPIN",
)
ENGINES = (NATIVE, NATIVE_2, EXPLORER, TLC, TLC_2, SPIN)

MOST_TRANSITIONS = {EXPLORER: 4 * MILLION, TLC: 4 * MILLION, TLC_2: 20 * MILLION}
"""Larger rows take too long: the explorer and one worker never search them, two workers on demand."""

_CLOCK_IS_COARSE = 0.1
"""Seconds below which hundredths are not enough."""


@dataclass(frozen=True)
class Measurement:
    """One run of one checker.

    Attributes:
        seconds: of search, without start-up or compilation.
        peak_mib: the most memory that it had resident, in MiB, beyond a run that does nothing; of TLC, all of it.
        depth: in states, from 1; None where the order of the search does not tell.
        order: of SPIN, the order of the search.
        others: cores that other processes used meanwhile.
    """

    engine: str
    seconds: float
    peak_mib: float
    distinct: int
    generated: int
    depth: int | None
    order: str = ""
    others: float = 0.0

    @property
    def rate(self) -> float:
        """Generated transitions a second."""
        return self.generated / self.seconds

    @property
    def bytes_a_state(self) -> float:
        return self.peak_mib * 2**20 / self.distinct


def takes_part(engine: str, row: Row, full: bool) -> bool:
    """Whether a row is small enough for an engine; `full` lifts the limit of TLC with two workers."""
    if engine == SPIN and row.spin is None:
        return False
    limit = None if full and engine == TLC_2 else MOST_TRANSITIONS.get(engine)
    cost = row.tlc_cost if engine in (TLC, TLC_2) else 1
    return limit is None or row.generated * cost <= limit


def absent() -> dict[str, str]:
    """The checkers that are not installed here, and why they are left out."""
    from protocheck.toolchain.native.compiler import CompilerNotFound, find_compiler
    from protocheck.toolchain.tlc import find_toolchain
    from protocheck.toolchain.tlc.errors import ToolError

    missing: dict[str, str] = {}
    try:
        find_compiler()
    except CompilerNotFound as error:
        missing |= dict.fromkeys((NATIVE, NATIVE_2, SPIN), str(error))
    try:
        find_toolchain(archive="off")
    except ToolError as error:
        missing |= dict.fromkeys((TLC, TLC_2), str(error))
    if spin_version() is None:
        missing[SPIN] = "There is no `spin` on the path (Debian: apt-get install spin)."
    return missing


def prepare(rows: Sequence[Row], with_spin: bool, folder: Path) -> None:
    """Build what measures, and SPIN's verifiers in both orders, where there is a compiler."""
    from protocheck.toolchain.native.compiler import CompilerNotFound, find_compiler

    try:
        compiler = find_compiler().command
    except CompilerNotFound:
        # What needs it is left out.
        return
    run([*compiler, "-O2", "-o", str(folder / "peak"), str(ROOT / "benchmarks" / "peak.c")], check=True)
    for row in rows:
        for order in ORDERS if with_spin and row.spin is not None else ():
            place = _verifier_folder(folder, row, order)
            if not (place / "pan").exists():
                build_verifier(row, order, compiler, place)


def measure(engine: str, row: Row, folder: Path) -> Measurement:
    """Run a checker once; for SPIN, `engine` says in which order. Ends the process where it does not find the row's
    figures."""
    if engine.startswith(SPIN):
        return _measure_spin(row, engine.removeprefix(SPIN).strip(), folder)
    if engine in (NATIVE, NATIVE_2):
        found = _measure_native(engine, row, folder)
    elif engine == EXPLORER:
        found = _measure_explorer(row)
    else:
        found = _measure_tlc(engine, row)
    # Where TLC's workers reach a state by a longer way first, it says a greater depth.
    same_depth = found.depth >= row.depth if engine == TLC_2 else found.depth == row.depth
    if (found.distinct, found.generated) != (row.distinct, row.generated) or not same_depth:
        _fail(row, engine, f"found {found.distinct:,}, {found.generated:,}, {found.depth}")
    return found


def _measure_native(engine: str, row: Row, folder: Path) -> Measurement:
    from protocheck.toolchain.native.compiler import executable_for, find_compiler
    from protocheck.toolchain.native.memory import available_memory
    from protocheck.toolchain.native.process import Limits, Outcome, run_search
    from protocheck.transpiler.packing.c_program import c_program
    from protocheck.transpiler.packing.program import compile_program

    instance = instance_of(row)
    program = c_program(compile_program(instance, safety_of(instance)))
    executable = executable_for(program.source, find_compiler())
    threads, memory = (2 if engine == NATIVE_2 else 1), available_memory()

    def search(states: int | None) -> tuple[Outcome, float]:
        report = folder / "native.txt"
        under = (str(folder / "peak"), str(report))
        limits = Limits(threads, memory, states, None)
        outcome = run_search(executable, limits, words=program.words, with_states=False, under=under)
        return outcome, _reported(report)[1]

    _, idle = search(1)
    outcome, peak = search(None)
    if outcome.stopped or outcome.violation is not None:
        _fail(row, engine, f"stopped: {outcome.stopped or 'a violation'}")
    return Measurement(engine, outcome.seconds, peak - idle, outcome.distinct, outcome.generated, outcome.depth)


def _measure_explorer(row: Row) -> Measurement:
    from protocheck.toolchain.explorer import ExplorerEngine
    from protocheck.toolchain.results import CheckJob

    instance = instance_of(row)
    idle = _peak(resource.RUSAGE_SELF)
    result = ExplorerEngine().check(CheckJob(instance, safety_of(instance)))
    peak = _peak(resource.RUSAGE_SELF)
    if result.status != "holds" or result.stats is None:
        _fail(row, EXPLORER, f"{result.status} {result.reason}")
    stats = result.stats
    return Measurement(EXPLORER, stats.seconds, peak - idle, stats.distinct, stats.generated, stats.depth)


def _measure_tlc(engine: str, row: Row) -> Measurement:
    from protocheck.toolchain.generate import config_text, module_files, safety_config
    from protocheck.toolchain.tlc import TlcJob, find_toolchain, run_tlc
    from protocheck.transpiler.tla import build_module

    instance = instance_of(row)
    module = build_module(instance.protocol, instance.constants, None)
    config = replace(safety_config(module), symmetry=None)
    job = TlcJob(
        {**module_files(module), f"{module.name}.cfg": config_text(config)},
        module.name,
        f"{module.name}.cfg",
        workers=2 if engine == TLC_2 else 1,
        short_run=False,
    )
    done = run_tlc(job, find_toolchain(archive="off"))
    stats = done.outcome.stats
    if done.outcome.kind != "no_error" or stats is None or done.search_seconds is None:
        _fail(row, engine, f"{done.outcome.kind}: {done.outcome.message}")
    assert stats.distinct is not None
    assert stats.generated is not None
    peak = _peak(resource.RUSAGE_CHILDREN)
    return Measurement(engine, done.search_seconds, peak, stats.distinct, stats.generated, stats.depth)


def _measure_spin(row: Row, order: str, folder: Path) -> Measurement:
    pan, report = _verifier_folder(folder, row, order) / "pan", folder / "spin.txt"
    under = [str(folder / "peak"), str(report), str(pan)]
    run([*under, "-V"], capture_output=True, check=False)
    idle = _reported(report)[1]
    done = run([*under, *limits_for(row)], capture_output=True, text=True, cwd=pan.parent, check=False)
    found = read_verifier(done.stdout)
    demand_counts(row, found)
    whole, peak = _reported(report)
    seconds = found.seconds if found.seconds >= _CLOCK_IS_COARSE else whole
    return Measurement(SPIN, seconds, peak - idle, row.distinct, row.generated, None, order)


def _verifier_folder(folder: Path, row: Row, order: str) -> Path:
    return folder / f"{row.name} {order}".replace(" ", "-")


def _reported(report: Path) -> tuple[float, float]:
    """Seconds and MiB, as `peak.c` writes them."""
    seconds, kib = report.read_text(encoding="ascii").split()
    return float(seconds), int(kib) / 1024


def _peak(who: int) -> float:
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(who).ru_maxrss * unit / 2**20


def _fail(row: Row, engine: str, what: str) -> NoReturn:
    raise SystemExit(f"{row.name}: {engine}: {what}")


def main() -> None:
    engine, name, folder = sys.argv[1:]
    print(json.dumps(asdict(measure(engine, row_named(name), Path(folder)))))


if __name__ == "__main__":
    main()
