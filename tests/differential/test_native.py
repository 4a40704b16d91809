"""The native class against the lowered one, step by step: random machines, every protocol, every variant."""

from __future__ import annotations

import random

import pytest

from protocheck import Protocol, without
from protocheck.transpiler.frontend import compile_protocol

from ..machines.machine import machine_of
from .differences import Tally
from .native import compare_native
from .shipped import EXAMPLES, PROTOCOLS
from .suite import run_suite

SEEDS, CHUNK = range(160), 40


@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_random_machines(first: int) -> None:
    tally = Tally()
    for seed in range(first, first + CHUNK):
        run_suite("native", machine_of(seed), random.Random(seed), tally, None)
    # What is compared really happens.
    for what in ("Taken", "Refused", "AssumedAway", "IllDefined", "foreign argument"):
        assert tally.counts.get(f"tried: {what}", 0) > 0, what
    assert tally.counts.get("ill-defined, unnoticed natively", 0) < tally.counts["tried: IllDefined"]


@pytest.mark.parametrize("protocol", [*PROTOCOLS, *EXAMPLES], ids=lambda cls: cls.__name__)
def test_protocols_and_their_variants(protocol: type[Protocol]) -> None:
    tally = Tally()
    compare_native(protocol, random.Random(0), tally, walks=3, length=12)
    for guard in compile_protocol(protocol).guard_names:
        compare_native(without(protocol, guard), random.Random(0), tally, walks=1, length=12)
    assert tally.counts["steps walked"] > 0
    assert tally.counts["tried: Refused"] > 0
