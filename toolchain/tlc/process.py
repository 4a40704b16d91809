"""Run one command in a process group of its own, and leave nothing of it behind, whatever happens.

Its output goes to files, which are read as they grow: no pipes that could fill up, no threads, and what was printed
survives a failure.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from .errors import RunError

Ended: TypeAlias = Literal["itself", "enough", "timeout", "cancelled", "disk"]

# Short runs take half a second, so they are looked at often; long ones are left in peace.
_QUICK_POLL = 0.005
_QUICK_FOR = 3.0
_SLOW_POLL = 0.05
_DISK_POLL = 1.0
_GRACE = 2.0


@dataclass(frozen=True)
class Finished:
    """How a process ended.

    Attributes:
        exit_status: negative for a signal: also for the one that ended it after a time-out and the like.
        ended: by itself, or why it was ended; "enough" where the caller had heard all it wanted.
        seconds: from its start to its end.
    """

    exit_status: int
    ended: Ended
    seconds: float


def run_process(
    command: Sequence[str],
    *,
    directory: Path,
    stdout: Path,
    stderr: Path,
    on_line: Callable[[str], None] | None = None,
    enough: Callable[[], bool] | None = None,
    timeout: float | None = None,
    cancel: threading.Event | None = None,
    disk: Path | None = None,
    disk_limit: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Finished:
    """Run a command to its end, or end it; in any case its whole process group is gone when this returns or raises.

    Args:
        command: the program and its arguments.
        directory: to run in.
        stdout: the file for its output.
        stderr: the file for its error output.
        on_line: called with each line of output as it comes, without its line end, in the calling thread.
        enough: asked after each portion of output; when true, nothing more is waited for and it is ended at once.
        timeout: seconds after which it is ended.
        cancel: ends it when set.
        disk: the directory watched for `disk_limit`.
        disk_limit: bytes in `disk` beyond which it is ended.
        env: its environment; the caller's by default.

    Raises:
        RunError: it cannot be started.
    """
    started = time.monotonic()
    with stdout.open("wb") as out, stderr.open("wb") as err, stdout.open("rb") as output:
        reader = _Lines(output, on_line)
        process = _start(command, directory, out, err, env)
        ended: Ended | None = None
        try:
            ended = _watch(process, reader, started, enough, timeout, cancel, disk, disk_limit)
        finally:
            # Even of a process that ended by itself something may be left in its group.
            _end_group(process, grace=0.0 if ended == "enough" else _GRACE)
        reader.read()
        reader.flush()
    return Finished(process.returncode, ended, time.monotonic() - started)


def _start(
    command: Sequence[str], directory: Path, out: BinaryIO, err: BinaryIO, env: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=None if env is None else dict(env),
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(
            f"{command[0]} cannot be started.",
            reason=str(error.strerror or error),
            remedy='Look at "protocheck toolchain doctor".',
        ) from error


def _watch(
    process: subprocess.Popen[bytes],
    reader: _Lines,
    started: float,
    enough: Callable[[], bool] | None,
    timeout: float | None,
    cancel: threading.Event | None,
    disk: Path | None,
    disk_limit: int | None,
) -> Ended:
    disk_due = started + _DISK_POLL
    while True:
        if _has_ended(process):
            return "itself"
        reader.read()
        if enough is not None and enough():
            return "enough"
        now = time.monotonic()
        if cancel is not None and cancel.is_set():
            return "cancelled"
        if timeout is not None and now - started >= timeout:
            return "timeout"
        if disk is not None and disk_limit is not None and now >= disk_due:
            disk_due = now + _DISK_POLL
            if directory_size(disk) > disk_limit:
                return "disk"
        pause = _QUICK_POLL if now - started < _QUICK_FOR else _SLOW_POLL
        if timeout is not None:
            pause = min(pause, max(0.0, started + timeout - now))
        if cancel is not None:
            cancel.wait(pause)
        else:
            time.sleep(pause)


def directory_size(directory: Path) -> int:
    """Bytes of all files in a directory and below; files that come and go meanwhile do not matter."""
    total = 0
    for root, _, files in os.walk(directory):
        for name in files:
            with suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total


def room_mb(directory: Path, least: int) -> int:
    """How large the files of a long run may become, in MiB: nine tenths of what is free, and `least` in any case."""
    try:
        free = shutil.disk_usage(directory).free
    except OSError:
        return least
    return max(least, int(free * 0.9) >> 20)


class _Lines:
    """Hands out the lines of a growing file."""

    def __init__(self, source: BinaryIO, on_line: Callable[[str], None] | None) -> None:
        self._source = source
        self._on_line = on_line
        self._rest = b""

    def read(self) -> None:
        while chunk := self._source.read(1 << 16):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._emit(line)

    def flush(self) -> None:
        if self._rest:
            self._emit(self._rest)
            self._rest = b""

    def _emit(self, line: bytes) -> None:
        if self._on_line is not None:
            self._on_line(line.decode("utf-8", errors="replace").rstrip("\r"))


if sys.platform == "win32":

    def _has_ended(process: subprocess.Popen[bytes]) -> bool:
        return process.poll() is not None

    def _end_group(process: subprocess.Popen[bytes], *, grace: float = _GRACE) -> None:
        # There are no process groups to signal there; TLC starts no processes of its own.
        if process.poll() is None:
            process.kill()
        process.wait()

else:

    def _has_ended(process: subprocess.Popen[bytes]) -> bool:
        if process.returncode is not None:
            return True
        if hasattr(os, "waitid"):
            # Not reaped yet: as long as the leader is a zombie, no other process can be given the group's number.
            return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return process.poll() is not None

    def _end_group(process: subprocess.Popen[bytes], *, grace: float = _GRACE) -> None:
        try:
            if grace and not _has_ended(process):
                _signal_group(process, signal.SIGTERM)
                deadline = time.monotonic() + grace
                while not _has_ended(process) and time.monotonic() < deadline:
                    time.sleep(_QUICK_POLL)
        finally:
            # A second Ctrl-C during the wait above must not leave anything either.
            _signal_group(process, signal.SIGKILL)
            process.wait()

    def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
                os.killpg(process.pid, number)
