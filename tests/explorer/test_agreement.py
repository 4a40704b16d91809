"""The explorer against the reference checker: handmade machines with every variant, and machines at random."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.mutation import drop_guard

from ..handmade import MACHINES
from ..machines.loading import loaded
from ..machines.machine import machine_of
from .agreement import assert_agreement


@pytest.mark.parametrize("make", MACHINES.values(), ids=MACHINES.keys())
def test_handmade(make: Callable[[], ir.Protocol]) -> None:
    protocol = make()
    assert_agreement(protocol)
    for guard in protocol.guard_names:
        assert_agreement(drop_guard(protocol, guard))


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_machines_at_random(first: int) -> None:
    for seed in range(first, first + 25):
        with loaded(machine_of(seed)) as machine:
            try:
                assert_agreement(compile_protocol(machine))
            except AssertionError as error:
                raise AssertionError(f"machine_of({seed})") from error
