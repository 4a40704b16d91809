"""Who waits for what: participants, and the three ways in which waiting ends without the step.

A wait ends in the step, or in a `WaitEnded`: a `WaitTimeout`, a `Deadlock` (everybody waits and nothing that is waited
for is enabled), or `Stopped`. Each says who was stuck on which guard, and in which state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .monitors import State, shown, step_text

if TYPE_CHECKING:
    from .adoption import Adopted


@dataclass(frozen=True, slots=True)
class Stuck:
    """Somebody waits for a step of the instance `of`; `guards` are those that were false when it was last tried."""

    who: str
    of: str
    action: str
    arguments: Mapping[str, Any]
    guards: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        step = step_text(self.action, self.arguments)
        verb = "is" if len(self.guards) == 1 else "are"
        return f"{self.who} waits for {self.of}.{step}: {' and '.join(self.guards)} {verb} false"


class WaitEnded(Exception):
    """A wait ended without the step. `waits` says who waits for what, `states` in which states, by instance."""

    def __init__(self, summary: str, waits: tuple[Stuck, ...], states: Mapping[str, State]) -> None:
        super().__init__()
        self.summary, self.waits, self.states = summary, waits, states

    def lines(self) -> list[str]:
        """The message, line by line."""
        return [
            self.summary,
            *(f"  {each}" for each in self.waits),
            *(f"  {of}: {shown(state)}" for of, state in self.states.items()),
        ]

    def __str__(self) -> str:
        return "\n".join(self.lines())


class WaitTimeout(WaitEnded, TimeoutError):
    """The step was not enabled in time."""


class Stopped(WaitEnded):
    """The scheduler was stopped: nobody waits any more."""


class Deadlock(WaitEnded):
    """Everybody waits, and nothing that is waited for is enabled.

    `gone` are the participants that have left. `ended` names the terminal properties that hold: with one of them the
    protocol is finished, and waiting for another step was the mistake. `possible` are steps that are enabled although
    nobody waits for them (of actions with few arguments only).
    """

    def __init__(
        self,
        waits: tuple[Stuck, ...],
        states: Mapping[str, State],
        gone: tuple[str, ...],
        ended: tuple[str, ...],
        possible: tuple[str, ...],
    ) -> None:
        super().__init__("deadlock: everybody waits, and nothing that is waited for is enabled", waits, states)
        self.gone, self.ended, self.possible = gone, ended, possible

    def lines(self) -> list[str]:
        return [
            *super().lines(),
            *([f"  gone: {', '.join(self.gone)}"] if self.gone else []),
            *([f"  finished: {', '.join(self.ended)}"] if self.ended else []),
            *([f"  enabled, but nobody waits for it: {', '.join(self.possible)}"] if self.possible else []),
        ]

    def again(self) -> Deadlock:
        """The same for another thread: an exception carries the traceback of the thread that raises it."""
        return Deadlock(self.waits, self.states, self.gone, self.ended, self.possible)


@dataclass(frozen=True, slots=True)
class PendingStep:
    """A step that is waited for."""

    adopted: Adopted
    action: str
    arguments: tuple[Any, ...]


class Waiter:
    """One thread that waits for one of several steps. Only touched under the scheduler's lock."""

    def __init__(self, who: str, participant: Participant | None, steps: Sequence[PendingStep]) -> None:
        self.who, self.participant, self.steps = who, participant, tuple(steps)
        self.guards: list[tuple[str, ...]] = [()] * len(steps)
        self.since = time.monotonic_ns()
        self.deadlock: Deadlock | None = None

    def nanoseconds(self) -> int:
        return time.monotonic_ns() - self.since

    def is_enabled(self) -> bool:
        """Whether one of its steps would be taken now."""
        return any(step.adopted.is_enabled(step.action, step.arguments) for step in self.steps)

    def stuck(self) -> tuple[Stuck, ...]:
        seconds = self.nanoseconds() / 1e9
        return tuple(
            Stuck(
                self.who,
                step.adopted.name,
                step.action,
                step.adopted.arguments(step.action, step.arguments, {}),
                guards,
                seconds,
            )
            for step, guards in zip(self.steps, self.guards, strict=True)
        )


