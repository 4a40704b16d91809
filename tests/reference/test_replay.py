"""Traces are recovered from their states, refused where the protocol does not allow them, and judged."""

from __future__ import annotations

from typing import Any

import pytest

from protocheck.toolchain.replay import ReplayError, replay, shows, violates
from protocheck.toolchain.traces import Trace, TraceStep
from protocheck.transpiler import ir
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.reference import reference_check

from ..build import (
    action,
    add,
    arith,
    eq,
    ge,
    guard,
    init,
    ints,
    le,
    local,
    lt,
    ne,
    oblige,
    param,
    prop,
    protocol,
    sub,
    var,
    variable,
)
from ..handmade import MACHINES, dispatch, philosophers, rollback, starver, two_phase_commit

n = var("n")


def state(length: int, *pending: int) -> dict[str, Any]:
    # TLC prints variables in an order of its own.
    return {"pending_reads": frozenset(pending), "length": length}


BROKEN = instantiate(drop_guard(rollback(), "rollback.no_reader_above"))
STATES = [state(0), state(1), state(1, 1), state(0, 1)]


def actions(trace: Trace) -> list[tuple[str | None, dict[str, Any]]]:
    return [(step.action, dict(step.arguments)) for step in trace.steps]


@pytest.mark.parametrize("named", [(), ("Init", "extend", "start_read", "rollback"), (None, None, "start_read", None)])
def test_actions_and_arguments_are_recovered(named: tuple[str | None, ...]) -> None:
    trace = replay(BROKEN, STATES, named)
    assert actions(trace) == [(None, {}), ("extend", {}), ("start_read", {"i": 1}), ("rollback", {"k": 0})]
    assert [list(step.state) for step in trace.steps] == [["length", "pending_reads"]] * 4
    assert violates(BROKEN, trace, "no_ghost_reads")
    assert not violates(BROKEN, trace, "grows_by_one")
    assert not violates(BROKEN, trace, "type_ok")
    assert not violates(BROKEN, trace, "well_defined")
    assert not violates(BROKEN, trace, "deadlock_free")


@pytest.mark.parametrize(
    ("states", "named", "position"),
    [
        ([], (), 0),
        ([state(1)], (), 0),
        ([{"length": 0}], (), 0),
        ([state(0), state(2)], (), 1),
        ([state(0), state(1), state(1, 2)], (), 2),
        ([state(0), state(1)], (None, "rollback"), 1),
        ([state(0), state(1)], (None, "no_such_action"), 1),
        ([state(0), state(0)], (), 1),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused(states: Any, named: Any, position: int) -> None:
    with pytest.raises(ReplayError) as caught:
        replay(instantiate(rollback()), states, named)
    assert caught.value.position == position


def test_the_refused_step_of_the_baseline_is_named() -> None:
    with pytest.raises(ReplayError) as caught:
        replay(instantiate(rollback()), STATES)
    assert str(caught.value) == (
        "state 4 of the trace: no action leads from [length = 1, pending_reads = {1}] "
        "to [length = 0, pending_reads = {1}]"
    )


def test_an_unknown_property_is_not_violated_in_silence() -> None:
    with pytest.raises(KeyError):
        violates(BROKEN, replay(BROKEN, STATES), "no_such_property")


@pytest.mark.parametrize("name", MACHINES)
def test_every_counterexample_of_the_reference_replays_and_violates(name: str) -> None:
    """And it violates nothing else: no other safety property, unless that is violated by the same state."""
    baseline = MACHINES[name]()
    for machine in (baseline, *(drop_guard(baseline, guard_name) for guard_name in baseline.guard_names)):
        instance = instantiate(machine)
        result = reference_check(instance)
        if result.violated is None:
            continue
        trace = replay(instance, [step.state for step in result.trace], [step.action for step in result.trace])
        assert [step.state for step in trace.steps] == [step.state for step in result.trace]
        assert violates(instance, trace, result.violated)
        shorter = Trace(trace.steps[:-1])
        assert not violates(instance, shorter, result.violated)


def test_initial_choices_are_recovered() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 9)),
        init(param("k", ints(0, 2)), n=arith(local("k"), "*", 3)),
        action("stay"),
    )
    trace = replay(instantiate(machine), [{"n": 6}, {"n": 6}])
    assert actions(trace) == [(None, {"k": 2}), ("stay", {})]


