"""`generate` as its users know it: stops in mid-block, streamers, processors, padding, outputs, errors, the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.pruning import DraftError
from protocheck.runtime.tree import DraftTree
from protocheck.transpiler.refusals import GuardRefused

from .calls import LENGTH, THREADS, Heard, oracle, ours, plain
from .conftest import no_thread_is_left
from .drafters import Drafts, RightDrafter, Unasked
from .models import tiny

# ------------------------------------------------------------------------------------------------------------- stops


@THREADS
def test_blocks_are_accepted(model: Any, prompt: torch.Tensor, threads: bool) -> None:
    """The drafts of this file's decoder really are right: else its tests would say nothing about blocks."""
    decoder = oracle(model, prompt, threads=threads)
    assert torch.equal(ours(decoder, prompt), plain(model, prompt))
    assert decoder.statistics.tokens_per_forward > 3
    assert decoder.statistics.tokens == LENGTH


@THREADS
@pytest.mark.parametrize("length", range(1, 9))
def test_the_length_ends_in_mid_block(model: Any, prompt: torch.Tensor, length: int, threads: bool) -> None:
    decoder = oracle(model, prompt, threads=threads)
    assert torch.equal(ours(decoder, prompt, max_new_tokens=length), plain(model, prompt, max_new_tokens=length))


@THREADS
def test_a_list_of_ends(model: Any, prompt: torch.Tensor, threads: bool) -> None:
    continuation = plain(model, prompt)[0, prompt.shape[1] :].tolist()
    seen = []
    for place in range(1, 8):
        ends = [continuation[place], 99]
        expected = plain(model, prompt, eos_token_id=ends, pad_token_id=0)
        assert torch.equal(
            ours(oracle(model, prompt, threads=threads), prompt, eos_token_id=ends, pad_token_id=0), expected
        )
        seen.append(expected.shape[1])
    assert len(set(seen)) > 3


class Every(StoppingCriteria):  # type: ignore[misc]
    """Asked after every token, and stateful: it ends the text at its n-th question."""

    def __init__(self, last: int) -> None:
        self.last, self.lengths = last, []  # type: ignore[var-annotated]

    def __call__(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.lengths.append(ids.shape[1])
        return torch.full((ids.shape[0],), len(self.lengths) >= self.last)


@THREADS
@pytest.mark.parametrize("last", [1, 2, 5, 7])
def test_own_criteria_are_asked_after_every_token(model: Any, prompt: torch.Tensor, last: int, threads: bool) -> None:
    """Assisted decoding asks only after a block, and emits too much."""
    expected, found = Every(last), Every(last)
    before = plain(model, prompt, stopping_criteria=StoppingCriteriaList([expected]))
    after = ours(oracle(model, prompt, threads=threads), prompt, stopping_criteria=StoppingCriteriaList([found]))
    assert torch.equal(after, before)
    assert found.lengths == expected.lengths


class Words:
    """A tokenizer whose tokens are pairs of letters, and some letters: all that stop strings ask of one."""

    def __init__(self, size: int) -> None:
        self.words = {f"{chr(97 + n % 26)}{chr(97 + n // 26)}": n for n in range(size)}
        self.words.update({letter: size + i for i, letter in enumerate("abcdef")})
        self.texts = {number: word for word, number in self.words.items()}

    def get_vocab(self) -> dict[str, int]:
        return self.words

    def __len__(self) -> int:
        return len(self.words)

    def _convert_id_to_token(self, number: int) -> str:
        return self.texts[number]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [self.words[letter] for letter in text]}


@THREADS
def test_stop_strings(model: Any, prompt: torch.Tensor, threads: bool) -> None:
    words = Words(101)
    text = words.texts
    continuation = plain(model, prompt)[0, prompt.shape[1] :].tolist()
    for place in (2, 5, 6):
        # It begins inside one token and ends inside the next.
        string = text[continuation[place]][1] + text[continuation[place + 1]][0]
        expected = plain(model, prompt, stop_strings=[string], tokenizer=words)
        found = ours(oracle(model, prompt, threads=threads), prompt, stop_strings=[string], tokenizer=words)
        assert torch.equal(found, expected)
        assert expected.shape[1] < prompt.shape[1] + LENGTH
    with pytest.raises(ValueError, match="pass tokenizer="):
        ours(oracle(model, prompt), prompt, stop_strings=["ab"])


