"""The explorer against TLC: transitions a second and memory, in one run, as ratios.

    python -m benchmarks.checkers                 # all rows, three rounds
    python -m benchmarks.checkers --rounds 5 --only rollback --quick

Every measurement is a process of its own, so that its peak memory is its own; the engines take turns, so that a
machine whose speed drifts hurts each alike. TLC's search is timed from its first message about initial states to its
last, start-up excluded, without TieredStopAtLevel=1, which slows long runs. A ratio is taken round by round, and its
median is shown with the lowest and the highest. Both engines must find the same distinct, generated and depth, or the
benchmark fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("explorer", "tlc-1", "tlc-2")


@dataclass(frozen=True)
class Row:
    """One protocol at one bound, with the figures it must reproduce."""

    name: str
    target: str
    constants: Mapping[str, Any]
    distinct: int
    generated: int
    depth: int


def _managers(count: int) -> dict[str, Any]:
    return {"managers": frozenset(f"rm{number}" for number in range(1, count + 1))}


ROWS = (
    Row("rollback 14", "rollback", {"max_len": 14}, 32_767, 688_115, 29),
    Row("rollback 16", "rollback", {"max_len": 16}, 131_071, 3_145_713, 33),
    Row("rollback 18", "rollback", {"max_len": 18}, 524_287, 14_155_759, 37),
    Row("two-phase commit 5", "two_phase_commit", _managers(5), 8_832, 58_146, 17),
    Row("two-phase commit 7", "two_phase_commit", _managers(7), 296_448, 2_744_706, 23),
)
QUICK = ("rollback 14", "two-phase commit 5")


@dataclass(frozen=True)
class Measurement:
    """One run of one engine: seconds of search, peak resident memory in MiB above an idle process, and the counts."""

    engine: str
    seconds: float
    peak_mib: float
    distinct: int
    generated: int
    depth: int

    @property
    def rate(self) -> float:
        """Generated transitions a second."""
        return self.generated / self.seconds


# ------------------------------------------------------------------------------------------- in a process of its own


def measure(engine: str, row: Row) -> Measurement:
    """Run one engine once, here, and read this process's peak memory (or that of TLC's, its child)."""
    from protocheck.transpiler.frontend import compile_protocol
    from protocheck.transpiler.instance import instantiate

    instance = instantiate(compile_protocol(_protocol(row.target)), row.constants)
    if engine == "explorer":
        from protocheck.toolchain.explorer import ExplorerEngine
        from protocheck.toolchain.results import CheckJob

        idle = _peak(resource.RUSAGE_SELF)
        result = ExplorerEngine().check(CheckJob(instance))
        if result.status != "holds" or result.stats is None:
            raise SystemExit(f"{row.name}: the explorer says {result.status} {result.reason}")
        stats = result.stats
        peak = _peak(resource.RUSAGE_SELF) - idle
        return Measurement(engine, stats.seconds, peak, stats.distinct, stats.generated, stats.depth)
    return _measure_tlc(engine, row, instance)


def _measure_tlc(engine: str, row: Row, instance: Any) -> Measurement:
    from protocheck.toolchain.generate import render
    from protocheck.toolchain.tlc import TlcJob, find_toolchain, run_tlc

    module = instance.protocol.name
    files = render(instance.protocol, row.constants)
    job = TlcJob(
        {name: files[name] for name in (f"{module}.tla", f"{module}.cfg")},
        module,
        f"{module}.cfg",
        workers=int(engine.removeprefix("tlc-")),
        short_run=False,
    )
    run = run_tlc(job, find_toolchain(archive="off"))
    stats = run.outcome.stats
    if run.outcome.kind != "no_error" or stats is None or run.search_seconds is None:
        raise SystemExit(f"{row.name}: TLC says {run.outcome.kind}: {run.outcome.message}")
    return Measurement(
        engine,
        run.search_seconds,
        _peak(resource.RUSAGE_CHILDREN),
        stats.distinct,
        stats.generated,
        stats.depth,
    )


def _peak(who: int) -> float:
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(who).ru_maxrss * unit / 2**20


def _protocol(target: str) -> Any:
    if target == "rollback":
        from protocheck.protocols.rollback import Rollback

        return Rollback
    spec = importlib.util.spec_from_file_location(target, ROOT / "examples" / f"{target}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[target] = module
    spec.loader.exec_module(module)
    return module.TwoPhaseCommit


# ------------------------------------------------------------------------------------------------------- the table


def _child(engine: str, row: Row) -> Measurement:
    command = [sys.executable, "-m", "benchmarks.checkers", "--measure", engine, row.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip() or done.stdout.strip())
    found = Measurement(**json.loads(done.stdout.splitlines()[-1]))
    if (found.distinct, found.generated, found.depth) != (row.distinct, row.generated, row.depth):
        raise SystemExit(f"{row.name}: {engine} found {found.distinct}, {found.generated}, {found.depth}")
    return found


def _lines(row: Row, rounds: list[dict[str, Measurement]]) -> Iterator[str]:
    for engine in ENGINES:
        runs = [each[engine] for each in rounds]
        seconds = statistics.median(run.seconds for run in runs)
        peak = statistics.median(run.peak_mib for run in runs)
        rate = statistics.median(run.rate for run in runs) / 1e6
        text = f"{row.name:<20} {engine:<9} {seconds:>9.3f} s {rate:>8.2f} M/s {peak:>8.0f} MiB"
        if engine != "explorer":
            ratios = sorted(each["explorer"].rate / each[engine].rate for each in rounds)
            text += f"   explorer {statistics.median(ratios):>5.1f}x ({ratios[0]:.1f}-{ratios[-1]:.1f})"
        yield text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds; every engine runs once in each")
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--quick", action="store_true", help="only the two small rows")
    parser.add_argument("--measure", nargs=2, metavar=("ENGINE", "ROW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows = {row.name: row for row in ROWS}
    if options.measure:
        engine, name = options.measure
        print(json.dumps(asdict(measure(engine, rows[name]))))
        return
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, {_processors()} cores"
    )
    print(f"medians of {options.rounds} rounds; M/s is millions of generated transitions a second of search\n")
    for row in ROWS:
        if options.only in row.name and (not options.quick or row.name in QUICK):
            rounds = [{engine: _child(engine, row) for engine in ENGINES} for _ in range(options.rounds)]
            print("\n".join(_lines(row, rounds)), flush=True)


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
