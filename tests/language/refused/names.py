from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    count: Annotated[int, Between(0, 3)] = 0

    @action
    def some_paths(self) -> None:
        if self.count > 1:
            x = 1
        self.count = x

    @action
    def set_it(self) -> None:
        self.count = 1

    @action
    def private(self) -> None:
        __before_count = 1
        self.count = __before_count

    @action
    def private_parameter(self, __state: Annotated[int, Between(0, 3)]) -> None:
        self.count = __state

    @invariant
    def setIt(self) -> bool:  # noqa: N802
        return True

    @invariant
    def Set_It(self) -> bool:  # noqa: N802
        return True
