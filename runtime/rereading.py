"""A forward that reads the rows of a cache and writes none: what it is given in place of the cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from .cache_layers import TreeLayer
from .flights import Flights


class Rereading(Cache):  # type: ignore[misc]  # not typed in every version
    """Views of the rows up to `top`, in the buffers of the cache itself; the forward halts as one that writes does."""

    def __init__(self, rows: Sequence[TreeLayer], top: int, flights: Flights) -> None:
        super().__init__(layers=[_RereadLayer(layer, top, flights) for layer in rows])


class _RereadLayer(CacheLayerMixin):  # type: ignore[misc]  # not typed in every version
    is_compileable = False
    is_croppable = False

    def __init__(self, rows: TreeLayer, top: int, flights: Flights) -> None:
        super().__init__()
        self.rows, self.top, self.flights = rows, top, flights
        self.is_sliding = rows.is_sliding
        self.is_initialized = True

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor | None = None) -> None:
        """Nothing: the rows are another's."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Views of the rows up to the top. What was computed for the query is there already."""
        rows = self.rows
        if rows.keys is None or rows.values is None:
            raise RuntimeError(f"layer {rows.index} has no rows, but row {self.top} is to be read")
        upto = self.top - rows.low
        views = rows.keys[:, :, :upto], rows.values[:, :, :upto]
        self.flights.between(rows.index)
        return views

    def get_mask_sizes(self, query: Any) -> tuple[int, int]:
        return self.top - self.rows.low, self.rows.low

    def get_seq_length(self, *_: Any) -> int:
        return self.top - 1

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        return -1
