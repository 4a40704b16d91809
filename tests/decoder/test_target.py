"""The target's forwards against plain ones of the library: every node's logits, on all families, windows crossed."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
import transformers

from protocheck import ArgumentRefused, GuardRefused, snapshot
from protocheck.runtime.target import TargetModel, UnsupportedModel
from protocheck.runtime.tree import DraftTree

from .models import FAMILIES, SHARING, Attention, prompt, rescale, shared, tiny
from .paths import accept, deviation, near, path_outputs, random_tree

ALL = (*FAMILIES, "qwen3_windows", *SHARING)
WINDOW = 8


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ALL)
def test_each_node_has_the_logits_of_its_path(family: str, attention: Attention) -> None:
    """Over rounds in which random paths are accepted, from prompts shorter and longer than the window."""
    model = shared(family, attention)
    target = TargetModel(model)
    rng = random.Random(family)
    for length in (1, 3, 19):
        text = list(prompt(length, seed=length))
        cache = target.new_cache(200, 24, provenance=True)
        if length > 1:
            target.prefill(cache, text[:-1])
        for _ in range(5):
            tree = random_tree(rng, text[-1], rng.randint(1, 12))
            logits = target.verify(cache, tree).logits
            assert deviation(logits, path_outputs(model, text, tree)[0]) <= near(family)
            text = text[:-1] + accept(cache, tree, rng.randrange(len(tree))) + [rng.randrange(3, 101)]
            assert cache.committed == len(text) - 1
        assert cache.committed > WINDOW or length < 3


@pytest.mark.soak
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("window", [2, 5, 16])
@pytest.mark.parametrize("family", ALL)
def test_long_runs(family: str, window: int, attention: Attention) -> None:
    """Trees up to 64 nodes, buffers that grow and move, windows smaller than a tree is deep.

    Under sdpa in double precision, where what remains is no rounding; the library's eager attention is none in it.
    """
    model, largest = tiny(family, window=window, attention=attention), 10 * near(family)
    if attention == "sdpa":
        model, largest = model.double(), 1e-12
    target = TargetModel(model)
    rng = random.Random(f"{family} {window}")
    for _ in range(4):
        padding = rng.choice((0, 0, 7))
        text = [0] * padding + list(prompt(rng.randint(1, 60), seed=rng.randrange(1000)))
        mask = torch.tensor([[0] * padding + [1] * (len(text) - 1 - padding)])
        cache = target.new_cache(1000, 64, provenance=rng.random() < 0.5)
        if len(text) > 1:
            target.prefill(cache, text[:-1], mask if padding else None, chunk=rng.choice((None, 1, 5)))
        for _ in range(40):
            tree = random_tree(rng, text[-1], rng.choice((1, 2, 7, 16, 64)))
            logits = target.verify(cache, tree).logits
            assert deviation(logits, path_outputs(model, text, tree, padding)[0]) <= largest
            text = text[:-1] + accept(cache, tree, rng.randrange(len(tree))) + [rng.randrange(3, 101)]
        cache.release()


@pytest.mark.parametrize("family", ALL)
def test_with_padding_on_the_left(family: str) -> None:
    model = shared(family)
    target = TargetModel(model)
    rng = random.Random(family)
    padding = 5
    text = [0] * padding + list(prompt(12))
    mask = torch.ones((1, len(text)), dtype=torch.int64)
    mask[0, :padding] = 0
    cache = target.new_cache(200, 24, provenance=True)
    target.prefill(cache, text[:-1], mask[:, :-1], chunk=4)
    for nodes in (1, 9, 6, 1):
        tree = random_tree(rng, text[-1], nodes)
        logits = target.verify(cache, tree).logits
        assert deviation(logits, path_outputs(model, text, tree, padding)[0]) <= near(family)
        text = text[:-1] + accept(cache, tree, rng.randrange(len(tree))) + [rng.randrange(3, 101)]


# Gemma 3n's hidden states are several streams.
@pytest.mark.parametrize("family", [family for family in ALL if family != "gemma3n"])
def test_a_prompt_in_chunks_and_a_tree_that_grows(family: str) -> None:
    model = shared(family)
    target = TargetModel(model)
    rng = random.Random(family)
    text = list(prompt(23))
    tree = random_tree(rng, text[-1], 11)
    cache = target.new_cache(200, 24, provenance=True)
    filled = target.prefill(cache, text[:-1], chunk=5, hidden_layers=(1, 3))
    with torch.no_grad():
        plain = model(input_ids=torch.tensor([text[:-1]]), output_hidden_states=True)
    assert filled.hidden is not None
    expected = torch.stack([plain.hidden_states[layer][0] for layer in (1, 3)], dim=1)
    assert deviation(filled.hidden, expected) <= 10 * near(family)
    assert deviation(filled.logits, plain.logits[0, -1:]) <= near(family)
    logits, hidden = [], []
    for nodes in (1, 4, 11):
        part = DraftTree(tree.tokens[:nodes], tree.parents[:nodes])
        result = target.verify(cache, part, hidden_layers=(0, 2, 4))
        assert result.hidden is not None
        logits.append(result.logits)
        hidden.append(result.hidden)
    expected_logits, expected_hidden = path_outputs(model, text, tree, hidden_layers=(0, 2, 4))
    assert expected_hidden is not None
    assert deviation(torch.cat(logits), expected_logits) <= near(family)
    assert deviation(torch.cat(hidden), expected_hidden) <= 10 * near(family)


@pytest.mark.parametrize("family", ALL)
def test_a_root_alone_is_plain_decoding(family: str) -> None:
    model = shared(family)
    target = TargetModel(model)
    text = list(prompt(6))
    expected = model.generate(torch.tensor([text]), max_new_tokens=40, do_sample=False)[0].tolist()
    cache = target.new_cache(100, 4, provenance=True)
    target.prefill(cache, text[:-1])
    for _ in range(40):
        tree = DraftTree.root_only(text[-1])
        token = int(target.verify(cache, tree).logits[0].argmax())
        accept(cache, tree, 0)
        text.append(token)
    assert text == expected
    assert len(set(text[6:])) > 5, "a model that repeats itself shows nothing"


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_half_precision(family: str) -> None:
    """Masks in the model's dtype; computed in another order, logits differ by what bf16 rounds."""
    model = tiny(family, dtype=torch.bfloat16)
    target = TargetModel(model)
    text = list(prompt(19))
    tree = random_tree(random.Random(0), text[-1], 12)
    cache = target.new_cache(100, 24, provenance=True)
    target.prefill(cache, text[:-1])
    result = target.verify(cache, tree)
    assert result.logits.dtype == torch.bfloat16
    assert deviation(result.logits, path_outputs(model, text, tree)[0]) < 0.15


