"""Masks against their definition, row by row."""

from __future__ import annotations

import random

import pytest
import torch

from protocheck.runtime.masks import Extent, ancestors, full_mask, positions, sliding_mask
from protocheck.runtime.tree import DraftTree

from .paths import random_tree

CPU = torch.device("cpu")


def seen(mask: torch.Tensor) -> list[list[bool]]:
    hidden = torch.finfo(mask.dtype).min
    assert set(mask.unique().tolist()) <= {0.0, hidden}, "additive, and nothing in between"
    return [[bool(value == 0) for value in row] for row in mask[0, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_every_entry(seed: int) -> None:
    rng = random.Random(seed)
    tree = random_tree(rng, 5, rng.randint(1, 20))
    first = rng.randrange(len(tree))
    committed, padding, window = rng.randint(0, 20), 0, rng.randint(2, 9)
    attended = None
    if rng.random() < 0.5 and committed > 2:
        padding = rng.randint(1, committed - 1)
        # The prompt may be shorter than what is committed by now.
        attended = torch.arange(rng.randint(padding, committed)) >= padding
    extent = Extent(committed, attended)
    low = max(0, committed - window + 1)
    full = seen(full_mask(tree, first, extent, torch.float32, CPU))
    sliding = seen(sliding_mask(tree, first, extent, window, torch.float32, CPU, low))
    for query, node in enumerate(range(first, len(tree))):
        place = committed + tree.depths[node]
        for row in range(committed):
            assert full[query][row] == (row >= padding)
            if row >= low:
                assert sliding[query][row - low] == (row >= padding and place - row < window)
        for other in range(len(tree)):
            related = other in tree.path(node)
            near = tree.depths[node] - tree.depths[other] < window
            assert full[query][committed + other] == related
            assert sliding[query][committed - low + other] == (related and near)
    assert all(len(row) == committed + len(tree) for row in full)
    assert all(len(row) == committed - low + len(tree) for row in sliding)
    assert extent.root_position == committed - padding
    assert positions(tree, first, extent.root_position) == tuple(
        committed - padding + depth for depth in tree.depths[first:]
    )


def test_a_wide_window_is_full_attention() -> None:
    tree = random_tree(random.Random(0), 5, 12)
    extent = Extent(9)
    wide = sliding_mask(tree, 0, extent, 50, torch.float32, CPU, 0)
    assert torch.equal(wide, full_mask(tree, 0, extent, torch.float32, CPU))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_masks_are_finite_floats_of_the_models_dtype(dtype: torch.dtype) -> None:
    mask = full_mask(DraftTree((1, 2, 3), (-1, 0, 0)), 0, Extent(2), dtype, CPU)
    assert mask.dtype == dtype
    assert mask.shape == (1, 1, 3, 5)
    assert torch.isfinite(mask).all()
    assert mask.min() == torch.finfo(dtype).min


def test_siblings_do_not_see_each_other() -> None:
    tree = DraftTree((1, 2, 3, 4), (-1, 0, 0, 2))
    assert ancestors(tree, 0).tolist() == [
        [True, False, False, False],
        [True, True, False, False],
        [True, False, True, False],
        [True, False, True, True],
    ]
    assert ancestors(tree, 3).tolist() == [[True, False, True, True]]
