"""Whole processes with the real engines: time, interrupts, pipes and odd terminals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("engine", ["explorer", "tlc"])
def test_a_signal_leaves_nothing_behind(number: int, code: int, word: str, engine: str, tmp_path: Path) -> None:
    process = start("run", "rollback", "--set", "max_len=26", "--engine", engine, TMPDIR=str(tmp_path))
    time.sleep(3)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == ""
    assert err.strip() == word
    assert processes_of(process.pid) == []
    assert list(tmp_path.iterdir()) == []


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
