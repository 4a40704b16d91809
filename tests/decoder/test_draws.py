"""The rules on tensors: the same tokens as plain decoding under one seed, and the right distribution by rejection."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator

import pytest
import torch

from protocheck.runtime.acceptance import Step, walk
from protocheck.runtime.draws import TensorDraws, greedy, sampled
from protocheck.runtime.rejection import NotSampled, SampledTree, draw_children, judge, reject
from protocheck.runtime.tree import DraftTree

from .distributions import chi_square, critical

VOCABULARY = 5
ROOT = 0


def scores(prefix: tuple[int, ...]) -> torch.Tensor:
    """What a model says of a prefix: [1, vocabulary]."""
    seed = int.from_bytes(hashlib.sha256(repr(prefix).encode()).digest()[:4], "little")
    return torch.randn((1, VOCABULARY), generator=torch.Generator().manual_seed(seed))


def decode(choose: Callable[[torch.Tensor], int], length: int) -> tuple[int, ...]:
    """Plain decoding."""
    ids: tuple[int, ...] = ()
    for _ in range(length):
        ids += (choose(scores(ids)),)
    return ids


def random_tree(generator: torch.Generator, nodes: int) -> DraftTree:
    tokens, parents = [ROOT], [-1]
    while len(tokens) < nodes:
        parent, token = (int(torch.randint(n, (), generator=generator)) for n in (len(tokens), VOCABULARY))
        if (parent, token) not in zip(parents, tokens, strict=True):
            tokens.append(token)
            parents.append(parent)
    return DraftTree(tuple(tokens), tuple(parents))


def in_rounds(
    accept: Callable[[DraftTree, tuple[int, ...]], Iterator[Step]], length: int, nodes: int
) -> tuple[tuple[int, ...], int]:
    """Decoding by random trees; returns the ids and the number of rounds."""
    private = torch.Generator().manual_seed(7)
    ids: tuple[int, ...] = ()
    for rounds in itertools.count(1):
        for step in accept(random_tree(private, nodes), ids):
            ids += (step.token,)
            if len(ids) == length:
                return ids, rounds
    raise AssertionError


@pytest.mark.parametrize("nodes", [1, 4, 24])
@pytest.mark.parametrize("choose", [greedy, sampled])
def test_as_plain_decoding_under_the_same_seed(choose: Callable[[torch.Tensor], int], nodes: int) -> None:
    torch.manual_seed(3)
    expected = decode(choose, 60)
    state = torch.get_rng_state()
    torch.manual_seed(3)
    found, rounds = in_rounds(lambda tree, ids: walk(tree, lambda _, e: choose(scores(ids + e))), 60, nodes)
    assert found == expected
    assert torch.equal(torch.get_rng_state(), state)
    assert rounds == 60 if nodes == 1 else rounds < 60


def test_planted_draws_at_nodes_that_are_not_walked() -> None:
    """One batched draw for all nodes has the right distribution, but is another text under the same seed."""
    torch.manual_seed(3)
    expected = decode(sampled, 60)

    def accept(tree: DraftTree, ids: tuple[int, ...]) -> Iterator[Step]:
        rows = [scores(ids + tuple(tree.tokens[step] for step in tree.path(node)[1:])) for node in range(len(tree))]
        drawn = torch.multinomial(torch.cat(rows).softmax(-1), 1)[:, 0].tolist()
        return walk(tree, lambda node, _: drawn[node])

    torch.manual_seed(3)
    found, _ = in_rounds(accept, 60, 4)
    assert found != expected


def test_planted_redraw_after_a_miss() -> None:
    torch.manual_seed(3)
    expected = decode(sampled, 60)

    def accept(tree: DraftTree, ids: tuple[int, ...]) -> Iterator[Step]:
        def choose(node: int, emitted: tuple[int, ...]) -> int:
            row = scores(ids + emitted)
            token = sampled(row)
            return token if token in tree.children(node) else sampled(row)

        return walk(tree, choose)

    torch.manual_seed(3)
    found, _ = in_rounds(accept, 60, 4)
    assert found != expected


# ------------------------------------------------------------------------------------------------------- rejection

P = torch.tensor([0.5, 0.3, 0.05, 0.15, 0.0])
Q = torch.tensor([0.1, 0.1, 0.5, 0.2, 0.1])
ROUNDS = 4_000


def counted(draw: Callable[[], int]) -> list[float]:
    counts = [0.0] * VOCABULARY
    for _ in range(ROUNDS):
        counts[draw()] += 1
    assert counts[4] == 0, "a token that the target forbids"
    return counts[:4]


@pytest.mark.parametrize("children", [1, 2, 4])
def test_rejection_has_the_targets_distribution(children: int) -> None:
    drafter = TensorDraws(torch.Generator().manual_seed(1))
    verifier = TensorDraws(torch.Generator().manual_seed(2))
    before = P.clone(), Q.clone()
    counts = counted(lambda: judge(P, Q, draw_children(Q, children, drafter), verifier))
    assert chi_square(counts, P[:4].tolist()) < critical(3)
    assert torch.equal(P, before[0])
    assert torch.equal(Q, before[1])


def test_planted_rejection_over_the_most_probable_drafts() -> None:
    verifier = TensorDraws(torch.Generator().manual_seed(2))
    best = tuple(Q.topk(2).indices.tolist())
    assert chi_square(counted(lambda: judge(P, Q, best, verifier)), P[:4].tolist()) > 10 * critical(3)


def test_planted_one_generator_restarted_for_draft_and_residual() -> None:
    """The verifier's draws repeat the drafter's, so that a rejected draft and the residual's token are dependent."""
    restarts = itertools.count()

    def draw() -> int:
        seed = next(restarts)
        drafter = TensorDraws(torch.Generator().manual_seed(seed))
        verifier = TensorDraws(torch.Generator().manual_seed(seed))
        return judge(P, Q, draw_children(Q, 1, drafter), verifier)

    assert chi_square(counted(draw), P[:4].tolist()) > critical(3)


