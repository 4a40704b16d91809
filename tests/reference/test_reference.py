"""The reference checker against known facts, and the order of its verdicts."""

from __future__ import annotations

import pytest

from protocheck.transpiler import ir
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.reference import ReferenceResult, reachable_states, reference_check, safety_order
from protocheck.transpiler.valuetypes import INT

from ..build import (
    action,
    add,
    all_,
    arith,
    assume,
    call,
    const,
    constant,
    eq,
    ge,
    gen,
    guard,
    helper,
    init,
    ints,
    le,
    local,
    lt,
    ne,
    not_,
    oblige,
    param,
    prop,
    protocol,
    range_,
    sub,
    var,
    variable,
)
from ..handmade import (
    MACHINES,
    bounded_queue,
    false_assertion,
    out_of_bounds,
    overflow,
    philosophers,
    rollback,
    two_phase_commit,
    undefined_property,
)

n = var("n")


def check(machine: ir.Protocol, *properties: str, **constants: object) -> ReferenceResult:
    return reference_check(instantiate(machine, constants), frozenset(properties) if properties else None)


def counts(result: ReferenceResult) -> tuple[int, int, int]:
    return result.distinct, result.generated, result.depth


def shown(result: ReferenceResult) -> list[tuple[str | None, dict[str, object]]]:
    return [(step.action, dict(step.arguments)) for step in result.trace]


def test_rollback_holds_with_the_known_counts() -> None:
    result = check(rollback())
    assert result.status == "holds"
    assert counts(result) == (31, 189, 9)
    assert result.changing == 139
    assert result.coverage == {"extend": 15, "start_read": 98, "finish_read": 49, "rollback": 26}
    assert result.evaluated == ("type_ok", "well_defined", "no_ghost_reads", "grows_by_one", "deadlock_free")


def test_two_phase_commit_has_the_known_counts() -> None:
    result = check(two_phase_commit())
    assert result.status == "holds"
    assert counts(result) == (288, 1146, 11)
    assert result.reached == {"can_commit"}


def test_rollback_without_no_reader_above() -> None:
    result = check(drop_guard(rollback(), "rollback.no_reader_above"))
    assert result.violated == "no_ghost_reads"
    assert shown(result) == [(None, {}), ("extend", {}), ("start_read", {"i": 1}), ("rollback", {"k": 0})]
    assert result.trace[-1].state == {"length": 0, "pending_reads": frozenset({1})}


def test_rollback_without_shrinks() -> None:
    result = check(drop_guard(rollback(), "rollback.shrinks"))
    assert result.violated == "grows_by_one"
    assert len(result.trace) == 2


def test_rollback_without_is_pending_survives_the_same() -> None:
    result = check(drop_guard(rollback(), "finish_read.is_pending"))
    assert result.status == "holds"
    assert counts(result) == (31, 264, 9)
    assert result.changing == 139


def test_rollback_without_room_left_leaves_its_domain() -> None:
    result = check(drop_guard(rollback(), "extend.room_left"))
    assert result.violated == "type_ok"
    assert result.trace[-1].state["length"] == 5
    assert len(result.trace) == 6


EXPECTED = {
    "rollback": ("holds", None, 0),
    "two_phase_commit": ("holds", None, 0),
    "dispatch": ("holds", None, 0),
    "bounded_queue": ("holds", None, 0),
    "slots": ("holds", None, 0),
    "wire": ("holds", None, 0),
    "chooser": ("holds", None, 0),
    "philosophers": ("violated", "deadlock_free", 3),
    "overflow": ("violated", "type_ok", 4),
    "out_of_bounds": ("violated", "well_defined", 3),
    "undefined_property": ("violated", "well_defined", 2),
    "false_assertion": ("violated", "well_defined", 2),
    "starver": ("holds", None, 0),
    "arithmetic": ("holds", None, 0),
    "guarded_definedness": ("holds", None, 0),
    "empty_choice": ("holds", None, 0),
}


