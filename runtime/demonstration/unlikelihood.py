"""Teach the target not to repeat itself (sequence-level unlikelihood, Welleck et al., arXiv 1908.04319, section 5.2).

Greedy text of a small model ends in loops. So the target continues prompts greedily, and where a continuation repeats
a span of eight tokens, the token that completes the repetition is made less probable. Source text repeats shorter
spans all the time, and may.
"""

from __future__ import annotations

import torch

from .continuations import Continuations
from .model import Target

SPAN = 8


def completes_repetition(ids: torch.Tensor) -> torch.Tensor:
    """Which tokens end a span of eight that stands earlier in their sequence too: bool [n, length] for int64 [n,
    length].

    The earlier one may overlap it, as in a loop of one token.
    """
    spans = ids.unfold(1, SPAN, 1)
    same = (spans[:, :, None] == spans[:, None]).all(dim=-1)
    earlier = same.tril(-1).any(dim=-1)
    return torch.nn.functional.pad(earlier, (SPAN - 1, 0))


def unlikelihood_loss(target: Target, said: Continuations) -> torch.Tensor:
    """The mean over all tokens that the target said of −log(1 − p) where one completes a repetition, and 0
    elsewhere."""
    logits = target(input_ids=said.ids[:, :-1], use_cache=False).logits.float()
    chosen = said.ids[:, 1:]
    log_p = torch.log_softmax(logits, dim=-1).gather(2, chosen[..., None])[..., 0]
    unlikely = completes_repetition(said.ids)[:, 1:].clone()
    unlikely[:, : said.prompt - 1] = False
    # 1 − p from log p without cancellation, bounded where p is nearly 1.
    complement = (-torch.expm1(log_p)).clamp(min=1e-4)
    return -(complement.log() * unlikely).sum() / (len(said) * (said.ids.shape[1] - said.prompt))
