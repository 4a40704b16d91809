"""A table that is outgrown several times, with all threads filling the larger one: nothing is lost, nothing twice."""

from __future__ import annotations

import pytest

from protocheck.toolchain.native.engine import NativeEngine
from protocheck.toolchain.results import CheckJob
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate

from ..differential.shipped import example


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_table_of_more_than_a_million_slots(workers: int) -> None:
    """Two-phase commit with 8 managers has 36 bits a state, too many for a bitmap, and 1,745,408 states."""
    managers = frozenset(f"rm{number}" for number in range(1, 9))
    protocol = compile_protocol(example("two_phase_commit").TwoPhaseCommit)
    result = NativeEngine().check(CheckJob(instantiate(protocol, {"managers": managers}), workers=workers))
    assert result.status == "holds"
    assert result.stats is not None
    found = result.stats
    assert (found.distinct, found.generated, found.depth) == (1_745_408, 18_507_778, 26)
