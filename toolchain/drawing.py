"""DOT → SVG → PNG, with whatever there is to draw with.

Graphs need a layout engine. The `dot` program of Graphviz is one; the wheel of `pygraphviz`, which the extra `pictures`
brings, carries another: no program has to be installed. PNG is drawn by `resvg`, of the same extra, with the machine's
fonts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec

from .tlc.errors import ToolError

EXTRA = "pip install 'protocheck-tla[pictures]'"
TIME_LIMIT = 60
"""Seconds for a layout: beyond that a graph is too large to be looked at."""

ZOOM = 2.0
"""Pixels of a PNG for each of the SVG: today's screens have two."""

MONOSPACE = ("DejaVu Sans Mono", "Menlo", "Consolas", "Liberation Mono", "Noto Sans Mono", "Courier New", "FreeMono")
SANS_SERIF = ("DejaVu Sans", "Helvetica", "Arial", "Liberation Sans", "Noto Sans", "Segoe UI", "FreeSans")
"""What the generic families stand for in a PNG: the first that there is."""


def draw_dot(source: str) -> str:
    """The SVG text of a graph in DOT; raises `ToolError` where nothing can draw it."""
    program = shutil.which("dot")
    if program is not None:
        return _drawn([program, "-Tsvg"], program, source)
    if find_spec("pygraphviz") is not None:
        # In a process of its own, which can be ended: while C code lays out a graph nothing hears of an interrupt.
        return _drawn([sys.executable, "-P", "-c", _WHEEL], "pygraphviz", source)
    raise ToolError(
        "a graph is laid out by Graphviz, and there is none: no `dot` on the PATH, and no wheel that carries it",
        remedy=f"install the wheel ({EXTRA}) or Graphviz itself (apt install graphviz, brew install graphviz), "
        "or take --format dot, which needs nothing",
    )


_WHEEL = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format="svg", prog="dot"))
"""


def _drawn(command: list[str], name: str, source: str) -> str:
    """What a program makes of a graph on its standard input."""
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, check=False, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise ToolError(f"{name} needs more than {TIME_LIMIT} s for this picture: it is too large") from None
    except OSError as error:
        raise ToolError(f"{name} could not be started", reason=str(error)) from None
    if done.returncode != 0:
        raise ToolError(f"{name} could not draw the picture", reason=done.stderr.decode(errors="replace").strip())
    return done.stdout.decode()


def png_of(svg: str) -> bytes:
    """A picture as PNG; raises `ToolError` where nothing can draw it, or its text would be lost."""
    try:
        import resvg_py
    except ImportError:
        raise ToolError(
            "PNG is drawn by resvg, which is not installed",
            remedy=f"install it ({EXTRA}), or take --format svg, which needs nothing for a trace",
        ) from None
    monospace, sans_serif = _font(MONOSPACE), _font(SANS_SERIF)
    known = monospace or sans_serif
    if known is None:
        raise ToolError(
            "no font that resvg can use was found on this machine, so that a PNG would be without its text",
            remedy="install one (apt install fonts-dejavu-core), or take --format svg, which is drawn where it is read",
        )
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=svg.replace("sans-Serif", "sans-serif"),  # as Graphviz spells it, which resvg does not know
            zoom=ZOOM,
            dpi=96,  # of a point in sizes that are given so
            monospace_family=monospace or known,
            sans_serif_family=sans_serif or known,
            font_family=known,
        )
    except ValueError as error:
        raise ToolError("resvg could not draw the picture", reason=str(error)) from None
    return bytes(drawn)


@cache
def _font(families: tuple[str, ...]) -> str | None:
    """The first of these that is there. resvg leaves out text that it has no font for, without a word."""
    import resvg_py

    def drawn(content: str) -> bytes:
        frame = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{content}</svg>'
        return bytes(resvg_py.svg_to_bytes(svg_string=frame))

    empty = drawn("")
    for family in families:
        if drawn(f'<text x="2" y="16" font-family="{family}" font-size="16">M</text>') != empty:
            return family
    return None
