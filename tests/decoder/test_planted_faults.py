"""Faults planted in the whole decoder: comparing with plain generation shows each of them.

What is compared is the text, the logits that it was chosen from, and the state of torch's generator afterwards; in
debug runs the rows of the cache speak up by themselves. What the parts say of the same faults stands beside the parts,
in test_faults.py and test_draws.py.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from protocheck.runtime import request as request_module
from protocheck.runtime.cache_layers import TreeLayer
from protocheck.runtime.decoder import Protocols, SpeculativeDecoder
from protocheck.runtime.drafters.assistant import AssistantDrafter
from protocheck.runtime.provenance import ProvenanceError
from protocheck.runtime.rejection import NotSampled
from protocheck.runtime.request import Request
from protocheck.runtime.tree import DraftTree

from .distributions import chi_square, critical
from .drafters import HalfRightDrafter, RightDrafter
from .models import tiny
from .test_faults import FAULTS, WINDOW_FAULTS, EvictsTooMuch, Plant

LENGTH = 20
SEEDS = (1, 2, 3)
PROMPT = torch.tensor([[5, 17, 3, 44, 17, 3, 9, 80, 23, 61, 7, 12]])
FAR = 1e-3

Found = tuple[list[int], tuple[torch.Tensor, ...], torch.Tensor]
"""A text, the logits that its tokens were chosen from, and the generator's state behind it."""


@functools.cache
def model() -> Any:
    return tiny("gemma3", layers=3)


def settings(seed: int | None) -> dict[str, Any]:
    return {
        "attention_mask": torch.ones_like(PROMPT),
        "max_new_tokens": LENGTH,
        "do_sample": seed is not None,
        "eos_token_id": None,
        "return_dict_in_generate": True,
        "output_logits": True,
        **({} if seed is None else {"temperature": 0.7, "repetition_penalty": 1.2}),
    }


def found(output: Any) -> Found:
    return output.sequences[0].tolist(), output.logits, torch.get_rng_state()


@functools.cache
def plain(seed: int | None) -> Found:
    torch.manual_seed(seed or 0)
    return found(model().generate(PROMPT, **settings(seed)))


def ours(seed: int | None, *, half: bool, **arguments: Any) -> Found:
    text = plain(seed)[0]
    drafter = HalfRightDrafter(text, 0.6, branches=1, seed=4) if half else RightDrafter(text, branches=1)
    decoder = SpeculativeDecoder(model(), drafter, tree_budget=9, adaptive=False, **arguments)
    torch.manual_seed(seed or 0)
    return found(decoder.generate(PROMPT, **settings(seed)))


def differences(one: Found, other: Found) -> set[str]:
    """What of two runs differs. Logits are compared as far as the texts agree, and one token further."""
    names = set()
    if one[0] != other[0]:
        names.add("text")
    agreeing = next((i for i, (a, b) in enumerate(zip(one[0], other[0], strict=False)) if a != b), len(one[0]))
    for a, b in list(zip(one[1], other[1], strict=False))[: agreeing - PROMPT.shape[1] + 1]:
        if not float((a - b).abs().max()) < FAR:
            names.add("logits")
    if not torch.equal(one[2], other[2]):
        names.add("generator")
    return names


# --------------------------------------------------------------------------------------------------- rows and masks


