"""Where every row of a cache comes from: checked in debug runs, whenever rows are read.

A label goes with each row through every move, in the same buffers and by the same operations as its keys and values.
Beside them the ledger keeps its own account of what must lie where. Before a forward's attention reads a layer, the
labels in the layer are compared with the account, and what the mask lets each query read with what it may read: the
committed rows within the window, its ancestors and itself; all of these, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from .tree import DraftTree


class ProvenanceError(RuntimeError):
    """A row was about to be read that is not what the reader asked for: the row, the reader, and why."""


@dataclass(frozen=True, slots=True)
class RowTag:
    """What a row is.

    request: counted from 0, one more after each release.
    epoch: rounds of drafting of the request that were over when the row was written.
    position: in the text, as the model was told; rows of padding have one too, which means nothing.
    path: the nodes from the root of that round's tree to the row's own; empty for a row of the prompt.
    padding: whether nothing may ever read the row.
    """

    request: int
    epoch: int
    position: int
    path: tuple[int, ...] = ()
    padding: bool = False

    def __str__(self) -> str:
        if self.padding:
            return f"padding of request {self.request}"
        whence = f"node {self.path[-1]} (path {'-'.join(map(str, self.path))})" if self.path else "the prompt"
        return f"position {self.position} of request {self.request}, {whence} of round {self.epoch}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a forward is about to read, as the model is told.

    reader: who, in the protocol's words.
    first: the row of the first query; each query writes its own row, in order.
    positions: one a query.
    masks: for each kind of layer ("full" or "sliding") the additive mask [1, 1, n, kv]; None where none is passed: a
        root then reads everything up to itself, and for a piece of the prompt the model makes masks of its own, which
        are not looked at.
    """

    reader: str
    first: int
    positions: tuple[int, ...]
    masks: Mapping[str, torch.Tensor] | None


