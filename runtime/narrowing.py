"""A model whose sliding layers see fewer tokens for a while: traces of the checker evict rows after two or three."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def narrowed(model: Any, window: int) -> Iterator[None]:
    """In the block, the model's sliding layers see so many tokens, the query's own among them.

    Its configuration says so meanwhile, and every module that has noted the number: what it says of a text is another
    thing then, with and without a cache. Not for a model that others use at the same time.
    """
    holders: dict[int, Any] = {}
    for part in model.modules():
        for holder in (part, getattr(part, "config", None)):
            if isinstance(getattr(holder, "sliding_window", None), int):
                holders[id(holder)] = holder
    before = {key: holder.sliding_window for key, holder in holders.items()}
    try:
        for holder in holders.values():
            holder.sliding_window = window
        yield
    finally:
        for key, holder in holders.items():
            holder.sliding_window = before[key]
