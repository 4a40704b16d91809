"""Values and source as the page shows them: one line of text, with what cannot be seen written out."""

from __future__ import annotations

import linecache
from typing import Any

from ...transpiler.diagnostics import Span
from ...transpiler.domains import show


def visible(text: str) -> str:
    """A text in which whatever would be drawn as nothing, break the line, or turn the direction of what follows is
    written as an escape, as Python writes it."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def value_text(value: Any) -> str:
    """A value as a user would write it."""
    return visible(show(value))


def source_text(span: Span) -> str:
    """The source of a span on one line; empty where it is not at hand."""
    if span.line <= 0:
        return ""
    lines = [linecache.getline(span.file, number).rstrip("\n") for number in range(span.line, span.end_line + 1)]
    if not all(lines[:1]):
        return ""
    # The end first: the two may stand in one line.
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return visible(" ".join(line.strip() for line in lines if line.strip()))
