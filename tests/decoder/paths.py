"""What a tree's forward is compared with: plain forwards over each path, with the library's own cache and masks."""

from __future__ import annotations

import copy
import random
from typing import Any

import torch
from transformers import DynamicCache

from protocheck.runtime.cache import TreeKVCache
from protocheck.runtime.tree import DraftTree

# Largest difference of two logits in fp32 that are computed over the same rows, in another order. Gemma 3n and 4 do
# not scale their attention down.
NEAR = {"gemma3n": 5e-5, "gemma4": 5e-5}
NEAR_OTHERWISE = 1e-5


def near(family: str) -> float:
    """The largest difference of logits between a tree's forward and plain ones, in fp32."""
    return NEAR.get(family, NEAR_OTHERWISE)


def random_tree(rng: random.Random, root: int, nodes: int, vocab: int = 101) -> DraftTree:
    """A tree of so many nodes, the root among them; old nodes are as likely to get children as new ones."""
    tokens, parents, taken = [root], [-1], set()
    while len(tokens) < nodes:
        parent, token = rng.randrange(len(tokens)), rng.randrange(3, vocab)
        if (parent, token) not in taken:
            taken.add((parent, token))
            tokens.append(token)
            parents.append(parent)
    return DraftTree(tuple(tokens), tuple(parents))


def path_outputs(
    model: Any, ids: list[int], tree: DraftTree, padding: int = 0, hidden_layers: tuple[int, ...] = ()
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Logits [n, vocabulary] behind each node, and hidden states [n, layers, size], by one plain forward a leaf.

    ids: the text, its last token the tree's root. padding: of its first tokens, how many are padding.
    """
    past = DynamicCache(config=model.config)
    if len(ids) > 1:
        _plain(model, ids[:-1], past, 0, padding, hidden_layers)
    found: dict[int, torch.Tensor] = {}
    hidden: dict[int, torch.Tensor] = {}
    for leaf in reversed(range(len(tree))):
        if leaf in found:
            continue
        path = tree.path(leaf)
        out = _plain(model, [tree.tokens[i] for i in path], copy.deepcopy(past), len(ids) - 1, padding, hidden_layers)
        for place, node in enumerate(path):
            found[node] = out.logits[0, place]
            if hidden_layers:
                hidden[node] = torch.stack([out.hidden_states[layer][0, place] for layer in hidden_layers])
    logits = torch.stack([found[node] for node in range(len(tree))])
    return logits, torch.stack([hidden[node] for node in range(len(tree))]) if hidden_layers else None


def _plain(model: Any, ids: list[int], past: Any, start: int, padding: int, hidden_layers: tuple[int, ...]) -> Any:
    total = start + len(ids)
    mask = torch.ones((1, total), dtype=torch.int64)
    mask[0, :padding] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, start:]
    with torch.no_grad():
        return model(
            input_ids=torch.tensor([ids]),
            attention_mask=mask if padding else None,
            position_ids=positions,
            past_key_values=past,
            use_cache=True,
            output_hidden_states=bool(hidden_layers),
        )


def accept(cache: TreeKVCache, tree: DraftTree, node: int) -> list[int]:
    """Keep and commit the path to a node; its tokens, root first."""
    path = tree.path(node)
    for step in path:
        cache.keep(step + 1)
    cache.commit()
    return [tree.tokens[step] for step in path]


def deviation(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference; not a number where one of them is none."""
    assert one.shape == other.shape
    return float((one - other).abs().max())
