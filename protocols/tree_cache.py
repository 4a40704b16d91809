"""A KV cache that holds a draft tree: nothing that a forward reads is moved, evicted or cut off under it.

Rows 1 … `committed` are the tokens that are certain. Behind them stand tentative rows, those of a chunk of the prompt
or one a node of the draft tree: slot i is row committed + i, and `parents[i - 1]` is the slot of its parent, 0 for the
last committed row. Every forward is a read: it writes the tentative rows up to its top, and reads everything up to
there. When it has returned, a chunk is certain as it stands, and of a tree the walk keeps the rows of one path, root
first. `commit` gathers these behind the committed rows and cuts off the rest; what has left the sliding window is
evicted. A forward that has failed has written nothing.

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
    ghost,
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
    survivors={
        "finish_read.is_reading": "finishing a read twice changes nothing",
        "fail_read.is_reading": "what nobody reads can fail without a change",
    },
):
    max_rows: int = const(4)
    max_nodes: int = const(3)

    # The committed rows that the next token sees. A model's sliding window counts the token itself: it is one more.
    # With as many as there are rows nothing is ever evicted.
    window: int = const(2)

    readers: frozenset[str] = const(frozenset({"verifier", "drafter"}))

    # How many rows of a chunk the model sets aside at once; at run time it may be any. n at once are n one by one.
    max_chunk: int = const(1)

    Reader = Annotated[str, In(readers)]
    Rows = Annotated[int, Between(0, max_rows)]
    Row = Annotated[int, Between(1, max_rows)]
    Slot = Annotated[int, Between(1, max_nodes)]

    committed: Rows = 0
    low: Rows = 0
    chunk: Rows = 0
    parents: Annotated[tuple[Annotated[int, Between(0, max_nodes - 1)], ...], MaxLen(max_nodes)] = ()
    written: Rows = 0
    kept: Annotated[tuple[Slot, ...], MaxLen(max_nodes)] = ()
    reading: dict[Reader, Rows] = {reader: 0 for reader in readers}

    # The tentative rows that all layers hold in the end: a forward that fails cuts off what it has written.
    held: Rows = ghost(0)

    @action
    def prefill(self, n: Row) -> None:
        """Rows are set aside for a chunk of the prompt, n more."""
        guard(no_tree=self.parents == (), room_left=self.committed + self.chunk + n <= self.max_rows)
        assume(n <= self.max_chunk)
        self.chunk += n

    @action
    def filled(self) -> None:
        """The rows of the chunk are certain, as they stand (unwritten ones: vllm#47926, #47930)."""
        guard(has_chunk=self.chunk > 0, is_written=self.chunk <= self.written)
        self.committed += self.chunk
        self.chunk = 0
        self.written = 0
        self.held = 0

    @action
    def extend(self, parent: Annotated[int, Between(0, max_nodes - 1)]) -> None:
        """A row is set aside for one more node of the draft tree (without: vllm#16370, TensorRT-LLM#16280)."""
        guard(
            no_chunk=self.chunk == 0,
            room_left=self.committed + len(self.parents) < self.max_rows,
            nodes_left=len(self.parents) < self.max_nodes,
            parent_exists=parent <= len(self.parents),
        )
        self.parents += (parent,)

    @action
    def start_read(self, reader: Reader, top: Row) -> None:
        """A forward over the rows up to `top` is launched; it will write those among them that nobody has written."""
        guard(
            reader_idle=self.reading[reader] == 0,
            not_behind=top >= self.committed,
            inside_tail=top <= self.last_row(),
            one_writer=top <= self.last_written() or not self.is_being_written(),
        )
        self.reading[reader] = top

    @action
    def finish_read(self, reader: Reader) -> None:
        """The forward has returned."""
        guard(is_reading=self.reading[reader] != 0)
        self.written = max(self.written, self.reading[reader] - self.committed)
        self.held = max(self.held, self.reading[reader] - self.committed)
        self.reading[reader] = 0

    @action
    def fail_read(self, reader: Reader) -> None:
        """The forward has failed: it reads no longer, and what it was to write is as unwritten as before."""
        guard(is_reading=self.reading[reader] != 0)
        self.reading[reader] = 0

    @action
    def keep(self, i: Slot) -> None:
        """The walk enters slot i (an unwritten row would be committed otherwise: vllm#47926, #47930)."""
        guard(is_written=i <= self.written, child_of_the_last=self.parents[i - 1 : i] == (self.last_kept(),))
        self.kept += (i,)

    @action
    def commit(self) -> None:
        """The kept rows move behind the committed ones, in the order of the path; all other tentative rows are gone.

        Rows above `committed` move, also below the new end: a reader that the published guard would let through, at
        or below committed + len(kept), sees another row than it asked for. With nothing kept this is what an abort
        needs; it never cuts a row that is certain (mlxcel#994 cut two).
        """
        guard(no_reader_above=all(self.reading[reader] <= self.committed for reader in self.readers))
        self.committed += len(self.kept)
        self.chunk = 0
        self.parents = ()
        self.written = 0
        self.held = 0
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
        self.chunk = 0
        self.parents = ()
        self.written = 0
        self.held = 0
        self.kept = ()

    @helper
    def last_kept(self) -> int:
        """The slot that the walk has come to; 0 before it has entered the tree."""
        return self.kept[-1] if len(self.kept) > 0 else 0

    @helper
    def last_row(self) -> int:
        """The last row, certain or not."""
        return self.committed + self.chunk + len(self.parents)

    @helper
    def last_written(self) -> int:
        """The last row that a forward has written."""
        return self.committed + self.written

    @helper
    def is_being_written(self) -> bool:
        """A forward in flight writes rows."""
        return any(self.reading[reader] > self.last_written() for reader in self.readers)

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
        return self.last_row()

    @abstraction
    def pending_reads(self) -> frozenset[int]:
        """How far the forwards in flight read."""
        return frozenset(self.reading[reader] for reader in self.readers if self.reading[reader] != 0)

    @invariant
    def rows_fit(self) -> bool:
        """There is a row for every token of a chunk and every node of a tree."""
        return self.last_row() <= self.max_rows

    @invariant
    def slots_are_rows(self) -> bool:
        """Slot i is row committed + i: no chunk stands before a tree."""
        return self.chunk == 0 or self.parents == ()

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
        """No row is kept that the layers do not hold."""
        return all(slot <= self.held for slot in self.kept)

    @invariant
    def no_ghost_reads(self) -> bool:
        """No forward reads beyond the last row."""
        return all(self.reading[reader] <= self.last_row() for reader in self.readers)

    @invariant
    def one_writes(self) -> bool:
        """Of the forwards in flight one writes at most: two would write the same rows."""
        return len(frozenset(reader for reader in self.readers if self.reading[reader] > self.last_written())) <= 1

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
        """No row moves under a reader: what is still there is in its place, as it was or certain by now."""
        highest = max((self.reading[r] for r in self.readers if after.reading[r] == self.reading[r]), default=0)
        seen = min(highest, self.last_row(), after.last_row())
        slots = max(0, seen - self.committed)
        as_it_was = after.committed == self.committed and after.parents[:slots] == self.parents[:slots]
        certain_in_place = after.committed >= seen and (
            self.parents == () or all(self.kept[slot - 1 : slot] == (slot,) for slot in range(1, slots + 1))
        )
        return seen == 0 or (after.low == self.low and (as_it_was or certain_in_place))

    @transition_invariant
    def reads_until_finished(self, after: Self) -> bool:
        """A forward in flight is known by its top until it has returned."""
        return all(
            self.reading[r] == 0 or after.reading[r] == 0 or after.reading[r] == self.reading[r] for r in self.readers
        )

    @transition_invariant
    def certain_for_good(self, after: Self) -> bool:
        """Committed rows stay until the request is over; a whole chunk is added to them, or the path that was kept."""
        added = after.committed - self.committed
        from_the_prompt = added == self.chunk and self.parents == ()
        from_the_tree = added == len(self.kept) and after.parents == ()
        return after.committed == 0 or added == 0 or (added > 0 and (from_the_prompt or from_the_tree))

    @transition_invariant
    def certain_is_there(self, after: Self) -> bool:
        """No row becomes certain that the layers do not hold."""
        return after.committed <= self.committed + self.held

    @reachable
    def window_slides(self) -> bool:
        """Rows are evicted while others are read again."""
        return self.low > 0 and not self.is_quiet()

    @reachable
    def gathers(self) -> bool:
        """A path is kept whose rows are not next to one another."""
        return any(self.kept[i] != i + 1 for i in range(len(self.kept)))
