"""KV-cache rollback: cut a rejected draft off the cache, but never under an attention read in flight.

A cache of `length` rows grows by one row a token. Attention reads are in flight while further steps are scheduled;
`pending_reads` holds the position of each. When the target rejects a draft, the cache is cut back to `k` rows.
"""

from typing import Annotated, Self

from protocheck import Between, Protocol, action, const, guard, invariant, transition_invariant


class Rollback(Protocol, survivors={"finish_read.is_pending": "finishing a read twice changes nothing"}):
    max_len: int = const(4)

    Position = Annotated[int, Between(1, max_len)]

    length: Annotated[int, Between(0, max_len)] = 0
    pending_reads: frozenset[Position] = frozenset()

    @action
    def extend(self) -> None:
        """One more row is written behind the last."""
        guard(room_left=self.length < self.max_len)
        self.length += 1

    @action
    def start_read(self, i: Position) -> None:
        """An attention read of the rows up to i is launched."""
        guard(inside_tail=i <= self.length)
        self.pending_reads |= {i}

    @action
    def finish_read(self, i: Position) -> None:
        """The read has returned."""
        guard(is_pending=i in self.pending_reads)
        self.pending_reads -= {i}

    @action
    def rollback(self, k: Annotated[int, Between(0, max_len - 1)]) -> None:
        """Rows above k are cut off."""
        guard(
            shrinks=k < self.length,
            no_reader_above=all(i <= k for i in self.pending_reads),
        )
        self.length = k

    @invariant
    def no_ghost_reads(self) -> bool:
        """No read is in flight beyond the last row."""
        return all(i <= self.length for i in self.pending_reads)

    @transition_invariant
    def grows_by_one(self, after: Self) -> bool:
        """A row appears only behind the last one, one at a time."""
        return after.length <= self.length + 1
