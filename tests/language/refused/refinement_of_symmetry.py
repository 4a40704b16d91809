from typing import Annotated

from protocheck import *  # noqa: F403
from protocheck import In, Protocol, action, const, guard


class Office(Protocol):
    nodes: frozenset[str] = const(frozenset({"n1", "n2"}), symmetric=True)

    holder: Annotated[str, In(nodes)] | None = None

    @action
    def win(self, node: Annotated[str, In(nodes)]) -> None:
        guard(nobody_has=self.holder is None)
        self.holder = node


class Machine(Protocol, refines=Office):
    nodes: frozenset[str] = const(frozenset({"n1", "n2"}))

    holder: Annotated[str, In(nodes)] | None = None

    @action
    def win(self, node: Annotated[str, In(nodes)]) -> None:
        guard(nobody_has=self.holder is None)
        self.holder = node
