"""The formats in which one trace is written, by the names that the command line has for them."""

from __future__ import annotations

from .errors import UserError
from .trace_json import TraceFile, dumps

ONE = ("svg", "png", "mermaid", "dot", "itf")
"""Formats of a single trace; text and JSON hold any number."""

MOST_DRAWN = {"svg": 1_000, "png": 500, "mermaid": 200, "dot": 250}
"""States of a picture that a person may want to look at, and that a browser draws: Mermaid gives up at 500 arrows."""


def write_one(traces: TraceFile, kind: str) -> str | bytes:
    """The only trace of a file in one of these formats; PNG as bytes, everything else as text.

    Raises `UserError` where it is too long to be drawn, `ToolError` where there is nothing to draw it with.
    """
    (example,) = traces.examples
    states = len(example.trace.steps)
    if kind in MOST_DRAWN and states > MOST_DRAWN[kind]:
        raise UserError(
            f"a trace of {states:,} states is too long for {kind}, which shows {MOST_DRAWN[kind]:,} at most: "
            "take --format text, json or itf"
        )
    match kind:
        case "svg":
            from .trace_svg import svg_table

            return svg_table(example)
        case "png":
            from .drawing import png_of
            from .trace_svg import svg_table

            return png_of(svg_table(example))
        case "mermaid":
            from .trace_mermaid import mermaid_source

            return mermaid_source(example)
        case "dot":
            from .picture import dot_source, trace_picture

            return dot_source(trace_picture(example))
        case "itf":
            from .trace_itf import itf_trace

            return dumps(itf_trace(example, traces.names))
        case _:
            raise AssertionError(f"there is no format {kind}")
