"""Who answers where nobody chooses: the explorer what is small, the native engine what is large, if C can say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protocheck.toolchain import embedded
from protocheck.toolchain.embedded import EmbeddedEngine
from protocheck.toolchain.native import engine as native_engine
from protocheck.toolchain.native.process import Crashed
from protocheck.toolchain.results import Budget, CheckJob, EngineResult
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.packing.c_render import NotInC

from ..handmade import rollback

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
