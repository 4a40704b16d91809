from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, abstraction, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    count: Annotated[int, Between(0, 3)] = 0

    @action
    def tick(self) -> None:
        guard(room_left=self.is_room())
        self.count += 1

    @invariant
    def type_ok(self) -> bool:
        return self.count < 4

    @invariant
    def refines(self) -> bool:
        return True

    @leads_to("deadlock_free")
    def counting(self) -> bool:
        return self.count == 0

    @helper
    def deadlock_free(self) -> bool:
        return self.count < 3

    @transition_invariant
    def upwards(self, after: Self) -> bool:
        return self.count < after.increased()
