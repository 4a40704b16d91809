"""Pytest files made of traces: they pass where they are written, and fail where what they assert is not so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from protocheck import Protocol
from protocheck.cli import main
from protocheck.protocols.rollback import Rollback
from protocheck.runtime import Recorder, Scheduler
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.counterexample import counter_examples
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.loading import load_protocol
from protocheck.toolchain.schedules import shows_violation
from protocheck.toolchain.trace_json import dumps, trace_file_json
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.mutation import drop_guard

LOCK = '''\
import enum
from typing import Annotated

from protocheck import Between, Protocol, action, eventually, guard, init, invariant, terminal


class Light(enum.Enum):
    RED = 1
    GREEN = 2


class Crossing(Protocol, fairness="weak"):
    """A crossing of two roads."""

    east: Light = Light.RED
    north: Light = Light.RED
    cars: Annotated[int, Between(0, 2)] = 0

    @init
    def some(self, waiting: Annotated[int, Between(1, 2)]) -> None:
        self.cars = waiting

    @action
    def go_east(self) -> None:
        guard(free=self.north == Light.RED, waits=self.cars > 0)
        self.east = Light.GREEN

    @action
    def go_north(self) -> None:
        guard({guards})
        self.north = Light.GREEN

    @action
    def drive(self) -> None:
        guard(may=self.east == Light.GREEN)
        self.east = Light.RED
        self.cars -= 1

    @action
    def stop(self) -> None:
        self.north = Light.RED

    @invariant
    def one_at_a_time(self) -> bool:
        return self.east == Light.RED or self.north == Light.RED

    @eventually
    def empty(self) -> bool:
        return self.cars == 0
'''


RETRIES = '''\
from typing import Annotated, Literal

from protocheck import Between, Protocol, action, eventually, guard, terminal


class Retries(Protocol{fairness}):
    """Tries again at most once, and gets done."""

    phase: Literal["ready", "trying", "done"] = "ready"
    again: Annotated[int, Between(0, 1)] = 0

    @action
    def attempt(self) -> None:
        guard(ready=self.phase == "ready")
        self.phase = "trying"

    @action
    def finish(self) -> None:
        guard(trying=self.phase == "trying")
        self.phase = "done"

    @action
    def retry(self) -> None:
        guard(was_trying=self.phase == "trying", only_once=self.again == 0)
        self.phase = "ready"
        self.again = 1

    @eventually
    def gets_done(self) -> bool:
        return self.phase == "done"

    @terminal
    def over(self) -> bool:
        return self.phase == "done"
'''


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def outcome(file: Path) -> tuple[int, str]:
    """What pytest says of a file, in a process of its own that knows nothing of this project's configuration."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", file.name],
        cwd=file.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
    return done.returncode, done.stdout + done.stderr


def failures(source: str) -> list[str]:
    """The tests of a file that fail, run in this process."""
    space: dict[str, Any] = {"__file__": "test_written.py", "__name__": "written"}
    exec(compile(source, "test_written.py", "exec"), space)
    found = []
    for name in [key for key in space if key.startswith("test_")]:
        try:
            space[name]()
        except (Exception, pytest.fail.Exception):
            found.append(name)
    return found


def written(folder: Path, *more: str) -> Path:
    (folder / "tests").mkdir(exist_ok=True)
    file = folder / "tests" / "test_written.py"
    assert command("trace", "to-test", "traces.json", "-o", str(file), *more) == 0
    return file


