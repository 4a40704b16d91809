"""The engine against the reference checker: verdict, property, trace, counts; and what it does when it cannot tell."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocheck.toolchain.generate import render
from protocheck.toolchain.replay import violates
from protocheck.toolchain.results import Budget, CheckJob, EngineResult, Progress
from protocheck.toolchain.tlc.driver import TlcJob, TlcRun, Toolchain, run_tlc
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.toolchain.tlc_graph import tlc_state_graph
from protocheck.transpiler import ir
from protocheck.transpiler.diagnostics import CompileError
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.interpreter import IllDefined, initial_states, steps
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.reference import reference_check

from ..build import (
    action,
    add,
    and_,
    arith,
    assume,
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
    or_,
    param,
    prop,
    protocol,
    var,
    variable,
)
from ..handmade import MACHINES, rollback
from .kitchen import kitchen

X, Y = var("x"), var("y")


@pytest.fixture(scope="module")
def engine(toolchain: Toolchain) -> TlcEngine:
    return TlcEngine(toolchain)


def without(machine: str, guard_name: str) -> Instance:
    return instantiate(drop_guard(MACHINES[machine](), guard_name))


def agreed(engine: TlcEngine, instance: Instance) -> EngineResult:
    """The result, after comparing it with the reference checker's."""
    expected = reference_check(instance)
    found = engine.check(CheckJob(instance))
    assert (found.status, found.violated) == (expected.status, expected.violated), found.reason
    assert set(expected.evaluated) <= set(found.evaluated)
    if expected.status == "holds":
        assert found.stats is not None
        assert (found.stats.distinct, found.stats.generated, found.stats.depth) == (
            expected.distinct,
            expected.generated,
            expected.depth,
        )
        assert dict(found.coverage) == dict(expected.coverage)
    else:
        assert found.trace is not None
        assert found.violated is not None
        assert len(found.trace.steps) == len(expected.trace)
        if found.trace.steps[0].state:
            assert violates(instance, found.trace, found.violated)
    return found


# --------------------------------------------------------------------------------------------- facts and machines


def test_rollback_holds_with_the_counts_of_the_language_reference(engine: TlcEngine) -> None:
    found = agreed(engine, instantiate(rollback()))
    assert found.stats is not None
    assert (found.stats.distinct, found.stats.generated, found.stats.depth) == (31, 189, 9)
    assert found.evaluated == ("type_ok", "well_defined", "no_ghost_reads", "grows_by_one", "deadlock_free")
    assert found.version == "2.15"


def test_rollback_without_no_reader_above_gives_exactly_the_known_trace(engine: TlcEngine) -> None:
    found = agreed(engine, without("rollback", "rollback.no_reader_above"))
    assert found.trace is not None
    assert found.stats is not None
    assert (found.stats.distinct, found.stats.generated, found.stats.depth) == (8, 14, 4)
    assert [(step.action, step.arguments) for step in found.trace.steps] == [
        (None, ()),
        ("extend", ()),
        ("start_read", (("i", 1),)),
        ("rollback", (("k", 0),)),
    ]
    assert found.trace.steps[-1].state == {"length": 0, "pending_reads": frozenset({1})}


def test_rollback_without_shrinks_grows_too_fast(engine: TlcEngine) -> None:
    found = agreed(engine, without("rollback", "rollback.shrinks"))
    assert found.violated == "grows_by_one"
    assert found.trace is not None
    assert len(found.trace.steps) == 2


def test_rollback_without_is_pending_survives(engine: TlcEngine) -> None:
    found = agreed(engine, without("rollback", "finish_read.is_pending"))
    assert found.stats is not None
    assert (found.stats.distinct, found.stats.generated, found.stats.depth) == (31, 264, 9)


@pytest.mark.parametrize(
    ("machine", "guard_name"),
    [
        ("two_phase_commit", None),
        ("two_phase_commit", "decide_commit.all_prepared"),
        ("bounded_queue", None),
        ("bounded_queue", "take.not_empty"),
        ("slots", None),
        ("slots", "claim.young"),
        ("wire", "receive.is_data"),
        ("chooser", None),
        ("philosophers", None),
        ("overflow", None),
        ("out_of_bounds", None),
        ("undefined_property", None),
        ("false_assertion", None),
        ("arithmetic", None),
        ("guarded_definedness", "pop_big.not_empty"),
        ("empty_choice", None),
    ],
)
def test_the_reference_agrees(engine: TlcEngine, machine: str, guard_name: str | None) -> None:
    instance = without(machine, guard_name) if guard_name else instantiate(MACHINES[machine]())
    agreed(engine, instance)