@pytest.mark.skipif("gemma3n" not in SHARING, reason="no Gemma 3n in this version")
def test_hidden_states_in_several_streams_are_refused() -> None:
    target = TargetModel(shared("gemma3n"))
    cache = target.new_cache(50, 8)
    with pytest.raises(UnsupportedModel, match="several streams"):
        target.prefill(cache, prompt(5), hidden_layers=(1,))
    assert cache.committed == 0
    assert set(cache.lengths()) == {0}


def test_the_global_generator_is_left_alone() -> None:
    target = TargetModel(shared("gemma3"))
    before = torch.get_rng_state()
    cache = target.new_cache(100, 24)
    target.prefill(cache, prompt(9))
    target.verify(cache, random_tree(random.Random(0), 5, 8))
    assert torch.equal(before, torch.get_rng_state())


def test_a_model_is_tried_once_in_each_of_its_settings() -> None:
    model = tiny("llama")
    forwards = 0

    def count(*_: Any) -> None:
        nonlocal forwards
        forwards += 1

    with model.register_forward_pre_hook(count):
        TargetModel(model)
        assert forwards == 4
        TargetModel(model)
        TargetModel(tiny("llama"), probe=False)
        assert forwards == 4
        model.set_attn_implementation("eager")
        TargetModel(model)
        assert forwards == 8


@pytest.mark.parametrize("vocab", [2, 3, 9])
def test_the_probe_needs_no_large_vocabulary(vocab: int) -> None:
    config = transformers.LlamaConfig(**{**SMALL, "vocab_size": vocab}, intermediate_size=16, pad_token_id=0)
    assert TargetModel(transformers.LlamaForCausalLM(config).eval()).vocabulary == vocab


# --- What is refused before anything changes --------------------------------------------------------------------------


def test_no_room_is_refused_by_the_protocol() -> None:
    target = TargetModel(shared("llama"))
    cache = target.new_cache(12, 4)
    target.prefill(cache, prompt(7), chunk=3)
    with pytest.raises(GuardRefused, match="room_left"):
        target.prefill(cache, prompt(6), chunk=3)
    assert cache.lengths() == (7,) * 4, "before the first chunk, not before the last"
    with pytest.raises(ArgumentRefused):
        target.prefill(cache, prompt(13))
    target.prefill(cache, prompt(3))
    with pytest.raises(GuardRefused, match="room_left"):
        target.verify(cache, DraftTree.chain(5, [6, 7]))
    cache.commit()
    assert cache.lengths() == (10,) * 4


