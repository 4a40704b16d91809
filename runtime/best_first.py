"""The best-first draft tree: of all prefixes of a block, the most probable ones (DDTree, arXiv 2604.12989).

A block drafter gives independent marginals, one distribution for each depth, so that the probability of a prefix is the
product of its tokens' probabilities. A prefix is more probable than its extensions, and a token than those ranked below
it: taking the most probable prefix again and again, and offering in its place its next sibling (same parent, next rank)
and its first child (next depth, rank 0), gives the `budget` most probable ones, and they are a tree.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import islice
from operator import ge
from typing import TYPE_CHECKING, Any

from .tree import DraftTree

if TYPE_CHECKING:
    import torch


def best_first(
    root: int, tokens: Sequence[Sequence[int]], log_probabilities: Sequence[Sequence[float]], budget: int
) -> DraftTree:
    """The `budget` most probable prefixes below the root, in the order of their probability.

    root: the token emitted last.
    tokens: for each depth, the candidates in descending order of probability; different ones.
    log_probabilities: theirs, natural logarithms: at most 0 and descending. -inf is no candidate.
    budget: the most nodes besides the root. For the most probable prefixes of the whole vocabulary each depth needs the
        `budget` best tokens: a token is in the tree only if those ranked above it are.

    Prefixes of the same probability are ordered by their ranks, level by level, so that the tree depends on nothing but
    the arguments. Raises ValueError where the probabilities are not ordered or above 1.
    """
    _check(tokens, log_probabilities)
    drafted, parents, totals = [root], [-1], [0.0]
    # (-log-probability, ranks of the path, parent, log-probability of the parent); no two paths are equal.
    heap: list[tuple[float, tuple[int, ...], int, float]] = []
    depths = len(log_probabilities)
    push, pop = heapq.heappush, heapq.heappop
    if depths and log_probabilities[0]:
        push(heap, (-log_probabilities[0][0], (0,), 0, 0.0))
    while heap and len(drafted) <= budget:
        cost, ranks, parent, before = pop(heap)
        if cost == float("inf"):
            break
        depth, rank = len(ranks), ranks[-1]
        level = log_probabilities[depth - 1]
        node = len(drafted)
        drafted.append(tokens[depth - 1][rank])
        parents.append(parent)
        totals.append(-cost)
        if rank + 1 < len(level):
            push(heap, (-(before + level[rank + 1]), (*ranks[:-1], rank + 1), parent, before))
        if depth < depths and log_probabilities[depth]:
            push(heap, (cost - log_probabilities[depth][0], (*ranks, 0), node, -cost))
    return DraftTree(tuple(drafted), tuple(parents), tuple(totals))


def from_marginals(root: int, logits: torch.Tensor, budget: int) -> DraftTree:
    """The best-first tree of a block's marginals.

    logits: [depth, vocabulary], any float dtype. One top-k on their device, then a heap of Python numbers.
    """
    if budget < 1 or not logits.numel():
        return DraftTree.root_only(root)
    log_probabilities, tokens = top(logits, budget)
    return best_first(root, tokens, log_probabilities, budget)


def top(logits: torch.Tensor, count: int) -> tuple[list[Any], list[Any]]:
    """The log-probabilities of the `count` best tokens, descending, and these tokens; for a row or several at once.

    logits: [..., vocabulary], any float dtype.
    """
    # In single precision also where the model computes in half: the sum is over the whole vocabulary.
    values, tokens = logits.float().log_softmax(dim=-1).topk(min(count, logits.shape[-1]), dim=-1)
    return values.tolist(), tokens.tolist()


def _check(tokens: Sequence[Sequence[int]], log_probabilities: Sequence[Sequence[float]]) -> None:
    if len(tokens) != len(log_probabilities):
        raise ValueError(f"tokens for {len(tokens)} depths, but probabilities for {len(log_probabilities)}")
    for depth, (candidates, level) in enumerate(zip(tokens, log_probabilities, strict=True), start=1):
        if len(candidates) != len(level):
            raise ValueError(f"{len(candidates)} tokens at depth {depth}, but {len(level)} probabilities")
        # A NaN fails every comparison, and so does not pass as ordered.
        if level and not (level[0] <= 0 and all(map(ge, level, islice(level, 1, None)))):
            raise ValueError(f"the log-probabilities at depth {depth} are above 0 or not in descending order")
