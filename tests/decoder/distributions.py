"""The chi-square test: whether counts can come from a distribution. With fixed seeds a test is the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist


def chi_square(counts: Sequence[float], probabilities: Sequence[float]) -> float:
    """Pearson's statistic; every probability is positive, and they sum to 1."""
    total = sum(counts)
    assert abs(sum(probabilities) - 1) < 1e-6
    assert min(probabilities) * total >= 5, "too few samples for the approximation"
    return sum((n - total * p) ** 2 / (total * p) for n, p in zip(counts, probabilities, strict=True))


def critical(degrees: int, level: float = 1e-5) -> float:
    """What the statistic exceeds with this probability (Wilson and Hilferty's approximation)."""
    z = NormalDist().inv_cdf(1 - level)
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + z * spread**0.5) ** 3)
