"""What a limit may change: whether there is an answer, never which."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import Annotated

import pytest

from protocheck import Between, Protocol, action, const, eventually, guard, init, invariant
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.native import compiler as native_compiler
from protocheck.toolchain.native import engine as native_engine
from protocheck.toolchain.native import memory as native_memory
from protocheck.toolchain.native import process as native_process
from protocheck.toolchain.native.compiler import Compiler, executable_for, find_compiler
from protocheck.toolchain.native.engine import NativeEngine
from protocheck.toolchain.native.process import Limits, run_search
from protocheck.toolchain.results import Budget, CheckJob, EngineResult
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.packing.c_program import c_program
from protocheck.transpiler.packing.program import compile_program

from ..handmade import rollback


class Wide(Protocol):
    """A large level, of which some is expanded when a small budget is used up."""

    table: tuple[int, ...] = const((0, 1))
    many: int = const(29_999)
    stuck: int = const(25_000)
    early: int = const(28_000)
    undefined: int = const(-1)

    number: Annotated[int, Between(1, many)]
    marked: bool

    @init
    def pick(self, n: Annotated[int, Between(1, many)]) -> None:
        self.number = n
        self.marked = False

    @action
    def mark(self) -> None:
        guard(going_on=self.number != self.stuck)
        self.marked = True

    @action
    def look(self) -> None:
        guard(marked=self.marked, found=self.table[2 if self.marked and self.number == self.undefined else 0] == 0)

    @invariant
    def first(self) -> bool:
        return not (self.marked and self.number == self.early)

    @invariant
    def second(self) -> bool:
        return not (self.marked and self.number <= 64)


def _check(instance: Instance, budget: Budget = Budget(), workers: int = 1) -> EngineResult:  # noqa: B008  (frozen)
    return NativeEngine().check(CheckJob(instance, budget=budget, workers=workers))


@pytest.mark.parametrize(
    ("constants", "violated", "length"),
    [
        ({}, "deadlock_free", 1),
        ({"stuck": 0}, "first", 2),
        ({"stuck": 0, "early": 0}, "second", 2),
        ({"stuck": 0, "undefined": 29_000}, "well_defined", 2),
    ],
)
def test_what_is_violated_does_not_depend_on_a_limit(constants: dict[str, int], violated: str, length: int) -> None:
    instance = instantiate(compile_protocol(Wide), constants)
    whole = ExplorerEngine().check(CheckJob(instance))
    assert whole.trace is not None
    assert (whole.violated, len(whole.trace.steps)) == (violated, length)
    states = [Budget(max_states=most) for most in (30_100, 33_000, 40_000)]
    # 16 bits a state and their bitmap: there is room for some of the second level.
    places = [Budget(memory=most) for most in range(120_000, 280_000, 20_000)]
    answers = 0
    for workers in (1, 3):
        for budget in (*states, *places):
            found = _check(instance, budget, workers)
            if found.status == "inconclusive":
                # It ended before anything was seen to be wrong.
                assert found.reason.startswith(("out of memory", "more than"))
                continue
            assert found.trace is not None, (budget, found)
            assert (found.violated, len(found.trace.steps)) == (violated, length), (budget, workers)
            answers += 1
    assert answers > 4


class Counter(Protocol):
    """As many levels as states."""

    most: int = const(40_000_000)
    count: Annotated[int, Between(0, most)] = 0

    @action
    def step(self) -> None:
        guard(going_on=self.count < self.most)
        self.count += 1

    @eventually
    def ends(self) -> bool:
        return self.count == self.most


def test_levels_take_memory() -> None:
    found = _check(instantiate(compile_protocol(Counter)), Budget(memory=20 << 20))
    assert (found.status, found.reason) == ("inconclusive", "out of memory: 20 MiB are not enough")
    assert found.stats is not None
    # The bitmap would have room for most of them: 4 bytes a state.
    assert found.stats.distinct < (20 << 20) // 24


def test_a_bitmap_that_has_no_room_is_no_lack_of_places() -> None:
    found = _check(instantiate(rollback(3)), Budget(memory=10_737))
    assert (found.status, found.reason) == ("inconclusive", "out of memory: 0 MiB are not enough")


def test_a_system_without_memory_is_no_fault() -> None:
    instance = instantiate(rollback(14))
    written = c_program(compile_program(instance))
    executable = executable_for(written.source, find_compiler())
    # `prlimit` is not everywhere; a shell is.
    outcome = run_search(
        executable,
        Limits(1, 8 << 30, None, None),
        words=1,
        with_states=False,
        under=("/bin/sh", "-c", 'ulimit -v 2000000; exec "$0" "$@"'),
    )
    assert outcome.stopped == "memory"
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 2_000_000 << 10


# ------------------------------------------------------------------------------------------------------------- time


def _script(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    program = folder / "search"
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(native_engine, "executable_for", lambda *_: program)
    monkeypatch.setattr(native_process, "GRACE", 0.2)


LARGE = instantiate(rollback(20))


def test_a_way_that_takes_longer_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _script(
        tmp_path,
        monkeypatch,
        "echo 'deciding 5'; sleep 1; echo 'violation 2 1 state'; sleep 1; printf 'path 0\\ncounts 1 1 1 1 0\\nend\\n'",
    )
    outcome = run_search(tmp_path / "search", Limits(1, 1 << 20, None, 0.3), words=1, with_states=False)
    assert outcome.violation is not None
    assert (outcome.violation.kind, outcome.violation.path, outcome.stopped) == (2, (0,), "")


def test_a_way_that_is_not_found_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _script(tmp_path, monkeypatch, "echo 'deciding 0.5'; echo 'violation 2 40 state'; printf 'path 0 1'; exec sleep 60")
    began = time.monotonic()
    found = _check(LARGE, Budget(timeout=0.4))
    assert time.monotonic() - began < 30
    assert found.status == "inconclusive"
    name = compile_program(LARGE).order[2]
    assert found.reason == f"not finished within 0.4 seconds: {name} is violated, but the way there was not found"


def test_the_reason_names_what_was_asked_for_and_compiling_counts(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow-cc"
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    began = time.monotonic()
    found = NativeEngine(Compiler((str(slow),), "slow-cc")).check(CheckJob(LARGE, budget=Budget(timeout=1.0)))
    assert time.monotonic() - began < 30
    assert (found.status, found.reason) == ("inconclusive", "not finished within 1 seconds")


# ------------------------------------------------------------------------------------------------------- liveness


def test_too_many_states_for_the_explorer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Protocol):
        here: Annotated[int, Between(0, 2000)] = 0

        @action
        def step(self) -> None:
            self.here = (self.here + 1) % 2000

        @eventually
        def arrives(self) -> bool:
            return self.here == 2000

    instance = instantiate(compile_protocol(Endless))
    job = CheckJob(instance)
    assert NativeEngine().check(job).violated == "arrives"
    monkeypatch.setattr(native_process, "STATE_BYTES", 1 << 40)
    found = NativeEngine().check(job)
    assert found.status == "inconclusive"
    assert "arrives is violated, says the native search alone" in found.reason


# ------------------------------------------------------------------------------------------------------ side by side


def test_jobs_side_by_side_share_the_memory() -> None:
    given: list[int | None] = []

    class Asked(NativeEngine):
        def check(self, job: CheckJob, started: float | None = None) -> EngineResult:
            given.append(job.budget.memory)
            return super().check(job, started)

    protocol = rollback(6)
    check_protocol(protocol, engines=(Asked(),), mutate=True, workers=4, budget=Budget(memory=400 << 20))
    assert given[0] == 400 << 20
    guards = len(protocol.guard_names)
    assert given[1:] == [(400 << 20) // min(4, guards)] * guards


def test_the_least_limit_of_all_groups_around(tmp_path: Path) -> None:
    def group(folder: Path, limit: str, used: int, names: tuple[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / names[0]).write_text(f"{limit}\n", encoding="ascii")
        (folder / names[1]).write_text(f"{used}\n", encoding="ascii")

    own = tmp_path / "own"
    second, first = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
    group(tmp_path / "new" / "user" / "job", "max", 10, second)
    group(tmp_path / "new" / "user", "1000", 400, second)
    group(tmp_path / "old" / "memory" / "user", "900", 500, first)
    own.write_text("0::/user/job\n", encoding="ascii")
    assert native_memory._of_group(tmp_path / "new", own) == 600
    own.write_text("4:cpu,memory:/user/job\n1:cpu:/\n0::/\n", encoding="ascii")
    assert native_memory._of_group(tmp_path / "old", own) == 400
    assert native_memory._of_group(tmp_path / "none", tmp_path / "none") is None


# ------------------------------------------------------------------------------------------------------- compilers


@pytest.mark.parametrize(
    ("named", "command", "options"),
    [
        ("cc -O3 -g", ("cc",), ("-O3", "-g")),
        ("wrapper cc -O3", ("wrapper", "cc"), ("-O3",)),
        ("wrapper cc", ("wrapper", "cc"), ()),
        ("./wrapper cc -I x", ("wrapper", "cc"), ("-I", "x")),
    ],
)
def test_a_command_of_several_words(
    named: str, command: tuple[str, ...], options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wrapper", "cc"):
        (tmp_path / name).write_text('#!/bin/sh\nexec "$@"\n', encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    found = find_compiler({"PROTOCHECK_CC": named, "PATH": str(tmp_path)})
    assert found.command == (str(tmp_path / command[0]), *command[1:])
    assert found.options == options


def test_what_cannot_be_started_is_compiled_again(cache: Path) -> None:
    instance = instantiate(rollback(3))
    assert _check(instance).status == "holds"
    (kept,) = (cache / "native").iterdir()
    kept.write_bytes(b"\x7fELF")
    assert _check(instance).status == "holds"
    assert kept.stat().st_size > 1000


def test_what_was_abandoned_goes(cache: Path) -> None:
    old, new = cache / "native" / ".abc.1", cache / "native" / ".abc.2"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "abc").write_bytes(b"half")
    os.utime(old, (0, time.time() - native_compiler.ABANDONED - 60))
    executable_for("int main(void) { return 0; }\n", find_compiler())
    assert (old.exists(), new.exists()) == (False, True)
