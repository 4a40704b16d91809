"""The figures and traces that every implementation must reproduce."""

from __future__ import annotations

import pytest

from protocheck.toolchain.results import Stats
from protocheck.toolchain.traces import TraceStep
from protocheck.transpiler.mutation import drop_guard

from ..handmade import rollback, two_phase_commit
from .agreement import check


def _counts(stats: Stats | None) -> tuple[int, int, int]:
    assert stats is not None
    return stats.distinct, stats.generated, stats.depth


@pytest.mark.parametrize(("bound", "expected"), [(4, (31, 189, 9)), (14, (32_767, 688_115, 29))])
def test_rollback(bound: int, expected: tuple[int, int, int]) -> None:
    result = check(rollback(bound))
    assert result.status == "holds"
    assert _counts(result.stats) == expected


@pytest.mark.parametrize(("count", "expected"), [(3, (288, 1_146, 11)), (5, (8_832, 58_146, 17))])
def test_two_phase_commit(count: int, expected: tuple[int, int, int]) -> None:
    result = check(two_phase_commit(count))
    assert result.status == "holds"
    assert _counts(result.stats) == expected


def test_a_reader_above_the_cut() -> None:
    result = check(drop_guard(rollback(), "rollback.no_reader_above"))
    assert (result.status, result.violated) == ("violated", "no_ghost_reads")
    assert result.trace is not None
    assert result.trace.steps == (
        TraceStep(None, (), {"length": 0, "pending_reads": frozenset()}),
        TraceStep("extend", (), {"length": 1, "pending_reads": frozenset()}),
        TraceStep("start_read", (("i", 1),), {"length": 1, "pending_reads": frozenset({1})}),
        TraceStep("rollback", (("k", 0),), {"length": 0, "pending_reads": frozenset({1})}),
    )
    # Those of TLC when it stops, with one worker and the actions in source order.
    assert _counts(result.stats) == (8, 14, 4)
    assert result.stats is not None
    assert result.stats.changing is None


def test_a_cut_that_does_not_shrink() -> None:
    result = check(drop_guard(rollback(), "rollback.shrinks"))
    assert (result.violated, result.trace and len(result.trace.steps)) == ("grows_by_one", 2)


def test_an_overflow_is_shown_as_it_is() -> None:
    result = check(drop_guard(rollback(), "extend.room_left"))
    assert result.violated == "type_ok"
    assert result.trace is not None
    assert result.trace.steps[-1] == TraceStep("extend", (), {"length": 5, "pending_reads": frozenset()})


def test_a_survivor_with_the_same_behaviour() -> None:
    baseline, survivor = check(rollback()), check(drop_guard(rollback(), "finish_read.is_pending"))
    assert _counts(survivor.stats) == (31, 264, 9)
    assert baseline.stats is not None
    assert survivor.stats is not None
    assert baseline.stats.changing == survivor.stats.changing == 139


def test_what_is_selected_is_what_is_evaluated() -> None:
    variant = drop_guard(rollback(), "rollback.no_reader_above")
    assert check(variant, "grows_by_one").status == "holds"
    assert check(variant, "grows_by_one").evaluated == ("type_ok", "well_defined", "grows_by_one")
    assert check(variant, "no_ghost_reads").violated == "no_ghost_reads"
    # Bounds are watched whatever is selected.
    assert check(drop_guard(rollback(), "extend.room_left"), "no_ghost_reads").violated == "type_ok"