def test_everything_awkward(engine: TlcEngine) -> None:
    instance = instantiate(kitchen())
    agreed(engine, instance)


@pytest.mark.parametrize("machine", ["rollback", "two_phase_commit", "slots", "arithmetic", "kitchen"])
def test_the_state_graph_is_that_of_the_interpreter(toolchain: Toolchain, machine: str) -> None:
    instance = instantiate(kitchen() if machine == "kitchen" else MACHINES[machine]())
    graph = tlc_state_graph(instance, toolchain)
    initial = {_values(outcome) for _, outcome in initial_states(instance)}
    todo, seen, taken = list(initial), set(initial), {}
    while todo:
        state = todo.pop()
        for name, _, outcome in steps(instance, dict(zip(instance.variables, state, strict=True))):
            after = _values(outcome)
            taken[state, name, after] = taken.get((state, name, after), 0) + 1
            if after not in seen:
                seen.add(after)
                todo.append(after)
    assert graph.initial == initial
    assert graph.states == seen
    assert dict(graph.steps) == taken


def _values(outcome: Any) -> tuple[Any, ...]:
    assert not isinstance(outcome, IllDefined)
    return tuple(outcome.state.values())


def test_what_tlc_checks_is_what_generate_writes(engine: TlcEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a variant whose lost guard was the only one to need a definition or a standard module."""
    ran: dict[str, str] = {}

    def noted(job: TlcJob, *rest: Any, **more: Any) -> TlcRun:
        ran.update(job.files)
        return run_tlc(job, *rest, **more)

    monkeypatch.setattr("protocheck.toolchain.tlc_runs.run_tlc", noted)
    protocol = MACHINES["guarded_definedness"]()
    fresh = TlcEngine(engine.toolchain)
    fresh.check(CheckJob(instantiate(protocol)))
    fresh.check(CheckJob(without("guarded_definedness", "clear.has_zero")))
    files = render(protocol)
    assert set(ran) == {
        f"GuardedDefinedness{end}" for end in (".tla", ".cfg", "__clear__has_zero.tla", "__clear__has_zero.cfg")
    }
    assert ran == {name: files[name] for name in ran}


# ------------------------------------------------------------------------------------------ liveness, reachability


def test_a_lasso_is_replayed_with_its_arguments(engine: TlcEngine) -> None:
    instance = instantiate(MACHINES["wire"]())
    found = engine.check(CheckJob(instance))
    assert found.status == "violated"
    assert found.violated in {item.name for item in instance.protocol.properties if item.is_liveness}
    assert found.trace is not None
    assert found.trace.loop_to is not None or found.trace.stuttering
    assert violates(instance, found.trace, found.violated or "")
    assert found.stats is not None
    assert found.stats.distinct == reference_check(instance).distinct


def test_fairness_of_each_instance_makes_liveness_hold(engine: TlcEngine) -> None:
    found = engine.check(CheckJob(instantiate(MACHINES["starver"]())))
    assert found.status == "holds"
    assert set(found.evaluated) >= {"both_served", "each_again"}


def test_without_fairness_stuttering_is_a_counter_example(engine: TlcEngine) -> None:
    idle = replace(MACHINES["dispatch"](), fairness=None)
    idle = replace(idle, actions=tuple(replace(item, fairness=None, each=()) for item in idle.actions))
    found = engine.check(CheckJob(instantiate(idle)))
    assert found.status == "violated"
    assert found.trace is not None
    assert found.trace.stuttering


def test_only_one_liveness_property_stands_in_a_configuration(engine: TlcEngine) -> None:
    found = engine.check(CheckJob(instantiate(MACHINES["starver"]()), frozenset({"type_ok", "each_again"})))
    assert found.status == "holds"
    assert found.evaluated == ("type_ok", "well_defined", "each_again")


def test_reachability_is_evaluated_where_it_is_asked_for(engine: TlcEngine) -> None:
    instance = instantiate(MACHINES["arithmetic"]())
    found = engine.check(CheckJob(instance, frozenset({"type_ok", "far"})))
    assert found.status == "holds"
    assert "far" in found.evaluated
    assert "far" not in engine.check(CheckJob(instance)).evaluated


def test_a_state_that_is_never_reached_is_a_violation_without_a_trace(engine: TlcEngine) -> None:
    far = prop("far", "reachable", eq(X, 7))
    counter = protocol("Counter", variable("x", ints(0, 9), 0), action("up", guard("low", lt(X, 3)), x=add(X, 1)), far)
    found = engine.check(CheckJob(instantiate(counter), frozenset({"type_ok", "far"})))
    assert (found.status, found.violated, found.trace) == ("violated", "far", None)


# ----------------------------------------------------------------------------------------- which violation it is


def _race(*more: ir.Property) -> ir.Protocol:
    """TLC meets the successor of the first state of a level before it looks at the second, which is a deadlock."""
    return protocol(
        "Race",
        variable("x", ints(0, 3), 0),
        variable("y", ints(0, 3), 0),
        action("left", guard("at_start", eq(Y, 0)), x=extremely(add(X, 1))),
        action("right", guard("at_start", and_(eq(X, 0), eq(Y, 0))), y=add(Y, 1)),
        *more,
    )


def extremely(expr: ir.Expr) -> ir.Expr:
    return arith(expr, "%", 4)


def test_a_deadlock_in_fewer_states_comes_before_what_tlc_meets_first(engine: TlcEngine) -> None:
    race = _race(prop("low", "invariant", lt(X, 2)))
    found = agreed(engine, instantiate(race))
    assert found.violated == "deadlock_free"
    assert found.trace is not None
    assert len(found.trace.steps) == 2
    quick = TlcEngine(engine.toolchain, canonical=False).check(CheckJob(instantiate(race)))
    assert (quick.violated, len(quick.trace.steps) if quick.trace else 0) == ("low", 3)


def test_of_equally_long_traces_the_first_property_in_order_is_named(
    engine: TlcEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLC finds `second` first, whose state comes first in breadth-first order."""
    tied = protocol(
        "Tied",
        variable("x", ints(0, 3), 0),
        action("step", param("d", ints(1, 2)), guard("low", lt(X, 1)), x=add(X, local("d"))),
        prop("first", "invariant", ne(X, 2)),
        prop("second", "invariant", ne(X, 1)),
    )
    assert agreed(engine, instantiate(tied)).violated == "first"
    monkeypatch.setattr("protocheck.toolchain.tlc_engine._INTERPRETED_STATES", 0)
    assert agreed(engine, instantiate(tied)).violated == "first"


def test_a_transition_invariant_without_a_value_ends_the_trace_before_the_step(engine: TlcEngine) -> None:
    undefined = protocol(
        "Undefined",
        variable("x", ints(0, 3), 3),
        action("down", guard("above", lt(0, X)), x=arith(X, "-", 1)),
        prop("zero", "terminal", eq(X, 0)),
        prop("divides", "transition_invariant", ge(arith(6, "//", var("x", after=True)), 0)),
    )
    found = agreed(engine, instantiate(undefined))
    assert found.violated == "well_defined"
    assert found.trace is not None
    assert found.trace.steps[-1].state == {"x": 1}


def test_a_choice_of_init_without_a_value_is_a_violation_without_a_state(engine: TlcEngine, runs: Path) -> None:
    odd = protocol(
        "Odd",
        variable("x", ints(0, 9)),
        init(
            param("d", ints(0, 2)), assume(le(local("d"), 1)), oblige(ne(local("d"), 5)), x=arith(6, "//", local("d"))
        ),
        prop("any", "terminal", True),
    )
    found = agreed(engine, instantiate(odd))
    assert found.violated == "well_defined"
    assert found.trace is not None
    assert (found.trace.steps[0].arguments, found.trace.steps[0].state) == ((("d", 0),), {})
    assert not list(runs.iterdir())


def test_no_initial_state_at_all_is_invalid(engine: TlcEngine, runs: Path) -> None:
    none = protocol("None", variable("x", ints(0, 1)), init(param("d", ints(0, 1)), assume(lt(local("d"), 0)), x=0))
    found = engine.check(CheckJob(instantiate(none)))
    assert (found.status, found.evaluated) == ("invalid", ())
    assert "no initial state" in found.reason
    assert not list(runs.iterdir())


def test_no_action_that_could_be_called_is_nothing_for_tlc(engine: TlcEngine) -> None:
    """TLC ends with an error about the specification; that was taken for a failure, and for a disagreement."""
    machine = protocol("Idle", variable("x", ints(0, 1), 0), action("never", param("n", ints(1, 0)), x=1))
    assert reference_check(instantiate(machine)).violated == "deadlock_free"
    found = engine.check(CheckJob(instantiate(machine)))
    assert (found.status, found.evaluated) == ("inconclusive", ())
    assert "every action has a parameter without values" in found.reason
    resting = protocol(
        "Resting",
        variable("x", ints(0, 1), 0),
        action("never", param("n", ints(1, 0)), x=1),
        prop("over", "terminal", eq(X, 0)),
    )
    assert engine.check(CheckJob(instantiate(resting))).status == "holds"


def test_a_name_that_a_module_of_tla_has_is_the_users_to_mend(engine: TlcEngine) -> None:
    """It was a verdict `invalid`, with the diagnostic in a cell of the table."""
    machine = protocol("Named", variable("x", ints(0, 1), 0), action("a", x=1), prop("Nat", "invariant", eq(X, 0)))
    with pytest.raises(CompileError, match="becomes Nat, an operator of the standard module Integers"):
        engine.check(CheckJob(instantiate(machine)))


def test_a_condition_with_several_ways_of_being_true_counts_once(engine: TlcEngine) -> None:
    ways = protocol(
        "Ways",
        variable("x", ints(0, 3), 0),
        action("up", guard("ways", or_(lt(X, 3), lt(X, 2), ne(X, 3))), assume(or_(ge(X, 0), le(X, 9))), x=add(X, 1)),
        prop("end", "terminal", or_(eq(X, 3), ge(X, 3))),
    )
    found = agreed(engine, instantiate(ways))
    assert found.stats is not None
    assert found.stats.generated == 5


# --------------------------------------------------------------------------------------------------- not telling


def test_a_time_that_is_up_is_inconclusive(engine: TlcEngine) -> None:
    found = engine.check(CheckJob(instantiate(rollback(), {"max_len": 20}), budget=Budget(timeout=1.5)))
    assert found.status == "inconclusive"
    assert found.evaluated == ()
    assert "1." in found.reason


def test_too_many_states_are_inconclusive(engine: TlcEngine) -> None:
    shown: list[Progress] = []
    job = CheckJob(
        instantiate(rollback(), {"max_len": 20}), budget=Budget(max_states=1000, timeout=60), on_progress=shown.append
    )
    found = engine.check(job)
    assert (found.status, found.reason) == ("inconclusive", "more than 1,000 states")
    assert shown
    assert shown[0].engine == "tlc"
    assert shown[0].distinct > 1000


def test_a_cancelled_check_is_inconclusive(engine: TlcEngine) -> None:
    cancel = threading.Event()
    threading.Timer(1.0, cancel.set).start()
    found = engine.check(CheckJob(instantiate(rollback(), {"max_len": 20}), cancel=cancel))
    assert found.status == "inconclusive"


def test_an_integer_beyond_32_bits_is_invalid_and_never_a_kill(engine: TlcEngine, runs: Path) -> None:
    big = protocol(
        "Big",
        variable("x", ints(0, 3), 1),
        action("grow", x=arith(arith(arith(X, "*", 2**30), "*", 4), "%", 4)),
    )
    found = engine.check(CheckJob(instantiate(big)))
    assert found.status == "invalid"
    assert found.violated is None
    assert str(runs) in found.reason
    assert "the explorer's have no end" in found.reason
    assert "\n" not in found.reason
    assert len(list(runs.iterdir())) == 1


def test_several_workers_count_and_one_shows(engine: TlcEngine) -> None:
    found = engine.check(CheckJob(instantiate(rollback()), workers=2))
    assert found.stats is not None
    assert (found.status, found.stats.distinct, found.stats.generated) == ("holds", 31, 189)
    violated = engine.check(CheckJob(without("rollback", "rollback.no_reader_above"), workers=2))
    assert violated.trace is not None
    assert len(violated.trace.steps) == 4
