"""One layer's rows of keys and values, in buffers that are changed in place.

The library's own layers concatenate: every token copies the layer, a cut depends on the version, and a gather does not
exist. Here rows are written behind the last one, gathered, cut off and dropped at the front within one buffer, which
grows geometrically. What a forward is given are views of it; that is why nothing may move while one is in flight, and
the cache protocol, not this module, sees to that.

Rows are counted absolutely, from the first of the request; `low` is the first that is still held. Padding of the
prompt has rows too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers.cache_utils import CacheLayerMixin

# Rows of a first buffer that is not told how many will come.
SMALLEST = 64


class TreeLayer(CacheLayerMixin):  # type: ignore[misc]  # not typed in every version
    """The rows of one layer. Dense and in order: row r is held at r − low.

    index: which layer of the model this is.
    window: how many rows the layer's attention spans, the query's own among them; None for all.
    before, after: called around each `update` with this layer: the cache's checks, and the hook of its tests.
    """

    is_compileable = False
    is_croppable = False

    def __init__(
        self,
        index: int,
        window: int | None,
        before: Callable[[TreeLayer, int], None],
        after: Callable[[TreeLayer, int], None],
    ) -> None:
        super().__init__()
        self.index = index
        self.window = window
        self.is_sliding = window is not None
        self.low = 0
        self.written = 0
        # Where in the buffers row `low` lies. It moves up as rows are dropped, until the end of the buffers is reached.
        self._start = 0
        # Keys and values, and at the end, in debug runs, what each row is: [1, heads, capacity, size], changed only
        # together.
        self._stores: list[torch.Tensor] = []
        self._before = before
        self._after = after
        # In debug runs, what the rows of the next update are, [n]; and what freed rows are overwritten with.
        self.labels: torch.Tensor | None = None
        self.labelled = False

    # --- What the library asks -----------------------------------------------------------------------------------

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor | None = None) -> None:
        """Make empty buffers for rows like these. 4.57 passes the keys only."""
        values = key_states if value_states is None else value_states
        self.dtype, self.device = key_states.dtype, key_states.device
        self._stores = [_empty(part, SMALLEST) for part in self._parts(key_states, values)]
        if self.labelled:
            self._stores.append(_empty(torch.empty((1, 1, 0, 1), dtype=torch.int64), SMALLEST).fill_(-1))
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write rows behind the last one; the views that the attention of this layer is to read.

        key_states, value_states: [1, heads, n, size].
        """
        rows = key_states.shape[2]
        if key_states.shape[0] != 1:
            raise ValueError(f"this cache holds one sequence, but was given a batch of {key_states.shape[0]}")
        self._before(self, rows)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.make_room(rows)
        new = self._parts(key_states, value_states)
        if self.labelled:
            assert self.labels is not None
            new.append(self.labels.view(1, 1, rows, 1))
        end = self._start + self.held
        for store, part in zip(self._stores, new, strict=True):
            store.narrow(2, end, rows).copy_(part)
        self.written += rows
        # What the attention is going to read, whatever happens to this layer meanwhile.
        views = self._rows()
        self._after(self, rows)
        return views

    def get_mask_sizes(self, query: int | torch.Tensor) -> tuple[int, int]:
        """How many rows `update` will return for these queries, and the first one's number.

        query: how many, an int in 5.x; their positions, a tensor, in 4.57.
        """
        count = query.shape[0] if isinstance(query, torch.Tensor) else query
        return self.held + count, self.low

    def get_seq_length(self, *_: Any) -> int:
        """Rows written so far, those that were dropped among them."""
        return self.written

    def get_max_length(self) -> int:
        """-1: the buffers grow. How many rows there may be is the protocol's to say."""
        return -1

    def get_max_cache_shape(self) -> int:
        """The same in the words of 4.57."""
        return -1

    def reset(self) -> None:
        """Forget everything and give the buffers back."""
        self.low = self.written = self._start = 0
        self._stores = []
        self.labels = None
        self.is_initialized = False

    @property
    def keys(self) -> torch.Tensor | None:
        """The held keys, [1, heads, held, size]: a view, made when it is asked for. None before the first update."""
        return self._rows()[0] if self.is_initialized else None

    @keys.setter
    def keys(self, _: None) -> None:
        """The library's initialiser sets None."""

    @property
    def values(self) -> torch.Tensor | None:
        """The held values, in the same way."""
        return self._rows()[1] if self.is_initialized else None

    @values.setter
    def values(self, _: None) -> None:
        """The library's initialiser sets None."""

    # --- What the cache does -------------------------------------------------------------------------------------

    @property
    def held(self) -> int:
        """Rows in the buffers."""
        return self.written - self.low

    @property
    def stored_bytes(self) -> int:
        """What the held rows take, without the labels of debug runs."""
        parts = self._stores[:-1] if self.labelled else self._stores
        return sum(self.held * part.shape[1] * part.shape[3] * part.element_size() for part in parts)

    def held_labels(self) -> torch.Tensor:
        """In debug runs, what each held row is, [held]."""
        if not self.is_initialized:
            return torch.empty(0, dtype=torch.int64)
        return self._held(-1)[0, 0, :, 0]

    def load(self, keys: torch.Tensor, values: torch.Tensor, length: int) -> None:
        """Copy another cache's rows into this layer, which is empty.

        keys, values: [1, heads, held, size], the last of `length` rows; those before them have left the window.
        """
        self.lazy_initialization(keys, values)
        held = keys.shape[2]
        self.low = self.written = length - held
        self.make_room(held)
        for store, part in zip(self._stores, self._parts(keys, values), strict=True):
            store[:, :, :held] = part
        self.written = length

    def gather(self, base: int, slots: Sequence[int], index: torch.Tensor | None) -> None:
        """Keep some of the rows above `base` (slot i is row base + i, counted from 1), in this order; cut the others.

        index: those at the end that have to move, less one each; None where all are in place, that is 1 … k.
        """
        if index is not None and self.is_initialized:
            first = self._start + base - self.low
            rows = index.to(self._stores[0].device) + first
            moved = len(index)
            for store in self._stores:
                # Selected first, then written: a row may be needed after another has taken its place.
                selected = store.index_select(2, rows.to(store.device))
                store.narrow(2, first + len(slots) - moved, moved).copy_(selected)
        self.cut(base + len(slots))

    def cut(self, length: int) -> None:
        """Cut off the rows behind the first `length`, counted absolutely."""
        if not self.low <= length <= self.written:
            raise ValueError(
                f"layer {self.index} holds rows {self.low} to {self.written} and cannot be cut to {length} rows"
            )
        if self.labelled and self.is_initialized:
            # In debug runs a row that is gone is poison for whoever still reads it.
            for store in self._stores:
                store[:, :, self._start + length - self.low : self._start + self.held] = _poison(store)
        self.written = length

    def drop(self, low: int) -> None:
        """Drop the rows in front of row `low`."""
        if low <= self.low:
            return
        if self.labelled and self.is_initialized:
            for store in self._stores:
                store[:, :, self._start : self._start + low - self.low] = _poison(store)
        self._start += low - self.low
        self.low = low
        capacity = self._stores[0].shape[2] if self.is_initialized else 0
        # A long prompt went through in one piece; from now on the window is all that is held.
        if capacity > 8 * max(self.held, SMALLEST):
            self._move(4 * max(self.held, SMALLEST))

    def make_room(self, rows: int) -> None:
        """Make the buffers hold this many more rows: more than once in a while this allocates and copies nothing."""
        if not self.is_initialized:
            return
        capacity = self._stores[0].shape[2]
        if self._start + self.held + rows <= capacity:
            return
        # Half of it empty in front of a sliding window: the rows move down. Else it doubles.
        needed = self.held + rows
        self._move(capacity if 2 * needed <= capacity else max(2 * capacity, needed))

    def _move(self, capacity: int) -> None:
        moved = []
        for store in self._stores:
            fresh = _empty(store, capacity)
            fresh[:, :, : self.held] = store[:, :, self._start : self._start + self.held]
            moved.append(fresh)
        self._stores = moved
        self._start = 0

    # --- How rows are held: what a layer of another kind does otherwise --------------------------------------

    def _parts(self, keys: torch.Tensor, values: torch.Tensor) -> list[torch.Tensor]:
        """What the buffers hold of these rows, each part [1, heads, n, any size]."""
        return [keys, values]

    def _rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the held rows as attention reads them; here views of the buffers."""
        return self._held(0), self._held(1)

    def _held(self, store: int) -> torch.Tensor:
        return self._stores[store].narrow(2, self._start, self.held)


def _empty(like: torch.Tensor, capacity: int) -> torch.Tensor:
    # A tensor that is made in inference mode, as forwards are, could not be changed outside of it, as commits do.
    with torch.inference_mode(False):
        return torch.empty((*like.shape[:2], capacity, like.shape[3]), dtype=like.dtype, device=like.device)


def _poison(store: torch.Tensor) -> float | int:
    if store.dtype == torch.uint8:
        return 0  # codes of a row: its scale is poison
    return float("nan") if store.dtype.is_floating_point else -1
