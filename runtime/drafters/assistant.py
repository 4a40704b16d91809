"""An assistant: a smaller model of the target's family drafts, token by token, a chain or a small tree.

Where the target samples by noise that belongs to the position, the drafter adds the same noise to its own scores: the
two then choose the same token as often as two argmaxes over like scores agree, also at a high temperature (Daliri,
Musco and Suresh, arXiv 2408.07978). The output depends on it as little as on any draft.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ...protocols.tree_cache import TreeCache
from ..best_first import top
from ..cache import TreeKVCache
from ..draws import TensorDraws
from ..noise import CounterNoise, gumbel
from ..quantization.kv import KV, check_kv
from ..quantization.weights import Weights, check_weights, quantized_copy
from ..rejection import SampledTree, draw_children
from ..target import TargetModel
from ..tree import DraftTree
from .base import Context, Outcome, TargetFacts
from .rows import TextRows
from .vocabulary import check_vocabulary

_NOISY = 256
"""Tokens of highest score that noise is added to: it makes up for some 10 in a score at most, and costs time."""

UNBOUNDED = 1 << 24
"""Tokens of a text, where neither model says how many it can take."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that may become part of the draft: its probability is known, what comes behind it is not yet.

    total: log-probability of the path to it. parent: the candidate above it, -1 for the root. row: its parent's row.
    """

    total: float
    parent: int
    row: int
    token: int
    depth: int


class AssistantDrafter:
    """Drafts with a causal language model.

    model: of transformers, with the target's tokenizer; the cache that the decoder needs must be possible for it.
    tokenizer: the model's. With the target's it is compared; without it only the sizes of the vocabularies are.
    branches: the continuations of a node that are considered; 1 drafts a chain.
    width: the nodes that one forward of the model goes on from.
    forwards: so many forwards of the model a draft at most; None: as many as the budget has room for. A tree with
        branches may then hold more tokens than there were forwards: those that were not gone on from are its leaves.
    least: no path is drafted that the model thinks less probable than this.
    sampled: draw the drafts from the model's distribution instead of taking the most probable ones. Rejection needs it.
    processors: what turns (ids [1, n], scores [1, vocabulary]) into scores, as of `generate`; those that the target's
        scores go through make the drafts more like what the target says.
    seed: of the drafter's own generator.
    weights: "w4" drafts with a copy whose matrices are held in four bits (`quantization/weights.py`); the model itself
        stays as it is, and what is not quantised is shared with it.
    kv: "q3.5" holds keys and values in three and a half bits a number (`quantization/kv.py`).
    tree_cache: the protocol of its cache, or a variant that has lost a guard.

    `weights` and `kv` are independent, and the decoder's output depends on neither.

    A best-first tree needs a forward for every `width` nodes that it goes on from, a chain and a sampled draft one for
    each token of depth.
    Raises UnsupportedModel, ValueError for numbers that make no sense.
    """

    hidden_layers: tuple[int, ...] = ()

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        branches: int = 1,
        width: int = 1,
        forwards: int | None = None,
        least: float = 0.1,
        sampled: bool = False,
        processors: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
        seed: int = 0,
        weights: Weights | None = None,
        kv: KV | None = None,
        tree_cache: type[TreeCache] = TreeCache,
    ) -> None:
        if branches < 1 or width < 1:
            raise ValueError(f"{branches} branches and {width} nodes a forward: give at least 1 of each")
        if forwards is not None and forwards < 1:
            raise ValueError(f"{forwards} forwards a draft: give at least 1, or None to let the budget decide")
        if not 0 <= least < 1:
            raise ValueError(f"a least probability of {least}: give 0 <= least < 1")
        check_weights(weights)
        check_kv(kv)
        self.model = TargetModel(quantized_copy(model) if weights == "w4" else model)
        self.weights, self.kv = weights, kv
        if kv is not None:
            # Refuses a head size that it cannot pack before there is a request.
            TextRows(self.model, (0,), 1, tree_cache, kv).reach((0,))
        self.tokenizer = tokenizer
        self.branches, self.width, self.least = branches, width, least
        self.forwards = math.inf if forwards is None else forwards
        self.sampled, self.processors = sampled, processors or None
        self.tree_cache = tree_cache
        # The user seeds torch with small numbers too, and drafts must not repeat the target's draws.
        digest = hashlib.blake2b(f"assistant,{seed}".encode(), digest_size=7).digest()
        generator = torch.Generator(device=self.model.device).manual_seed(int.from_bytes(digest, "little"))
        self._draws = TensorDraws(generator)
        self._rows: TextRows | None = None
        self._longest = self._vocabulary = self._padding = 0
        self._noise: CounterNoise | None = None

    @property
    def cache(self) -> TreeKVCache | None:
        """The cache of the request; None while there is none."""
        return None if self._rows is None else self._rows.cache

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        """A new request. Raises VocabularyMismatch, and RuntimeError where there is a request already.

        The prompt is computed when the first draft is asked for.
        """
        if self._rows is not None:
            raise RuntimeError("this assistant already has a request: close it first, or use one drafter each")
        check_vocabulary(target, self.model.vocabulary, self.tokenizer)
        self._vocabulary, self._noise, self._padding = target.vocab_size, target.noise, target.padding
        self._longest = min(self.model.max_positions or UNBOUNDED, target.max_positions or UNBOUNDED)
        self._rows = TextRows(self.model, prompt, self._longest, self.tree_cache, self.kv)

    def draft(self, context: Context, budget: int) -> DraftTree:
        """A chain, a best-first tree, or drawn tokens.

        The root alone where the text is too long for the model, has tokens that it does not know, or is behind what is
        certain. Raises RuntimeError before `start`.
        """
        if self._rows is None:
            raise RuntimeError("there is no request to draft for: call start first")
        ids = context.ids
        # A node at depth d has the position len(ids) - 1 + d.
        deepest = self._longest - len(ids)
        stale = len(ids) <= self._rows.cache.committed
        if budget < 1 or deepest < 1 or stale or not self._knows(ids):
            return DraftTree.root_only(ids[-1])
        row = self._rows.reach(ids)
        budget = min(budget, self._rows.room)
        if self.sampled:
            return self._drawn(self._rows, row, ids, budget, deepest)
        return self._best(self._rows, row, ids, budget, deepest)

    def accepted(self, outcome: Outcome) -> None:
        if self._rows is not None and outcome.tokens:
            self._rows.emitted(outcome.tokens)

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def _knows(self, ids: tuple[int, ...]) -> bool:
        """Whether the model has all of these tokens; a target whose vocabulary is padded may emit others."""
        if self._vocabulary <= self.model.vocabulary:
            return True
        return max(ids) < self.model.vocabulary

    def _scores(self, rows: TextRows, row: int, ids: tuple[int, ...], drafted: Iterable[int]) -> torch.Tensor:
        """The processed scores behind a row that stands for ids and what is drafted: [tokens of both models], float."""
        scores = rows.logits(row)[: self._vocabulary].float()
        if self.processors is not None:
            text = torch.tensor([[*ids, *drafted]], device=scores.device)
            scores = self.processors(text, scores[None].clone())[0]
        return scores

    # ----------------------------------------------------------------------------------------- the most probable ones

    def _best(self, rows: TextRows, row: int, ids: tuple[int, ...], budget: int, deepest: int) -> DraftTree:
        """The `budget` most probable of all candidates, by expanding those among them that have not been expanded."""
        least = math.log(self.least) if self.least else -math.inf
        known: list[Candidate] = []
        expanded: set[int] = set()

        def offer(parent: int, at: int, total: float, depth: int) -> None:
            scores = self._scores(rows, at, ids, self._path(known, parent))
            values, tokens = top(self._as_sampled(scores, len(ids) + depth - 1), self.branches)
            known.extend(
                Candidate(total + value, parent, at, token, depth)
                for value, token in zip(values, tokens, strict=True)
                if total + value >= least and value > -math.inf
            )

        offer(-1, row, 0.0, 1)
        for forwards in itertools.count(1):
            # The best ones first, of equals the earlier: a node never comes before its parent, and a tree that is
            # pruned loses its least probable nodes.
            chosen = heapq.nsmallest(budget, range(len(known)), key=lambda node: (-known[node].total, node))
            # Behind the last of a full tree nothing comes that could still replace one.
            fruitful = chosen[:-1] if len(chosen) == budget else chosen
            next_ones = [node for node in fruitful if node not in expanded and known[node].depth < deepest]
            next_ones = next_ones[: min(self.width, rows.room)]
            if not next_ones or forwards >= self.forwards:
                break
            at = rows.grow([(known[node].row, known[node].token) for node in next_ones])
            for node, computed in zip(next_ones, at, strict=True):
                expanded.add(node)
                offer(node, computed, known[node].total, known[node].depth + 1)
        return self._tree(ids[-1], known, chosen)

    def _as_sampled(self, scores: torch.Tensor, length: int) -> torch.Tensor:
        """Scores of the next token of a text of this length, with the noise that the target will add to its own."""
        if self._noise is None:
            return scores
        values, tokens = scores.topk(min(_NOISY, scores.shape[0]))
        noise = gumbel(self._noise.uniforms_of(tokens, self._padding + length))
        return torch.full_like(scores, -math.inf).scatter(0, tokens, values + noise.to(values.dtype))

    @staticmethod
    def _path(known: list[Candidate], node: int) -> Iterator[int]:
        tokens: list[int] = []
        while node >= 0:
            tokens.append(known[node].token)
            node = known[node].parent
        return reversed(tokens)

    @staticmethod
    def _tree(root: int, known: list[Candidate], chosen: list[int]) -> DraftTree:
        place = {-1: 0} | {node: index for index, node in enumerate(chosen, start=1)}
        return DraftTree(
            (root, *(known[node].token for node in chosen)),
            (-1, *(place[known[node].parent] for node in chosen)),
            (0.0, *(known[node].total for node in chosen)),
        )

    # -------------------------------------------------------------------------------------------------- drawn drafts

    def _drawn(
        self, rows: TextRows, row: int, ids: tuple[int, ...], budget: int, deepest: int
    ) -> SampledTree[torch.Tensor]:
        """At each depth `branches` tokens without replacement; the first of them is gone on from.

        Which node is gone on from, and how far, depends on the path to it and not on what its children are.
        """
        tokens, parents, totals = [ids[-1]], [-1], [0.0]
        proposals: list[torch.Tensor | None] = [None]
        node, depth = 0, 0
        path: tuple[int, ...] = ()
        while True:
            q = self._padded(torch.softmax(self._scores(rows, row, ids, path), dim=-1))
            proposals[node] = q
            first = len(tokens)
            for token in draw_children(q, min(self.branches, budget + 1 - first), self._draws):
                tokens.append(token)
                parents.append(node)
                totals.append(totals[node] + math.log(q[token]))
                proposals.append(None)
            node, depth = first, depth + 1
            unlikely = totals[node] < math.log(max(self.least, 1e-300))
            if unlikely or len(tokens) > budget or depth >= min(deepest, self.forwards):
                return SampledTree(tuple(tokens), tuple(parents), tuple(totals), tuple(proposals))
            (row,) = rows.grow([(row, tokens[node])])
            path += (tokens[node],)

    def _padded(self, q: torch.Tensor) -> torch.Tensor:
        """A distribution over the target's vocabulary."""
        return torch.nn.functional.pad(q, (0, self._vocabulary - q.shape[0]))
