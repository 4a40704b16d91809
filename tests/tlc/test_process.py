"""Running a command so that nothing of it is left."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.errors import RunError
from protocheck.toolchain.tlc.process import Finished, room_mb, run_process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are those of POSIX")


def group_of(path: Path) -> int:
    """The process group that a script wrote to a file."""
    return int(path.read_text(encoding="utf-8"))


def gone(group: int) -> bool:
    """No process of the group is left. Orphans are reaped by the system, which takes its time."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def run(script: str, place: Path, **options: object) -> Finished:
    return run_process(
        ["/bin/sh", "-c", script],
        directory=place,
        stdout=place / "out",
        stderr=place / "err",
        **options,  # type: ignore[arg-type]
    )


def test_lines_come_in_order_and_all_of_them(tmp_path: Path) -> None:
    lines: list[str] = []
    done = run(
        "for i in 1 2 3; do echo line $i; done; printf 'no end'; echo oops >&2; exit 7", tmp_path, on_line=lines.append
    )
    assert lines == ["line 1", "line 2", "line 3", "no end"]
    assert (done.exit_status, done.ended) == (7, "itself")
    assert (tmp_path / "err").read_text(encoding="utf-8") == "oops\n"


def test_lines_come_while_it_runs(tmp_path: Path) -> None:
    times: list[float] = []
    run("echo a; sleep 0.3; echo b", tmp_path, on_line=lambda line: times.append(time.monotonic()))
    assert times[1] - times[0] > 0.2


def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    done = run("echo $$ > group; sleep 60 & sleep 60", tmp_path, timeout=0.3)
    assert done.ended == "timeout"
    assert 0.2 < done.seconds < 2
    assert gone(group_of(tmp_path / "group"))


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocheck.toolchain.tlc.process._GRACE", 0.2)
    script = "trap '' TERM; echo $$ > group; while true; do sleep 0.05; done"
    done = run(script, tmp_path, timeout=0.3)
    assert done.exit_status == -signal.SIGKILL
    assert gone(group_of(tmp_path / "group"))


def test_what_a_finished_process_leaves_in_its_group_is_ended(tmp_path: Path) -> None:
    done = run("echo $$ > group; sleep 60 & exit 0", tmp_path)
    assert (done.exit_status, done.ended) == (0, "itself")
    assert gone(group_of(tmp_path / "group"))


def test_cancelling_from_another_thread(tmp_path: Path) -> None:
    cancel = threading.Event()
    timer = threading.Timer(0.2, cancel.set)
    timer.start()
    done = run("echo $$ > group; exec sleep 60", tmp_path, cancel=cancel)
    timer.join()
    assert done.ended == "cancelled"
    assert done.seconds < 2
    assert gone(group_of(tmp_path / "group"))


def test_enough_is_enough(tmp_path: Path) -> None:
    lines: list[str] = []
    done = run(
        "echo $$ > group; echo done; exec sleep 60", tmp_path, on_line=lines.append, enough=lambda: "done" in lines
    )
    assert done.ended == "enough"
    assert done.seconds < 2
    assert gone(group_of(tmp_path / "group"))


def test_a_disk_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocheck.toolchain.tlc.process._DISK_POLL", 0.05)
    (tmp_path / "meta").mkdir()
    script = "echo $$ > group; head -c 200000 /dev/zero > meta/big; exec sleep 60"
    done = run(script, tmp_path, disk=tmp_path / "meta", disk_limit=100_000)
    assert done.ended == "disk"
    assert gone(group_of(tmp_path / "group"))


def test_an_exception_of_the_listener_ends_it(tmp_path: Path) -> None:
    def stumble(line: str) -> None:
        raise ZeroDivisionError(line)

    with pytest.raises(ZeroDivisionError):
        run("echo $$ > group; echo x; exec sleep 60", tmp_path, on_line=stumble)
    assert gone(group_of(tmp_path / "group"))


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be started") as raised:
        run_process([str(tmp_path / "none")], directory=tmp_path, stdout=tmp_path / "out", stderr=tmp_path / "err")
    assert "toolchain doctor" in str(raised.value)


def test_no_threads_are_left(tmp_path: Path) -> None:
    before = threading.active_count()
    run("true", tmp_path)
    assert threading.active_count() == before


def test_a_long_run_may_fill_most_of_the_disk_and_never_less_than_usual(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free >> 20
    assert 0.8 * free <= room_mb(tmp_path, 0) <= 0.95 * free
    assert room_mb(tmp_path, 10**9) == 10**9
    assert room_mb(tmp_path / "none", 7) == 7
