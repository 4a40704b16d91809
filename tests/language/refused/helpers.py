from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


def outside(n: int) -> int:
    return outside(n - 1)


class Machine(Protocol, survivors={"step.nothing": "it is not there"}):
    count: Annotated[int, Between(0, 3)] = 0

    @action
    def step(self) -> None:
        self.count = self.first()

    @action
    def other(self) -> None:
        self.count = outside(3)

    @action
    def arguments(self) -> None:
        self.count = self.takes_one()

    @helper
    def first(self) -> int:
        return self.second()

    @helper
    def second(self) -> int:
        return self.first()

    @helper
    def takes_one(self, n: int) -> int:
        return n

    @helper
    def falls_through(self) -> int:
        if self.count > 1:
            return 1

    @invariant
    def no_bool(self) -> bool:
        return self.count

    @invariant
    def calls_an_action(self) -> bool:
        return self.step()

    @transition_invariant
    def without_after(self) -> bool:
        return True

    @leads_to("nowhere")
    def goal(self) -> bool:
        return True