def test_a_sampled_tree_of_tensors() -> None:
    """Pairs of tokens, the second drafted below each child: jointly distributed as the target's."""
    drafter = TensorDraws(torch.Generator().manual_seed(1))
    verifier = TensorDraws(torch.Generator().manual_seed(2))
    target = [torch.softmax(scores((token,))[0], -1) for token in range(VOCABULARY)]

    def pair() -> tuple[int, int]:
        first = draw_children(Q, 2, drafter)
        seconds = [draw_children(Q, 1, drafter)[0] for _ in first]
        tree = SampledTree(
            (ROOT, *first, *seconds),
            (-1, *(0 for _ in first), *range(1, len(first) + 1)),
            proposals=(Q, *(Q for _ in first), *(None for _ in seconds)),
        )
        emitted = [s.token for s in reject(tree, lambda _, e: target[e[0]] if e else P, verifier)]
        if len(emitted) == 1:
            emitted.append(verifier.token(target[emitted[0]]))
        return emitted[0], emitted[1]

    counts = {(a, b): 0.0 for a in range(4) for b in range(VOCABULARY)}
    for _ in range(ROUNDS):
        counts[pair()] += 1
    expected = {(a, b): float(P[a] * target[a][b]) for a, b in counts}
    kept = [key for key in counts if expected[key] * ROUNDS >= 5]
    rest = 1 - sum(expected[key] for key in kept)
    assert rest * ROUNDS < 20
    found, probabilities = [counts[key] for key in kept], [expected[key] for key in kept]
    total = sum(probabilities)
    assert chi_square(found, [p / total for p in probabilities]) < critical(len(kept) - 1)


def test_extreme_probabilities() -> None:
    """Neither a quotient that overflows nor a token that the target forbids."""
    draws = TensorDraws(torch.Generator().manual_seed(0))
    tiny = torch.tensor(1e-45)
    assert all(draws.accepts(torch.tensor(1.0), tiny) for _ in range(100))
    assert not any(draws.accepts(torch.tensor(0.0), tiny) for _ in range(100))
    assert not any(draws.accepts(tiny, torch.tensor(1.0)) for _ in range(100))
    assert all(draws.accepts(tiny, tiny) for _ in range(100))


def test_refused_over_what_was_not_drawn() -> None:
    with pytest.raises(NotSampled):
        reject(DraftTree.chain(ROOT, (1,)), lambda *_: P, TensorDraws())
