"""The table of facts: the figures that every implementation of the language must reproduce, on both engines.

They were measured with TLC on specifications written by hand. The protocols are the ones that are shipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest

from protocheck import Between, MaxLen, MinLen, Protocol, action, assume, const, guard
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob, Engine, EngineResult
from protocheck.toolchain.tlc.driver import find_toolchain
from protocheck.toolchain.tlc_engine import TlcEngine
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.interpreter import initial_states
from protocheck.transpiler.mutation import drop_guard

from .shipped import example

MAKERS: dict[str, Callable[[], Engine]] = {
    "explorer": ExplorerEngine,
    "tlc": lambda: TlcEngine(find_toolchain(archive="build")),
}


@pytest.fixture(scope="module", params=MAKERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    name: str = request.param
    return MAKERS[name]()


def check(engine: Engine, cls: type[Protocol], guard: str = "", **constants: Any) -> EngineResult:
    protocol = compile_protocol(cls)
    if guard:
        protocol = drop_guard(protocol, guard)
    return engine.check(CheckJob(instantiate(protocol, constants)))


def counts(result: EngineResult) -> tuple[int, int, int]:
    assert result.stats is not None
    return result.stats.distinct, result.stats.generated, result.stats.depth


def steps(result: EngineResult) -> list[tuple[str | None, dict[str, Any], dict[str, Any]]]:
    assert result.trace is not None
    return [(step.action, dict(step.arguments), dict(step.state)) for step in result.trace.steps]


@pytest.mark.parametrize(("bound", "expected"), [(4, (31, 189, 9)), (14, (32_767, 688_115, 29))])
def test_rollback(engine: Engine, bound: int, expected: tuple[int, int, int]) -> None:
    result = check(engine, Rollback, max_len=bound)
    assert (result.status, counts(result)) == ("holds", expected)


@pytest.mark.parametrize(("bound", "expected"), [(16, (131_071, 3_145_713, 33)), (18, (524_287, 14_155_759, 37))])
def test_rollback_at_large_bounds(bound: int, expected: tuple[int, int, int]) -> None:
    """TLC takes a minute for the largest; `benchmarks/checkers.py` compares its figures with these."""
    result = check(ExplorerEngine(), Rollback, max_len=bound)
    assert (result.status, counts(result)) == ("holds", expected)


def test_a_cut_under_a_reader(engine: Engine) -> None:
    result = check(engine, Rollback, "rollback.no_reader_above")
    assert (result.status, result.violated, counts(result)) == ("violated", "no_ghost_reads", (8, 14, 4))
    assert steps(result) == [
        (None, {}, {"length": 0, "pending_reads": frozenset()}),
        ("extend", {}, {"length": 1, "pending_reads": frozenset()}),
        ("start_read", {"i": 1}, {"length": 1, "pending_reads": frozenset({1})}),
        ("rollback", {"k": 0}, {"length": 0, "pending_reads": frozenset({1})}),
    ]


def test_a_cut_that_does_not_shrink(engine: Engine) -> None:
    result = check(engine, Rollback, "rollback.shrinks")
    assert (result.status, result.violated, len(steps(result))) == ("violated", "grows_by_one", 2)


def test_a_read_that_finishes_twice(engine: Engine) -> None:
    result = check(engine, Rollback, "finish_read.is_pending")
    assert (result.status, counts(result)) == ("holds", (31, 264, 9))


def test_dispatch(engine: Engine) -> None:
    result = check(engine, Dispatch)
    assert (result.status, counts(result)) == ("holds", (4, 5, 4))
    assert {"data_integrity", "no_collision", "filled_in_the_end"} <= set(result.evaluated)


class FixedVerdict(Acceptance):
    """Acceptance with a verdict that is a function of the state: beyond the first disagreement it ends."""

    max_trace: int = const(3)
    max_draft: int = const(2)

    @action
    def emit(
        self,
        verdict: Annotated[tuple[Acceptance.Token, ...], MinLen(1), MaxLen(max_draft + 1)],
        count: Annotated[int, Between(0, max_draft)],
    ) -> None:
        guard(
            block_pending=self.draft != (),
            agrees=self.draft[:count] == verdict[:count],
            longest=count == len(self.draft) or self.draft[count : count + 1] != verdict[count : count + 1],
        )
        agreeing = max(i for i in range(len(self.draft) + 1) if self.draft[:i] == self.remaining()[:i])
        assume(verdict == self.remaining()[: agreeing + 1])
        self.output = self.output + self.draft[:count] + verdict[count : count + 1]
        self.draft = ()


def test_acceptance(engine: Engine) -> None:
    """14 targets, each with 7 L + 1 states for its length L; what lies beyond a disagreement adds steps, not states."""
    assert [counts(check(engine, cls))[:2] for cls in (Acceptance, FixedVerdict)] == [(252, 952), (252, 436)]
    for cls in (Acceptance, FixedVerdict):
        result = check(engine, cls)
        assert result.status == "holds"
        assert "non_interference" in result.evaluated


def test_acceptance_starts_with_any_target() -> None:
    instance = instantiate(compile_protocol(Acceptance))
    assert len(list(initial_states(instance))) == 14


@pytest.mark.parametrize(
    ("managers", "expected"), [(3, (288, 1_146, 11)), (5, (8_832, 58_146, 17)), (7, (296_448, 2_744_706, 23))]
)
def test_two_phase_commit(engine: Engine, managers: int, expected: tuple[int, int, int]) -> None:
    members = frozenset(f"rm{number}" for number in range(1, managers + 1))
    result = check(engine, example("two_phase_commit").TwoPhaseCommit, managers=members)
    assert (result.status, counts(result)) == ("holds", expected)
    assert "consistent" in result.evaluated
