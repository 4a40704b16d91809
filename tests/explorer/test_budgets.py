"""A search that is cut off says so, and never that anything holds."""

from __future__ import annotations

import gc
import threading
from typing import Annotated, Any

import pytest

from protocheck import Between, Protocol, const, invariant
from protocheck import action as step
from protocheck import guard as needs
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.explorer_search import Visited
from protocheck.toolchain.results import Budget, CheckJob, EngineResult, Progress
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.packing.program import compile_program

from ..build import action, add, eq, guard, ints, lt, prop, protocol, var, variable
from ..handmade import rollback

LARGE = instantiate(rollback(14))


def _check(budget: Budget = Budget(), **more: Any) -> EngineResult:  # noqa: B008  (frozen)
    return ExplorerEngine().check(CheckJob(LARGE, budget=budget, **more))


def test_states() -> None:
    result = _check(Budget(max_states=1000))
    assert (result.status, result.reason) == ("inconclusive", "more than 1000 states")
    assert result.evaluated == ()
    assert result.stats is not None
    assert 1000 < result.stats.distinct < 32_767
    assert result.stats.changing is None


def test_a_budget_that_is_just_enough() -> None:
    assert _check(Budget(max_states=32_767)).status == "holds"


def test_seconds() -> None:
    result = _check(Budget(timeout=0.0))
    assert result.status == "inconclusive"
    assert "seconds" in result.reason


class Jumping(Protocol):
    """As many steps out of each state as wanted."""

    most: int = const(10**12)
    least: int = const(0)
    bound: int = const(10**11)

    Place = Annotated[int, Between(0, most)]

    place: Place = 0

    @step
    def jump(self, where: Place) -> None:
        needs(there=where >= self.least)
        self.place = where

    @invariant
    def is_near(self) -> bool:
        return self.place < self.bound


def jumping(**constants: int) -> Instance:
    return instantiate(compile_protocol(Jumping), constants)


@pytest.mark.parametrize("least", [0, 10**12], ids=["steps", "no steps"])
def test_seconds_in_one_state(least: int) -> None:
    """Nothing was asked between two states, and 10¹² steps come in between."""
    found = ExplorerEngine().check(CheckJob(jumping(least=least), budget=Budget(timeout=0.3)))
    assert (found.status, found.reason) == ("inconclusive", "not finished within 0.3 seconds")
    assert found.stats is not None
    assert (found.stats.distinct > 1) == (least == 0)


def test_states_in_one_state() -> None:
    found = ExplorerEngine().check(CheckJob(jumping(), budget=Budget(max_states=5000)))
    assert (found.status, found.reason) == ("inconclusive", "more than 5000 states")
    assert found.stats is not None
    assert 5000 < found.stats.distinct < 6000


def test_cancelled_in_one_state() -> None:
    cancel = threading.Event()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    found = ExplorerEngine().check(CheckJob(jumping(), cancel=cancel))
    timer.join()
    assert (found.status, found.reason) == ("inconclusive", "cancelled")


def test_what_is_wrong_in_a_long_loop_is_found_all_the_same() -> None:
    """The limit comes while the steps of the only state are tried, and what they lead to was not looked at yet."""
    for budget in (Budget(), Budget(max_states=500)):
        found = ExplorerEngine().check(CheckJob(jumping(most=20_000, bound=300), budget=budget))
        assert (found.status, found.violated) == ("violated", "is_near")
        assert found.trace is not None
        assert found.trace.steps[-1].state == {"place": 300}


