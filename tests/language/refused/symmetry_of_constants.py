from typing import Annotated, Literal

from protocheck import *  # noqa: F403
from protocheck import In, Protocol, action, const, guard, helper, init


class Machine(Protocol):
    nodes: frozenset[str] = const(frozenset({"n1", "n2"}), symmetric=True)
    pages: frozenset[str] = const(frozenset({"n1", "p2"}), symmetric=True)
    words: frozenset[Literal["n1", "n2"]] = const(frozenset({"n1", "n2"}), symmetric=True)
    names: frozenset[str] = const(frozenset({"n1", "n2"}))

    Node = Annotated[str, In(nodes)]
    Page = Annotated[str, In(pages)]

    home: Node = const("n1")
    some: frozenset[Node] = const(frozenset())
    shares: dict[Node, bool] = const({"n1": True, "n2": False})

    at: Node | None = None
    on: Page | None = None
    start: Node | None = "n1"
    marks: dict[Node, bool] = {"n1": False, "n2": True}

    @helper
    def is_first(self, name: str) -> bool:
        return name == "n1"

    @action
    def mixes_two_sets(self, n: Node) -> None:
        guard(same=self.at == self.on, both=n in self.pages)
        self.on = n

    @action
    def takes_members_for_strings(self, n: Node) -> None:
        guard(first=self.is_first(n), known=n in self.names)

    @action
    def names_one_as_a_parameter(self, n: Literal["n1"]) -> None:
        self.at = n

    @action
    def picks_one(self) -> None:
        self.at = next(iter(self.nodes))

    @action
    def sorts_them(self) -> None:
        self.at = sorted(self.nodes)[0]

    @action
    def lines_them_up(self) -> None:
        self.at = tuple(self.nodes)[0]

    @action
    def adds_them(self, n: Node) -> None:
        self.at = n + n
