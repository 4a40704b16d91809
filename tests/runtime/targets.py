"""Small language models of exact fractions: a distribution for each prefix."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

from protocheck.runtime.acceptance import Step
from protocheck.runtime.tree import DraftTree

from .rationals import Enumeration, Rationals, outcomes

ROOT = 0
"""The token emitted last; no model looks at it."""


class Model:
    """A distribution over the vocabulary for each prefix, the same whenever it is asked for."""

    def __init__(self, seed: int, vocabulary: int = 3) -> None:
        self.seed = seed
        self.vocabulary = vocabulary
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, prefix: tuple[int, ...]) -> Rationals:
        self.asked.append(prefix)
        numbers = random.Random(repr((self.seed, prefix)))
        while not sum(weights := [numbers.randint(0, 5) for _ in range(self.vocabulary)]):
            pass
        return Rationals.normalised(weights)


def plain(model: Model, draws: Enumeration, prefix: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Plain decoding: the prefix, continued to a length."""
    while len(prefix) < length:
        prefix += (draws.token(model(prefix)),)
    return prefix


def truth(model: Model, length: int) -> dict[tuple[int, ...], Fraction]:
    return outcomes(lambda draws: plain(model, draws, (), length))


def speculative(
    model: Model, length: int, accept: Callable[[Enumeration], Iterator[Step]]
) -> dict[tuple[int, ...], Fraction]:
    """One round of `accept`, then plain decoding up to a length (and what is too long is cut, as by a stop)."""

    def procedure(draws: Enumeration) -> tuple[int, ...]:
        emitted: tuple[int, ...] = ()
        for step in accept(draws):
            emitted += (step.token,)
            if len(emitted) == length:
                break
        return plain(model, draws, emitted, length)

    return outcomes(procedure)


def all_prefixes(vocabulary: int, depth: int) -> DraftTree:
    """The tree of all continuations."""
    tokens, parents, level = [ROOT], [-1], [0]
    for _ in range(depth):
        following = []
        for parent in level:
            for token in range(vocabulary):
                following.append(len(tokens))
                tokens.append(token)
                parents.append(parent)
        level = following
    return DraftTree(tuple(tokens), tuple(parents))
