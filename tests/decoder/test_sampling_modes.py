"""The other ways to sample: noise that belongs to a position, and rejection of drafts that were drawn."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch

from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafters.assistant import AssistantDrafter
from protocheck.runtime.drafters.base import Drafter
from protocheck.runtime.rejection import NotSampled

from .drafters import RandomDrafter, RightDrafter, WrongDrafter
from .models import tiny
from .test_parity import prompt_of

SAMPLED = {"do_sample": True, "eos_token_id": None, "temperature": 0.9}


def text_of(decoder: SpeculativeDecoder, ids: torch.Tensor, length: int, **arguments: Any) -> tuple[int, ...]:
    found = decoder.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=length, **{**SAMPLED, **arguments}
    )
    return tuple(found[0, ids.shape[1] :].tolist())


# ---------------------------------------------------------------------------------------------------- counter noise


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
def test_counter_noise_is_a_function_of_the_position(threads: bool) -> None:
    """The text depends on the seed and the request, not on what was drafted, and torch's generator is left alone."""
    model, ids = tiny("gemma3"), prompt_of(14)
    expected = text_of(SpeculativeDecoder(model, noise="counter", seed=5), ids, 24)
    drafters: list[Drafter] = [
        RandomDrafter(1),
        WrongDrafter((*ids[0].tolist(), *expected)),
        RightDrafter((*ids[0].tolist(), *expected), branches=1),
        AssistantDrafter(model, branches=2, width=2),
    ]
    before = torch.get_rng_state()
    for drafter in drafters:
        decoder = SpeculativeDecoder(model, drafter, noise="counter", seed=5, adaptive=False, threads=threads)
        assert text_of(decoder, ids, 24) == expected
    assert torch.equal(torch.get_rng_state(), before)
    other = SpeculativeDecoder(model, noise="counter", seed=6)
    assert text_of(other, ids, 24) != expected
    # The next request of the same decoder has noise of its own.
    assert text_of(decoder, ids, 24) != expected


def test_an_assistant_that_shares_the_noise_agrees_more() -> None:
    """With the target's own weights it knows every token, as under greedy decoding."""
    model, ids = tiny("llama"), prompt_of(14)
    decoder = SpeculativeDecoder(
        model, AssistantDrafter(model, least=0), tree_budget=4, noise="counter", adaptive=False
    )
    text_of(decoder, ids, 30, temperature=1.0, top_k=0)
    assert decoder.statistics.tokens_per_forward > 4
    blind = SpeculativeDecoder(model, AssistantDrafter(model, least=0), tree_budget=4, adaptive=False)
    torch.manual_seed(0)
    text_of(blind, ids, 30, temperature=1.0, top_k=0)
    assert blind.statistics.tokens_per_forward < 3


def test_padding_counts_as_positions_for_both() -> None:
    model, prompt = tiny("llama"), prompt_of(14)
    ids = torch.cat([torch.zeros((1, 5), dtype=torch.int64), prompt], dim=1)
    mask = (torch.arange(ids.shape[1]) >= 5).long()[None]
    decoder = SpeculativeDecoder(
        model, AssistantDrafter(model, least=0), tree_budget=4, noise="counter", adaptive=False
    )
    decoder.generate(ids, attention_mask=mask, max_new_tokens=30, **{**SAMPLED, "temperature": 1.0, "top_k": 0})
    assert decoder.statistics.tokens_per_forward > 4


# -------------------------------------------------------------------------------------------------------- rejection


def test_rejection_leaves_the_targets_distribution() -> None:
    """Pairs of tokens against the products of the target's own conditional probabilities, by chi-squared."""
    target, ids, runs = tiny("llama", vocab=6), torch.tensor([[3, 5, 4, 3]]), 1500
    drafter = AssistantDrafter(tiny("llama", vocab=6, seed=1), sampled=True, branches=2)
    decoder = SpeculativeDecoder(target, drafter, tree_budget=3, adaptive=False, acceptance="rejection")
    torch.manual_seed(3)
    found = Counter(text_of(decoder, ids, 2) for _ in range(runs))
    chi_squared, cells = 0.0, 0
    first = _probabilities(target, ids)
    for a in range(6):
        second = _probabilities(target, torch.cat([ids, torch.tensor([[a]])], dim=1))
        for b in range(6):
            expected = runs * first[a] * second[b]
            chi_squared += (found[a, b] - expected) ** 2 / expected
            cells += 1
    assert sum(found.values()) == runs
    assert decoder.statistics.drafted > 0
    # 35 degrees of freedom: above this once in a hundred thousand seeds.
    assert chi_squared < 35 + 4.3 * math.sqrt(2 * 35) + 10, chi_squared
    assert cells == 36


def _probabilities(model: Any, ids: torch.Tensor) -> list[float]:
    with torch.no_grad():
        logits = model(ids).logits[0, -1].double()
    return torch.softmax(logits / SAMPLED["temperature"], dim=-1).tolist()  # type: ignore[no-any-return]


def test_rejection_is_for_drafts_that_were_drawn() -> None:
    model, ids = tiny("llama"), prompt_of(6)
    decoder = SpeculativeDecoder(model, RandomDrafter(2), acceptance="rejection", adaptive=False)
    with pytest.raises(NotSampled, match="needs drafts that were drawn"):
        text_of(decoder, ids, 8)
    with pytest.raises(ValueError, match="pass do_sample=True"):
        text_of(decoder, ids, 8, do_sample=False, temperature=None)