class Provenance:
    """The ledger of one cache: what each row must be, committed and tentative."""

    def __init__(self) -> None:
        self.request = 0
        self.epoch = 0
        self._tags: list[RowTag] = []
        self._committed: list[int] = []
        self._tentative: list[int] = []
        self._reading: Reading | None = None
        self._writing: tuple[int, ...] = ()
        self._seen: dict[int, tuple[int, ...]] = {}

    def tag(self, label: int) -> RowTag | None:
        """What a label stands for; None for a row that was never written, or is gone."""
        return self._tags[label] if 0 <= label < len(self._tags) else None

    # --- What happens to the cache -------------------------------------------------------------------------------

    def prompt_rows(self, positions: Sequence[int], padding: Sequence[bool]) -> torch.Tensor:
        """Labels for the next committed rows, [n]; the rows count as committed from `filled` on."""
        return self._label(
            RowTag(self.request, self.epoch, position, padding=padded)
            for position, padded in zip(positions, padding, strict=True)
        )

    def filled(self, rows: int) -> None:
        """The rows that were labelled last are committed."""
        self._committed += range(len(self._tags) - rows, len(self._tags))

    def tree_rows(self, tree: DraftTree, first: int, root_position: int) -> torch.Tensor:
        """Labels for the rows of the nodes from `first` on, [n]. The nodes before them have theirs."""
        del self._tentative[first:]
        labels = self._label(
            RowTag(self.request, self.epoch, root_position + tree.depths[node], tree.path(node))
            for node in range(first, len(tree))
        )
        self._tentative += labels.tolist()
        return labels

    def committed(self, kept: Sequence[int]) -> None:
        """The walk has kept these slots, counted from 1; the other tentative rows are gone."""
        self._committed += [self._tentative[slot - 1] for slot in kept]
        self._tentative = []
        self.epoch += 1

    def released(self) -> None:
        """All rows are gone, and another request begins."""
        self.request += 1
        self.epoch = 0
        self._committed, self._tentative = [], []

    # --- What a forward reads ------------------------------------------------------------------------------------

    def begin(self, reading: Reading, labels: torch.Tensor) -> None:
        """A forward starts; the labels are those of the rows that it writes. Raises ProvenanceError."""
        for query, (label, position) in enumerate(zip(labels.tolist(), reading.positions, strict=True)):
            tag = self._tags[label]
            if not tag.padding and tag.position != position:
                raise ProvenanceError(
                    f"{reading.reader}: query {query} is {tag}, but the model is told position {position}: a node's "
                    "position is the root's plus its depth, whatever its slot"
                )
        self._reading = reading
        self._writing = tuple(labels.tolist())
        self._seen = {}

    def check(self, layer: int, window: int | None, low: int, held: torch.Tensor) -> None:
        """Before a layer's attention: raises ProvenanceError where a query would read a wrong row, or miss one.

        window: of the layer, the query's own row among it, or None. low: the number of its first row.
        held: the labels of its rows, [held], those of the queries at the end.
        """
        reading = self._reading
        assert reading is not None
        labels = tuple(held.tolist())
        self._seen[layer] = labels
        queries = len(reading.positions)
        account = self._committed + self._tentative
        if reading.first == len(account):
            # A piece of the prompt is no part of the account before it is committed.
            account = account + list(self._writing)
        kind = "full" if window is None else "sliding"
        where = f"{reading.reader}, layer {layer} ({kind} attention)"
        self._placed(where, low, labels, account)
        tags = [self._tags[label] for label in account]
        if reading.masks is not None:
            mask = reading.masks[kind][0, 0]
            if tuple(mask.shape) != (queries, len(labels)):
                raise ProvenanceError(
                    f"{where}: a mask {tuple(mask.shape)} for {queries} queries of {len(labels)} rows"
                )
            visible = (mask == 0).tolist()
        elif tags[reading.first].path:
            visible = [[True] * len(labels)]
        else:
            visible = [[]] * queries
        for query in range(queries):
            may = self._may_read(tags, reading.first + query, window)
            if not tags[reading.first + query].padding:
                self._complete(where, query, tags, low, may, visible[query])

    def end(self, layer: int, held: torch.Tensor) -> None:
        """After a forward: raises ProvenanceError where the rows that a layer read have moved meanwhile."""
        seen = self._seen.get(layer, ())
        for column, (before, after) in enumerate(zip(seen, held.tolist(), strict=False)):
            if before != after:
                raise ProvenanceError(
                    f"layer {layer}: during a forward the row held at {column}, which it read as {self.tag(before)}, "
                    f"became {self.tag(after) or 'a row that is gone'}"
                )
        if len(seen) != len(held):
            raise ProvenanceError(f"layer {layer}: during a forward its rows went from {len(seen)} to {len(held)}")

    def _placed(self, where: str, low: int, labels: tuple[int, ...], account: list[int]) -> None:
        expected = account[low:]
        for row, (found, wanted) in enumerate(zip(labels, expected, strict=False), start=low):
            if found != wanted:
                raise ProvenanceError(
                    f"{where}: row {row} must be {self._tags[wanted]}, but holds "
                    f"{self.tag(found) or 'nothing that was written, or what is gone'}"
                )
        if len(labels) != len(expected):
            raise ProvenanceError(f"{where}: {len(labels)} rows from row {low} on, but there must be {len(expected)}")

    def _may_read(self, tags: list[RowTag], own: int, window: int | None) -> list[bool]:
        """Which rows a query at row `own` must read: the committed ones and its ancestors, within its window."""
        query = tags[own]
        certain = len(self._committed)
        in_tree = own >= certain and bool(query.path)
        if in_tree:
            may = [not tag.padding for tag in tags[:certain]]
            may += [query.path[: len(tag.path)] == tag.path for tag in tags[certain:]]
        else:
            may = [not tag.padding and row <= own for row, tag in enumerate(tags)]
        if window is not None:
            # Windows count rows as if the query's path were committed, not by slots.
            place = certain + len(query.path) - 1 if in_tree else own
            nearest = max(0, place - window + 1)
            for row in range(len(tags)):
                other = certain + len(tags[row].path) - 1 if in_tree and row >= certain else row
                may[row] = may[row] and other >= nearest
        return may

    def _complete(
        self, where: str, query: int, tags: list[RowTag], low: int, may: list[bool], visible: list[bool]
    ) -> None:
        missing = [row for row in range(low) if may[row]]
        if missing:
            raise ProvenanceError(
                f"{where}: query {query} sees back to row {missing[0]}, {tags[missing[0]]}, but row {low} is the first "
                "that was not evicted"
            )
        for row, does in enumerate(visible, start=low):
            if does != may[row]:
                verb = "would read" if does else "would miss"
                raise ProvenanceError(f"{where}: query {query} {verb} row {row}, which is {tags[row]}")

    def _label(self, tags: Iterable[RowTag]) -> torch.Tensor:
        first = len(self._tags)
        self._tags.extend(tags)
        return torch.arange(first, len(self._tags))
