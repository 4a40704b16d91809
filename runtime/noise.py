"""`noise="counter"`: sampling whose randomness is a function of where it is used, not of what was drawn before.

Each pair of a position and a token has its own number, computed from (seed, request, position, token) by the
counter-based generator Philox-4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC'11), and the sampled token is the argmax of score plus Gumbel noise, which has the softmax of the scores as its
distribution. So a token depends neither on the order of the draws nor on how many there were: a run can be resumed in
the middle.

Seed and request are hashed into the key, and the position is a word of the counter: two runs whose seeds are neighbours
share nothing, as they would if seed and position were added. The integers are the same on every device; the logarithms
are in double precision, where a difference in the last bit decides nothing but ties.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import torch

Word = TypeVar("Word", int, torch.Tensor)

_MASK = 0xFFFF_FFFF
_MULTIPLIERS = (0xD251_1F53, 0xCD9E_8D57)
_WEYL = (0x9E37_79B9, 0xBB67_AE85)
_ROUNDS = 10
_CHUNK = 1 << 14
"""Blocks computed at once: the words in between stay in the processor's cache."""


def philox(counter: tuple[Word, Word, Word, Word], key: tuple[int, int]) -> tuple[Word, Word, Word, Word]:
    """Philox-4x32-10: four words of 32 bits for a counter of four such words under a key of two.

    The words of the counter are integers, or int64 tensors that are taken element by element; all in 0 … 2^32 - 1.
    """
    a, b, c, d = counter
    low, high = key
    for _ in range(_ROUNDS):
        # The product of two words has 64 bits: in an int64 tensor it wraps, and holds the right bits as it is masked.
        one, two = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = ((two >> 32) & _MASK) ^ b ^ low, two & _MASK, ((one >> 32) & _MASK) ^ d ^ high, one & _MASK
        low, high = (low + _WEYL[0]) & _MASK, (high + _WEYL[1]) & _MASK
    return a, b, c, d


@dataclass(frozen=True)
class CounterNoise:
    """The noise of one request.

    seed: any integer. request: tells apart requests under one seed; any integer.
    """

    seed: int
    request: int = 0

    @cached_property
    def key(self) -> tuple[int, int]:
        """The two words of the key: a hash of seed and request."""
        digest = hashlib.blake2b(
            f"{self.seed},{self.request}".encode(), digest_size=8, person=b"counter noise"
        ).digest()
        return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")

    def choose(self, scores: torch.Tensor, position: int) -> int:
        """The sampled token: one draw from the softmax of scores.

        scores: [1, vocabulary] floats, -inf for what processors forbid. position: the index of the token in the
        sequence, the prompt counted. Raises ValueError where no token is possible or a score is not a number.
        """
        row = scores[0].double()
        possible = torch.isfinite(row).nonzero()[:, 0]
        if 2 * possible.numel() < row.numel():
            # Top-k and top-p leave a handful, and the noise of the others is not needed.
            noisy = row[possible] + gumbel(self.uniforms_of(possible, position))
            best = int(possible[noisy.argmax()]) if noisy.numel() else -1
        else:
            noisy = self.uniforms(row.numel(), position, row.device)
            for part in torch.split(noisy, 2 * _CHUNK):
                part.copy_(gumbel(part))
            noisy += row
            best = int(noisy.argmax())
        if best < 0 or not math.isfinite(row[best]) or not bool((row < math.inf).all()):
            raise ValueError(
                "there is no token to sample: a score is infinite or no number, or processors forbid every token"
            )
        return best

    def uniforms(self, vocabulary: int, position: int, device: torch.device | str = "cpu") -> torch.Tensor:
        """One number for each token: [vocabulary] float64, multiples of 2^-53 in the open interval from 0 to 1."""
        blocks = torch.arange((vocabulary + 1) // 2, dtype=torch.int64, device=device)
        numbers = torch.empty((blocks.numel(), 2), dtype=torch.float64, device=device)
        for chunk, part in zip(torch.split(blocks, _CHUNK), torch.split(numbers, _CHUNK), strict=True):
            part[:, 0], part[:, 1] = _pairs(*self._words(chunk, position))
        return numbers.view(-1)[:vocabulary]

    def uniforms_of(self, tokens: torch.Tensor, position: int) -> torch.Tensor:
        """`uniforms` of these tokens only. tokens: [n] int64; returns [n] float64."""
        numbers = torch.empty(tokens.shape, dtype=torch.float64, device=tokens.device)
        for chunk, part in zip(torch.split(tokens, _CHUNK), torch.split(numbers, _CHUNK), strict=True):
            even, odd = _pairs(*self._words(chunk >> 1, position))
            part.copy_(torch.where((chunk & 1).bool(), odd, even))
        return numbers

    def _words(
        self, blocks: torch.Tensor, position: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """The four words of each block; a block serves the tokens 2·block and 2·block + 1."""
        low = torch.full_like(blocks, position & _MASK)
        high = torch.full_like(blocks, (position >> 32) & _MASK)
        return philox((blocks, low, high, torch.zeros_like(blocks)), self.key)


def _pairs(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return _fraction(a, b), _fraction(c, d)


def _fraction(high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """53 of 64 bits as a multiple of 2^-53. 0 becomes 2^-53: Gumbel noise must be finite."""
    return ((high << 21) | (low >> 11)).clamp(min=1).double() * 2.0**-53


def gumbel(uniform: torch.Tensor) -> torch.Tensor:
    """Standard Gumbel noise of uniform numbers: -log(-log u)."""
    return -(-uniform.log()).log()