@pytest.mark.parametrize("name", MACHINES)
def test_verdicts_of_the_handmade_machines(name: str) -> None:
    result = check(MACHINES[name]())
    assert (result.status, result.violated, len(result.trace)) == EXPECTED[name]


def test_the_traces_of_the_handmade_machines() -> None:
    assert [step.state["n"] for step in check(overflow()).trace] == [0, 1, 2, 3]
    assert [step.state["at"] for step in check(out_of_bounds()).trace] == [0, 1, 2]
    assert [step.state["n"] for step in check(undefined_property()).trace] == [3, 2]
    assert shown(check(false_assertion())) == [(None, {}), ("jump", {"d": 1})]
    assert shown(check(philosophers())) == [(None, {}), ("take_left", {"i": 0}), ("take_left", {"i": 1})]


def test_constants_change_the_graph() -> None:
    assert counts(check(rollback(), max_len=1)) == (3, 6, 3)
    assert check(bounded_queue(), capacity=3).distinct > check(bounded_queue()).distinct


def test_the_budget_ends_inconclusive() -> None:
    result = reference_check(instantiate(rollback()), max_states=10)
    assert result.status == "inconclusive"
    assert result.reason == "more than 10 states"


# ------------------------------------------------------------------------------------------------ order of verdicts


def _counter(*parts: ir.Property | ir.Action, high: int = 3) -> ir.Protocol:
    return protocol(
        "Counter",
        variable("n", ints(0, high), 0),
        action("increase", n=add(n, 1)),
        prop("late", "invariant", ne(n, high + 1)),
        *parts,
    )


def test_the_shortest_trace_wins_whatever_the_kind() -> None:
    early = prop("early", "transition_invariant", lt(var("n", after=True), 2))
    assert check(_counter(early)).violated == "early"
    assert len(check(_counter(early)).trace) == 3


def test_equal_lengths_are_ordered_by_kind_then_by_source() -> None:
    after = var("n", after=True)
    step = prop("step", "transition_invariant", lt(after, 4))
    # All violated by the step from 3 to 4; type_ok comes first, nothing else is asked of the state outside.
    result = check(_counter(step))
    assert (result.violated, len(result.trace)) == ("type_ok", 5)
    wide = prop("b_second", "transition_invariant", lt(after, 2))
    same = prop("a_first", "transition_invariant", lt(after, 2))
    invariant = prop("state", "invariant", lt(n, 2))
    assert check(_counter(wide, same)).violated == "b_second"
    assert check(_counter(wide, invariant)).violated == "state"


def test_well_defined_comes_before_invariants_of_the_same_state() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 3), 0),
        action("increase", guard("small", lt(n, 3)), n=add(n, 1)),
        action("divide", guard("divides", ge(arith(4, "//", sub(n, 2)), -9))),
        prop("not_two", "invariant", ne(n, 2)),
    )
    result = check(machine)
    assert (result.violated, len(result.trace)) == ("well_defined", 3)
    assert result.reason == "division by zero"
    # Selected or not, what is evaluated and has no value is said.
    assert check(machine, "not_two").violated == "well_defined"


def test_a_deadlock_comes_last_of_its_length() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 2), 0),
        action("increase", guard("small", lt(n, 2)), n=add(n, 1)),
        prop("not_two", "invariant", ne(n, 2)),
    )
    assert check(machine).violated == "not_two"
    result = check(machine, "deadlock_free")
    assert (result.violated, len(result.trace)) == ("deadlock_free", 3)
    assert result.evaluated == ("type_ok", "well_defined", "deadlock_free")


def test_only_what_is_selected_is_judged_but_for_what_always_is() -> None:
    machine = _counter(prop("never", "invariant", False))
    assert check(machine).violated == "never"
    assert check(machine, "late").violated == "type_ok"


