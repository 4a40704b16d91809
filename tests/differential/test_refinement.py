"""`refines` on three ways that know nothing of each other: the interpreter, packed words, and TLC's INSTANCE."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocheck import CompileError, Protocol
from protocheck.toolchain import tlc_runs
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.generate import render
from protocheck.toolchain.report import property_rows
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.toolchain.tlc.driver import Toolchain, find_toolchain
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.ircheck import check
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.reference import reference_check

from ..machines.loading import loaded
from ..machines.machine import Machine, machine_of
from . import refining
from .differences import Tally
from .explorer import compare_explorer, compare_safety
from .tlc import compare_tlc

EXPECTED: dict[str, tuple[str | None, int]] = {
    "Queue": (None, 0),
    "CountsFromOne": ("refines", 1),
    "CountsTooFar": ("refines", 5),
    "BeginsOutside": ("refines", 1),
    "CountsByTwo": ("refines", 3),
    "CountsByTwoIsFine": (None, 0),
    "Undefined": ("well_defined", 2),
    "Hidden": (None, 0),
    "Deep": (None, 0),
    "Loose": (None, 0),
    "Tight": ("refines", 3),
    "SameTarget": (None, 0),
}
"""The property violated, and in how many states."""

MACHINES = pytest.mark.parametrize("name", EXPECTED)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    return find_toolchain(archive="build")


def explored(protocol: ir.Protocol, **constants: Any) -> EngineResult:
    return ExplorerEngine().check(CheckJob(instantiate(protocol, constants)))


@MACHINES
def test_the_explorer_and_the_reference(name: str) -> None:
    protocol = check(compile_protocol(getattr(refining, name)))
    violated, length = EXPECTED[name]
    found = explored(protocol)
    expected = reference_check(instantiate(protocol))
    assert (found.violated, len(found.trace.steps) if found.trace else 0) == (violated, length)
    assert (expected.violated, len(expected.trace)) == (violated, length)
    assert "refines" in found.evaluated
    assert "refines" in expected.evaluated
    tally = Tally()
    for variant in (protocol, *(drop_guard(protocol, guard) for guard in protocol.guard_names)):
        compare_explorer(instantiate(variant), tally)
    assert tally.counts["instances explored"] == 1 + len(protocol.guard_names)


@MACHINES
def test_tlc(name: str, toolchain: Toolchain) -> None:
    protocol = compile_protocol(getattr(refining, name))
    tally = Tally()
    compare_tlc(instantiate(protocol), toolchain, tally, graph=False)
    assert tally.counts["instances checked by TLC"] == 1


def test_tlc_names_it_where_nothing_else_is_asked(toolchain: Toolchain) -> None:
    for name in ("BeginsOutside", "CountsFromOne", "CountsByTwo"):
        instance = instantiate(compile_protocol(getattr(refining, name)))
        result = TlcEngine(toolchain).check(CheckJob(instance, frozenset({"refines"})))
        assert result.trace is not None
        assert (result.violated, len(result.trace.steps)) == EXPECTED[name]


def test_a_guard_that_only_refinement_needs(toolchain: Toolchain) -> None:
    """The guard of `flush` is needed because the counter is reset when it is full, and for nothing else."""
    protocol = compile_protocol(refining.Queue)
    report = check_protocol(protocol, engines=[ExplorerEngine(), TlcEngine(toolchain)], mutate=True)
    assert report.exit_code == 0, report.problems
    killed = {mutant.guard: mutant.verdict.violated for mutant in report.mutants or ()}
    assert killed == {"put.room_left": "type_ok", "own.free": "refines", "flush.all_there": "refines"}
    rows = {row.name: (row.kind, row.result) for row in property_rows(report)}
    assert rows["refines"] == ("refinement", "holds")


def test_only_what_is_asked_for_is_evaluated() -> None:
    protocol = compile_protocol(refining.CountsFromOne)
    result = ExplorerEngine().check(CheckJob(instantiate(protocol), frozenset({"deadlock_free"})))
    assert result.status == "holds"
    assert "refines" not in result.evaluated


def test_the_order_of_verdicts() -> None:
    assert compile_protocol(refining.Hidden).safety == (
        *("type_ok", "well_defined", "known", "one_at_a_time"),
        *("refines", "deadlock_free"),
    )


def test_the_constants_of_what_is_refined_follow(toolchain: Toolchain) -> None:
    protocol = compile_protocol(refining.Queue)
    assert instantiate(protocol, {"room": 2}).abstract == replace(
        instantiate(compile_protocol(refining.Counter), {"top": 2}), abstract=None
    )
    compare_tlc(instantiate(protocol, {"room": 2}), toolchain, Tally(), graph=True)


def test_constants_that_cannot_be() -> None:
    protocol = compile_protocol(refining.Halved)
    assert ExplorerEngine().check(CheckJob(instantiate(protocol))).status == "holds"
    for parts, reason in ((-3, "Counter, which is refined, cannot have the constants"), (0, "zero")):
        with pytest.raises(CompileError) as caught:
            instantiate(protocol, {"parts": parts})
        assert reason in str(caught.value)
        assert {item.code.value for item in caught.value.diagnostics} == {"PC402"}


def test_each_folder_of_modules_is_complete() -> None:
    protocol = compile_protocol(refining.Queue)
    files = render(protocol)
    assert files["Counter.tla"] == render(compile_protocol(refining.Counter))["Counter.tla"]
    assert "INSTANCE Counter WITH" in files["Queue.tla"]
    assert all("PROPERTY RefinesSteps" in text for name, text in files.items() if name.endswith(".cfg"))


@pytest.mark.parametrize("lost", ["INVARIANT RefinesDomains\n", "PROPERTY RefinesInit\n", "PROPERTY RefinesSteps\n"])
def test_a_part_that_vanished_from_the_configuration(
    monkeypatch: pytest.MonkeyPatch, toolchain: Toolchain, lost: str
) -> None:
    written = tlc_runs.config_text
    monkeypatch.setattr(tlc_runs, "config_text", lambda config: written(config).replace(lost, ""))
    result = TlcEngine(toolchain).check(CheckJob(instantiate(compile_protocol(refining.CountsByTwo))))
    assert result.status == "invalid"
    assert lost.strip() in result.reason


def test_a_refinement_in_which_nothing_moves_is_said_to_be_vacuous() -> None:
    report = check_protocol(compile_protocol(refining.StandsStill), engines=[ExplorerEngine()])
    assert report.baseline.status == "holds"
    assert [text for text in report.warnings if "refines holds vacuously" in text]
    others = check_protocol(compile_protocol(refining.Queue), engines=[ExplorerEngine()])
    assert others.warnings == ()


def test_abstractions_are_checked_to_fit() -> None:
    protocol = compile_protocol(refining.Queue)
    refinement = protocol.refinement
    assert refinement is not None
    length, state = refinement.abstractions[-3].value, refinement.abstractions[-1].value
    for wrong, reason in (
        (refinement.abstractions[:-1], "are not those of"),
        ((ir.Abstraction("top", length), *refinement.abstractions[1:]), "where there is none"),
        ((*refinement.abstractions[:-1], ir.Abstraction("holder", refinement.abstractions[-2].value)), "belongs"),
    ):
        with pytest.raises(AssertionError, match=reason):
            check(replace(protocol, refinement=replace(refinement, abstractions=wrong)))
    assert state.type == compile_protocol(refining.Counter).variable("holder").type


def test_modules_beside_modules() -> None:
    files = render(compile_protocol(refining.Deep))
    assert {"Deep.tla", "Queue.tla", "Counter.tla"} <= set(files)
    assert "Counter__reset__full.tla" in render(compile_protocol(refining.Loose))


# --------------------------------------------------------------------------------------------- random machines


def _refining(machine: Machine) -> Machine:
    """The machine with a class that refines it by being the same."""
    name = machine.class_name
    source = f"{machine.source}\n\nclass Same{name}({name}, refines={name}):\n    pass\n"
    return replace(machine, source=source, class_name=f"Same{name}")


def _comparison(check_one: Callable[[ir.Protocol], None], seeds: range) -> None:
    for seed in seeds:
        with loaded(_refining(machine_of(seed))) as cls:
            protocol = check(compile_protocol(cls))
            check_one(protocol)
            guards = protocol.guard_names
            if guards:
                check_one(drop_guard(protocol, random.Random(seed).choice(guards)))


def test_random_machines_refine_themselves() -> None:
    tally = Tally()

    def compare(protocol: ir.Protocol) -> None:
        alone = explored(protocol)
        if protocol.dropped is None:
            assert alone.violated != "refines"
        instance = instantiate(protocol)
        compare_explorer(instance, tally)
        # With nothing else to be violated it is seen more often.
        only = frozenset({"refines"})
        expected = reference_check(instance, only, 400)
        if expected.status != "inconclusive" and expected.distinct > 0:
            found = ExplorerEngine().check(CheckJob(instance, only))
            compare_safety(instance, expected, found)
            tally.add(f"alone: {found.violated or 'holds'}")

    _comparison(compare, range(5_020, 5_040))
    assert tally.counts["verdict: holds"] > 0
    assert tally.counts["verdict: refines"] > 0
    assert tally.counts["alone: refines"] > tally.counts["verdict: refines"]


def test_random_machines_on_tlc(toolchain: Toolchain) -> None:
    tally = Tally()
    _comparison(lambda protocol: compare_tlc(instantiate(protocol), toolchain, tally, graph=False), range(5_100, 5_103))
    assert tally.counts["instances checked by TLC"] > 0


@pytest.mark.soak
def test_many_random_machines_on_tlc(toolchain: Toolchain) -> None:
    tally = Tally()
    _comparison(lambda protocol: compare_tlc(instantiate(protocol), toolchain, tally, graph=False), range(5_200, 5_260))
    assert tally.counts["verdict of both: violated"] > 0


# ----------------------------------------------------------------------------------------------- what is refused


def test_what_is_no_protocol_cannot_be_refined() -> None:
    for wrong in (int, Protocol, "Counter"):
        with pytest.raises(TypeError, match="names a protocol class"):
            type("Wrong", (Protocol,), {}, refines=wrong)


def test_a_cycle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining.Counter, "__protocheck_refines__", refining.CountsFromOne)
    with loaded(_source("class Late(CountsFromOne):\n    pass\n", "Late")) as cls:
        with pytest.raises(CompileError) as caught:
            compile_protocol(cls)
        assert "the refinement goes round: Late → Counter → CountsFromOne → Counter" in str(caught.value)


def test_a_protocol_of_the_same_name_is_refused() -> None:
    with loaded(_source("class Counter(CountsFromOne):\n    pass\n", "Counter")) as cls:
        with pytest.raises(CompileError) as caught:
            compile_protocol(cls)
        assert "refines a protocol of the same name" in str(caught.value)


def test_records_that_would_be_written_differently_are_refused() -> None:
    source = (
        "@dataclasses.dataclass(frozen=True)\n"
        "class Stop:\n    pass\n\n\n"
        "class Plain(Protocol):\n"
        "    job: Job = Job(1)\n\n"
        "    @action\n"
        "    def change(self, job: Job) -> None:\n"
        "        self.job = job\n\n\n"
        "class Mixed(Plain, refines=Plain):\n"
        "    other: Job | Stop = Stop()\n\n"
        "    @action\n"
        "    def alter(self, other: Job | Stop) -> None:\n"
        "        self.other = other\n"
    )
    with loaded(_source(source, "Mixed")) as cls:
        with pytest.raises(CompileError) as caught:
            compile_protocol(cls)
        assert "records of Job differ in TLA+ between Mixed and Plain" in str(caught.value)


def _source(text: str, name: str) -> Machine:
    header = (
        "import dataclasses\n\n"
        "from protocheck import Protocol, action\n"
        f"from {refining.__name__} import Counter, CountsFromOne, Job\n\n\n"
    )
    return replace(machine_of(0), source=header + text, class_name=name)
