"""Who answers where nobody chooses: the explorer what is small, the native engine what is large, if C can say it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocheck.toolchain import embedded
from protocheck.toolchain.embedded import EmbeddedEngine
from protocheck.toolchain.native import engine as native_engine
from protocheck.toolchain.native.process import Crashed
from protocheck.toolchain.results import Budget, CheckJob, EngineResult
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.packing.c_render import NotInC

from ..handmade import rollback
from .test_limits import Wide

LARGE = instantiate(rollback(14))


@pytest.fixture(autouse=True)
def _short_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MOMENT", 0.001)


def _check(budget: Budget = Budget(), **more: Any) -> EngineResult:  # noqa: B008  (frozen)
    return EmbeddedEngine().check(CheckJob(LARGE, budget=budget, **more))


def test_what_is_large_goes_to_the_native_engine_and_is_said() -> None:
    result = _check()
    assert (result.engine, result.status) == ("native", "holds")
    assert result.stats is not None
    assert result.stats.distinct == 32_767
    assert "the explorer had seen" in result.notes[-1]


def test_what_is_small_stays_with_the_explorer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MOMENT", 60.0)
    result = _check()
    assert (result.engine, result.status, result.notes) == ("explorer", "holds", ())


def test_a_short_time_limit_is_the_explorers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MOMENT", 1.0)
    result = _check(Budget(timeout=0.001))
    assert (result.engine, result.status) == ("explorer", "inconclusive")


def test_another_limit_is_no_reason_to_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MOMENT", 60.0)
    result = _check(Budget(max_states=100))
    assert (result.engine, result.status, result.reason) == ("explorer", "inconclusive", "more than 100 states")


def test_a_violation_seen_when_the_moment_ended_is_the_native_engines_to_name() -> None:
    wide = instantiate(compile_protocol(Wide), {"stuck": 0})
    found = EmbeddedEngine().check(CheckJob(wide))
    assert (found.engine, found.status, found.violated) == ("native", "violated", "first")


def test_the_time_counts_from_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MOMENT", 0.3)
    result = EmbeddedEngine().check(CheckJob(instantiate(rollback(26)), budget=Budget(timeout=1.5)))
    assert (result.status, result.reason) == ("inconclusive", "not finished within 1.5 seconds")
    assert result.stats is not None
    assert result.stats.distinct > 0


def test_what_the_explorer_saw_is_kept_where_there_was_no_time(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow-cc"
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setenv("PROTOCHECK_CC", str(slow))
    monkeypatch.setattr(embedded, "MOMENT", 0.3)
    result = EmbeddedEngine().check(CheckJob(instantiate(rollback(26)), budget=Budget(timeout=1.0)))
    assert (result.engine, result.status, result.reason) == (
        "explorer",
        "inconclusive",
        "not finished within 1 seconds",
    )
    assert result.stats is not None
    assert result.stats.distinct > 0


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROTOCHECK_CC", "none")
    result = _check()
    assert (result.engine, result.status) == ("explorer", "holds")


def _raises(error: Exception) -> Callable[..., Any]:
    def instead(*_: Any, **__: Any) -> Any:
        raise error

    return instead


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("c_program", NotInC("a value of 200 bits"), "a value of 200 bits"),
        ("run_search", Crashed("The native search ended with signal SIGSEGV."), "SIGSEGV"),
    ],
)
def test_what_the_native_engine_cannot_do_the_explorer_does(
    name: str, error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_engine, name, _raises(error))
    result = _check()
    assert (result.engine, result.status) == ("explorer", "holds")
    assert said in result.notes[-1]
