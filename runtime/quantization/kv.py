"""``kv="q3.5"``: a drafter's keys and values in three and a half bits.

A row x of one head (`head_dim` numbers d) is rotated, y = R x, with R a Hadamard matrix with random signs, orthogonal,
so that no coordinate stands out (QuaRot, Ashkboos et al., arXiv 2404.00456). Coordinates then take four and three bits
in turn. With one scale for the row and head, s ≥ max |y_i|, a coordinate of b bits is rounded to the nearest middle of
2^b equal intervals of [−s, s].

**Bound.** |y_i − y'_i| ≤ s / 2^b: s / 16 for coordinates of four bits, s / 8 for those of three. R keeps lengths, so

    ‖x − x'‖₂ ≤ s · sqrt(d/2 · (1/256 + 1/64)) = s · sqrt(5 d / 512) ≈ 0.0988 · s · sqrt(d),

for every row, beside the rounding of the dtype that computes it. s is the maximum rounded up to bfloat16, at most 2^−7
of it larger, and max |y_i| ≤ ‖x‖₂; with the signs drawn at random a coordinate exceeds ‖x‖₂ · sqrt(2 ln(2 d / δ) / d)
with probability δ at most (Hoeffding, and one bound for all d coordinates).

Sixteen numbers take seven bytes, and each row of a head two more for its scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

KV = Literal["q3.5"]

_CELL = 16  # numbers that fill seven bytes
_BYTES = 7
_SMALLEST = 1e-30  # rows without a larger coordinate come back as zeros


def check_kv(kv: object) -> None:
    """That this says how a drafter's keys and values are held. Raises ValueError."""
    if kv not in (None, "q3.5"):
        raise ValueError(f'kv={kv!r}: a drafter\'s keys and values are "q3.5" or None, as they are')


@dataclass(frozen=True, eq=False)
class CodedRows:
    """Rows of any leading shape.

    codes: uint8 [..., head_dim · 7 / 16]. scales: bfloat16 [..., 1].
    """

    codes: torch.Tensor
    scales: torch.Tensor


class KVCodec:
    """Rounds rows of one head size, and expands them again.

    head_dim: numbers a row, a multiple of 16. seed: of the signs; a private generator draws them. The rotation mixes
    blocks of the largest power of two that divides head_dim.

    rotation: R, float32 [head_dim, head_dim].

    Raises ValueError for another head_dim.
    """

    def __init__(self, head_dim: int, *, seed: int = 0, device: torch.device | str = "cpu") -> None:
        if head_dim < _CELL or head_dim % _CELL:
            raise ValueError(
                f'kv="q3.5" packs sixteen numbers into seven bytes, but the heads have {head_dim}: use a drafter whose '
                "head size is a multiple of 16, or leave kv out"
            )
        self.head_dim = head_dim
        self.code_bytes = head_dim // _CELL * _BYTES
        block = head_dim & -head_dim
        generator = torch.Generator().manual_seed(seed)
        signs = torch.randint(0, 2, (head_dim,), generator=generator) * 2 - 1
        blocks = torch.kron(torch.eye(head_dim // block), _hadamard(block))
        self.rotation = (blocks * signs / math.sqrt(block)).to(device)
        self._halves = torch.tensor([8.0, 4.0], device=device).repeat(head_dim // 2)  # 2^(b − 1), in turn
        self._shifts = torch.arange(_CELL // 2, device=device) * _BYTES
        self._byte_shifts = torch.arange(_BYTES, device=device) * 8

    def encode(self, rows: torch.Tensor) -> CodedRows:
        """rows: [..., head_dim], finite."""
        rotated = rows.float() @ self.rotation.T
        # Rounding to bfloat16 loses 2^-9 at most, so that after this factor the scale is no smaller than the maximum.
        scales = (rotated.abs().amax(dim=-1, keepdim=True) * (1 + 2**-8)).to(torch.bfloat16)
        scales = torch.where(scales < _SMALLEST, 0, scales)
        units = rotated / torch.where(scales == 0, 1, scales).float() * self._halves
        levels = (units.floor() + self._halves).clamp(min=0).minimum(2 * self._halves - 1).long()
        four, three = levels.view(*rows.shape[:-1], -1, _CELL // 2, 2).unbind(-1)
        words = ((four | three << 4) << self._shifts).sum(dim=-1, keepdim=True)
        codes = (words >> self._byte_shifts & 255).to(torch.uint8).flatten(-2)
        return CodedRows(codes, scales)

    def decode(self, rows: CodedRows, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """[..., head_dim], as near to what was encoded as the bound says."""
        cells = rows.codes.reshape(*rows.codes.shape[:-1], -1, _BYTES).long()
        words = (cells << self._byte_shifts).sum(dim=-1, keepdim=True)
        pairs = words >> self._shifts & 127
        levels = torch.stack((pairs & 15, pairs >> 4), dim=-1).flatten(-3).float()
        rotated = (levels + 0.5 - self._halves) / self._halves * rows.scales.float()
        expanded: torch.Tensor = (rotated @ self.rotation).to(dtype)
        return expanded

    def error_bound(self, rows: CodedRows) -> torch.Tensor:
        """The largest length of what rounding changed, for each row: float32 [...]. Rows below 1e-30 are zeros and
        have 0."""
        return rows.scales[..., 0].float() * math.sqrt(5 * self.head_dim / 512)


def _hadamard(size: int) -> torch.Tensor:
    """Sylvester's matrix of a power of two: entries ±1, rows orthogonal."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((matrix, -matrix), 1)))
    return matrix
