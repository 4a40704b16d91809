"""Monitors: what the checker refuted is noticed at run time too, on the steps of its own counter-examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import pytest

from protocheck import Between, GuardRefused, Protocol, action, invariant, snapshot, without
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.runtime import InvariantViolated, Recorder, Scheduler, invariants
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.engines import select_engines
from protocheck.toolchain.traces import TraceStep
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import outside
from protocheck.transpiler.native import native_of

from ..differential.shipped import EXAMPLES, PROTOCOLS

EVERY = list(dict.fromkeys([*PROTOCOLS, TreeCache, HandOff, Walk, *EXAMPLES]))

NOTICED = {"DiningPhilosophers": 0, "Acceptance": 1, "Dispatch": 4, "Rollback": 4, "HandOff": 5, "TreeCache": 15}
"""How many dropped guards are noticed at run time; more than none where nothing is said.

The dining philosophers deadlock as they are, so that the checker drops no guard; what acceptance promises is said with
ghosts.
"""

SMALL: Mapping[str, Mapping[str, Any]] = {"TreeCache": {"max_rows": 3, "max_nodes": 2}}
"""Constants for those whose counter-examples would take long to find."""


def by_name(cls: type[Protocol]) -> str:
    return cls.__name__


def killed(cls: type[Protocol]) -> Iterator[tuple[str, str, tuple[TraceStep, ...]]]:
    """Each guard that the checker needs for a safety property: the guard, the property, the counter-example."""
    constants = SMALL.get(cls.__name__, {})
    report = check_protocol(compile_protocol(cls), constants, engines=select_engines("explorer").engines, mutate=True)
    for mutant in report.mutants or ():
        trace = mutant.verdict.answer.trace
        if mutant.verdict.violated is not None and trace is not None and trace.loop_to is None and not trace.stuttering:
            yield mutant.guard, mutant.verdict.violated, trace.steps


def at_start(cls: type[Protocol], first: TraceStep) -> Any:
    native = native_of(cls)
    chosen = {name: value for name, value in first.arguments if name in native.init_parameters}
    return cls(**SMALL.get(native.protocol.name, {}), **chosen)


def seen_at_run_time(cls: type[Protocol], last: TraceStep) -> bool:
    """Whether a variable that exists at run time has left its domain, and not only ghosts."""
    instance = instantiate(compile_protocol(cls), SMALL.get(cls.__name__, {}))
    ghosts = {variable.name for variable in instance.protocol.variables if variable.ghost}
    return not ghosts.issuperset(outside(instance, last.state))


def take(instance: Any, step: TraceStep) -> None:
    assert step.action is not None
    getattr(instance, step.action)(*(value for _, value in step.arguments))


@pytest.mark.parametrize("cls", EVERY, ids=by_name)
def test_the_counter_examples_of_the_checker(cls: type[Protocol]) -> None:
    """The watched variant raises at the last step and not before, and has not taken it; the protocol refuses one."""
    tried = 0
    for guard, violated, (first, *steps) in killed(cls):
        variant = without(cls, guard)
        monitors = invariants(variant)
        if violated not in monitors.names:
            assert violated in monitors.left_out
            continue
        if violated == "type_ok" and not seen_at_run_time(cls, steps[-1]):
            continue
        running = Scheduler().adopt(at_start(variant, first), monitors=monitors)
        for step in steps[:-1]:
            take(running, step)
        before = snapshot(running)
        with pytest.raises(InvariantViolated) as caught:
            take(running, steps[-1])
        assert caught.value.violated == violated
        assert caught.value.action == steps[-1].action
        assert caught.value.arguments == dict(steps[-1].arguments)
        assert snapshot(running) == before == caught.value.before
        assert caught.value.after == {name: steps[-1].state[name] for name in before}

        guarded = Scheduler().adopt(at_start(cls, first), monitors=invariants(cls))

        def take_all(instance: Any = guarded, steps: list[TraceStep] = steps) -> None:
            for step in steps:
                take(instance, step)

        with pytest.raises(GuardRefused) as refused:
            take_all()
        assert guard.partition(".")[2] in refused.value.guards
        tried += 1
    if cls.__name__ in NOTICED:
        assert tried == NOTICED[cls.__name__]
    else:
        assert tried > 0


def test_the_published_trace() -> None:
    """What `rollback` shows without its guard, word for word."""
    cache = Scheduler().adopt(without(Rollback, "rollback.no_reader_above")(), "cache", monitors=invariants(Rollback))
    cache.extend()
    cache.start_read(1)
    with pytest.raises(InvariantViolated) as caught:
        cache.rollback(0)
    assert str(caught.value) == (
        "cache.no_ghost_reads is violated by rollback(k=0), which led from length = 1, pending_reads = {1} "
        "to length = 0, pending_reads = {1}; undone"
    )
    cache.finish_read(1)
    cache.rollback(0)


def test_what_is_watched_and_what_is_not() -> None:
    monitors = invariants(Dispatch)
    assert monitors.names == ("type_ok", "data_integrity", "no_collision", "changed_by_its_engine")
    assert monitors.left_out["filled_in_the_end"] == "it speaks of behaviours that never end"
    monitors = invariants(Acceptance)
    assert "non_interference" not in monitors.names
    assert monitors.left_out["non_interference"] == "it reads target_trace, which only the model has"
    assert monitors.left_out["whole_block_accepted"] == "it forbids nothing"


@pytest.mark.parametrize("cls", EVERY, ids=by_name)
def test_every_property_is_watched_or_left_out_for_a_reason(cls: type[Protocol]) -> None:
    monitors = invariants(cls)
    named = {item.name for item in compile_protocol(cls).properties} | {"type_ok", "well_defined", "deadlock_free"}
    assert named <= {*monitors.names, *monitors.left_out}
    assert not set(monitors.names) & set(monitors.left_out)
    assert all(monitors.left_out.values())


def test_some_properties_by_name() -> None:
    assert invariants(Rollback, "grows_by_one", "type_ok").names == ("type_ok", "grows_by_one")
    with pytest.raises(ValueError, match="no property grows_by_on; did you mean grows_by_one"):
        invariants(Rollback, "grows_by_on")
    with pytest.raises(ValueError, match=r"Acceptance\.non_interference cannot be monitored: it reads target_trace"):
        invariants(Acceptance, "non_interference")
    with pytest.raises(ValueError, match=r"Dispatch\.filled_in_the_end cannot be monitored: it speaks of behaviours"):
        invariants(Dispatch, "filled_in_the_end")
    # Only what is asked for is evaluated.
    cache = Scheduler().adopt(without(Rollback, "rollback.no_reader_above")(), monitors=invariants(Rollback, "type_ok"))
    cache.extend()
    cache.start_read(1)
    cache.rollback(0)
    assert not cache.no_ghost_reads()


class Quotient(Protocol):
    """Its invariant has no value where `below` is 0."""

    below: Annotated[int, Between(0, 2)] = 2
    above: Annotated[int, Between(0, 5)] = 1

    @action
    def lower(self) -> None:
        self.below -= 1

    @action
    def raise_it(self) -> None:
        self.above += 1

    @invariant
    def small(self) -> bool:
        return self.above // self.below < 2


def test_a_property_without_a_value_is_violated() -> None:
    quotient = Scheduler().adopt(Quotient(), monitors=invariants(Quotient))
    quotient.lower()
    with pytest.raises(InvariantViolated, match=r"quotient.small could not be evaluated \(ZeroDivisionError") as caught:
        quotient.lower()
    assert isinstance(caught.value.cause, ZeroDivisionError)
    assert snapshot(quotient) == {"below": 1, "above": 1}
    with pytest.raises(InvariantViolated, match="small is violated by raise_it"):
        quotient.raise_it()
    assert snapshot(quotient) == {"below": 1, "above": 1}


def test_a_violation_in_a_block_undoes_the_block(tmp_path: Any) -> None:
    with Recorder(tmp_path / "run.ndjson") as recorder:
        scheduler = Scheduler(recorder=recorder)
        cache = scheduler.adopt(without(Rollback, "rollback.no_reader_above")(), monitors=invariants(Rollback))
        cache.extend()

        def read_and_cut() -> None:
            with scheduler.atomically():
                cache.start_read(1)
                cache.rollback(0)

        with pytest.raises(InvariantViolated):
            read_and_cut()
        assert snapshot(cache) == {"length": 1, "pending_reads": frozenset()}
    kinds = [
        line.split('"kind": "')[1].split('"')[0] for line in (tmp_path / "run.ndjson").read_text().splitlines()[1:]
    ]
    assert kinds == ["instance", "step", "undone", "violated", "end"]
