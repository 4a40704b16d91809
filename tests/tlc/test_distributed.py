"""TLC's distributed mode, run: a server and its workers on this host, killed in every way, and leaving nothing behind.

The first part pins what the mode does wrong without a word; whoever uses `run_distributed` must make up for it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.distributed import Crew, DistributedRun, run_distributed
from protocheck.toolchain.tlc.distributed_command import LOOPBACK, Meeting, demand_modules, remote_worker_line
from protocheck.toolchain.tlc.driver import TlcJob, Toolchain, run_tlc
from protocheck.toolchain.tlc.errors import RunError
from protocheck.toolchain.tlc.jars import TlcJar
from protocheck.toolchain.tlc.java import Java

from .support import CAPTURED, job, spec

pytestmark = [
    pytest.mark.usefixtures("temporary"),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes through /proc"),
]

CUBE = """EXTENDS Naturals
VARIABLES a, b, c
Init == a = 0 /\\ b = 0 /\\ c = 0
Next == \\/ a < 40 /\\ a' = a + 1 /\\ UNCHANGED <<b, c>>
        \\/ b < 40 /\\ b' = b + 1 /\\ UNCHANGED <<a, c>>
        \\/ c < 40 /\\ c' = c + 1 /\\ UNCHANGED <<a, b>>
        \\/ a = 40 /\\ b = 40 /\\ c = 40 /\\ UNCHANGED <<a, b, c>>