def kept_off_by(shift: int) -> Plant:
    """So many rows too many are kept, or too few."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        right = TreeLayer.cut

        def shifted(self: TreeLayer, length: int) -> None:
            right(self, min(max(length + shift, self.low), self.written))

        monkeypatch.setattr(TreeLayer, "cut", shifted)

    return plant


ROWS: dict[str, Plant] = {
    **FAULTS,
    **WINDOW_FAULTS,
    "one row too many is kept": kept_off_by(1),
    "one row too few is kept": kept_off_by(-1),
}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_without_a_fault_nothing_differs(seed: int | None, half: bool) -> None:
    assert differences(ours(seed, half=half, provenance=True), plain(seed)) == set()


@pytest.mark.parametrize("fault", ROWS)
def test_a_fault_in_the_rows(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = plain(None)
    ROWS[fault](monkeypatch)
    try:
        assert "logits" in differences(ours(None, half=False), expected)
    except (RuntimeError, ValueError):
        # Layers that hold another number of rows than the masks were made for.
        assert fault.startswith("one row")
    with pytest.raises((ProvenanceError, RuntimeError)):
        ours(None, half=False, provenance=True)


def test_one_row_too_many_evicted() -> None:
    protocols = Protocols(tree_cache=EvictsTooMuch)
    assert "logits" in differences(ours(None, half=False, protocols=protocols), plain(None))
    with pytest.raises(ProvenanceError):
        ours(None, half=False, protocols=protocols, provenance=True)


# ------------------------------------------------------------------------------------------------------------- draws

Choice = Callable[[int, tuple[int, ...]], int]
Wrap = Callable[[Request, DraftTree, Sequence[Any], Choice], Choice]


def redraw_after_a_miss(_: Request, tree: DraftTree, __: Sequence[Any], choose: Choice) -> Choice:
    """The correction is drawn, though the draw that missed is the correction."""

    def again(node: int, emitted: tuple[int, ...]) -> int:
        token = choose(node, emitted)
        return token if token in tree.children(node) or not tree.children(node) else choose(node, emitted)

    return again


def one_draw_for_two_positions(_: Request, __: DraftTree, ___: Sequence[Any], choose: Choice) -> Choice:
    """The same random number decides at a node and at its child."""
    states: list[torch.Tensor] = []

    def shared(node: int, emitted: tuple[int, ...]) -> int:
        if len(emitted) % 2:
            torch.set_rng_state(states[-1])
        states.append(torch.get_rng_state())
        return choose(node, emitted)

    return shared


def draws_at_every_node(_: Request, tree: DraftTree, __: Sequence[Any], choose: Choice) -> Choice:
    """All nodes draw at once, also those that are not walked."""
    drawn = [choose(node, ()) for node in range(len(tree))]
    return lambda node, _: drawn[node]


DRAWS: dict[str, Wrap] = {
    "redraw after a miss": redraw_after_a_miss,
    "one draw for two positions": one_draw_for_two_positions,
    "draws at nodes that are not walked": draws_at_every_node,
}


@pytest.mark.parametrize("fault", DRAWS)
def test_a_fault_in_the_draws(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Request._chooser_of

    def planted(self: Request, tree: DraftTree, logits: Any) -> Choice:
        return DRAWS[fault](self, tree, logits, right(self, tree, logits))

    for seed in SEEDS:
        plain(seed)
    monkeypatch.setattr(Request, "_chooser_of", planted)
    seen = [differences(ours(seed, half=True), plain(seed)) for seed in SEEDS]
    assert all("text" in one for one in seen), seen
    assert any("generator" in one for one in seen), seen


# --------------------------------------------------------------------------------------------------------- rejection

ROUNDS = 250
SMALL = 6


@functools.cache
def small(seed: int) -> Any:
    return tiny("llama", layers=1, hidden=16, vocab=SMALL, seed=seed)


def first_tokens(drafter: AssistantDrafter) -> list[float]:
    """How often each token came first, of many texts that were accepted by rejection."""
    decoder = SpeculativeDecoder(small(0), drafter, tree_budget=2, adaptive=False, acceptance="rejection")
    ids = torch.tensor([[3, 4, 5]])
    torch.manual_seed(0)
    counts = Counter(
        decoder.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, do_sample=True, top_k=0, eos_token_id=None
        )[0, 3].item()
        for _ in range(ROUNDS)
    )
    return [float(counts[token]) for token in range(SMALL)]


def target_distribution() -> list[float]:
    with torch.no_grad():
        logits = small(0)(input_ids=torch.tensor([[3, 4, 5]])).logits[0, -1]
    found: list[float] = torch.softmax(logits, dim=-1).tolist()
    return found


def test_rejection_over_drawn_drafts_has_the_targets_distribution() -> None:
    counts = first_tokens(AssistantDrafter(small(1), sampled=True, branches=2, least=0.0))
    assert chi_square(counts, target_distribution()) < critical(SMALL - 1)


def test_rejection_over_a_best_first_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused; let through, it is biased."""
    drafter = AssistantDrafter(small(1), branches=2, least=0.0)
    with pytest.raises(NotSampled):
        first_tokens(drafter)

    def let_through(tree: DraftTree) -> tuple[Any, ...]:
        with torch.no_grad():
            logits = small(1)(input_ids=torch.tensor([[3, 4, 5]])).logits[0, -1]
        return (torch.softmax(logits, dim=-1),) * len(tree)

    monkeypatch.setattr(request_module, "proposals_of", let_through)
    assert chi_square(first_tokens(drafter), target_distribution()) > 2 * critical(SMALL - 1)
