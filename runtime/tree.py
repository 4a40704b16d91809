"""A draft: the tokens that a drafter proposes, as a tree below the last emitted token.

The verifier computes all nodes in one forward: each sees the committed rows, its ancestors and itself, and its position
is the root's plus its depth. Acceptance walks from the root to a child as long as the target agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self


@dataclass(frozen=True)
class DraftTree:
    """Draft tokens in an order in which parents come before their children.

    Node 0 is the root: the token emitted last, which the target has not seen yet. It is no draft and always right.

    tokens: the token of each node.
    parents: the index of each node's parent, smaller than its own; -1 for the root.
    probabilities: what the drafter thinks of each node: the natural logarithm of the probability of its whole path,
        0 for the root; None where the drafter does not say. Nothing that is emitted depends on it.

    Raises ValueError for anything else: no root, a parent that comes later, two siblings with one token.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    probabilities: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.tokens:
            raise ValueError("a draft tree without nodes: node 0 is the root, the token emitted last")
        if len(self.tokens) != len(self.parents):
            raise ValueError(f"a draft tree of {len(self.tokens)} tokens, but {len(self.parents)} parents")
        if self.probabilities is not None and len(self.probabilities) != len(self.tokens):
            raise ValueError(f"a draft tree of {len(self.tokens)} nodes, but {len(self.probabilities)} probabilities")
        if self.parents[0] != -1:
            raise ValueError(f"the root of a draft tree has no parent (-1), but node 0 has {self.parents[0]}")
        if self.tokens[0] < 0:
            raise ValueError(f"node 0 carries {self.tokens[0]}, which is no token")
        taken: set[tuple[int, int]] = set()
        for node in range(1, len(self.tokens)):
            parent, token = self.parents[node], self.tokens[node]
            if not 0 <= parent < node:
                raise ValueError(f"node {node} has the parent {parent}; parents come before their children")
            if token < 0:
                raise ValueError(f"node {node} carries {token}, which is no token")
            if (parent, token) in taken:
                raise ValueError(
                    f"node {node} carries token {token}, and so does another child of node {parent}: merge the two, "
                    "since only one of them can be accepted"
                )
            taken.add((parent, token))

    @classmethod
    def root_only(cls, token: int) -> Self:
        """No draft: verifying this tree is plain decoding of one token."""
        return cls((token,), (-1,))

    @classmethod
    def chain(cls, root: int, tokens: Sequence[int]) -> Self:
        """A single continuation of the root."""
        return cls((root, *tokens), tuple(range(-1, len(tokens))))

    def __len__(self) -> int:
        """Nodes, the root among them: the rows that a verification computes."""
        return len(self.tokens)

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Steps from the root, 0 for the root: a node's position in the text is the root's plus this."""
        depths = [0] * len(self.tokens)
        for node in range(1, len(self.tokens)):
            depths[node] = depths[self.parents[node]] + 1
        return tuple(depths)

    @cached_property
    def _children(self) -> tuple[dict[int, int], ...]:
        children: tuple[dict[int, int], ...] = tuple({} for _ in self.tokens)
        for node in range(1, len(self.tokens)):
            children[self.parents[node]][self.tokens[node]] = node
        return children

    def children(self, node: int) -> dict[int, int]:
        """The children of a node: token → node, in the order of the tree. Not to be changed."""
        return self._children[node]

    def path(self, node: int) -> tuple[int, ...]:
        """The nodes from the root to this one, both included."""
        path = [node]
        while (node := self.parents[node]) >= 0:
            path.append(node)
        return tuple(reversed(path))
