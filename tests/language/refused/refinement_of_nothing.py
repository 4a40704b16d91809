from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, abstraction, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    count: Annotated[int, Between(0, 3)] = 0

    @action
    def tick(self) -> None:
        guard(room_left=self.count < 3)
        self.count += 1

    @abstraction
    def length(self) -> int:
        return self.count
