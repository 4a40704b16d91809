"""Protocols that refine another, well or badly: each way in which a refinement can fail, once."""

from __future__ import annotations

import dataclasses
import enum
from typing import Annotated, Self

from protocheck import (
    Between,
    MaxLen,
    Protocol,
    abstraction,
    action,
    assume,
    const,
    ghost,
    guard,
    init,
    invariant,
    transition_invariant,
    without,
)
from protocheck.protocols.acceptance import Acceptance


class Lamp(enum.Enum):
    OFF = enum.auto()
    ON = enum.auto()


@dataclasses.dataclass(frozen=True)
class Job:
    size: Annotated[int, Between(1, 2)]


class Counter(Protocol):
    """Counts up by at most `stride`, and back to zero; the lamp is on while it is full."""

    top: int = const(3)
    stride: int = const(1)

    count: Annotated[int, Between(0, top)] = 0
    lamp: Lamp = Lamp.OFF
    holder: Annotated[int, Between(0, 1)] | None = None

    @action
    def add(self, n: Annotated[int, Between(1, top)]) -> None:
        guard(small=n <= self.stride, room=self.count + n <= self.top)
        self.count += n
        self.lamp = Lamp.ON if self.count == self.top else Lamp.OFF

    @action
    def take(self, by: Annotated[int, Between(0, 1)]) -> None:
        guard(free=self.holder is None)
        self.holder = by

    @action
    def reset(self) -> None:
        guard(full=self.count == self.top)
        self.count = 0
        self.lamp = Lamp.OFF
        self.holder = None


class Queue(Protocol, refines=Counter):
    """Holds jobs in a row; its length is the count, and a finished batch is the reset."""

    room: int = const(3)

    jobs: Annotated[tuple[Job, ...], MaxLen(room)] = ()
    holder: Annotated[int, Between(0, 1)] | None = None
    noise: bool = False

    @action
    def put(self, job: Job) -> None:
        guard(room_left=len(self.jobs) < self.room)
        self.jobs += (job,)

    @action
    def own(self, by: Annotated[int, Between(0, 1)]) -> None:
        guard(free=self.holder is None)
        self.holder = by

    @action
    def flush(self) -> None:
        guard(all_there=len(self.jobs) == self.room)
        self.jobs = ()
        self.holder = None

    @action
    def fuss(self) -> None:
        self.noise = not self.noise

    @abstraction
    def top(self) -> int:
        return self.room

    @abstraction
    def stride(self) -> int:
        return 1

    @abstraction
    def count(self) -> int:
        """The jobs that there are."""
        return len(self.jobs)

    @abstraction
    def lamp(self) -> Lamp:
        return Lamp.ON if len(self.jobs) == self.room else Lamp.OFF


class CountsFromOne(Protocol, refines=Counter):
    """Begins where the counter does not."""

    count: Annotated[int, Between(0, 3)] = 1
    top: int = const(3)
    stride: int = const(1)
    lamp: Lamp = Lamp.OFF
    holder: Annotated[int, Between(0, 1)] | None = None

    @action
    def add(self) -> None:
        guard(room=self.count < self.top - 1)
        self.count += 1

    @action
    def idle(self) -> None:
        pass


class CountsTooFar(CountsFromOne):
    """Begins in the right place, and leaves the counter's domain."""

    count: Annotated[int, Between(0, 5)] = 0

    @action
    def add(self) -> None:
        guard(room=self.count < 5)
        self.count += 1
        self.lamp = Lamp.ON if self.count == 3 else Lamp.OFF


class BeginsOutside(CountsTooFar):
    """Begins outside the counter's domain."""

    count: Annotated[int, Between(0, 5)] = 4


class CountsByTwo(CountsFromOne):
    """Takes a step that the counter does not take, after some that it does."""

    count: Annotated[int, Between(0, 3)] = 0

    @action
    def add(self) -> None:
        guard(room=self.count < 1)
        self.count += 1

    @action
    def jump(self) -> None:
        guard(behind_one=self.count == 1)
        self.count += 2
        self.lamp = Lamp.ON


