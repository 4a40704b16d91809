"""A KV cache that holds a draft tree: nothing that a forward reads is moved, evicted or cut off under it.

Rows 1 … `committed` are the tokens that are certain. Behind them stand tentative rows, one a node of the draft tree:
slot i is row committed + i, and `parents[i - 1]` is the slot of its parent, 0 for the last committed row. A forward
writes the tentative rows up to its top and reads everything up to there; when it has returned, the walk keeps the rows
of one path, root first. `commit` gathers these behind the committed rows and cuts off the rest; what has left the
sliding window is evicted.

One instance belongs to one cache and one request. An in-place cache moves rows when it gathers and when it evicts, so
both wait for those who read them; what real caches lost without such a guard is named at each.
"""

from typing import Annotated, Self

from protocheck import (
    Between,
    In,
    MaxLen,
    Protocol,
    abstraction,
    action,
    assume,
    const,
    guard,
    helper,
    invariant,
    reachable,
    transition_invariant,
)
from protocheck.protocols.rollback import Rollback


class TreeCache(
    Protocol,
    refines=Rollback,
    survivors={"finish_read.is_reading": "finishing a read twice changes nothing"},
):
    max_rows: int = const(4)
    max_nodes: int = const(3)

    # The committed rows that the next token sees. A model's sliding window counts the token itself: it is one more.
    # With as many as there are rows nothing is ever evicted.
    window: int = const(2)

    readers: frozenset[str] = const(frozenset({"verifier", "drafter"}))

    # The longest prefill chunk of the model; at run time it may be any. A chunk of n rows does what n chunks of one do.
    max_chunk: int = const(1)

    Reader = Annotated[str, In(readers)]
    Rows = Annotated[int, Between(0, max_rows)]
    Row = Annotated[int, Between(1, max_rows)]
    Slot = Annotated[int, Between(1, max_nodes)]

    committed: Rows = 0
    low: Rows = 0
    parents: Annotated[tuple[Annotated[int, Between(0, max_nodes - 1)], ...], MaxLen(max_nodes)] = ()
    written: Annotated[int, Between(0, max_nodes)] = 0
    kept: Annotated[tuple[Slot, ...], MaxLen(max_nodes)] = ()
    reading: dict[Reader, Rows] = {reader: 0 for reader in readers}

    @action
    def fill(self, n: Row) -> None:
        """A prefill chunk has returned: n more rows are certain."""
        guard(no_tree=self.parents == (), room_left=self.committed + n <= self.max_rows)
        assume(n <= self.max_chunk)
        self.committed += n

    @action
    def extend(self, parent: Annotated[int, Between(0, max_nodes - 1)]) -> None:
        """A row is set aside for one more node of the draft tree (without: vllm#16370, TensorRT-LLM#16280)."""
        guard(
            room_left=self.committed + len(self.parents) < self.max_rows,
            nodes_left=len(self.parents) < self.max_nodes,
            parent_exists=parent <= len(self.parents),
        )
        self.parents += (parent,)

    @action
    def start_read(self, reader: Reader, top: Row) -> None:
        """A forward over the rows up to `top` is launched; it will write the tentative ones among them."""
        guard(
            reader_idle=self.reading[reader] == 0,
            not_behind=top >= self.committed,
            inside_tail=top <= self.committed + len(self.parents),
        )
        self.reading[reader] = top

    @action
    def finish_read(self, reader: Reader) -> None:
        """The forward has returned."""
        guard(is_reading=self.reading[reader] != 0)
        self.written = max(self.written, self.reading[reader] - self.committed)
        self.reading[reader] = 0

    @action
    def keep(self, i: Slot) -> None:
        """The walk enters slot i (an unwritten row would be committed otherwise: vllm#47926, #47930)."""
        guard(is_written=i <= self.written, child_of_the_last=self.parents[i - 1 : i] == (self.last_kept(),))
        self.kept += (i,)

    @action
    def commit(self) -> None:
        """The kept rows move behind the committed ones, in the order of the path; the other tentative rows are gone.

        Rows above `committed` move, also below the new end: a reader that the published guard would let through, at
        or below committed + len(kept), sees another row than it asked for. With nothing kept this is what an abort
        needs; it never cuts a row that is certain (mlxcel#994 cut two).
        """
        guard(no_reader_above=all(self.reading[reader] <= self.committed for reader in self.readers))
        self.committed += len(self.kept)
        self.parents = ()
        self.written = 0
        self.kept = ()

    @action
    def evict(self) -> None:
        """Rows that no later token sees are dropped, and the others move down."""
        guard(outside_the_window=self.low < self.committed - self.window, nobody_reads=self.is_quiet())
        self.low = self.committed - self.window

    @action
    def release(self) -> None:
        """The request is over or aborted: all rows are given back (under a reader: sglang#18803, vllm#32255)."""
        guard(nobody_reads=self.is_quiet())
        self.committed = 0
        self.low = 0
        self.parents = ()
        self.written = 0
        self.kept = ()

    @helper
    def last_kept(self) -> int:
        """The slot that the walk has come to; 0 before it has entered the tree."""
        return self.kept[-1] if len(self.kept) > 0 else 0

    @helper
    def is_quiet(self) -> bool:
        """No forward is in flight."""
        return all(self.reading[reader] == 0 for reader in self.readers)

    @helper
    def last_unseen(self, row: int) -> int:
        """The last row that no token behind `row` sees; 0 where all are seen."""
        return max(0, row - self.window)

    @abstraction
    def max_len(self) -> int:
        return self.max_rows

    @abstraction
    def length(self) -> int:
        """The rows that there are, certain or not."""
        return self.committed + len(self.parents)

    @abstraction
    def pending_reads(self) -> frozenset[int]:
        """How far the forwards in flight read."""
        return frozenset(self.reading[reader] for reader in self.readers if self.reading[reader] != 0)

    @invariant
    def rows_fit(self) -> bool:
        """There is a row for every node."""
        return self.committed + len(self.parents) <= self.max_rows

    @invariant
    def tree_is_well_founded(self) -> bool:
        """Every node stands behind its parent."""
        return all(self.parents[slot - 1] < slot for slot in range(1, len(self.parents) + 1))

    @invariant
    def kept_is_a_path(self) -> bool:
        """What the walk keeps leads from the last committed row downwards, from parent to child."""
        return all(
            self.parents[self.kept[i] - 1 : self.kept[i]] == ((0,) + self.kept)[i : i + 1]
            for i in range(len(self.kept))
        )

    @invariant
    def kept_is_written(self) -> bool:
        """No row is kept that no forward has written."""
        return all(slot <= self.written for slot in self.kept)

    @invariant
    def no_ghost_reads(self) -> bool:
        """No forward reads beyond the last row."""
        return all(self.reading[reader] <= self.committed + len(self.parents) for reader in self.readers)

    @invariant
    def window_is_whole(self) -> bool:
        """Every committed row that the next token sees is there."""
        return self.low <= self.last_unseen(self.committed)

    @invariant
    def reads_are_whole(self) -> bool:
        """Every row that a forward in flight sees is there."""
        return all(
            self.low <= self.last_unseen(self.reading[reader]) for reader in self.readers if self.reading[reader] != 0
        )

    @transition_invariant
    def rows_stay_put(self, after: Self) -> bool:
        """No row moves or vanishes under a reader: in its place it stays what it is, or becomes certain."""
        highest = max((self.reading[r] for r in self.readers if after.reading[r] == self.reading[r]), default=0)
        if highest == 0:
            return True
        slots = max(0, highest - self.committed)
        as_it_was = after.committed == self.committed and after.parents[:slots] == self.parents[:slots]
        certain_in_place = after.committed >= highest and all(
            self.kept[slot - 1 : slot] == (slot,) for slot in range(1, slots + 1)
        )
        return after.low == self.low and (as_it_was or certain_in_place)

    @transition_invariant
    def reads_until_finished(self, after: Self) -> bool:
        """A forward in flight is known by its top until it has returned."""
        return all(
            self.reading[r] == 0 or after.reading[r] == 0 or after.reading[r] == self.reading[r] for r in self.readers
        )

    @transition_invariant
    def certain_for_good(self, after: Self) -> bool:
        """Committed rows stay until the request is over; behind a tree only the kept path is added to them."""
        added = after.committed - self.committed
        from_the_tree = added == len(self.kept) and after.parents == ()
        return after.committed == 0 or added == 0 or (added > 0 and (self.parents == () or from_the_tree))

    @reachable
    def window_slides(self) -> bool:
        """Rows are evicted while others are read again."""
        return self.low > 0 and not self.is_quiet()

    @reachable
    def gathers(self) -> bool:
        """A path is kept whose rows are not next to one another."""
        return any(self.kept[i] != i + 1 for i in range(len(self.kept)))
