"""The distributed engine: the same verdicts and counts as one TLC and the explorer, and nothing that it could miss.

Its own runs take seconds, so most of what it does is tested without them: its module by TLC alone, its judgement of
states by the interpreter.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from protocheck.toolchain.errors import UserError
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import Budget, CheckJob
from protocheck.toolchain.tlc.distributed import Crew
from protocheck.toolchain.tlc.driver import Toolchain, run_tlc
from protocheck.toolchain.tlc_distributed import DistributedCheck, DistributedTlcEngine, refuse_liveness, wrong_at
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.reference import reference_check

from ..build import action, add, ge, if_, ints, lt, prop, protocol, var, variable
from ..differential import refining
from ..differential.shipped import example
from ..handmade import MACHINES, rollback
from ..machines.loading import loaded
from ..machines.machine import machine_of


def safety_of(instance: Instance) -> frozenset[str]:
    return frozenset(instance.protocol.safety)


def turning() -> ir.Protocol:
    """Counts to 2 and begins again, though it says that it only grows: the bad step leads to the first state."""
    x = var("x")
    return protocol(
        "Turning",
        variable("x", ints(0, 2), 0),
        action("turn", x=if_(lt(x, 2), add(x, 1), 0)),
        prop("grows", "transition_invariant", ge(var("x", after=True), x)),
    )


@pytest.fixture(scope="module")
def engine(toolchain: Toolchain) -> DistributedTlcEngine:
    return DistributedTlcEngine(Crew(2), toolchain)


# Whole checks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetry", [False, True], ids=["states", "orbits"])
def test_what_holds_has_the_same_counts_everywhere(engine: DistributedTlcEngine, symmetry: bool) -> None:
    instance = instantiate(compile_protocol(example("two_phase_commit").TwoPhaseCommit))
    job = CheckJob(instance, safety_of(instance), symmetry=symmetry)
    found = engine.check(job)
    assert (found.status, set(found.evaluated)) == ("holds", set(safety_of(instance))), found.reason
    assert found.stats is not None
    for other in (ExplorerEngine().check(job), TlcEngine(engine.toolchain).check(job)):
        assert other.stats is not None
        assert (found.stats.distinct, found.stats.generated) == (other.stats.distinct, other.stats.generated)
        assert found.stats.depth <= other.stats.depth
        assert found.stats.orbits is other.stats.orbits is symmetry
    assert not found.stats.at_least
    assert found.notes in (("1 worker took part",), ("2 workers took part",))


@pytest.mark.parametrize(
    ("instance", "violated", "states"),
    [
        (instantiate(drop_guard(rollback(), "rollback.no_reader_above")), "no_ghost_reads", 4),
        (instantiate(turning()), "grows", 4),
        (instantiate(MACHINES["overflow"]()), "type_ok", None),
    ],
    ids=["invariant", "step to a known state", "type_ok"],
)
def test_a_violation_is_named_and_shown(
    engine: DistributedTlcEngine, runs: Path, instance: Instance, violated: str, states: int | None
) -> None:
    found = engine.check(CheckJob(instance, safety_of(instance)))
    assert (found.status, found.violated) == ("violated", violated), found.reason
    assert found.trace is not None
    assert len(found.trace.steps) == (states or len(reference_check(instance).trace))
    assert found.notes[-1].startswith(f"{violated} is violated at [")
    assert list(runs.iterdir()) == []


def test_time_that_is_up_is_no_verdict(engine: DistributedTlcEngine, runs: Path) -> None:
    instance = instantiate(rollback(18))
    found = engine.check(CheckJob(instance, safety_of(instance), Budget(timeout=4)))
    assert (found.status, found.evaluated) == ("inconclusive", ())
    assert found.reason.startswith("TLC was ended after its")
    assert list(runs.iterdir()) == []


# Liveness -------------------------------------------------------------------------------------------------------------


def test_liveness_is_refused_with_a_way_out() -> None:
    machine = MACHINES["dispatch"]()
    names = [item.name for item in machine.properties if item.is_liveness]
    assert names
    refuse_liveness(machine, machine.safety)
    with pytest.raises(UserError, match=f"checks no liveness.*{names[0]}") as raised:
        refuse_liveness(machine, (*machine.safety, *names))
    for name in machine.safety:
        assert name in ir.ALWAYS_JUDGED or f"--property {name}" in str(raised.value)


def test_an_engine_that_is_asked_all_the_same_does_not_answer(engine: DistributedTlcEngine) -> None:
    instance = instantiate(MACHINES["starver"]())
    check = engine.begin(CheckJob(instance), engine.toolchain)
    check.prepare()
    check.safety = lambda: None  # type: ignore[method-assign]
    found = check.run()
    assert (found.status, found.evaluated) == ("invalid", ())
    assert "checks no liveness" in found.reason


# The module, and the judgement of a state -----------------------------------------------------------------------------


def judged_by_tlc_alone(engine: DistributedTlcEngine, instance: Instance) -> bool:
    """Whether TLC alone finds nothing wrong in the module that the distributed run is given."""
    check = DistributedCheck(engine, CheckJob(instance, safety_of(instance)), engine.toolchain)
    check.prepare()
    config, deadlock, _ = check.safety_run()
    outcome = run_tlc(check.distributed_job(config, deadlock), engine.toolchain).outcome
    assert outcome.kind in ("no_error", "invariant", "action_property", "deadlock", "assumption_false"), outcome.message
    return outcome.kind == "no_error"


STEPS = {
    "rollback": instantiate(rollback()),
    "shrinks": instantiate(drop_guard(rollback(), "rollback.shrinks")),
    "turning": instantiate(turning()),
    "slots": instantiate(MACHINES["slots"]()),
    "Queue": instantiate(compile_protocol(refining.Queue)),
    "CountsByTwo": instantiate(compile_protocol(refining.CountsByTwo)),
    "CountsFromOne": instantiate(compile_protocol(refining.CountsFromOne)),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_as_states_find_what_steps_find(engine: DistributedTlcEngine, name: str) -> None:
    expected = reference_check(STEPS[name], safety_of(STEPS[name]))
    assert judged_by_tlc_alone(engine, STEPS[name]) == (expected.status == "holds")


@pytest.mark.soak
def test_steps_as_states_on_random_machines(engine: DistributedTlcEngine) -> None:
    tried = 0
    for seed in range(3_000, 3_200):
        with loaded(machine_of(seed)) as cls:
            instance = instantiate(compile_protocol(cls))
        expected = reference_check(instance, safety_of(instance))
        if expected.status in ("holds", "violated") and expected.distinct:
            assert judged_by_tlc_alone(engine, instance) == (expected.status == "holds"), seed
            tried += 1
    assert tried > 50


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_wrong_at_the_last_state_of_a_counter_example(name: str) -> None:
    instance = instantiate(MACHINES[name]())
    for guard_name in (None, *instance.protocol.guard_names):
        variant = instance if guard_name is None else instantiate(drop_guard(instance.protocol, guard_name))
        found = reference_check(variant, safety_of(variant), max_states=2_000)
        states = [step.state for step in found.trace]
        if found.status == "violated" and states[-1]:
            order = variant.protocol.safety
            assert wrong_at(variant, states[-2:], order) == found.violated
