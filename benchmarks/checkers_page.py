"""The measurements as text for a terminal, and as docs/performance.md with its plot."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .checkers_engines import ENGINES, EXPLORER, MOST_TRANSITIONS, NATIVE, SPIN, TLC, TLC_2
from .checkers_figures import SLOW, Expected, Round, Spread, of_engine, ratio
from .checkers_plot import Line, Panel, plot
from .checkers_quiet import ATTEMPTS, MOST_OTHERS
from .checkers_results import Machine, Results
from .checkers_rows import MILLION, ROOT, ROWS, Row
from .checkers_startup import NOTHING, STARTUPS

PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "performance.svg"
MANY = 100_000
"""States; of fewer, the system's pages would be counted rather than what states need."""

PLOTTED = ("rollback", "two-phase commit")


def shown(spread: Spread | None, unit: str = "×") -> str:
    """`141× (138–150)`, with three digits; of a single value that alone."""
    if spread is None:
        return ""
    middle = f"{_digits(spread.median)}{unit}"
    if spread.low == spread.high:
        return middle
    return f"{middle} ({_digits(spread.low)}–{_digits(spread.high)})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cells(row: Row, rounds: Sequence[Round], engine: str) -> tuple[str, ...] | None:
    """Of a checker on a row: seconds, millions of transitions a second, how many times faster native is, MiB, and bytes
    a state where there are many; None where it did not take part."""
    found = of_engine(rounds, engine)
    if not found:
        return None
    peak = max(0.0, statistics.median(each.peak_mib for each in found))
    each_state = f"{peak * 2**20 / row.distinct:,.1f}" if row.distinct >= MANY and engine not in (TLC, TLC_2) else ""
    return (
        _seconds(statistics.median(each.seconds for each in found)),
        f"{statistics.median(each.rate for each in found) / 1e6:,.2f}",
        "" if engine == NATIVE else shown(ratio(rounds, NATIVE, engine)),
        f"{peak:,.0f}",
        each_state,
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 10 else f"{seconds:.1f}"


def terminal_lines(row: Row, rounds: Sequence[Round]) -> Iterator[str]:
    """A row at a terminal: a line a checker."""
    for engine in ENGINES:
        found = cells(row, rounds, engine)
        if found is not None:
            seconds, rate, times, mib, each = found
            text = f"{row.name:<19} {engine:<18} {seconds:>8} s {rate:>8} M/s"
            text += f" {mib:>7} MiB {each or '-':>7} B/state"
            yield f"{text}   native {times}" if times else text


def expected_lines(expected: Sequence[Expected]) -> Iterator[str]:
    """A line for each figure: `ok`, `MISS`, or `NONE` for one that was not measured."""
    for item in expected:
        sign = "NONE" if item.measured is None else "ok  " if item.kept else "MISS"
        yield f"{sign} {item.what}: {shown(item.measured, item.unit) or 'not measured'} ({_bound(item)})"


def _bound(item: Expected) -> str:
    return f"at {'most' if item.at_most else 'least'} {item.bound:g}{item.unit}"


# ------------------------------------------------------------------------------------------------------------ the page


def write_page(results: Results, expected: Sequence[Expected]) -> None:
    """Write docs/performance.md and the plot in it."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(results.rounds), encoding="utf-8")
    PAGE.write_text(page(results, expected), encoding="utf-8")


def picture(rounds: Mapping[str, Sequence[Round]]) -> str:
    """Transitions a second against states, for each protocol that is measured in several sizes."""
    panels = tuple(Panel(protocol, tuple(_lines(protocol, rounds))) for protocol in PLOTTED)
    description = "Transitions a second of each checker against the number of states, on " + " and ".join(PLOTTED) + "."
    return plot(panels, ENGINES, "distinct states", "transitions a second", description)


def _lines(protocol: str, rounds: Mapping[str, Sequence[Round]]) -> Iterator[Line]:
    rows = [row for row in ROWS if row.protocol == protocol]
    for engine in ENGINES:
        points = tuple(
            (float(row.distinct), statistics.median(each.rate for each in found))
            for row in rows
            if (found := of_engine(rounds.get(row.name, ()), engine))
        )
        if points:
            yield Line(engine, points)


def page(results: Results, expected: Sequence[Expected]) -> str:
    """The text of docs/performance.md."""
    rows = [row for row in ROWS if row.name in results.rounds]
    compared = (
        (item.what, _bound(item), shown(item.measured, item.unit), "✓" if item.kept else "✗") for item in expected
    )
    parts = [
        "# Performance",
        _introduction(results.machine),
        "## What is expected, and what was measured",
        _table(("", "expected", "measured", ""), compared),
        "## Growth with size",
        f"![Transitions a second of each checker against the number of states](images/{PICTURE.name})",
        "A checker that keeps its pace is a level line. Both axes are logarithmic.",
        "## All figures",
        f"Medians of {_most_rounds(results)} rounds; in brackets the lowest and the highest."
        f" A run that takes more than {SLOW:.0f} seconds is made once.",
        *(_protocol(protocol, rows, results) for protocol in dict.fromkeys(row.protocol for row in rows)),
        "## Small protocols",
        "The whole process, from the command to the prompt: the interpreter's start, imports, reading the protocol,\n"
        "the search, the report.",
        _startups(results.startups),
        "## How it was measured",
        _method(results),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(machine: Machine) -> str:
    return f"""\
<!-- written by `python -m benchmarks.checkers --write`: edit `benchmarks/checkers_page.py` instead -->

Measured on {machine.date}: {machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB, {machine.system};
Python {machine.python}, {machine.compiler}, TLC {machine.tlc} on {machine.java}, {machine.spin}.
`benchmarks/checkers.py` measures, and wrote this page."""


def _table(head: Sequence[str], lines: Iterator[Sequence[str]]) -> str:
    rule = ["---" for _ in head]
    return "\n".join(
        "| " + "".join(f"{cell} | " if cell else "| " for cell in line).rstrip() for line in (head, rule, *lines)
    )


def _protocol(protocol: str, rows: Sequence[Row], results: Results) -> str:
    head = ("size", "states", "transitions", "checker", "seconds", "million/s", "native against it", "MiB", "B/state")

    def lines() -> Iterator[tuple[str, ...]]:
        for row in rows:
            if row.protocol != protocol:
                continue
            named = (str(row.size), f"{row.distinct:,}", f"{row.generated:,}")
            for engine in ENGINES:
                found = cells(row, results.rounds[row.name], engine)
                if found is not None:
                    yield (*named, engine, *found)
                    named = ("", "", "")

    sizes = [row for row in rows if row.protocol == protocol]
    many = {results.words[row.name] for row in sizes}
    words = f"{min(many)}" if len(many) == 1 else f"{min(many)} to {max(many)}"
    large = f"A state is {words} word{'s' if many != {1} else ''} of 64 bits."
    return f"### {protocol}\n\n{large}\n\n{_table(head, lines())}"


def _startups(measured: Mapping[str, Sequence[float]]) -> str:
    nothing = measured[NOTHING.name]

    def lines() -> Iterator[tuple[str, str, str]]:
        for startup in STARTUPS:
            if startup.name not in measured:
                continue
            seconds = measured[startup.name]
            times = [one / other for one, other in zip(seconds, nothing, strict=True)]
            yield f"`{startup.name}`", f"{Spread.of(seconds).median:.3f}", shown(Spread.of(times))

    return _table(("command", "seconds", "times Python's own start"), lines())


def _method(results: Results) -> str:
    orders = {
        row.protocol: found[-1].order for row in ROWS if (found := of_engine(results.rounds.get(row.name, ()), SPIN))
    }
    chosen = ", ".join(f"{order} on {protocol}" for protocol, order in orders.items())
    return f"""\
- `python -m benchmarks.checkers --write` measures, and writes this page; with `--full` TLC with two workers searches
  the largest sizes, too, which takes ten minutes more. `--require` fails where an expected figure is not reached.
- A run is a process of its own. The checkers take turns, and a ratio is taken round by round, so that a machine whose
  speed drifts hurts each alike. Seconds are those of the search, by the clock: without the start of Java, Python's
  imports, or compilation. Every checker must find the row's numbers of states and transitions, or the benchmark fails.
- A run during which other processes used more than {MOST_OTHERS:g} cores is made again, {ATTEMPTS} times at most. The
  most that others used during a run that counts was {_most_others(results):.2f} cores.
- Memory is the most that was resident beyond a run of the same program that does nothing; of TLC it is all of the
  process, which takes what Java's heap allows.
- All safety properties are checked, symmetry is not used, and liveness is not looked at. TLC runs without
  `TieredStopAtLevel=1`, which would slow it down, and without coverage; with one worker, and where the explorer takes
  part, up to about {MOST_TRANSITIONS[EXPLORER] // MILLION} million transitions.
- SPIN's models are in `benchmarks/spin/`: one atomic transition for each action and argument, no further control
  states. They assert the invariants that Promela says in a word, and so check less than the others. The verifiers are
  compiled with `-O2 -DSAFETY -DNOREDUCE`: partial-order reduction would visit fewer states, which is another question
  than how fast a state is visited. States are stored exactly, in a hash table of two slots a state at least. Both
  orders of search are tried, and the faster is shown:
  {chosen or "there was no SPIN here"}.
  `-DCOLLAPSE` is off, as it trades time for memory; `-DNOCOMP`, `-O3` and `-DNOBOUNDCHECK` made no difference that
  stood out from the machine's own drift.
- SPIN stores as many states and takes as many transitions as the others where a protocol has one initial state, which
  is demanded. On acceptance it has one of each more: Promela begins in a single state, in which the target's trace is
  chosen. Its model has a transition for each such choice, and is left out where they are thousands."""


def _most_rounds(results: Results) -> int:
    return max(map(len, results.rounds.values()))


def _most_others(results: Results) -> float:
    return max(found.others for rounds in results.rounds.values() for each in rounds for found in each.values())


def relative(path: Path) -> str:
    """For a message: a path as seen from the project."""
    return str(path.relative_to(ROOT))
