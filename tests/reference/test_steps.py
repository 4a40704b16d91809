"""What comes of an action: refusals by whole calls, assumptions, obligations, updates, overflow; the order of steps."""

from __future__ import annotations

from typing import Any

from protocheck.transpiler import ir
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import (
    AssumedAway,
    IllDefined,
    Outcome,
    Refused,
    Taken,
    attempt,
    choices,
    initial_states,
    steps,
)
from protocheck.transpiler.valuetypes import BOOL

from ..build import (
    action,
    add,
    arith,
    assume,
    bind,
    eq,
    ge,
    guard,
    if_,
    init,
    ints,
    le,
    local,
    lt,
    ne,
    not_,
    oblige,
    param,
    protocol,
    sub,
    var,
    variable,
)
from ..handmade import chooser, rollback

n, m, k = var("n"), var("m"), local("k")


def _outcome(n_value: int, *parts: Any, k_value: int = 1, **sets: Any) -> Outcome:
    machine = protocol(
        "M",
        variable("n", ints(0, 5), 0),
        variable("m", ints(0, 5), 0),
        action("act", param("k", ints(0, 9)), *parts, **sets),
    )
    instance = instantiate(machine)
    return attempt(instance, {"n": n_value, "m": 2}, machine.actions[0], (("k", k_value),))


def test_updates_use_the_state_before() -> None:
    assert _outcome(3, n=m, m=n) == Taken({"n": 2, "m": 3})


def test_all_guards_of_a_call_are_named() -> None:
    parts = [guard("a", lt(n, 3)), guard("b", eq(n, 3)), guard("c", ge(n, 4)), guard("d", eq(n, 9), 1)]
    assert _outcome(3, *parts) == Refused(("a", "c"))


def test_a_later_call_is_protected_by_an_earlier_one() -> None:
    parts = [guard("positive", ne(n, 0), 0), guard("divides", eq(arith(4, "%", n), 0), 1)]
    assert _outcome(0, *parts) == Refused(("positive",))
    assert _outcome(3, *parts) == Refused(("divides",))
    assert isinstance(_outcome(2, *parts), Taken)


def test_guards_of_one_call_do_not_protect_each_other() -> None:
    parts = [guard("positive", ne(n, 0)), guard("divides", eq(arith(4, "%", n), 0))]
    outcome = _outcome(0, *parts)
    assert isinstance(outcome, IllDefined)
    assert outcome.reason == "division by zero"


def test_when_protects_and_is_itself_evaluated() -> None:
    divides = eq(arith(4, "%", n), 0)
    assert isinstance(_outcome(0, guard("g", divides, when=ne(n, 0))), Taken)
    assert _outcome(3, guard("g", divides, when=ne(n, 0))) == Refused(("g",))
    assert isinstance(_outcome(0, guard("g", True, when=divides)), IllDefined)
    assert isinstance(_outcome(0, assume(False, when=not_(eq(n, 0)))), Taken)


def test_assumptions_and_obligations_stand_in_order() -> None:
    assert isinstance(_outcome(1, assume(eq(n, 0)), oblige(False)), AssumedAway)
    assert isinstance(_outcome(1, oblige(eq(n, 0)), assume(False)), IllDefined)
    assert _outcome(1, guard("g", False), oblige(False)) == Refused(("g",))
    assert isinstance(_outcome(1, oblige(False, when=eq(n, 0))), Taken)


def test_names_are_bound_where_their_branch_is_taken() -> None:
    bound = bind("t", arith(6, "//", n), when=ne(n, 0))
    assert _outcome(3, bound, m=if_(ne(n, 0), local("t"), 0)) == Taken({"n": 3, "m": 2})
    assert _outcome(0, bound, m=if_(ne(n, 0), local("t"), 0)) == Taken({"n": 0, "m": 0})
    assert isinstance(_outcome(0, bind("t", arith(6, "//", n))), IllDefined)


def test_an_undefined_update_is_a_violation_only_where_the_action_is_enabled() -> None:
    assert isinstance(_outcome(0, m=arith(6, "//", n)), IllDefined)
    assert _outcome(0, guard("g", ne(n, 0)), m=arith(6, "//", n)) == Refused(("g",))


def test_the_overflowing_state_is_kept_with_its_variables() -> None:
    assert _outcome(5, n=add(n, k), m=sub(m, 3)) == Taken({"n": 6, "m": -1}, ("n", "m"))
    assert _outcome(4, n=add(n, k)) == Taken({"n": 5, "m": 2})


def test_steps_come_in_canonical_order() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 9), 0),
        action("second", param("a", ints(0, 1)), param("b", ir.BoolSet()), guard("g", le(local("a"), 1))),
        action("first", n=1),
    )
    found = [(name, arguments) for name, arguments, _ in steps(instantiate(machine), {"n": 0})]
    pairs = [(0, False), (0, True), (1, False), (1, True)]
    assert found == [*(("second", (("a", a), ("b", b))) for a, b in pairs), ("first", ())]


def test_choices_of_an_empty_domain_are_none() -> None:
    machine = protocol("M", variable("n", ints(0, 1), 0), action("never", param("k", ints(1, 0))))
    assert list(choices(instantiate(machine), "never")) == []
    assert list(steps(instantiate(machine), {"n": 0})) == []


def test_initial_states_leave_out_what_is_assumed_away() -> None:
    found = list(initial_states(instantiate(chooser())))
    # Subsets of {0, 1, 2} of at most n members, n in 0..2, the set varying slowest.
    assert len(found) == 3 + 3 * 2 + 3 * 1
    assert found[0][0] == (("chosen", frozenset()), ("n", 0))
    first = found[0][1]
    assert isinstance(first, Taken)
    assert list(first.state) == ["secret", "budget", "seen", "flags"]


def test_an_ill_defined_choice_of_init() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 9)),
        init(param("k", ints(0, 2)), oblige(ne(k, 1)), n=arith(4, "//", k)),
    )
    outcomes = [outcome for _, outcome in initial_states(instantiate(machine))]
    assert [type(outcome) for outcome in outcomes] == [IllDefined, IllDefined, Taken]


def test_bool_and_its_guard_in_rollback() -> None:
    instance = instantiate(rollback())
    state = {"length": 2, "pending_reads": frozenset({2})}
    act = instance.protocol.action("rollback")
    assert attempt(instance, state, act, (("k", 1),)) == Refused(("no_reader_above",))
    assert attempt(instance, state, act, (("k", 3),)) == Refused(("shrinks",))
    assert attempt(instance, state, act, (("k", 2),)) == Refused(("shrinks",))
    taken = attempt(instance, {"length": 2, "pending_reads": frozenset({1})}, act, (("k", 1),))
    assert taken == Taken({"length": 1, "pending_reads": frozenset({1})})


def test_types_of_locals_do_not_matter_to_the_interpreter() -> None:
    flag = local("flag", BOOL)
    assert _outcome(1, bind("flag", eq(n, 1)), m=if_(flag, 5, 0)) == Taken({"n": 1, "m": 5})
