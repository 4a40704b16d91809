"""Drafters that a decoder must bear: whatever they propose, the output is the target's."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from protocheck.runtime.drafters.base import Context, Outcome, TargetFacts
from protocheck.runtime.tree import DraftTree


class Scripted:
    """What all of these share: they see no hidden states, learn nothing, and count what they are asked and told."""

    hidden_layers: tuple[int, ...] = ()

    def __init__(self) -> None:
        self.started = self.drafted = self.closed = 0
        self.outcomes: list[Outcome] = []
        self.vocab_size = 0

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        self.started += 1
        self.outcomes.clear()
        self.vocab_size = target.vocab_size

    def draft(self, context: Context, budget: int) -> DraftTree:
        self.drafted += 1
        return self.tree(context.ids, budget)

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        raise NotImplementedError

    def accepted(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def close(self) -> None:
        self.closed += 1


class Drafts(Scripted):
    """Proposes what a function says."""

    def __init__(self, propose: Callable[[tuple[int, ...], int], DraftTree]) -> None:
        super().__init__()
        self.propose = propose

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        return self.propose(ids, budget)


class Unasked(Scripted):
    """Fails the test where it is asked for a draft."""

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        pytest.fail("a draft was asked for")


class EmptyDrafter(Scripted):
    """Never proposes anything."""

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        return DraftTree.root_only(ids[-1])


class RandomDrafter(Scripted):
    """Random trees of random size, deep ones and broad ones."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.numbers = random.Random(seed)

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        return random_tree(self.numbers, ids[-1], self.numbers.randint(0, budget), range(self.vocab_size))


class RightDrafter(Scripted):
    """Knows the target's continuation; `branches` gives each of its nodes so many wrong siblings.

    text: prompt and continuation, without padding. Behind its end nothing is drafted.
    """

    def __init__(self, text: Sequence[int], branches: int = 0) -> None:
        super().__init__()
        self.text, self.branches = tuple(text), branches

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        return DraftTree(*self.around(ids[-1], self.text[len(ids) :], budget))

    def around(self, root: int, truth: Sequence[int], budget: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        tokens, parents, node = [root], [-1], 0
        for token in truth:
            # Wrong ones first, so that a path of accepted rows has to be gathered.
            wrong = [(token + 1 + i) % self.vocab_size for i in range(min(self.branches, self.vocab_size - 1))]
            if len(tokens) + len(wrong) >= budget + 1:
                break
            for sibling in (*wrong, token):
                tokens.append(sibling)
                parents.append(node)
            node = len(tokens) - 1
        return tuple(tokens), tuple(parents)


class WrongDrafter(RightDrafter):
    """Knows the target's continuation, and never proposes it."""

    def around(self, root: int, truth: Sequence[int], budget: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        wrong = [(token + 1) % self.vocab_size for token in truth[:budget]]
        return (root, *wrong), tuple(range(-1, len(wrong)))


class HalfRightDrafter(RightDrafter):
    """Right with some probability, independently at each depth; in trees where `branches` is not 0."""

    def __init__(self, text: Sequence[int], rate: float, branches: int = 0, seed: int = 0) -> None:
        super().__init__(text, branches)
        self.rate, self.numbers = rate, random.Random(seed)

    def around(self, root: int, truth: Sequence[int], budget: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        garbled = [t if self.numbers.random() < self.rate else (t + 7) % self.vocab_size for t in truth]
        return super().around(root, garbled, budget)


class TooLongDrafter(RandomDrafter):
    """Proposes more than it was asked for, and behind the end of the text."""

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        if self.numbers.random() < 0.5:
            return DraftTree.chain(ids[-1], self.numbers.choices(range(self.vocab_size), k=3 * budget + 5))
        return random_tree(self.numbers, ids[-1], 2 * budget + 3, range(self.vocab_size))


class FailingDrafter(Scripted):
    """Raises at its n-th draft."""

    def __init__(self, n: int, error: BaseException) -> None:
        super().__init__()
        self.n, self.error = n, error

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        if self.drafted == self.n:
            raise self.error
        return DraftTree.chain(ids[-1], [0] * min(2, budget))


def random_tree(numbers: random.Random, root: int, drafts: int, vocabulary: Sequence[int]) -> DraftTree:
    """A tree with so many nodes besides the root, or as many as there is room for."""
    tokens, parents = [root], [-1]
    taken: set[tuple[int, int]] = set()
    for _ in range(20 * drafts):
        if len(tokens) > drafts:
            break
        # The last few nodes are chosen more often: trees become deep as well as broad.
        parent = numbers.choice([numbers.randrange(len(tokens)), len(tokens) - 1])
        token = numbers.choice(vocabulary)
        if (parent, token) not in taken:
            taken.add((parent, token))
            tokens.append(token)
            parents.append(parent)
    return DraftTree(tuple(tokens), tuple(parents))
