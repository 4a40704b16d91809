"""How many nodes a draft tree may have: what a request asks of a budget, and the one that never changes."""

from __future__ import annotations

import typing
from dataclasses import dataclass


class Budget(typing.Protocol):
    """Asked before each draft, and told what came of it."""

    def nodes(self) -> int:
        """The most nodes of the next draft besides its root; 0: nothing is drafted."""
        ...

    def observe(self, *, nodes: int, emitted: int, draft_seconds: float, verify_seconds: float) -> None:
        """A forward verified a tree of `nodes` nodes besides the root and gave `emitted` tokens."""
        ...


@dataclass(frozen=True, slots=True)
class FixedBudget:
    """Always the same, so that a run can be repeated."""

    most: int

    def nodes(self) -> int:
        return self.most

    def observe(self, *, nodes: int, emitted: int, draft_seconds: float, verify_seconds: float) -> None:
        """Nothing is learned."""
