"""Distributions of exact fractions, and every outcome of a random procedure with its exact probability.

The acceptance rules run on these as they run on tensors; two distributions are then equal, or they are not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Self, TypeVar

Outcome = TypeVar("Outcome")


class Rationals:
    """What `protocheck.runtime.rejection.Weights` asks for. Only a clone can be written to."""

    def __init__(self, values: Iterable[Fraction | int], *, writable: bool = False) -> None:
        self._values = [Fraction(value) for value in values]
        self._writable = writable

    @classmethod
    def normalised(cls, values: Iterable[int]) -> Self:
        numbers = [Fraction(value) for value in values]
        return cls(value / sum(numbers) for value in numbers)

    def __getitem__(self, token: int) -> Fraction:
        return self._values[token]

    def __setitem__(self, token: int, weight: Fraction | int) -> None:
        if not self._writable:
            raise AssertionError("a distribution was written to that belongs to somebody else")
        self._values[token] = Fraction(weight)

    def __sub__(self, other: Rationals) -> Rationals:
        return Rationals(a - b for a, b in zip(self._values, other._values, strict=True))

    def __truediv__(self, divisor: Fraction) -> Rationals:
        return Rationals(value / divisor for value in self._values)

    def __len__(self) -> int:
        return len(self._values)

    def clone(self) -> Rationals:
        return Rationals(self._values, writable=True)

    def clamp(self, min: int) -> Rationals:
        return Rationals(max(value, Fraction(min)) for value in self._values)

    def sum(self) -> Fraction:
        return sum(self._values, Fraction(0))

    def ranked(self) -> list[int]:
        """Tokens in descending order of probability."""
        return sorted(range(len(self)), key=lambda token: (-self[token], token))

    def as_dict(self) -> dict[int, Fraction]:
        return {token: value for token, value in enumerate(self._values) if value}


class Enumeration:
    """One run of a random procedure: what was decided is replayed, then the first possibility is taken each time."""

    def __init__(self, script: tuple[int, ...]) -> None:
        self._script = script
        self._taken: tuple[int, ...] = ()
        self.probability = Fraction(1)
        self.others: list[tuple[int, ...]] = []

    def choose(self, weights: Mapping[int, Fraction]) -> int:
        possible = [value for value, weight in weights.items() if weight]
        assert possible
        assert sum(weights.values()) == 1
        if len(self._taken) < len(self._script):
            value = self._script[len(self._taken)]
        else:
            value = possible[0]
            self.others += [(*self._taken, other) for other in possible[1:]]
        self._taken += (value,)
        self.probability *= weights[value]
        return value

    def token(self, weights: Rationals) -> int:
        return self.choose(weights.as_dict())

    def accepts(self, p: Fraction, q: Fraction) -> bool:
        accepted = min(Fraction(1), p / q)
        return bool(self.choose({1: accepted, 0: 1 - accepted}))


def outcomes(procedure: Callable[[Enumeration], Outcome]) -> dict[Outcome, Fraction]:
    """Every outcome of a procedure that takes all its randomness from its argument, with its probability."""
    found: defaultdict[Outcome, Fraction] = defaultdict(Fraction)
    pending: list[tuple[int, ...]] = [()]
    while pending:
        run = Enumeration(pending.pop())
        found[procedure(run)] += run.probability
        pending += run.others
    assert sum(found.values()) == 1
    return {outcome: probability for outcome, probability in found.items() if probability}


def total_variation(one: Mapping[Outcome, Fraction], other: Mapping[Outcome, Fraction]) -> Fraction:
    """Half the sum of the differences; 0 only where the two distributions are the same."""
    keys = one.keys() | other.keys()
    return sum((abs(one.get(key, Fraction(0)) - other.get(key, Fraction(0))) for key in keys), Fraction(0)) / 2
