"""The state graph: every state and every labelled step, those that change nothing included."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocheck.toolchain.explorer import state_graph, violated_by_steps
from protocheck.transpiler import ir
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import IllDefined, Taken, initial_states, steps

from ..handmade import MACHINES, rollback


@pytest.mark.parametrize("make", MACHINES.values(), ids=MACHINES.keys())
def test_as_the_interpreter_sees_it(make: Callable[[], ir.Protocol]) -> None:
    instance = instantiate(make())
    graph = state_graph(instance, 10_000)
    assert graph is not None
    places = {tuple(state.values()): place for place, state in enumerate(graph.states)}
    begins = [outcome.state for _, outcome in initial_states(instance) if isinstance(outcome, Taken)]
    assert {places[tuple(state.values())] for state in begins} == set(graph.initial)
    expected = [
        (source, places[tuple(outcome.state.values())], action, arguments)
        for source, state in enumerate(graph.states)
        for action, arguments, outcome in steps(instance, state)
        if isinstance(outcome, Taken) and not outcome.outside
    ]
    assert [(edge.source, edge.target, edge.action, edge.arguments) for edge in graph.edges] == expected


@pytest.mark.parametrize("make", MACHINES.values(), ids=MACHINES.keys())
def test_steps_that_are_left_out_are_told(make: Callable[[], ir.Protocol]) -> None:
    instance = instantiate(make())
    graph = state_graph(instance, 10_000)
    assert graph is not None
    outcomes = [outcome for _, outcome in initial_states(instance)]
    outcomes += [outcome for state in graph.states for _, _, outcome in steps(instance, state)]
    expected = {"type_ok": False, "well_defined": False}
    for outcome in outcomes:
        expected["well_defined"] |= isinstance(outcome, IllDefined)
        expected["type_ok"] |= isinstance(outcome, Taken) and bool(outcome.outside)
    assert violated_by_steps(instance, graph) == tuple(name for name, violated in expected.items() if violated)


def test_breadth_first_and_limited() -> None:
    instance = instantiate(rollback())
    graph = state_graph(instance, 31)
    assert graph is not None
    assert (len(graph.states), len(graph.edges), graph.initial) == (31, 188, (0,))
    assert list(graph.states[0]) == ["length", "pending_reads"]
    assert state_graph(instance, 30) is None
