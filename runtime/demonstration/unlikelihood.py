"""Teach the target not to loop (sequence-level unlikelihood, Welleck et al., arXiv 1908.04319, section 5.2).

Greedy text of a small model ends in loops. So the target continues prompts greedily, and where a continuation goes on
to repeat what it has just said twice, its tokens are made less probable. The paper does so with every n-gram that was
said before; source text repeats those all the time, and to unlearn them cost an eighth of a bit a byte when it was
tried.
"""

from __future__ import annotations

import torch

from .continuations import Continuations
from .model import Target

LONGEST_PERIOD = 48
SHORTEST_RUN = 8


def goes_on_looping(ids: torch.Tensor) -> torch.Tensor:
    """Which tokens end a loop: bool [n, length] for int64 [n, length].

    In a loop of period p the last p tokens, and at least eight, are each what stands p places before them. Periods up
    to 48 are found.
    """
    count, length = ids.shape
    looping = torch.zeros(count, length, dtype=torch.bool)
    for period in range(1, LONGEST_PERIOD + 1):
        run = max(period, SHORTEST_RUN)
        if period + run > length:
            break
        same = ids[:, period:] == ids[:, :-period]
        looping[:, period + run - 1 :] |= same.unfold(1, run, 1).all(dim=-1)
    return looping


def unlikelihood_loss(target: Target, said: Continuations) -> torch.Tensor:
    """The mean over all tokens that the target said of −log(1 − p) where one ends a loop, and 0 elsewhere."""
    logits = target(input_ids=said.ids[:, :-1], use_cache=False).logits.float()
    chosen = said.ids[:, 1:]
    log_p = torch.log_softmax(logits, dim=-1).gather(2, chosen[..., None])[..., 0]
    unlikely = goes_on_looping(said.ids)[:, 1:].clone()
    unlikely[:, : said.prompt - 1] = False
    # 1 − p from log p without cancellation, bounded where p is nearly 1.
    complement = (-torch.expm1(log_p)).clamp(min=1e-4)
    return -(complement.log() * unlikely).sum() / (len(said) * (said.ids.shape[1] - said.prompt))
