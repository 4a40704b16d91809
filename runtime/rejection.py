"""Speculative sampling: drafts drawn from the drafter's own distribution, accepted by rejection.

For a draft drawn from q where the target's distribution is p: accept it with probability min(1, p/q), else go on with
the residual max(p - q, 0), normalised (Leviathan, Kalman and Matias, arXiv 2211.17192, section 2.3 and theorem 3.5). Of
several children of a node (SpecInfer, arXiv 2305.09781), drawn from q without replacement, each is tried against what
the ones before it left of p, and q is renormalised without them (recursive rejection sampling: Jeon et al., arXiv
2402.14160). What is emitted is distributed as p.

That is a statement about drafts that were *drawn*. The nodes of a best-first tree are the most probable ones, not a
sample, and rejection over them is biased; such trees are accepted by `walk`, and here they are refused.

The functions run on a torch.Tensor [vocabulary] and, unchanged, on exact fractions: `Weights` is all the arithmetic
that they need, and `Draws` all the randomness.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from .acceptance import Step, walk
from .tree import DraftTree


class Weights(typing.Protocol):
    """Numbers over the vocabulary, under the names that torch.Tensor has for these operations."""

    def __getitem__(self, token: int, /) -> Any: ...
    def __setitem__(self, token: int, weight: Any, /) -> None: ...
    def __sub__(self, other: Self, /) -> Self: ...
    def __truediv__(self, divisor: Any, /) -> Self: ...
    def clone(self) -> Self: ...
    def clamp(self, min: int) -> Self: ...
    def sum(self) -> Any: ...


W = TypeVar("W", bound=Weights)
W_contra = TypeVar("W_contra", bound=Weights, contravariant=True)


class Draws(typing.Protocol[W_contra]):
    """Where randomness comes from; every call is independent of every other."""

    def token(self, weights: W_contra) -> int:
        """A token, with the probability that a distribution over the vocabulary gives it."""
        ...

    def accepts(self, p: Any, q: Any) -> bool:
        """True with probability min(1, p/q), for q > 0."""
        ...


class NotSampled(ValueError):
    """Rejection was asked for over a tree whose nodes were not drawn from a known distribution."""


@dataclass(frozen=True)
class SampledTree(DraftTree, Generic[W]):
    """A draft tree whose nodes were drawn.

    proposals: for each node the distribution over the vocabulary that its children were drawn from, one after another
        in the order of their indices, each without those before it (`draw_children`); None for a node without children.
        How many children a node gets may depend on the path to it, not on which tokens they are.
    """

    # Two tensors have no single truth value to compare by.
    proposals: tuple[W | None, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.proposals) != len(self.tokens):
            raise ValueError(f"a sampled tree of {len(self.tokens)} nodes, but {len(self.proposals)} proposals")
        for node in range(len(self.tokens)):
            if self.children(node) and self.proposals[node] is None:
                raise ValueError(f"node {node} has children, but not the distribution that they were drawn from")


def without(weights: W, token: int) -> W | None:
    """The distribution under the condition that it is not this token; None where there is nothing else."""
    rest = weights.clone()
    rest[token] = 0
    total = rest.sum()
    return rest / total if total > 0 else None


def residual(p: W, q: W) -> W:
    """max(p - q, 0), normalised: what p has left where a draft from q was rejected."""
    rest = (p - q).clamp(min=0)
    total = rest.sum()
    # Never with exact numbers: a draft is rejected only where p < q, and then p > q elsewhere. Where floats round that
    # away, p and q differ by their rounding only, and so does p from what should be drawn from.
    return rest / total if total > 0 else p


def draw_children(q: W, count: int, draws: Draws[W]) -> tuple[int, ...]:
    """Up to `count` different tokens drawn from q without replacement; fewer where q has fewer."""
    drawn: list[int] = []
    rest: W | None = q
    while rest is not None and len(drawn) < count:
        drawn.append(draws.token(rest))
        if len(drawn) < count:
            rest = without(rest, drawn[-1])
    return tuple(drawn)


def judge(p: W, q: W | None, drafted: Sequence[int], draws: Draws[W]) -> int:
    """The token to emit at one node: one of those `drafted` from q, in the order in which they were drawn, or another.

    p, q: distributions over the vocabulary; both are left as they are. Raises ValueError where q gives a drafted token
    no probability, so that it cannot have been drawn from q.
    """
    for i, token in enumerate(drafted):
        if q is None or not q[token] > 0:
            raise ValueError(f"token {token} is said to be drawn from a distribution that gives it no probability")
        if draws.accepts(p[token], q[token]):
            return token
        p = residual(p, q)
        q = without(q, token) if i + 1 < len(drafted) else q
    return draws.token(p)


def reject(tree: DraftTree, target: Callable[[int, tuple[int, ...]], W], draws: Draws[W]) -> Iterator[Step]:
    """The walk down a sampled tree, lazily as `walk`'s, by rejection.

    target: (node, tokens emitted so far) → the target's distribution there, processed as for plain sampling. Asked once
        for each emitted token, in order; what it returns is not written to.
    Raises NotSampled, before anything is drawn, for a tree that has drafts and is no SampledTree.
    """
    proposals = proposals_of(tree)

    def choose(node: int, emitted: tuple[int, ...]) -> int:
        return judge(target(node, emitted), proposals[node], tuple(tree.children(node)), draws)

    return walk(tree, choose)


def proposals_of(tree: DraftTree) -> tuple[Any, ...]:
    """The distributions that a tree's nodes were drawn from, by the parent; raises NotSampled for any other tree."""
    if len(tree) == 1:
        return (None,)
    if not isinstance(tree, SampledTree):
        raise NotSampled(
            'acceptance="rejection" needs drafts that were drawn from the drafter\'s distribution, and this one gave a '
            f"{type(tree).__name__}. Over drafts chosen otherwise, as the most probable ones or by looking them up, "
            'rejection is biased. Use acceptance="walk", whose output is that of plain sampling, or a drafter that '
            "draws: AssistantDrafter(model, sampled=True)"
        )
    return tree.proposals
