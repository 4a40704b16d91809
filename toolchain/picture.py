"""Traces and state graphs as graphs that Graphviz lays out: extracted into plain data, then written as DOT.

Nothing depends on colour: what changed is bold and marked, a violating state has a double frame and says so, the edge
that closes a loop is drawn heavier.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from ..transpiler.domains import show
from .drawing import draw_dot
from .layout import count
from .results import StateGraph
from .trace_text import title
from .traces import DescribedTrace, State

if TYPE_CHECKING:
    import graphviz  # type: ignore[import-untyped]

Role = Literal["initial", "plain", "bad"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A variable in a state, and whether the step that led there changed it."""

    name: str
    value: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class PictureNode:
    """A state; `note` says what is the matter with it."""

    identity: str
    heading: str
    entries: tuple[Entry, ...]
    role: Role = "plain"
    note: str = ""


@dataclass(frozen=True, slots=True)
class PictureEdge:
    """A step; `bad` for one that itself violates, `back` for the one that closes a loop."""

    source: str
    target: str
    label: str
    kind: Literal["plain", "bad", "back"] = "plain"


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph with its heading, ready for any renderer."""

    title: str
    subtitle: str
    nodes: tuple[PictureNode, ...]
    edges: tuple[PictureEdge, ...]
    horizontal: bool = False


# ---------------------------------------------------------------------------------------------------- extraction


def trace_picture(example: DescribedTrace) -> Picture:
    """The steps of a counter-example from top to bottom, its loop drawn back."""
    trace = example.trace
    last = len(trace.steps) - 1
    finite = trace.loop_to is None and not trace.stuttering
    nodes, edges = [], []
    previous: State | None = None
    for index, step in enumerate(trace.steps):
        bad = finite and index == last
        role: Role = "bad" if bad else "initial" if index == 0 else "plain"
        note = f"violates {example.violated}" if bad else ""
        nodes.append(PictureNode(f"s{index + 1}", f"state {index + 1}", _entries(step.state, previous), role, note))
        if index:
            violating = bad and example.kind == "transition invariant"
            edges.append(PictureEdge(f"s{index}", f"s{index + 1}", step.label, "bad" if violating else "plain"))
        previous = step.state
    if trace.loop_to is not None:
        name = trace.closing.label if trace.closing is not None else ""
        edges.append(PictureEdge(f"s{last + 1}", f"s{trace.loop_to + 1}", f"{name} for ever".strip(), "back"))
    elif trace.stuttering:
        edges.append(PictureEdge(f"s{last + 1}", f"s{last + 1}", "stays for ever", "back"))
    subtitle = f"without the guard {example.dropped}" if example.dropped else ""
    return Picture(f"{example.protocol}: {title(example)}", subtitle, tuple(nodes), tuple(edges))


def graph_picture(graph: StateGraph, name: str) -> Picture:
    """Every reachable state and every step between two of them; steps that change nothing are left out."""
    initial = set(graph.initial)
    nodes = tuple(
        PictureNode(f"s{i + 1}", f"{i + 1}", _entries(state, None), "initial" if i in initial else "plain")
        for i, state in enumerate(graph.states)
    )
    # Parallel steps between the same two states share an arrow, or large graphs could not be read.
    labels: dict[tuple[int, int], list[str]] = {}
    for edge in graph.edges:
        if edge.source != edge.target:
            arguments = ", ".join(f"{key}={show(value)}" for key, value in edge.arguments)
            labels.setdefault((edge.source, edge.target), []).append(f"{edge.action}({arguments})")
    edges = tuple(
        PictureEdge(f"s{source + 1}", f"s{target + 1}", "\n".join(texts)) for (source, target), texts in labels.items()
    )
    return Picture(name, count(len(nodes), "state"), nodes, edges)


def _entries(state: State, previous: State | None) -> tuple[Entry, ...]:
    return tuple(
        Entry(name, show(value), previous is not None and previous[name] != value) for name, value in state.items()
    )


# ----------------------------------------------------------------------------------------------------- rendering

INK, PAPER, HEAD, MARK, ALARM = "#1f2933", "#ffffff", "#e4e7eb", "#0b69a3", "#ab091e"


def dot_source(picture: Picture) -> str:
    """The picture as DOT text; needs no Graphviz program."""
    return str(_digraph(picture).source)


def svg_source(picture: Picture) -> str:
    """The picture as SVG text, laid out by Graphviz; raises `ToolError` where there is none."""
    return draw_dot(dot_source(picture))


def _digraph(picture: Picture) -> graphviz.Digraph:
    import graphviz

    heading = f"<B>{_html(picture.title)}</B>"
    if picture.subtitle:
        heading += f'<BR/><FONT POINT-SIZE="12">{_html(picture.subtitle)}</FONT>'
    graph = graphviz.Digraph(
        "protocheck",
        graph_attr={
            "label": f"<{heading}<BR/> >",
            "labelloc": "t",
            "rankdir": "LR" if picture.horizontal else "TB",
            "fontname": "Helvetica",
            "fontcolor": INK,
            "bgcolor": PAPER,
            "nodesep": "0.4",
            "ranksep": "0.45",
        },
        node_attr={"shape": "plain", "fontname": "Helvetica", "fontsize": "11", "fontcolor": INK},
        edge_attr={"fontname": "Helvetica", "fontsize": "11", "color": INK, "fontcolor": INK, "arrowsize": "0.7"},
    )
    for node in picture.nodes:
        graph.node(node.identity, label=_table(node))
    for edge in picture.edges:
        attributes = {"plain": {}, "bad": {"color": ALARM, "penwidth": "2"}, "back": {"penwidth": "2", "style": "bold"}}
        # Doubled backslashes: DOT would read the single ones of a string value as escapes.
        text = graphviz.escape(edge.label).replace("\n", "\\n")
        graph.edge(edge.source, edge.target, label=f" {text} ", **attributes[edge.kind])
    return graph


def _table(node: PictureNode) -> str:
    """An HTML-like label: a heading, a row a variable, and a note where something is wrong."""
    colour, border = (ALARM, 3) if node.role == "bad" else (INK, 2 if node.role == "initial" else 1)
    heading = _html(f"{node.heading} (initial)" if node.role == "initial" else node.heading)
    rows = [f'<TR><TD COLSPAN="2" BGCOLOR="{HEAD}"><B>{heading}</B></TD></TR>']
    for entry in node.entries:
        name, value = _html(entry.name), _html(entry.value)
        if entry.changed:
            name, value = f'<FONT COLOR="{MARK}"><B>▸ {name}</B></FONT>', f'<FONT COLOR="{MARK}"><B>{value}</B></FONT>'
        rows.append(f'<TR><TD ALIGN="LEFT">{name}</TD><TD ALIGN="LEFT">{value}</TD></TR>')
    if node.note:
        rows.append(f'<TR><TD COLSPAN="2"><FONT COLOR="{ALARM}"><B>✗ {_html(node.note)}</B></FONT></TD></TR>')
    attributes = f'BORDER="{border}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" COLOR="{colour}" BGCOLOR="{PAPER}"'
    return f"<<TABLE {attributes}>{''.join(rows)}</TABLE>>"


def _html(text: str) -> str:
    # Graphviz reads backslash escapes even in HTML-like labels.
    return escape(text, quote=True).replace("\\", "\\\\") or " "
