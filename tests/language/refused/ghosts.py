from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    truth: Annotated[int, Between(0, 3)] = ghost(0)
    count: Annotated[int, Between(0, 3)] = 0

    @action
    def guarded(self) -> None:
        guard(known=self.truth > 0)
        self.count = 1

    @action
    def flows(self) -> None:
        x = self.truth
        self.count = x

    @action
    def decides(self) -> None:
        if self.truth > 1:
            self.count = 2

    @action
    def through_a_helper(self) -> None:
        guard(known=self.seen())
        self.count = 3

    @action
    def asserts(self) -> None:
        assert self.truth == 0
        self.count = 0

    @action
    def feeds_ghosts_alone(self, x: Annotated[int, Between(0, 3)]) -> None:
        self.truth = x

    @action
    def fine(self, x: Annotated[int, Between(0, 3)]) -> None:
        assume(x == self.truth)
        self.truth = 0
        self.count = x

    @helper
    def seen(self) -> bool:
        return self.truth > 0
