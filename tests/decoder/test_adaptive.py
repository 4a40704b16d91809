"""The adaptive budget in the decoder: the output does not depend on it, and drafts that do not pay are given up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from protocheck.runtime.budget import AdaptiveBudget, FixedBudget
from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafters.prompt_lookup import PromptLookupDrafter
from protocheck.runtime.tree import DraftTree

from .drafters import HalfRightDrafter, RightDrafter, WrongDrafter
from .models import tiny
from .test_parity import DRAFTERS, expected, lively

LENGTH = 40


class Slow(WrongDrafter):
    """Takes ten milliseconds for drafts that are all wrong."""

    def tree(self, ids: tuple[int, ...], budget: int) -> DraftTree:
        time.sleep(0.01)
        return super().tree(ids, budget)


class Asked:
    """A budget that goes through a list of numbers again and again, and writes down what it is told."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers, self.asked = numbers, 0
        self.told: list[tuple[int, int, tuple[int, ...]]] = []

    def nodes(self) -> int:
        self.asked += 1
        return self.numbers[(self.asked - 1) % len(self.numbers)]

    def observe(
        self,
        *,
        nodes: int,
        emitted: int,
        draft_seconds: float,
        verify_seconds: float,
        path: Sequence[int] | None = None,
    ) -> None:
        assert path is not None
        assert draft_seconds > 0
        assert verify_seconds > 0
        self.told.append((nodes, emitted, tuple(path)))


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny("gemma3")


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
@pytest.mark.parametrize("sample", [False, True], ids=["greedy", "sampled"])
@pytest.mark.parametrize("drafter", ["wrong", "half right", "too long"])
def test_parity(model: Any, drafter: str, sample: bool, threads: bool) -> None:
    """Several requests of one decoder, whose budget goes on learning."""
    ids = lively(model, 13)
    arguments = {"do_sample": True, "temperature": 0.7} if sample else {"do_sample": False}
    torch.manual_seed(5)
    plain = expected(model, ids, LENGTH, **arguments)
    state = torch.get_rng_state()
    decoder = SpeculativeDecoder(model, DRAFTERS[drafter](plain[0].tolist()), threads=threads)
    plainly = 0
    for _ in range(2):
        torch.manual_seed(5)
        found = expected(model, ids, LENGTH, custom_generate=decoder, **arguments)
        assert torch.equal(found, plain)
        assert torch.equal(torch.get_rng_state(), state)
        plainly += decoder.statistics.plain
    assert plainly > 0, "the first round of all is a plain one"


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
def test_parity_whatever_the_budget_says_next(model: Any, threads: bool) -> None:
    ids = lively(model, 13)
    plain = expected(model, ids, LENGTH, do_sample=False)
    for numbers in ((0,), (0, 1), (5, 0, 0, 16, 1), (16, 2)):
        decoder = SpeculativeDecoder(model, HalfRightDrafter(plain[0].tolist(), 0.7, branches=1), threads=threads)
        budget = Asked(numbers)
        decoder._budget = budget
        assert torch.equal(expected(model, ids, LENGTH, custom_generate=decoder, do_sample=False), plain)
        nodes = [told[0] for told in budget.told]
        assert all(n <= numbers[place % len(numbers)] for place, n in enumerate(nodes))
        assert sum(nodes) == decoder.statistics.drafted
        assert sum(told[1] for told in budget.told) in (LENGTH, LENGTH - 1), "the last token alone is no observation"
        # A path is the root and what was accepted; the correction or bonus comes behind it.
        assert all(told[2][0] == 0 and len(told[2]) in (told[1], told[1] + 1) for told in budget.told)
    assert decoder.statistics.accepted > 10


def test_what_is_slow_and_wrong_is_given_up(model: Any) -> None:
    ids = lively(model, 13)
    plain = expected(model, ids, 150, do_sample=False)
    slow = Slow(plain[0].tolist())
    decoder = SpeculativeDecoder(model, slow)
    for _ in range(2):
        assert torch.equal(expected(model, ids, 150, custom_generate=decoder, do_sample=False), plain)
    # On a machine that stands still now and then some more may seem affordable; 300 would be asked for otherwise.
    assert 0 < slow.drafted < 60
    assert decoder.statistics.plain > 100


def test_what_is_free_and_right_is_used(model: Any) -> None:
    ids = lively(model, 13)
    plain = expected(model, ids, 80, do_sample=False)
    decoder = SpeculativeDecoder(model, RightDrafter(plain[0].tolist()))
    assert torch.equal(expected(model, ids, 80, custom_generate=decoder, do_sample=False), plain)
    assert decoder.statistics.tokens_per_forward > 2


def test_adaptive_false_asks_for_the_same_always(model: Any) -> None:
    adaptive = SpeculativeDecoder(model, PromptLookupDrafter(), tree_budget=9)
    fixed = SpeculativeDecoder(model, PromptLookupDrafter(), tree_budget=9, adaptive=False)
    assert isinstance(adaptive._budget, AdaptiveBudget)
    assert isinstance(fixed._budget, FixedBudget)
    assert adaptive._budget.most == fixed._budget.most == 9
