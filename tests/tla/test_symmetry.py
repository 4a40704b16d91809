"""SYMMETRY in TLA+: where it stands, where it must not, and what TLC makes of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from protocheck.toolchain import tlc_runs
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.generate import render
from protocheck.toolchain.results import CheckJob
from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.mutation import drop_guard

from .. import symmetric
from ..differential.differences import Tally
from ..differential.shipped import example
from ..differential.symmetry import compare_symmetry, safety


def symmetry_of(files: dict[str, str]) -> dict[str, list[str]]:
    """The SYMMETRY lines of each .cfg."""
    return {
        name: re.findall(r"^SYMMETRY (.*)$", text, re.MULTILINE)
        for name, text in files.items()
        if name.endswith(".cfg")
    }


def test_every_run_but_those_of_liveness_uses_it() -> None:
    files = render(compile_protocol(symmetric.Patient))
    found = symmetry_of(files)
    liveness = [name for name, text in files.items() if name.endswith(".cfg") and "EverybodyIsServed" in text]
    assert liveness == ["Patient__EverybodyIsServed.cfg"]
    assert found.pop(liveness[0]) == []
    assert len(found) > 5
    assert all(lines == ["Symmetry"] for lines in found.values())
    modules = [text for name, text in files.items() if name.endswith(".tla")]
    assert all("Symmetry ==\n    Permutations(Clients)\n" in text for text in modules)


def test_several_sets_are_permuted_by_themselves_and_names_do_not_clash() -> None:
    transfers = render(compile_protocol(symmetric.Transfers))
    assert "Symmetry ==\n    Permutations(Nodes) \\cup Permutations(Pages)\n" in transfers["Transfers.tla"]
    assert re.search(r"Nodes = \{n1, x\}", transfers["Transfers.cfg"])
    assert re.search(r"Pages = \{p1, p2, x_2\}", transfers["Transfers.cfg"])
    files = render(compile_protocol(symmetric.Symmetry))
    assert "Symmetry_2 ==\n    Permutations(PermutationsOf)\n" in files["Symmetry.tla"]
    assert symmetry_of(files)["Symmetry.cfg"] == ["Symmetry_2"]


def test_no_literal_stands_for_a_member() -> None:
    files = render(compile_protocol(example("two_phase_commit").TwoPhaseCommit))
    assert not [name for name, text in files.items() if re.search(r'"rm\d"', text)]
    assert "Managers = {rm1, rm2, rm3}" in files["TwoPhaseCommit.cfg"]


def test_one_member_cannot_be_permuted() -> None:
    files = render(compile_protocol(example("two_phase_commit").TwoPhaseCommit), {"managers": frozenset({"rm1"})})
    assert set(map(tuple, symmetry_of(files).values())) == {()}


def test_a_protocol_without_symmetric_constants_has_none() -> None:
    files = render(compile_protocol(example("peterson").Peterson))
    assert not [name for name, text in files.items() if "ymmetry" in text or "SYMMETRY" in text]


# ------------------------------------------------------------------------------------------------------- TLC itself


@pytest.mark.parametrize(
    "cls",
    [symmetric.LockServer, symmetric.Election, symmetric.Transfers, symmetric.Council, symmetric.Symmetry],
    ids=lambda cls: str(cls.__name__),
)
def test_tlc_finds_the_orbits_that_we_find(cls: type[symmetric.Protocol], toolchain: Toolchain) -> None:
    tally = Tally()
    compare_symmetry(instantiate(compile_protocol(cls)), tally, toolchain)
    assert tally.counts["graphs that shrank"] == tally.counts["instances checked by TLC"] == 1


@pytest.mark.parametrize(
    ("cls", "guard"),
    [
        (symmetric.LockServer, "grant.is_free"),
        (symmetric.Election, "take_office.majority"),
        (symmetric.Transfers, "accept.is_new"),
    ],
    ids=str,
)
def test_tlc_shows_behaviours(cls: type[symmetric.Protocol], guard: str, toolchain: Toolchain) -> None:
    """A counter-example of a reduced search replays, and is as short as one of the whole."""
    protocol = drop_guard(compile_protocol(cls), guard)
    found = TlcEngine(toolchain).check(CheckJob(instantiate(protocol), safety(protocol), symmetry=True))
    whole = ExplorerEngine().check(CheckJob(instantiate(protocol), safety(protocol)))
    assert (found.status, found.violated) == ("violated", whole.violated)
    assert found.trace is not None
    assert whole.trace is not None
    assert len(found.trace.steps) == len(whole.trace.steps)


def test_liveness_is_refused_under_symmetry(toolchain: Toolchain) -> None:
    instance = instantiate(compile_protocol(symmetric.Patient))
    for engine in (TlcEngine(toolchain), ExplorerEngine()):
        for properties in (None, frozenset({"everybody_is_served"})):
            found = engine.check(CheckJob(instance, properties, symmetry=True))
            assert (found.status, found.evaluated, found.stats) == ("invalid", (), None)
            assert found.reason == "everybody_is_served cannot be judged on orbits: symmetry is for safety only"
        assert engine.check(CheckJob(instance, safety(instance.protocol), symmetry=True)).status == "holds"


def test_beyond_so_many_renamings_tlc_is_not_asked(toolchain: Toolchain) -> None:
    """It would not come to an end; whoever else was asked answers, and TLC is said not to have confirmed it."""
    managers = {"managers": frozenset(f"rm{number}" for number in range(1, 9))}
    protocol = compile_protocol(example("two_phase_commit").TwoPhaseCommit)
    job = CheckJob(instantiate(protocol, managers), safety(protocol), symmetry=True)
    found = TlcEngine(toolchain).check(job)
    assert (found.status, found.stats) == ("inconclusive", None)
    assert found.reason.startswith("TLC tries each of 40,320 renamings")
    assert "--no-symmetry" in found.reason
    report = check_protocol(protocol, managers, engines=[ExplorerEngine(), TlcEngine(toolchain)])
    assert (report.exit_code, report.baseline.unconfirmed) == (0, ("tlc",))


def test_a_configuration_that_lost_its_symmetry_is_no_pass(
    toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tlc_runs.config_text
    monkeypatch.setattr(tlc_runs, "config_text", lambda config: real(replace(config, symmetry=None)))
    instance = instantiate(compile_protocol(symmetric.Election))
    found = TlcEngine(toolchain).check(CheckJob(instance, safety(instance.protocol), symmetry=True))
    assert found.status == "invalid"
    assert "no line `SYMMETRY Symmetry`" in found.reason
