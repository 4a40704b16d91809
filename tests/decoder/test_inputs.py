"""What a call may hand to the model besides tokens: everything that plain generation would use is used, or refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from transformers import DynamicCache

from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafters.prompt_lookup import PromptLookupDrafter

from .drafters import Unasked
from .models import tiny, with_position_table

IDS = torch.tensor([[5, 17, 3, 44, 17, 3, 9]])


@pytest.fixture(scope="module")
def gpt2() -> Any:
    return with_position_table(64)


def refused(model: Any, message: str, **arguments: Any) -> None:
    """By both ways in, before a draft is asked for or a streamer is given the prompt."""

    class Streamer:
        def put(self, _: torch.Tensor) -> None:
            pytest.fail("the streamer was given the prompt")

    decoder = SpeculativeDecoder(model, Unasked())
    call = {"attention_mask": torch.ones_like(IDS), "max_new_tokens": 4, "do_sample": False, **arguments}
    with pytest.raises(ValueError, match=message):
        decoder.generate(IDS, streamer=Streamer(), **call)
    with pytest.raises(ValueError, match=message):
        model.generate(IDS, custom_generate=decoder, **call)
    assert decoder.statistics.forwards == 0


def test_an_input_that_forwards_over_trees_are_not_given_is_refused(gpt2: Any) -> None:
    types = torch.ones_like(IDS)
    plain = gpt2.generate(IDS, attention_mask=torch.ones_like(IDS), max_new_tokens=4, do_sample=False)
    typed = gpt2.generate(
        IDS, attention_mask=torch.ones_like(IDS), token_type_ids=types, max_new_tokens=4, do_sample=False
    )
    assert not torch.equal(plain, typed), "the test needs an input that matters"
    refused(gpt2, "token_type_ids is an input of the model that drafts know nothing of", token_type_ids=types)
    refused(gpt2, "inputs_embeds is an input of the model", inputs_embeds=torch.zeros(1, IDS.shape[1], 32))


def test_a_prompt_of_embeddings_alone_is_refused(gpt2: Any) -> None:
    decoder = SpeculativeDecoder(gpt2, Unasked())
    for generate in (decoder.generate, lambda **call: gpt2.generate(custom_generate=decoder, **call)):
        with pytest.raises(ValueError, match=r"no prompt|the prompt is empty|inputs_embeds is an input"):
            generate(inputs_embeds=torch.zeros(1, 5, 32), max_new_tokens=4)


def test_positions_are_those_that_the_mask_gives(gpt2: Any) -> None:
    if not hasattr(transformers.GenerationMixin, "_prepare_position_ids_for_generation"):
        # 4.57 does not go on from them, whatever they are.
        refused(gpt2, "position_ids is an input of the model", position_ids=torch.arange(IDS.shape[1])[None])
        return
    refused(gpt2, "position_ids other than 0, 1, 2", position_ids=torch.arange(5, 5 + IDS.shape[1])[None])
    refused(gpt2, "position_ids other than", position_ids=torch.arange(IDS.shape[1] + 1)[None])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1]])
    decoder = SpeculativeDecoder(gpt2, PromptLookupDrafter(), adaptive=False)
    for positions in (torch.tensor([[0, 0, 0, 1, 2, 3, 4]]), torch.tensor([[1, 1, 0, 1, 2, 3, 4]])):
        call = {"attention_mask": mask, "position_ids": positions, "max_new_tokens": 8, "do_sample": False}
        assert torch.equal(decoder.generate(IDS, **call), gpt2.generate(IDS, **call))


def test_a_cache_in_fewer_bits_is_refused(gpt2: Any) -> None:
    decoder = SpeculativeDecoder(gpt2, Unasked())
    asked = transformers.GenerationConfig(cache_implementation="quantized")
    for call in ({"cache_implementation": "quantized"}, {"generation_config": asked}):
        with pytest.raises(ValueError, match='cache_implementation="quantized" changes what the target says'):
            decoder.generate(IDS, max_new_tokens=4, **call)


def test_a_cache_that_leaves_nothing_to_compute_is_refused() -> None:
    model = tiny("llama")
    past = DynamicCache(config=model.config)
    model.generate(IDS, attention_mask=torch.ones_like(IDS), max_new_tokens=2, do_sample=False, past_key_values=past)
    assert past.get_seq_length() == IDS.shape[1] + 1
    refused(model, f"the cache has {IDS.shape[1] + 1} rows, but the prompt {IDS.shape[1]} tokens", past_key_values=past)
