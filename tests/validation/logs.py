"""Logs for tests, and an independent decision about them: a search through the explorer's state graph.

The graph knows nothing of logs: a log is a behaviour if some path through it has its events for labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from protocheck import Protocol
from protocheck.toolchain.explorer import state_graph
from protocheck.toolchain.results import Edge, StateGraph
from protocheck.toolchain.validation.results import Options, Validation
from protocheck.toolchain.validation.validate import validate
from protocheck.transpiler import ir
from protocheck.transpiler.erasure import as_it_runs
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.itf import encode

Values = tuple[tuple[str, Any], ...]

LIMIT = 30_000
EVERYTHING = Options()


@dataclass(frozen=True)
class Logged:
    """An event as it is logged: values, not JSON; `seen` is of the state after it."""

    action: str
    arguments: Values
    seen: Values
    exhaustive: bool = False


@dataclass(frozen=True)
class Graph:
    """An instance as it runs, with its reachable states and the steps out of each."""

    instance: Instance
    graph: StateGraph
    edges: tuple[tuple[Edge, ...], ...]


def graph_of(protocol: ir.Protocol, constants: Mapping[str, Any] | None = None) -> Graph:
    instance = instantiate(as_it_runs(protocol), constants)
    graph = state_graph(instance, LIMIT)
    assert graph is not None
    edges: list[list[Edge]] = [[] for _ in graph.states]
    for edge in graph.edges:
        edges[edge.source].append(edge)
    return Graph(instance, graph, tuple(map(tuple, edges)))


@cache
def graph_of_class(cls: type[Protocol], **constants: Any) -> Graph:
    return graph_of(compile_protocol(cls), constants)


def is_behaviour(known: Graph, events: Sequence[Logged], unlogged: Iterable[str] = ()) -> bool:
    """Whether some path through the graph, from an initial state, has these events; hidden steps may lie between."""
    hidden = frozenset(unlogged)
    states = known.graph.states
    here = set(known.graph.initial)
    for event in events:
        waiting = list(here)
        for state in waiting:
            for edge in known.edges[state]:
                if edge.action in hidden and edge.target not in here:
                    here.add(edge.target)
                    waiting.append(edge.target)
        after = set()
        for state in here:
            for edge in known.edges[state]:
                if edge.action != event.action or not set(event.arguments) <= set(edge.arguments):
                    continue
                then = states[edge.target]
                seen = dict(event.seen)
                changed = {name for name in then if then[name] != states[state][name]}
                if all(then[name] == value for name, value in seen.items()) and not (
                    event.exhaustive and changed - seen.keys()
                ):
                    after.add(edge.target)
        here = after
    return bool(here)


# --------------------------------------------------------------------------------------------------------- as text


def lines_of(known: Graph, events: Iterable[Logged]) -> list[bytes]:
    """A plain log of these events."""
    instance = known.instance
    constants = {item.name: encode(instance.constants[item.name]) for item in instance.protocol.constants}
    found: list[Any] = [{"protocol": instance.protocol.name, "constants": constants}]
    for event in events:
        args = {name: encode(value, instance.parameters[event.action, name]) for name, value in event.arguments}
        seen = {name: encode(value, instance.variables[name]) for name, value in event.seen}
        found.append({"action": event.action, "args": args, ("changes" if event.exhaustive else "state"): seen})
    return [json.dumps(line).encode() + b"\n" for line in found]


def validated(
    known: Graph, events: Sequence[Logged], cls: type[Protocol] | None = None, options: Options = EVERYTHING
) -> Validation:
    """The answer about a log; by the class that runs where one is given."""
    target = cls if cls is not None else known.instance.protocol
    (answer,) = validate(lines_of(known, events), target, options=options)
    return answer


# --------------------------------------------------------------------------------------------------------- drawing


@st.composite
def walks(draw: st.DrawFn, known: Graph, longest: int = 12) -> list[Logged]:
    """Paths through a graph with everything logged, variables that do not change left out."""
    state = draw(st.sampled_from(known.graph.initial))
    events = []
    for _ in range(draw(st.integers(1, longest))):
        if not known.edges[state]:
            break
        edge = draw(st.sampled_from(known.edges[state]))
        before, after = known.graph.states[state], known.graph.states[edge.target]
        changes = tuple((name, value) for name, value in after.items() if before[name] != value)
        events.append(Logged(edge.action, edge.arguments, changes, True))
        state = edge.target
    return events


def some(draw: st.DrawFn, values: Values) -> Values:
    return tuple(item for item in values if draw(st.booleans()))


@st.composite
def coarser(draw: st.DrawFn, events: Sequence[Logged]) -> list[Logged]:
    """The same events, of which less is logged: some of the arguments, some of the values."""
    return [
        event
        if draw(st.booleans())
        else Logged(
            event.action, some(draw, event.arguments), some(draw, event.seen), draw(st.sampled_from([False] * 3))
        )
        for event in events
    ]


@st.composite
def altered(draw: st.DrawFn, known: Graph, events: Sequence[Logged]) -> list[Logged]:
    """The events with one dropped, two swapped, or one altered: another action, argument or value."""
    found = list(events)
    place = draw(st.integers(0, len(found) - 1))
    kind = draw(st.sampled_from(["drop", "swap", "action", "argument", "value"]))
    if kind == "drop":
        del found[place]
    elif kind == "swap":
        other = draw(st.integers(0, len(found) - 1))
        found[place], found[other] = found[other], found[place]
    elif kind == "action":
        edge = draw(st.sampled_from(known.graph.edges))
        found[place] = Logged(edge.action, edge.arguments, found[place].seen, found[place].exhaustive)
    elif kind == "argument" and any(edge.action == found[place].action for edge in known.graph.edges):
        same = [edge for edge in known.graph.edges if edge.action == found[place].action]
        edge = draw(st.sampled_from(same))
        found[place] = Logged(edge.action, edge.arguments, found[place].seen, found[place].exhaustive)
    else:
        state = draw(st.sampled_from(known.graph.states))
        name = draw(st.sampled_from(sorted(state)))
        seen = {**dict(found[place].seen), name: state[name]}
        found[place] = Logged(found[place].action, found[place].arguments, tuple(seen.items()), found[place].exhaustive)
    return found
