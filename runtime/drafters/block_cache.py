"""What a block drafter keeps of the context, under the `TreeCache` protocol: keys and values of one row a certain
token.

The rows of a block are tentative and dropped with it: they are never stored, but the protocol knows them, so that
nothing moves under the forward that computes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ...protocols.tree_cache import TreeCache
from ..quantization.kv import CodedRows, KVCodec

READER = "drafter"
_SMALLEST = 64  # rows of a first buffer


class ContextRows:
    """Keys and values of the context, for all layers: [layers, 1, kv_heads, rows, head_dim], in buffers that grow.

    max_rows: the most tokens of a request. block: the most rows of a block. codec: how rows are held, None for as they
    are. tree_cache: the protocol, or a variant that has lost a guard.
    """

    def __init__(
        self, max_rows: int, block: int, codec: KVCodec | None, tree_cache: type[TreeCache] = TreeCache
    ) -> None:
        self.steps = tree_cache(
            max_rows=max_rows + block,
            max_nodes=block,
            window=max_rows + block,  # no layer has a sliding window
            readers=frozenset({READER}),
            max_chunk=max_rows + block,
        )
        self._codec = codec
        # Keys, then values; with a codec, codes and scales of both.
        self._buffers: tuple[torch.Tensor, ...] = ()
        self._dtype = torch.float32

    @property
    def committed(self) -> int:
        """Rows there are."""
        return self.steps.committed

    @property
    def stored_bytes(self) -> int:
        """What the rows that there are take."""
        rows = self.steps.committed
        return sum(buffer[..., :rows, :].numel() * buffer.element_size() for buffer in self._buffers)

    def fill(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Rows of tokens that are certain now, each [layers, 1, kv_heads, n, head_dim]; n may be 0."""
        rows = keys.shape[-2]
        if not rows:
            return
        before = self.steps.committed
        self.steps.prefill(rows)
        try:
            with self._read_up_to(before + rows):
                self._write(keys, values, before)
        except BaseException:
            self.steps.commit()  # nothing was kept: this drops the rows that were set aside
            raise
        self.steps.filled()

    def _write(self, keys: torch.Tensor, values: torch.Tensor, before: int) -> None:
        rows = keys.shape[-2]
        self._dtype = keys.dtype
        parts: list[torch.Tensor] = []
        for part in (keys, values):
            if self._codec is None:
                parts.append(part)
            else:
                coded = self._codec.encode(part)
                parts += (coded.codes, coded.scales)
        self._buffers = tuple(
            _grown(buffer, part, before, before + rows)
            for buffer, part in zip(self._buffers or (None,) * len(parts), parts, strict=True)
        )
        for buffer, part in zip(self._buffers, parts, strict=True):
            buffer[..., before : before + rows, :] = part

    @contextmanager
    def block(self, rows: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The context's keys and values for a forward over a block of so many rows; they are dropped when it has
        returned.

        Raises GuardRefused where the block is too long or another forward is under way.
        """
        try:
            for slot in range(rows):
                self.steps.extend(slot)  # what a block knows of its order is a chain
            with self._read_up_to(self.steps.committed + rows):
                yield self._read()
        finally:
            self.steps.commit()  # nothing was kept: this drops the block

    def release(self) -> None:
        """Give everything back; also when there is nothing."""
        self.steps.release()
        self._buffers = ()

    @contextmanager
    def _read_up_to(self, top: int) -> Iterator[None]:
        """A forward over these rows, or what else writes some: it has returned at the end of the block, or failed."""
        self.steps.start_read(READER, top)
        try:
            yield
        except BaseException:
            self.steps.fail_read(READER)
            raise
        self.steps.finish_read(READER)

    def _read(self) -> tuple[torch.Tensor, torch.Tensor]:
        held = [buffer[..., : self.steps.committed, :] for buffer in self._buffers]
        if self._codec is None:
            keys, values = held
            return keys, values
        return (
            self._codec.decode(CodedRows(held[0], held[1]), self._dtype),
            self._codec.decode(CodedRows(held[2], held[3]), self._dtype),
        )


def _grown(buffer: torch.Tensor | None, like: torch.Tensor, used: int, needed: int) -> torch.Tensor:
    """A buffer of at least `needed` rows with the `used` first ones kept."""
    if buffer is not None and buffer.shape[-2] >= needed:
        return buffer
    capacity = max(_SMALLEST, 2 * needed)
    grown = like.new_empty((*like.shape[:-2], capacity, like.shape[-1]))
    if buffer is not None:
        grown[..., :used, :] = buffer[..., :used, :]
    return grown
