"""An assistant with coarser numbers, on two axes: its drafts may be others, the text is the target's, and each axis
does what it says."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from protocheck.runtime.cache_layers import TreeLayer
from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafters.assistant import AssistantDrafter
from protocheck.runtime.drafters.base import Context, Outcome, TargetFacts
from protocheck.runtime.quantization.kv import KVCodec
from protocheck.runtime.quantization.layers import CodedLayer
from protocheck.runtime.quantization.weights import QuantizedLinear
from protocheck.runtime.target import TargetModel
from protocheck.runtime.tree import DraftTree

from .conftest import no_thread_is_left
from .models import SHARING, prompt, tiny
from .paths import accept, random_tree

AXES = [{"weights": "w4"}, {"kv": "q3.5"}, {"weights": "w4", "kv": "q3.5"}]
FAMILIES = ("llama", "gemma3")
PROMPT = prompt(12)


def model(family: str, **settings: Any) -> Any:
    """With heads of 16 numbers, so that they can be packed."""
    return tiny(family, hidden=64, **settings)


def started(of: Any, **settings: Any) -> AssistantDrafter:
    drafter = AssistantDrafter(of, least=0.0, **settings)
    drafter.start(PROMPT, TargetFacts.of(of))
    return drafter


# ------------------------------------------------------------------------------------------------------------ parity


@pytest.mark.parametrize(
    ("family", "axes", "threads"), [*(("gemma3", axes, False) for axes in AXES), ("llama", AXES[-1], True)]
)
def test_the_text_is_the_targets(family: str, axes: dict[str, Any], threads: bool) -> None:
    """Greedy and sampled, with a drafter that is often right and one that never is; the window is crossed."""
    target = model(family)
    ids = torch.tensor([PROMPT])
    given = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 16, "eos_token_id": None}
    for sampling in ({"do_sample": False}, {"do_sample": True, "temperature": 0.7}):
        torch.manual_seed(3)
        plain = target.generate(ids, **given, **sampling)
        state = torch.get_rng_state()
        for assistant in (target, model(family, layers=2, seed=5)):
            drafter = AssistantDrafter(assistant, branches=2, least=0.0, **axes)
            decoder = SpeculativeDecoder(
                target, drafter, tree_budget=5, adaptive=False, threads=threads, monitors=True, provenance=True
            )
            torch.manual_seed(3)
            assert torch.equal(decoder.generate(ids, **given, **sampling), plain)
            assert torch.equal(torch.get_rng_state(), state)
            assert decoder.statistics.drafted > 16
            if assistant is target:
                assert decoder.statistics.accepted > 0, "rounding leaves something of the model"
    assert no_thread_is_left()


# ------------------------------------------------------------------------------------------------------ two axes


def test_weights_are_rounded_in_a_copy() -> None:
    original = model("llama")
    before = {name: weight.clone() for name, weight in original.named_parameters()}
    drafter = started(original, weights="w4")
    copied = drafter.model.model
    assert copied is not original
    assert all(type(layer.mlp.up_proj) is torch.nn.Linear for layer in original.model.layers)
    assert all(torch.equal(weight, before[name]) for name, weight in original.named_parameters())
    assert all(isinstance(layer.mlp.up_proj, QuantizedLinear) for layer in copied.model.layers)
    # What is not rounded takes no memory a second time.
    assert copied.get_input_embeddings().weight is original.get_input_embeddings().weight
    drafter.draft(Context(PROMPT), 3)
    assert drafter.cache is not None
    assert all(type(layer) is TreeLayer for layer in drafter.cache.rows), "the rows are the other axis"


def test_rows_are_rounded_and_nothing_else() -> None:
    original = model("llama")
    exact, coarse = started(original), started(original, kv="q3.5")
    assert coarse.model.model is original
    for drafter in (exact, coarse):
        drafter.draft(Context(PROMPT), 1)
    assert exact.cache is not None
    assert coarse.cache is not None
    held, bytes_of = len(PROMPT), 2 * 2 * (16 * 7 // 16 + 2)  # keys and values, of two heads: codes and a scale
    for layer in coarse.cache.rows:
        assert isinstance(layer, CodedLayer)
        assert layer.stored_bytes == layer.held * bytes_of
    # Keys of the first layer depend on nothing that was rounded before.
    ours, theirs = coarse.cache.rows[0].keys, exact.cache.rows[0].keys
    assert ours is not None
    assert theirs is not None
    ours, theirs = ours[0, :, :held], theirs[0, :, :held]
    codec = KVCodec(16)
    changed, bound = (ours - theirs).norm(dim=-1), codec.error_bound(codec.encode(theirs))
    assert (changed <= bound * (1 + 1e-5)).all()
    assert changed.min() > 0


# -------------------------------------------------------------------------------------------- rows that are rounded


@pytest.mark.parametrize("family", [*FAMILIES, *SHARING])
def test_a_row_is_the_same_however_it_came_there(family: str) -> None:
    """By forwards over trees, gathered and cut, or token by token; labels show that each row is the right one."""
    target = TargetModel(model(family))
    dice = random.Random(family)
    cache = target.new_cache(100, 16, kv="q3.5", provenance=True)
    text = list(PROMPT)
    target.prefill(cache, text[:-1], chunk=5)
    for _ in range(3):
        tree = random_tree(dice, text[-1], 8)
        target.verify(cache, tree)
        text = text[:-1] + accept(cache, tree, dice.randrange(len(tree))) + [dice.randrange(3, 101)]
    fresh = target.new_cache(100, 16, kv="q3.5")
    for token in text[:-1]:
        target.prefill(fresh, [token])
    last = DraftTree.root_only(text[-1])
    off = (target.verify(cache, last).logits - target.verify(fresh, last).logits).abs().max()
    # A number at the border of two intervals may fall into either; one wrong row would be seen far above that.
    assert off < 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_drafts_after_any_history(family: str) -> None:
    """A drafter that has seen verdicts drafts what a new one does."""
    original = model(family)
    drafter = started(original, kv="q3.5", weights="w4")
    dice, text = random.Random(family), PROMPT
    for _ in range(4):
        tree = drafter.draft(Context(text), 4)
        kept = dice.randrange(4)
        tokens = (*tree.tokens[1 : 1 + kept], dice.randrange(3, 101))
        drafter.accepted(Outcome(tokens, tuple(range(kept + 1))))
        text += tokens
    other = AssistantDrafter(original, least=0.0, kv="q3.5", weights="w4")
    other.start(text, TargetFacts.of(original))
    assert drafter.draft(Context(text), 2).tokens == other.draft(Context(text), 2).tokens


# ----------------------------------------------------------------------------------------------------------- refused


def test_refused_before_there_is_a_request() -> None:
    with pytest.raises(ValueError, match='"w4" or None'):
        AssistantDrafter(model("llama"), weights="w8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r'"q3\.5" or None'):
        AssistantDrafter(model("llama"), kv="w4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the heads have 8"):
        AssistantDrafter(tiny("llama"), kv="q3.5")
