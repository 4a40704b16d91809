"""A plot with two logarithmic axes as SVG, readable on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 900, 470
TOP, BOTTOM, LEFT, RIGHT, BETWEEN = 70, 70, 70, 20, 50

COLOURS = ("#2b8cd9", "#7cc4f0", "#1a9e77", "#d9480f", "#f59f00", "#c2559d")
"""After the palette of Okabe and Ito, in tones that stand out from white and from black."""

STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .title { font-weight: 600 }
    .small { font-size: 11px }
    .grid { stroke: #8b949e; stroke-opacity: 0.3 }
    .frame { stroke: #8b949e; fill: none }
    .line { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) { text { fill: #d0d7de } }
"""


@dataclass(frozen=True)
class Line:
    """A named line through points with positive coordinates; its place among the names gives its colour."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Panel:
    """Lines under a title. The panels of a plot share their vertical axis."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class _Axis:
    """Powers of ten from `low` to `high`, between two places on the page."""

    low: int
    high: int
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(low, max(high, low + 1), start, end)

    def place(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> range:
        return range(self.low, self.high + 1)


def plot(panels: Sequence[Panel], names: Sequence[str], across: str, upward: str, description: str) -> str:
    """The text of an SVG file: panels side by side, a legend of `names` above them, and what the axes are below and
    beside. `description` is for those who cannot see it."""
    heights = [y for panel in panels for line in panel.lines for _, y in line.points]
    upright = _Axis.over(heights, HEIGHT - BOTTOM, TOP)
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (len(panels) - 1)) / len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(description)}</title>",
        f"<style>{STYLE}</style>",
        *_legend(names),
    ]
    for number, panel in enumerate(panels):
        start = LEFT + number * (width + BETWEEN)
        parts += _panel(panel, names, start, width, upright, first=number == 0)
        parts.append(_text(start + width / 2, HEIGHT - 20, across, "middle"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="rotate(-90 18 {middle:.1f})"'
    parts.append(f'<text x="18" y="{middle:.1f}" text-anchor="middle" {turned}>{escape(upward)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _legend(names: Sequence[str]) -> Iterator[str]:
    # Letters are about seven units wide.
    x = float(LEFT)
    for name, colour in zip(names, COLOURS, strict=False):
        yield f'<path class="line" stroke="{colour}" d="M{x:.1f} 20h22"/>'
        yield f'<circle cx="{x + 11:.1f}" cy="20" r="4" fill="{colour}"/>'
        yield _text(x + 28, 24.5, name)
        x += 28 + 7 * len(name) + 22


def _panel(
    panel: Panel, names: Sequence[str], start: float, width: float, upright: _Axis, *, first: bool
) -> Iterator[str]:
    level = _Axis.over([x for line in panel.lines for x, _ in line.points], start, start + width)
    yield _text(start + width / 2, TOP - 12, panel.title, "middle", "title")
    for power in level.ticks:
        x = level.place(10.0**power)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        yield _power(x, HEIGHT - BOTTOM + 18, power, "middle")
    for power in upright.ticks:
        y = upright.place(10.0**power)
        yield f'<path class="grid" d="M{start:.1f} {y:.1f}h{width:.1f}"/>'
        if first:
            yield _power(start - 8, y + 4, power, "end")
    yield f'<rect class="frame" x="{start:.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - BOTTOM - TOP}"/>'
    for line in panel.lines:
        colour = COLOURS[names.index(line.name)]
        places = [(level.place(x), upright.place(y)) for x, y in line.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path class="line" stroke="{colour}" d="M{path}"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def _power(x: float, y: float, power: int, anchor: str) -> str:
    raised = f'<tspan class="small" dy="-5">{power}</tspan>'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">10{raised}</text>'


def _text(x: float, y: float, text: str, anchor: str = "start", style: str = "") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