def test_a_terminal_state_is_no_deadlock_and_counts_a_step() -> None:
    finished = prop("finished", "terminal", ge(n, 2))
    also = prop("also", "terminal", eq(n, 2))
    machine = protocol(
        "M", variable("n", ints(0, 2), 0), action("increase", guard("small", lt(n, 2)), n=add(n, 1)), finished, also
    )
    result = check(machine)
    assert result.status == "holds"
    # One initial state, two steps, one stuttering step however many properties call the state terminal.
    assert counts(result) == (3, 4, 3)


def test_a_step_that_changes_nothing_is_exempt_from_transition_invariants() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 1), 0),
        action("stay"),
        action("swap", n=sub(1, n)),
        prop("moves", "transition_invariant", ne(var("n", after=True), n)),
    )
    result = check(machine)
    assert result.status == "holds"
    assert counts(result) == (2, 5, 2)
    assert result.changing == 2


def test_a_step_back_to_a_known_state_is_judged() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 2), 0),
        action("increase", guard("small", lt(n, 2)), n=add(n, 1)),
        action("reset", guard("at_end", eq(n, 2)), n=0),
        prop("upwards", "transition_invariant", ge(var("n", after=True), n)),
    )
    result = check(machine)
    assert (result.violated, len(result.trace)) == ("upwards", 4)
    assert result.trace[-1].action == "reset"


def test_an_undefined_transition_invariant_is_blamed_on_the_state_before() -> None:
    ratio = helper("ratio", arith(6, "//", sub(n, 2)))
    machine = protocol(
        "M",
        variable("n", ints(0, 3), 0),
        ratio,
        action("increase", guard("small", lt(n, 3)), n=add(n, 1)),
        action("stay"),
        prop("falls", "transition_invariant", le(call(ratio, after=True), 9)),
    )
    result = check(machine)
    assert (result.violated, len(result.trace)) == ("well_defined", 2)


def test_init_assumptions_and_overflowing_choices() -> None:
    machine = protocol(
        "M",
        constant("top", 3),
        variable("n", ints(0, const("top"))),
        init(param("k", ints(0, 5)), assume(ne(local("k"), 1)), n=local("k")),
        action("stay"),
    )
    result = check(machine)
    assert (result.violated, shown(result)) == ("type_ok", [(None, {"k": 4})])
    whole = check(machine, top=5)
    assert counts(whole) == (5, 10, 1)


def test_an_ill_defined_choice_of_init_is_a_trace_without_a_state() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 9)),
        init(param("k", ints(0, 2)), oblige(not_(eq(local("k"), 2))), n=local("k")),
        action("stay"),
    )
    result = check(machine)
    assert (result.violated, result.reason) == ("well_defined", "the assertion is false")
    assert shown(result) == [(None, {"k": 2})]
    assert result.trace[0].state == {}


def test_liveness_properties_are_asked_for_their_definedness() -> None:
    sick = prop("sick", "leads_to", True, ge(arith(6, "//", sub(n, 2)), -9))
    machine = protocol("M", variable("n", ints(0, 3), 0), action("turn", n=arith(add(n, 1), "%", 4)), sick)
    assert check(machine).violated == "well_defined"
    assert check(machine, "deadlock_free").violated == "well_defined"


def test_the_order_of_verdicts_has_every_property_once() -> None:
    for make in MACHINES.values():
        order = safety_order(make())
        assert len(order) == len(set(order))


def test_reachable_states_stay_inside_their_domains() -> None:
    assert [state["n"] for state in reachable_states(instantiate(overflow()), 10)] == [0, 1, 2]
    assert len(reachable_states(instantiate(rollback()), 10)) == 10
    assert len(reachable_states(instantiate(rollback()), 100)) == 31


def test_quantified_invariants_see_every_element() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 3), 0),
        action("turn", n=arith(add(n, 1), "%", 4)),
        prop("squares", "invariant", all_(ge(arith(local("x"), "*", n), 0), gen("x", range_(0, n)))),
    )
    assert machine.properties[0].body.type != INT
    assert check(machine).status == "holds"
