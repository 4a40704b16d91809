from typing import Annotated, Literal, Self

from protocheck import *  # noqa: F403
from protocheck import Between, MaxLen, Protocol, action, assume, const, ghost, guard, helper, init, invariant, leads_to, transition_invariant  # noqa: E501


class Machine(Protocol):
    nodes: frozenset[str] = const(frozenset({"n1", "n2"}), symmetric=True)

    leader: Annotated[str, In(nodes)] | None = None  # noqa: F405

    @action
    def names_one(self) -> None:
        self.leader = "n1"

    @action
    def compares_with_one(self) -> None:
        guard(is_first=self.leader == "n1")
        self.leader = None

    @action
    def orders_them(self, n: Annotated[str, In(nodes)]) -> None:  # noqa: F405
        guard(smaller=n < n)
        self.leader = min(self.nodes)