Spec == Init /\\ [][Next]_<<a, b, c>>"""
CUBE_STATES = 41**3

BACK = """EXTENDS Naturals
VARIABLE x
Init == x = 0
Next == x' = (x + 1) % 3
Spec == Init /\\ [][Next]_x
Grows == [][x' >= x]_x
EveryStepGrows == ~ENABLED (Next /\\ ~Grows!1)"""


def processes(place: Path, kind: str) -> list[int]:
    """The processes of Java that mention a directory and a class, oldest first."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(place) in line and f"tlc2.tool.distributed.{kind} " in line + " ":
            found.append(int(entry.name))
    return sorted(found)


def assert_nothing_is_left(place: Path) -> None:
    assert processes(place, "TLCServer") == processes(place, "TLCWorker") == []
    assert list(place.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tlc-worker")]


def generated(found: DistributedRun) -> int:
    """Initial states and steps, as TLC alone counts them."""
    initial = found.run.outcome.stats.initial
    assert initial is not None
    assert found.computed is not None
    return initial + found.computed


# What it finds --------------------------------------------------------------------------------------------------------


def test_two_workers_count_what_one_tlc_counts(
    any_java: Java, jar: TlcJar, toolchain: Toolchain, temporary: Path
) -> None:
    found = run_distributed(job("Safe"), Crew(2), Toolchain(any_java, jar))
    alone = run_tlc(job("Safe"), toolchain).outcome.stats
    outcome = found.run.outcome
    assert outcome.kind == "no_error", outcome.message
    assert (outcome.stats.distinct, generated(found)) == (alone.distinct, alone.generated) == (10, 25)
    assert (found.lost, found.run.exit_status) == (0, 0)
    assert found.joined in (1, 2)
    assert_nothing_is_left(temporary)


@pytest.mark.parametrize(("config", "states"), [("Inv", 2), ("Dead", 1), ("InvInit", 0)])
def test_a_violation_is_no_pass_though_the_exit_status_is_0(toolchain: Toolchain, config: str, states: int) -> None:
    found = run_distributed(job(config), Crew(1), toolchain)
    outcome = found.run.outcome
    assert outcome.kind == "stopped", outcome.message
    assert (len(outcome.states), outcome.violated, found.run.exit_status) == (states, None, 0)


def test_known_fault_liveness_is_passed_over(toolchain: Toolchain) -> None:
    assert run_tlc(job("Lasso"), toolchain).outcome.kind == "liveness"
    assert run_distributed(job("Lasso"), Crew(1), toolchain).run.outcome.kind == "no_error"


def test_known_fault_steps_to_known_states_are_passed_over(toolchain: Toolchain) -> None:
    """So action properties become invariants, for which the mode evaluates every step."""
    violated = spec(BACK, "SPECIFICATION Spec\nPROPERTY Grows\n")
    assert run_tlc(violated, toolchain).outcome.kind == "action_property"
    assert run_distributed(violated, Crew(1), toolchain).run.outcome.kind == "no_error"
    stepwise = spec(BACK, "SPECIFICATION Spec\nINVARIANT EveryStepGrows\n")
    found = run_distributed(stepwise, Crew(1), toolchain).run.outcome
    assert found.kind == "stopped"
    assert found.states[-1].values == {"x": 2}


# What goes wrong ------------------------------------------------------------------------------------------------------


class Disturbed:
    """Something done to a run as soon as so many workers work."""

    def __init__(self, place: Path, workers: int, act: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._watch, args=(place, workers, act))

    def _watch(self, place: Path, workers: int, act: Callable[[], None]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            outputs = [path.read_text(errors="replace") for path in place.glob("*/stdout.txt")]
            if any(text.count("@!@!@STARTMSG 7001") >= workers for text in outputs):
                time.sleep(0.3)
                act()
                return
            time.sleep(0.02)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def kill(place: Path, kind: str, number: int | None = None) -> None:
    for process in processes(place, kind)[:number]:
        os.kill(process, signal.SIGKILL)


def cube(**changes: object) -> TlcJob:
    return spec(CUBE, timeout=120, **changes)


def test_a_worker_that_is_killed_loses_no_state(toolchain: Toolchain, temporary: Path) -> None:
    with Disturbed(temporary, 2, lambda: kill(temporary, "TLCWorker", 1)):
        found = run_distributed(cube(), Crew(2), toolchain)
    outcome = found.run.outcome
    assert (found.joined, found.lost) == (2, 1), outcome.message
    assert outcome.kind == "no_error", outcome.message
    assert outcome.stats.distinct == CUBE_STATES
    assert found.computed is None
    assert_nothing_is_left(temporary)


def test_nobody_waits_for_workers_that_are_all_dead(toolchain: Toolchain, temporary: Path) -> None:
    with Disturbed(temporary, 2, lambda: kill(temporary, "TLCWorker")):
        found = run_distributed(cube(), Crew(2), toolchain)
    assert found.run.outcome.kind == "incomplete"
    assert "every worker has ended before the search was done" in found.run.outcome.message
    assert found.run.wall_seconds < 60
    assert processes(temporary, "TLCServer") == []


def test_a_server_that_is_killed(toolchain: Toolchain, temporary: Path) -> None:
    with Disturbed(temporary, 1, lambda: kill(temporary, "TLCServer")):
        found = run_distributed(cube(keep="never"), Crew(1), toolchain)
    assert (found.run.outcome.kind, found.run.exit_status) == ("incomplete", -signal.SIGKILL)
    assert_nothing_is_left(temporary)


def test_an_interrupt_leaves_nothing(toolchain: Toolchain, temporary: Path) -> None:
    cancel = threading.Event()
    with Disturbed(temporary, 1, cancel.set):
        found = run_distributed(cube(), Crew(2), toolchain, cancel=cancel)
    assert (found.run.outcome.kind, found.run.ended) == ("incomplete", "cancelled")
    assert_nothing_is_left(temporary)


def test_a_worker_that_never_comes(toolchain: Toolchain, temporary: Path) -> None:
    said: list[str] = []
    found = run_distributed(cube(), Crew(0, "localhost", patience=1.0), toolchain, ready=said.append)
    assert found.run.outcome.kind == "incomplete"
    assert "no worker has come within 1 s" in found.run.outcome.message
    assert len(said) == 1
    assert said[0].endswith(" tlc2.tool.distributed.TLCWorker localhost")


def test_the_line_for_further_hosts_works(toolchain: Toolchain, temporary: Path, tmp_path: Path) -> None:
    """As typed there, with the names of this host: its cores work, and what they counted is not known here."""
    (tmp_path / "tla2tools.jar").symlink_to(toolchain.jar.path)
    started: list[subprocess.Popen[bytes]] = []

    def elsewhere(line: str) -> None:
        command = line.replace("java ", f"{toolchain.java.path} ", 1).replace("$(hostname -f)", "localhost")
        started.append(subprocess.Popen(["sh", "-c", f"exec {command}"], cwd=tmp_path, stdout=subprocess.DEVNULL))

    try:
        found = run_distributed(cube(), Crew(0, "localhost"), toolchain, ready=elsewhere)
        assert found.run.outcome.kind == "no_error", found.run.outcome.message
        assert found.run.outcome.stats.distinct == CUBE_STATES
        assert (found.joined >= 1, found.lost, found.computed) == (True, 0, None)
        assert started[0].wait(30) == 0
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_port_that_is_taken(toolchain: Toolchain, temporary: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"cannot listen at port {port}"):
            run_distributed(job("Safe", timeout=60), Crew(1, port=port), toolchain)
    assert_nothing_is_left(temporary)


def falling_over_late_workers(java: Java, place: Path, times: int) -> Java:
    """A Java whose server, so many times, ends as one did that a worker joined while the search ended."""
    executable = place / "java"
    late = CAPTURED / "2.15" / "dist_server_late.txt"
    starts = place / "starts"
    executable.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"  *TLCServer\\ *) echo start >> {starts}\n"
        f"    if [ $(wc -l < {starts}) -le {times} ]; then cat {late}; exit 0; fi;;\n"
        "esac\n"
        f'exec {java.path} "$@"\n'
    )
    executable.chmod(0o755)
    return replace(java, path=executable)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_server_that_falls_over_a_late_worker_is_started_anew(
    toolchain: Toolchain, temporary: Path, tmp_path: Path, times: int
) -> None:
    java = falling_over_late_workers(toolchain.java, tmp_path, times)
    found = run_distributed(job("Safe", timeout=60), Crew(1), replace(toolchain, java=java))
    if times < 3:
        assert found.run.outcome.kind == "no_error", found.run.outcome.message
        assert_nothing_is_left(temporary)
    else:
        assert found.run.outcome.kind == "incomplete"
        assert found.run.workspace is not None


def test_workers_elsewhere_are_not_waited_for_again(toolchain: Toolchain, temporary: Path, tmp_path: Path) -> None:
    java = falling_over_late_workers(toolchain.java, tmp_path, 1)
    found = run_distributed(job("Safe", timeout=60), Crew(0, "localhost"), replace(toolchain, java=java))
    assert found.run.outcome.kind == "incomplete"
    assert "run it again" in found.run.outcome.message


def test_a_host_that_cannot_resolve_its_own_name(
    toolchain: Toolchain, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocheck.toolchain.tlc.distributed._ENDING", 0.5)
    monkeypatch.setattr("protocheck.toolchain.tlc.distributed.hosts_file", lambda meeting: "127.0.0.1 localhost\n")
    with pytest.raises(RunError, match="cannot find the address of this host by its name") as raised:
        run_distributed(job("Safe", timeout=60), Crew(1), toolchain)
    assert "/etc/hosts" in str(raised.value)
    assert_nothing_is_left(temporary)


# Without Java ---------------------------------------------------------------------------------------------------------


def test_somebody_must_work() -> None:
    with pytest.raises(ValueError, match="somebody must work"):
        Crew(0)


def test_a_java_without_rmi_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    java = Java(tmp_path / "bin" / "java", "PATH", (17,))
    demand_modules(java)  # it does not say what it has
    (tmp_path / "release").write_text('JAVA_VERSION="17"\nMODULES="java.base java.rmi"\n')
    with pytest.raises(RunError, match=r"without java\.management"):
        demand_modules(java)
    (tmp_path / "release").write_text('MODULES="java.base java.management java.rmi"\n')
    demand_modules(java)


def test_the_line_for_another_host() -> None:
    assert Meeting().host == LOOPBACK
    assert remote_worker_line(Meeting("node 1", 4711)) == (
        "java -XX:+UseParallelGC -Dtlc2.tool.distributed.TLCServer.port=4711 "
        "-Djava.rmi.server.hostname=\"$(hostname -f)\" -cp tla2tools.jar tlc2.tool.distributed.TLCWorker 'node 1'"
    )