@pytest.mark.parametrize("name", ["rollback", "acceptance", "dispatch", "walk"])
def test_every_guard_of_a_built_in_protocol(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariants, steps, domains, definedness, ghosts, liveness: refused by the guard, and shown without it."""
    monkeypatch.chdir(tmp_path)
    assert command("run", name, "--engine", "explorer", "--mutate", "--trace", "traces.json") in (0, 1)
    file = written(tmp_path, "--no-runtime")
    code, said = outcome(file)
    assert code == 0, said
    source = file.read_text(encoding="utf-8")
    assert source.count("pytest.raises(GuardRefused)") == source.count("without(") >= 2
    assert "acted" not in source


def test_a_test_that_no_longer_holds_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A written test is worth something only if it can fail."""
    monkeypatch.chdir(tmp_path)
    command("run", "rollback", "--engine", "explorer", "--mutate", "--trace", "traces.json")
    file = written(tmp_path, "--guard", "rollback.no_reader_above")
    source = file.read_text(encoding="utf-8")
    for old, new, failing in [
        ('("no_reader_above",)', '("shrinks",)', "refuses_the_step"),
        ("run.rollback(k=0)\n    assert refusal", "run.extend()\n    assert refusal", "refuses_the_step"),
        ("run.start_read(i=1)\n    assert run.pending", "assert run.pending", "is_violated"),
        ("assert not holds(run.no_ghost_reads)", "assert holds(run.no_ghost_reads)", "is_violated"),
    ]:
        assert source.count(old) == 1, old
        assert [name for name in failures(source.replace(old, new)) if name.endswith(failing)]
    assert failures(source) == []


def test_a_protocol_in_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enums of the file, what init chooses, an invariant and a liveness property; the test lies in another folder."""
    monkeypatch.chdir(tmp_path)
    guards = "free=self.east == Light.RED, polite=self.cars == 0"
    (tmp_path / "crossing.py").write_text(LOCK.replace("{guards}", guards), encoding="utf-8")
    assert command("run", "crossing.py", "--engine", "explorer", "--mutate", "--trace", "traces.json") in (0, 1)
    file = written(tmp_path)
    code, said = outcome(file)
    assert code == 0, said
    source = file.read_text(encoding="utf-8")
    assert "load_protocol" in source
    assert "Light.GREEN" in source


def test_a_violation_of_the_protocol_itself_is_a_test_that_waits_to_be_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    protocol = tmp_path / "crossing.py"
    protocol.write_text(LOCK.replace("{guards}", "hurry=True"), encoding="utf-8")
    assert command("run", "crossing.py", "--engine", "explorer", "--trace", "traces.json") == 1
    file = written(tmp_path)
    code, said = outcome(file)
    assert code == 1
    assert "test_one_at_a_time_holds" in said
    protocol.write_text(LOCK.replace("{guards}", "hurry=True, free=self.east == Light.RED"), encoding="utf-8")
    code, said = outcome(file)
    assert code == 0, said


def test_a_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that lead into the loop, once round, and the model's word that it is fair and violates the property."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "retries.py").write_text(RETRIES.replace("{fairness}", ', fairness="weak"'), encoding="utf-8")
    command("run", "retries.py", "--engine", "explorer", "--mutate", "--trace", "traces.json")
    file = written(tmp_path, "--guard", "retry.only_once")
    source = file.read_text(encoding="utf-8")
    assert "loop_to=" in source
    code, said = outcome(file)
    assert code == 0, said


def test_staying_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A violation of the protocol as it is, until somebody demands fairness."""
    monkeypatch.chdir(tmp_path)
    protocol = tmp_path / "retries.py"
    protocol.write_text(RETRIES.replace("{fairness}", ""), encoding="utf-8")
    assert command("run", "retries.py", "--engine", "explorer", "--trace", "traces.json") == 1
    file = written(tmp_path)
    assert "stuttering=True" in file.read_text(encoding="utf-8")
    assert outcome(file)[0] == 1
    protocol.write_text(RETRIES.replace("{fairness}", ', fairness="weak"'), encoding="utf-8")
    code, said = outcome(file)
    assert code == 0, said


def test_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Recorder(tmp_path / "traces.json") as recorder:
        cache = Scheduler(recorder=recorder).adopt(Rollback(max_len=9))
        cache.extend()
        cache.start_read(1)
    file = written(tmp_path)
    code, said = outcome(file)
    assert code == 0, said
    assert "test_rollback_is_possible" in file.read_text(encoding="utf-8")


def test_what_is_no_trace_of_the_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command("run", "rollback", "--engine", "explorer", "--mutate", "--trace", "traces.json")
    capsys.readouterr()
    text = Path("traces.json").read_text(encoding="utf-8")
    for old, new, message in [
        ('"rollback.shrinks"', '"rollback.shrink"', "it has no guard rollback.shrink; did you mean rollback.shrinks"),
        ('"max_len": 4', '"max_length": 4', 'Rollback has no constant "max_length"; did you mean max_len'),
        ('"action": "start_read"', '"action": "start_reed"', "start_reed has no parameter i"),
        ('"length": 1', '"length": 2', "does not lead there"),
        ('"length": 1', '"size": 1', "its states"),
    ]:
        assert old in text
        Path("traces.json").write_text(text.replace(old, new), encoding="utf-8")
        assert command("trace", "to-test", "traces.json") == 2
        assert message in capsys.readouterr().err, new
    # Arguments that are left out are found, for a test and for the page.
    data = json.loads(text)
    for step in (step for trace in data["traces"] for step in trace["trace"]):
        step["args"] = {}
    Path("traces.json").write_text(json.dumps(data), encoding="utf-8")
    assert command("trace", "to-test", "traces.json") == 0
    assert "run.start_read(i=1)" in capsys.readouterr().out
    assert command("explore", "rollback", "--trace", "traces.json", "-o", "page.html") == 0
    Path("traces.json").write_text(text, encoding="utf-8")
    assert command("trace", "to-test", "traces.json", "--protocol", "walk") == 2
    assert "traces.json holds no trace of Walk" in capsys.readouterr().err


def test_schedules(tmp_path: Path) -> None:
    steps: list[tuple[str, dict[str, int]]] = [("extend", {}), ("start_read", {"i": 1}), ("rollback", {"k": 0})]
    cls: type[Protocol] = Rollback
    assert shows_violation(cls, "no_ghost_reads", steps, without="rollback.no_reader_above")
    # Refused, cut short, of another property, of a guard that there is not.
    assert not shows_violation(cls, "no_ghost_reads", steps)
    assert not shows_violation(cls, "no_ghost_reads", steps[:2], without="rollback.no_reader_above")
    assert not shows_violation(cls, "type_ok", steps, without="rollback.no_reader_above")
    with pytest.raises(KeyError):
        shows_violation(cls, "no_ghosts", steps, without="rollback.no_reader_above")
    with pytest.raises(KeyError):
        shows_violation(cls, "no_ghost_reads", steps, without="rollback.no_reader")


@pytest.mark.parametrize(
    "guard", ["walk.descend.agrees", "hand_off.close.no_draft_in_flight", "tree_cache.commit.no_reader_above"]
)
def test_on_a_real_model(guard: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime refuses the step with the guard, and takes it without."""
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    name, _, rest = guard.partition(".")
    protocol = compile_protocol(load_protocol(name))
    report = check_protocol(drop_guard(protocol, rest), {}, engines=[ExplorerEngine()])
    (example,) = counter_examples(report)
    Path("traces.json").write_text(dumps(trace_file_json(report, [example], name)), encoding="utf-8")
    source = written(tmp_path).read_text(encoding="utf-8")
    # In this process, which has loaded torch already.
    assert source.count("_on_a_real_model() -> None:") == 1
    assert failures(source) == []
    if name == "tree_cache":
        assert any("real_model" in each for each in failures(source.replace('("refused", ', '("corrupted", ')))
