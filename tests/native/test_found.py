"""What was once wrong in the C that is written, each in the smallest protocol that shows it."""

from __future__ import annotations

from typing import Annotated

import pytest

from protocheck import Between, Protocol, action, eventually, guard, init, invariant
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.packing import low
from protocheck.transpiler.packing.builder import Builder
from protocheck.transpiler.packing.c_render import CWriter, NotInC

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


class Compared(Protocol):
    """The lowest bits of a state, taken out in two ways, were compared: which a strict compiler does not take."""

    items: frozenset[Annotated[int, Between(0, 2)]] = frozenset({1})
    on: bool = False

    @action
    def clear(self) -> None:
        self.on = {item for item in self.items if item >= 0} == frozenset() | self.items
        self.items = frozenset({0, 2}) - self.items


class Still(Protocol):
    """No step changes anything, so that the graph has no edge: what would note one was left over."""

    on: bool = False

    @action(fairness="weak")
    def stay(self) -> None:
        self.on = self.on

    @eventually
    def comes_on(self) -> bool:
        return self.on


class Modes(Protocol):
    """What is refined: a counter, and a mode that may be set to what it is."""

    count: Annotated[int, Between(0, 3)]
    mode: Annotated[int, Between(0, 199)]

    @init
    def begin(self, mode: Annotated[int, Between(0, 199)]) -> None:
        self.count = 0
        self.mode = mode

    @action
    def add(self) -> None:
        guard(room=self.count < 3)
        self.count += 1

    @action
    def set(self, mode: Annotated[int, Between(0, 199)]) -> None:
        self.mode = mode


class Seen(Protocol):
    """What any of them has besides: 70 bits, so that values have 128."""

    count: Annotated[int, Between(0, 3)]
    mode: Annotated[int, Between(0, 199)]
    seen: frozenset[Annotated[int, Between(0, 69)]]

    @init
    def begin(self) -> None:
        self.count = 0
        self.mode = 7
        self.seen = frozenset()

    @action
    def add(self) -> None:
        guard(room=self.count < 3)
        self.count += 1

    @action
    def look(self, at: Annotated[int, Between(0, 69)]) -> None:
        guard(some=len(self.seen) < 1)
        self.seen |= {at}


class Strays(Seen, refines=Modes):
    """A step that sets both is none of what it refines, where a step that must be compared began with zeros."""

    @action
    def set(self, mode: Annotated[int, Between(0, 9)]) -> None:
        self.mode = mode
        self.count = 0


class Follows(Seen, refines=Modes):
    """A step that is one of them, and was none of those that began with zeros."""

    @action
    def set(self, mode: Annotated[int, Between(0, 9)]) -> None:
        self.mode = mode


class Fixed(Protocol):
    """A constant beginning: its abstract writer began with a state before, which it does not have."""

    count: Annotated[int, Between(0, 3)] = 0

    @action
    def add(self) -> None:
        guard(room=self.count < 3)
        self.count += 1


class FixedWide(Protocol, refines=Fixed):
    """The same beside a set that needs 128 bits."""

    count: Annotated[int, Between(0, 3)] = 0
    seen: frozenset[Annotated[int, Between(0, 69)]] = frozenset()

    @action
    def add(self, at: Annotated[int, Between(0, 69)]) -> None:
        guard(room=self.count < 2)
        guard(other=at not in self.seen and len(self.seen) < 1)
        self.count += 1
        self.seen |= {at}


class Pairs(Protocol):
    """A table of bits ends with the last one: indices go on beyond."""

    at: tuple[Annotated[int, Between(0, 11)], Annotated[int, Between(0, 11)]] = (0, 0)

    @action
    def go(self, to: tuple[Annotated[int, Between(0, 11)], Annotated[int, Between(0, 11)]]) -> None:
        self.at = to

    @invariant
    def is_listed(self) -> bool:
        return self.at in frozenset({(0, 0), (1, 1), (6, 2)})


class Tabulated(Protocol):
    """The same of a table that says where a condition of two small numbers is true."""

    x: Annotated[int, Between(0, 15)] = 0
    y: Annotated[int, Between(0, 15)] = 0

    @action
    def go(self, x: Annotated[int, Between(0, 15)], y: Annotated[int, Between(0, 15)]) -> None:
        self.x = x
        self.y = y

    @invariant
    def is_small(self) -> bool:
        return (self.x * self.y + self.x * self.x + 5 * self.y) % 7 != 3 and self.y < 6 and self.x * self.y < 60


class Divides(Protocol):
    """A guard that all blocks share, which has a value only behind one that they do not share."""

    x: Annotated[int, Between(0, 5)] = 0
    a: Annotated[int, Between(0, 1000)] = 0

    @action
    def go(self, by: Annotated[int, Between(2, 5)]) -> None:
        guard(it=self.x == by)
        guard(divides=self.a % self.x == 0)
        self.a = 7

    @action
    def up(self) -> None:
        guard(room=self.x < 5)
        self.x += 1


class Impossible(Protocol):
    """No action is possible by constants alone: there was no room for a batch of initial states and one more."""

    x: Annotated[int, Between(0, 1999)]

    @init
    def begin(self, x: Annotated[int, Between(0, 1999)]) -> None:
        self.x = x

    @action
    def never(self) -> None:
        guard(no=1 > 2)
        self.x = 0


@pytest.mark.parametrize("options", [STRICT, SANITIZED], ids=["strict", "sanitized"])
@pytest.mark.parametrize(
    "cls",
    [Listed, Less, Compared, Still, Strays, Follows, FixedWide, Pairs, Tabulated, Divides, Impossible],
    ids=lambda cls: str(cls.__name__),
)
def test_found(cls: type[Protocol], options: tuple[str, ...]) -> None:
    tally = Tally()
    compare_compiled(instantiate(compile_protocol(cls)), tally, options, threads=(1,))
    assert tally.counts["instances compared"] == 1


def test_the_least_number_is_not_divided() -> None:
    """By -1 it would be a number that there is not: a trap of the processor."""
    writer = CWriter(64, 1, Builder(instantiate(compile_protocol(Still))))
    divisor = low.Name("d", -1, 1)
    assert writer.value(low.Division("//", low.Name("a", 1 - 2**63, 2**63 - 1), divisor)) == "floor_quotient(a, d)"
    for operator in ("//", "%"):
        with pytest.raises(NotInC, match="64 bits"):
            writer.value(low.Division(operator, low.Name("a", -(2**63), 0), divisor))  # type: ignore[arg-type]
