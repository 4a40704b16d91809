"""Long loops of generated code ask whether to go on, since nobody else can in the middle of a state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

LONG = 1 << 14
"""Loops of so many turns together ask; for shorter ones whoever runs them is there soon enough."""

_EVERY = 256


class OutOfPatience(Exception):
    """Whoever was asked does not want to go on."""


class Patience:
    """Hands on what a long loop runs through, and calls `ask` in between, which may raise `OutOfPatience`."""

    def __init__(self) -> None:
        self.ask: Callable[[], None] = lambda: None

    def __call__(self, items: Iterable[int]) -> Iterator[int]:
        for place, item in enumerate(items):
            if place % _EVERY == 0:
                self.ask()
            yield item


__all__ = ["LONG", "OutOfPatience", "Patience"]
