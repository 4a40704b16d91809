"""The explorer against the reference checker: verdicts, traces, counts, graphs, liveness.

The reference visits value states straight from the definitions; the explorer runs generated code over packed ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from protocheck.toolchain.explorer import ExplorerEngine, state_graph
from protocheck.toolchain.replay import violates
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.toolchain.traces import Trace
from protocheck.transpiler import ir
from protocheck.transpiler.domains import show
from protocheck.transpiler.instance import Instance
from protocheck.transpiler.interpreter import Taken, attempt, begin, initial_states, steps
from protocheck.transpiler.reference import ReferenceResult, reference_check
from protocheck.transpiler.reference_liveness import reference_liveness

from .differences import Difference, Tally

Key = tuple[Any, ...]


def compare_explorer(instance: Instance, tally: Tally, max_states: int = 400) -> None:
    """Check an instance both ways in full; raises `Difference`. Larger state spaces are counted and left alone."""
    expected = reference_check(instance, None, max_states)
    if expected.status == "inconclusive":
        tally.add("larger than the limit")
        return
    tally.add("instances explored")
    found = ExplorerEngine().check(CheckJob(instance))
    if expected.status == "holds" and expected.distinct == 0:
        if found.status != "invalid":
            raise Difference(f"there is no initial state; the explorer says {_verdict(found)}")
        tally.add("no initial state")
        return
    compare_safety(instance, expected, found)
    tally.add(f"verdict: {_class_of(instance.protocol, found.violated)}")
    if expected.status == "holds":
        compare_liveness(instance, found, tally)
        compare_reachability(instance, expected, tally)
        tally.add("states", expected.distinct)
    # With nothing to look for but overflows and undefined steps the search goes on where it stopped before.
    everything = reference_check(instance, frozenset(), max_states)
    if everything.status != "inconclusive":
        compare_safety(instance, everything, ExplorerEngine().check(CheckJob(instance, frozenset())))
        tally.add("graphs compared")
        compare_graph(instance, max_states)


def compare_safety(instance: Instance, expected: ReferenceResult, found: EngineResult) -> None:
    """Verdict, property, length and truth of the trace; where it holds, every count."""
    liveness = {item.name for item in instance.protocol.properties if item.is_liveness}
    if expected.status == "holds":
        if found.status != "holds" and found.violated not in liveness:
            raise Difference(f"safety holds; the explorer says {_verdict(found)}")
        assert found.stats is not None
        counts = {
            "distinct": (expected.distinct, found.stats.distinct),
            "generated": (expected.generated, found.stats.generated),
            "depth": (expected.depth, found.stats.depth),
            "changing": (expected.changing, found.stats.changing),
            "coverage": (dict(expected.coverage), dict(found.coverage)),
        }
        wrong = {name: pair for name, pair in counts.items() if pair[0] != pair[1]}
        if wrong:
            raise Difference(f"the reference and the explorer count differently: {wrong}")
        return
    if (found.status, found.violated) != ("violated", expected.violated):
        raise Difference(f"{expected.violated} is violated ({expected.reason}); the explorer says {_verdict(found)}")
    if found.trace is None or len(found.trace.steps) != len(expected.trace):
        raise Difference(
            f"{expected.violated}: a trace of {len(expected.trace)} states; the explorer's is {found.trace}"
        )
    check_trace(instance, found.trace, str(found.violated))


def check_trace(instance: Instance, trace: Trace, violated: str) -> None:
    """Every step of a trace is one that the protocol allows, and in the end it violates what it names."""
    first, *rest = trace.steps
    outcome = begin(instance, first.arguments)
    if isinstance(outcome, Taken) and dict(outcome.state) != dict(first.state):
        raise Difference(f"the trace starts in {first}, init gives {outcome}")
    before = first.state
    for step in rest:
        outcome = attempt(instance, before, instance.protocol.action(str(step.action)), step.arguments)
        if not isinstance(outcome, Taken) or dict(outcome.state) != dict(step.state):
            raise Difference(f"the trace has {step}; the model says {outcome}")
        before = step.state
    if not violates(instance, trace, violated):
        raise Difference(f"the trace does not violate {violated}: {trace}")


def compare_liveness(instance: Instance, found: EngineResult, tally: Tally) -> None:
    """Which liveness property is violated first, and each of them on its own."""
    names = [item.name for item in instance.protocol.properties if item.is_liveness]
    broken = [name for name in names if not reference_liveness(instance, name)]
    if broken and found.violated not in broken:
        raise Difference(f"{broken} are violated; the explorer says {_verdict(found)}")
    if not broken and found.status != "holds":
        raise Difference(f"everything holds; the explorer says {_verdict(found)}")
    for name in names:
        alone = ExplorerEngine().check(CheckJob(instance, frozenset({name})))
        tally.add("liveness properties")
        if (alone.status == "violated") is not (name in broken):
            raise Difference(
                f"{name} is {'violated' if name in broken else 'true'}; the explorer says {_verdict(alone)}"
            )
        if alone.trace is not None:
            check_trace(instance, alone.trace, name)


def compare_reachability(instance: Instance, expected: ReferenceResult, tally: Tally) -> None:
    """Each `reachable` property on its own."""
    for item in instance.protocol.of_kind("reachable"):
        alone = ExplorerEngine().check(CheckJob(instance, frozenset({item.name})))
        tally.add("reachability properties")
        if (alone.status == "holds") is not (item.name in expected.reached):
            raise Difference(
                f"{item.name} is reached: {item.name in expected.reached}; the explorer: {_verdict(alone)}"
            )


def compare_graph(instance: Instance, max_states: int) -> None:
    """The reachable states in breadth-first order, and every labelled step."""
    graph = state_graph(instance, max_states)
    if graph is None:
        # Where the search stopped at an overflow there may be more states than it had seen.
        return
    states, initial, edges = _graph(instance)
    found_states = [_key(instance, state) for state in graph.states]
    if found_states != states:
        raise Difference(_first_difference("states", states, found_states))
    if list(graph.initial) != initial:
        raise Difference(f"initial states {initial}, the explorer's are {graph.initial}")
    found = Counter((edge.source, edge.action, edge.arguments, edge.target) for edge in graph.edges)
    if found != edges:
        raise Difference(f"steps missing in the explorer's graph: {edges - found}; of its own: {found - edges}")


def _graph(instance: Instance) -> tuple[list[Key], list[int], Counter[tuple[Any, ...]]]:
    places: dict[Key, int] = {}
    waiting: list[Mapping[str, Any]] = []

    def place(state: Mapping[str, Any]) -> int:
        key = _key(instance, state)
        if key not in places:
            places[key] = len(places)
            waiting.append(state)
        return places[key]

    for _, outcome in initial_states(instance):
        if isinstance(outcome, Taken) and not outcome.outside:
            place(outcome.state)
    initial = list(range(len(places)))
    edges: Counter[tuple[Any, ...]] = Counter()
    for state in waiting:  # which grows while it is walked
        source = places[_key(instance, state)]
        for action, arguments, outcome in steps(instance, state):
            if isinstance(outcome, Taken) and not outcome.outside:
                edges[source, action, arguments, place(outcome.state)] += 1
    return list(places), initial, edges


def _key(instance: Instance, state: Mapping[str, Any]) -> Key:
    return tuple(state[name] for name in instance.variables)


def _first_difference(what: str, expected: list[Key], found: list[Key]) -> str:
    for index, (one, other) in enumerate(zip(expected, found, strict=False)):
        if one != other:
            return f"{what} {index}: {show(one)}, the explorer's is {show(other)}"
    return f"{len(expected)} {what}, the explorer has {len(found)}"


def _verdict(result: EngineResult) -> str:
    return f"{result.status} {result.violated or ''} {result.reason} {result.trace or ''}"


def _class_of(protocol: ir.Protocol, violated: str | None) -> str:
    if violated is None:
        return "holds"
    kinds = {item.name: item.kind for item in protocol.properties}
    return kinds.get(violated, violated)


__all__ = ["check_trace", "compare_explorer", "compare_safety"]
