"""Prompt lookup: what followed the same words earlier in the text may follow them again. Costs no model, no torch.

The last n tokens are looked up in the text so far, longest n first. The continuations of several matches are merged
into a trie, and its most probable prefixes are the draft: each match votes for its continuation, a longer one with more
weight, and one vote stays with "something else". (Prompt lookup decoding, Saxena 2023, drafts the continuation of a
single match; several that disagree are what a tree is for.)
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..tree import DraftTree
from .base import Context, Outcome, TargetFacts

_WEIGHT = 0.4
"""The vote of a match of one token, against 1 for something else; a match of one token more counts twice. So the sum of
the nodes' probabilities is about the number of tokens accepted, on Python source cut into words."""


@dataclass
class PromptLookupDrafter:
    """A drafter that copies from the prompt and the output.

    longest, shortest: the lengths of the n-grams that are looked up, in tokens.
    matches: the most earlier places that vote, the latest of the longest n-grams first.
    depth: the most tokens drafted behind the root.
    least: no path is drafted that is thought less probable than this, so that no verification is paid for nothing.

    Raises ValueError for numbers that make no sense.
    """

    longest: int = 4
    shortest: int = 1
    matches: int = 8
    depth: int = 16
    least: float = 0.02

    _index: dict[tuple[int, ...], list[int]] = field(default_factory=dict, init=False, repr=False)
    """n-gram → the places behind its latest occurrences, in the order of the text."""
    _indexed: int = field(default=0, init=False, repr=False)
    """Tokens of the text that are in the index as what follows an n-gram."""
    _certain: int = field(default=0, init=False, repr=False)
    """Tokens of the text that were emitted, or are of the prompt; what a context holds beyond them is a guess."""

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(f"n-grams of {self.shortest} to {self.longest} tokens: give 1 <= shortest <= longest")
        if self.matches < 1 or self.depth < 1:
            raise ValueError(f"{self.matches} matches, {self.depth} tokens deep: give at least 1 of each")
        if not 0 <= self.least < 1:
            raise ValueError(f"a least probability of {self.least}: give 0 <= least < 1")

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        return ()

    def start(self, prompt: tuple[int, ...], target: TargetFacts | None = None) -> None:
        """Index the prompt: about 2 µs a token."""
        self.close()
        self._certain = len(prompt)
        self._extend_index(prompt)

    def accepted(self, outcome: Outcome) -> None:
        self._certain += len(outcome.tokens)

    def close(self) -> None:
        self._index.clear()
        self._indexed = self._certain = 0

    def draft(self, context: Context, budget: int) -> DraftTree:
        """The trie's `budget` most probable prefixes, of equals that of the latest match; without a match the root."""
        ids = context.ids
        self._extend_index(ids)
        places = self._look_up(ids)
        return self._grow(ids, places, budget)

    def _extend_index(self, ids: tuple[int, ...]) -> None:
        """Enter what is certain and new. The n-gram at the end of the text is not in: nothing follows it yet."""
        index, keep = self._index, self.matches
        for place in range(max(1, self._indexed), min(self._certain, len(ids))):
            for n in range(self.shortest, min(self.longest, place) + 1):
                key = ids[place - n : place]
                places = index.get(key)
                if places is None:
                    index[key] = [place]
                else:
                    places.append(place)
                    if len(places) > 2 * keep:
                        del places[:-keep]
        self._indexed = max(self._indexed, min(self._certain, len(ids)))

    def _look_up(self, ids: tuple[int, ...]) -> dict[int, float]:
        """Where the text goes on after earlier occurrences of its end: place → weight of its vote."""
        found: dict[int, float] = {}
        for n in range(min(self.longest, len(ids)), self.shortest - 1, -1):
            for place in reversed(self._index.get(ids[-n:], ())):
                if len(found) == self.matches:
                    return found
                # Places of a longer match come first and keep its weight.
                found.setdefault(place, _WEIGHT * 2.0 ** (n - 1))
        return found

    def _grow(self, ids: Sequence[int], places: dict[int, float], budget: int) -> DraftTree:
        """Best-first over the trie that the continuations of these places make; only nodes that are taken are built."""
        tokens, parents, totals = [ids[-1]], [-1], [0.0]
        # (-log-probability, order of discovery, parent, depth, token, votes for it)
        heap: list[tuple[float, int, int, int, int, list[tuple[int, float]]]] = []
        least = math.log(self.least) if self.least else -math.inf
        discovered = 0

        def offer(node: int, depth: int, votes: Sequence[tuple[int, float]]) -> None:
            nonlocal discovered
            children: dict[int, list[tuple[int, float]]] = {}
            everything = 1.0
            for place, weight in votes:
                everything += weight
                if place < len(ids):
                    children.setdefault(ids[place], []).append((place + 1, weight))
            for token, supporters in children.items():
                total = totals[node] + math.log(sum(weight for _, weight in supporters) / everything)
                if total >= least:
                    heapq.heappush(heap, (-total, discovered, node, depth, token, supporters))
                    discovered += 1

        if budget > 0:
            offer(0, 1, list(places.items()))
        while heap and len(tokens) <= budget:
            cost, _, parent, depth, token, votes = heapq.heappop(heap)
            tokens.append(token)
            parents.append(parent)
            totals.append(-cost)
            if depth < self.depth:
                offer(len(tokens) - 1, depth + 1, votes)
        return DraftTree(tuple(tokens), tuple(parents), tuple(totals))
