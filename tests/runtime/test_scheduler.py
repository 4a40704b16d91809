"""Adopted instances: their actions go through the scheduler, questions still work, and blocks are all or nothing."""

from __future__ import annotations

import copy
import inspect
import threading
from typing import Annotated, Any

import pytest

from protocheck import (
    ArgumentRefused,
    Between,
    GuardRefused,
    Protocol,
    action,
    choices,
    const,
    enabled,
    guard,
    holds,
    invariant,
    refused_by,
    snapshot,
    without,
)
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.rollback import Rollback
from protocheck.runtime import ChangedOutside, InvariantViolated, Recorder, Scheduler, invariants


class Lonely(Protocol):
    """One variable, so that a state is one value."""

    limit: int = const(2)

    count: Annotated[int, Between(0, limit)] = 0

    @action
    def up(self) -> None:
        guard(below=self.count < self.limit)
        self.count += 1

    @action
    def set_to(self, new: Annotated[int, Between(0, limit)]) -> None:
        self.count = new

    @invariant
    def never_two(self) -> bool:
        return self.count != 2


class Raising(Protocol):
    """Its second assignment has no value where `count` is 1."""

    count: Annotated[int, Between(0, 3)] = 0
    other: Annotated[int, Between(0, 9)] = 0

    @action
    def up(self) -> None:
        self.count += 1
        self.other = 2 // (2 - self.count)


