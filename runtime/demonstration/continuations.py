"""What the target itself says after a prompt: the text that the drafter is trained and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from .model import Target

_library: Any = transformers  # typed differently from version to version


@dataclass(frozen=True)
class Continuations:
    """Sequences of one length.

    ids: int64 [n, prompt + new]. prompt: tokens at the beginning that were given. temperatures: float32 [n], with
    which each sequence was drawn; 0 is greedy.
    """

    ids: torch.Tensor
    prompt: int
    temperatures: torch.Tensor

    def __len__(self) -> int:
        return len(self.ids)


def continue_prompts(
    target: Target, prompts: torch.Tensor, new_tokens: int, temperatures: Sequence[float], seed: int
) -> Continuations:
    """Let the target continue prompts, int64 [n, prompt], by so many tokens, each at its temperature; `<eos>` ends
    nothing.

    Drawn with a generator of its own.
    """
    if len(temperatures) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts, but {len(temperatures)} temperatures")
    generator = torch.Generator().manual_seed(seed)
    heat = torch.tensor(temperatures)[:, None]
    cache = _library.DynamicCache(config=target.config)
    ids = [prompts]
    with torch.no_grad():
        for _ in range(new_tokens):
            logits = target(input_ids=ids[-1], past_key_values=cache, logits_to_keep=1).logits[:, -1].float()
            drawn = torch.multinomial(torch.softmax(logits / heat.clamp(min=1e-3), dim=-1), 1, generator=generator)
            ids.append(torch.where(heat == 0, logits.argmax(dim=-1, keepdim=True), drawn))
    return Continuations(torch.cat(ids, dim=1), prompts.shape[1], heat[:, 0])


def target_scores(target: Target, ids: torch.Tensor, layers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """What the target thinks at every token of sequences: hidden states [n, length, len(layers), hidden], logits [n,
    length, v]."""
    with torch.no_grad():
        output = target(input_ids=ids, use_cache=False, output_hidden_states=True)
    return torch.stack([output.hidden_states[layer] for layer in layers], dim=2), output.logits
