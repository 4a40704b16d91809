"""Fairness constraints, fair loops, and whether liveness holds, on machines whose answer is plain."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from protocheck.transpiler import ir
from protocheck.transpiler.fairness import Constraint, changing_steps, constraints, is_fair_loop, same_state
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.reference_liveness import reference_liveness

from ..build import action, add, arith, eq, ge, guard, ints, local, lt, ne, param, prop, protocol, var, variable
from ..handmade import chooser, dispatch, empty_choice, starver, wire

n, x = var("n"), local("x")
Strength = Literal["weak", "strong"] | None


def _machine(
    *actions: ir.Action,
    kind: ir.PropertyKind = "eventually",
    body: Any = None,
    fairness: Strength = None,
    target: Any = None,
) -> ir.Protocol:
    return protocol(
        "M",
        variable("n", ints(0, 3), 0),
        *actions,
        prop("live", kind, eq(n, 3) if body is None else body, target),
        fairness=fairness,
    )


def _live(machine: ir.Protocol, name: str = "live") -> bool:
    return reference_liveness(instantiate(machine), name)


def _up(fairness: Strength = None) -> ir.Action:
    return action("up", guard("small", lt(n, 3)), n=add(n, 1), fairness=fairness)


def test_without_fairness_anything_may_stop() -> None:
    assert not _live(_machine(_up()))


def test_weak_fairness_of_next_or_of_the_action_makes_it_go_on() -> None:
    assert _live(_machine(_up(), fairness="weak"))
    assert _live(_machine(_up("weak")))


def test_weak_fairness_of_next_is_content_with_a_detour() -> None:
    detour = action("detour", guard("even", eq(arith(n, "%", 2), 0)), n=arith(2, "-", n))
    odd = eq(arith(n, "%", 2), 1)
    assert not _live(_machine(_up(), detour, body=odd, fairness="weak"))
    assert _live(_machine(_up("weak"), detour, body=odd))


def test_which_action_took_a_step_is_not_observable() -> None:
    # From 0 to 1 leads `up` as well as `toggle`, so going round is fair to `up`.
    toggle = action("toggle", guard("low", lt(n, 2)), n=arith(1, "-", n))
    assert not _live(_machine(_up("weak"), toggle))


def test_a_step_that_changes_nothing_does_not_count_as_taken() -> None:
    stay = action("stay", fairness="weak")
    assert not _live(_machine(_up(), stay, fairness=None))
    assert _live(_machine(_up(), action("stay"), fairness="weak"))


def test_strong_fairness_where_weak_is_not_enough() -> None:
    # `finish` is possible in 1 only, and the loop 0 → 1 → 0 passes it by again and again.
    def machine(strength: Strength) -> ir.Protocol:
        return _machine(
            action("turn", guard("low", lt(n, 2)), n=arith(1, "-", n), fairness="weak"),
            action("finish", guard("at_one", eq(n, 1)), n=3, fairness=strength),
        )

    assert not _live(machine(None))
    assert not _live(machine("weak"))
    assert _live(machine("strong"))


def test_each_instance_on_its_own() -> None:
    # Three values are set over and over; fairness of the action as a whole is served by two of them.
    def machine(each: tuple[str, ...]) -> ir.Protocol:
        jump = action("jump", param("x", ints(0, 2)), guard("other", ne(x, n)), n=x, fairness="strong", each=each)
        return _machine(jump, kind="infinitely_often", body=eq(n, 2))

    assert not _live(machine(()))
    assert _live(machine(("x",)))


def test_kinds_of_formula() -> None:
    turn = action("turn", n=arith(add(n, 1), "%", 4), fairness="weak")
    assert _live(_machine(turn))
    assert _live(_machine(turn, kind="infinitely_often"))
    assert not _live(_machine(turn, kind="eventually_always"))
    assert _live(_machine(_up("weak"), kind="eventually_always", body=ge(n, 2)))
    assert _live(_machine(turn, kind="leads_to", body=eq(n, 1), target=eq(n, 0)))
    assert not _live(_machine(_up("weak"), kind="leads_to", body=eq(n, 1), target=eq(n, 0)))
    # What is true at the same moment has been reached.
    assert _live(_machine(_up(), kind="leads_to", body=eq(n, 1), target=ge(n, 1)))
    assert _live(_machine(_up(), kind="leads_to", body=eq(n, 9), target=eq(n, 0)))


def test_eventually_is_satisfied_by_the_initial_state() -> None:
    assert _live(_machine(_up(), body=eq(n, 0)))


def test_strong_components_are_split_again_and_again() -> None:
    # Round the whole ring everything is possible somewhere; without the states where `out` is, two loops remain, and
    # only one of them is content with the weak constraint.
    move = action("move", param("x", ints(0, 2)), guard("other", ne(x, n)), guard("low", lt(n, 3)), n=x)
    out = action("out", guard("at_two", eq(n, 2)), n=3, fairness="strong")
    assert not _live(_machine(move, out))
    visit = action("visit", guard("inside", lt(n, 2)), n=2, fairness="weak")
    assert _live(_machine(move, out, visit))


@pytest.mark.parametrize(
    ("machine", "name", "expected"),
    [
        (dispatch(), "filled", True),
        (dispatch(), "again", True),
        (dispatch(), "drained", True),
        (wire(), "all_received", False),
        (wire(), "stays_done", False),
        (wire(), "answered", True),
        (chooser(), "everything_seen", True),
        (starver(), "both_served", True),
        (starver(), "each_again", True),
        (empty_choice(), "goes_green", True),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_handmade(machine: ir.Protocol, name: str, expected: bool) -> None:
    assert _live(machine, name) is expected


def test_constraints_in_order_with_every_combination() -> None:
    act = action(
        "act",
        param("a", ints(0, 1)),
        param("b", ir.BoolSet()),
        param("c", ints(0, 1)),
        fairness="strong",
        each=("c", "a"),
    )
    machine = protocol("M", variable("n", ints(0, 1), 0), act, action("other"), fairness="weak")
    found = constraints(instantiate(machine))
    assert found == (
        Constraint("weak", None),
        *(Constraint("strong", "act", (("a", a), ("c", c))) for a in (0, 1) for c in (0, 1)),
    )
    assert str(found[0]) == "weak fairness of Next"
    assert str(found[2]) == "strong fairness of act(a=0, c=1)"
    assert found[2].covers("act", (("a", 0), ("b", True), ("c", 1)))
    assert not found[2].covers("act", (("a", 1), ("b", True), ("c", 1)))
    assert not found[2].covers("other", ())
    assert found[0].covers("other", ())


def test_fair_loops() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 2), 0),
        action("turn", guard("low", lt(n, 2)), n=arith(1, "-", n)),
        action("leave", guard("at_one", eq(n, 1)), n=2),
    )
    instance = instantiate(machine)
    loop: list[Any] = [{"n": 0}, {"n": 1}]
    assert is_fair_loop(instance, loop, Constraint("strong", "turn"))
    assert is_fair_loop(instance, loop, Constraint("weak", "leave"))
    assert not is_fair_loop(instance, loop, Constraint("strong", "leave"))
    assert is_fair_loop(instance, loop, Constraint("strong", None))
    # Staying where something is possible is not fair to it.
    assert not is_fair_loop(instance, [{"n": 1}], Constraint("weak", "leave"))
    assert not is_fair_loop(instance, [{"n": 0}], Constraint("weak", None))
    assert is_fair_loop(instance, [{"n": 0}], Constraint("strong", "leave"))
    assert is_fair_loop(instance, [{"n": 2}], Constraint("strong", None))
    assert [(name, state) for name, _, state in changing_steps(instance, {"n": 1})] == [
        ("turn", {"n": 0}),
        ("leave", {"n": 2}),
    ]


def test_true_is_not_one() -> None:
    assert same_state({"a": 1}, {"a": 1})
    assert not same_state({"a": True}, {"a": 1})
    assert not same_state({"a": 1}, {"b": 1})
