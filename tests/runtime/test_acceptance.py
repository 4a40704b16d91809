"""The walk emits what plain decoding emits, whatever the tree; each way of breaking that is planted and caught."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import pytest

from protocheck.runtime.acceptance import Step, walk
from protocheck.runtime.tree import DraftTree

from .rationals import Enumeration, Rationals, outcomes, total_variation
from .targets import ROOT, Model, all_prefixes, speculative, truth

TREES = [
    DraftTree.root_only(ROOT),
    DraftTree.chain(ROOT, (1, 2)),
    DraftTree((ROOT, 1, 0, 2, 1), (-1, 0, 0, 1, 1)),
    all_prefixes(3, 2),
]


def sampling(model: Model, draws: Enumeration, tree: DraftTree) -> Iterator[Step]:
    return walk(tree, lambda node, emitted: draws.token(model(emitted)))


def test_what_a_walk_is() -> None:
    tree = DraftTree((ROOT, 5, 7, 6, 8), (-1, 0, 0, 2, 3))
    said = {0: 7, 2: 6, 3: 9}
    seen: list[tuple[int, tuple[int, ...]]] = []

    def choose(node: int, emitted: tuple[int, ...]) -> int:
        seen.append((node, emitted))
        return said[node]

    assert list(walk(tree, choose)) == [Step(0, 7, 2), Step(2, 6, 3), Step(3, 9, None)]
    assert seen == [(0, ()), (2, (7,)), (3, (7, 6))]


def test_a_leaf_gives_one_token_more() -> None:
    assert [step.token for step in walk(DraftTree.chain(ROOT, (1, 2)), lambda node, _: node + 1)] == [1, 2, 3]


def test_nothing_is_chosen_before_it_is_asked_for() -> None:
    """A stop in mid-block draws no token that plain decoding would not have drawn."""
    chosen: list[int] = []

    def choose(node: int, emitted: tuple[int, ...]) -> int:
        chosen.append(node)
        return 1

    steps = walk(DraftTree.chain(ROOT, (1, 1, 1)), choose)
    assert chosen == []
    next(steps)
    next(steps)
    assert chosen == [0, 1]


@pytest.mark.parametrize("tree", TREES, ids=len)
@pytest.mark.parametrize("seed", range(5))
def test_sampled_as_plain_decoding_exactly(seed: int, tree: DraftTree) -> None:
    model = Model(seed)
    found = speculative(model, 3, lambda draws: sampling(model, draws, tree))
    assert found == truth(model, 3)


@pytest.mark.parametrize("seed", range(20))
def test_greedy_as_plain_decoding(seed: int) -> None:
    model = Model(seed, vocabulary=4)
    expected: tuple[int, ...] = ()
    for _ in range(3):
        expected += (model(expected).ranked()[0],)
    for first, second in itertools.product(range(4), repeat=2):
        steps = list(walk(DraftTree.chain(ROOT, (first, second)), lambda _, emitted: model(emitted).ranked()[0]))
        agreeing = (first == expected[0]) + (first == expected[0] and second == expected[1])
        assert tuple(step.token for step in steps) == expected[: agreeing + 1]


def test_asked_once_for_each_emitted_token() -> None:
    """Distributions of nodes that are not walked are never looked at: a stateful processor would notice."""
    model = Model(3)
    tree = all_prefixes(3, 2)

    def procedure(draws: Enumeration) -> int:
        model.asked.clear()
        emitted = tuple(step.token for step in sampling(model, draws, tree))
        assert model.asked == [emitted[:count] for count in range(len(emitted))]
        return len(emitted)

    assert outcomes(procedure) == {3: 1}


# --------------------------------------------------------------------------------------------------- planted faults


def test_planted_redraw_after_a_miss() -> None:
    """The drawn token only decides whether a child is taken; where none is, another one is drawn."""
    weights = Rationals.normalised([5, 4, 6])
    tree = DraftTree.chain(ROOT, (1,))

    def redraw(draws: Enumeration) -> int:
        token = draws.token(weights)
        return token if token in tree.children(0) else draws.token(weights)

    found = total_variation(outcomes(redraw), weights.as_dict())
    # Where the children have the probability m, a token of theirs comes m(1 - m) too often.
    assert found == Fraction(4, 15) * Fraction(11, 15)
    assert outcomes(lambda draws: draws.token(weights)) == weights.as_dict()


def test_planted_one_draw_for_two_positions() -> None:
    """One uniform number serves both positions of an accepted block, so that they are no longer independent."""
    weights = Rationals.normalised([3, 2, 4])
    both = {(a, b): weights[a] * weights[b] for a in range(3) for b in range(3)}

    class OneDraw(Enumeration):
        uniform: Fraction | None = None

        def token(self, weights: Rationals) -> int:
            if self.uniform is None:
                parts = math.lcm(*(value.denominator for value in weights.as_dict().values()))
                self.uniform = Fraction(self.choose({i: Fraction(1, parts) for i in range(parts)}), parts)
            below = itertools.accumulate(weights[token] for token in range(len(weights)))
            return next(token for token, bound in enumerate(below) if self.uniform < bound)

    def block(draws: Enumeration) -> tuple[int, ...]:
        steps = walk(all_prefixes(3, 1), lambda node, emitted: draws.token(weights))
        return tuple(step.token for step in steps)

    assert outcomes(block) == both
    planted = outcomes(lambda run: block(_replaying(OneDraw, run)))
    assert {first for first, _ in planted} == {0, 1, 2}
    assert total_variation(planted, both) == 1 - sum(weights[token] ** 2 for token in range(3))


def _replaying(kind: type[Enumeration], run: Enumeration) -> Enumeration:
    """Draws of another kind whose choices are those of this run."""
    other = kind(())
    other.choose = run.choose  # type: ignore[method-assign]
    return other


def test_planted_draws_at_nodes_that_are_not_walked() -> None:
    """The answers do not change their distribution, but who is asked does: a processor that counts is off."""
    tree = all_prefixes(2, 1)

    class Counting:
        calls = 0

        def weights(self) -> Rationals:
            self.calls += 1
            return Rationals.normalised([1, self.calls])

    def visited(draws: Enumeration) -> tuple[int, ...]:
        processor = Counting()
        return tuple(step.token for step in walk(tree, lambda *_: draws.token(processor.weights())))

    def everywhere(draws: Enumeration) -> tuple[int, ...]:
        processor = Counting()
        drawn = [draws.token(processor.weights()) for _ in range(len(tree))]
        return tuple(step.token for step in walk(tree, lambda node, _: drawn[node]))

    def decoded(draws: Enumeration) -> tuple[int, ...]:
        processor = Counting()
        return draws.token(processor.weights()), draws.token(processor.weights())

    assert outcomes(visited) == outcomes(decoded)
    assert total_variation(outcomes(everywhere), outcomes(decoded)) > 0