def test_the_overflowing_state_ends_a_trace() -> None:
    machine = protocol("M", variable("n", ints(0, 1), 0), action("increase", n=add(n, 1)))
    instance = instantiate(machine)
    trace = replay(instance, [{"n": 0}, {"n": 1}, {"n": 2}])
    assert violates(instance, trace, "type_ok")
    assert not violates(instance, trace, "deadlock_free")


def test_deadlocks_and_terminal_states() -> None:
    instance = instantiate(philosophers())
    trace = replay(instance, [step.state for step in reference_check(instance).trace])
    assert violates(instance, trace, "deadlock_free")
    finished = protocol(
        "M",
        variable("n", ints(0, 1), 0),
        action("increase", guard("small", lt(n, 1)), n=1),
        prop("finished", "terminal", eq(n, 1)),
    )
    instance = instantiate(finished)
    # The stuttering disjunct repeats the last state.
    trace = replay(instance, [{"n": 0}, {"n": 1}, {"n": 1}, {"n": 1}], loop_to=2)
    assert actions(trace) == [(None, {}), ("increase", {})]
    assert trace.stuttering
    assert not violates(instance, trace, "deadlock_free")


def test_a_repeated_state_that_is_not_terminal_is_no_step() -> None:
    machine = protocol("M", variable("n", ints(0, 1), 0), action("increase", guard("small", lt(n, 1)), n=1))
    with pytest.raises(ReplayError):
        replay(instantiate(machine), [{"n": 0}, {"n": 0}])


def test_well_defined_in_all_its_forms() -> None:
    def shown(*parts: ir.Property | ir.Action, at: int) -> bool:
        machine = protocol(
            "M", variable("n", ints(0, 3), 0), action("increase", guard("small", lt(n, 3)), n=add(n, 1)), *parts
        )
        instance = instantiate(machine)
        return violates(instance, replay(instance, [{"n": number} for number in range(at + 1)]), "well_defined")

    ratio = arith(6, "//", sub(n, 2))
    for part in (
        action("divide", guard("g", ge(ratio, -9))),
        action("claim", oblige(ne(n, 2))),
        prop("p", "invariant", ge(ratio, -9)),
        prop("p", "leads_to", True, ge(ratio, -9)),
        prop("p", "reachable", ge(ratio, -9)),
    ):
        assert [shown(part, at=number) for number in range(3)] == [False, False, True]
    after = prop("p", "transition_invariant", ge(arith(6, "//", sub(var("n", after=True), 2)), -9))
    assert [shown(after, at=number) for number in range(3)] == [False, True, False]


def test_an_ill_defined_choice_of_init_is_shown_without_a_state() -> None:
    machine = protocol(
        "M", variable("n", ints(0, 3)), init(param("k", ints(0, 3)), oblige(le(local("k"), 2)), n=local("k"))
    )
    trace = Trace((TraceStep(None, (("k", 3),), {}),))
    assert violates(instantiate(machine), trace, "well_defined")
    assert not violates(instantiate(rollback()), Trace((TraceStep(None, (), {}),)), "well_defined")


def test_reachability_is_shown_by_a_state_and_refuted_by_no_trace() -> None:
    instance = instantiate(two_phase_commit(1))
    state_of = {"tm_state": "init", "tm_prepared": frozenset(), "messages": frozenset(), "rm_state": {"r1": "working"}}
    trace = replay(instance, [state_of])
    assert not shows(instance, trace, "can_commit")
    assert not violates(instance, trace, "can_commit")
    committed = Trace((TraceStep(None, (), {**state_of, "rm_state": {"r1": "committed"}}),))
    assert shows(instance, committed, "can_commit")


# ------------------------------------------------------------------------------------------------------ liveness


def ring(*parts: ir.Property, fairness: Any = None) -> Instance:
    return instantiate(
        protocol(
            "Ring",
            variable("n", ints(0, 3), 0),
            action("turn", guard("inside", lt(n, 3)), n=arith(add(n, 1), "%", 3)),
            action("leave", guard("at_two", eq(n, 2)), n=3, fairness=fairness),
            action("rest", guard("at_three", eq(n, 3))),
            *parts,
        )
    )


