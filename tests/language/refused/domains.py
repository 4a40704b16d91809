from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    limit: int = const(3)

    unbounded: int = 0
    text: str = ""
    real: float = 0.0
    numbers: list[int] = []
    endless: tuple[bool, ...] = ()
    mixed: int | bool = 0
    missing: Annotated[int, Between(0, limit)]
    fine: Annotated[int, Between(0, limit)] = 0
    bare = 3

    @action
    def step(self, n: int, m) -> None:
        self.fine = n

    def undecorated(self) -> int:
        return 3