def test_a_tree_must_go_on_from_the_one_before() -> None:
    target = TargetModel(shared("llama"))
    cache = target.new_cache(50, 8)
    target.verify(cache, DraftTree.chain(5, [6, 7]))
    before = snapshot(cache.steps)
    for tree in (DraftTree((5, 6, 7, 8), (-1, 0, 0, 1)), DraftTree.chain(5, [6, 7]), DraftTree.root_only(5)):
        with pytest.raises(ValueError, match="do not go on"):
            target.verify(cache, tree)
    assert snapshot(cache.steps) == before
    assert target.verify(cache, DraftTree.chain(5, [6, 7, 8])).logits.shape == (1, 101)


def test_prompts_and_masks_that_make_no_sense() -> None:
    target = TargetModel(shared("llama"))
    cache = target.new_cache(50, 8)
    with pytest.raises(ValueError, match="no tokens"):
        target.prefill(cache, [])
    with pytest.raises(ValueError, match="attention mask"):
        target.prefill(cache, [5, 6, 7], torch.ones((1, 2)))
    with pytest.raises(ValueError, match="a chunk of 0"):
        target.prefill(cache, [5, 6, 7], chunk=0)
    target.prefill(cache, [0, 6, 7], torch.tensor([[0, 1, 1]]))
    with pytest.raises(ValueError, match="pass one for all rows"):
        target.prefill(cache, [8])


def _with_attention(model: Any, name: str) -> Any:
    model.config._attn_implementation = name
    return model


def _with(model: Any, **settings: Any) -> Any:
    for name, value in settings.items():
        setattr(model.config, name, value)
    return model


SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def _encoder_decoder() -> Any:
    config = transformers.T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    return transformers.T5ForConditionalGeneration(config).eval()


def _recurrent() -> Any:
    config = transformers.MambaConfig(vocab_size=50, hidden_size=16, state_size=4, num_hidden_layers=2)
    return transformers.MambaForCausalLM(config).eval()


def _both_directions() -> Any:
    config = transformers.BertConfig(**SMALL, intermediate_size=16)
    model = transformers.BertLMHeadModel(config).eval()
    rescale(model, 0)
    return model


def _masks_of_its_own() -> Any:
    """A model that does not do with our mask what it is asked to."""
    model = tiny("llama")
    right = model.forward

    def forward(*args: Any, position_ids: Any = None, attention_mask: Any = None, **rest: Any) -> Any:
        return right(*args, position_ids=position_ids, **rest)

    model.forward = forward
    return model


def _fails_with_masks() -> Any:
    model = tiny("llama")
    right = model.forward

    def forward(*args: Any, position_ids: Any = None, attention_mask: Any = None, **rest: Any) -> Any:
        if attention_mask is not None:
            raise TypeError("no masks, please")
        return right(*args, position_ids=position_ids, **rest)

    model.forward = forward
    return model


def _no_positions() -> Any:
    config = transformers.BloomConfig(vocab_size=50, hidden_size=16, n_layer=1, n_head=2)
    return transformers.BloomForCausalLM(config).eval()


def _local_layers() -> Any:
    config = transformers.GPTNeoConfig(
        vocab_size=101, hidden_size=32, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]]
    )
    return transformers.GPTNeoForCausalLM(config).eval()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_encoder_decoder, "encoder-decoder"),
        (_recurrent, "recurrent state|attn_implementation"),
        (_no_positions, "takes no position_ids"),
        (_both_directions, "(other logits over|fails on) a (small )?draft tree"),
        (_masks_of_its_own, "other logits over a draft tree"),
        (_fails_with_masks, "fails on a small draft tree: TypeError: no masks, please"),
        (lambda: tiny("llama").model, "no head"),
        (lambda: tiny("llama").train(), "training mode"),
        (lambda: _with_attention(tiny("llama"), "flash_attention_2"), "'flash_attention_2', which takes no mask"),
        (lambda: _with_attention(tiny("llama"), "flex_attention"), "'eager' or 'sdpa'"),
        (lambda: _with(tiny("qwen3"), layer_types=["full_attention", "linear_attention"] * 2), "type linear_attention"),
        (lambda: _with(tiny("qwen3"), layer_types=["chunked_attention"] * 4), "type chunked_attention"),
        (lambda: _with(tiny("llama"), attention_chunk_size=64), "in chunks"),
        (_local_layers, "local layers, whose windows count rows"),
        (lambda: _with(tiny("gemma3"), use_bidirectional_attention=True), "both directions"),
        (lambda: _with(tiny("gemma3"), sliding_window=None), "sliding_window=None"),
        (lambda: _with(tiny("mistral"), sliding_window=1), "at least 2"),
        (lambda: _with(tiny("llama"), sliding_window=8), "its code makes no masks of a window"),
    ],
)
def test_unsupported_models_are_refused_with_the_reason(make: Any, why: str) -> None:
    with pytest.raises(UnsupportedModel, match=why):
        TargetModel(make())
