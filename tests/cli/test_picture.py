"""Traces and state graphs as graphs: their DOT text, and what Graphviz makes of it, installed or out of its wheel."""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from protocheck.toolchain import drawing
from protocheck.toolchain.drawing import draw_dot, png_of
from protocheck.toolchain.picture import dot_source, graph_picture, svg_source, trace_picture
from protocheck.toolchain.results import Edge, StateGraph
from protocheck.toolchain.tlc.errors import ToolError

from ..fonts import NEEDS_FONTS
from .samples import BUSY, FULL, IDLE, lasso, stuttering

Golden = Callable[[str, str], None]

GRAPH = StateGraph(
    states=(IDLE, BUSY, FULL),
    initial=(0,),
    edges=(
        Edge(0, 1, "fill", (("x", 1),)),
        Edge(0, 1, "fill", (("x", 2),)),
        Edge(1, 1, "wait", ()),
        Edge(1, 2, "write", ()),
    ),
)


def test_a_loop_is_drawn_back(golden: Golden) -> None:
    golden("lasso.dot", dot_source(trace_picture(lasso())))


def test_a_state_graph(golden: Golden) -> None:
    golden("graph.dot", dot_source(graph_picture(GRAPH, "hand_over")))


def test_a_graph_joins_parallel_steps_and_leaves_out_those_that_change_nothing() -> None:
    picture = graph_picture(GRAPH, "hand_over")
    assert [(edge.source, edge.target, edge.label) for edge in picture.edges] == [
        ("s1", "s2", "fill(x=1)\nfill(x=2)"),
        ("s2", "s3", "write()"),
    ]
    assert [node.role for node in picture.nodes] == ["initial", "plain", "plain"]


def test_a_stuttering_state_leads_to_itself() -> None:
    edges = trace_picture(stuttering()).edges
    assert [(edge.source, edge.target, edge.kind) for edge in edges] == [("s1", "s2", "plain"), ("s2", "s2", "back")]


@pytest.fixture(params=["installed", "wheel"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Graphviz program, and the wheel where there is no program."""
    if request.param == "wheel":
        monkeypatch.setenv("PATH", "")
    elif shutil.which("dot") is None:
        pytest.skip("no Graphviz program here")


@pytest.mark.usefixtures("engine")
def test_every_text_is_drawn_as_it_is() -> None:
    svg = svg_source(trace_picture(lasso()))
    assert svg.count("<svg") == 1
    # The value of `note`: a quotation mark is escaped by us, a backslash too, and Graphviz must leave both alone.
    assert r"&quot;a \&quot;b\&quot;\\&quot;" in svg
    assert "state 1 (initial)" in svg
    assert "▸ buffer" in svg


@pytest.mark.usefixtures("engine")
def test_the_text_of_every_picture_can_be_drawn() -> None:
    for picture in (trace_picture(stuttering()), graph_picture(GRAPH, '<&>"')):
        svg = svg_source(picture)
        assert all(entry.name in svg for node in picture.nodes for entry in node.entries)


@pytest.mark.usefixtures("engine")
def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ToolError, match="could not draw"):
        draw_dot("digraph {")


@NEEDS_FONTS
def test_a_graph_as_png() -> None:
    found = png_of(svg_source(graph_picture(GRAPH, "hand_over")))
    assert found[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", found[16:24])
    assert min(width, height) > 200


def test_text_that_cannot_be_drawn_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MONOSPACE", ("no such font",))
    monkeypatch.setattr(drawing, "SANS_SERIF", ("none either",))
    with pytest.raises(ToolError, match="no font"):
        png_of('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')


@NEEDS_FONTS
def test_what_is_no_svg_is_refused() -> None:
    with pytest.raises(ToolError, match="could not draw"):
        png_of("<svg")


def test_without_anything_to_draw_with_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(drawing, "find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(ToolError, match="install the wheel") as caught:
        svg_source(trace_picture(lasso()))
    assert "--format dot" in str(caught.value)
    assert dot_source(trace_picture(lasso())).startswith("digraph")
    with pytest.raises(ToolError, match="pictures"):
        png_of("<svg/>")


def test_a_layout_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(drawing, "TIME_LIMIT", 0.2)
    with pytest.raises(ToolError, match="too large"):
        draw_dot("digraph {}")