def states_of(waiters: Sequence[Waiter]) -> dict[str, State]:
    """The states of the instances that somebody waits on."""
    return {step.adopted.name: step.adopted.state() for waiter in waiters for step in waiter.steps}


def explain(waiters: Sequence[Waiter], gone: Sequence[str]) -> Deadlock:
    """What there is to say when everybody waits."""
    adopted = {step.adopted.name: step.adopted for waiter in waiters for step in waiter.steps}
    return Deadlock(
        tuple(stuck for waiter in waiters for stuck in waiter.stuck()),
        states_of(waiters),
        tuple(gone),
        tuple(f"{name}.{terminal}" for name, each in adopted.items() for terminal in each.ended()),
        tuple(f"{name}.{step}" for name, each in adopted.items() for step in each.possible()),
    )


class Participant:
    """Somebody who takes steps, and counts when the scheduler asks whether everybody waits.

    It counts from its creation, so that a thread that has not started yet is not taken for one that never steps;
    `with participant:` binds it to the thread that runs the block, and at the end of the block it is gone, whatever
    ended it. One that is never entered is released by `leave()`.
    """

    def __init__(
        self,
        name: str,
        enter: Callable[[Participant], None],
        move: Callable[[Participant], None],
        leave: Callable[[Participant], None],
    ) -> None:
        self.name = name
        self.thread: int | None = None
        self._enter, self._move, self._leave = enter, move, leave

    def __enter__(self) -> Participant:
        self._enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(self)

    def move_here(self) -> None:
        """Go on in the thread that calls this, where another one entered. Nothing for one that has left."""
        if self.thread != threading.get_ident():
            self._move(self)

    def leave(self) -> None:
        """Be gone; waiters that can no longer be helped are told at once. Does nothing a second time."""
        self._leave(self)


class Seats:
    """The participants of one scheduler. Only touched under its lock."""

    def __init__(self) -> None:
        self.living: list[Participant] = []
        self.gone: list[str] = []
        self._by_thread: dict[int, Participant] = {}

    def add(self, participant: Participant) -> None:
        if any(each.name == participant.name for each in self.living):
            raise ValueError(f"there is a participant {participant.name} already")
        self.living.append(participant)
        self.gone = [name for name in self.gone if name != participant.name]

    def enter(self, participant: Participant) -> None:
        thread = threading.get_ident()
        if participant not in self.living:
            raise RuntimeError(f"{participant.name} has left; ask the scheduler for a new participant")
        if participant.thread is not None:
            raise RuntimeError(f"{participant.name} has entered already")
        if thread in self._by_thread:
            raise RuntimeError(f"this thread takes part as {self._by_thread[thread].name} already")
        participant.thread = thread
        self._by_thread[thread] = participant

    def move(self, participant: Participant) -> None:
        if participant not in self.living or participant.thread is None:
            return
        del self._by_thread[participant.thread]
        participant.thread = threading.get_ident()
        self._by_thread[participant.thread] = participant

    def leave(self, participant: Participant) -> None:
        if participant in self.living:
            self.living.remove(participant)
            self.gone.append(participant.name)
        if participant.thread is not None:
            self._by_thread.pop(participant.thread, None)

    def here(self) -> Participant | None:
        """The participant that this thread is."""
        return self._by_thread.get(threading.get_ident())

    def all_wait(self, waiters: Sequence[Waiter]) -> bool:
        """Whether nobody is left who might take a step; never where nobody takes part, since nothing is known then."""
        if not self.living and not self.gone:
            return False
        # Who has been told of a deadlock is about to go on.
        waiting = [waiter.participant for waiter in waiters if waiter.deadlock is None]
        return all(participant in waiting for participant in self.living)
