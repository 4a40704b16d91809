"""The explorer against TLC: verdicts and counts of everything, and the whole labelled graph of what is small."""

from __future__ import annotations

from collections import Counter
from typing import Any

from protocheck.toolchain.explorer import ExplorerEngine, state_graph
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.toolchain.tlc_graph import tlc_state_graph
from protocheck.transpiler.domains import show
from protocheck.transpiler.instance import Instance

from .differences import Difference, Tally

Key = tuple[Any, ...]


def compare_tlc(instance: Instance, toolchain: Toolchain, tally: Tally, *, graph: bool, max_states: int = 400) -> None:
    """Check an instance with both engines; raises `Difference`. Larger state spaces are left alone."""
    whole = ExplorerEngine().check(CheckJob(instance, frozenset()))
    assert whole.stats is not None
    if whole.stats.distinct > max_states:
        tally.add("larger than the limit")
        return
    explored = ExplorerEngine().check(CheckJob(instance))
    confirmed = TlcEngine(toolchain).check(CheckJob(instance))
    tally.add("instances checked by TLC")
    if (explored.status, confirmed.status) == ("invalid", "invalid") and whole.stats.distinct == 0:
        tally.add("no initial state")
        return
    compare_results(explored, confirmed)
    tally.add(f"verdict of both: {explored.status}")
    if graph and whole.status == "holds" and whole.stats.distinct <= _SMALL_GRAPH:
        compare_graph(instance, toolchain)
        tally.add("graphs compared")
        tally.add("states in them", whole.stats.distinct)


def compare_results(explored: EngineResult, confirmed: EngineResult) -> None:
    """The same verdict, the same property, a trace of the same length; where it holds, the same counts."""
    if (explored.status, explored.violated) != (confirmed.status, confirmed.violated):
        raise Difference(f"the explorer says {verdict(explored)}, TLC says {verdict(confirmed)}")
    if explored.status == "violated":
        found, other = explored.trace, confirmed.trace
        if (found is None) is not (other is None):
            raise Difference(f"one trace only: {verdict(explored)}; {verdict(confirmed)}")
        safety = found is not None and found.loop_to is None and not found.stuttering
        if found is not None and other is not None and safety and len(found.steps) != len(other.steps):
            raise Difference(f"traces of different length: {verdict(explored)}; {verdict(confirmed)}")
        return
    if explored.stats is None or confirmed.stats is None:
        raise Difference("a result without counts")
    counts = [
        {
            "distinct": result.stats.distinct,
            "generated": result.stats.generated,
            "depth": result.stats.depth,
            "coverage": dict(result.coverage),
        }
        for result in (explored, confirmed)
        if result.stats is not None
    ]
    if counts[0] != counts[1]:
        raise Difference(f"the explorer counts {counts[0]}, TLC {counts[1]}")


_SMALL_GRAPH = 1_000
"""States up to which whole graphs are compared; beyond that counts, depth and verdict."""


def compare_graph(instance: Instance, toolchain: Toolchain, limit: int = _SMALL_GRAPH) -> None:
    """The same states, initial states and labelled steps."""
    explored = state_graph(instance, limit)
    if explored is None:
        raise Difference(f"the graph has more than {limit} states")
    keys: list[Key] = [tuple(state[name] for name in instance.variables) for state in explored.states]
    steps = Counter((keys[edge.source], edge.action, keys[edge.target]) for edge in explored.edges)
    found = tlc_state_graph(instance, toolchain)
    if found.states != frozenset(keys):
        raise Difference(f"states differ: {_sample(frozenset(keys) ^ found.states)}")
    if found.initial != frozenset(keys[index] for index in explored.initial):
        raise Difference("initial states differ")
    # TLC draws one edge for all arguments that lead from one state to the same other one.
    if set(found.steps) != set(steps):
        raise Difference(f"steps differ: {_sample(set(steps) ^ set(found.steps))}")


def verdict(result: EngineResult) -> str:
    """A result in a line."""
    states = len(result.trace.steps) if result.trace is not None else 0
    return f"{result.status} {result.violated or ''} {result.reason} ({states} states: {result.trace})"


def _sample(items: frozenset[Any] | set[Any]) -> str:
    return ", ".join(show(item) for item in list(items)[:3])


__all__ = ["compare_graph", "compare_results", "compare_tlc", "verdict"]
