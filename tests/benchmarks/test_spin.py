"""SPIN as a rival: what its verifiers print is understood, and its models have the states that the protocols have."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import checkers_spin
from benchmarks.checkers_rows import ROWS, Row, instance_of, row_named, safety_of
from benchmarks.checkers_spin import (
    ORDERS,
    SpinFailed,
    Verified,
    build_verifier,
    demand_counts,
    limits_for,
    model_text,
    read_verifier,
)
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob

CAPTURED = Path(__file__).parent / "captured"
SMALL = {
    "rollback": (4, {"max_len": 4}, {"max_len": 4}),
    "acceptance": (3, {"max_trace": 3, "max_draft": 2}, {"max_trace": 3, "max_draft": 2}),
    "two-phase commit": (3, {"managers": frozenset({"rm1", "rm2", "rm3"})}, {"managers": 3}),
    "leader election": (4, {"size": 4}, {"size": 4}),
}


def small_row(protocol: str) -> Row:
    """A row of the same protocol at a small bound, with the figures that the explorer finds."""
    size, constants, given = SMALL[protocol]
    first = next(row for row in ROWS if row.protocol == protocol)
    row = replace(first, size=size, constants=constants, spin=given)
    instance = instance_of(row)
    stats = ExplorerEngine().check(CheckJob(instance, safety_of(instance))).stats
    assert stats is not None
    return replace(row, distinct=stats.distinct, generated=stats.generated, depth=stats.depth)


def captured(name: str) -> str:
    return (CAPTURED / f"{name}.txt").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------- what a verifier prints


@pytest.mark.parametrize(
    ("name", "row", "found"),
    [
        ("depth_first", "rollback 14", Verified(32_767, 688_115, 0.2)),
        ("breadth_first", "two-phase commit 5", Verified(8_832, 58_146, 0.01)),
        ("rounded", "two-phase commit 9", Verified(10_340_352, 123_558_400, 147.0)),
    ],
)
def test_a_search_that_found_nothing_wrong(name: str, row: str, found: Verified) -> None:
    """The largest numbers are rounded to eight digits."""
    verified = read_verifier(captured(name))
    assert (verified.stored, verified.transitions) == (found.stored, found.transitions)
    assert verified.seconds > 0
    demand_counts(row_named(row), verified)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("too_deep", "max search depth too small"),
        ("assertion", "found 1 errors"),
        ("deadlock", "found 1 errors"),
    ],
)
def test_a_search_that_is_none(name: str, why: str) -> None:
    with pytest.raises(SpinFailed, match=why):
        read_verifier(captured(name))


def test_a_verifier_that_says_nothing() -> None:
    with pytest.raises(SpinFailed, match="stored, matched, transitions, errors"):
        read_verifier("")


def test_one_state_more_or_less_is_too_many_or_too_few() -> None:
    row = row_named("rollback 14")
    demand_counts(row, Verified(row.distinct, row.generated, 1.0))
    for states, transitions in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1)):
        with pytest.raises(SpinFailed, match="SPIN stores"):
            demand_counts(row, Verified(row.distinct + states, row.generated + transitions, 1.0))
    chosen = row_named("acceptance 10")
    demand_counts(chosen, Verified(chosen.distinct + 1, chosen.generated + 1, 1.0))
    with pytest.raises(SpinFailed, match="SPIN stores"):
        demand_counts(chosen, Verified(chosen.distinct, chosen.generated, 1.0))


def test_there_is_room_for_every_state() -> None:
    assert limits_for(row_named("rollback 22")) == ("-w24", "-m8389607")


# ------------------------------------------------------------------------------------------------------- the models

needs_spin = pytest.mark.skipif(shutil.which("spin") is None, reason="SPIN is not installed")


@needs_spin
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("protocol", SMALL)
def test_a_model_has_the_states_of_the_protocol(protocol: str, order: str, tmp_path: Path) -> None:
    row = small_row(protocol)
    verifier = build_verifier(row, order, ["cc"], tmp_path / "model")
    done = subprocess.run([str(verifier), *limits_for(row)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    demand_counts(row, read_verifier(done.stdout))


@needs_spin
@pytest.mark.parametrize(
    ("protocol", "guard", "instead"),
    [
        ("rollback", "(pending >> 1) == 0", "true"),
        ("two-phase commit", "known_prepared == ALL", "true"),
        ("acceptance", "TRUE_AT(0, 1, 0)", "true"),
    ],
)
def test_a_model_without_a_guard_is_refuted(
    protocol: str, guard: str, instead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the assertions are there, and are evaluated."""
    row = small_row(protocol)
    text = model_text(row)
    assert guard in text
    monkeypatch.setattr(checkers_spin, "model_text", lambda _: text.replace(guard, instead))
    verifier = build_verifier(row, "breadth-first", ["cc"], tmp_path / "model")
    done = subprocess.run([str(verifier), *limits_for(row)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    with pytest.raises(SpinFailed, match="errors"):
        read_verifier(done.stdout)


@needs_spin
def test_a_model_that_spin_refuses_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkers_spin, "model_text", lambda _: "proctype {")
    with pytest.raises(SpinFailed, match="spin failed"):
        build_verifier(row_named("rollback 14"), "depth-first", ["cc"], tmp_path / "model")
