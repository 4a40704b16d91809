"""Pictures of traces and state graphs: their DOT text, and what `dot` makes of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from protocheck.toolchain.errors import UserError
from protocheck.toolchain.picture import dot_source, graph_picture, svg_source, trace_picture, write_picture
from protocheck.toolchain.results import Edge, StateGraph
from protocheck.toolchain.tlc.errors import ToolError

from .samples import BUSY, FULL, IDLE, lasso, stuttering

Golden = Callable[[str, str], None]
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="no Graphviz program here")

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


@needs_dot
def test_dot_draws_every_text_as_it_is() -> None:
    svg = svg_source(trace_picture(lasso()))
    assert svg.count("<svg") == 1
    # The value of `note`: a quotation mark is escaped by us, a backslash too, and dot must leave both alone.
    assert r"&quot;a \&quot;b\&quot;\\&quot;" in svg
    assert "state 1 (initial)" in svg
    assert "▸ buffer" in svg


@needs_dot
def test_dot_accepts_the_text_of_every_picture() -> None:
    for picture in (trace_picture(lasso()), trace_picture(stuttering()), graph_picture(GRAPH, '<&>"')):
        done = subprocess.run(["dot", "-Tplain"], input=dot_source(picture), capture_output=True, text=True, check=True)
        assert done.stderr == ""


def test_without_dot_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match="install it") as caught:
        svg_source(trace_picture(lasso()))
    assert "--format dot" in str(caught.value)
    assert dot_source(trace_picture(lasso())).startswith("digraph")


def test_other_formats_are_refused() -> None:
    with pytest.raises(UserError, match="dot or svg"):
        write_picture(trace_picture(lasso()), "png")
