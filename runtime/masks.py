"""What each node of a draft tree may see, as additive attention masks, and where in the text it stands.

A node sees the committed rows, its ancestors and itself. Its position, and the place from which a sliding window counts
back, is the root's plus its depth: neither depends on its slot.

Masks are floats, 0 where a row is seen and the least value of the dtype elsewhere: eager attention adds a boolean mask
as it is, which is wrong without being noticed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .tree import DraftTree


@dataclass(frozen=True, slots=True)
class Extent:
    """Which rows the queries of a forward meet.

    committed: how many rows are certain; the root is the next one.
    attended: for each of the first rows, as many as there are, whether it may be read at all, bool on the masks'
        device; None where all may. Rows of padding may not.
    """

    committed: int
    attended: torch.Tensor | None = None

    @property
    def unread(self) -> int:
        """How many committed rows are padding: they have a row, but no position."""
        return 0 if self.attended is None else int((~self.attended).sum())

    @property
    def root_position(self) -> int:
        """The position of the root in the text."""
        return self.committed - self.unread


def positions(tree: DraftTree, first: int, root_position: int) -> tuple[int, ...]:
    """The position in the text of each node from `first` on."""
    return tuple(root_position + depth for depth in tree.depths[first:])


def ancestors(tree: DraftTree, first: int) -> torch.Tensor:
    """[n − first, n] bool: whether a node from `first` on sees a node, that is, descends from it or is it."""
    size = len(tree)
    rows: list[bytearray] = []
    for node, parent in enumerate(tree.parents):
        row = bytearray(size) if parent < 0 else bytearray(rows[parent])
        row[node] = 1
        rows.append(row)
    # From bytes, since a tensor made of nested lists takes ten times as long.
    return torch.frombuffer(bytearray().join(rows[first:]), dtype=torch.bool).view(size - first, size)


def full_mask(
    tree: DraftTree, first: int, extent: Extent, dtype: torch.dtype, device: torch.device, low: int = 0
) -> torch.Tensor:
    """The mask of full attention for the nodes from `first` on: [1, 1, n − first, committed − low + n].

    low: the first committed row that the layer holds.
    """
    hidden = torch.finfo(dtype).min
    size = len(tree)
    width = extent.committed - low
    mask = torch.zeros((size - first, width + size), dtype=dtype, device=device)
    mask[:, width:].masked_fill_(~ancestors(tree, first).to(device), hidden)
    if extent.attended is not None:
        unseen = ~extent.attended[low : extent.committed]
        mask[:, : unseen.shape[0]].masked_fill_(unseen, hidden)
    return mask[None, None]


def sliding_mask(
    tree: DraftTree, first: int, extent: Extent, window: int, dtype: torch.dtype, device: torch.device, low: int
) -> torch.Tensor:
    """The mask of sliding attention: as `full_mask`, and a node sees `window` rows back at most, itself among them."""
    mask = full_mask(tree, first, extent, dtype, device, low)
    # The place of each row, if the node's path were committed, relative to the root's.
    depths = torch.tensor(tree.depths, device=device)
    places = torch.cat((torch.arange(low - extent.committed, 0, device=device), depths))
    too_far = depths[first:, None] - places[None, :] >= window
    return mask.masked_fill_(too_far, torch.finfo(dtype).min)
