"""A drafter model's cache: which texts its rows stand for, and forwards over what is missing.

Rows of the text that is certain are committed, as a verdict comes in; everything beyond is a tree of tentative rows, in
which a text that was drafted from stays until the next verdict: the same tokens are never computed twice meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...protocols.tree_cache import TreeCache
from ..cache import TreeKVCache
from ..quantization.kv import KV
from ..target import TargetModel
from ..tree import DraftTree

MOST_NODES = 512
"""Tentative rows that a drafter's cache has room for. A draft needs one a node, and some to catch up."""

_AT_ONCE = 4
"""So many certain tokens are computed together with the draft's first node; more go before it, as a prompt does."""


class TextRows:
    """Rows for the texts of one request.

    model: the drafter's. prompt: its tokens. longest: the most tokens of a text, drafts included. tree_cache: the
    protocol of the cache, or a variant. kv: how keys and values are held.
    """

    reader = "drafter"

    def __init__(
        self,
        model: TargetModel,
        prompt: Sequence[int],
        longest: int,
        tree_cache: type[TreeCache] = TreeCache,
        kv: KV | None = None,
    ) -> None:
        self.model = model
        self.text = list(prompt)
        """What is certain: the prompt, then what was emitted."""
        self.cache: TreeKVCache = model.new_cache(longest + MOST_NODES, MOST_NODES, variant=tree_cache, kv=kv)
        # The tree of tentative rows; node 0 is the first token of the text without a committed row.
        self._tokens: list[int] = []
        self._parents: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self._logits: list[torch.Tensor] = []

    def reach(self, ids: Sequence[int]) -> int:
        """The node of the last token of a text that begins with what is certain, computed if it is not there."""
        if not self._tokens:
            self._catch_up(min(len(ids), len(self.text)))
        missing = ids[self.cache.committed :]
        node, known = -1, 0
        while known < len(missing) and (node, missing[known]) in self._children:
            node, known = self._children[node, missing[known]], known + 1
        if known < len(missing):
            nodes = []
            for token in missing[known:]:
                node = self._enter(node, token)
                nodes.append(node)
            self._compute(nodes)
        return node

    def grow(self, new: Sequence[tuple[int, int]]) -> list[int]:
        """The nodes of these (parent, token), of which one forward computes all that are not there."""
        nodes, missing = [], []
        for parent, token in new:
            node = self._children.get((parent, token))
            if node is None:
                node = self._enter(parent, token)
                missing.append(node)
            nodes.append(node)
        self._compute(missing)
        return nodes

    @property
    def room(self) -> int:
        """Nodes that can still be entered before the next verdict."""
        return MOST_NODES - len(self._tokens)

    def logits(self, node: int) -> torch.Tensor:
        """What the model says behind a node: [vocabulary]."""
        return self._logits[node]

    def emitted(self, tokens: Sequence[int]) -> None:
        """More is certain: its rows, as far as there are any, are committed, and all others are dropped."""
        self.text += tokens
        base, node = self.cache.committed, -1
        # The last token stays without a committed row: what comes behind it is what the next draft asks first.
        for token in self.text[base:-1] if self._tokens else ():
            node = self._children.get((node, token), -1)
            if node < 0:
                break
            self.cache.keep(node + 1)
        self._drop()

    def close(self) -> None:
        """Give all rows back."""
        self._forget()
        self.cache.release()

    def _catch_up(self, certain: int) -> None:
        missing = self.text[self.cache.committed : certain]
        if len(missing) > _AT_ONCE:
            self.model.prefill(self.cache, missing[:-1], reader=self.reader)

    def _enter(self, parent: int, token: int) -> int:
        node = len(self._tokens)
        self._tokens.append(token)
        self._parents.append(parent)
        self._children[parent, token] = node
        return node

    def _compute(self, nodes: Sequence[int]) -> None:
        if not nodes:
            return
        try:
            tree = DraftTree(tuple(self._tokens), tuple(self._parents))
            self._logits += self.model.verify(self.cache, tree, reader=self.reader).logits.unbind()
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        """Commit what was kept, drop the rest of the tree."""
        if self._tokens:
            self.cache.commit()
            self._forget()

    def _forget(self) -> None:
        self._tokens.clear()
        self._parents.clear()
        self._children.clear()
        self._logits.clear()
