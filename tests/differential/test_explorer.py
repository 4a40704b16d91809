"""The explorer against the reference checker: random machines, every protocol and every variant."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from protocheck import Protocol
from protocheck.transpiler.instance import instantiate

from ..machines.machine import machine_of
from .differences import Tally
from .explorer import compare_explorer
from .shipped import BOUNDS, EXAMPLES, PROTOCOLS, variants
from .suite import run_suite

SEEDS = range(1_000, 1_080)


def test_random_machines() -> None:
    tally = Tally()
    for seed in SEEDS:
        run_suite("reference", machine_of(seed), random.Random(seed), tally, None)
    # Every kind of verdict is met; `-s` shows how often.
    for what, count in sorted(tally.counts.items()):
        print(f"{count:>7}  {what}")
    safety = ("type_ok", "well_defined", "invariant", "transition_invariant", "deadlock_free", "holds")
    liveness = ("eventually", "infinitely_often", "eventually_always", "leads_to")
    for verdict in (*safety, *liveness):
        assert tally.counts.get(f"verdict: {verdict}", 0) > 0, verdict
    assert tally.counts["graphs compared"] > len(SEEDS)


SHIPPED = pytest.mark.parametrize("protocol", [*PROTOCOLS, *EXAMPLES], ids=lambda cls: cls.__name__)


def _compare(protocol: type[Protocol], constants: Mapping[str, Any]) -> None:
    tally = Tally()
    for variant in variants(protocol):
        compare_explorer(instantiate(variant, constants), tally, max_states=1_500)
    assert tally.counts["instances explored"] > 0


@SHIPPED
def test_protocols_and_their_variants(protocol: type[Protocol]) -> None:
    _compare(protocol, BOUNDS[protocol.__name__][0])


@pytest.mark.soak
@SHIPPED
def test_at_every_bound(protocol: type[Protocol]) -> None:
    for constants in BOUNDS[protocol.__name__][1:]:
        _compare(protocol, constants)
