"""Tiny models with random weights, one for each family that the decoder is tested on.

Their weights are drawn anew with scales under which attention matters: left as the library initialises them, such
models repeat one or two tokens whatever the cache holds, and a test on them would pass with a broken cache.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import torch
import transformers

# Families whose window is part of the model; the others read everything.
WINDOWED = ("qwen3_windows", "mistral", "gemma3", "gemma3n", "gemma4")
FAMILIES = ("llama", "qwen3", "mistral", "gemma3")
# Layers at the end of these read the rows of earlier ones.
SHARING = tuple(name for name in ("gemma3n", "gemma4") if hasattr(transformers, f"G{name[1:]}ForCausalLM"))

Attention = Literal["eager", "sdpa"]


def tiny(
    family: str,
    *,
    vocab: int = 101,
    window: int = 8,
    layers: int = 4,
    hidden: int = 32,
    seed: int = 0,
    attention: Attention = "sdpa",
    dtype: torch.dtype = torch.float32,
    positions: int = 4096,
) -> Any:
    """A model for causal language modelling, in eval mode; the same weights for the same arguments.

    The global generator is as before afterwards. `window` counts tokens and is ignored by families without one.
    """
    common: dict[str, Any] = {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden // 4,
        "max_position_embeddings": positions,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "attn_implementation": attention,
    }
    # One full layer among sliding ones, not the first.
    mixed = ["full_attention" if layer % 3 == 2 else "sliding_attention" for layer in range(layers)]
    match family:
        case "llama":
            config: Any = transformers.LlamaConfig(**common)
        case "qwen3":
            config = transformers.Qwen3Config(**common)
        case "qwen3_windows":
            config = transformers.Qwen3Config(
                **common, use_sliding_window=True, sliding_window=window, layer_types=mixed, max_window_layers=0
            )
        case "mistral":
            config = transformers.MistralConfig(**common, sliding_window=window)
        case "gemma3":
            config = transformers.Gemma3TextConfig(
                **common, sliding_window=window, layer_types=mixed, query_pre_attn_scalar=hidden // 4
            )
        case "gemma3n":
            config = transformers.Gemma3nTextConfig(
                **{**common, "num_hidden_layers": 6},
                sliding_window=window,
                layer_types=["sliding_attention", "full_attention"] * 3,
                num_kv_shared_layers=2,
                vocab_size_per_layer_input=vocab,
                hidden_size_per_layer_input=8,
                laurel_rank=4,
                altup_num_inputs=2,
                activation_sparsity_pattern=[0.0] * 6,
            )
        case "gemma4":
            config = transformers.Gemma4TextConfig(
                **{**common, "num_hidden_layers": 6},
                global_head_dim=hidden // 4,
                sliding_window=window,
                layer_types=["sliding_attention", "full_attention"] * 3,
                num_kv_shared_layers=2,
                vocab_size_per_layer_input=vocab,
                hidden_size_per_layer_input=8,
            )
        case _:
            raise ValueError(f"no tiny model of the family {family!r}")
    return build(config, seed).to(dtype)


def build(config: Any, seed: int = 0) -> Any:
    """The causal language model of a configuration, with weights drawn as the module's docstring says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation=config._attn_implementation)
    rescale(model, seed)
    # What `generate` would otherwise stop at or warn of; tests set their own.
    model.generation_config = transformers.GenerationConfig(pad_token_id=0, bos_token_id=1, do_sample=False)
    return model.eval()


def with_position_table(positions: int) -> Any:
    """A GPT-2, in eval mode: its positions are rows of a table, and it takes inputs that change what it says."""
    config = transformers.GPT2Config(
        vocab_size=101,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=positions,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    rescale(model, 0)
    return model


def rescale(model: torch.nn.Module, seed: int) -> None:
    """Draw the weights anew: matrices keep the size of what they read, queries and keys make attention choose."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim < 2:
                # Norms behind a sublayer say how much it changes the stream.
                if "post_" in name:
                    weight.fill_(2.0)
                continue
            if "embed" in name or "lm_head" in name:
                scale = 0.1 if "embed" in name else 1 / math.sqrt(weight.shape[-1])
            elif "q_proj" in name or "k_proj" in name:
                scale = 1.6 / math.sqrt(weight.shape[-1])
            else:
                scale = 1 / math.sqrt(weight.shape[-1])
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale)


@functools.cache
def shared(family: str, attention: Attention = "sdpa", window: int = 8) -> Any:
    """A tiny model that several tests read and none changes."""
    return tiny(family, attention=attention, window=window)


def prompt(length: int, *, vocab: int = 101, seed: int = 0) -> tuple[int, ...]:
    """Random tokens, none of the special ones."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(3, vocab, (length,), generator=generator).tolist())
