from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    count: Annotated[int, Between(0, 3)] = 0

    @action
    def nameless(self) -> None:
        guard(self.count < 3)
        self.count += 1

    @action
    def twice(self) -> None:
        guard(room=self.count < 3)
        guard(room=self.count < 2)
        self.count += 1

    @action
    def late(self) -> None:
        self.count = 0
        guard(room=self.count < 3)

    @action
    def late_on_a_path(self) -> None:
        if self.count > 1:
            self.count = 0
        assume(self.count < 3)

    @invariant
    def guarded(self) -> bool:
        return guard(room=self.count < 3)
