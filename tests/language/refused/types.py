from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    count: Annotated[int, Between(0, 3)] = 0
    on: bool = False
    status: Literal["idle", "busy"] = "idle"
    members: frozenset[Annotated[int, Between(0, 3)]] = frozenset()
    queue: Annotated[tuple[Annotated[int, Between(0, 3)], ...], MaxLen(2)] = ()

    @action
    def adds_a_bool(self) -> None:
        self.count = self.count + self.on

    @action
    def compares_types(self) -> None:
        guard(same=self.status == self.count)
        self.on = True

    @action
    def truthiness(self) -> None:
        guard(some=self.members)
        if self.count:
            self.on = True

    @action
    def divides(self) -> None:
        self.count = self.count / 2

    @action
    def orders_strings(self) -> None:
        guard(less=self.status < "idle")
        self.on = True

    @action
    def wrong_value(self) -> None:
        self.status = 3

    @action
    def wrong_member(self) -> None:
        guard(there=self.status in self.members)
        self.members |= {"idle"}

    @action
    def indexes_a_set(self) -> None:
        self.count = self.members[0]

    @action
    def orders_a_set(self) -> None:
        self.queue = tuple(self.members)

    @action
    def assigns_by_index(self) -> None:
        self.queue[0] = 1
