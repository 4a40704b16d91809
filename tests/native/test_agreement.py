"""The native engine answers as the explorer does, to the last detail: shipped protocols, variants, random machines."""

from __future__ import annotations

import random

import pytest

from protocheck import Protocol
from protocheck.transpiler.instance import instantiate

from ..differential.compiled import RACES, SANITIZED, compare_compiled
from ..differential.differences import Tally
from ..differential.shipped import BOUNDS, EXAMPLES, PROTOCOLS, variants
from ..differential.suite import run_suite
from ..machines.machine import machine_of

SHIPPED = pytest.mark.parametrize("protocol", [*PROTOCOLS, *EXAMPLES], ids=lambda cls: cls.__name__)


def test_a_machine_that_names_a_local_where_it_is_not_bound() -> None:
    """Found by the soak: what depends on no state was computed beforehand, behind a condition that is never true."""
    tally = Tally()
    run_suite("compiled", machine_of(71_003), random.Random(71_003), tally, None)
    assert tally.counts, "the machine was not looked at"


def test_random_machines() -> None:
    tally = Tally()
    for seed in range(2_000, 2_018):
        run_suite("compiled", machine_of(seed), random.Random(seed), tally, None)
    # How many are left to the explorer, and why; `-s` shows it.
    for what, count in sorted(tally.counts.items()):
        print(f"{count:>7}  {what}")
    assert tally.counts["instances compared"] > 18
    for status in ("holds", "violated"):
        assert tally.counts.get(f"verdict: {status}", 0) > 0, status


@SHIPPED
def test_protocols(protocol: type[Protocol]) -> None:
    # The baseline, and the variant that is largest to write.
    chosen = [next(variants(protocol)), list(variants(protocol))[-1]]
    tally = Tally()
    for variant in chosen:
        compare_compiled(instantiate(variant, BOUNDS[protocol.__name__][-1]), tally)
    assert tally.counts["instances compared"] == len(chosen)


@pytest.mark.parametrize("protocol", [PROTOCOLS[0], PROTOCOLS[3], EXAMPLES[0]], ids=lambda cls: cls.__name__)
def test_sanitized(protocol: type[Protocol]) -> None:
    tally = Tally()
    compare_compiled(instantiate(next(variants(protocol)), BOUNDS[protocol.__name__][-1]), tally, SANITIZED)
    assert tally.counts["instances compared"] == 1


def test_threads_do_not_race() -> None:
    tally = Tally()
    compare_compiled(instantiate(next(variants(PROTOCOLS[0])), {"max_len": 9}), tally, RACES, threads=(4,))
    assert tally.counts["instances compared"] == 1


@pytest.mark.soak
@SHIPPED
def test_every_variant_sanitized(protocol: type[Protocol]) -> None:
    tally = Tally()
    for variant in variants(protocol):
        compare_compiled(instantiate(variant, BOUNDS[protocol.__name__][-1]), tally, SANITIZED)
    assert tally.counts["instances compared"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("first", range(0, 200, 25))
def test_random_machines_sanitized(first: int) -> None:
    tally = Tally()
    for seed in range(10_000 + first, 10_025 + first):
        run_suite("compiled", machine_of(seed), random.Random(seed), tally, None)
