"""The state graphs that TLC dumps."""

from __future__ import annotations

from collections import Counter

import pytest

from protocheck.toolchain.tlc.dotdump import GraphEdge, GraphState, read_state_graph
from protocheck.toolchain.tlc.errors import OutputError
from protocheck.toolchain.tlc.values import TlaString

from .support import CAPTURED

HEAD = 'strict digraph DiskGraph {\nnodesep=0.35;\nsubgraph cluster_graph {\ncolor="white";\n'
NODES = '1 [label="x = 0",style = filled]\n1 -> 2 [label="Step",color="black",fontcolor="black"];\n2 [label="x = 1"];\n'
TAIL = "{rank = same; 1;}\n{rank = same; 2;}\n}\n}"


def lines(name: str) -> list[str]:
    return (CAPTURED / "2.15" / name).read_text(encoding="utf-8").split("\n")


def test_a_whole_graph() -> None:
    graph = read_state_graph(lines("Safe_graph.dot"))
    assert len(graph.states) == 10
    assert Counter(edge.action for edge in graph.edges) == {"Start": 9, "Stop": 15}
    (initial,) = graph.initial
    assert initial.values["n"] == 0
    assert {edge.source for edge in graph.edges} <= set(graph.states)


@pytest.mark.parametrize("name", ["Inv_graph.dot", "Inv_graph_snapshot.dot"])
def test_a_graph_of_a_run_that_stopped(name: str) -> None:
    graph = read_state_graph(lines(name))
    assert len(graph.states) == 5
    assert len(graph.edges) == 5


def test_a_small_graph() -> None:
    graph = read_state_graph((HEAD + NODES + TAIL).split("\n"))
    assert graph.states == {1: GraphState(1, True, {"x": 0}), 2: GraphState(2, False, {"x": 1})}
    assert graph.edges == (GraphEdge(1, 2, "Step"),)


def test_what_is_escaped_in_a_label() -> None:
    label = r"/\\ s = \"a\\\"b\\\\c\\nd\"\n/\\ t = <<1,\n  2>>"
    graph = read_state_graph((HEAD + f'-5 [label="{label}",style = filled]\n' + TAIL).split("\n"))
    values = graph.states[-5].values
    assert values["s"] == TlaString('a"b\\c\nd')
    assert list(values) == ["s", "t"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "cut off"),
        (HEAD + NODES, "cut off"),
        (HEAD + TAIL, "cut off"),
        (HEAD + NODES + '1 -> 3 [label="Step"];\n' + TAIL, "does not have"),
        (HEAD + NODES + "1 -> 2;\n" + TAIL, "action names"),
        (HEAD + NODES + "what is this\n" + TAIL, "cannot be read"),
        (HEAD + NODES + '1 [label="x = 7"];\n' + TAIL, "one fingerprint"),
        (HEAD + '1 [label="x 7"];\n' + TAIL, "state that cannot be read"),
    ],
)
def test_a_graph_that_is_no_whole_one_is_refused(text: str, match: str) -> None:
    with pytest.raises(OutputError, match=match):
        read_state_graph(text.split("\n"))
