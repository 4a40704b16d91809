from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    count: Annotated[int, Between(0, 3)] = 0
    queue: Annotated[tuple[Annotated[int, Between(0, 3)], ...], MaxLen(2)] = ()

    @action
    def lists(self) -> None:
        self.count = len([1, 2, 3])

    @action
    def lambdas(self) -> None:
        f = lambda x: x
        self.count = f(1)

    @action
    def strings(self) -> None:
        guard(named=f"{self.count}" == "1")

    @action
    def walrus(self) -> None:
        guard(small=(n := self.count) < 2)
        self.count = n

    @action
    def power(self) -> None:
        self.count = self.count**2

    @action
    def steps(self) -> None:
        self.queue = self.queue[::2]

    @action
    def sorts(self) -> None:
        self.queue = tuple(sorted(self.queue))

    @action
    def floats(self) -> None:
        self.count = 1.5

    @action
    def unknown(self) -> None:
        self.cuont = 1
        self.count = self.cuont
        self.count = nothing

    @action
    def identity(self) -> None:
        guard(same=self.count is 1)
        self.count = 0

    @action
    def mutable(self) -> None:
        guard(one=set(self.queue) == {1})
        self.count = 0
