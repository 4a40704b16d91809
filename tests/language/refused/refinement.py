from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, abstraction, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Counter(Protocol):
    limit: int = const(3)
    step: int = const(1)
    count: Annotated[int, Between(0, limit)] = 0
    busy: bool = False
    owners: frozenset[Annotated[int, Between(0, limit)]] = frozenset()
    last: Annotated[int, Between(0, limit)] | None = None

    @action
    def tick(self) -> None:
        guard(room_left=self.count + self.step <= self.limit)
        self.count += self.step


class Machine(Protocol, refines=Counter):
    left: Annotated[int, Between(0, 3)] = 3
    busy: Annotated[int, Between(0, 1)] = 0

    @action
    def take(self) -> None:
        guard(some=self.left > 0)
        self.left -= 1

    @abstraction
    def limit(self) -> int:
        return 3 + self.left

    @abstraction
    def count(self, down: int) -> int:
        return 3 - self.left - down

    @abstraction
    def owners(self) -> frozenset[bool]:
        return frozenset()

    @abstraction
    def lost(self) -> int:
        return 0
