"""Searches of orbits against searches of states: protocols, their variants, and machines at random."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from protocheck import Protocol
from protocheck.protocols.acceptance import Acceptance
from protocheck.toolchain.replay import ReplayError
from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from .. import symmetric
from ..machines.loading import loaded
from ..machines.machine import Machine
from ..machines.strategies import machines
from .differences import Difference, Tally
from .shipped import example, variants
from .suite import machine_for, run_suite
from .symmetry import compare_symmetry

SEEDS = range(5_000, 5_020)

PROTOCOLS: list[tuple[type[Protocol], Mapping[str, Any]]] = [
    (symmetric.LockServer, {}),
    (symmetric.Election, {}),
    (symmetric.Transfers, {"pages": frozenset({"x", "p1"})}),
    (symmetric.Patient, {"clients": frozenset({"ann", "bob"})}),
    (symmetric.Symmetry, {}),
    (symmetric.Council, {}),
    (Acceptance, {"max_trace": 2, "max_draft": 1}),
    (example("two_phase_commit").TwoPhaseCommit, {"managers": frozenset({"rm1", "rm2"})}),
]


@pytest.mark.parametrize(("cls", "constants"), PROTOCOLS, ids=lambda item: getattr(item, "__name__", ""))
def test_protocols_and_their_variants(cls: type[Protocol], constants: Mapping[str, Any]) -> None:
    tally = Tally()
    for variant in variants(cls):
        compare_symmetry(instantiate(variant, constants), tally)
    assert tally.counts["graphs that shrank"] > 0


def test_deadlocks() -> None:
    """An election that may not end ends: as early on orbits as on states."""
    protocol = compile_protocol(symmetric.Election)
    endless = replace(protocol, properties=tuple(item for item in protocol.properties if item.kind != "terminal"))
    endless = replace(endless, actions=(protocol.action("vote"),))
    tally = Tally()
    compare_symmetry(instantiate(endless), tally)
    assert tally.counts["verdict: deadlock_free"] == 1


@pytest.mark.soak
@pytest.mark.parametrize("cls", [cls for cls, _ in PROTOCOLS], ids=lambda cls: str(cls.__name__))
def test_protocols_with_more_members(cls: type[Protocol]) -> None:
    tally = Tally()
    for variant in variants(cls):
        compare_symmetry(instantiate(variant), tally)
    assert tally.counts["graphs that shrank"] > 0


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(machines(symmetric=True))
def test_hypothesis_finds_no_difference(machine: Machine) -> None:
    with loaded(machine) as cls:
        compare_symmetry(instantiate(compile_protocol(cls)), Tally(), max_states=100)


def test_random_machines() -> None:
    tally = Tally()
    for seed in SEEDS:
        run_suite("orbits", machine_for("orbits", seed), random.Random(seed), tally, None)
    for what, count in sorted(tally.counts.items()):
        print(f"{count:>7}  {what}")
    for verdict in ("well_defined", "invariant", "transition_invariant", "holds"):
        assert tally.counts.get(f"verdict: {verdict}", 0) > 0, verdict
    assert tally.counts["graphs that shrank"] > len(SEEDS) // 5


# --------------------------------------------------------------------------------------------- symmetry that is none


def with_a_literal() -> ir.Protocol:
    """The lock server, but for one client who is served at once: what the frontend would refuse."""
    protocol = compile_protocol(symmetric.LockServer)
    ann = ir.Literal("ann", type=types.Model("clients"))
    ask = protocol.action("ask")
    asked = next(item for item in ask.parameters if item.name == "client")
    client = ir.LocalRef(asked.name, type=ann.type)
    favoured = ir.Guard("is_ann", ir.Equal(client, ann, type=types.BOOL), 9)
    actions = tuple(
        replace(action, steps=(*action.steps, favoured)) if action.name == "ask" else action
        for action in protocol.actions
    )
    return replace(protocol, actions=actions)


def test_a_member_that_is_named_is_noticed() -> None:
    with pytest.raises(Difference, match="same but for names"):
        compare_symmetry(instantiate(with_a_literal()), Tally())


def test_a_start_that_names_a_member_is_noticed() -> None:
    protocol = compile_protocol(symmetric.Election)
    first = ir.Literal("n1", type=types.Model("nodes"))
    updates = tuple(
        replace(update, value=ir.SetDisplay((first,), type=types.Set(first.type)))
        if update.variable == "leaders"
        else update
        for update in protocol.init.updates
    )
    broken = replace(protocol, init=replace(protocol.init, updates=updates))
    # Either way is an alarm: the searches differ, or what the explorer finds does not replay.
    with pytest.raises((Difference, ReplayError)):
        compare_symmetry(instantiate(broken), Tally())


def test_a_property_that_names_a_member_is_noticed() -> None:
    protocol = compile_protocol(symmetric.LockServer)
    eve = ir.Literal("eve", type=types.Model("clients"))
    holder = ir.VariableRef("holder", type=types.Optional(eve.type))
    never = ir.Property("never_eve", "invariant", ir.Equal(holder, eve, negated=True, type=types.BOOL))
    broken = replace(protocol, properties=(never,))
    with pytest.raises(Difference):
        compare_symmetry(instantiate(broken), Tally())
