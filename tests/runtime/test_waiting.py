"""Waiting for steps: timeouts, deadlocks that are told at once and explained, participants, stopping, interrupts."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Annotated, Any

import pytest

from protocheck import ArgumentRefused, Between, Protocol, action, const, guard, snapshot, terminal
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.rollback import Rollback
from protocheck.runtime import Deadlock, Participant, Scheduler, Stopped, WaitEnded, WaitTimeout

AT_ONCE = 5.0
"""Seconds: far more than an answer takes, far less than the timeouts of the tests that demand one at once."""
LONG = 60.0


class Countdown(Protocol):
    """Ends at zero."""

    start: int = const(2)

    left: Annotated[int, Between(0, start)] = start

    @action
    def down(self) -> None:
        guard(some_left=self.left > 0)
        self.left -= 1

    @terminal
    def over(self) -> bool:
        return self.left == 0


def started(work: Callable[[], Any], seat: Participant | None = None) -> Future[Any]:
    """Run `work` in a thread, as a participant where there is one; what it returns or raises."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            if seat is None:
                future.set_result(work())
            else:
                with seat:
                    future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def waiting(scheduler: Scheduler, count: int) -> None:
    """Until `count` threads wait."""
    deadline = time.monotonic() + LONG
    while len(scheduler._waiters) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


# -------------------------------------------------------------------------------------------------- the step is taken


def test_an_enabled_step_is_taken_at_once() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    scheduler.wait_for(cache.extend, timeout=0)
    scheduler.wait_for(cache.start_read, 1, timeout=LONG)
    assert snapshot(cache) == {"length": 1, "pending_reads": frozenset({1})}


def test_a_step_is_taken_as_soon_as_it_is_enabled() -> None:
    scheduler = Scheduler()
    engines = scheduler.adopt(Dispatch())
    drained = started(lambda: scheduler.wait_for(engines.start_drain, timeout=LONG))
    waiting(scheduler, 1)
    engines.start_fill()
    assert not drained.done()
    begun = time.monotonic()
    engines.finish_fill()
    drained.result(AT_ONCE)
    # Woken, not found by looking now and then.
    assert time.monotonic() - begun < 0.4
    assert engines.consumer == "reading"


def test_two_threads_hand_over_for_many_rounds() -> None:
    scheduler = Scheduler()
    engines = scheduler.adopt(Dispatch())
    rounds = 300

    def fill() -> None:
        for _ in range(rounds):
            scheduler.wait_for(engines.start_fill)
            engines.finish_fill()

    def drain() -> None:
        for _ in range(rounds):
            scheduler.wait_for(engines.start_drain)
            engines.finish_drain()

    seats = [scheduler.participant("producer"), scheduler.participant("consumer")]
    results = [started(fill, seats[0]), started(drain, seats[1])]
    for result in results:
        result.result(LONG)
    assert snapshot(engines) == {"producer": "idle", "consumer": "idle", "buffer": "empty"}


def test_the_first_enabled_of_several_is_taken() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    assert scheduler.wait_for_any((cache.rollback, 0), (cache.finish_read, 1), cache.extend, timeout=LONG) == 2
    assert scheduler.wait_for_any((cache.rollback, 0), cache.extend, timeout=LONG) == 0
    result = started(lambda: scheduler.wait_for_any((cache.finish_read, 1), (cache.finish_read, 2), timeout=LONG))
    waiting(scheduler, 1)
    with scheduler.atomically():
        cache.extend()
        cache.extend()
        cache.start_read(2)
    assert result.result(AT_ONCE) == 1
    assert cache.pending_reads == frozenset()


def test_an_effect_belongs_to_a_step_that_was_waited_for() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    done: list[str] = []

    def cut(fails: bool) -> None:
        with scheduler.atomically():
            scheduler.wait_for(cache.rollback, 0, timeout=LONG)
            done.append("cut")
            if fails:
                raise OSError("no tensors")

    for fails in (True, False):
        result = started(lambda fails=fails: cut(fails))  # type: ignore[misc]
        waiting(scheduler, 1)
        cache.extend()
        if fails:
            with pytest.raises(OSError, match="no tensors"):
                result.result(AT_ONCE)
            assert cache.length == 1
            cache.rollback(0)
        else:
            result.result(AT_ONCE)
            assert cache.length == 0
    assert done == ["cut", "cut"]


def test_others_may_use_blocks_while_one_waits_in_a_block() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())

    def cut() -> None:
        with scheduler.atomically():
            scheduler.wait_for(cache.rollback, 1, timeout=LONG)
            raise OSError("undo only this")

    result = started(cut)
    waiting(scheduler, 1)
    with scheduler.atomically():
        cache.extend()
        cache.extend()
    with pytest.raises(OSError, match="undo only this"):
        result.result(AT_ONCE)
    assert cache.length == 2


