"""The nightly run: thousands of machines through the differential suites, with a table of what was done.

    python -m tests.differential.soak --native 10000 --reference 10000 --tlc 500

Each machine is known by its seed. The run ends at the first difference with the machine's source and the command that
repeats it; `--reduce` makes the source small first. Nothing is written anywhere.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

from protocheck.toolchain.tlc.driver import Toolchain, find_toolchain

from ..machines.machine import Machine
from ..machines.reduce import reduced
from .differences import Tally
from .suite import SUITES, Suite, machine_for, run_suite


@dataclass(frozen=True)
class Found:
    """The result of one machine: what was counted, or what went wrong."""

    seed: int
    counts: dict[str, int]
    wrong: str = ""


_toolchain: Toolchain | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites as the command line says; 0 if nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.soak", description=__doc__)
    for suite in SUITES:
        parser.add_argument(f"--{suite}", type=int, default=0, metavar="N", help=f"machines for the {suite} suite")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the seed of the first machine")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--reduce", action="store_true", help="make a machine that fails small before it is shown")
    given = parser.parse_args(arguments)
    failed = False
    for suite in SUITES:
        count: int = getattr(given, suite)
        if count > 0:
            failed |= not _soak(suite, range(given.first, given.first + count), given.processes, given.reduce)
    return 1 if failed else 0


def _soak(suite: Suite, seeds: range, processes: int, reduce: bool) -> bool:
    """One suite over many machines; whether nothing differed."""
    started = time.monotonic()
    tally = Tally()
    with _pool(suite, processes) as pool:
        for done, found in enumerate(_results(pool, suite, seeds), start=1):
            if found.wrong:
                pool.shutdown(wait=False, cancel_futures=True)
                _show(suite, found, reduce)
                return False
            tally.merge(found.counts)
            if sys.stderr.isatty() and done % 25 == 0:
                print(f"\r{suite}: {done:,} of {len(seeds):,}", end="", file=sys.stderr)
    seconds = time.monotonic() - started
    print(
        f"\n{suite}: {len(seeds):,} machines, seeds {seeds.start} to {seeds.stop - 1}, {seconds:.0f} s, no difference"
    )
    for what, count in sorted(tally.counts.items()):
        print(f"    {count:>12,}  {what}")
    return True


def _pool(suite: Suite, processes: int) -> ProcessPoolExecutor:
    # Fresh interpreters: a forked one would share the parent's threads and locks. One that dies ends the run. None is
    # replaced on the way: Python 3.11 may wait for ever for a worker that has had its number of tasks.
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _prepare, (suite,))


def _prepare(suite: Suite) -> None:
    global _toolchain
    if suite == "tlc":
        _toolchain = find_toolchain(archive="build")


def _results(pool: ProcessPoolExecutor, suite: Suite, seeds: range) -> Iterator[Found]:
    step = 5 if suite == "tlc" else 50
    batches = [range(start, min(start + step, seeds.stop)) for start in range(seeds.start, seeds.stop, step)]
    running: set[Future[list[Found]]] = {pool.submit(_batch, suite, batch) for batch in batches}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for batch in done:
            yield from batch.result()


def _batch(suite: Suite, seeds: range) -> list[Found]:
    """The machines of some seeds, up to the first that differs."""
    results: list[Found] = []
    for seed in seeds:
        results.append(_one(suite, seed))
        if results[-1].wrong:
            break
    return results


def _one(suite: Suite, seed: int) -> Found:
    tally = Tally()
    try:
        run_suite(suite, machine_for(suite, seed), random.Random(seed), tally, _toolchain)
    except Exception:
        return Found(seed, tally.counts, traceback.format_exc())
    return Found(seed, tally.counts)


def _show(suite: Suite, found: Found, reduce: bool) -> None:
    machine = machine_for(suite, found.seed)
    if reduce:
        _prepare(suite)
        kind = found.wrong.strip().splitlines()[-1].split(":")[0]
        machine = reduced(machine, lambda smaller: _fails(suite, smaller, found.seed, kind))
    print(f"\n{suite}: the machine of seed {found.seed} differs\n")
    print(machine.source)
    print(found.wrong)
    print(f"again: python -m tests.differential.soak --{suite} 1 --first {found.seed}")


def _fails(suite: Suite, machine: Machine, seed: int, kind: str) -> bool:
    """Whether a machine fails, and by the same kind of exception as before."""
    try:
        run_suite(suite, machine, random.Random(seed), Tally(), _toolchain)
    except Exception as error:
        return traceback.format_exception_only(error)[-1].split(":")[0] == kind
    return False


if __name__ == "__main__":
    sys.exit(main())
