"""What the native engine says where it cannot finish, cannot begin, or is ended: never that anything holds."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import pytest

from protocheck import Between, Protocol, action, const, guard, init, invariant, terminal
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.native import engine as native_engine
from protocheck.toolchain.native.compiler import (
    Compiler,
    CompilerNotFound,
    executable_for,
    find_compiler,
)
from protocheck.toolchain.native.engine import NativeEngine
from protocheck.toolchain.native.process import Crashed
from protocheck.toolchain.results import Budget, CheckJob, EngineResult, Progress
from protocheck.toolchain.tlc.errors import ToolError
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.packing.c_program import c_program
from protocheck.transpiler.packing.program import compile_program

from ..handmade import rollback

LARGE = instantiate(rollback(20))


def _check(instance: Instance = LARGE, budget: Budget = Budget(), **more: Any) -> EngineResult:  # noqa: B008  (frozen)
    return NativeEngine().check(CheckJob(instance, budget=budget, **more))


def test_states() -> None:
    result = _check(budget=Budget(max_states=1000))
    assert (result.status, result.reason, result.evaluated) == ("inconclusive", "more than 1000 states", ())
    assert result.stats is not None
    assert 1000 < result.stats.distinct < 2_097_151
    assert result.stats.changing is None


def test_a_budget_that_is_just_enough() -> None:
    assert _check(instantiate(rollback(14)), Budget(max_states=32_767)).status == "holds"


def test_no_time() -> None:
    result = _check(budget=Budget(timeout=0.0))
    assert result.status == "inconclusive"
    assert "seconds" in result.reason


@pytest.mark.parametrize("workers", [1, 3])
def test_memory(workers: int) -> None:
    result = _check(budget=Budget(memory=2 << 20), workers=workers)
    assert (result.status, result.reason) == ("inconclusive", "out of memory: 2 MiB are not enough")


def test_cancelled() -> None:
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    result = _check(instantiate(rollback(26)), cancel=cancel)
    assert (result.status, result.reason) == ("inconclusive", "cancelled")
    assert time.monotonic() - started < 60


def test_progress() -> None:
    told: list[Progress] = []
    result = _check(instantiate(rollback(22)), on_progress=told.append)
    assert result.status == "holds"
    assert result.stats is not None
    assert (result.stats.distinct, result.stats.generated, result.stats.depth) == (8_388_607, 276_824_043, 45)
    assert all(item.distinct <= 8_388_607 for item in told)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -SEGV $$", "SIGSEGV"),
        ("kill -KILL $$", "memory runs out"),
        ("echo 'counts 3 4 5 1 0'", "exit status 0"),
        ("echo 'failed no threads'; exit 3", "no threads"),
    ],
)
def test_a_crash_is_an_error(script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "search"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(native_engine, "executable_for", lambda *_: program)
    with pytest.raises(Crashed) as raised:
        _check()
    assert said in str(raised.value)


def test_what_is_compiled_is_kept(cache: Path) -> None:
    source = "int main(void) { return 0; }\n"
    first = executable_for(source, find_compiler())
    written = first.stat().st_ino
    assert executable_for(source, find_compiler()).stat().st_ino == written
    assert executable_for(source + "/* another */\n", find_compiler()) != first
    other = Compiler(find_compiler().command, "cc", ("-O0",))
    assert executable_for(source, other) not in (first, None)
    assert sorted(item.name for item in (cache / "native").iterdir() if item.name.startswith(".")) == []


def test_what_does_not_compile(cache: Path) -> None:
    with pytest.raises(ToolError, match="error"):
        executable_for("int main(void) { return nothing; }\n", find_compiler())
    assert not (cache / "native").exists() or list((cache / "native").iterdir()) == []


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PROTOCHECK_CC": "none", "PATH": os.defpath}, "none"),
        ({"PROTOCHECK_CC": "no-such-compiler -O2", "PATH": os.defpath}, "no-such-compiler"),
        ({"PATH": ""}, "no C compiler"),
    ],
)
def test_no_compiler(env: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CompilerNotFound, match=said):
        find_compiler(env)


class Wide(Protocol):
    """Counters of seven bits in a row, so that some lie across the border of two words."""

    cells: int = const(20)
    counts: dict[Annotated[int, Between(1, cells)], Annotated[int, Between(0, 100)]]

    @init
    def begin(self) -> None:
        self.counts = {cell: 0 for cell in range(1, self.cells + 1)}

    @action
    def step(self, place: Annotated[int, Between(1, 5)]) -> None:
        guard(few=self.counts[place * self.cells // 5] < 2)
        self.counts[place * self.cells // 5] += 1

    @invariant
    def never_two(self) -> bool:
        return self.counts[self.cells] < 2

    @terminal
    def full(self) -> bool:
        return True


@pytest.mark.parametrize(("cells", "words"), [(8, 1), (14, 2), (20, 3), (31, 4)])
def test_states_of_several_words(cells: int, words: int) -> None:
    instance = instantiate(compile_protocol(Wide), {"cells": cells})
    program = compile_program(instance)
    assert c_program(program).words == words
    everything = frozenset({"type_ok", "well_defined"})
    for properties in (everything, everything | {"never_two"}):
        expected = ExplorerEngine().check(CheckJob(instance, properties))
        assert expected.stats is not None
        for workers in (1, 2):
            found = NativeEngine().check(CheckJob(instance, properties, workers=workers))
            assert found.stats is not None
            assert (found.status, found.violated) == (expected.status, expected.violated)
            if expected.status == "holds":
                assert (found.stats.distinct, found.stats.generated) == (243, 1_054)
                assert (found.stats.distinct, found.stats.generated) == (
                    expected.stats.distinct,
                    expected.stats.generated,
                )
            elif workers == 1:
                assert found.trace == expected.trace
