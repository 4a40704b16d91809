"""Runs protocol instances: one step at a time, whoever takes it, waiting where a step is not enabled yet.

    scheduler = Scheduler(recorder=Recorder("run.ndjson"))
    cache = scheduler.adopt(TreeCache(max_rows=4096), monitors=invariants(TreeCache))

    cache.extend(0)                                # now, or GuardRefused
    scheduler.wait_for(cache.commit, timeout=1.0)  # once it is enabled
    with scheduler.atomically():                   # all of it, or nothing
        cache.commit()
        gather(rows)

One lock serialises the steps of all instances that a scheduler has adopted. So steps of several of them can be taken as
one, and a deadlock is seen that goes through several of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any, TypeVar, cast

from ..transpiler.language import Protocol
from ..transpiler.naming import snake_case
from ..transpiler.native import LOCK, RUN, native_of
from ..transpiler.refusals import GuardRefused
from .adoption import Adopted, Level
from .monitors import Monitors
from .recording import Recorder
from .waiting import (
    Deadlock,
    Participant,
    PendingStep,
    Seats,
    Stopped,
    Waiter,
    WaitTimeout,
    explain,
    states_of,
)

P = TypeVar("P", bound=Protocol)

HEARTBEAT = 0.5
"""Seconds after which a waiter looks for itself: an interrupt may keep the thread that took a step from waking it."""

STEP = "__protocheck_step__"
"""Where the replaced action of an adopted instance says which step it takes."""


class Scheduler:
    """Takes the steps of adopted protocol instances for any number of threads.

    A `recorder` writes down what they do; it may serve several schedulers, and is closed by whoever made it.
    """

    def __init__(self, *, recorder: Recorder | None = None) -> None:
        self._recorder = recorder
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiters: list[Waiter] = []
        self._seats = Seats()
        self._levels: list[Level] = []
        self._names: dict[str, int] = {}
        self._stopped: str | None = None

    # ---------------------------------------------------------------------------------------------------- adoption

    def adopt(self, instance: P, name: str = "", *, monitors: Monitors | None = None) -> P:
        """From now on the instance's actions go through this scheduler, `cache.extend(0)`; returns the instance.

        A copy of it belongs to no scheduler. `name`, by default that of its protocol, stands in recordings and
        messages; a second `walk` is `walk_2`. `monitors` are evaluated after each of its steps, and now: raises
        `InvariantViolated` where one does not hold, and `ValueError` for an instance that is adopted already.
        """
        if RUN not in instance.__dict__:
            raise ValueError(f"{type(instance).__name__} is not initialised; it cannot be adopted")
        with self._lock:
            if LOCK in instance.__dict__:
                raise ValueError(f"this {type(instance).__name__} belongs to a scheduler already")
            protocol = native_of(type(instance)).protocol
            adopted = Adopted(
                instance,
                self._unique(name or snake_case(protocol.name)),
                self._lock,
                self._levels,
                monitors,
                self._recorder,
                self._who,
            )
            for action in protocol.actions:
                step = cast(FunctionType, self._step_of(adopted, action.name, bool(action.parameters)))
                native = adopted.native(action.name)
                step.__name__, step.__qualname__, step.__doc__ = native.__name__, native.__qualname__, native.__doc__
                step.__dict__.update({"__wrapped__": native, STEP: (adopted, action.name)})
                instance.__dict__[action.name] = step
        return instance

    def _step_of(self, adopted: Adopted, action: str, takes_arguments: bool) -> Callable[..., None]:
        """The function that stands in for an action. A step costs little only if nothing is looked up here."""
        lock, waiters, levels, wake = self._lock, self._waiters, self._levels, self._changed.notify_all
        native, recorder = adopted.native(action), self._recorder

        def plain(*arguments: Any, **named: Any) -> None:
            with lock:
                if levels:
                    save()
                native(*arguments, **named)
                if waiters:
                    wake()

        def plain_without_arguments() -> None:
            with lock:
                if levels:
                    save()
                native()
                if waiters:
                    wake()

        def observed(*arguments: Any, **named: Any) -> None:
            with lock:
                if levels:
                    save()
                adopted.take(action, arguments, named)
                if waiters:
                    wake()
            if recorder is not None and recorder.due:
                recorder.flush()

        def save() -> None:
            levels[-1].saved.setdefault(adopted, adopted.state())

        if not adopted.is_plain:
            return observed
        return plain if takes_arguments else plain_without_arguments

    def _unique(self, name: str) -> str:
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    # ---------------------------------------------------------------------------------------------------- atomicity

    @contextmanager
    def atomically(self) -> Iterator[None]:
        """Everything in the block, or nothing: no other thread takes a step, and where the block raises, the states
        are put back to what they were.

        This ties an effect to a step, `cache.commit()` and the tensors that it moves. Blocks may be nested. The thread
        may wait for a step in a block only before it has taken one.
        """
        with self._lock:
            level = Level()
            self._levels.append(level)
            try:
                yield
                self._settle(level)
            except BaseException as error:
                if not self._is_settled(level):
                    for adopted, state in level.saved.items():
                        adopted.put_back(state)
                    if self._recorder is not None and level.lines:
                        self._recorder.add_undone(level.lines, error)
                raise
            finally:
                self._levels.remove(level)
                if self._waiters:
                    self._changed.notify_all()
        if self._recorder is not None and self._recorder.due:
            self._recorder.flush()

    def _settle(self, level: Level) -> None:
        """The innermost block has not failed: what it did belongs to the next one, or is final."""
        if len(self._levels) > 1:
            outer = self._levels[-2]
            for adopted, state in level.saved.items():
                outer.saved.setdefault(adopted, state)
            outer.lines += level.lines
        elif self._recorder is not None and level.lines:
            self._recorder.add(level.lines)

    def _is_settled(self, level: Level) -> bool:
        """Whether an interrupt came only when everything was final: what is recorded has happened."""
        if len(self._levels) > 1 or self._recorder is None or not level.lines:
            return False
        return self._recorder.has(level.lines[-1])

    # ------------------------------------------------------------------------------------------------------ waiting

    def wait_for(self, action: Callable[..., None], /, *arguments: Any, timeout: float | None = None) -> None:
        """Take a step of an adopted instance, `wait_for(cache.prefill, 8)`, as soon as it is enabled.

        Raises `WaitTimeout` after `timeout` seconds, `Deadlock` as soon as every participant waits and nothing that is
        waited for is enabled, `Stopped` after `stop`; `ArgumentRefused` and whatever else the step raises. Without a
        timeout somebody must take part, see `participant`: else nobody could say that the wait will never end.
        """
        self._wait([self._pending(action, arguments)], timeout)

    def wait_for_any(self, *steps: Callable[..., None] | tuple[Any, ...], timeout: float | None = None) -> int:
        """Take the first of several steps that is enabled, `wait_for_any((hand_off.take, 3), hand_off.leave)`.

        Returns its place among `steps`. Raises what `wait_for` raises.
        """
        if not steps:
            raise ValueError("wait_for_any needs a step to wait for")
        pending = [
            self._pending(step[0], step[1:]) if isinstance(step, tuple) else self._pending(step, ()) for step in steps
        ]
        return self._wait(pending, timeout)

    def stop(self, reason: str = "stopped") -> None:
        """Nobody waits any more: every wait, now and later, raises `Stopped`. Steps are still taken, to clean up."""
        with self._lock:
            self._stopped = self._stopped or reason
            self._changed.notify_all()

    def participant(self, name: str) -> Participant:
        """Somebody who takes steps: `with scheduler.participant("verifier"): …` in the thread that is the verifier.

        When every participant waits and nothing that is waited for is enabled, all waits end in a `Deadlock` at once.
        A participant counts from this call on: make those of threads before the threads are started.
        """
        participant = Participant(name, self._enter, self._move, self._leave)
        with self._lock:
            self._seats.add(participant)
        return participant

    def _wait(self, steps: list[PendingStep], timeout: float | None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            if any(level.changed() for level in self._levels):
                raise RuntimeError("a step was taken in this atomically() block; waiting now would show it to others")
            here = self._seats.here()
            if timeout is None and here is None and not self._seats.living:
                raise ValueError("nobody takes part, so that this wait might never end: give it a timeout")
            me = Waiter(self._who(), here, steps)
            try:
                self._waiters.append(me)
                taken = self._until_taken(me, deadline)
            finally:
                self._waiters[:] = [waiter for waiter in self._waiters if waiter is not me]
                # The step may enable another one.
                self._changed.notify_all()
        if self._recorder is not None and self._recorder.due:
            self._recorder.flush()
        return taken

    def _until_taken(self, me: Waiter, deadline: float | None) -> int:
        while True:
            if me.deadlock is not None:
                raise me.deadlock
            if self._stopped is not None:
                raise Stopped(f"the scheduler was stopped: {self._stopped}", me.stuck(), states_of([me]))
            for place, step in enumerate(me.steps):
                try:
                    if self._levels:
                        self._levels[-1].saved.setdefault(step.adopted, step.adopted.state())
                    step.adopted.attempt(step.action, step.arguments, me.nanoseconds())
                except GuardRefused as refusal:
                    me.guards[place] = refusal.guards
                else:
                    return place
            remaining = HEARTBEAT if deadline is None else deadline - time.monotonic()
            if remaining > 0:
                self._tell_deadlock()
                if me.deadlock is not None:
                    raise me.deadlock
            else:
                seconds = me.nanoseconds() / 1e9
                raise WaitTimeout(f"not enabled within {seconds:.3g} s", me.stuck(), states_of([me]))
            self._sleep(min(remaining, HEARTBEAT))

    def _sleep(self, seconds: float) -> None:
        """Let others take steps. This thread's atomic blocks, which have taken none yet, are not theirs."""
        levels = self._levels[:]
        for level in levels:
            level.saved.clear()
        self._levels.clear()
        try:
            self._changed.wait(seconds)
        finally:
            self._levels[:] = levels

    def _tell_deadlock(self) -> None:
        """If everybody waits and nothing that is waited for is enabled, say so to all who wait."""
        if self._seats.all_wait(self._waiters) and not any(waiter.is_enabled() for waiter in self._waiters):
            found: Deadlock = explain(self._waiters, self._seats.gone)
            for waiter in self._waiters:
                waiter.deadlock = found.again()
            self._changed.notify_all()

    def _enter(self, participant: Participant) -> None:
        with self._lock:
            self._seats.enter(participant)

    def _move(self, participant: Participant) -> None:
        with self._lock:
            self._seats.move(participant)

    def _leave(self, participant: Participant) -> None:
        with self._lock:
            self._seats.leave(participant)
            if self._waiters:
                self._tell_deadlock()

    def _pending(self, action: object, arguments: tuple[Any, ...]) -> PendingStep:
        found = getattr(action, STEP, None) if not isinstance(action, MethodType) else None
        if found is None:
            raise TypeError("this takes an action of an adopted instance: wait_for(cache.prefill, 8)")
        adopted, name = found
        if adopted.instance.__dict__.get(LOCK) is not self._lock:
            raise ValueError(f"{adopted.name} belongs to another scheduler")
        return PendingStep(adopted, name, arguments)

    def _who(self) -> str:
        here = self._seats.here()
        return here.name if here is not None else threading.current_thread().name
