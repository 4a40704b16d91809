"""How tokens are chosen from tensors of scores, and the random draws that rejection needs."""

from __future__ import annotations

from dataclasses import dataclass

import torch


def greedy(scores: torch.Tensor) -> int:
    """The token of highest score. scores: [1, vocabulary] floats, as processors return them."""
    return int(torch.argmax(scores, dim=-1))


def sampled(scores: torch.Tensor) -> int:
    """One draw from the softmax of scores [1, vocabulary]: `generate`'s own call, on torch's default generator."""
    return int(torch.multinomial(torch.softmax(scores, dim=-1), num_samples=1))


@dataclass(frozen=True)
class TensorDraws:
    """Draws for `rejection` over tensors of probabilities [vocabulary].

    generator: None for the default generator of the tensors' device. Drafters have their own, never the verifier's.
    """

    generator: torch.Generator | None = None

    def token(self, weights: torch.Tensor) -> int:
        return int(torch.multinomial(weights[None], num_samples=1, generator=self.generator))

    def accepts(self, p: torch.Tensor, q: torch.Tensor) -> bool:
        """In log space, min(0, log p - log q): no quotient that overflows where q is tiny."""
        u = torch.rand((), generator=self.generator, device=p.device, dtype=torch.float64)
        # Strictly: a draw of 0 has the logarithm -inf, and must not accept a token that the target forbids.
        return bool(u.log() < p.log() - q.log())
