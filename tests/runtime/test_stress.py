"""Many threads on every protocol: random steps, waits, blocks that fail, delays; watched and recorded.

Whatever the threads do, the invariants hold after each step, every step that was recorded is one of the protocol, the
recording ends in the state that the instance is in, and no thread stays behind.
"""

from __future__ import annotations

import io
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from protocheck import GuardRefused, Protocol, enabled, snapshot
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.runtime import (
    Deadlock,
    InvariantViolated,
    Participant,
    Recorder,
    Scheduler,
    WaitTimeout,
    invariants,
)
from protocheck.transpiler.domains import values
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from ..differential.shipped import EXAMPLES, PROTOCOLS
from .replaying import replay

EVERY = list(dict.fromkeys([*PROTOCOLS, TreeCache, HandOff, Walk, *EXAMPLES]))
ASSUMING = {Acceptance}
"""What they promise hangs on assumptions about the environment, which these threads do not keep."""

THREADS, ROUNDS = 4, 30
MOST_CHOICES = 200
MEANT = ("step", "refused", "wait", "wait_for_any", "block", "undone", "GuardRefused", "Aborted", "WaitTimeout")


class Aborted(Exception):
    """The effect of a step fails."""


def by_name(cls: type[Protocol]) -> str:
    return cls.__name__


class Worker:
    """One thread that does at random what threads do."""

    def __init__(
        self, scheduler: Scheduler, machine: Any, choices: Mapping[str, list[tuple[Any, ...]]], dice: random.Random
    ) -> None:
        self.scheduler, self.machine, self.choices, self.dice = scheduler, machine, choices, dice
        self.counts: Counter[str] = Counter()

    def run(self, rounds: int) -> None:
        for _ in range(rounds):
            what = self.dice.choice((self.step, self.step, self.wait, self.wait_for_any, self.block))
            try:
                what()
            except (GuardRefused, WaitTimeout, Deadlock, Aborted) as error:
                self.count(type(error).__name__)
            except InvariantViolated:
                if type(self.machine) not in ASSUMING:
                    raise
                self.count("InvariantViolated")
            else:
                self.count(what.__name__)
            if self.dice.random() < 0.3:
                time.sleep(self.dice.random() * 0.001)

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def any_step(self) -> tuple[Callable[..., None], tuple[Any, ...]]:
        """Any step, but often one that is enabled, as long as nobody else takes one."""
        picky = self.dice.random() < 0.7
        for _ in range(20):
            name = self.dice.choice(list(self.choices))
            action, arguments = getattr(self.machine, name), self.dice.choice(self.choices[name])
            if not picky or enabled(action, *arguments):
                break
        return action, arguments

    def step(self) -> None:
        action, arguments = self.any_step()
        action(*arguments)

    def wait(self) -> None:
        action, arguments = self.any_step()
        self.scheduler.wait_for(action, *arguments, timeout=self.dice.random() * 0.005)

    def wait_for_any(self) -> None:
        steps = [self.any_step() for _ in range(3)]
        self.scheduler.wait_for_any(*((action, *arguments) for action, arguments in steps), timeout=0.005)

    def block(self) -> None:
        """A step and its effect, which others must not come between, and which may fail."""
        with self.scheduler.atomically():
            if self.dice.random() < 0.5:
                self.wait()
            else:
                self.step()
            before = snapshot(self.machine)
            time.sleep(self.dice.random() * 0.0005)
            assert snapshot(self.machine) == before
            self.step()
            if self.dice.random() < 0.5:
                raise Aborted


def stress(cls: type[Protocol], seed: int, rounds: int) -> Counter[str]:
    """Let threads work on one instance; what they did and what was recorded, counted."""
    dice = random.Random(seed)
    stream = io.StringIO()
    failures: list[BaseException] = []
    choices = choices_of(cls)

    def run(worker: Worker, seat: Participant) -> None:
        try:
            with seat:
                worker.run(rounds)
        except BaseException as error:
            failures.append(error)

    with Recorder(stream, batch=16, refusals=True) as recorder:
        scheduler = Scheduler(recorder=recorder)
        machine = scheduler.adopt(cls(), monitors=invariants(cls))
        workers = [Worker(scheduler, machine, choices, random.Random(dice.random())) for _ in range(THREADS)]
        seats = [scheduler.participant(f"worker {number}") for number in range(THREADS)]
        threads = [threading.Thread(target=run, args=pair) for pair in zip(workers, seats, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), scheduler._waiters
    assert failures == []
    assert scheduler._waiters == []
    assert scheduler._levels == []
    (replayed,) = replay(stream.getvalue(), cls).values()
    assert replayed.state == dict(snapshot(machine))
    counts = Counter(replayed.kinds)
    for worker in workers:
        counts.update(worker.counts)
    return counts


def choices_of(cls: type[Protocol]) -> dict[str, list[tuple[Any, ...]]]:
    """Some arguments of each action."""
    instance = instantiate(compile_protocol(cls))
    found = {}
    for action in instance.protocol.actions:
        domains = [list(values(instance.parameters[action.name, each.name])) for each in action.parameters]
        found[action.name] = list(itertools.islice(itertools.product(*domains), MOST_CHOICES))
    return found


@pytest.mark.parametrize("cls", EVERY, ids=by_name)
def test_threads(cls: type[Protocol]) -> None:
    counts: Counter[str] = Counter()
    # Several instances, since some protocols soon end, until everything that is meant to happen has.
    for seed in range(60):
        counts.update(stress(cls, seed, ROUNDS))
        if seed >= 3 and all(counts[what] for what in MEANT):
            break
    assert all(counts[what] for what in MEANT), counts


@pytest.mark.soak
@pytest.mark.parametrize("cls", EVERY, ids=by_name)
@pytest.mark.parametrize("seed", [100])
def test_threads_for_long(cls: type[Protocol], seed: int) -> None:
    assert stress(cls, seed, rounds=500)["step"] > 0
