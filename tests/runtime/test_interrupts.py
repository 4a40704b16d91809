"""Ctrl-C at any moment: no lock is left held, no step half taken, and the recording still says what happened."""

from __future__ import annotations

import io
import signal
import threading
import time

import pytest

from protocheck import GuardRefused, snapshot
from protocheck.protocols.rollback import Rollback
from protocheck.runtime import Recorder, Scheduler, invariants

from .replaying import replay

WANTED = 80


class Interrupts:
    """A thousand signals a second; one that comes while `armed` interrupts, and disarms."""

    armed = False

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGALRM, self._raise)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        return self

    def __exit__(self, *_: object) -> None:
        self.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _raise(self, *_: object) -> None:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt


# One may come where Python can only print it, in the callback of a weak reference.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no such timer here")
@pytest.mark.parametrize("blocks", [False, True], ids=["steps", "blocks"])
@pytest.mark.parametrize("kind", ["plain", "watched", "recorded"])
def test_interrupts(kind: str, blocks: bool) -> None:
    stream = io.StringIO()
    recorder = Recorder(stream, batch=10**6) if kind == "recorded" else None
    scheduler = Scheduler(recorder=recorder)
    cache = scheduler.adopt(Rollback(max_len=6), monitors=invariants(Rollback) if kind == "watched" else None)
    interrupts = rounds = 0

    def work() -> None:
        cache.extend()
        cache.start_read(1)
        cache.finish_read(1)
        cache.rollback(0)

    def round_trip() -> None:
        try:
            if blocks:
                with scheduler.atomically():
                    work()
            else:
                work()
        except GuardRefused:
            # After an interrupt in the middle of a round: to the start again.
            if cache.pending_reads:
                cache.finish_read(1)
            if cache.length > 3:
                cache.rollback(0)

    deadline = time.monotonic() + 60
    with Interrupts() as interrupting:
        while interrupts < WANTED:
            assert time.monotonic() < deadline
            rounds += 1
            try:
                interrupting.armed = True
                round_trip()
            except KeyboardInterrupt:
                interrupts += 1
            finally:
                interrupting.armed = False
    assert rounds > WANTED
    if blocks:
        assert snapshot(cache) == {"length": 0, "pending_reads": frozenset()}
    assert scheduler._levels == []
    # Nobody holds the lock: another thread takes a step.
    length = cache.length
    thread = threading.Thread(target=cache.extend)
    thread.start()
    thread.join(10)
    assert cache.length == length + 1
    if recorder is not None:
        recorder.close()
        (replayed,) = replay(stream.getvalue(), Rollback).values()
        assert replayed.state == dict(snapshot(cache))
