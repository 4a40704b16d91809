from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Base(Protocol):
    limit: int = const(3)
    count: Annotated[int, Between(0, limit)] = 0

    @action
    def step(self) -> None:
        self.count = 1


class Machine(Base):
    count: int = const(4)

    @invariant
    def step(self) -> bool:
        return True

    @action
    def more(self) -> None:
        super().step()
