"""``weights="w4"``: a drafter's matrices in four bits, symmetric, with one scale a group.

A group is `group` neighbouring weights of one output row. With m the largest absolute value of a group, its scale is
s = m / 7 and each weight w becomes the integer round(w / s) in −7 … 7: it comes back as w' with |w − w'| ≤ s / 2. Two
integers share a byte. This is rounding to nearest, without calibration (the baseline of GPTQ, Frantar et al.,
arXiv 2210.17323).

A matrix is multiplied after it is expanded again: this saves memory, not time.
"""

from __future__ import annotations

import copy
import itertools
from typing import Literal, TypeVar

import torch
from torch import nn
from torch.nn import functional

Weights = Literal["w4"]

M = TypeVar("M", bound=nn.Module)

GROUP = 64
_LARGEST = 7


def check_weights(weights: object) -> None:
    """That this says how a drafter's weights are held. Raises ValueError."""
    if weights not in (None, "w4"):
        raise ValueError(f'weights={weights!r}: a drafter\'s weights are "w4" or None, as they are')


class QuantizedLinear(nn.Module):
    """A linear layer whose matrix is held in four bits.

    codes: uint8 [out, ceil(in / group) · group / 2], the earlier of two weights in the low half of a byte.
    scales: [out, groups], of the dtype of the matrix.
    """

    codes: torch.Tensor
    scales: torch.Tensor

    def __init__(self, linear: nn.Linear, group: int = GROUP) -> None:
        """Quantise a layer. Raises ValueError for a group that is odd or below 2, or weights that are not finite."""
        super().__init__()
        if group < 2 or group % 2:
            raise ValueError(f"a group of {group} weights: two weights share a byte, so it must be even and at least 2")
        weight = linear.weight.detach()
        if not torch.isfinite(weight).all():
            raise ValueError("a matrix holds weights that are not finite; they have no scale")
        self.in_features, self.out_features, self.group = linear.in_features, linear.out_features, group
        padded = functional.pad(weight.float(), (0, -weight.shape[1] % group)).view(len(weight), -1, group)
        scales = (padded.abs().amax(dim=2) / _LARGEST).to(weight.dtype)
        # A group of zeros has scale 0 and codes 0; the divisor only keeps it from 0 / 0.
        divisors = torch.where(scales == 0, 1, scales).float()
        codes = (padded / divisors[..., None]).round().clamp(-_LARGEST, _LARGEST).to(torch.int16) + 8
        low, high = codes.view(len(weight), -1, 2).unbind(2)
        self.register_buffer("codes", (low | high << 4).to(torch.uint8))
        self.register_buffer("scales", scales)
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)

    @property
    def weight(self) -> torch.Tensor:
        """The matrix as it is multiplied, [out, in], expanded anew at each call."""
        codes = torch.stack((self.codes & 15, self.codes >> 4), dim=2).view(self.out_features, -1, self.group)
        expanded = (codes.to(self.scales.dtype) - 8) * self.scales[..., None]
        return expanded.flatten(1)[:, : self.in_features]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return functional.linear(states, self.weight.to(states.dtype), self.bias)


def quantize_linears(module: nn.Module, group: int = GROUP) -> tuple[str, ...]:
    """Replace the linear layers of a module, in place, by quantised ones; their names.

    A layer whose matrix something else holds too (a head tied to the embeddings) stays as it is. Raises ValueError
    where there is nothing to quantise.
    """
    holders: dict[int, int] = {}
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            holders[id(parameter)] = holders.get(id(parameter), 0) + 1
    names = tuple(
        name for name, part in module.named_modules() if type(part) is nn.Linear and holders[id(part.weight)] == 1
    )
    if not names:
        raise ValueError('weights="w4": this drafter has no linear layer of its own to quantise')
    for name in names:
        parent, _, last = name.rpartition(".")
        linear = module.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        setattr(module.get_submodule(parent), last, QuantizedLinear(linear, group))
    return names


def quantized_copy(module: M) -> M:
    """A copy of a module with quantised linear layers. What is not quantised it shares with the module, which stays.

    Raises ValueError as `quantize_linears`.
    """
    shared = {id(tensor): tensor for tensor in itertools.chain(module.parameters(), module.buffers())}
    copied = copy.deepcopy(module, shared)
    quantize_linears(copied)
    return copied
