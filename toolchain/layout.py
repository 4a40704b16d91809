"""What is shown to a person, apart from how: lines and tables of styled text, and their rendering as plain text.

A style says what a text means, never how it looks, and every meaning is also in the words: without colour nothing
is lost. `render_rich` draws the same blocks at a terminal; plain text needs no import and is what files and pipes get.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "good", "bad", "warn", "dim", "strong"]


@dataclass(frozen=True, slots=True)
class Text:
    """A stretch of text with one meaning."""

    text: str
    style: Style = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Texts side by side; a line without any separates blocks."""

    parts: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and whether its cells are numbers, which stand at the right."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; a column without any text is left out."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Text, ...], ...]

    def kept(self) -> Table:
        """The table without its empty columns."""
        keep = [i for i in range(len(self.columns)) if any(row[i].text for row in self.rows)]
        return Table(tuple(self.columns[i] for i in keep), tuple(tuple(row[i] for i in keep) for row in self.rows))


Block = Line | Table

BLANK = Line()


def line(*parts: Text | str) -> Line:
    """A line of texts; plain strings have no style."""
    return Line(tuple(Text(part) if isinstance(part, str) else part for part in parts))


def row(*cells: Text | str | int) -> tuple[Text, ...]:
    """A row of a table; numbers are written with thousands separators."""
    return tuple(_cell(cell) for cell in cells)


def _cell(cell: Text | str | int) -> Text:
    match cell:
        case Text():
            return cell
        case int():
            return Text(f"{cell:,}")
        case _:
            return Text(cell)


# -------------------------------------------------------------------------------------------------- as plain text


def render_plain(blocks: Iterable[Block]) -> str:
    """Lines and tables as text, columns aligned; every line without trailing blanks."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Line(parts):
                lines.append("".join(part.text for part in parts))
            case Table():
                lines += _plain_table(block.kept())
    return "".join(text.rstrip() + "\n" for text in lines)


def _plain_table(table: Table) -> list[str]:
    rows = [tuple(column.title for column in table.columns), *(tuple(cell.text for cell in r) for r in table.rows)]
    widths = column_widths(table)
    return [
        "  " + "  ".join(_pad(text, w, c.numeric) for text, w, c in zip(r, widths, table.columns, strict=True))
        for r in rows
    ]


def column_widths(table: Table) -> list[int]:
    """The width of each column in character cells."""
    return [
        max(display_width(text) for text in (column.title, *(r[index].text for r in table.rows)))
        for index, column in enumerate(table.columns)
    ]


def table_width(table: Table) -> int:
    """The width of a table as plain text."""
    return sum(width + 2 for width in column_widths(table.kept()))


def display_width(text: str) -> int:
    """How many cells of a terminal a text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - display_width(text))
    return blanks + text if right else text + blanks


# ------------------------------------------------------------------------------------------------------ sentences


def listing(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def count(number: int, noun: str) -> str:
    """`1 state`, `31 states`, `2,048 states`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
