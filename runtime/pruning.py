"""Draft trees made fit for the text that they are to continue: not deeper than it can grow, not larger than asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .rejection import SampledTree
from .tree import DraftTree


class DraftError(RuntimeError):
    """A drafter proposed something that is no draft for this text."""


def checked(tree: DraftTree, root: int, vocabulary: int) -> DraftTree:
    """The tree, if it continues a text whose last token is `root`; else raises DraftError."""
    if tree.tokens[0] != root:
        raise DraftError(f"the draft's root carries token {tree.tokens[0]}, but the last token of the text is {root}")
    highest = max(tree.tokens)
    if highest >= vocabulary:
        raise DraftError(
            f"a draft with token {highest}, but the target's vocabulary has {vocabulary}: drafter and target need the "
            "same tokenizer"
        )
    return tree


def pruned(tree: DraftTree, most: int, deepest: int) -> DraftTree:
    """The tree without what cannot be used.

    most: nodes besides the root. The first ones stay: a drafter's better ones come first. deepest: steps from the root.
    """
    if len(tree) <= most + 1 and max(tree.depths) <= deepest:
        return tree
    stays = [node for node in range(len(tree)) if tree.depths[node] <= deepest][: most + 1]
    return _restricted(tree, stays)


def below(tree: DraftTree, token: int) -> DraftTree:
    """What the tree says behind one more token: the tree below the root's child that carries it, or only the token."""
    top = tree.children(0).get(token)
    if top is None:
        return DraftTree.root_only(token)
    stays = [node for node in range(top, len(tree)) if node == top or top in tree.path(node)]
    return _restricted(tree, stays)


def likeliest_path(tree: DraftTree) -> tuple[int, ...]:
    """The path that the drafter bets on: to the deepest node, of several the first; the root alone without drafts."""
    deepest = max(range(len(tree)), key=lambda node: (tree.depths[node], -node))
    return tree.path(deepest)


def _restricted(tree: DraftTree, stays: Sequence[int]) -> DraftTree:
    """The tree of these nodes, the first of which becomes the root; a node stays only with its parent."""
    place = {node: index for index, node in enumerate(stays)}
    parents = (-1, *(place[tree.parents[node]] for node in stays[1:]))
    tokens = tuple(tree.tokens[node] for node in stays)
    scores = tree.probabilities
    left = None if scores is None else tuple(scores[node] - scores[stays[0]] for node in stays)
    if isinstance(tree, SampledTree):
        proposals = tuple(tree.proposals[node] for node in stays)
        return replace(tree, tokens=tokens, parents=parents, probabilities=left, proposals=proposals)
    return DraftTree(tokens, parents, left)
