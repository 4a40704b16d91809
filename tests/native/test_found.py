"""What was once wrong in the C that is written, each in the smallest protocol that shows it."""

from __future__ import annotations

from typing import Annotated

import pytest

from protocheck import Between, Protocol, action, eventually, guard, invariant
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from ..differential.compiled import SANITIZED, STRICT, compare_compiled
from ..differential.differences import Tally


class Listed(Protocol):
    """A set of numbers beyond 64: its words were as narrow as they could be, and shifted too far."""

    level: Annotated[int, Between(0, 95)] = 8

    @action
    def go(self, to: Annotated[int, Between(0, 95)]) -> None:
        guard(one_of_two=to == 8 or to == 40)
        self.level = to

    @invariant
    def is_listed(self) -> bool:
        return self.level in frozenset({1, 8, 11, 13, 17, 70, 75, 78, 83})


class Less(Protocol):
    """What is taken away from a set is one element or none: a truth value, of which C's `~` is no set."""

    on: bool = False

    @action
    def switch(self) -> None:
        self.on = not self.on

    @invariant
    def true_is_no_part(self) -> bool:
        return not frozenset({True}) <= (frozenset({False}) if self.on else frozenset())


class Still(Protocol):
    """No step changes anything, so that the graph has no edge: what would note one was left over."""

    on: bool = False

    @action(fairness="weak")
    def stay(self) -> None:
        self.on = self.on

    @eventually
    def comes_on(self) -> bool:
        return self.on


@pytest.mark.parametrize("options", [STRICT, SANITIZED], ids=["strict", "sanitized"])
@pytest.mark.parametrize("cls", [Listed, Less, Still], ids=lambda cls: str(cls.__name__))
def test_found(cls: type[Protocol], options: tuple[str, ...]) -> None:
    tally = Tally()
    compare_compiled(instantiate(compile_protocol(cls)), tally, options, threads=(1,))
    assert tally.counts["instances compared"] == 1
