"""Traces as pictures that need no layout engine: a table drawn as SVG, steps as rows, variables as columns.

Only what a step changes is written, the first and the last state whole. A loop is an arrow at the left edge, from the
last row back to the row that it returns to. Nothing depends on colour: what has changed is bold and marked, the row
that violates has a double frame and says so.

The text is set in a fixed-width font, so that its width is known without one at hand.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..transpiler.domains import show
from .trace_text import title
from .traces import DescribedTrace, Move, Trace

INK, FAINT, MARK, ALARM = "#1f2933", "#7b8794", "#0b69a3", "#ab091e"
PAPER, STRIPE, HEAD = "#ffffff", "#f5f7fa", "#e4e7eb"
FONT = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
SIZE, ADVANCE, LEADING = 13, 7.83, 18
"""Font size, width of a character and height of a line, in pixels. Of the fonts above none is wider than 0.602 em."""
PAD, MARGIN, GUTTER = 9, 16, 54
"""Around the text of a cell; around the picture; at the left, for the arrow of a loop."""
MOST = 44
"""Characters in a line of a cell; longer values are broken."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """Lines of text, and how they are set."""

    lines: tuple[str, ...]
    style: str = ""

    @property
    def width(self) -> float:
        return max((_width(each) for each in self.lines), default=0.0)


@dataclass(frozen=True, slots=True)
class _Row:
    cells: tuple[_Cell, ...]
    kind: str = ""

    @property
    def height(self) -> int:
        return max(len(cell.lines) for cell in self.cells) * LEADING + PAD


def svg_table(example: DescribedTrace) -> str:
    """The picture of a trace, as the text of an SVG file."""
    steady = _steady(example.trace)
    shown = [name for name in example.trace.variables if name not in steady]
    rows = [_header(shown), *_rows(example, shown)]
    return _Drawing(example, rows, _notes(example, steady)).text()


# ------------------------------------------------------------------------------------------------- what is shown


def _steady(trace: Trace) -> dict[str, str]:
    """The variables that have one value throughout, where there are others: they need no column."""
    if len(trace.steps) < 2:
        return {}
    found = {
        name: show(trace.steps[0].state[name])
        for name in trace.variables
        if all(step.state[name] == trace.steps[0].state[name] for step in trace.steps)
    }
    return found if len(found) < len(trace.variables) else {}


def _header(variables: Sequence[str]) -> _Row:
    return _Row(tuple(_Cell((name,), "strong") for name in ("", "step", *variables)), "head")


def _rows(example: DescribedTrace, variables: Sequence[str]) -> list[_Row]:
    trace = example.trace
    last = len(trace.steps) - 1
    violates = example.violated is not None and trace.shape == "finite"
    rows = []
    for move in trace.moves():
        if move.closes:
            cells = [_change(move, name) for name in variables]
            rows.append(_Row((_Cell((f"→ {move.place + 1}",), "strong"), _label(move), *cells), "closing"))
            continue
        whole = move.place in (0, last)
        kind = "bad" if violates and move.place == last else ""
        cells = [_change(move, name, whole=whole) for name in variables]
        rows.append(_Row((_Cell((str(move.place + 1),), "faint"), _label(move), *cells), kind))
    return rows


def _label(move: Move) -> _Cell:
    return _Cell(_broken(move.step.label), "strong")


def _change(move: Move, name: str, *, whole: bool = False) -> _Cell:
    value = show(move.step.state[name])
    if move.before is not None and move.changes(name):
        first, *rest = _broken(value)
        return _Cell((f"▸ {first}", *(f"  {each}" for each in rest)), "changed")
    return _Cell(_broken(value)) if whole or move.before is None else _Cell(("·",), "faint")


def _broken(text: str) -> tuple[str, ...]:
    """A value in lines of a width, broken behind commas and blanks where there are any."""
    # Wide characters take the place of two.
    most = MOST if _width(text) <= len(text) * ADVANCE else MOST // 2
    return tuple(textwrap.wrap(text, most, break_long_words=True, break_on_hyphens=False)) or ("",)


def _notes(example: DescribedTrace, steady: dict[str, str]) -> list[_Cell]:
    """What stands below the table."""
    trace = example.trace
    last = len(trace.steps)
    notes = []
    if steady:
        text = "throughout: " + ", ".join(f"{name} = {value}" for name, value in steady.items())
        notes.append(_Cell(tuple(textwrap.wrap(text, 2 * MOST)), "faint"))
    if trace.loop_to is not None:
        notes.append(_Cell((f"↻ from state {last} it goes back to state {trace.loop_to + 1}, and so on for ever",)))
    elif trace.stuttering:
        notes.append(_Cell((f"↻ in state {last} it may stay for ever (stuttering): no fairness demands a step",)))
    elif example.violated is not None:
        where = "the last step" if example.kind in ("transition invariant", "refinement") else f"state {last}"
        notes.append(_Cell((f"✗ {where} violates {example.violated}",), "bad"))
    if example.detail:
        notes.append(_Cell(tuple(textwrap.wrap(example.detail, 2 * MOST))))
    return notes


# ------------------------------------------------------------------------------------------------- how it is drawn


class _Drawing:
    """Places rows under each other and writes the elements."""

    def __init__(self, example: DescribedTrace, rows: Sequence[_Row], notes: Sequence[_Cell]) -> None:
        self.example, self.rows, self.notes = example, rows, notes
        self.heading = f"{example.protocol}: {title(example)}"
        self.subtitle = f"without the guard {example.dropped}" if example.dropped else ""
        self.left = MARGIN + (GUTTER if example.trace.shape != "finite" else 0)
        columns = range(len(rows[0].cells))
        self.widths = [max(row.cells[i].width for row in rows) + 2 * PAD for i in columns]
        self.parts: list[str] = []

    def text(self) -> str:
        y = self._heading(float(MARGIN))
        tops = []
        for place, row in enumerate(self.rows):
            tops.append(y)
            self._row(row, place, y)
            y += row.height
        # Over the stripes, or those would hide half of the frame.
        for row, top in zip(self.rows, tops, strict=True):
            if row.kind == "bad":
                self._frame(top, row.height)
        self._loop(tops)
        y += PAD
        for note in self.notes:
            for each in note.lines:
                self._text(self.left, y, each, note.style)
                y += LEADING
        written = [self.left + _width(each) for note in self.notes for each in note.lines]
        headings = [self.left + 1.1 * _width(self.heading), self.left + _width(self.subtitle)]
        width = max(self.left + sum(self.widths), *headings, *written) + MARGIN
        return self._document(width, y + MARGIN)

    def _document(self, width: float, height: float) -> str:
        spoken = escape(f"{self.heading}. {self.subtitle}".rstrip(". "))
        styles = [
            f"text {{ font: {SIZE}px {FONT}; fill: {INK}; white-space: pre }}",
            f".strong, .changed, .heading {{ font-weight: bold }} .changed {{ fill: {MARK} }}",
            f".faint {{ fill: {FAINT} }} .bad {{ fill: {ALARM}; font-weight: bold }}",
            f".heading {{ font-size: {SIZE + 1}px }}",
            f".line {{ fill: none; stroke: {INK}; stroke-width: 2 }} .frame {{ fill: none; stroke: {ALARM} }}",
        ]
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
                f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{spoken}">',
                f"<title>{spoken}</title>",
                "<style>",
                *styles,
                "</style>",
                f'<rect width="{width:.0f}" height="{height:.0f}" fill="{PAPER}"/>',
                *self.parts,
                "</svg>",
                "",
            ]
        )

    def _heading(self, y: float) -> float:
        self._text(self.left, y, self.heading, "heading")
        y += LEADING
        if self.subtitle:
            self._text(self.left, y, self.subtitle, "")
            y += LEADING
        return y + PAD

    def _row(self, row: _Row, place: int, y: float) -> None:
        fill = HEAD if row.kind == "head" else STRIPE if place % 2 == 0 else ""
        if fill:
            size = f'width="{sum(self.widths):.1f}" height="{row.height}"'
            self.parts.append(f'<rect x="{self.left}" y="{y:.0f}" {size} fill="{fill}"/>')
        x = float(self.left)
        for cell, width in zip(row.cells, self.widths, strict=True):
            for number, each in enumerate(cell.lines):
                self._text(x + PAD, y + PAD / 2 + number * LEADING, each, cell.style)
            x += width

    def _frame(self, y: float, height: int) -> None:
        for inset in (0, 3):
            self.parts.append(
                f'<rect class="frame" x="{self.left + inset}" y="{y + inset:.0f}" '
                f'width="{sum(self.widths) - 2 * inset:.1f}" height="{height - 2 * inset}"/>'
            )

    def _loop(self, tops: Sequence[float]) -> None:
        """The arrow from the last row back; `tops` begins with the header's."""
        trace = self.example.trace
        if trace.shape == "finite":
            return
        last = len(tops) - 1
        source = tops[last] + self.rows[last].height / 2
        to = len(trace.steps) if trace.loop_to is None else trace.loop_to + 1
        target = tops[to] + self.rows[to].height / 2
        if last == to:
            source, target = source + 6, target - 6
        edge, far = self.left - 3, self.left - GUTTER / 2
        self.parts.append(f'<path class="line" d="M{edge} {source:.0f} H{far:.0f} V{target:.0f} H{edge - 5}"/>')
        self.parts.append(f'<path d="M{edge} {target:.0f} l-9 -5 v10 z" fill="{INK}"/>')
        self._text(self.left - GUTTER / 2 - 20, (source + target) / 2 - LEADING / 2, "↻", "strong")

    def _text(self, x: float, y: float, text: str, style: str) -> None:
        """A line of text whose box begins at y."""
        if not text:
            return
        kind = f' class="{style}"' if style else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y + SIZE:.1f}"{kind}>{_escaped(text)}</text>')


def _escaped(text: str) -> str:
    """Text of an XML file; characters that XML cannot hold at all are shown as a question mark."""
    return escape("".join(each if each >= " " and each not in "\ufffe\uffff" else "?" for each in text), quote=False)


def _width(text: str) -> float:
    """In pixels; wide characters take the place of two, combining ones none."""
    cells = sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "FW" else 1 for each in text
    )
    return cells * ADVANCE
