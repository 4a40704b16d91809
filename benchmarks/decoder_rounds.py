"""What a round of the decoder costs besides the forwards of its models, measured alone.

A round here drafts a best-first tree of 16 nodes from the marginals of a block, and four of its tokens are accepted.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import torch

from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.runtime import masks
from protocheck.runtime.acceptance import walk
from protocheck.runtime.best_first import best_first
from protocheck.runtime.target import TargetModel
from protocheck.runtime.tree import DraftTree

from .decoder_models import SHAPES, language_model, random_prompt

NODES, DEPTH, ACCEPTED, COMMITTED = 16, 7, 3, 256
MOST = 0.1
"""Milliseconds that protocol, heap and walk may take in a round."""

_SAMPLES, _REPEATED = 400, 5
_ROUNDS = 40
"""Rounds of one request, after which there is a new one."""


def round_costs(device: torch.device) -> tuple[list[str], list[tuple[str, bool]]]:
    """A line for each part of a round, and whether protocol, heap and walk keep to their bound."""
    tokens, scores = _marginals()
    tree = best_first(1, tokens, scores, NODES)
    path = _path(tree)
    python = {
        "heap: the tree of the marginals": lambda: best_first(1, tokens, scores, NODES),
        "walk: verdicts, and stops that are asked": _Walks(tree, path),
        "protocol: rows, reads, commit, hand-off": _Steps(tree, path),
    }
    milliseconds = {name: _median(part) for name, part in python.items()}
    again = {name: _median(part) for name, part in python.items()}
    total = sum(milliseconds.values())
    extent = masks.Extent(COMMITTED)
    kind = (torch.float32, device)
    milliseconds["mask of full attention"] = _median(lambda: masks.full_mask(tree, 0, extent, *kind))
    milliseconds["mask of sliding attention"] = _median(lambda: masks.sliding_mask(tree, 0, extent, 64, *kind, 193))
    milliseconds["commit of 4 layers, with a gather"] = _commit(tree, path, device)
    lines = [f"round: {NODES} nodes, {len(path) - 1} of them accepted, {COMMITTED} rows committed; processor time"]
    lines += [f"  {name:<42} {spent:.3f} ms" for name, spent in milliseconds.items()]
    lines.append(f"  protocol, heap and walk {total:.3f} ms; measured again {sum(again.values()):.3f} ms")
    text = f"round: protocol, heap and walk take {total:.3f} ms at {NODES} nodes (at most {MOST})"
    return lines, [(text, total <= MOST)]


def _median(part: Callable[[], object]) -> float:
    """Milliseconds of this thread's processor time."""
    for _ in range(_SAMPLES // 4):
        part()
    samples = []
    for _ in range(_SAMPLES):
        started = time.thread_time_ns()
        for _ in range(_REPEATED):
            part()
        samples.append(time.thread_time_ns() - started)
    return statistics.median(samples) / _REPEATED / 1e6


def _marginals() -> tuple[list[list[int]], list[list[float]]]:
    """Tokens and log-probabilities of a block: at each depth as many as there are nodes, the likeliest first."""
    numbers = random.Random(2)
    scores = [sorted((-5 * numbers.random() for _ in range(NODES)), reverse=True) for _ in range(DEPTH)]
    return [[100 * depth + rank for rank in range(NODES)] for depth in range(DEPTH)], scores


def _path(tree: DraftTree) -> tuple[int, ...]:
    """Nodes that are accepted, the root first: not one behind the other, so that rows have to move."""
    ends = [node for node in range(len(tree)) if tree.depths[node] == ACCEPTED]
    return tree.path(ends[-1])


class _Walks:
    """The walk down a tree, as a request takes it."""

    def __init__(self, tree: DraftTree, path: tuple[int, ...]) -> None:
        self.tree, self.rounds = tree, 0
        following = [tree.tokens[node] for node in path[1:]]
        self.verdicts = dict(zip(path, [*following, 31_999], strict=True))

    def __call__(self) -> None:
        if self.rounds % _ROUNDS == 0:
            self.rule = Walk(vocabulary=32_000, max_output=4096, max_nodes=NODES + 1)
        self.rounds += 1
        for _ in walk(self.tree, lambda node, _: self.verdicts[node], self.rule):
            self.rule.go_on()


class _Steps:
    """The steps of the cache and of the hand-off."""

    def __init__(self, tree: DraftTree, path: tuple[int, ...]) -> None:
        self.parents = [parent + 1 for parent in tree.parents]
        self.slots = [node + 1 for node in path]
        self.rounds = 0

    def __call__(self) -> None:
        if self.rounds % _ROUNDS == 0:
            self.cache = TreeCache(max_rows=4096, max_nodes=NODES + 1, window=4096)
            self.cache.prefill(COMMITTED)
            self.cache.start_read("verifier", COMMITTED)
            self.cache.finish_read("verifier")
            self.cache.filled()
            self.hand_off = HandOff()
        self.rounds += 1
        cache, hand_off = self.cache, self.hand_off
        hand_off.start_draft()
        hand_off.finish_draft()
        hand_off.start_verification()
        for parent in self.parents:
            cache.extend(parent)
        cache.start_read("verifier", cache.committed + len(self.parents))
        cache.finish_read("verifier")
        for slot in self.slots:
            cache.keep(slot)
        hand_off.verdict(False)
        cache.commit()


def _commit(tree: DraftTree, path: tuple[int, ...], device: torch.device) -> float:
    """Milliseconds of a commit: the step, and the rows of all layers."""
    shape = SHAPES["1.3M"]
    target = TargetModel(language_model(shape, device))
    cache = target.new_cache(4096, NODES + 1)
    target.prefill(cache, random_prompt(COMMITTED, shape.vocab))
    samples = []
    for _ in range(_ROUNDS):
        target.verify(cache, tree)
        for node in path:
            cache.keep(node + 1)
        started = time.thread_time_ns()
        cache.commit()
        samples.append(time.thread_time_ns() - started)
    return statistics.median(samples) / 1e6
