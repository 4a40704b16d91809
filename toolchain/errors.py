"""A user's mistake outside the protocol itself. Mistakes in a protocol are `CompileError`, of tools `ToolError`."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what was asked; the message says what, and what to write instead."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion to append to "unknown …": the nearest match, or all there is when nothing is near.

    Letter case and `-` for `_` are not held against a user, so `maxlen`, `max-len` and `MaxLen` find `max_len`.
    """
    import difflib

    names = list(known)
    if not names:
        return "; there is none"
    folded = {_fold(candidate): candidate for candidate in reversed(names)}
    match = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=0.6)
    if match:
        return f"; did you mean {folded[match[0]]}?"
    return f"; there {'is' if len(names) == 1 else 'are'} {', '.join(names)}"


def _fold(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
