"""Faults planted in the cache and its masks: the logits show each of them, and so does the provenance of the rows.

The faults are those that real decoders had. Tokens alone would miss many: on these models, a third of the runs with a
planted fault emit what plain decoding emits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers

from protocheck import GuardRefused, action, guard, without
from protocheck.protocols.tree_cache import TreeCache
from protocheck.runtime import masks
from protocheck.runtime.cache_layers import TreeLayer
from protocheck.runtime.masks import Extent
from protocheck.runtime.provenance import ProvenanceError
from protocheck.runtime.target import TargetModel
from protocheck.runtime.tree import DraftTree

from .models import prompt, shared
from .paths import accept, deviation, near, path_outputs, random_tree

Plant = Callable[[pytest.MonkeyPatch], None]

# Far above what another order of summation does, far below what one wrong row does.
SEEN = 1e-3


class EvictsTooMuch(TreeCache):
    """A window that is one row short."""

    @action
    def evict(self) -> None:
        """Rows that no later token sees are dropped, and one that is seen."""
        guard(outside_the_window=self.low < self.committed - self.window + 1, nobody_reads=self.is_quiet())
        self.low = self.committed - self.window + 1


def run(family: str, *, provenance: bool, variant: type[TreeCache] = TreeCache) -> float:
    """Some rounds over random trees with random paths; the largest deviation of a logit from plain decoding."""
    model = shared(family)
    target = TargetModel(model)
    rng = random.Random(1)
    text = list(prompt(13))
    cache = target.new_cache(200, 24, provenance=provenance, variant=variant)
    target.prefill(cache, text[:-1])
    largest = 0.0
    for _ in range(6):
        tree = random_tree(rng, text[-1], 14)
        logits = target.verify(cache, tree).logits
        largest = max(largest, deviation(logits, path_outputs(model, text, tree)[0]))
        deepest = max(range(len(tree)), key=lambda node: tree.depths[node])
        text = text[:-1] + accept(cache, tree, deepest) + [rng.randrange(3, 101)]
    return largest


def causal_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    def causal(tree: DraftTree, first: int) -> torch.Tensor:
        return torch.ones((len(tree), len(tree)), dtype=torch.bool).tril()[first:]

    monkeypatch.setattr(masks, "ancestors", causal)


def slot_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_slot(tree: DraftTree, first: int, root_position: int) -> tuple[int, ...]:
        return tuple(root_position + node for node in range(first, len(tree)))

    monkeypatch.setattr(masks, "positions", by_slot)


def positions_off_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    right = masks.positions

    def late(tree: DraftTree, first: int, root_position: int) -> tuple[int, ...]:
        # Relative positions are all that these models see: only a part of the nodes may be shifted.
        return tuple(place + (place > root_position) for place in right(tree, first, root_position))

    monkeypatch.setattr(masks, "positions", late)


def crop_without_gather(monkeypatch: pytest.MonkeyPatch) -> None:
    def crop(self: TreeLayer, base: int, slots: Any, index: Any) -> None:
        self.cut(base + len(slots))

    monkeypatch.setattr(TreeLayer, "gather", crop)


def gather_off_by(shift: int) -> Plant:
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        right = TreeLayer.gather

        def shifted(self: TreeLayer, base: int, slots: Any, index: Any) -> None:
            off = [min(max(slot + shift, 1), self.written - base) for slot in slots]
            right(self, base, off, torch.tensor(off) - 1)

        monkeypatch.setattr(TreeLayer, "gather", shifted)

    return plant


def gather_out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    right = TreeLayer.gather

    def backwards(self: TreeLayer, base: int, slots: Any, index: Any) -> None:
        right(self, base, slots[::-1], torch.tensor(slots[::-1]) - 1)

    monkeypatch.setattr(TreeLayer, "gather", backwards)


def one_layer_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    right = TreeLayer.gather

    def not_all(self: TreeLayer, base: int, slots: Any, index: Any) -> None:
        right(self, base, slots, None if self.index == 1 else index)

    monkeypatch.setattr(TreeLayer, "gather", not_all)


def window_by_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_slots(tree: DraftTree, first: int, extent: Extent, window: int, *rest: Any) -> torch.Tensor:
        dtype, device, low = rest
        mask = masks.full_mask(tree, first, extent, dtype, device, low)
        slots = torch.arange(len(tree))
        places = torch.cat((torch.arange(low - extent.committed, 0), slots))
        return mask.masked_fill(slots[first:, None] - places[None] >= window, torch.finfo(dtype).min)

    monkeypatch.setattr(masks, "sliding_mask", by_slots)


def window_off_by(shift: int) -> Plant:
    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        right = masks.sliding_mask

        def other(tree: DraftTree, first: int, extent: Extent, window: int, *rest: Any) -> torch.Tensor:
            return right(tree, first, extent, window + shift, *rest)

        monkeypatch.setattr(masks, "sliding_mask", other)

    return plant


def padding_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    right = masks.full_mask

    def all_of_it(tree: DraftTree, first: int, extent: Extent, *rest: Any) -> torch.Tensor:
        return right(tree, first, Extent(extent.committed), *rest)

    monkeypatch.setattr(masks, "full_mask", all_of_it)


FAULTS: dict[str, Plant] = {
    "causal mask": causal_mask,
    "slot positions": slot_positions,
    "positions off by one": positions_off_by_one,
    "crop without gather": crop_without_gather,
    "gather one too far": gather_off_by(1),
    "gather one too short": gather_off_by(-1),
    "one layer forgotten": one_layer_is_forgotten,
}
# Where every row is seen, their order does not matter: each carries its position.
WINDOW_FAULTS: dict[str, Plant] = {
    "gather out of order": gather_out_of_order,
    "window by slots": window_by_slots,
    "window one too wide": window_off_by(1),
    "window one too narrow": window_off_by(-1),
}
CASES = [
    *((family, fault) for family in ("llama", "gemma3") for fault in FAULTS),
    *((family, fault) for family in ("mistral", "gemma3") for fault in WINDOW_FAULTS),
]


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_without_a_fault_there_is_nothing_to_see(family: str) -> None:
    assert run(family, provenance=True) <= near(family)


@pytest.mark.parametrize(("family", "fault"), CASES)
def test_the_logits_show_it(family: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (FAULTS | WINDOW_FAULTS)[fault](monkeypatch)
    assert run(family, provenance=False) > SEEN


@pytest.mark.parametrize(("family", "fault"), CASES)
def test_the_provenance_shows_it(family: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (FAULTS | WINDOW_FAULTS)[fault](monkeypatch)
    with pytest.raises(ProvenanceError):
        run(family, provenance=True)


@pytest.mark.parametrize("family", ["mistral", "gemma3"])
def test_one_row_too_many_evicted(family: str) -> None:
    assert run(family, provenance=False, variant=EvictsTooMuch) > SEEN
    with pytest.raises(ProvenanceError, match="is the first that was not evicted"):
        run(family, provenance=True, variant=EvictsTooMuch)


def test_padding_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    model = shared("gemma3")
    target = TargetModel(model)
    text = [0, 0, 0, *prompt(4)]
    mask = torch.tensor([[0, 0, 0, 1, 1, 1]])
    tree = random_tree(random.Random(0), text[-1], 6)
    expected = path_outputs(model, text, tree, padding=3)[0]
    padding_is_read(monkeypatch)
    cache = target.new_cache(50, 8)
    target.prefill(cache, text[:-1], mask)
    assert deviation(target.verify(cache, tree).logits, expected) > SEEN
    cache = target.new_cache(50, 8, provenance=True)
    target.prefill(cache, text[:-1], mask)
    with pytest.raises(ProvenanceError, match="would read row 0, which is padding"):
        target.verify(cache, tree)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_mask_of_booleans_is_silently_wrong_under_eager_attention(family: str) -> None:
    """Why masks are additive floats here: eager attention adds what it is given."""
    model = shared(family, "eager")
    target = TargetModel(model)
    text = list(prompt(9))
    tree = random_tree(random.Random(2), text[-1], 9)
    cache = target.new_cache(50, 16)
    target.prefill(cache, text[:-1])
    words = target._in_its_words
    right = target.verify(cache, tree).logits
    cache.commit()
    target._in_its_words = lambda made: words({kind: mask == 0 for kind, mask in made.items()})  # type: ignore[method-assign]
    assert deviation(target.verify(cache, tree).logits, right) > 0.1


# --- A step between a layer's update and its attention ----------------------------------------------------------------


def in_mid_forward(
    variant: type[TreeCache], in_layer: int, *, provenance: bool
) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    """The walk of a first round is committed while a second forward reads its rows, in one of four layers.

    The logits, those of plain decoding, and the guards that refused the step.
    """
    model = shared("llama")
    target = TargetModel(model)
    text = list(prompt(6))
    tree = DraftTree((text[-1], 11, 12, 13, 14), (-1, 0, 0, 2, 3))
    refused: list[str] = []

    def interrupt(layer: int) -> None:
        if layer == in_layer and cache.tentative == 6:
            try:
                cache.commit()
            except GuardRefused as refusal:
                refused.extend(refusal.guards)

    cache = target.new_cache(100, 16, variant=variant, provenance=provenance, after_update=interrupt)
    target.prefill(cache, text[:-1])
    target.verify(cache, tree)
    for slot in (1, 3, 4):
        cache.keep(slot)
    longer = DraftTree((*tree.tokens, 15), (*tree.parents, 4))
    logits = target.verify(cache, longer).logits
    return logits, path_outputs(model, text, longer)[0][5:], refused


@pytest.mark.parametrize("layer", range(4))
def test_a_commit_in_mid_forward_is_refused(layer: int) -> None:
    logits, expected, refused = in_mid_forward(TreeCache, layer, provenance=True)
    assert refused == ["no_reader_above"]
    assert deviation(logits, expected) <= near("llama")


def test_without_its_guard_a_commit_in_mid_forward_corrupts_or_crashes() -> None:
    """The last layer attends to rows that have moved; an earlier one leaves the others fewer rows than the mask has."""
    variant = without(TreeCache, "commit.no_reader_above")
    logits, expected, _ = in_mid_forward(variant, 3, provenance=False)
    assert deviation(logits, expected) > SEEN
    if transformers.__version__ >= "5":
        with pytest.raises(RuntimeError, match="must match the size"):
            in_mid_forward(variant, 1, provenance=False)
    else:
        # It cuts the mask to the rows that there are.
        logits, expected, _ = in_mid_forward(variant, 1, provenance=False)
        assert deviation(logits, expected) > SEEN
    with pytest.raises(ProvenanceError, match="during a forward"):
        in_mid_forward(variant, 3, provenance=True)
    with pytest.raises(ProvenanceError, match="must be"):
        in_mid_forward(variant, 1, provenance=True)