def test_no_waiting_with_half_a_block_taken() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())

    def extend_and_wait() -> None:
        with scheduler.atomically():
            cache.extend()
            scheduler.wait_for(cache.finish_read, 1, timeout=LONG)

    with pytest.raises(RuntimeError, match="a step was taken in this atomically"):
        extend_and_wait()
    assert cache.length == 0


# ------------------------------------------------------------------------------------------------------- it is not


def test_a_timeout_says_what_it_was_stuck_on() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback(), "cache")
    cache.extend()
    cache.start_read(1)
    with pytest.raises(WaitTimeout) as caught:
        scheduler.wait_for(cache.rollback, 0, timeout=0.05)
    assert isinstance(caught.value, TimeoutError)
    (stuck,) = caught.value.waits
    assert (stuck.who, stuck.of, stuck.action, stuck.guards) == (
        "MainThread",
        "cache",
        "rollback",
        ("no_reader_above",),
    )
    assert stuck.arguments == {"k": 0}
    assert 0.05 <= stuck.seconds < LONG
    assert caught.value.lines()[1:] == [
        "  MainThread waits for cache.rollback(k=0): no_reader_above is false",
        "  cache: length = 1, pending_reads = {1}",
    ]
    assert scheduler._waiters == []


def test_zero_seconds_is_one_attempt() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    begun = time.monotonic()
    with scheduler.participant("only"), pytest.raises(WaitTimeout):
        scheduler.wait_for(cache.finish_read, 1, timeout=0)
    assert time.monotonic() - begun < AT_ONCE


def test_other_refusals_are_not_waited_for() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    with pytest.raises(ArgumentRefused):
        scheduler.wait_for(cache.rollback, 99, timeout=LONG)
    with pytest.raises(TypeError):
        scheduler.wait_for(cache.rollback, timeout=LONG)


