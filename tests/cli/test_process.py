"""Whole processes with the real engines: time, interrupts, pipes and odd terminals."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .engines import NATIVE

COMMAND = [sys.executable, "-m", "protocheck"]


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **environment},
        start_new_session=True,
    )


def processes_of(session: int) -> list[int]:
    """The processes of a session that still exist."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def test_the_main_command_in_one_process() -> None:
    done = subprocess.run(
        [*COMMAND, "run", "rollback", "--mutate", "--engine", "explorer"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert re.search(r"explorer +\S+ +31 +189 +9 ", done.stdout)
    assert "4 of 5 mutants killed, 1 survived as declared" in done.stdout


def test_both_engines_agree_on_the_main_command() -> None:
    done = subprocess.run([*COMMAND, "run", "rollback", "--mutate"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "(explorer and tlc agree)" in done.stdout


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated")],
)
@pytest.mark.parametrize("engine", ["explorer", NATIVE, "tlc"])
def test_a_signal_leaves_nothing_behind(number: int, code: int, word: str, engine: str, tmp_path: Path) -> None:
    process = start("run", "rollback", "--set", "max_len=26", "--engine", engine, TMPDIR=str(tmp_path))
    time.sleep(3)
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        # Where it did not end, it would slow down every other test.
        for left in processes_of(process.pid) if process.returncode is None else ():
            os.kill(left, signal.SIGKILL)
    assert process.returncode == code
    assert out == ""
    assert err.strip() == word
    assert processes_of(process.pid) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated")],
)
def test_a_signal_while_the_command_line_is_loaded(number: int, code: int, word: str, tmp_path: Path) -> None:
    """No traceback of Python's: click stands here for whatever is being loaded when the signal comes."""
    (tmp_path / "click.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(60)\n")
    process = start("run", "rollback", PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "", f"{word}\n")


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_interrupts_that_are_ignored_stay_ignored() -> None:
    """As a shell starts what runs in the background."""
    command = [*COMMAND, "run", "rollback", "--engine", "explorer"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    for _ in range(20):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


RING = """\
from typing import Annotated

from protocheck import Between, Protocol, action, eventually, guard, leads_to


class Ring(Protocol, fairness="weak"):
    at: Annotated[int, Between(0, 3)] = 0
    done: bool = False

    @action
    def turn(self) -> None:
        guard(going=not self.done)
        self.at = (self.at + 1) % 3

    @action
    def finish(self) -> None:
        guard(last=self.at == 2)
        self.done = True

    @eventually
    def finished(self) -> bool:
        return self.done

    @leads_to("finished")
    def at_three(self) -> bool:
        return self.at == 3
"""


@pytest.mark.parametrize("engine", ["explorer", NATIVE, "tlc", "auto"])
def test_a_loop_is_found_and_shown_by_both_engines(engine: str, tmp_path: Path) -> None:
    (tmp_path / "ring.py").write_text(RING)
    process = start("run", str(tmp_path / "ring.py"), "--engine", engine, "--trace", str(tmp_path / "t.json"))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    assert "finished is violated by 3 states and a loop (eventually, " in out
    assert "from state 3 it goes back to state 1 by turn(), and so on for ever" in out
    assert out.splitlines()[-1] == "✗ ring violates finished"
    # The search for violations of safety was finished: that much holds, and nothing "stopped early".
    assert "deadlock_free  implicit    holds" in out
    assert "stopped early" not in out
    data = json.loads((tmp_path / "t.json").read_text())["traces"][0]
    assert (data["loop_to"], data["closing"]) == (0, {"action": "turn", "args": {}})


@pytest.mark.parametrize("engine", ["explorer", NATIVE, "tlc"])
def test_stuttering_and_a_vacuous_response(engine: str, tmp_path: Path) -> None:
    (tmp_path / "ring.py").write_text(RING.replace(', fairness="weak"', ""))
    process = start("run", str(tmp_path / "ring.py"), "--engine", engine, "--property", "finished")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "finished is violated by 1 state and stuttering" in out
    process = start("run", str(tmp_path / "ring.py"), "--engine", engine, "--property", "at_three")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "warning: at_three holds vacuously: what should lead to it never occurs" in out


def test_whoever_reads_may_stop_early() -> None:
    process = start("run", "rollback", "--mutate", "--engine", "explorer")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 141
    assert err == ""


def test_a_terminal_that_lacks_a_character_is_no_reason_to_fail() -> None:
    process = start("run", "rollback", "--engine", "explorer", PYTHONIOENCODING="latin-1")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "? rollback holds within max_len=4"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_is_no_bug_of_ours() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [*COMMAND, "run", "rollback", "--engine", "explorer"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == "error: the system refused: [Errno 28] No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    ("arguments", "code"), [(["run", "nope"], 2), (["run"], 2), (["graph", "rollback", "--max-states", "3"], 3)]
)
def test_an_error_that_cannot_be_told_keeps_its_exit_code(arguments: list[str], code: int) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor as a shell does")
def test_a_log_on_a_standard_input_that_is_closed() -> None:
    command = shlex.join([*COMMAND, "validate", "-", "--protocol", "rollback"])
    done = subprocess.run(["sh", "-c", f"{command} <&-"], capture_output=True, text=True, check=False)
    message = "error: standard input is closed: name a file, or pipe the log in\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor as a shell does")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_do_not_matter(closed: str) -> None:
    command = " ".join([shlex.join(COMMAND), "run rollback --engine explorer", closed])
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("engine", [NATIVE])
def test_memory_that_is_not_enough(engine: str) -> None:
    process = start("run", "rollback", "--set", "max_len=24", "--engine", engine, "--memory", "0.01")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 4
    assert out.splitlines()[-1].endswith("out of memory: 10 MiB are not enough")
