"""Models and texts that the decoder is measured on: random weights of a fixed seed, so that nothing is downloaded.

What a forward costs does not depend on what the weights are. What is accepted does: so an assistant is the target's
own first layers, and the target's later layers change its mind as often as it takes for the acceptance that is wanted;
and a text with repetitions is Python source, which a processor makes every model say.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import LogitsProcessor


@dataclass(frozen=True)
class Shape:
    """A Llama's sizes.

    shared: the layers that the assistant has. late: the size of what the other layers add, next to that of the first
    ones; it was fitted so that the assistant is right in 60 to 80 % of its drafts.
    """

    hidden: int
    inner: int
    layers: int
    heads: int
    vocab: int
    shared: int
    late: float


SHAPES = {
    "68M": Shape(hidden=768, inner=3072, layers=2, heads=12, vocab=32_000, shared=1, late=0.08),
    "1.3M": Shape(hidden=128, inner=352, layers=4, heads=4, vocab=2_048, shared=1, late=0.08),
}


def language_model(shape: Shape, device: torch.device, seed: int = 0) -> Any:
    """A Llama in fp32 with random weights, under which attention matters and greedy texts do not stand still."""
    model = _new(shape, shape.layers)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim < 2:
                continue
            scale = 1 / math.sqrt(weight.shape[-1])
            if "embed" in name:
                scale = 0.1
            elif "q_proj" in name or "k_proj" in name:
                scale *= 1.6
            elif ("o_proj" in name or "down_proj" in name) and int(name.split(".")[2]) >= shape.shared:
                scale *= shape.late
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
    return model.to(device)


def assistant_of(model: Any, shape: Shape) -> Any:
    """The model without its later layers; its own weights are copies."""
    assistant = _new(shape, shape.shared).to(model.device)
    assistant.load_state_dict(model.state_dict(), strict=False)
    # What `generate` drafts: a fixed number of tokens, as ours does beside it.
    assistant.generation_config = copy.deepcopy(model.generation_config)
    return assistant


def _new(shape: Shape, layers: int) -> Any:
    config = transformers.LlamaConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=4096,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
        attn_implementation="sdpa",
    )
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    model.generation_config = transformers.GenerationConfig(pad_token_id=0, bos_token_id=1, do_sample=False)
    return model


def parameters(model: Any) -> int:
    """How many weights a model has."""
    return sum(weight.numel() for weight in model.parameters())


# ------------------------------------------------------------------------------------------------------------- texts


def random_prompt(length: int, vocab: int, seed: int = 0) -> tuple[int, ...]:
    """Tokens drawn at random, none of the special ones."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(3, vocab, (length,), generator=generator).tolist())


def python_source(module: Path, length: int, vocab: int) -> tuple[int, ...]:
    """The first words of a source file as tokens: words, spaces and signs, numbered as they first occur.

    Raises ValueError where it has too few of them, or more different ones than the vocabulary.
    """
    pieces = re.findall(r"\w+|\s+|[^\w\s]", module.read_text(encoding="utf-8"))[:length]
    numbers = {piece: place for place, piece in enumerate(dict.fromkeys(pieces), start=3)}
    if len(pieces) < length or len(numbers) + 3 > vocab:
        raise ValueError(f"{module} has {len(pieces)} tokens and {len(numbers)} different ones")
    return tuple(numbers[piece] for piece in pieces)


class Says(LogitsProcessor):  # type: ignore[misc]
    """Whatever the model thinks, it says this text: behind n tokens its token n."""

    def __init__(self, text: Sequence[int]) -> None:
        self.text = tuple(text)

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, self.text[ids.shape[1]]] = torch.finfo(scores.dtype).max
        return scores
