"""The blocks of `layout` at a terminal, by rich; imported only where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TextIO

import rich.box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text as RichText

from .layout import Block, Line, Style, Table, Text, column_widths, table_width

LOOKS: dict[Style, str] = {"": "", "good": "green", "bad": "bold red", "warn": "yellow", "dim": "dim", "strong": "bold"}

SHORT = 10
"""Columns of numbers and of single words are at most so wide; they are not folded while there is room."""

FOLDED = 5
"""The least that a folded column is given."""


def render_rich(blocks: Iterable[Block], file: TextIO, width: int | None = None, *, colour: bool | None = None) -> None:
    """Write blocks to a terminal. Colour follows NO_COLOR and the terminal, unless `colour` says otherwise."""
    console = Console(
        file=file,
        width=width,
        highlight=False,
        force_terminal=colour,
        color_system="standard" if colour else "auto",
    )
    for block in blocks:
        match block:
            case Line(parts):
                console.print(_joined(parts), soft_wrap=False)
            case Table():
                candidates = tuple(_narrower(block.kept()))
                fitting = next((t for t in candidates if table_width(t) <= console.width), candidates[-1])
                console.print(Padding(_table(fitting, console.width), (0, 0, 0, 2), expand=False))


def _narrower(table: Table) -> Iterator[Table]:
    """The table, then with its places (the column without a heading) cut down to file names, then without them."""
    yield table
    places = [column.title == "" for column in table.columns]
    yield Table(
        table.columns,
        tuple(
            tuple(
                replace(cell, text=cell.text.rpartition("/")[2]) if is_place else cell
                for cell, is_place in zip(row, places, strict=True)
            )
            for row in table.rows
        ),
    )
    keep = [index for index, is_place in enumerate(places) if not is_place]
    yield Table(
        tuple(table.columns[index] for index in keep), tuple(tuple(row[index] for index in keep) for row in table.rows)
    )


def _unbroken(table: Table, width: int) -> frozenset[int]:
    """The columns that are not folded: what names a row and what is short, as far as that leaves room for the others.

    Where a column may not be folded and does not fit, its text would be cut off.
    """
    widths = column_widths(table)
    short = frozenset(index for index, wide in enumerate(widths) if wide <= SHORT)
    for whole in (short | {0}, frozenset({0})):
        if sum(2 + (wide if index in whole else min(wide, FOLDED)) for index, wide in enumerate(widths)) <= width:
            return whole
    return frozenset()


def _table(table: Table, width: int) -> RichTable:
    # With this box every column is followed by a blank of its own; one more of padding makes a gap of two.
    look = {"box": rich.box.SIMPLE_HEAD, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}
    result = RichTable(header_style="bold", **look)  # type: ignore[arg-type]
    unbroken = _unbroken(table, width)
    for index, column in enumerate(table.columns):
        justify = "right" if column.numeric else "left"
        title = RichText(column.title)
        result.add_column(title, justify=justify, overflow="fold", no_wrap=index in unbroken)  # type: ignore[arg-type]
    for row in table.rows:
        result.add_row(*(_text(cell) for cell in row))
    return result


def _joined(parts: Iterable[Text]) -> RichText:
    return RichText.assemble(*(_text(part) for part in parts))


def _text(part: Text) -> RichText:
    # Text objects, never markup: a value such as "[bold]" is shown as it is.
    return RichText(part.text, style=LOOKS[part.style])
