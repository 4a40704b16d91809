"""How long a text becomes, and what happens where the model's positions end."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from transformers import MaxLengthCriteria, StoppingCriteria, StoppingCriteriaList

from protocheck.runtime.decoder import SpeculativeDecoder
from protocheck.runtime.drafters.block import BlockDrafter
from protocheck.runtime.drafters.block_model import BlockConfig, BlockModel
from protocheck.runtime.drafters.prompt_lookup import PromptLookupDrafter
from protocheck.runtime.target import TargetModel

from .drafters import RightDrafter, Unasked
from .models import rescale, tiny, with_position_table

IDS = torch.tensor([[5, 17, 3, 44, 17, 3, 9, 80, 23, 61]])
GREEDY = {"do_sample": False, "eos_token_id": None}


def generated(model: Any, drafter: Any, ids: torch.Tensor = IDS, **call: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """By plain generation and by ours."""
    call = {"attention_mask": torch.ones_like(ids), **GREEDY, **call}
    return model.generate(ids, **call), SpeculativeDecoder(model, drafter, adaptive=False).generate(ids, **call)


@pytest.mark.filterwarnings("ignore:Using the model-agnostic default")
@pytest.mark.parametrize("longest", [5, 11, 40])
def test_a_criterion_of_length_takes_the_place_of_the_default(longest: int) -> None:
    """Also where the prompt is longer already: then one token comes."""
    criteria = StoppingCriteriaList([MaxLengthCriteria(longest)])
    plain, ours = generated(tiny("llama"), PromptLookupDrafter(), stopping_criteria=criteria)
    assert torch.equal(ours, plain)
    assert plain.shape[1] == max(longest, IDS.shape[1] + 1)


def test_criteria_are_asked_about_the_last_token_of_all() -> None:
    class Heard(StoppingCriteria):  # type: ignore[misc]
        def __init__(self) -> None:
            self.lengths: list[int] = []

        def __call__(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            self.lengths.append(ids.shape[1])
            return torch.tensor([False])

    heard = []
    model = tiny("llama")
    for generate in (model.generate, SpeculativeDecoder(model, PromptLookupDrafter()).generate):
        heard.append(Heard())
        generate(
            IDS,
            attention_mask=torch.ones_like(IDS),
            max_new_tokens=9,
            stopping_criteria=StoppingCriteriaList([heard[-1]]),
            **GREEDY,
        )
    assert heard[0].lengths == heard[1].lengths == list(range(11, 20))


@pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])
def test_drafts_do_not_reach_behind_the_last_position(threads: bool) -> None:
    """A table of positions has no row there, and plain generation may end before it needs one."""
    model = with_position_table(24)

    class Until(StoppingCriteria):  # type: ignore[misc]
        def __call__(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            return torch.tensor([ids.shape[1] >= 23])

    call = {"attention_mask": torch.ones_like(IDS), "max_new_tokens": 40, **GREEDY}
    call["stopping_criteria"] = StoppingCriteriaList([Until()])
    plain = model.generate(IDS, **call)
    drafter = RightDrafter([*plain[0].tolist(), *range(3, 40)], branches=1)
    decoder = SpeculativeDecoder(model, drafter, tree_budget=16, adaptive=False, threads=threads)
    assert torch.equal(decoder.generate(IDS, **call), plain)
    assert plain.shape[1] == 23
    assert decoder.statistics.accepted > 5


def test_a_block_drafter_stops_drafting_where_positions_end() -> None:
    """A rotary model goes on behind its last position, and so does the text."""
    model = tiny("llama", positions=24)
    config = BlockConfig(
        hidden_size=32, hidden_layers=(1, 3), block=4, layers=1, heads=4, kv_heads=2, head_dim=8, intermediate_size=32
    )
    drafter = BlockDrafter(BlockModel(config))
    plain, ours = generated(model, drafter, max_new_tokens=300)
    assert torch.equal(ours, plain)
    assert ours.shape[1] == 310


# ----------------------------------------------------------------------------------------------------- rotary models


def rotary(kind: str) -> Any:
    """A llama whose frequencies depend on how far a forward reaches, from position 16 or 24 on."""
    parameters: dict[str, Any] = {"rope_type": kind, "rope_theta": 10_000.0, "factor": 4.0}
    if kind == "longrope":
        parameters |= {"original_max_position_embeddings": 16}
        parameters |= {"short_factor": [1.0] * 4, "long_factor": [1.0, 2.0, 4.0, 8.0]}
    new = "rope_parameters" in transformers.LlamaConfig().to_dict()
    config = transformers.LlamaConfig(
        vocab_size=101,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=24,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        **{"rope_parameters" if new else "rope_scaling": parameters},
    )
    if not new and kind == "longrope":
        config.original_max_position_embeddings = 16
    model = transformers.LlamaForCausalLM(config).eval()
    rescale(model, 0)
    return model


@pytest.mark.parametrize(("kind", "steady"), [("longrope", 16), ("dynamic", 24)])
def test_texts_end_where_frequencies_begin_to_depend_on_the_forward(kind: str, steady: int) -> None:
    model = rotary(kind)
    assert TargetModel(model).steady_positions == steady
    allowed = steady + 1 - IDS.shape[1]
    plain, ours = generated(model, PromptLookupDrafter(), max_new_tokens=allowed)
    assert torch.equal(ours, plain)
    decoder = SpeculativeDecoder(model, Unasked())
    with pytest.raises(ValueError, match=f"beyond {steady} this model's rotary frequencies depend on"):
        decoder.generate(IDS, attention_mask=torch.ones_like(IDS), max_new_tokens=allowed + 1, **GREEDY)


def test_the_limit_is_where_they_change() -> None:
    """A forward that reaches one position further gives other logits for the tokens before it."""
    model = rotary("longrope")
    ids = torch.randint(3, 101, (1, 17), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        within, across = model(ids[:, :16]).logits, model(ids).logits[:, :16]
    assert not torch.allclose(within, across, atol=1e-3)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_others_have_no_such_limit(family: str) -> None:
    assert TargetModel(tiny(family)).steady_positions is None
