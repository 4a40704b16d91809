"""Read the state graph that ``-dump dot,actionlabels`` writes.

The file is a graph for Graphviz, one node or edge a line; a node's label is its state with ``\\``, ``"`` and line ends
escaped. An edge's label is the action, without its parameters, so that several edges between two states may look alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .errors import OutputError
from .values import TlaState, TlaValue, parse_state, parse_value

_NODE = re.compile(r'(?P<id>-?\d+) \[label="(?P<label>(?:[^"\\]|\\.)*)"(?P<filled>,style ?= ?filled)?[^\]]*\];?')
_EDGE = re.compile(r'(?P<source>-?\d+) -> (?P<target>-?\d+) \[label="(?P<label>(?:[^"\\]|\\.)*)"[^\]]*\];?')
_BARE_EDGE = re.compile(r"-?\d+ -> -?\d+\b.*")
_LAYOUT = re.compile(
    r"strict digraph DiskGraph \{|edge \[.*\]|node \[.*\]|nodesep=.*|subgraph cluster_graph \{|color=.*|"
    r"\{rank = same; .*\}|\}|"
)
_LEGEND = "subgraph cluster_legend {"
_ESCAPE = re.compile(r"\\(.)")
_VARIABLE = re.compile(r"^(?:/\\ )?(\w+) = ", re.MULTILINE)


@dataclass(frozen=True)
class GraphState:
    """A reachable state: TLC's fingerprint of it, whether it is initial, its values."""

    fingerprint: int
    initial: bool
    values: TlaState


@dataclass(frozen=True)
class GraphEdge:
    """A step: fingerprints of the two states, and the action; steps that change nothing are there too."""

    source: int
    target: int
    action: str


@dataclass(frozen=True)
class StateGraph:
    """All reachable states and all steps between them.

    Attributes:
        states: by fingerprint.
        edges: in TLC's order; one for each way the action can be taken, so that alike edges come several times.
    """

    states: Mapping[int, GraphState]
    edges: tuple[GraphEdge, ...]

    @property
    def initial(self) -> tuple[GraphState, ...]:
        """The initial states."""
        return tuple(state for state in self.states.values() if state.initial)


def read_state_graph(lines: Iterable[str]) -> StateGraph:
    """Read a whole dump.

    Raises:
        OutputError: the dump is cut off, or has a line that is none of those TLC writes, or an edge without its states.
    """
    states: dict[int, GraphState] = {}
    edges: list[GraphEdge] = []
    depth = 0
    cache: dict[str, TlaValue] = {}
    for raw in lines:
        line = raw.strip()
        if node := _NODE.fullmatch(line):
            state = GraphState(int(node["id"]), node["filled"] is not None, _state(_unescape(node["label"]), cache))
            _add(states, state)
        elif edge := _EDGE.fullmatch(line):
            edges.append(GraphEdge(int(edge["source"]), int(edge["target"]), _unescape(edge["label"])))
        elif line == _LEGEND or line.startswith(_LEGEND):
            depth = 0  # colours and their meaning, and then the graph ends: nothing of interest
            break
        elif _BARE_EDGE.fullmatch(line):
            raise OutputError("The state graph has no action names; TLC must dump it with dot,actionlabels.")
        elif set(line) == {"}"}:
            depth -= len(line)
        elif _LAYOUT.fullmatch(line):
            depth += line.count("{") - line.count("}")
        else:
            raise OutputError("The state graph has a line that cannot be read.", reason=line)
    if depth != 0 or not states:
        raise OutputError("The state graph is cut off.")
    for step in edges:
        if step.source not in states or step.target not in states:
            raise OutputError("The state graph has a step between states it does not have.", reason=str(step))
    return StateGraph(MappingProxyType(states), tuple(edges))


def _add(states: dict[int, GraphState], state: GraphState) -> None:
    known = states.get(state.fingerprint)
    if known is None:
        states[state.fingerprint] = state
    elif known.values != state.values:
        raise OutputError("Two states of the state graph have one fingerprint.", reason=str(state.fingerprint))
    elif state.initial and not known.initial:
        states[state.fingerprint] = state


def _state(text: str, cache: dict[str, TlaValue]) -> TlaState:
    """As `parse_state`, faster where many states share values: each different value is parsed once."""
    starts = list(_VARIABLE.finditer(text))
    values: dict[str, TlaValue] = {}
    for position, found in enumerate(starts):
        end = starts[position + 1].start() if position + 1 < len(starts) else len(text)
        value = text[found.end() : end]
        if value not in cache:
            cache[value] = parse_value(value)
        values[found.group(1)] = cache[value]
    if not starts or starts[0].start() != 0 or len(values) != len(starts):
        return parse_state(text)  # which says what is wrong
    return MappingProxyType(values)


def _unescape(label: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found.group(1) == "n" else found.group(1), label)
