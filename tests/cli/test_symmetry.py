"""Orbits on the command line: what is counted and how that is said, and where they are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from protocheck.cli import cli
from protocheck.toolchain import orbits
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.toolchain.verdicts import checked, combine
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from .. import symmetric
from ..differential.shipped import example
from ..differential.symmetry import safety
from .test_report_json import validated

TWO_PHASE_COMMIT = compile_protocol(example("two_phase_commit").TwoPhaseCommit)
PATIENT = compile_protocol(symmetric.Patient)
ELECTION = compile_protocol(symmetric.Election)
FILE = Path(symmetric.__file__)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["run", *arguments, "--engine", "explorer"])


def test_orbits_are_counted_and_called_so() -> None:
    result = run(f"{FILE}:LockServer")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    heading = next(index for index, line in enumerate(lines) if line.split()[:3] == ["engine", "version", "orbits"])
    assert lines[heading + 1].split()[2:5] == ["48", "97", "14"]
    assert "note: orbits are counted: states that differ only in the names of clients count as one" in result.output
    assert lines[-1] == '✓ lock_server holds within clients={"ann", "bob", "eve"}'


def test_without_symmetry_every_state_is_counted() -> None:
    result = run(f"{FILE}:LockServer", "--no-symmetry")
    assert result.exit_code == 0
    assert "distinct" in result.output
    assert "orbit" not in result.output
    assert [line.split()[2:5] for line in result.output.splitlines() if line.startswith("  explorer")] == [
        ["248", "457", "14"]
    ]


def test_json_says_what_the_counts_are_of() -> None:
    reduced = json.loads(run(f"{FILE}:LockServer", "--json").output)
    assert reduced["baseline"]["stats"]["explorer"]["states_are"] == "orbits"
    assert reduced["baseline"]["stats"]["explorer"]["distinct"] == 48
    assert len(reduced["notes"]) == 1
    whole = json.loads(run(f"{FILE}:LockServer", "--json", "--no-symmetry").output)
    assert "states_are" not in whole["baseline"]["stats"]["explorer"]
    assert whole["notes"] == []
    validated(check_protocol(TWO_PHASE_COMMIT, engines=[ExplorerEngine()], mutate=True))


def test_mutants_are_judged_alike_with_and_without() -> None:
    campaigns = [
        check_protocol(TWO_PHASE_COMMIT, engines=[ExplorerEngine()], mutate=True, symmetry=symmetry)
        for symmetry in (True, False)
    ]
    found = [
        [(mutant.guard, mutant.status, mutant.verdict.violated, mutant.behaviour) for mutant in campaign.mutants or ()]
        for campaign in campaigns
    ]
    assert found[0] == found[1]
    assert [mutant[1] for mutant in found[0]].count("killed") == 9
    lengths = [
        [len(mutant.verdict.answer.trace.steps) for mutant in campaign.mutants or () if mutant.verdict.answer.trace]
        for campaign in campaigns
    ]
    assert lengths[0] == lengths[1]


def test_survivors_behave_the_same_or_not_either_way() -> None:
    protocol = compile_protocol(symmetric.LockServer)
    for symmetry in (True, False):
        report = check_protocol(protocol, engines=[ExplorerEngine()], mutate=True, symmetry=symmetry)
        found = {mutant.guard: mutant.behaviour for mutant in report.mutants or () if mutant.status == "survived"}
        assert found == {"ask.room": "same", "release.holds_it": "changed"}


# ------------------------------------------------------------------------------------------------------- refusals


def test_liveness_is_refused_with_both_ways_out() -> None:
    with pytest.raises(UserError) as caught:
        check_protocol(PATIENT, engines=[ExplorerEngine()])
    text = str(caught.value)
    assert "Patient declares clients symmetric, and everybody_is_served is about liveness" in text
    assert "--no-symmetry" in text
    selection = text.rpartition("safety alone with ")[2].split(" --property ")
    chosen = [name.removeprefix("--property ") for name in selection]
    assert chosen == [
        "who_holds_does_not_wait",
        "nobody_waits_twice",
        "handed_on_in_order",
        "deadlock_free",
        "everybody_was_served",
    ]
    report = check_protocol(PATIENT, engines=[ExplorerEngine()], properties=chosen)
    assert (report.baseline.status, report.baseline.answer.stats is not None) == ("holds", True)
    whole = check_protocol(PATIENT, engines=[ExplorerEngine()], symmetry=False)
    assert whole.baseline.violated == "everybody_is_served"


def test_where_nothing_can_be_exchanged_liveness_is_checked() -> None:
    alone = {"clients": frozenset({"ann"})}
    report = check_protocol(PATIENT, alone, engines=[ExplorerEngine()])
    assert report.baseline.status == "holds"
    assert "everybody_is_served" in report.baseline.answer.evaluated
    assert not report.notes


def test_too_many_orders_are_undecided_with_a_way_out() -> None:
    nodes = ",".join(f"n{number}" for number in range(9))
    result = run(f"{FILE}:Election", "--set", f"nodes={{{nodes}}}")
    assert result.exit_code == 4
    assert "relates members of nodes with each other" in result.output
    assert "check without symmetry" in result.output


# ------------------------------------------------------------------------------------------------------ fail closed


def of(protocol: str = "Election", symmetry: bool = True) -> tuple[EngineResult, CheckJob]:
    chosen = ELECTION if protocol == "Election" else PATIENT
    job = CheckJob(instantiate(chosen), safety(chosen), symmetry=symmetry)
    return ExplorerEngine().check(job), job


def test_orbits_that_nobody_asked_for_are_no_answer() -> None:
    result, job = of()
    assert checked(result, job) is result
    found = checked(result, replace(job, symmetry=False))
    assert (found.status, found.reason) == ("invalid", "explorer counts orbits, where states were asked for")


def test_liveness_judged_on_orbits_is_no_answer() -> None:
    result, job = of("Patient")
    claiming = replace(result, evaluated=(*result.evaluated, "everybody_is_served"))
    found = checked(claiming, job)
    assert found.status == "invalid"
    assert found.reason == "explorer judges liveness on orbits, which is unsound: everybody_is_served"


def test_orbits_and_states_contradict_each_other() -> None:
    (some, job), (every, _) = of(), of(symmetry=False)
    agreeing, other = replace(some, engine="tlc"), replace(every, engine="tlc")
    assert combine([some, agreeing], job.instance.protocol).status == "holds"
    found = combine([some, other], job.instance.protocol)
    assert found.status == "invalid"
    assert found.disagreement.startswith("explorer and tlc count differently: distinct 22 and 94")


def test_the_reason_names_the_properties() -> None:
    assert orbits.unsound(["a", "b"]) == "a, b cannot be judged on orbits: symmetry is for safety only"
