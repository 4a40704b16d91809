"""A model is tried on one small tree before anything is decoded with it.

What a model's configuration says is not enough: attention in both directions, biases that are computed from a mask, or
masks that a model makes itself and puts in place of ours would all decode something else without being noticed. So its
logits over a tree are compared with those of plain forwards over the same paths, which differ by the rounding of the
order of sums, or by as much as the logits themselves.
"""

from __future__ import annotations

import typing
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from .tree import DraftTree

# Deviation over spread, both root mean squares. Sound models were at 1e-5 and 0.02, unsound ones above 0.1.
TOLERATED = {torch.float64: 1e-3, torch.float32: 1e-3}
TOLERATED_IN_HALF_PRECISION = 0.08

# Two committed tokens, and a root with two branches whose nodes stand in turns.
PROMPT = 2
PARENTS = (-1, 0, 0, 1, 2)

_sound: weakref.WeakKeyDictionary[Any, set[tuple[object, ...]]] = weakref.WeakKeyDictionary()


class Probed(typing.Protocol):
    """A model with forwards over trees: what `TargetModel` is."""

    model: Any
    config: Any

    def logits_over(self, ids: Sequence[int], tree: DraftTree) -> torch.Tensor:
        """The logits behind each node of a tree behind a text."""
        ...


def deviation(target: Probed) -> float:
    """How far the logits over a tree are from those of plain forwards, over the spread of the latter."""
    size = int(target.config.vocab_size)
    # Spread over the vocabulary, of which the first tokens are often special.
    tokens = [(place + 1) * max(1, size // 8) % size for place in range(PROMPT + len(PARENTS))]
    text = tokens[:PROMPT]
    tree = DraftTree(tuple(tokens[PROMPT:]), PARENTS)
    made = target.logits_over(text, tree).float()
    plain = torch.empty_like(made)
    for leaf in (3, 4):
        path = tree.path(leaf)
        ids = torch.tensor([[*text, *(tree.tokens[node] for node in path)]], device=made.device)
        # With a cache, as plain generation does: without one, some layers of some models compute something else.
        past = DynamicCache(config=target.model.config)
        with torch.no_grad():
            plain[list(path)] = (
                target.model(input_ids=ids, past_key_values=past, use_cache=True).logits[0, PROMPT:].float()
            )
    difference = (made - plain).square().mean().sqrt()
    spread = (plain - plain.mean(dim=-1, keepdim=True)).square().mean().sqrt()
    return float(difference / spread.clamp(min=1e-12))


def is_sound(target: Probed, dtype: torch.dtype) -> bool:
    """Whether a model computes a tree as it computes its paths. Each model is tried once in each of its settings."""
    settings = (dtype, *(getattr(target.config, name, None) for name in ("_attn_implementation", "sliding_window")))
    if settings in _sound.get(target.model, ()):
        return True
    sound = deviation(target) <= TOLERATED.get(dtype, TOLERATED_IN_HALF_PRECISION)
    if sound:
        _sound.setdefault(target.model, set()).add(settings)
    return sound