ROUND = [{"n": 0}, {"n": 1}, {"n": 2}]
LEFT = prop("left", "eventually", eq(n, 3))


def test_a_lasso_has_its_closing_step() -> None:
    trace = replay(ring(LEFT), ROUND, loop_to=0)
    assert trace.closing == TraceStep("turn", (), {"n": 0})
    assert trace.loop_to == 0
    assert not trace.stuttering
    assert violates(ring(LEFT), trace, "left")
    with pytest.raises(ReplayError):
        replay(ring(LEFT), ROUND, loop_to=1)
    with pytest.raises(ReplayError):
        replay(ring(LEFT), ROUND, loop_to=3)


def test_an_unfair_loop_shows_nothing() -> None:
    assert violates(ring(LEFT, fairness="weak"), replay(ring(LEFT), ROUND, loop_to=0), "left")
    assert not violates(ring(LEFT, fairness="strong"), replay(ring(LEFT), ROUND, loop_to=0), "left")


def test_stuttering() -> None:
    trace = replay(ring(LEFT), ROUND, stuttering=True)
    assert trace.stuttering
    assert trace.closing is None
    assert violates(ring(LEFT), trace, "left")
    assert not violates(ring(LEFT, fairness="weak"), trace, "left")
    early = replay(ring(LEFT), ROUND[:2], stuttering=True)
    assert violates(ring(LEFT, fairness="weak"), early, "left")


def test_a_loop_of_one_state_is_a_step_of_its_own_or_stuttering() -> None:
    rest = replay(ring(LEFT), [*ROUND, {"n": 3}], loop_to=3)
    assert rest.closing == TraceStep("rest", (), {"n": 3})
    still = replay(ring(LEFT), ROUND[:1], loop_to=0)
    assert still.stuttering


def test_a_finite_trace_shows_no_liveness() -> None:
    assert not violates(ring(LEFT), replay(ring(LEFT), ROUND), "left")


@pytest.mark.parametrize(
    ("kind", "body", "target", "violated"),
    [
        ("eventually", eq(n, 3), None, True),
        ("eventually", eq(n, 2), None, False),
        ("infinitely_often", eq(n, 0), None, True),
        ("infinitely_often", eq(n, 2), None, False),
        ("eventually_always", ge(n, 1), None, False),
        ("eventually_always", eq(n, 1), None, True),
        ("leads_to", eq(n, 0), eq(n, 2), False),
        ("leads_to", eq(n, 0), eq(n, 3), True),
        ("leads_to", eq(n, 2), eq(n, 1), False),
        ("leads_to", eq(n, 1), eq(n, 0), True),
        ("leads_to", eq(n, 3), eq(n, 0), False),
    ],
)
def test_formulas_on_a_lasso(kind: Any, body: ir.Expr, target: ir.Expr | None, violated: bool) -> None:
    """0, then 1 and 2 for ever."""
    instance = instantiate(
        protocol(
            "M",
            variable("n", ints(0, 3), 0),
            action("start", guard("at_zero", eq(n, 0)), n=1),
            action("swap", guard("inside", ge(n, 1)), n=sub(3, n)),
            prop("live", kind, body, target),
        )
    )
    trace = replay(instance, [{"n": 0}, {"n": 1}, {"n": 2}], loop_to=1)
    assert violates(instance, trace, "live") is violated


def test_fairness_of_handmade_machines() -> None:
    instance = instantiate(dispatch())
    first = next(iter(reference_check(instance).trace), None)
    assert first is None
    start = replay(instance, [{"buffer": instance.variables["buffer"].members[0], "copied": 0}], stuttering=True)  # type: ignore[union-attr]
    assert not violates(instance, start, "filled")
    locked = instantiate(starver())
    states: list[dict[str, Any]] = [
        {"holder": None, "served": frozenset()},
        {"holder": 0, "served": frozenset({0})},
        {"holder": None, "served": frozenset({0})},
        {"holder": 0, "served": frozenset({0})},
    ]
    unfair = replay(locked, states, loop_to=2)
    assert unfair.closing == TraceStep("release", (("p", 0),), {"holder": None, "served": frozenset({0})})
    assert not violates(locked, unfair, "both_served")
