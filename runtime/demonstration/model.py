"""What the demonstration's pair is: a Gemma 3 with sliding and full layers and 2.75 million parameters, and a block
drafter."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
import transformers

from ..drafters.block_model import BlockConfig, BlockModel
from .tokenizer import BEGINNING_ID, END_ID, PADDING_ID, VOCABULARY

# A causal language model. How the library's classes are typed differs from version to version.
Target: TypeAlias = Any
_library: Any = transformers

WINDOW = 64
POSITIONS = 1024


def target_config() -> Any:
    """Six layers of width 192, every third attending to everything and the others to the last 64 positions."""
    return _library.Gemma3TextConfig(
        vocab_size=VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=WINDOW,
        max_position_embeddings=POSITIONS,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"] * 2,
        tie_word_embeddings=True,
        pad_token_id=PADDING_ID,
        eos_token_id=END_ID,
        bos_token_id=BEGINNING_ID,
    )


def new_target(seed: int) -> Target:
    """An untrained target.

    Embeddings start larger and the norms after each sublayer smaller than the library's, so that at the start a token
    is not drowned by what the layers add to it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        target: Target = _library.Gemma3ForCausalLM(target_config())
        with torch.no_grad():
            for name, parameter in target.named_parameters():
                if "embed_tokens" in name:
                    parameter.normal_(std=0.05)
                elif "post_attention_layernorm" in name or "post_feedforward_layernorm" in name:
                    parameter.fill_(-0.5)  # Gemma scales by one plus this
    return target


def drafter_config() -> BlockConfig:
    """Two layers of the target's width over three of its hidden states: 0.9 million parameters, blocks of eight."""
    target = target_config()
    return BlockConfig(
        hidden_size=target.hidden_size,
        hidden_layers=(2, 4, 6),
        block=8,
        layers=2,
        heads=6,
        kv_heads=2,
        head_dim=32,
        intermediate_size=512,
    )


def new_drafter_model(seed: int) -> BlockModel:
    """An untrained drafter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BlockModel(drafter_config())
