"""Machines generated at random: what the page is told of them is what the interpreter says, and can be written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from protocheck import Protocol
from protocheck.toolchain.exploration.content import Content, whole_content
from protocheck.toolchain.exploration.machine import Fault, Refusal, Step
from protocheck.toolchain.exploration.page import page
from protocheck.toolchain.exploration.session import Block, Exploration, collect
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import outside
from protocheck.transpiler.mutation import drop_guard

from ..machines.loading import loaded
from ..machines.machine import Machine, machine_of
from ..machines.strategies import machines
from .test_states import expected, judged_as_replay, told

STATES = 12


def compare(cls: type[Protocol]) -> dict[str, int]:
    """Some states of a machine and of its variants; how often what was met."""
    protocol = compile_protocol(cls)
    session = Exploration(instantiate(protocol))
    block = Block(session)
    collect(block, session.initial(), session.guards, STATES, follow=session.guards)
    met = {"steps": 0, "refusals": 0, "explained": 0, "faults": 0, "parted": 0}
    for guard in (None, *session.guards):
        machine = session.machine(guard)
        instance = instantiate(protocol if guard is None else drop_guard(protocol, guard))
        for number in list(block.views):
            state, view = session.state(number), session.view(number, () if guard is None else (guard,))
            rows = list(view.results)
            if guard is not None and not outside(instance, state):
                row = [calls.action.name for calls in machine.calls].index(guard.partition(".")[0])
                met["parted"] += rows[row] != view.variants[guard]
                rows[row] = view.variants[guard]
            for calls, results in zip(machine.calls, rows, strict=not outside(instance, state)):
                for arguments, result in zip(calls.arguments, results, strict=True):
                    action = instance.protocol.action(calls.action.name)
                    assert told(result) == expected(instance, state, action, arguments)
                    met["steps"] += isinstance(result, Step)
                    met["faults"] += isinstance(result, Fault)
                    if isinstance(result, Refusal):
                        met["refusals"] += len(result.guards)
                        met["explained"] += sum(why != "" for _, why in result.guards)
            truths = view.truths if guard is None else view.variant_truths.get(guard, view.truths)
            judged_as_replay(instance, state, truths, machine)
    return met


@settings(max_examples=15)
@given(machines())
def test_random_machines(machine: Machine) -> None:
    with loaded(machine) as cls:
        compare(cls)


def test_everything_is_met_in_some_machine() -> None:
    total: dict[str, int] = {}
    for seed in range(2_000, 2_012):
        with loaded(machine_of(seed)) as cls:
            for what, number in compare(cls).items():
                total[what] = total.get(what, 0) + number
    assert all(total.values()), total
    # What is a plain False is left as it is.
    assert total["explained"] > 0.8 * total["refusals"], total


@pytest.mark.parametrize("seed", range(2_000, 2_004))
def test_pages_of_random_machines_can_be_written(seed: int) -> None:
    with loaded(machine_of(seed)) as cls:
        session = Exploration(instantiate(compile_protocol(cls)))
        data = whole_content(Content(session, cls.__name__), session.guards, STATES)
        assert json.loads(json.dumps(data))["block"]["views"]
        assert page(data).count("</script>") == 2


@pytest.mark.soak
@settings(max_examples=400)
@given(machines())
def test_many_random_machines(machine: Machine) -> None:
    with loaded(machine) as cls:
        compare(cls)