class CountsByTwoIsFine(CountsByTwo):
    """The same where the counter may take two at once."""

    stride: int = const(2)


class Undefined(Protocol, refines=Counter):
    """The abstraction has no value in some states."""

    path: Annotated[tuple[Annotated[int, Between(0, 3)], ...], MaxLen(2)] = (0,)

    top: int = const(3)
    stride: int = const(1)
    lamp: Lamp = Lamp.OFF
    holder: Annotated[int, Between(0, 1)] | None = None

    @action
    def cut(self) -> None:
        self.path = ()

    @action
    def grow(self) -> None:
        guard(one=len(self.path) == 1)
        self.path += (1,)

    @abstraction
    def count(self) -> int:
        return self.path[len(self.path) - 1]


class Hidden(Protocol, refines=Counter):
    """The count is known to the model alone; which of two counters it is has been chosen at first."""

    top: int = const(2)
    stride: int = const(1)

    left: Annotated[int, Between(0, top)] = 0
    true_count: Annotated[int, Between(0, top)] = ghost(0)
    which: bool = False
    holder: Annotated[int, Between(0, 1)] | None = None

    @init
    def either(self, which: bool) -> None:
        self.which = which

    @action
    def move(self) -> None:
        guard(room=self.left < self.top)
        assume(self.true_count < self.top)
        self.left += 1
        self.true_count = self.true_count + 1

    @action
    def again(self) -> None:
        guard(full=self.left == self.top)
        self.left = 0
        self.true_count = 0

    @abstraction
    def count(self) -> int:
        return self.true_count

    @abstraction
    def lamp(self) -> Lamp:
        return Lamp.ON if self.true_count == self.top else Lamp.OFF

    @invariant
    def known(self) -> bool:
        return self.left == self.count()

    @transition_invariant
    def one_at_a_time(self, after: Self) -> bool:
        return after.count() <= self.count() + 1


class StandsStill(CountsFromOne):
    """Never does what could be seen in the counter."""

    count: Annotated[int, Between(0, 3)] = 0
    noise: bool = False

    @action
    def add(self) -> None:
        self.noise = not self.noise


class Halved(Protocol, refines=Counter):
    """The counter's top is computed from a constant of its own."""

    parts: int = const(2)

    stride: int = const(1)
    count: Annotated[int, Between(0, 6)] = 0
    lamp: Lamp = Lamp.OFF
    holder: Annotated[int, Between(0, 1)] | None = None

    @action
    def add(self) -> None:
        guard(first=self.count == 0)
        self.count = 1

    @action
    def rest(self) -> None:
        pass

    @abstraction
    def top(self) -> int:
        return 6 // self.parts


class Deep(Queue, refines=Queue):
    """Refines what refines something; the claim of its own takes the place of the inherited one."""

    urgent: bool = False

    @action
    def hurry(self) -> None:
        guard(some=len(self.jobs) > 0)
        self.urgent = not self.urgent


class Loose(Protocol, refines=without(Counter, "reset.full")):
    """Refines a variant: what has lost a guard allows more."""

    top: int = const(3)
    stride: int = const(1)

    count: Annotated[int, Between(0, top)] = 0
    lamp: Lamp = Lamp.OFF
    holder: Annotated[int, Between(0, 1)] | None = None

    @action
    def add(self) -> None:
        guard(first=self.count == 0)
        self.count = 1

    @action
    def drop(self) -> None:
        self.count = 0


class Tight(Loose, refines=Counter):
    """The same, and the guard is there."""


class SameTarget(Acceptance, refines=Acceptance):
    """Interchangeable members on both sides, and initial values that are chosen; smaller than usual."""

    max_trace: int = const(2)
    max_draft: int = const(1)
