"""Orbits found by the native engine: as many as the explorer finds, with states of one word and of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from protocheck import Protocol
from protocheck.toolchain.native.engine import NativeEngine
from protocheck.toolchain.results import CheckJob
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.mutation import drop_guard

from .. import symmetric
from ..differential.compiled import RACES, SANITIZED, STRICT, compare_orbits
from ..differential.differences import Tally
from ..differential.shipped import example
from ..machines.loading import loaded
from ..machines.machine import machine_of

TWO_PHASE_COMMIT = example("two_phase_commit").TwoPhaseCommit


def named(prefix: str, count: int) -> frozenset[str]:
    return frozenset(f"{prefix}{number}" for number in range(1, count + 1))


CASES: list[tuple[type[Protocol], str | None, Mapping[str, Any]]] = [
    (symmetric.LockServer, None, {}),
    (symmetric.LockServer, "grant.is_free", {}),
    (symmetric.Election, None, {"nodes": named("n", 4)}),
    (symmetric.Election, "take_office.majority", {}),
    (symmetric.Transfers, None, {"nodes": named("n", 2), "pages": named("p", 3)}),
    (symmetric.Transfers, "accept.is_new", {}),
    (TWO_PHASE_COMMIT, None, {"managers": named("rm", 7)}),
]


@pytest.mark.parametrize(
    ("cls", "guard", "constants"),
    CASES,
    ids=lambda item: getattr(item, "__name__", item if isinstance(item, str) else ""),
)
def test_as_many_orbits_as_the_explorer_finds(
    cls: type[Protocol], guard: str | None, constants: Mapping[str, Any]
) -> None:
    protocol = compile_protocol(cls) if guard is None else drop_guard(compile_protocol(cls), guard)
    tally = Tally()
    compare_orbits(instantiate(protocol, constants), tally)
    assert tally.counts["instances compared"] == 1


def test_states_of_several_words() -> None:
    """16 managers make 68 bits a state; all states would be some 10^13."""
    instance = instantiate(compile_protocol(TWO_PHASE_COMMIT), {"managers": named("rm", 16)})
    result = NativeEngine().check(CheckJob(instance, symmetry=True))
    assert result.stats is not None
    found = (result.stats.distinct, result.stats.generated, result.stats.depth, result.stats.orbits)
    assert (result.status, *found) == ("holds", 21_335, 450_859, 50, True)


@pytest.mark.parametrize("cls", [symmetric.Election, symmetric.Transfers], ids=lambda cls: str(cls.__name__))
def test_sanitized(cls: type[Protocol]) -> None:
    tally = Tally()
    compare_orbits(instantiate(compile_protocol(cls)), tally, SANITIZED)
    assert tally.counts["instances compared"] == 1


def test_random_machines() -> None:
    tally = Tally()
    for seed in range(7_000, 7_012):
        with loaded(machine_of(seed, symmetric=True)) as cls:
            compare_orbits(instantiate(compile_protocol(cls)), tally, STRICT, threads=(2,))
    for what, count in sorted(tally.counts.items()):
        print(f"{count:>7}  {what}")
    assert tally.counts["instances compared"] > 6


@pytest.mark.soak
def test_threads_do_not_race() -> None:
    tally = Tally()
    instance = instantiate(compile_protocol(symmetric.Transfers), {"nodes": named("n", 3), "pages": named("p", 4)})
    compare_orbits(instance, tally, RACES, threads=(4,))
    assert tally.counts["instances compared"] == 1
