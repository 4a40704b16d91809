"""Rejection over drafts that were drawn emits exactly what the target alone would; planted faults are each caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocheck.runtime.acceptance import Step
from protocheck.runtime.rejection import NotSampled, SampledTree, draw_children, judge, reject, residual, without
from protocheck.runtime.tree import DraftTree

from .rationals import Enumeration, Rationals, outcomes, total_variation
from .targets import ROOT, Model, speculative, truth

P = Rationals.normalised([5, 3, 2, 0])
Q = Rationals.normalised([1, 2, 3, 4])

distributions = st.lists(st.integers(0, 4), min_size=4, max_size=4).filter(any).map(Rationals.normalised)


def drawn_tree(drafter: Model, draws: Enumeration, shape: Sequence[int]) -> SampledTree[Rationals]:
    """A tree whose nodes of depth d have shape[d] children, drawn from the drafter's distribution for their prefix."""
    tokens, parents, prefixes = [ROOT], [-1], [()]
    proposals: list[Rationals | None] = []
    depths = [0]
    node = 0
    while node < len(tokens):
        if depths[node] < len(shape):
            proposals.append(drafter(prefixes[node]))
            for token in draw_children(drafter(prefixes[node]), shape[depths[node]], draws):
                tokens.append(token)
                parents.append(node)
                prefixes.append((*prefixes[node], token))
                depths.append(depths[node] + 1)
        else:
            proposals.append(None)
        node += 1
    return SampledTree(tuple(tokens), tuple(parents), proposals=tuple(proposals))


@given(p=distributions, q=distributions, count=st.integers(1, 4))
def test_one_node_exactly(p: Rationals, q: Rationals, count: int) -> None:
    assert outcomes(lambda draws: judge(p, q, draw_children(q, count, draws), draws)) == p.as_dict()


