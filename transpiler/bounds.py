"""What an annotation says beyond the type: `Between` and `In`.

`MinLen` and `MaxLen` are those of the `annotated-types` package, and `Between` and `In` carry its metadata, so that
Hypothesis and Pydantic understand a protocol's types as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Le, MaxLen, MinLen, Predicate

__all__ = ["Between", "In", "MaxLen", "MinLen"]


@dataclass(frozen=True, slots=True)
class Between(GroupedMetadata):
    """Integers from `low` to `high`, both ends included."""

    low: int
    high: int

    def __iter__(self) -> Iterator[BaseMetadata]:
        yield Ge(self.low)
        yield Le(self.high)


@dataclass(frozen=True, slots=True)
class In(GroupedMetadata):
    """The members of a constant set."""

    members: Set[object]

    def __iter__(self) -> Iterator[BaseMetadata]:
        yield Predicate(self.members.__contains__)
