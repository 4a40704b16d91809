"""The life of a cache: failed forwards, aborts, releases, several requests, and going on with plain generation."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
import torch

from protocheck import GuardRefused, snapshot
from protocheck.protocols.tree_cache import TreeCache
from protocheck.runtime.cache import LayerWindows, TreeKVCache, protocol_for
from protocheck.runtime.provenance import ProvenanceError
from protocheck.runtime.target import TargetModel
from protocheck.runtime.tree import DraftTree

from .models import FAMILIES, SHARING, prompt, shared, tiny
from .paths import accept, deviation, near, path_outputs, random_tree


class Failure(Exception):
    """What the tests raise in mid-forward."""


@pytest.mark.parametrize("family", ["llama", "gemma3", *SHARING])
@pytest.mark.parametrize("failure", [Failure, KeyboardInterrupt])
@pytest.mark.parametrize("layer", [0, 2])
def test_a_forward_that_fails_leaves_nothing(family: str, failure: type[BaseException], layer: int) -> None:
    """Layers up to the failing one have written, the others have not: all are cut to the same absolute length."""
    model = shared(family)
    target = TargetModel(model)
    text = list(prompt(17))
    failing = False

    def fail(index: int) -> None:
        if failing and index == layer:
            raise failure

    cache = target.new_cache(100, 16, provenance=True, after_update=fail)
    target.prefill(cache, text[:-1])
    tree = random_tree(random.Random(0), text[-1], 9)
    part = DraftTree(tree.tokens[:4], tree.parents[:4])
    expected = path_outputs(model, text, tree)[0]
    target.verify(cache, part)
    failing = True
    with pytest.raises(failure):
        target.verify(cache, tree)
    assert set(cache.lengths()) == {20}, "the rows of the forward before are still there"
    assert all(top == 0 for top in cache.steps.reading.values())
    cache.commit()
    assert set(cache.lengths()) == {16}
    with pytest.raises(failure):
        target.prefill(cache, [5, 6])
    assert set(cache.lengths()) == {16}
    assert cache.committed == 16
    failing = False
    assert deviation(target.verify(cache, tree).logits, expected) <= near(family)


def test_a_prompt_that_fails_in_its_second_chunk() -> None:
    """What was committed of it stays, with its padding; the rest may be tried again."""
    model = shared("gemma3")
    target = TargetModel(model)
    text = [0, 0, 0, 0, *prompt(15)]
    mask = torch.tensor([[0] * 4 + [1] * 15])
    failing = True

    def fail(index: int) -> None:
        if failing and index == 1 and cache.committed:
            raise Failure

    cache = target.new_cache(100, 16, provenance=True, after_update=fail)
    with pytest.raises(Failure):
        target.prefill(cache, text[:-1], mask[:, :-1], chunk=6)
    assert set(cache.lengths()) == {6}
    assert cache.extent.root_position == 2
    failing = False
    target.prefill(cache, text[6:-1], mask[:, :-1], chunk=6)
    tree = random_tree(random.Random(0), text[-1], 9)
    expected = path_outputs(model, text, tree, padding=4)[0]
    assert deviation(target.verify(cache, tree).logits, expected) <= near("gemma3")


def test_restore_by_absolute_length() -> None:
    """However far each layer got, and though the sliding ones have dropped rows."""
    model = shared("gemma3")
    target = TargetModel(model)
    text = list(prompt(20))
    cache = target.new_cache(100, 16)
    target.prefill(cache, text[:-1])
    for layer in cache.rows[:2]:
        keys = torch.zeros((1, 2, 3, 8))
        cache._writing = 3
        layer.update(keys, keys)
        cache._writing = None
    assert cache.lengths() == (22, 22, 19, 19)
    with pytest.raises(RuntimeError, match=r"different lengths, \(22, 22, 19, 19\)"):
        target.verify(cache, DraftTree.root_only(text[-1]))
    cache.commit()
    assert cache.lengths() == (19,) * 4
    cache.restore(19)
    for length in (5, 25):
        with pytest.raises(ValueError, match="cannot be cut to"):
            cache.restore(length)
    tree = random_tree(random.Random(0), text[-1], 9)
    assert deviation(target.verify(cache, tree).logits, path_outputs(model, text, tree)[0]) <= near("gemma3")


def test_release_while_a_forward_reads_is_refused() -> None:
    """An abort that arrives in mid-verification waits for the forward."""
    target = TargetModel(shared("llama"))
    refused: list[str] = []
    inside, aborted = threading.Event(), threading.Event()

    def wait(layer: int) -> None:
        if layer == 2 and cache.tentative:
            inside.set()
            assert aborted.wait(30)

    cache = target.new_cache(100, 16, after_update=wait)
    target.prefill(cache, prompt(5))
    worker = threading.Thread(target=lambda: target.verify(cache, DraftTree.chain(5, [6, 7])))
    worker.start()
    assert inside.wait(30)
    with pytest.raises(GuardRefused, match="nobody_reads") as refusal:
        cache.release()
    refused += refusal.value.guards
    aborted.set()
    worker.join(30)
    assert not worker.is_alive()
    assert refused == ["nobody_reads"]
    cache.release()
    assert set(cache.lengths()) == {0}
    assert cache.committed == cache.tentative == 0


@pytest.mark.parametrize("family", ["llama", "gemma3", *SHARING])
def test_one_request_after_the_other(family: str) -> None:
    """Nothing of the first, its padding included, is left to the second."""
    model = shared(family)
    target = TargetModel(model)
    cache = target.new_cache(100, 16, provenance=True)
    target.prefill(cache, [0, 0, *prompt(20, seed=1)], torch.tensor([[0, 0] + [1] * 20]))
    target.verify(cache, random_tree(random.Random(1), 5, 7))
    cache.release()
    assert not hasattr(cache, "shared_layers"), "an alias of rows that are gone"
    text = list(prompt(15, seed=2))
    target.prefill(cache, text[:-1])
    tree = random_tree(random.Random(2), text[-1], 9)
    assert deviation(target.verify(cache, tree).logits, path_outputs(model, text, tree)[0]) <= near(family)


@pytest.mark.parametrize("family", [*FAMILIES, *SHARING])
@pytest.mark.parametrize("length", [3, 21])
def test_plain_generation_goes_on_with_a_copy(family: str, length: int) -> None:
    model = shared(family)
    target = TargetModel(model)
    rng = random.Random(family)
    text = list(prompt(length))
    cache = target.new_cache(100, 16)
    target.prefill(cache, text[:-1])
    for _ in range(2):
        tree = random_tree(rng, text[-1], 8)
        target.verify(cache, tree)
        text = text[:-1] + accept(cache, tree, rng.randrange(8)) + [rng.randrange(3, 101)]
    # What the draft left behind the committed rows is no part of the copy.
    target.verify(cache, random_tree(rng, text[-1], 5))
    ids = torch.tensor([text])
    expected = model.generate(ids, max_new_tokens=12, do_sample=False)
    copy = cache.to_library(model.config)
    before = snapshot(cache.steps)
    assert torch.equal(
        model.generate(ids, past_key_values=copy, max_new_tokens=12, do_sample=False, use_cache=True), expected
    )
    assert snapshot(cache.steps) == before, "the copy shares nothing with the cache"


def test_rows_are_written_by_forwards_of_the_decoder_only() -> None:
    model = shared("llama")
    cache = TargetModel(model).new_cache(100, 16)
    with torch.no_grad(), pytest.raises(RuntimeError, match="no forward is running"):
        model(input_ids=torch.tensor([[5, 6]]), past_key_values=cache, use_cache=True)
    assert cache.committed == 0


def test_a_model_that_leaves_layers_out_is_noticed() -> None:
    model = tiny("llama")
    target = TargetModel(model)
    cache = target.new_cache(100, 16)
    del model.model.layers[3]
    model.config.num_hidden_layers = 3
    with pytest.raises(RuntimeError, match=r"no rows for the layers \[3\]"):
        target.prefill(cache, prompt(4))
    assert set(cache.lengths()) == {0}


def test_windows_of_protocol_and_layers_must_agree() -> None:
    layers = LayerWindows((8, None))
    assert protocol_for(layers, 50, 8).window == 7
    assert protocol_for(LayerWindows((None, None)), 50, 8).window == 50
    with pytest.raises(ValueError, match="the protocol's window is 8, but the layers' is 8"):
        TreeKVCache(layers, TreeCache(max_rows=50, max_nodes=8, window=8))


def test_sliding_layers_hold_their_window_and_full_ones_everything() -> None:
    target = TargetModel(shared("gemma3", "sdpa", 8))
    cache = target.new_cache(200, 16)
    target.prefill(cache, prompt(50))
    held = {layer.window: layer.held for layer in cache.rows}
    assert held == {8: 7, None: 50}
    assert cache.steps.low == 43


def test_provenance_says_which_row_and_why() -> None:
    target = TargetModel(shared("gemma3"))
    cache = target.new_cache(100, 16, provenance=True)
    target.prefill(cache, prompt(4))
    tree = DraftTree((5, 6, 7, 8), (-1, 0, 0, 2))
    target.verify(cache, tree)
    accept(cache, tree, 3)
    ledger = cache.provenance
    assert ledger is not None
    tags = [ledger.tag(int(label)) for label in cache.rows[0].held_labels()]
    assert [(tag.position, tag.path, tag.epoch) for tag in tags if tag is not None] == [
        *((position, (), 0) for position in range(4)),
        (4, (0,), 0),
        (5, (0, 2), 0),
        (6, (0, 2, 3), 0),
    ]
    store: Any = cache.rows[1]._stores[2]
    store[0, 0, 5, 0] = store[0, 0, 4, 0]
    with pytest.raises(ProvenanceError) as error:
        target.verify(cache, DraftTree.chain(9, [10]))
    assert str(error.value) == (
        "verifier, layer 1 (sliding attention): row 5 must be position 5 of request 0, node 2 (path 0-2) of round 0, "
        "but holds position 4 of request 0, node 0 (path 0) of round 0"
    )