@pytest.mark.parametrize("bound", [1000, 100], ids=["holds", "violated"])
def test_loops_that_ask_are_the_same_loops(bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = jumping(most=600, bound=bound)
    expected = ExplorerEngine().check(CheckJob(instance))
    assert " in patient(" not in compile_program(instance).text
    monkeypatch.setattr("protocheck.transpiler.packing.emit.LONG", 0)
    assert " in patient(" in compile_program(instance).text
    found = ExplorerEngine().check(CheckJob(instance))
    assert (found.status, found.violated, found.trace) == (expected.status, expected.violated, expected.trace)
    assert found.coverage == expected.coverage
    assert found.stats is not None
    assert expected.stats is not None
    assert (found.stats.distinct, found.stats.generated) == (expected.stats.distinct, expected.stats.generated)


def test_cancelled() -> None:
    cancel = threading.Event()
    cancel.set()
    result = _check(cancel=cancel)
    assert (result.status, result.reason) == ("inconclusive", "cancelled")


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def expand(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Visited, "expand", expand)
    result = _check()
    assert (result.status, result.reason) == ("inconclusive", "out of memory")


def test_the_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    _check(Budget(max_states=100))
    assert gc.isenabled()
    gc.disable()
    try:
        _check(Budget(max_states=100))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []
    monkeypatch.setattr("protocheck.toolchain.explorer_search.PROGRESS_SECONDS", 0.0)
    assert _check(on_progress=told.append).status == "holds"
    assert len(told) > 10
    assert [item.generated for item in told] == sorted(item.generated for item in told)
    assert told[-1].queue == 0
    assert (told[-1].distinct, told[-1].depth, told[-1].engine) == (32_767, 29, "explorer")


def test_liveness_is_cut_off_as_well() -> None:
    machine = protocol(
        "M",
        variable("n", ints(0, 20_000), 0),
        action("up", guard("room", lt(var("n"), 20_000)), n=add(var("n"), 1), fairness="weak"),
        prop("stopped", "terminal", eq(var("n"), 20_000)),
        prop("ends", "eventually", eq(var("n"), 20_000)),
    )
    instance = instantiate(machine)
    assert ExplorerEngine().check(CheckJob(instance)).status == "holds"

    class Late(threading.Event):
        """Set once the search has been over it some times."""

        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > limit

    counting = Late()
    limit = 10**9
    ExplorerEngine().check(CheckJob(instance, cancel=counting))
    limit = counting.looks - 1
    result = ExplorerEngine().check(CheckJob(instance, cancel=Late()))
    assert (result.status, result.reason, result.evaluated) == ("inconclusive", "cancelled", ())


def test_a_violation_found_by_then_is_told() -> None:
    variant = instantiate(drop_guard(rollback(), "rollback.no_reader_above"))
    before = ExplorerEngine().check(CheckJob(variant, budget=Budget(max_states=3)))
    assert (before.status, before.violated) == ("inconclusive", None)
    result = ExplorerEngine().check(CheckJob(variant, budget=Budget(max_states=5)))
    assert (result.status, result.violated) == ("violated", "no_ghost_reads")
    assert result.reason == ""


class Wide(Protocol):
    """A level of 299 states, most of which are expanded when a small budget is used up."""

    table: tuple[int, ...] = const((0, 1))
    stuck: int = const(250)
    early: int = const(280)
    undefined: int = const(-1)

    number: Annotated[int, Between(0, 299)] = 0
    marked: bool = False

    @step
    def pick(self, n: Annotated[int, Between(1, 299)]) -> None:
        needs(nothing_picked=self.number == 0)
        self.number = n

    @step
    def mark(self) -> None:
        needs(picked=self.number > 0, going_on=self.number != self.stuck)
        self.marked = True

    @step
    def look(self) -> None:
        needs(marked=self.marked, found=self.table[2 if self.marked and self.number == self.undefined else 0] == 0)

    @invariant
    def first(self) -> bool:
        return not (self.marked and self.number == self.early)

    @invariant
    def second(self) -> bool:
        return not (self.marked and self.number == 1)


@pytest.mark.parametrize(
    ("constants", "violated", "length"),
    [
        ({}, "deadlock_free", 2),
        ({"stuck": 0}, "first", 3),
        ({"stuck": 0, "early": 0}, "second", 3),
        ({"stuck": 0, "undefined": 290}, "well_defined", 3),
    ],
)
def test_a_level_is_judged_to_its_end_once_something_is_wrong_in_it(
    constants: dict[str, int], violated: str, length: int
) -> None:
    """A budget that is used up in the middle of a level changes neither what is violated nor by which trace."""
    instance = instantiate(compile_protocol(Wide), constants)
    whole = ExplorerEngine().check(CheckJob(instance))
    assert whole.trace is not None
    assert (whole.violated, len(whole.trace.steps)) == (violated, length)
    for most in (301, 310, 400, 500):
        found = ExplorerEngine().check(CheckJob(instance, budget=Budget(max_states=most)))
        assert (found.status, found.violated, found.trace) == ("violated", violated, whole.trace)


def test_a_search_that_is_cancelled_in_such_a_level_says_nothing() -> None:
    class Late(threading.Event):
        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > 1

    job = CheckJob(instantiate(compile_protocol(Wide)), budget=Budget(max_states=310), cancel=Late())
    found = ExplorerEngine().check(job)
    assert (found.status, found.reason, found.violated) == ("inconclusive", "cancelled", None)
