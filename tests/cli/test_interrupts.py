"""Ctrl-C at a terminal: the check ends, what was found is reported, nothing is left; a second one ends the program."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from protocheck.cli import main
from protocheck.interrupts import Interruptible
from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob, EngineResult
from protocheck.transpiler.frontend import compile_protocol

from .engines import NATIVE
from .test_process import COMMAND, processes_of

if sys.platform == "win32":
    pytest.skip("terminals are POSIX's here", allow_module_level=True)

import pty

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")

CTRL_C = b"\x03"


@dataclass
class Terminal:
    """A command at a terminal of its own."""

    process: int
    descriptor: int
    shown: str = ""

    def wait_for(self, *words: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not all(word in self.shown for word in words):
            assert time.monotonic() < deadline, self.shown
            if not self._read():
                break
        assert all(word in self.shown for word in words), self.shown

    def press(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def end(self, seconds: float = 60) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + seconds
        while self._read() and time.monotonic() < deadline:
            pass
        status = os.waitpid(self.process, 0 if time.monotonic() < deadline else os.WNOHANG)[1]
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:  # Linux says so where the other end is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


def at_a_terminal(arguments: Sequence[str], folder: Path) -> Terminal:
    process, descriptor = pty.fork()
    if process == 0:
        os.environ |= {"TMPDIR": str(folder), "TERM": "xterm", "COLUMNS": "120", "LINES": "40", "NO_COLOR": "1"}
        os.execv(COMMAND[0], [*COMMAND, *arguments])
    return Terminal(process, descriptor)


@pytest.mark.parametrize("engine", ["explorer", NATIVE, "tlc", "auto"])
def test_ctrl_c_reports_what_was_found(engine: str, tmp_path: Path) -> None:
    terminal = at_a_terminal(["run", "rollback", "--set", "max_len=26", "--engine", engine], tmp_path)
    terminal.wait_for(" states/s, ", "at least " if engine != "tlc" else "queue ")
    terminal.press(CTRL_C)
    assert terminal.end() == 4, terminal.shown
    assert "? rollback is undecided within max_len=26: interrupted" in terminal.shown
    assert "stopped early" in terminal.shown
    assert "once more to leave at once" in terminal.shown
    assert processes_of(terminal.process) == []
    assert list(tmp_path.iterdir()) == []


def test_a_second_ctrl_c_ends_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def twice(*_: object, cancel: threading.Event, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert cancel.is_set()
        os.kill(os.getpid(), signal.SIGINT)  # the same, as far as anybody can tell
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("protocheck.toolchain.check.check_protocol", twice)
    monkeypatch.setattr("protocheck.cli._end_cleanly_on", lambda name: None)  # signals of the tests' own process
    with pytest.raises(SystemExit) as ended:
        main(["run", "rollback", "--engine", "explorer"])
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def test_a_campaign_keeps_the_mutants_that_were_judged() -> None:
    cancel = threading.Event()

    class Interrupting(ExplorerEngine):
        def check(self, job: CheckJob) -> EngineResult:
            if job.instance.protocol.dropped == "finish_read.is_pending":
                cancel.set()
            return super().check(job)

    report = check_protocol(compile_protocol(Rollback), engines=[Interrupting()], mutate=True, cancel=cancel)
    assert (report.baseline.status, report.exit_code) == ("holds", 4)
    assert [(mutant.status, mutant.verdict.reason) for mutant in report.mutants or ()] == [
        ("killed", ""),
        ("killed", ""),
        *[("inconclusive", "interrupted")] * 3,
    ]


def test_where_interrupts_are_ignored_they_stay_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruptible() as interruptible:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interruptible.cancel.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_is_noted_and_the_second_raised() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruptible() as interruptible:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruptible.cancel.is_set()
        time.sleep(0.6)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
