from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    count: Annotated[int, Between(0, 3)] = 0

    @action
    def loops(self) -> None:
        for i in range(3):
            self.count = i

    @action
    def returns(self) -> None:
        if self.count > 2:
            return
        self.count += 1

    @action
    def raises(self) -> None:
        raise ValueError("no")

    @action
    def calls(self) -> None:
        self.loops()
        print(self.count)

    @action
    def imports(self) -> None:
        import os

    @action
    def deletes(self) -> None:
        del self.count
