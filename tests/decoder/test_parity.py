"""Losslessness: token for token what `target.generate` gives, whatever is drafted, in every family of models.

fp32, with prompts shorter and longer than the window of sliding layers. In these runs every row of the cache is
labelled, and every read of one is checked; every invariant of the three protocols is evaluated after each step.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafters.base import Drafter
from protocheck.runtime.drafters.prompt_lookup import PromptLookupDrafter

from .conftest import no_thread_is_left
from .drafters import EmptyDrafter, HalfRightDrafter, RandomDrafter, RightDrafter, TooLongDrafter, WrongDrafter
from .models import FAMILIES, Attention, tiny

LENGTH = 28

DRAFTERS: dict[str, Callable[[list[int]], Drafter]] = {
    "empty": lambda text: EmptyDrafter(),
    "random": lambda text: RandomDrafter(3),
    "wrong": WrongDrafter,
    "right": RightDrafter,
    "right tree": lambda text: RightDrafter(text, branches=2),
    "half right": lambda text: HalfRightDrafter(text, 0.6, branches=1, seed=4),
    "too long": lambda text: TooLongDrafter(5),
    "lookup": lambda text: PromptLookupDrafter(),
}


def prompt_of(length: int, seed: int = 0) -> torch.Tensor:
    """Words that come again, so that there is something to look up."""
    numbers = random.Random(seed)
    words = [numbers.randrange(3, 101) for _ in range(max(2, length // 3))]
    return torch.tensor([[numbers.choice(words) for _ in range(length)]])


def lively(model: Any, length: int) -> torch.Tensor:
    """A prompt after which greedy decoding says something: parity with a text of two words would say little."""
    for seed in range(20):
        ids = prompt_of(length, seed)
        if len(set(expected(model, ids, do_sample=False)[0, length:].tolist())) > 5:
            return ids
    raise AssertionError("this model repeats itself after every prompt")


def expected(model: Any, ids: torch.Tensor, length: int = LENGTH, **arguments: Any) -> torch.Tensor:
    found: torch.Tensor = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=length, eos_token_id=None, **arguments
    )
    return found


def compare(
    model: Any, ids: torch.Tensor, make: Callable[[list[int]], Drafter], budget: int, threads: bool, sample: bool
) -> SpeculativeDecoder:
    """Generate twice, plainly and speculatively; the text and the generator's state must be equal."""
    arguments = {"do_sample": True, "temperature": 0.7, "top_k": 20} if sample else {"do_sample": False}
    torch.manual_seed(11)
    plain = expected(model, ids, **arguments)
    state = torch.get_rng_state()
    decoder = SpeculativeDecoder(
        model,
        make(plain[0].tolist()),
        tree_budget=budget,
        adaptive=False,
        threads=threads,
        monitors=True,
        provenance=True,
    )
    torch.manual_seed(11)
    assert torch.equal(expected(model, ids, custom_generate=decoder, **arguments), plain)
    assert torch.equal(torch.get_rng_state(), state)
    assert no_thread_is_left()
    return decoder


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
@pytest.mark.parametrize("drafter", DRAFTERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_with_every_drafter(family: str, drafter: str, threads: bool) -> None:
    model = tiny(family)
    for length, sample in ((3, False), (21, True)):
        decoder = compare(model, lively(model, length), DRAFTERS[drafter], 7, threads, sample)
        if drafter.startswith("right"):
            assert decoder.statistics.tokens_per_forward > 2
        if drafter in ("empty", "wrong"):
            assert decoder.statistics.tokens_per_forward == 1
        assert decoder.statistics.tokens == LENGTH


@pytest.mark.parametrize("budget", [1, 2, 3, 16, 64])
@pytest.mark.parametrize("family", ["gemma3", "mistral"])
def test_every_budget(family: str, budget: int) -> None:
    model = tiny(family)
    ids = lively(model, 13)
    for drafter in ("random", "right tree", "too long"):
        compare(model, ids, DRAFTERS[drafter], budget, False, False)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_attention(family: str, attention: Attention) -> None:
    model = tiny(family, attention=attention)
    ids = lively(model, 17)
    for drafter in ("half right", "random"):
        compare(model, ids, DRAFTERS[drafter], 9, False, False)


@pytest.mark.parametrize("window", [2, 3, 5, 64])
@pytest.mark.parametrize("family", ["gemma3", "mistral"])
def test_every_window(family: str, window: int) -> None:
    model = tiny(family, window=window)
    ids = lively(model, 9)
    for drafter in ("half right", "right tree"):
        compare(model, ids, DRAFTERS[drafter], 9, False, False)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_all_of_it(seed: int) -> None:
    """Random choices of everything above."""
    numbers = random.Random(seed)
    for _ in range(20):
        model = tiny(numbers.choice(FAMILIES), window=numbers.choice([2, 5, 8, 33]), seed=numbers.randrange(3))
        compare(
            model,
            prompt_of(numbers.choice([1, 2, 7, 30, 90]), seed=numbers.randrange(1000)),
            DRAFTERS[numbers.choice(list(DRAFTERS))],
            numbers.choice([1, 2, 5, 16, 33, 64]),
            numbers.random() < 0.5,
            numbers.random() < 0.5,
        )
