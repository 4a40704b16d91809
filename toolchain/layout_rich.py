"""The blocks of `layout` at a terminal, by rich; imported only where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

import rich.box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text as RichText

from .layout import Block, Line, Style, Table, Text

LOOKS: dict[Style, str] = {"": "", "good": "green", "bad": "bold red", "warn": "yellow", "dim": "dim", "strong": "bold"}


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
                console.print(Padding(_table(block.kept()), (0, 0, 0, 1), expand=False))


def _table(table: Table) -> RichTable:
    result = RichTable(box=rich.box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 1))
    for column in table.columns:
        justify = "right" if column.numeric else "left"
        result.add_column(RichText(column.title), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in table.rows:
        result.add_row(*(_text(cell) for cell in row))
    return result


def _joined(parts: Iterable[Text]) -> RichText:
    return RichText.assemble(*(_text(part) for part in parts))


def _text(part: Text) -> RichText:
    # Text objects, never markup: a value such as "[bold]" is shown as it is.
    return RichText(part.text, style=LOOKS[part.style])
