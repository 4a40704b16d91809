"""Tests that many blocks share, asked once for all of them.

Of consecutive blocks of one action, `i <= length` for each i say, the weakest common condition guards them all, and
again each half of them: where it fails, none is asked. What it says need not be asked again inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


def grouped(blocks: Sequence[Block], facts: Facts = knowledge.NOTHING) -> tuple[Group | Member, ...]:
    """Blocks of one action in order, under the tests that they share."""
    guards = [block.guard for block in blocks]
    tests = [knowledge.decide(guard, facts) for guard in guards if guard is not None]
    if len(tests) < len(blocks):
        raise AssertionError("only blocks with one test can be grouped")
    if len(blocks) < SMALLEST:
        return tuple(Member(block, test) for block, test in zip(blocks, tests, strict=True))
    shared = knowledge.decide(common(tests), facts)
    if isinstance(shared, low.Const):
        return tuple(_divided(blocks, tests, facts))
    inner = knowledge.assume(shared, facts)
    return (Group(shared, tuple(_divided(blocks, [knowledge.decide(test, inner) for test in tests], inner))),)


def _divided(blocks: Sequence[Block], tests: Sequence[Low], facts: Facts) -> Iterator[Group | Member]:
    if len(blocks) <= LEAF or all(isinstance(test, low.Const) for test in tests):
        for block, test in zip(blocks, tests, strict=True):
            yield Member(block, test)
        return
    middle = len(blocks) // 2
    yield from grouped(blocks[:middle], facts)
    yield from grouped(blocks[middle:], facts)


def common(tests: Sequence[Low]) -> Low:
    """A condition that follows from each of the tests, as strong as is cheaply found."""
    conjuncts = [_conjuncts(test) for test in tests]
    shared = []
    for candidate in conjuncts[0]:
        weakest: Low | None = candidate
        for others in conjuncts[1:]:
            weakest = None if weakest is None else _weakened(weakest, others)
        if weakest is not None:
            shared.append(weakest)
    return low.both(*shared)


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
