from dataclasses import dataclass
from typing import Annotated, Literal

from protocheck import *  # noqa: F403
from protocheck import In, Protocol, action, const, guard, helper, init


@dataclass(frozen=True)
class Vote:
    by: "Annotated[str, In(Machine.nodes)] | None"
    weight: Literal["light", "heavy"]


FIRST = Vote("n1", "light")
NOBODY = Vote(None, "heavy")


class Machine(Protocol):
    nodes: frozenset[str] = const(frozenset({"n1", "n2"}), symmetric=True)

    votes: frozenset[Vote] = frozenset()

    @action
    def smuggles_one_in(self) -> None:
        self.votes |= {FIRST}

    @action
    def compares_with_one(self) -> None:
        guard(is_there=FIRST in self.votes)
        self.votes = frozenset()

    @action
    def names_nobody(self) -> None:
        self.votes |= {NOBODY}