def test_stop_strings_of_the_models_own_configuration(prompt: torch.Tensor) -> None:
    """Also where the call brings a configuration that says nothing of them, or other ones."""
    model, words = tiny("gemma3"), Words(101)
    continuation = plain(model, prompt)[0, prompt.shape[1] :].tolist()
    own, other = (words.texts[continuation[place]] for place in (6, 3))
    model.generation_config.stop_strings = [own]
    configuration = GenerationConfig(max_new_tokens=LENGTH, do_sample=False, eos_token_id=None)
    lengths = []
    for more in ({}, {"generation_config": configuration}, {"stop_strings": [other]}):
        call = {"tokenizer": words, "attention_mask": torch.ones_like(prompt), **more}
        if "generation_config" not in more:
            call |= {"max_new_tokens": LENGTH, "do_sample": False, "eos_token_id": None}
        expected = model.generate(prompt, **call)
        assert torch.equal(SpeculativeDecoder(model).generate(prompt, **call), expected)
        lengths.append(expected.shape[1])
    assert model.generation_config.stop_strings == [own]
    assert lengths[0] == lengths[1] > lengths[2]


# --------------------------------------------------------------------------------------------------------- streaming


@THREADS
def test_a_streamer_is_fed_as_by_plain_generation(model: Any, prompt: torch.Tensor, threads: bool) -> None:
    expected, found = Heard(), Heard()
    plain(model, prompt, streamer=expected)
    ours(oracle(model, prompt, threads=threads), prompt, streamer=found)
    assert (found.given, found.ended) == (expected.given, expected.ended)


@THREADS
def test_tokens_one_by_one(model: Any, prompt: torch.Tensor, threads: bool) -> None:
    decoder = oracle(model, prompt, threads=threads)
    emitted = list(decoder.stream(prompt, max_new_tokens=LENGTH, do_sample=False, eos_token_id=None))
    assert [one.token for one in emitted] == plain(model, prompt)[0, prompt.shape[1] :].tolist()
    assert sum(one.drafted for one in emitted) == decoder.statistics.accepted > LENGTH // 2
    assert [one.forward for one in emitted] == sorted(one.forward for one in emitted)


# -------------------------------------------------------------------------------------------------------- processors


