"""What a step costs: written by hand, as a protocol, under the scheduler, watched, recorded, and in `transitions`.

    python -m benchmarks.scheduler
    python -m benchmarks.scheduler --rounds 30 --steps 20000 --require

Two protocols: `dispatch`, whose steps are the smallest there are (two comparisons and an assignment), and `rollback`,
whose steps have arguments and a set. The reference is a class that does the same with `if` and assignment, without a
lock. In each round every subject takes the same steps once, in turns, and a ratio is taken round by round; shown are
its median and, in brackets, the lowest and the highest. The reference is there twice (A/A): what it differs from itself
is noise. Times are processor time of the thread, so that other load on the machine matters less; a recording includes
the writing of its lines to a file.

`transitions` (the package of that name) runs `dispatch` as its four states with one condition a transition, and no
callbacks. `--require` fails where a scheduled step costs more than 10 times the reference, or more than a tenth of what
`transitions` takes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.rollback import Rollback
from protocheck.runtime import Recorder, Scheduler, invariants

Cycle = Callable[[], object]
MOST, LEAST = 10.0, 10.0
REFERENCE, AGAIN, SCHEDULED, TRANSITIONS = "by hand", "by hand, again", "scheduled", "transitions"


class Refused(Exception):
    """A step of the reference is refused."""


class HandDispatch:
    """`dispatch` as one would write it."""

    def __init__(self) -> None:
        self.producer, self.consumer, self.buffer = "idle", "idle", "empty"

    def start_fill(self) -> None:
        if not (self.producer == "idle" and self.buffer == "empty"):
            raise Refused
        self.producer = "writing"

    def finish_fill(self) -> None:
        if not self.producer == "writing":
            raise Refused
        self.producer = "idle"
        self.buffer = "full"

    def start_drain(self) -> None:
        if not (self.consumer == "idle" and self.buffer == "full"):
            raise Refused
        self.consumer = "reading"

    def finish_drain(self) -> None:
        if not self.consumer == "reading":
            raise Refused
        self.consumer = "idle"
        self.buffer = "empty"


class HandRollback:
    """`rollback` as one would write it."""

    def __init__(self, max_len: int) -> None:
        self.max_len = max_len
        self.length = 0
        self.pending_reads: frozenset[int] = frozenset()

    def extend(self) -> None:
        if not self.length < self.max_len:
            raise Refused
        self.length += 1

    def start_read(self, i: int) -> None:
        if not i <= self.length:
            raise Refused
        self.pending_reads |= {i}

    def finish_read(self, i: int) -> None:
        if i not in self.pending_reads:
            raise Refused
        self.pending_reads -= {i}

    def rollback(self, k: int) -> None:
        if not (k < self.length and all(i <= k for i in self.pending_reads)):
            raise Refused
        self.length = k


def dispatch_cycle(x: Any) -> Cycle:
    def cycle() -> None:
        x.start_fill()
        x.finish_fill()
        x.start_drain()
        x.finish_drain()

    return cycle


def rollback_cycle(x: Any) -> Cycle:
    def cycle() -> None:
        x.extend()
        x.start_read(1)
        x.finish_read(1)
        x.rollback(0)

    return cycle


def waited_for(instance: Any) -> Any:
    """Its steps taken by `wait_for`; they are always enabled, so that nobody sleeps."""
    scheduler = Scheduler()
    adopted = scheduler.adopt(instance)
    actions = [name for name in vars(type(instance)) if callable(getattr(adopted, name)) and name in vars(adopted)]
    return SimpleNamespace(**{name: partial(scheduler.wait_for, getattr(adopted, name), timeout=1) for name in actions})


def in_a_block(instance: Any, cycle: Callable[[Any], Cycle]) -> Cycle:
    """The four steps of a cycle as one."""
    scheduler = Scheduler()
    steps = cycle(scheduler.adopt(instance))

    def block() -> None:
        with scheduler.atomically():
            steps()

    return block


def with_transitions() -> Cycle | None:
    """The four states of `dispatch` as a machine of the package `transitions`; None where it is not installed."""
    try:
        from transitions import Machine
    except ImportError:
        return None

    class Model:
        ready = True

        def is_ready(self) -> bool:
            return self.ready

    model: Any = Model()
    names = ("start_fill", "finish_fill", "start_drain", "finish_drain")
    states = ("empty", "writing", "full", "reading")
    rules = [
        {"trigger": name, "source": states[place], "dest": states[(place + 1) % 4], "conditions": "is_ready"}
        for place, name in enumerate(names)
    ]
    Machine(model, states=list(states), initial="empty", transitions=rules, auto_transitions=False)
    return dispatch_cycle(model)


@dataclass(frozen=True)
class Subject:
    """What is measured; a slow one takes fewer steps."""

    name: str
    cycle: Cycle
    share: float = 1.0


def subjects(
    cls: type[Any], make: Callable[[], Any], by_hand: Callable[[], Any], cycle: Callable[[Any], Cycle], files: ExitStack
) -> Iterator[Subject]:
    folder = Path(files.enter_context(tempfile.TemporaryDirectory()))

    def recorder(name: str) -> Recorder:
        # No limit that could be reached: lines that are dropped would cost nothing.
        return files.enter_context(Recorder(folder / f"{name}.ndjson", max_bytes=2**40))

    yield Subject(REFERENCE, cycle(by_hand()))
    yield Subject(AGAIN, cycle(by_hand()))
    yield Subject("protocol", cycle(make()))
    yield Subject(SCHEDULED, cycle(Scheduler().adopt(make())))
    yield Subject("  waited for", cycle(waited_for(make())), 0.2)
    yield Subject("  in a block", in_a_block(make(), cycle), 0.5)
    yield Subject("  and watched", cycle(Scheduler().adopt(make(), monitors=invariants(cls))), 0.2)
    yield Subject("  and recorded", cycle(Scheduler(recorder=recorder("recorded")).adopt(make())), 0.2)
    both = Scheduler(recorder=recorder("both")).adopt(make(), monitors=invariants(cls))
    yield Subject("  and both", cycle(both), 0.2)


def measure(subject: Subject, steps: int) -> float:
    """Nanoseconds of processor time a step."""
    count = max(1, int(steps * subject.share) // 4)
    cycle = subject.cycle
    # CPython adapts code to the types that it meets, and subjects share some of theirs.
    for _ in range(count // 5):
        cycle()
    start = time.thread_time_ns()
    for _ in range(count):
        cycle()
    return (time.thread_time_ns() - start) / (4 * count)


def rounds_of(everything: list[Subject], rounds: int, steps: int) -> dict[str, list[float]]:
    """Each subject's times, one a round; the first round warms up and is not kept."""
    times: dict[str, list[float]] = {subject.name: [] for subject in everything}
    for number in range(rounds + 1):
        # The order turns, so that nobody always comes after the same one.
        turn = number % len(everything)
        for subject in everything[turn:] + everything[:turn]:
            took = measure(subject, steps)
            if number:
                times[subject.name].append(took)
    return times


