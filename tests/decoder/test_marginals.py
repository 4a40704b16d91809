"""The best-first tree out of a block drafter's scores."""

from __future__ import annotations

import pytest
import torch

from protocheck.runtime.best_first import best_first, from_marginals
from protocheck.runtime.tree import DraftTree


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("budget", [1, 7, 40])
def test_as_over_the_whole_vocabulary(budget: int, dtype: torch.dtype) -> None:
    logits = (3 * torch.randn((4, 50), generator=torch.Generator().manual_seed(budget))).to(dtype)
    tree = from_marginals(9, logits, budget)
    logs, tokens = logits.float().log_softmax(-1).sort(dim=-1, descending=True, stable=True)
    whole = best_first(9, tokens.tolist(), logs.tolist(), budget)
    assert len(tree) == budget + 1
    # In bfloat16 many scores are equal, and top-k orders these as it likes.
    assert tree.probabilities == pytest.approx(whole.probabilities, abs=1e-5)
    if dtype == torch.float32:
        assert (tree.tokens, tree.parents) == (whole.tokens, whole.parents)


def test_no_draft() -> None:
    assert from_marginals(9, torch.zeros(3, 5), 0) == DraftTree.root_only(9)
    assert from_marginals(9, torch.zeros(0, 5), 4) == DraftTree.root_only(9)


def test_certain_tokens() -> None:
    """A probability that is 1 after rounding is no reason to refuse."""
    logits = torch.full((3, 4), -1e4)
    logits[:, 2] = 1e4
    assert from_marginals(9, logits, 3) == DraftTree((9, 2, 2, 2), (-1, 0, 1, 2), (0.0, 0.0, 0.0, 0.0))
