"""The explorer against TLC: a handful of random machines, every protocol and every variant.

TLC takes a second a run, so that most machines are for the long run, `python -m tests.differential.soak --tlc 500`.
"""

from __future__ import annotations

import random

import pytest

from protocheck import Protocol
from protocheck.toolchain.tlc.driver import Toolchain, find_toolchain
from protocheck.transpiler.instance import instantiate

from ..machines.machine import machine_of
from .differences import Tally
from .shipped import BOUNDS, EXAMPLES, PROTOCOLS, variants
from .suite import run_suite
from .tlc import compare_tlc

SEEDS = range(2_000, 2_008)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    return find_toolchain(archive="build")


def test_random_machines(toolchain: Toolchain) -> None:
    tally = Tally()
    for seed in SEEDS:
        run_suite("tlc", machine_of(seed), random.Random(seed), tally, toolchain)
    assert tally.counts["graphs compared"] > 0
    assert tally.counts["verdict of both: violated"] > 0
    assert tally.counts["verdict of both: holds"] > 0


@pytest.mark.parametrize("protocol", [*PROTOCOLS, *EXAMPLES], ids=lambda cls: cls.__name__)
def test_protocols(protocol: type[Protocol], toolchain: Toolchain) -> None:
    """The smallest bound with the whole graph."""
    tally = Tally()
    constants = BOUNDS[protocol.__name__][0]
    baseline = next(iter(variants(protocol)))
    compare_tlc(instantiate(baseline, constants), toolchain, tally, graph=True)
    assert tally.counts["graphs compared"] == 1


@pytest.mark.soak
@pytest.mark.parametrize("protocol", [*PROTOCOLS, *EXAMPLES], ids=lambda cls: cls.__name__)
def test_variants_at_every_bound(protocol: type[Protocol], toolchain: Toolchain) -> None:
    tally = Tally()
    for constants in BOUNDS[protocol.__name__]:
        for variant in variants(protocol):
            compare_tlc(instantiate(variant, constants), toolchain, tally, graph=True, max_states=2_000)
    assert tally.counts["instances checked by TLC"] > len(BOUNDS[protocol.__name__])