def test_wrong_use() -> None:
    scheduler, other = Scheduler(), Scheduler()
    cache, elsewhere = scheduler.adopt(Rollback()), other.adopt(Rollback())
    with pytest.raises(ValueError, match="give it a timeout"):
        scheduler.wait_for(cache.extend)
    with pytest.raises(ValueError, match="rollback belongs to another scheduler"):
        scheduler.wait_for(elsewhere.extend, timeout=1)
    for wrong in (Rollback().extend, cache.no_ghost_reads, print):
        with pytest.raises(TypeError, match="an action of an adopted instance"):
            scheduler.wait_for(wrong, timeout=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a step"):
        scheduler.wait_for_any(timeout=1)


# -------------------------------------------------------------------------------------------------------- deadlocks


def test_a_deadlock_is_told_at_once_to_everybody_and_explained() -> None:
    scheduler = Scheduler()
    engines, cache = scheduler.adopt(Dispatch(), "engines"), scheduler.adopt(Rollback(), "cache")
    cache.extend()
    cache.start_read(1)
    seats = [scheduler.participant("producer"), scheduler.participant("consumer")]
    begun = time.monotonic()
    first = started(lambda: scheduler.wait_for(engines.start_drain, timeout=LONG), seats[0])
    waiting(scheduler, 1)
    # It goes through two instances.
    second = started(lambda: scheduler.wait_for(cache.rollback, 0, timeout=LONG), seats[1])
    for result in (first, second):
        with pytest.raises(Deadlock) as caught:
            result.result(AT_ONCE)
        assert caught.value.lines() == [
            "deadlock: everybody waits, and nothing that is waited for is enabled",
            "  producer waits for engines.start_drain(): buffer_full is false",
            "  consumer waits for cache.rollback(k=0): no_reader_above is false",
            '  engines: producer = "idle", consumer = "idle", buffer = "empty"',
            "  cache: length = 1, pending_reads = {1}",
            "  enabled, but nobody waits for it: engines.start_fill(), cache.extend(), cache.start_read(i=1), "
            "cache.finish_read(i=1)",
        ]
        assert {each.who for each in caught.value.waits} == {"producer", "consumer"}
    assert first.exception() is not second.exception()
    assert time.monotonic() - begun < LONG / 2
    assert scheduler._waiters == []


def test_a_lonely_participant_is_told() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    with scheduler.participant("only"), pytest.raises(Deadlock, match=r"only waits for rollback\.finish_read"):
        scheduler.wait_for(cache.finish_read, 1)


def test_no_deadlock_while_somebody_has_not_started() -> None:
    scheduler = Scheduler()
    engines = scheduler.adopt(Dispatch())
    producer, consumer = scheduler.participant("producer"), scheduler.participant("consumer")
    drained = started(lambda: scheduler.wait_for(engines.start_drain, timeout=LONG), consumer)
    waiting(scheduler, 1)
    time.sleep(0.05)
    assert not drained.done()
    with producer:
        engines.start_fill()
        engines.finish_fill()
    drained.result(AT_ONCE)


def test_who_leaves_or_fails_or_never_starts_leaves_the_others_told() -> None:
    def fail(engines: Dispatch) -> None:
        engines.finish_fill()

    def never(_: Dispatch) -> None:
        pass

    for work in (fail, never, None):
        scheduler = Scheduler()
        engines = scheduler.adopt(Dispatch())
        producer, consumer = scheduler.participant("producer"), scheduler.participant("consumer")
        drained = started(lambda: scheduler.wait_for(engines.start_drain, timeout=LONG), consumer)  # noqa: B023
        waiting(scheduler, 1)
        if work is None:
            producer.leave()
        else:
            started(lambda: work(engines), producer)  # noqa: B023
        with pytest.raises(Deadlock, match="gone: producer"):
            drained.result(AT_ONCE)


def test_a_deadlock_that_is_the_end_says_so() -> None:
    scheduler = Scheduler()
    countdown = scheduler.adopt(Countdown())
    with scheduler.participant("only"):
        for _ in range(2):
            scheduler.wait_for(countdown.down)
        with pytest.raises(Deadlock, match=r"finished: countdown\.over") as caught:
            scheduler.wait_for(countdown.down)
    assert caught.value.ended == ("countdown.over",)


def test_a_step_that_is_enabled_for_another_waiter_is_no_deadlock() -> None:
    scheduler = Scheduler()
    engines = scheduler.adopt(Dispatch())
    seats = [scheduler.participant("producer"), scheduler.participant("consumer")]
    engines.start_fill()
    first = started(lambda: scheduler.wait_for(engines.start_drain, timeout=LONG), seats[0])
    waiting(scheduler, 1)

    def finish_and_wait() -> None:
        # The other one is enabled by this, and still counts as waiting when this thread waits.
        engines.finish_fill()
        scheduler.wait_for(engines.finish_drain, timeout=LONG)

    second = started(finish_and_wait, seats[1])
    first.result(AT_ONCE)
    second.result(AT_ONCE)
    assert engines.buffer == "empty"


def test_after_a_deadlock_one_may_go_on() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    with scheduler.participant("only"):
        with pytest.raises(Deadlock):
            scheduler.wait_for(cache.rollback, 0)
        cache.extend()
        scheduler.wait_for(cache.rollback, 0)
    assert cache.length == 0


def test_participants() -> None:
    scheduler = Scheduler()
    one = scheduler.participant("one")
    with pytest.raises(ValueError, match="there is a participant one already"):
        scheduler.participant("one")
    with one:
        with pytest.raises(RuntimeError, match="one has entered already"):
            one.__enter__()
        two = scheduler.participant("two")
        with pytest.raises(RuntimeError, match="this thread takes part as one already"):
            two.__enter__()
        two.leave()
        two.leave()
    with pytest.raises(RuntimeError, match="one has left"):
        one.__enter__()
    with scheduler.participant("one"):
        pass


# ------------------------------------------------------------------------------------------------ stopping, interrupts


def test_stopping_ends_every_wait_and_no_step() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    waits = [started(lambda: scheduler.wait_for(cache.finish_read, 1, timeout=LONG)) for _ in range(3)]
    waiting(scheduler, 3)
    scheduler.stop("the request was aborted")
    scheduler.stop("something later")
    for result in waits:
        with pytest.raises(Stopped, match="the scheduler was stopped: the request was aborted"):
            result.result(AT_ONCE)
    cache.extend()
    with pytest.raises(Stopped):
        scheduler.wait_for(cache.extend, timeout=LONG)
    assert cache.length == 1
    assert issubclass(Stopped, WaitEnded)


def test_an_interrupt_ends_a_wait_and_leaves_nothing_behind() -> None:
    scheduler = Scheduler()
    cache = scheduler.adopt(Rollback())
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        scheduler.wait_for(cache.finish_read, 1, timeout=LONG)
    timer.join()
    assert scheduler._waiters == []
    # The lock is free: another thread takes a step.
    started(cache.extend).result(AT_ONCE)
    assert cache.length == 1


def test_a_waiter_that_nobody_wakes_finds_out_by_itself() -> None:
    scheduler = Scheduler()
    cache = Rollback()
    native = cache.extend
    scheduler.adopt(cache)
    result = started(lambda: scheduler.wait_for(cache.rollback, 0, timeout=LONG))
    waiting(scheduler, 1)
    # As if the thread that took the step had been interrupted before it woke the others.
    native()
    result.result(AT_ONCE)
    assert cache.length == 0
