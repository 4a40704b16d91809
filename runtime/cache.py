"""The KV cache of one sequence under the `TreeCache` protocol: rows change through its actions, and only so.

Each method asks the protocol for its step first and then does to the rows of all layers what the step means. Whether a
step may be taken is the protocol's to say; there is no second copy of its conditions here. With a variant of the
protocol that has lost a guard, this cache does what the guard would have forbidden.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicCache

from ..protocols.tree_cache import TreeCache
from ..transpiler.questions import enabled
from .cache_layers import TreeLayer
from .masks import Extent
from .provenance import Provenance, Reading
from .quantization.kv import KV
from .quantization.layers import CodedLayer
from .tree import DraftTree


@dataclass(frozen=True, slots=True)
class LayerWindows:
    """The layers of a model that store rows, first to last: the window of each, the query's own row among it, or None.

    Layers that read the rows of earlier ones (`shared`, the last ones) store none.
    """

    windows: tuple[int | None, ...]
    shared: int = 0

    @property
    def window(self) -> int | None:
        """The one window of the sliding layers; None where there are none."""
        return next((window for window in self.windows if window is not None), None)


class TreeKVCache(Cache):  # type: ignore[misc]  # not typed in every version
    """Keys and values of one sequence: committed rows, and behind them the tentative rows of a draft tree.

    steps: the protocol instance; this cache is the only one that acts on it.
    kv: "q3.5" holds the rows of a drafter in three and a half bits a number; the target's are held as they are.
    provenance: True to label every row and check every read, for debugging: far slower.
    after_update: called with a layer's number between its update and its attention; tests inject steps there.

    Raises ValueError where the protocol's window is not that of the layers.
    """

    def __init__(
        self,
        layers: LayerWindows,
        steps: TreeCache,
        *,
        kv: KV | None = None,
        provenance: bool = False,
        after_update: Callable[[int], None] | None = None,
    ) -> None:
        self.steps = steps
        self.windows = layers
        self.after_update = after_update
        self.provenance = Provenance() if provenance else None
        self.attended: torch.Tensor | None = None
        # Steps of the protocol and what they do to the rows are one thing to everybody else.
        self.lock = threading.RLock()
        # Rows that each layer is to write in the forward now running; None while there is none. And who has written.
        self._writing: int | None = None
        self._updated: set[int] = set()
        window = layers.window
        expected = steps.max_rows if window is None else window - 1
        if steps.window != expected:
            raise ValueError(
                f"the protocol's window is {steps.window}, but the layers' is {window}: the protocol counts the rows "
                f"before the token itself, here {expected}"
            )
        kind = TreeLayer if kv is None else CodedLayer
        self.rows = tuple(kind(index, width, self._before, self._after) for index, width in enumerate(layers.windows))
        for layer in self.rows:
            layer.labelled = provenance
        super().__init__(layers=list(self.rows))

    # --- What is there -------------------------------------------------------------------------------------------

    @property
    def committed(self) -> int:
        """Rows that are certain, those that left the window among them."""
        return self.steps.committed

    @property
    def tentative(self) -> int:
        """Rows set aside for nodes of the draft tree."""
        return len(self.steps.parents)

    @property
    def extent(self) -> Extent:
        """Which rows the queries of a forward meet."""
        return Extent(self.steps.committed, self.attended)

    def lengths(self) -> tuple[int, ...]:
        """Rows written so far, by layer: all the same, but for a forward that is running or has failed."""
        return tuple(layer.written for layer in self.rows)

    # --- Steps ---------------------------------------------------------------------------------------------------

    def prefill(self, n: int) -> None:
        """Set n rows aside for a chunk of the prompt."""
        with self.lock:
            self.steps.prefill(n)

    def filled(self) -> None:
        """The chunk has gone through all layers: its rows are certain."""
        with self.lock:
            rows = self.steps.chunk
            self.steps.filled()
            if self.provenance is not None:
                self.provenance.filled(rows)
            self._evict()

    def extend(self, parent: int) -> None:
        """Set a row aside for a node; its parent's slot is counted from 1, 0 is the last committed row."""
        with self.lock:
            self.steps.extend(parent)

    def start_read(self, reader: str, top: int) -> None:
        """A forward of this reader is about to read the rows up to `top`, those among them that it writes included."""
        with self.lock:
            self.steps.start_read(reader, top)

    def finish_read(self, reader: str) -> None:
        """The reader's forward has returned: what it was to write is written."""
        with self.lock:
            self.steps.finish_read(reader)

    def fail_read(self, reader: str) -> None:
        """The reader's forward has failed, and has cut off what it had begun to write."""
        with self.lock:
            self.steps.fail_read(reader)

    @contextmanager
    def read(self, reader: str, top: int) -> Iterator[None]:
        """A forward of this reader over the rows up to `top`: it has returned at the end of the block, or failed."""
        self.start_read(reader, top)
        try:
            yield
        except BaseException:
            self.fail_read(reader)
            raise
        self.finish_read(reader)

    def keep(self, slot: int) -> None:
        """The walk enters this slot, counted from 1: its row will be committed."""
        with self.lock:
            self.steps.keep(slot)

    def commit(self) -> tuple[int, ...]:
        """Gather the kept rows behind the committed ones, cut off the others, evict; the slots that were kept.

        Without kept rows it drops the tree, or the chunk of a prompt that was not computed.
        """
        with self.lock:
            base, kept = self.steps.committed, self.steps.kept
            self.steps.commit()
            if self.provenance is not None:
                self.provenance.committed(kept)
            # The first ones may be in place already, as those of a chain are.
            stay = next((place for place, slot in enumerate(kept) if slot != place + 1), len(kept))
            index = None
            if stay < len(kept):
                index = torch.tensor([slot - 1 for slot in kept[stay:]], device=self.rows[0].device)
            for layer in self.rows:
                layer.gather(base, kept, index)
            self._evict()
            return kept

    def release(self) -> None:
        """Give all rows back: the request is over or aborted."""
        with self.lock:
            self.steps.release()
            for layer in self.rows:
                layer.reset()
            self._forget_aliases()
            self.attended = None
            if self.provenance is not None:
                self.provenance.released()

    def restore(self, length: int) -> None:
        """Cut every layer to the same absolute length: a forward has failed and left the layers unequal.

        Raises ValueError where a layer does not reach that far, or no longer back to it.
        """
        with self.lock:
            for layer in self.rows:
                layer.cut(length)
            self._forget_aliases()

    def evict(self) -> None:
        """Drop the rows that no later token sees from the sliding layers."""
        with self.lock:
            self.steps.evict()
            for layer in self.rows:
                if layer.is_sliding:
                    layer.drop(self.steps.low)

    def _evict(self) -> None:
        # Asked, since most steps leave nothing to evict, and a reader in flight puts it off.
        if self.windows.window is not None and enabled(self.steps.evict):
            self.evict()

    def _forget_aliases(self) -> None:
        # Gemma 3n leaves here what its last layers are to read in this forward: a view of rows that may be gone.
        self.__dict__.pop("shared_layers", None)

    # --- Forwards ------------------------------------------------------------------------------------------------

    @contextmanager
    def forward(self, reading: Reading, labels: torch.Tensor | None = None) -> Iterator[None]:
        """While the model runs: each layer must write one row a query, and no layer writes at any other time.

        labels: in debug runs, what the rows are.

        When the forward fails, every layer is cut back to its length before it. Raises RuntimeError where a layer was
        left out, ProvenanceError in debug runs.
        """
        before = self.lengths()
        if len(set(before)) != 1:
            raise RuntimeError(f"the layers have different lengths, {before}: restore(committed) makes them equal")
        rows = len(reading.positions)
        if self.provenance is not None:
            assert labels is not None
            self.provenance.begin(reading, labels)
            for layer in self.rows:
                layer.labels = labels
        self._writing = rows
        self._updated.clear()
        try:
            yield
            if self.provenance is not None:
                for layer in self.rows:
                    self.provenance.end(layer.index, layer.held_labels())
            missing = [layer.index for layer in self.rows if layer.index not in self._updated]
            if missing:
                raise RuntimeError(
                    f"a forward has written no rows for the layers {missing}: the model does not use its cache as its "
                    "configuration says"
                )
        except BaseException:
            for layer in self.rows:
                layer.cut(min(before[0], layer.written))
            raise
        finally:
            self._writing = None
            self._forget_aliases()

    def _before(self, layer: TreeLayer, rows: int) -> None:
        if rows != self._writing:
            raise RuntimeError(
                f"{rows} rows for layer {layer.index}, but "
                + ("no forward is running" if self._writing is None else f"the forward writes {self._writing}")
                + ": this cache is filled through prefill and verify; to_library() makes one for other uses"
            )

    def _after(self, layer: TreeLayer, rows: int) -> None:
        self._updated.add(layer.index)
        if self.provenance is not None:
            self.provenance.check(layer.index, layer.window, layer.low, layer.held_labels())
        if self.after_update is not None:
            self.after_update(layer.index)

    def labels_for_prompt(self, positions: Sequence[int], padding: Sequence[bool]) -> torch.Tensor | None:
        """In debug runs, labels for the next rows of the prompt."""
        return None if self.provenance is None else self.provenance.prompt_rows(positions, padding)

    def labels_for_tree(self, tree: DraftTree, first: int) -> torch.Tensor | None:
        """In debug runs, labels for the rows of the nodes from `first` on."""
        if self.provenance is None:
            return None
        return self.provenance.tree_rows(tree, first, self.extent.root_position)

    # --- To and from the library's own cache ---------------------------------------------------------------------

    def take_over(self, past: Any) -> None:
        """Commit copies of the rows of the library's own cache, as plain generation and `to_library` leave it.

        past: a `DynamicCache` of one sequence; it stays as it is. This cache is empty, and not one of a debug run.

        Raises ValueError for a cache of another kind or another model.
        """
        length = past.get_seq_length()
        theirs = getattr(past, "layers", ())
        if len(theirs) < len(self.layers):
            raise ValueError(f"the cache has {len(theirs)} layers, the model stores rows in {len(self.layers)}")
        for layer, other in zip(self.layers, theirs, strict=False):
            needed = length if layer.window is None else min(length, layer.window - 1)
            held = () if other.keys is None else tuple(other.keys.shape)
            if len(held) != 4 or held[0] != 1 or not needed <= held[2] <= length:
                raise ValueError(
                    f"layer {layer.index} of the cache holds keys of shape {held}, but {needed} of {length} rows of "
                    "one sequence are needed: pass a cache that generate returned for this model"
                )
        with self.lock:
            self.prefill(length)
            with self.read("verifier", length):
                for layer, other in zip(self.layers, theirs, strict=False):
                    layer.load(other.keys, other.values, length)
            self.filled()

    def to_library(self, config: Any) -> DynamicCache:
        """A copy of the committed rows as the library's own cache, which plain generation goes on with.

        config: of the model.
        """
        with self.lock:
            copy = DynamicCache(config=config)
            for index, layer in enumerate(self.rows):
                keys, values = layer.keys, layer.values
                if keys is None or values is None:
                    continue
                rows = self.committed - layer.low
                copy.update(keys[:, :, :rows].clone(), values[:, :, :rows].clone(), index)
                if layer.is_sliding:
                    # It has seen all rows, though it is given the last ones only.
                    into: Any = copy.layers[index]
                    into.cumulative_length = self.committed
            return copy


def protocol_for(
    layers: LayerWindows,
    max_rows: int,
    max_nodes: int,
    variant: type[TreeCache] = TreeCache,
    constants: Mapping[str, Any] | None = None,
) -> TreeCache:
    """A protocol instance for a cache of these layers.

    max_rows: committed and tentative rows together. max_nodes: of a draft tree, the root among them.
    variant: the protocol, or one that has lost a guard. constants: further constants.
    """
    window = max_rows if layers.window is None else layers.window - 1
    return variant(max_rows=max_rows, max_nodes=max_nodes, window=window, **(constants or {}))
