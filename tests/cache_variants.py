"""Caches of a draft tree with a mistake that is no lost guard: checker and decoder show what they let happen."""

from __future__ import annotations

from typing import Annotated

from protocheck import In, action, guard
from protocheck.protocols.tree_cache import TreeCache


class PublishedGuard(TreeCache):
    """Commit under the guard that was published for cutting a chain: a reader at or below the new end may go on."""

    @action
    def commit(self) -> None:
        guard(no_reader_above=all(self.reading[r] <= self.committed + len(self.kept) for r in self.readers))
        self.committed += len(self.kept)
        self.chunk = 0
        self.parents = ()
        self.written = 0
        self.held = 0
        self.kept = ()


class FailsUnnoticed(TreeCache):
    """A forward that has failed is taken to have returned, as it was here once."""

    @action
    def fail_read(self, reader: Annotated[str, In(frozenset({"drafter", "verifier"}))]) -> None:
        guard(is_reading=self.reading[reader] != 0)
        self.written = max(self.written, self.reading[reader] - self.committed)
        self.reading[reader] = 0
