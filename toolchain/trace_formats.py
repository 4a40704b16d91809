"""The formats in which one trace is written, by the names that the command line has for them."""

from __future__ import annotations

from .trace_json import TraceFile, dumps

ONE = ("svg", "png", "mermaid", "dot", "itf")
"""Formats of a single trace; text and JSON hold any number."""


def write_one(traces: TraceFile, kind: str) -> str | bytes:
    """The only trace of a file in one of these formats; PNG as bytes, everything else as text.

    Raises `ToolError` where there is nothing to draw it with.
    """
    (example,) = traces.examples
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