@pytest.fixture(params=["plain", "watched", "recorded"])
def adopted(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    """A function that adopts an instance, in each of the ways in which steps are taken."""
    recorder = Recorder(tmp_path / "run.ndjson") if request.param == "recorded" else None
    scheduler = Scheduler(recorder=recorder)

    def adopt(instance: Any) -> Any:
        return scheduler.adopt(instance, monitors=invariants(instance) if request.param == "watched" else None)

    adopt.scheduler = scheduler  # type: ignore[attr-defined]
    yield adopt
    if recorder is not None:
        recorder.close()


def test_the_instance_stays_the_object_it_was(adopted: Any) -> None:
    cache = Rollback(max_len=8)
    assert adopted(cache) is cache
    assert isinstance(cache, Rollback)
    assert repr(cache) == "Rollback(max_len=8): length = 0, pending_reads = {}"


def test_steps_are_taken_and_refused(adopted: Any) -> None:
    cache = adopted(Rollback(max_len=2))
    cache.extend()
    cache.extend()
    cache.start_read(i=2)
    with pytest.raises(GuardRefused) as caught:
        cache.rollback(0)
    assert caught.value.guards == ("no_reader_above",)
    assert caught.value.arguments == {"k": 0}
    with pytest.raises(ArgumentRefused, match="rollback: k = 7"):
        cache.rollback(7)
    with pytest.raises(TypeError, match="argument"):
        cache.rollback()
    with pytest.raises(TypeError, match="argument"):
        cache.extend(1)
    assert snapshot(cache) == {"length": 2, "pending_reads": frozenset({2})}


def test_questions_are_asked_as_before(adopted: Any) -> None:
    cache = adopted(Rollback(max_len=3))
    cache.extend()
    cache.start_read(1)
    assert enabled(cache.extend)
    assert not enabled(cache.rollback, 0)
    assert refused_by(cache.rollback, 0) == ("no_reader_above",)
    assert list(choices(cache.start_read)) == [(1,)]
    assert holds(cache.no_ghost_reads)
    assert cache.length == 1
    assert snapshot(cache) == {"length": 1, "pending_reads": frozenset({1})}


def test_a_step_looks_like_the_action(adopted: Any) -> None:
    cache = adopted(Rollback())
    assert cache.rollback.__name__ == "rollback"
    assert cache.rollback.__doc__ == Rollback.rollback.__doc__
    assert list(inspect.signature(cache.rollback).parameters) == ["k"]


def test_a_copy_belongs_to_no_scheduler(adopted: Any) -> None:
    cache = adopted(Rollback(max_len=2))
    cache.extend()
    for again in (copy.copy(cache), copy.copy(copy.copy(cache))):
        again.extend()
        with pytest.raises(GuardRefused, match="room_left"):
            again.extend()
        assert (cache.length, again.length) == (1, 2)
        assert Scheduler().adopt(again) is again


def test_what_a_step_raises_leaves_the_state_as_before(adopted: Any) -> None:
    machine = adopted(Raising())
    machine.up()
    with pytest.raises(ZeroDivisionError):
        machine.up()
    assert snapshot(machine) == {"count": 1, "other": 2}


def test_a_single_variable(adopted: Any) -> None:
    lonely = adopted(Lonely())
    lonely.up()
    assert lonely.count == 1


def test_a_variant_is_adopted_as_what_it_is(adopted: Any) -> None:
    cache = adopted(without(Rollback, "rollback.no_reader_above")())
    cache.extend()
    cache.extend()
    cache.start_read(1)
    cache.rollback(1)
    with pytest.raises(GuardRefused, match="shrinks"):
        cache.rollback(1)


def test_what_cannot_be_adopted() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    with pytest.raises(ValueError, match="this Rollback belongs to a scheduler already"):
        scheduler.adopt(cache)
    with pytest.raises(ValueError, match="this Rollback belongs to a scheduler already"):
        Scheduler().adopt(cache)
    with pytest.raises(ValueError, match="Rollback is not initialised"):
        scheduler.adopt(object.__new__(Rollback))
    with pytest.raises(ValueError, match="monitors of Dispatch, not of Rollback"):
        scheduler.adopt(Rollback(), monitors=invariants(Dispatch))


def test_what_could_not_be_adopted_is_as_before() -> None:
    cache = Lonely()
    cache.set_to(2)
    with pytest.raises(InvariantViolated, match=r"lonely.never_two is violated in the state at the start: count = 2"):
        Scheduler().adopt(cache, monitors=invariants(cache))
    cache.set_to(1)
    assert Scheduler().adopt(cache, monitors=invariants(cache)) is cache


def test_changes_past_the_actions_are_noticed(adopted: Any, request: pytest.FixtureRequest) -> None:
    cache = adopted(Rollback())
    cache.extend()
    cache.__dict__["length"] = 3
    if "plain" in request.node.name:
        # Nobody looks, so that a step costs little.
        cache.extend()
        assert cache.length == 4
    else:
        with pytest.raises(ChangedOutside, match=r"rollback was changed past its actions, before extend: .*length = 3"):
            cache.extend()


# ------------------------------------------------------------------------------------------------------- atomically


def test_a_block_that_raises_changes_nothing(adopted: Any) -> None:
    scheduler, cache, engines = adopted.scheduler, adopted(Rollback()), adopted(Dispatch())
    cache.extend()
    before = snapshot(cache), snapshot(engines)

    def fail() -> None:
        with scheduler.atomically():
            cache.extend()
            engines.start_fill()
            cache.start_read(2)
            raise OSError("the effect fails")

    with pytest.raises(OSError, match="the effect fails"):
        fail()
    assert (snapshot(cache), snapshot(engines)) == before
    cache.extend()
    engines.start_fill()
    assert cache.length == 2


def test_a_refusal_inside_undoes_the_block(adopted: Any) -> None:
    cache = adopted(Rollback(max_len=2))

    def too_many() -> None:
        with adopted.scheduler.atomically():
            for _ in range(3):
                cache.extend()

    with pytest.raises(GuardRefused, match="room_left"):
        too_many()
    assert cache.length == 0


def test_blocks_may_be_nested(adopted: Any) -> None:
    scheduler, cache = adopted.scheduler, adopted(Rollback())

    def grow(by: int, fails: bool = False) -> None:
        with scheduler.atomically():
            for _ in range(by):
                cache.extend()
            if fails:
                raise KeyError("inside")

    with scheduler.atomically():
        cache.extend()
        with pytest.raises(KeyError):
            grow(2, fails=True)
        assert cache.length == 1
        grow(1)
        assert cache.length == 2

    def fail_outside() -> None:
        with scheduler.atomically():
            grow(1)
            raise LookupError("outside")

    with pytest.raises(LookupError):
        fail_outside()
    assert cache.length == 2


def test_nobody_sees_half_a_block(adopted: Any) -> None:
    scheduler, cache = adopted.scheduler, adopted(Rollback(max_len=4))
    seen: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.add(snapshot(cache)["length"])

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(200):
        with scheduler.atomically():
            for _ in range(3):
                cache.extend()
            cache.rollback(0)
        if 0 in seen:
            with scheduler.atomically():
                cache.extend()
                cache.extend()
            cache.rollback(0)
    stop.set()
    thread.join()
    assert seen <= {0, 2}


def test_steps_of_many_threads_are_all_there(adopted: Any) -> None:
    cache = adopted(Rollback(max_len=1600))

    def work() -> None:
        for _ in range(200):
            cache.extend()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.length == 1600
