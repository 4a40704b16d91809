"""One layer of a cache in three and a half bits a number: rows are rounded as they are written, and expanded as they
are read.

A row is the same whoever reads it and however it came there: with the others of a tree, alone, or gathered from another
place. What is read is a copy, made anew for each forward: this saves memory, not time.
"""

from __future__ import annotations

import torch

from ..cache_layers import TreeLayer
from .kv import CodedRows, KVCodec


class CodedLayer(TreeLayer):
    """Keys and values, each as codes and scales (`kv`).

    Raises ValueError, at the first row, for a head size that cannot be packed.
    """

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor | None = None) -> None:
        values = key_states if value_states is None else value_states
        self._keys = KVCodec(key_states.shape[-1], device=key_states.device)
        self._values = KVCodec(values.shape[-1], device=values.device)
        super().lazy_initialization(key_states, values)

    def _parts(self, keys: torch.Tensor, values: torch.Tensor) -> list[torch.Tensor]:
        coded_keys, coded_values = self._keys.encode(keys), self._values.encode(values)
        return [coded_keys.codes, coded_keys.scales, coded_values.codes, coded_values.scales]

    def _rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        return (
            self._keys.decode(CodedRows(self._held(0), self._held(1)), self.dtype),
            self._values.decode(CodedRows(self._held(2), self._held(3)), self.dtype),
        )
