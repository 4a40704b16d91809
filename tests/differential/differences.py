"""What two accounts of one protocol disagree about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Difference(AssertionError):
    """Two ways of running one protocol that should agree and do not."""


@dataclass
class Tally:
    """What a comparison has seen, for the table that a run prints."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, count: int = 1) -> None:
        """Count something."""
        self.counts[what] = self.counts.get(what, 0) + count

    def merge(self, other: Mapping[str, int]) -> None:
        """Add the counts of another run."""
        for what, count in other.items():
            self.add(what, count)
