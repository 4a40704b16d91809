"""A cache that `rollback` describes, right and wrong in several ways, and others for other protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CacheError(Exception):
    """The cache refuses what it is asked to do."""


class Cache:
    """Rows in a list; cut only where nobody reads."""

    def __init__(self, capacity: int = 4) -> None:
        self.capacity = capacity
        self.rows: list[str] = []
        self.reads: set[int] = set()

    def extend(self) -> None:
        self._demand(len(self.rows) < self.capacity, "full")
        self.rows.append("row")

    def start_read(self, i: int) -> None:
        self._demand(i <= len(self.rows), "beyond the end")
        self.reads.add(i)

    def finish_read(self, i: int) -> None:
        self._demand(i in self.reads, "not read")
        self.reads.remove(i)

    def rollback(self, k: int) -> None:
        self._demand(k < len(self.rows), "grows")
        self._demand(self._unread(k), "is read")
        self._cut(k)

    def observe(self) -> Mapping[str, Any]:
        return {"length": len(self.rows), "pending_reads": self.reads}

    def _unread(self, k: int) -> bool:
        return all(i <= k for i in self.reads)

    def _cut(self, k: int) -> None:
        del self.rows[k:]

    def _demand(self, condition: bool, why: str) -> None:
        if not condition:
            raise CacheError(why)


class CutsUnderReads(Cache):
    """The fault that `rollback` is about."""

    def _unread(self, k: int) -> bool:
        return True


class OffByOne(Cache):
    """Keeps a row too many."""

    def _cut(self, k: int) -> None:
        del self.rows[k + 1 :]


class TooCareful(Cache):
    """Refuses to cut at all while anything is read."""

    def _unread(self, k: int) -> bool:
        return not self.reads


class Crashes(Cache):
    """Raises what is no refusal."""

    def finish_read(self, i: int) -> None:
        raise ZeroDivisionError("no such read")


class HurtByRefusals(Cache):
    """Refuses as it should, but forgets its reads by it."""

    def _demand(self, condition: bool, why: str) -> None:
        if not condition:
            self.reads.clear()
        super()._demand(condition, why)


class Blind(CutsUnderReads):
    """Shows its length alone."""

    def observe(self) -> Mapping[str, Any]:
        return {"length": len(self.rows)}
