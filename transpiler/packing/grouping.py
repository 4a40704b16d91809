"""Tests that many blocks share, asked once for all of them.

Of consecutive blocks of one action, `i <= length` for each i say, the weakest common condition guards them all, and
again each half of them: where it fails, none is asked. What it says need not be asked again inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from . import facts as knowledge
from . import low
from .facts import Facts
from .low import Low
from .steps import Block

SMALLEST = 3
"""Fewer blocks are asked one by one."""

LEAF = 4
"""More blocks are halved."""


@dataclass(frozen=True)
class Group:
    """What runs where the test holds: blocks, each with what is left of its own test, and further groups."""

    test: Low
    members: tuple[Group | Member, ...]


@dataclass(frozen=True)
class Member:
    """A block, and what is left to be tested of its guard."""

    block: Block
    test: Low


def grouped(blocks: Sequence[Block]) -> tuple[Group | Member, ...]:
    """Blocks of one action in order, under the tests that they share."""
    members = []
    for block in blocks:
        if block.guard is None:
            raise AssertionError("only blocks with one test can be grouped")
        members.append(Member(block, block.guard))
    return _grouped(members, knowledge.NOTHING)


def _grouped(members: Sequence[Member], facts: Facts) -> tuple[Group | Member, ...]:
    """`facts` is what the tests of the groups around say; the members' tests are what they leave open."""
    if len(members) < SMALLEST:
        return tuple(members)
    shared = common([member.test for member in members])
    if isinstance(shared, low.Const):
        return _divided(members, facts)
    inner = knowledge.assume(shared, facts)
    rest = [Member(member.block, knowledge.decide(member.test, inner)) for member in members]
    return (Group(shared, _divided(rest, inner)),)


def _divided(members: Sequence[Member], facts: Facts) -> tuple[Group | Member, ...]:
    if len(members) <= LEAF or all(isinstance(member.test, low.Const) for member in members):
        return tuple(members)
    middle = len(members) // 2
    return _grouped(members[:middle], facts) + _grouped(members[middle:], facts)


def common(tests: Sequence[Low]) -> Low:
    """A condition that follows from each of the tests, as strong as is cheaply found.

    What need not have a value is asked only behind all that stands before it in every test: one of that may be what
    gives it a value.
    """
    conjuncts = [_conjuncts(test) for test in tests]
    begins = sum(1 for _ in takewhile(lambda items: len(set(items)) == 1, zip(*conjuncts, strict=False)))
    shared = []
    for place, candidate in enumerate(conjuncts[0]):
        weakest: Low | None = candidate
        for others in conjuncts[1:]:
            weakest = None if weakest is None else _weakened(weakest, others)
        if weakest is not None and (place < begins or not _is_partial(weakest)):
            shared.append(weakest)
    return low.both(*shared)


def _is_partial(node: Low) -> bool:
    """Whether there may be states in which the expression has no value, as far as its own parts tell."""
    match node:
        case low.At() | low.Invoke():
            return True
        case low.Division(_, _, right):
            least, most = knowledge.bounds(right, knowledge.NOTHING)
            own = least <= 0 <= most
        case low.HasBit(_, index) | low.Shift(_, _, index):
            own = knowledge.bounds(index, knowledge.NOTHING)[0] < 0
        case _:
            own = False
    return own or any(map(_is_partial, low.operands(node)))


def _conjuncts(test: Low) -> tuple[Low, ...]:
    return test.items if isinstance(test, low.Junction) and test.operator == "and" else (test,)


def _weakened(candidate: Low, others: tuple[Low, ...]) -> Low | None:
    """What follows both from a conjunct and from one of the others."""
    if candidate in others:
        return candidate
    match candidate:
        case low.Masked(word, mask, expected):
            for other in others:
                if isinstance(other, low.Masked) and other.word == word:
                    agreed = mask & other.mask & ~(expected ^ other.expected)
                    return low.masked(word, agreed, expected & agreed) if agreed else None
        case low.AtMostZero(low.Linear(terms, constant)):
            for other in others:
                if isinstance(other, low.AtMostZero) and isinstance(other.sum, low.Linear) and other.sum.terms == terms:
                    weaker = low.collect(terms, min(constant, other.sum.constant))
                    return low.at_most(weaker, low.ZERO)
    return None
