from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    limit: int = const(3)
    # The range is empty, so that Python never gets to the name that it could not find.
    members: frozenset[Annotated[int, Between(0, limit)]] = frozenset(i for i in range(0) if i < limit)

    @action
    def step(self) -> None:
        self.members |= {1}
