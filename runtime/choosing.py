"""Which token the target emits at a node: exactly what plain generation would choose there.

`transformers` chooses from a float copy of the logits, after the processors have seen the ids so far, by argmax or by
one draw of `torch.multinomial` from torch's default generator. The same calls in the same order give the same token,
and leave the generator in the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from .draws import greedy, sampled
from .noise import CounterNoise


class Chooser:
    """Chooses one token after the other for one request, and keeps what its caller wants to see of it.

    processors: a `LogitsProcessorList`, or any callable from (ids [1, n], scores [1, vocabulary]) to scores.
    sample: draw from the softmax of the scores; else their argmax.
    noise: None for torch's default generator, as plain generation; else draws depend on the position alone.
    keep_scores, keep_logits: keep what came out of the processors, and what went in, of each emitted token.
    """

    def __init__(
        self,
        processors: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None,
        *,
        sample: bool,
        noise: CounterNoise | None = None,
        keep_scores: bool = False,
        keep_logits: bool = False,
    ) -> None:
        # An empty list of processors is falsy, and changes nothing.
        self.processors = processors or None
        self.sample = sample
        self.noise = noise
        self.scores: list[torch.Tensor] | None = [] if keep_scores else None
        self.logits: list[torch.Tensor] | None = [] if keep_logits else None

    @property
    def is_plain_argmax(self) -> bool:
        """Whether tokens can be read off the logits of all nodes at once: nothing is stateful, drawn or kept."""
        return not self.sample and self.processors is None and self.scores is None and self.logits is None

    def scores_of(self, ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """The processed scores [1, vocabulary] behind a text; asked once for each emitted token, in order.

        ids: [1, n] int64, all tokens so far, padding of the prompt included. logits: [vocabulary], behind the last one.
        """
        raw = logits[None].to(device=ids.device, dtype=torch.float32, copy=True)
        scores = raw if self.processors is None else self.processors(ids, raw)
        if self.scores is not None:
            self.scores.append(scores)
        if self.logits is not None:
            self.logits.append(raw)
        return scores

    def choose(self, ids: torch.Tensor, logits: torch.Tensor) -> int:
        """The next token; arguments as for `scores_of`."""
        scores = self.scores_of(ids, logits)
        if not self.sample:
            return greedy(scores)
        if self.noise is not None:
            return self.noise.choose(scores, ids.shape[1])
        return sampled(scores)

    def last_scores(self) -> tuple[torch.Tensor, ...] | None:
        """What stopping criteria are shown as scores: all that were kept, or None, as in plain generation."""
        return None if self.scores is None else tuple(self.scores)


def argmax_of_all(logits: torch.Tensor) -> Sequence[Any]:
    """The token of highest logit behind each node, [n] → a list: one transfer for the whole tree."""
    tokens: list[int] = logits.argmax(dim=-1).tolist()
    return tokens
