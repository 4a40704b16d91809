"""The best-first tree against all prefixes of small blocks."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocheck.runtime.best_first import best_first
from protocheck.runtime.tree import DraftTree

ROOT = 99


def brute_force(marginals: Sequence[Sequence[float]], budget: int) -> list[tuple[int, ...]]:
    """The rank paths of the most probable prefixes, ties by the ranks, level by level."""
    prefixes: list[tuple[float, tuple[int, ...]]] = []
    for depth in range(1, len(marginals) + 1):
        for ranks in itertools.product(*(range(len(level)) for level in marginals[:depth])):
            # Summed in the order in which the tree sums, root first.
            total = 0.0
            for level, rank in enumerate(ranks):
                total += marginals[level][rank]
            if total > -math.inf:
                prefixes.append((-total, ranks))
    return [ranks for _, ranks in sorted(prefixes)[:budget]]


def rank_paths(tree: DraftTree, tokens: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    return [
        tuple(tokens[depth].index(tree.tokens[step]) for depth, step in enumerate(tree.path(node)[1:]))
        for node in range(1, len(tree))
    ]


def block(levels: Sequence[Sequence[float]]) -> tuple[list[list[int]], list[list[float]]]:
    """Tokens and log-probabilities of marginals given by weights, best first."""
    tokens, logs = [], []
    for depth, weights in enumerate(levels):
        ordered = sorted((w / sum(weights) for w in weights), reverse=True)
        tokens.append([100 * (depth + 1) + rank for rank in range(len(weights))])
        logs.append([math.log(w) if w else -math.inf for w in ordered])
    return tokens, logs


weights = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(any), max_size=4)


@given(levels=weights, budget=st.integers(0, 30))
def test_as_brute_force(levels: list[list[int]], budget: int) -> None:
    """Small integers as weights give many ties."""
    tokens, logs = block(levels)
    tree = best_first(ROOT, tokens, logs, budget)
    assert tree.tokens[0] == ROOT
    assert rank_paths(tree, tokens) == brute_force(logs, budget)


def test_at_the_size_of_a_real_block() -> None:
    random.seed(1)
    tokens, logs = block([[random.expovariate(1) ** 3 for _ in range(6)] for _ in range(6)])
    for budget in (1, 16, 64):
        tree = best_first(ROOT, tokens, logs, budget)
        assert len(tree) == budget + 1
        assert rank_paths(tree, tokens) == brute_force(logs, budget)


def test_probabilities_are_those_of_the_paths() -> None:
    tokens, logs = block([[5, 3, 2], [9, 1]])
    tree = best_first(ROOT, tokens, logs, 9)
    assert tree.probabilities is not None
    assert list(tree.probabilities) == sorted(tree.probabilities, reverse=True)
    for node in range(len(tree)):
        path = tree.path(node)[1:]
        expected = sum(logs[depth][tokens[depth].index(tree.tokens[step])] for depth, step in enumerate(path))
        assert tree.probabilities[node] == pytest.approx(expected)


def test_fewer_candidates_than_the_budget() -> None:
    """`budget` candidates a depth are enough: the tree is that of the whole vocabulary."""
    tokens, logs = block([[8, 4, 2, 1, 1, 1, 1, 1], [5, 5, 5, 5, 1, 1, 1, 1], [3, 2, 1, 1, 1, 1, 1, 1]])
    for budget in range(1, 9):
        cut = best_first(ROOT, [t[:budget] for t in tokens], [level[:budget] for level in logs], budget)
        assert cut == best_first(ROOT, tokens, logs, budget)


def test_what_is_impossible_is_not_drafted() -> None:
    tokens, logs = block([[1, 0], [1, 0]])
    assert best_first(ROOT, tokens, logs, 10).tokens == (ROOT, 100, 200)


def test_no_draft() -> None:
    tokens, logs = block([[1, 2]])
    assert best_first(ROOT, tokens, logs, 0) == DraftTree((ROOT,), (-1,), (0.0,))
    assert len(best_first(ROOT, [], [], 8)) == 1
    assert len(best_first(ROOT, [[]], [[]], 8)) == 1


@pytest.mark.parametrize(
    ("tokens", "logs", "message"),
    [
        ([[1, 2]], [[-1.0, -0.5]], "depth 1"),
        ([[1], [2]], [[-1.0], [0.5]], "depth 2"),
        ([[1]], [[math.nan]], "depth 1"),
        ([[1, 2]], [[-1.0, math.nan]], "depth 1"),
        ([[1, 2]], [[-1.0]], "2 tokens at depth 1, but 1 probabilities"),
        ([[1]], [], "tokens for 1 depths, but probabilities for 0"),
    ],
)
def test_refused(tokens: list[list[int]], logs: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        best_first(ROOT, tokens, logs, 4)
