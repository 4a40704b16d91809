"""Liveness: fair behaviours that a property forbids, as lassos and as stuttering, against the reference."""

from __future__ import annotations

import random
from typing import Any, Literal

import pytest

from protocheck.toolchain.traces import Trace
from protocheck.transpiler import ir
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.reference_liveness import reference_liveness

from ..build import action, add, apply, arith, eq, fun, guard, if_, ints, local, lt, ne, param, prop, protocol, var
from ..build import variable as declared
from .agreement import check

n, x = var("n"), local("x")
Strength = Literal["weak", "strong"] | None


def _machine(*actions: ir.Action, live: ir.Property, fairness: Strength = None, high: int = 3) -> ir.Protocol:
    return protocol(
        "M", declared("n", ints(0, high), 0), *actions, prop("any", "terminal", True), live, fairness=fairness
    )


def _states(trace: Trace | None) -> list[int]:
    assert trace is not None
    return [step.state["n"] for step in trace.steps]


def _up(fairness: Strength = None) -> ir.Action:
    return action("up", guard("small", lt(n, 3)), n=add(n, 1), fairness=fairness)


def test_stuttering() -> None:
    result = check(_machine(_up(), live=prop("ends", "eventually", eq(n, 3))))
    assert (result.status, result.violated) == ("violated", "ends")
    assert result.trace is not None
    assert (_states(result.trace), result.trace.stuttering, result.trace.loop_to) == ([0], True, None)


def test_stuttering_only_where_nothing_fair_is_possible() -> None:
    result = check(_machine(_up("weak"), live=prop("ends", "infinitely_often", eq(n, 1))))
    assert result.trace is not None
    assert (_states(result.trace), result.trace.stuttering) == ([0, 1, 2, 3], True)
    assert check(_machine(_up("weak"), live=prop("ends", "eventually", eq(n, 3)))).status == "holds"


def test_lasso() -> None:
    turn = action("turn", n=if_(eq(n, 3), 1, add(n, 1)), fairness="weak")
    result = check(_machine(turn, live=prop("back", "infinitely_often", eq(n, 0))))
    trace = result.trace
    assert trace is not None
    assert (_states(trace), trace.loop_to, trace.stuttering) == ([0, 1, 2, 3], 1, False)
    assert trace.closing is not None
    assert (trace.closing.action, trace.closing.state) == ("turn", {"n": 1})


def test_the_loop_goes_by_all_that_fairness_needs() -> None:
    # Both toggles are fair; a loop that is content with both passes 1 and 2.
    left = action("left", guard("low", lt(n, 2)), n=arith(1, "-", n), fairness="strong")
    right = action("right", guard("even", eq(arith(n, "%", 2), 0)), n=arith(2, "-", n), fairness="strong")
    result = check(_machine(left, right, live=prop("ends", "eventually", eq(n, 3))))
    trace = result.trace
    assert trace is not None
    assert trace.loop_to is not None
    assert {0, 1, 2} == set(_states(trace)[trace.loop_to :])


def test_strong_fairness() -> None:
    def machine(strength: Strength) -> ir.Protocol:
        turn = action("turn", guard("low", lt(n, 2)), n=arith(1, "-", n), fairness="weak")
        leave = action("leave", guard("at_one", eq(n, 1)), n=3, fairness=strength)
        return _machine(turn, leave, live=prop("ends", "eventually", eq(n, 3)))

    assert check(machine("weak")).status == "violated"
    assert check(machine("strong")).status == "holds"


def test_each_instance() -> None:
    def machine(each: tuple[str, ...]) -> ir.Protocol:
        jump = action("jump", param("x", ints(0, 2)), guard("other", ne(x, n)), n=x, fairness="strong", each=each)
        return _machine(jump, live=prop("comes", "infinitely_often", eq(n, 2)))

    assert check(machine(())).status == "violated"
    assert check(machine(("x",))).status == "holds"


def test_leads_to_shows_where_it_began() -> None:
    turn = action("turn", n=if_(eq(n, 3), 2, add(n, 1)), fairness="weak")
    result = check(_machine(turn, live=prop("leads", "leads_to", eq(n, 1), eq(n, 0))))
    assert result.trace is not None
    assert _states(result.trace) == [0, 1, 2, 3]
    assert result.trace.loop_to == 2
    assert check(_machine(turn, live=prop("leads", "leads_to", eq(n, 1), eq(n, 3)))).status == "holds"


def test_the_first_in_source_order_is_reported() -> None:
    machine = protocol(
        "M",
        declared("n", ints(0, 3), 0),
        _up(),
        prop("any", "terminal", True),
        prop("fine", "eventually", eq(n, 0)),
        prop("second", "eventually", eq(n, 3)),
        prop("third", "eventually", eq(n, 2)),
    )
    assert check(machine).violated == "second"
    assert check(machine, "third").violated == "third"
    assert check(machine, "fine").status == "holds"


def test_safety_goes_first() -> None:
    up = action("up", n=add(n, 1))
    assert check(_machine(up, live=prop("ends", "eventually", eq(n, 9)))).violated == "type_ok"
    assert check(_machine(up, live=prop("ends", "eventually", eq(n, 9))), "ends").violated == "type_ok"


def _random_machine(seed: int) -> ir.Protocol:
    """A few tables of successors as actions, some with a choice, fair in one way or another."""
    dice = random.Random(seed)
    high = dice.randint(2, 4)
    fairness: list[Any] = [None, "weak", "weak", "strong", "strong"]

    def table() -> ir.Expr:
        return fun(*((place, dice.randint(0, high)) for place in range(high + 1)))

    def enabled() -> ir.Guard:
        places = fun(*((place, dice.random() < 0.6) for place in range(high + 1)))
        return guard("here", apply(places, n))

    actions = []
    for number in range(dice.randint(1, 3)):
        if dice.random() < 0.5:
            each = dice.choice([(), ("x",)])
            chosen = if_(eq(x, 0), apply(table(), n), apply(table(), n))
            made = action(
                f"a{number}", param("x", ints(0, 1)), enabled(), n=chosen, fairness=dice.choice(fairness), each=each
            )
        else:
            made = action(f"a{number}", enabled(), n=apply(table(), n), fairness=dice.choice(fairness))
        actions.append(made)
    kind: Any = dice.choice(["eventually", "infinitely_often", "eventually_always", "leads_to"])
    good, reached = dice.randint(1, high), dice.randint(0, high)
    body = ne(n, good) if dice.random() < 0.3 else eq(n, good)
    live = prop("live", kind, body, eq(n, reached) if kind == "leads_to" else None)
    return _machine(*actions, live=live, fairness=dice.choice([None, None, "weak", "strong"]), high=high)


@pytest.mark.parametrize("first", range(0, 600, 100))
def test_at_random(first: int) -> None:
    """Every behaviour that is shown has been replayed, and found fair and forbidden, before it is shown."""
    verdicts = []
    for seed in range(first, first + 100):
        machine = _random_machine(seed)
        result = check(machine)
        holds = reference_liveness(instantiate(machine), "live")
        assert result.status == ("holds" if holds else "violated"), seed
        verdicts.append(holds)
    assert 10 < sum(verdicts) < 90
