"""Our engines against TLC and SPIN: transitions a second and memory, in one run, as ratios.

    python -m benchmarks.checkers                          # what takes minutes is left out
    python -m benchmarks.checkers --only rollback --quick  # seconds
    python -m benchmarks.checkers --full --write           # everything, for half an hour, and docs/performance.md
    python -m benchmarks.checkers --require                # fails where an expected figure is not reached

The rows are in `checkers_rows`, the checkers in `checkers_engines` and `checkers_spin`; docs/performance.md says how it
is measured. `--keep FOLDER` keeps SPIN's verifiers and every round that is finished: a run that was interrupted goes on
when it is started again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .checkers_engines import ENGINES, NATIVE, SPIN, Measurement, absent, prepare, takes_part
from .checkers_figures import SLOW, Spread, expectations, startup_expectations
from .checkers_page import PAGE, expected_lines, relative, shown, terminal_lines, write_page
from .checkers_quiet import ATTEMPTS, MOST_OTHERS, Load
from .checkers_results import Results, load_results, this_machine
from .checkers_rows import MILLION, QUICK, ROOT, ROWS, Row, instance_of, words_of
from .checkers_spin import ORDERS, SpinFailed
from .checkers_startup import measure_startups

BOTH_ORDERS_UP_TO = 20 * MILLION
"""Transitions of a row; beyond that SPIN searches in the order that was faster on a smaller row of the protocol."""


def main() -> None:
    options = _parser().parse_args()
    rows = [row for row in ROWS if options.only in row.name and (not options.quick or row.name in QUICK)]
    if not rows:
        raise SystemExit(f"no row's name contains {options.only!r}; there are {', '.join(row.name for row in ROWS)}")
    missing = absent()
    planned = {row.name: {engine for engine in ENGINES if takes_part(engine, row, options.full)} for row in rows}
    with ExitStack() as stack:
        folder = options.keep
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="protocheck-benchmark-")))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            results = load_results(folder / "results.json", this_machine())
            unfinished = [row for row in rows if len(results.rounds.get(row.name, ())) < max(options.rounds, 1)]
            prepare(unfinished, SPIN not in missing, folder)
        except (ValueError, SpinFailed) as error:
            raise SystemExit(str(error)) from None
        for reason in dict.fromkeys(missing.values()):
            print(f"left out: {', '.join(name for name in missing if missing[name] == reason)}: {reason}")
        if not options.rounds:
            return
        print(f"medians of {options.rounds} rounds; M/s: millions of transitions a second of search\n", flush=True)
        for row in rows:
            _measure_row(row, planned[row.name] - set(missing), options, results, folder)
            print("\n".join(terminal_lines(row, results.rounds[row.name])), flush=True)
        if not results.startups:
            results.startups = measure_startups(2 * options.rounds, NATIVE not in missing)
            results.save(folder / "results.json")
    print()
    for name, seconds in results.startups.items():
        print(f"{name:<60} {shown(Spread.of(seconds), ' s')}")
    expected = [
        *expectations(rows, results.words, results.rounds, planned),
        *startup_expectations(results.startups),
    ]
    print("\n" + "\n".join(expected_lines(expected)))
    if options.write:
        write_page(results, expected)
        print(f"\nwrote {relative(PAGE)}")
    if options.require and not all(item.kept for item in expected):
        raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="0: only build (default: 3)")
    parser.add_argument(
        "--attempts", type=int, default=ATTEMPTS, help=f"at a run without other load (default: {ATTEMPTS})"
    )
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--quick", action="store_true", help="only the smallest row of each protocol")
    parser.add_argument("--full", action="store_true", help="TLC with two workers on the large rows too, once each")
    parser.add_argument("--write", action="store_true", help=f"write {relative(PAGE)} and its plot")
    parser.add_argument("--require", action="store_true", help="fail where an expected figure is not reached")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what is finished, and go on from there")
    return parser


def _measure_row(row: Row, engines: set[str], options: argparse.Namespace, results: Results, folder: Path) -> None:
    """Measure the rounds that are missing; each is saved when it is finished."""
    results.words.setdefault(row.name, words_of(instance_of(row)))
    done = results.rounds.setdefault(row.name, [])
    while len(done) < options.rounds:
        slow = {name for each in done for name, found in each.items() if found.seconds > SLOW}
        found: dict[str, Measurement] = {}
        for engine in ENGINES:
            if engine not in engines - slow:
                continue
            orders = _orders(row, results) if engine == SPIN else ("",)
            runs = [_measured(f"{engine} {order}".strip(), row, folder, options.attempts) for order in orders]
            found[engine] = min(runs, key=lambda run: run.seconds)
        done.append(found)
        results.save(folder / "results.json")


def _orders(row: Row, results: Results) -> Sequence[str]:
    """In which orders SPIN searches: both, until it is known which is the faster."""
    known = [
        found[SPIN].order
        for other in ROWS
        if other.protocol == row.protocol and (other is row or row.generated > BOTH_ORDERS_UP_TO)
        for found in results.rounds.get(other.name, ())
        if SPIN in found
    ]
    return known[-1:] or tuple(ORDERS)


def _measured(engine: str, row: Row, folder: Path, attempts: int) -> Measurement:
    """One run; where others ran meanwhile, that of several runs that was disturbed least."""
    runs: list[Measurement] = []
    while len(runs) < attempts:
        before = Load.now()
        found = _child(engine, row, folder)
        runs.append(replace(found, others=Load.now().others_since(before)))
        if runs[-1].others <= MOST_OTHERS or found.seconds > SLOW:
            break
    return min(runs, key=lambda run: run.others)


def _child(engine: str, row: Row, folder: Path) -> Measurement:
    command = [sys.executable, "-m", "benchmarks.checkers_engines", engine, row.name, str(folder.absolute())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip() or done.stdout.strip())
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