def ratio(times: dict[str, list[float]], one: str, other: str) -> tuple[float, float, float]:
    """Median, lowest and highest of what `one` takes over what `other` takes."""
    ratios = sorted(a / b for a, b in zip(times[one], times[other], strict=True))
    return statistics.median(ratios), ratios[0], ratios[-1]


def table(title: str, times: dict[str, list[float]]) -> Iterator[str]:
    yield f"{title:<16} {'ns a step':>10}   times by hand"
    for name, each in times.items():
        middle, low, high = ratio(times, name, REFERENCE)
        yield f"{name:<16} {statistics.median(each):>10.0f} {middle:>8.2f}x  ({low:.2f}-{high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20_000, help="steps of each subject in a round")
    parser.add_argument("--require", action="store_true", help="fail where a bound is not kept")
    options = parser.parse_args()
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    )
    print(f"medians of {options.rounds} rounds of {options.steps} steps, processor time\n")
    bounds: list[tuple[str, bool]] = []
    for title, cls, make, by_hand, cycle in (
        ("dispatch", Dispatch, Dispatch, HandDispatch, dispatch_cycle),
        ("rollback", Rollback, lambda: Rollback(max_len=4096), lambda: HandRollback(4096), rollback_cycle),
    ):
        with ExitStack() as files:
            everything = list(subjects(cls, make, by_hand, cycle, files))
            machine = with_transitions() if cls is Dispatch else None
            if machine is not None:
                everything.append(Subject(TRANSITIONS, machine, 0.2))
            times = rounds_of(everything, options.rounds, options.steps)
        print("\n".join(table(title, times)))
        middle = ratio(times, SCHEDULED, REFERENCE)[0]
        bounds.append(
            (f"{title}: a scheduled step takes {middle:.1f} times one by hand (at most {MOST:.0f})", middle <= MOST)
        )
        if machine is not None:
            middle = ratio(times, TRANSITIONS, SCHEDULED)[0]
            text = f"{title}: transitions takes {middle:.1f} times a scheduled step (at least {LEAST:.0f})"
            bounds.append((text, middle >= LEAST))
        print()
    if with_transitions() is None:
        print("transitions is not installed, and was not measured\n")
    for text, kept in bounds:
        print(f"{'ok  ' if kept else 'MISS'} {text}")
    if options.require and not all(kept for _, kept in bounds):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
