"""The guess at how large a model is: near the truth for every domain, and never an overflow."""

from __future__ import annotations

import math

import pytest

from protocheck.toolchain.tlc_effort import bits, is_short_run
from protocheck.transpiler.domains import FunctionDomain, IntDomain, SetDomain, size
from protocheck.transpiler.instance import instantiate

from ..handmade import MACHINES, rollback
from .kitchen import kitchen


@pytest.mark.parametrize("machine", [*MACHINES, "kitchen"])
def test_the_guess_is_near_the_truth(machine: str) -> None:
    instance = instantiate(kitchen() if machine == "kitchen" else MACHINES[machine]())
    for domain in instance.variables.values():
        assert bits(domain) == pytest.approx(math.log2(size(domain)), abs=1.0)


def test_sets_of_sets_of_sets_are_only_large() -> None:
    huge = SetDomain(SetDomain(SetDomain(SetDomain(IntDomain(1, 9)))))
    assert math.isinf(bits(huge))
    assert math.isinf(bits(FunctionDomain(huge, IntDomain(0, 1))))
    assert bits(FunctionDomain(huge, IntDomain(0, 0))) == 0.0


def test_small_models_are_short_runs_and_large_ones_are_not() -> None:
    assert is_short_run(instantiate(rollback()))
    assert not is_short_run(instantiate(rollback(), {"max_len": 18}))