@pytest.mark.parametrize("shape", [(1,), (1, 1), (2,), (2, 1), (3,)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_chains_and_trees_exactly(seed: int, shape: tuple[int, ...]) -> None:
    target, drafter = Model(seed), Model(100 + seed)
    length = len(shape) + 1

    def accept(draws: Enumeration) -> Iterator[Step]:
        return reject(drawn_tree(drafter, draws, shape), lambda _, emitted: target(emitted), draws)

    assert speculative(target, length, accept) == truth(target, length)


@pytest.mark.soak
@pytest.mark.parametrize("shape", [(2, 2), (1, 1, 1), (3, 1), (1, 2)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_larger_trees_exactly(seed: int, shape: tuple[int, ...]) -> None:
    test_chains_and_trees_exactly(seed, shape)


def test_an_empty_draft_is_plain_sampling() -> None:
    target = Model(1)
    found = speculative(target, 2, lambda draws: reject(DraftTree.root_only(ROOT), lambda _, e: target(e), draws))
    assert found == truth(target, 2)


def test_acceptance_is_the_overlap() -> None:
    """A single draft is accepted with probability Σ min(p, q): not less, or the drafts would be wasted."""

    def accepted(draws: Enumeration) -> bool:
        tree = SampledTree((ROOT, *draw_children(Q, 1, draws)), (-1, 0), proposals=(Q, None))
        return next(reject(tree, lambda *_: P, draws)).child is not None

    assert outcomes(accepted)[True] == sum(min(P[token], Q[token]) for token in range(4))


def test_the_parts() -> None:
    assert (rest := without(Q, 3)) is not None
    assert rest.as_dict() == Rationals.normalised([1, 2, 3]).as_dict()
    assert without(Rationals([0, 1, 0, 0]), 1) is None
    assert residual(P, Q).as_dict() == Rationals.normalised([4, 1, 0, 0]).as_dict()
    counts = {len(set(drawn)) for drawn in outcomes(lambda draws: draw_children(Q, 3, draws))}
    assert counts == {3}
    few = outcomes(lambda draws: draw_children(P, 4, draws))
    assert {frozenset(drawn) for drawn in few} == {frozenset({0, 1, 2})}


def test_refused_where_nothing_was_drawn() -> None:
    def target(node: int, emitted: tuple[int, ...]) -> Rationals:
        raise AssertionError("asked before the tree was looked at")

    with pytest.raises(NotSampled, match='Use acceptance="walk"'):
        reject(DraftTree.chain(ROOT, (1,)), target, Enumeration(()))


def test_refused_where_a_draft_cannot_have_been_drawn() -> None:
    impossible = SampledTree((ROOT, 3), (-1, 0), proposals=(P, None))
    with pytest.raises(ValueError, match="token 3 is said to be drawn"):
        next(reject(impossible, lambda *_: Q, Enumeration(())))
    with pytest.raises(ValueError, match="2 nodes, but 1 proposals"):
        SampledTree((ROOT, 1), (-1, 0), proposals=(P,))
    with pytest.raises(ValueError, match="node 0 has children"):
        SampledTree((ROOT, 1), (-1, 0), proposals=(None, None))


# --------------------------------------------------------------------------------------------------- planted faults


def test_planted_rejection_over_the_most_probable_drafts() -> None:
    """A best-first tree passed off as a drawn one: what is emitted is no longer the target's."""

    def best(draws: Enumeration) -> int:
        return judge(P, Q, Q.ranked()[:2], draws)

    assert total_variation(outcomes(best), P.as_dict()) == Fraction(1, 2)


def test_planted_proposal_not_renormalised() -> None:
    def planted(draws: Enumeration) -> int:
        p = P
        for token in draw_children(Q, 2, draws):
            if draws.accepts(p[token], Q[token]):
                return token
            p = residual(p, Q)
        return draws.token(p)

    assert total_variation(outcomes(planted), P.as_dict()) > 0


def test_planted_residual_forgotten() -> None:
    """After a rejection the target's own distribution, instead of what is left of it."""

    def planted(draws: Enumeration) -> int:
        (token,) = draw_children(Q, 1, draws)
        return token if draws.accepts(P[token], Q[token]) else draws.token(P)

    assert total_variation(outcomes(planted), P.as_dict()) > 0


def test_planted_one_draw_for_draft_and_residual() -> None:
    """The drafter's draw used again for the residual: the two are to be independent."""
    q = Rationals.normalised([1, 1, 1, 1])
    p = Rationals.normalised([2, 1, 3, 0])

    def planted(draws: Enumeration) -> int:
        (token,) = draw_children(q, 1, draws)
        if draws.accepts(p[token], q[token]):
            return token
        # The same uniform number, by inversion of the residual's distribution.
        uniform, rest = Fraction(2 * token + 1, 8), residual(p, q)
        return next(t for t in range(4) if uniform < sum(rest[i] for i in range(t + 1)))

    assert outcomes(lambda draws: judge(p, q, draw_children(q, 1, draws), draws)) == p.as_dict()
    assert total_variation(outcomes(planted), p.as_dict()) > 0


def test_planted_distribution_written_to() -> None:
    """A verifier that zeroes the target's probabilities in place is noticed by the next reader of them."""

    def in_place(p: Rationals, drafted: Sequence[int], draws: Enumeration) -> int:
        if draws.accepts(p[drafted[0]], Q[drafted[0]]):
            return drafted[0]
        rest = residual(p, Q)
        for token in range(4):
            p[token] = rest[token]
        return draws.token(p)

    def second_of_two(judged: Callable[[Rationals, Sequence[int], Enumeration], int]) -> dict[int, Fraction]:
        def procedure(draws: Enumeration) -> int:
            target = P.clone()
            judged(target, draw_children(Q, 1, draws), draws)
            return judged(target, draw_children(Q, 1, draws), draws)

        return outcomes(procedure)

    assert second_of_two(lambda p, drafted, draws: judge(p, Q, drafted, draws)) == P.as_dict()
    assert total_variation(second_of_two(in_place), P.as_dict()) > 0
    # P itself refuses to be written to, as every distribution of these tests does that is not a copy.
    with pytest.raises(AssertionError, match="belongs to somebody else"):
        in_place(P, (3,), Enumeration((0,)))