class Alternating(LogitsProcessor):  # type: ignore[misc]
    """Stateful: what it does depends on how often it was asked. Keeps the lengths that it was shown."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.lengths.append(ids.shape[1])
        return scores.roll(len(self.lengths) % 3, dims=-1)


SAMPLING = (
    {},
    {"temperature": 0.6},
    {"top_k": 4},
    {"top_p": 0.7, "temperature": 1.3},
    {"repetition_penalty": 1.4, "top_k": 0},
    {"min_p": 0.1, "no_repeat_ngram_size": 2},
)


@THREADS
@pytest.mark.parametrize("settings", SAMPLING, ids=lambda settings: ",".join(settings) or "plain")
def test_sampling_under_the_same_seed(
    model: Any, prompt: torch.Tensor, settings: dict[str, Any], threads: bool
) -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        expected = plain(model, prompt, do_sample=True, **settings)
        state = torch.get_rng_state()
        drafter = RightDrafter(expected[0].tolist(), branches=1)
        decoder = SpeculativeDecoder(model, drafter, tree_budget=12, adaptive=False, threads=threads)
        torch.manual_seed(seed)
        assert torch.equal(ours(decoder, prompt, do_sample=True, **settings), expected)
        assert torch.equal(torch.get_rng_state(), state)
        assert decoder.statistics.tokens_per_forward > 3


@pytest.mark.parametrize("sample", [False, True])
def test_stateful_processors_see_each_token_once(model: Any, prompt: torch.Tensor, sample: bool) -> None:
    expected, found = Alternating(), Alternating()
    torch.manual_seed(1)
    text = plain(model, prompt, do_sample=sample, logits_processor=LogitsProcessorList([expected]))
    decoder = SpeculativeDecoder(model, RightDrafter(text[0].tolist()), tree_budget=8, adaptive=False)
    torch.manual_seed(1)
    assert torch.equal(ours(decoder, prompt, do_sample=sample, logits_processor=LogitsProcessorList([found])), text)
    assert found.lengths == expected.lengths
    assert decoder.statistics.tokens_per_forward > 3


# ----------------------------------------------------------------------------------------------------------- outputs


def test_scores_and_a_cache_to_go_on_with(model: Any, prompt: torch.Tensor) -> None:
    wanted = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True, "max_new_tokens": 9}
    expected, found = plain(model, prompt, **wanted), ours(oracle(model, prompt), prompt, **wanted)
    assert torch.equal(found.sequences, expected.sequences)
    for name in ("scores", "logits"):
        assert len(getattr(found, name)) == 9
        for one, other in zip(getattr(found, name), getattr(expected, name), strict=True):
            torch.testing.assert_close(one, other, atol=2e-5, rtol=0)
    # Plain generation goes on with our rows as it does with its own.
    assert found.past_key_values.get_seq_length() == expected.past_key_values.get_seq_length()
    both = [plain(model, one.sequences, past_key_values=one.past_key_values) for one in (found, expected)]
    assert torch.equal(both[0], both[1])


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("more", [0, 4])
@pytest.mark.parametrize("family", ["gemma3", "llama", "mistral"])
def test_going_on_with_a_cache(family: str, more: int, padding: int, prompt: torch.Tensor) -> None:
    """`more`: tokens that are new besides the last one."""
    model = tiny(family)
    ids = torch.cat([torch.zeros((1, padding), dtype=torch.int64), prompt], dim=1)
    mask = (torch.arange(ids.shape[1]) >= padding).long()[None]
    first = plain(model, ids, attention_mask=mask, return_dict_in_generate=True, max_new_tokens=7)
    text = torch.cat([first.sequences, prompt[:, :more]], dim=1)
    mask = (torch.arange(text.shape[1]) >= padding).long()[None]
    expected = plain(model, text, attention_mask=mask)
    computed: list[int] = []
    hook = model.model.layers[0].register_forward_pre_hook(lambda _, given: computed.append(given[0].shape[1]))
    rows = first.past_key_values.get_seq_length()
    decoder = SpeculativeDecoder(model, RightDrafter(expected[0, padding:].tolist()), tree_budget=6, adaptive=False)
    found = ours(decoder, text, attention_mask=mask, past_key_values=first.past_key_values)
    hook.remove()
    assert torch.equal(found, expected)
    assert max(computed) == max(more, 7), "rows that were there were computed again"
    assert first.past_key_values.get_seq_length() == rows
    with pytest.raises(ValueError, match="at least the last has to be new"):
        ours(decoder, text[:, :rows], attention_mask=mask[:, :rows], past_key_values=first.past_key_values)


@THREADS
@pytest.mark.parametrize("padding", [1, 5, 20])
def test_padding_on_the_left(model: Any, prompt: torch.Tensor, padding: int, threads: bool) -> None:
    ids = torch.cat([torch.zeros((1, padding), dtype=torch.int64), prompt], dim=1)
    mask = (torch.arange(ids.shape[1]) >= padding).long()[None]
    expected = plain(model, ids, attention_mask=mask, repetition_penalty=1.3)
    # Padding that is shown as tokens would be another text: else this test would say nothing.
    assert not torch.equal(plain(model, ids, repetition_penalty=1.3), expected)
    drafter = RightDrafter(expected[0, padding:].tolist(), branches=1)
    decoder = SpeculativeDecoder(model, drafter, tree_budget=12, adaptive=False, threads=threads, provenance=True)
    assert torch.equal(ours(decoder, ids, attention_mask=mask, repetition_penalty=1.3), expected)
    assert decoder.statistics.tokens_per_forward > 3


def test_as_a_loop_of_the_library(model: Any, prompt: torch.Tensor) -> None:
    found = model.generate(
        prompt, custom_generate=oracle(model, prompt), max_new_tokens=LENGTH, do_sample=False, eos_token_id=None
    )
    assert torch.equal(found, plain(model, prompt))


def test_chunks_of_a_prompt(model: Any, prompt: torch.Tensor) -> None:
    for chunk in (1, 4, 11, 100):
        assert torch.equal(ours(oracle(model, prompt, prefill_chunk=chunk), prompt), plain(model, prompt))


# ------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("ids", "arguments", "message"),
    [
        ([[]], {}, "the prompt is empty"),
        ([[1, 2], [3, 4]], {}, "a batch of 2"),
        ([[1] * 40], {}, "the model was made for 32 positions"),
        ([[1, 500]], {}, "outside the model's vocabulary of 101"),
        ([[1, 2]], {"num_beams": 2}, "num_beams=2"),
        ([[1, 2]], {"num_return_sequences": 2, "do_sample": True}, "num_return_sequences=2"),
        ([[1, 2]], {"attention_mask": torch.tensor([[1, 0]])}, "padding stands on the left"),
        ([[1, 2]], {"attention_mask": torch.tensor([[1]])}, "an attention mask"),
        ([[1, 2]], {"prompt_lookup_num_tokens": 3}, "another way to generate"),
        ([[1, 2]], {"return_dict_in_generate": True, "output_attentions": True}, "output_attentions is not supported"),
    ],
)
def test_bad_calls_are_refused_before_anything_begins(
    ids: list[list[int]], arguments: dict[str, Any], message: str
) -> None:
    model = tiny("llama", positions=32)
    tensor = torch.tensor(ids, dtype=torch.int64).reshape(len(ids), -1)
    decoder = SpeculativeDecoder(model, Unasked())
    with pytest.raises(ValueError, match=message):
        decoder.generate(tensor, **{"attention_mask": torch.ones_like(tensor), "max_new_tokens": 4, **arguments})
    assert decoder.statistics.forwards == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tree_budget": 0}, "give at least 1"),
        ({"acceptance": "luck"}, "give 'walk' or 'rejection'"),
        ({"noise": "white"}, "give 'torch' or 'counter'"),
        ({"prefill_chunk": 0}, "give at least 1"),
        ({"acceptance": "rejection", "noise": "counter"}, "draws otherwise"),
    ],
)
def test_bad_decoders(model: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpeculativeDecoder(model, **arguments)


@THREADS
@pytest.mark.parametrize(
    ("drafted", "message"),
    [
        (lambda ids, _: DraftTree.chain(ids[-1], (5000,)), "the target's vocabulary has 101"),
        (lambda ids, _: DraftTree.chain(ids[-1] + 1, (5,)), "the last token of the text is"),
    ],
)
def test_drafts_that_are_none(
    model: Any, prompt: torch.Tensor, drafted: Callable[[tuple[int, ...], int], DraftTree], message: str, threads: bool
) -> None:
    decoder = SpeculativeDecoder(model, Drafts(drafted), adaptive=False, threads=threads)
    with pytest.raises(DraftError, match=message):
        ours(decoder, prompt)
    assert no_thread_is_left()


def test_processors_see_no_gradients(model: Any, prompt: torch.Tensor) -> None:
    """Those that ask a model would keep the graphs of all tokens."""
    seen: list[bool] = []

    class Looking(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            seen.append(torch.is_grad_enabled())
            return scores

    call = {"max_new_tokens": 4, "do_sample": False, "logits_processor": LogitsProcessorList([Looking()])}
    for _ in SpeculativeDecoder(model).stream(prompt, **call):
        assert torch.is_grad_enabled()
    assert seen == [False] * 4


def test_a_decoder_belongs_to_its_model(model: Any, prompt: torch.Tensor) -> None:
    other = tiny("gemma3", seed=1)
    with pytest.raises(ValueError, match="made for another"):
        other.generate(prompt, custom_generate=SpeculativeDecoder(model), max_new_tokens=3)


def test_the_protocol_is_what_refuses(model: Any, prompt: torch.Tensor) -> None:
    """A cache with a reader in flight is not committed: the step is the protocol's to allow."""
    decoder = SpeculativeDecoder(model)
    cache = decoder.target.new_cache(64, 8)
    decoder.target.prefill(cache, prompt[0].tolist())
    decoder.target.verify(cache, DraftTree.root_only(5))
    cache.keep(1)
    cache.start_read("drafter", cache.committed + 1)
    with pytest.raises(GuardRefused, match="no_reader_above"):
        cache.commit()
    cache.finish_read("drafter")
    assert cache.commit() == (1,)
