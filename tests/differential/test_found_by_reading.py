"""What was found by reading: false verdicts of the front end, each made small and kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from protocheck import (
    Between,
    Protocol,
    action,
    const,
    guard,
    init,
    invariant,
    snapshot,
)
from protocheck.protocols.rollback import Rollback
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.reference import reference_check

from .agreeing import agrees

Small = Annotated[int, Between(0, 2)]


@dataclass(frozen=True)
class Put:
    at: Small


@dataclass(frozen=True)
class Ack:
    on: bool


X, Y = Literal["x", "y"], Literal["y", "z"]


class OverlappingNames(Protocol):
    """What two parts of a union share was a value twice: every step with it was counted twice."""

    mark: X | Y = "x"
    seen: dict[X | Y, bool]

    @init
    def nothing_is_seen(self) -> None:
        self.seen = {"x": False, "y": False, "z": False}

    @action
    def put(self, value: X | Y) -> None:
        self.seen[value] = True
        self.mark = value


@dataclass(frozen=True)
class Nothing:
    pass


Message = Put | Ack
Request, Reply = Put | Ack, Ack | Nothing


class OverlappingRecords(Protocol):
    last: (Request | None) | (Reply | None) = None

    @action
    def put(self, message: Request | Reply) -> None:
        self.last = message

    @action
    def put_back(self, message: Put | Put) -> None:
        self.last = message


@pytest.mark.parametrize(("protocol", "generated"), [(OverlappingNames, 40), (OverlappingRecords, 64)])
def test_what_two_parts_of_a_union_share_is_one_value(protocol: type[Protocol], generated: int) -> None:
    assert reference_check(instantiate(agrees(protocol))).generated == generated


class LongChains(Protocol):
    """A later middle of a chain was evaluated though an earlier comparison was false."""

    n: Small = 0
    numbers: frozenset[Small] = frozenset()

    @action
    def put(self, value: Small) -> None:
        guard(ordered=0 <= self.n <= max(x for x in self.numbers | {value}) < 3)
        self.numbers |= {value}
        self.n = value

    @action
    def clear(self) -> None:
        self.numbers = frozenset()
        self.n = 0

    @invariant
    def in_between(self) -> bool:
        return not 0 < len(self.numbers) < min(x for x in self.numbers) < max(x for x in self.numbers) < self.n

    @invariant
    def two_middles(self) -> bool:
        return self.n == 0 or 0 <= min(x for x in self.numbers) <= max(x for x in self.numbers) <= 2 < 3


def test_a_chain_of_comparisons_ends_where_one_is_false() -> None:
    assert reference_check(instantiate(agrees(LongChains))).status == "holds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    at: Small
    on: bool = False


@dataclass(frozen=True)
class Mixed:
    at: Small
    by: Small = dataclasses.field(default=0, kw_only=True)
    on: bool = False


class KeywordsOnly(Protocol):
    """Fields that are given by name alone were taken by position, which Python refuses."""

    named: Named = Named(at=0)
    mixed: Mixed = Mixed(0, True)

    @action
    def put(self, at: Small) -> None:
        self.named = Named(on=True, at=at)
        self.mixed = Mixed(at, at == 1, by=2)


def test_fields_are_given_by_position_where_python_takes_them_so() -> None:
    agrees(KeywordsOnly)


class NamesAround(Protocol):
    """Names of records, functions and methods are those of the module, whatever the class calls by them."""

    limit: int = const(2)

    Message = Ack
    Small = Annotated[int, Between(0, 4)]

    named: Put = Put(0)
    message: Put | Ack = Ack(False)
    puts: bool = False
    count: Small = Rollback.max_len

    @action
    def put(self, named: Put, message: Put | Ack) -> None:
        self.named = named
        self.message = message
        self.puts = isinstance(message, Message)

    @invariant
    def every_message_is_one(self) -> bool:
        return self.puts or self.message == Ack(False)


def test_names_are_those_of_the_module() -> None:
    assert reference_check(instantiate(agrees(NamesAround))).distinct == 3 * 5 + 1


class Halved(Protocol):
    limit: int = const(2)
    count: Annotated[int, Between(0, 9)] = 0


class Bounded(Halved):
    """A constant that is named through the class is that of the instance, in the class body."""

    start: Annotated[int, Between(0, Halved.limit)] = Halved.limit
    some: frozenset[Annotated[int, Between(0, 9)]] = frozenset(i for i in range(9) if i < Halved.limit)

    @action
    def count_on(self) -> None:
        guard(room=self.count < self.start)
        self.count += 1


def test_a_constant_of_the_class_is_that_of_the_instance() -> None:
    agrees(Bounded)
    assert snapshot(Bounded(limit=4)) == {"count": 0, "start": 4, "some": frozenset(range(4))}


@dataclass(frozen=True)
class Marked:
    at: Small
    by: frozenset[Small] = frozenset()


UNMARKED = Marked(1)
BOTH = (Marked(0), Marked(1, frozenset({2})))


class OutsideRecords(Protocol):
    """A record of the module with an empty set in it was none of its class: it equalled no other."""

    last: Marked = Marked(0)
    known: bool = False

    @action
    def put(self, by: frozenset[Small]) -> None:
        self.known = self.last == UNMARKED or self.last in BOTH
        self.last = Marked(1, by)


def test_a_record_of_the_module_has_the_type_of_its_class() -> None:
    agrees(OutsideRecords)
