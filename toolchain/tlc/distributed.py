"""Run TLC's distributed mode: a server and its local workers as processes of this one, and workers elsewhere.

The server runs as any TLC does, and is watched for three failures of which it would never say a word: no worker comes,
all of them die, its port is taken. Where it falls over a worker that comes while the search ends, a fault of its own,
it is started anew. Whatever happens, no process is left when `run_distributed` returns or raises.
"""

from __future__ import annotations

import re
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from . import codes
from .distributed_command import (
    HOSTS,
    LOOPBACK,
    Meeting,
    demand_modules,
    free_port,
    hosts_file,
    remote_worker_line,
    server_command,
    worker_command,
)
from .distributed_outcome import fell_over_a_late_worker, read_distributed_outcome, workers_computed
from .driver import TlcJob, TlcRun, Toolchain, find_toolchain
from .errors import OutputError, RunError
from .messages import ERROR, Message, MessageReader
from .process import Finished, run_process
from .stats import TlcProgress, read_progress
from .workspace import TlcWorkspace

LOCAL_PATIENCE = 60.0
"""Seconds in which the first of the local workers must have come; they start in one or two."""

REMOTE_PATIENCE = 600.0
"""Seconds in which the first worker must have come where somebody has to start it on another host."""

_FAREWELL = 5.0
_ENDING = 10.0
_LONGEST_LOOK = 0.5
_LAST_BLOCKS = 120.0
"""After an error the server waits for the answer of every worker that is at work; a block of states takes seconds."""

_PORT_TAKEN = re.compile(r"Port already in use|Address already in use|BindException")
_NO_NAME = "UnknownHostException"
_ATTEMPTS = 3


@dataclass(frozen=True)
class Crew:
    """Who works, and where they meet.

    Attributes:
        workers: processes on this host, of one thread each; may be 0 where workers come from other hosts.
        host: the name or address of this host as the others reach it; `LOOPBACK` lets nobody else in.
        port: of the server; one that is free by default.
        patience: seconds in which the first worker must have come; see `LOCAL_PATIENCE`, `REMOTE_PATIENCE`.
    """

    workers: int = 2
    host: str = LOOPBACK
    port: int | None = None
    patience: float | None = None

    def __post_init__(self) -> None:
        if self.workers < 0 or (self.workers == 0 and self.host == LOOPBACK):
            raise ValueError("somebody must work")


@dataclass(frozen=True)
class DistributedRun:
    """What came of a distributed run.

    Attributes:
        run: what came of the server's run; its `generated` is what the server knows, see `computed`.
        joined: workers that came, each thread of another host's counted.
        lost: those of them that went before the end. The server gives their states to others.
        computed: the steps that were computed, as the workers say; None where one of them did not say it here.
    """

    run: TlcRun
    joined: int
    lost: int
    computed: int | None


def run_distributed(
    job: TlcJob,
    crew: Crew,
    toolchain: Toolchain | None = None,
    *,
    ready: Callable[[str], None] | None = None,
    progress: Callable[[TlcProgress], None] | None = None,
    cancel: threading.Event | None = None,
) -> DistributedRun:
    """Run TLC distributed, once.

    Args:
        job: what to run. Of liveness, and of an action property at steps to states that were seen before, TLC checks
            nothing in this mode: neither may be among what it is asked.
        crew: who works. `job.workers` is not looked at.
        toolchain: what to run it with; looked for by default. Its archive is not used: it was made of other classes.
        ready: called when the server waits, with the line to run on each further host ("" where none can take part).
        progress: called with each sign of life of the server's.
        cancel: ends the run when set.

    Raises:
        JavaNotFound, TlcNotFound: if `toolchain` is not given and there is none.
        RunError: Java could not be started, or lacks what the mode needs; the port is taken; this host has no address.
        OutputError: the server printed something that cannot be read; the working directory is kept and named.
    """
    toolchain = toolchain or find_toolchain(archive="off")
    demand_modules(toolchain.java)
    deadline = None if job.timeout is None else time.monotonic() + job.timeout
    for left in reversed(range(_ATTEMPTS)):
        meeting = Meeting(crew.host, crew.port or free_port())
        attempt = _Attempt(job, crew, meeting, toolchain, ready, progress, cancel, is_last=left == 0)
        found = attempt.run()
        if attempt.port_was_taken:
            if crew.port is not None:
                break
        elif not attempt.is_to_be_repeated:
            return found
        if deadline is not None:
            job = replace(job, timeout=max(0.0, deadline - time.monotonic()))
    raise RunError(
        f"TLC's server cannot listen at port {meeting.port}.",
        reason="Another program does already.",
        remedy="Name another port, or none.",
    )


class _Attempt:
    """One start of a server, and all that belongs to it."""

    def __init__(
        self,
        job: TlcJob,
        crew: Crew,
        meeting: Meeting,
        toolchain: Toolchain,
        ready: Callable[[str], None] | None,
        progress: Callable[[TlcProgress], None] | None,
        cancel: threading.Event | None,
        *,
        is_last: bool,
    ) -> None:
        self.job = job
        self.crew = crew
        self.meeting = meeting
        self.toolchain = toolchain
        self.ready = ready
        self.progress = progress
        self.cancel = cancel
        self.is_last = is_last
        self.port_was_taken = False
        self.fell_over = False
        self._reader = MessageReader()
        self._began: float | None = None
        self._ended: float | None = None
        self._serving = False
        self._finished = False
        self._last_word: float | None = None
        self._joined = 0
        self._lost = 0
        self._clock = _Clock()
        self._waiting_since = self._clock.seconds
        self._problem = ""
        self._workers: _Workers | None = None

    @property
    def is_to_be_repeated(self) -> bool:
        """It fell over a fault of TLC's own. Workers on other hosts are gone with the server; who started them must."""
        return self.fell_over and self.meeting.is_local and not self.is_last

    def run(self) -> DistributedRun:
        job = self.job
        files = {**job.files, **({HOSTS: text} if (text := hosts_file(self.meeting)) else {})}
        with TlcWorkspace(files) as workspace, ExitStack() as stack:
            self._workers = stack.enter_context(_Workers(self, workspace))
            command = self._server(workspace)
            finished = run_process(
                command,
                directory=workspace.path,
                stdout=workspace.stdout,
                stderr=workspace.stderr,
                on_line=self._hear,
                enough=self._is_hopeless,
                timeout=job.timeout,
                cancel=self.cancel,
                disk=workspace.path,
                disk_limit=None if job.disk_limit_mb is None else job.disk_limit_mb << 20,
            )
            outputs = self._workers.end(_FAREWELL if self._finished else 0.0)
            (workspace.path / "command.txt").write_text(shlex.join(command) + "\n", encoding="utf-8")
            return self._result(workspace, command, finished, outputs)

    def _server(self, workspace: TlcWorkspace) -> list[str]:
        job = self.job
        return server_command(
            self.toolchain.java.path,
            self.toolchain.jar.path,
            workspace,
            self.meeting,
            module=job.module,
            config=job.config,
            check_deadlock=job.check_deadlock,
            short_run=job.short_run,
            heap_mb=job.heap_mb,
        )

    # ------------------------------------------------------------------------------------------------- watching

    def _hear(self, line: str) -> None:
        for message in self._reader.feed(line):
            self._note(message)

    def _note(self, message: Message) -> None:
        now = time.monotonic()
        if any(each.severity == ERROR for each in message.flattened()):
            self._last_word = self._clock.seconds
        match message.code:
            case codes.COMPUTING_INITIAL:
                self._began = now
            case codes.SERVER_RUNNING:
                self._serving, self._waiting_since = True, self._clock.seconds
                if self.ready is not None:
                    self.ready("" if self.meeting.is_local else remote_worker_line(self.meeting))
                if self._workers is not None:
                    self._workers.start()
            case codes.WORKER_REGISTERED:
                self._joined += 1
            case codes.WORKER_DEREGISTERED:
                self._lost, self._waiting_since = self._lost + 1, self._clock.seconds
            case codes.FINISHED:
                self._ended, self._last_word, self._finished = now, self._clock.seconds, True
            case code if code in codes.PROGRESS:
                self._ended = now
                shown = read_progress(message)
                if self.progress is not None and shown is not None:
                    self.progress(shown)
            case _:
                pass

    def _is_hopeless(self) -> bool:
        """Whether to end the server, since it will wait for ever."""
        self._clock.look()
        if self._problem:
            return True
        at_work = self._serving and not self._finished
        patience = _LAST_BLOCKS if at_work else _ENDING
        if self._last_word is not None and self._clock.seconds - self._last_word > patience:
            # Threads of RMI's keep a Java alive that has nothing left to do.
            self._problem = "it did not end after it had said its last word, or an error"
            return True
        if self._finished or not self._serving:
            return False
        present = self._joined - self._lost
        assert self._workers is not None
        waited = self._clock.seconds - self._waiting_since
        if self.meeting.is_local and self._workers.all_ended():
            # The server notices at its next call; whoever ended after the last of them is not lost.
            if present == 0 or waited > self._patience() or self._joined < self.crew.workers:
                self._problem = "every worker has ended before the search was done"
        elif present == 0 and waited > self._patience():
            what = "no worker has come" if self._joined == 0 else "every worker was lost, and no other has come"
            self._problem = f"{what} within {self._patience():g} s"
        return bool(self._problem)

    def _patience(self) -> float:
        if self.crew.patience is not None:
            return self.crew.patience
        return LOCAL_PATIENCE if self.crew.workers else REMOTE_PATIENCE

    # --------------------------------------------------------------------------------------------------- result

    def _result(
        self, workspace: TlcWorkspace, command: Sequence[str], finished: Finished, outputs: Sequence[str]
    ) -> DistributedRun:
        stderr = workspace.stderr.read_text(encoding="utf-8", errors="replace")
        transcript = self._reader.finish()
        exit_status = finished.exit_status if finished.ended == "itself" else None
        printed = "\n".join([transcript.loose, stderr, *(message.text for message in transcript.messages)])
        if _NO_NAME in printed:
            raise RunError(
                "Java cannot find the address of this host by its name.",
                reason=next(line.strip() for line in printed.splitlines() if _NO_NAME in line),
                remedy="Add the name that `hostname` prints to /etc/hosts, beside the address that others reach.",
            )
        self.port_was_taken = bool(_PORT_TAKEN.search(printed))
        self.fell_over = finished.ended in ("itself", "enough") and fell_over_a_late_worker(transcript)
        try:
            outcome = read_distributed_outcome(
                transcript, exit_status, stderr=stderr, ended=self._why_ended(finished, outputs), workers=self._joined
            )
        except OutputError as error:
            workspace.keep()
            raise OutputError(
                error.problem,
                reason=error.reason,
                remedy=f"The working directory was kept: {workspace.path}",
                workspace=workspace.path,
            ) from error
        if self._stays(finished, outcome.kind):
            workspace.keep()
        run = TlcRun(
            outcome=outcome,
            ended=finished.ended,
            exit_status=exit_status,
            wall_seconds=finished.seconds,
            search_seconds=None if self._began is None or self._ended is None else self._ended - self._began,
            workspace=workspace.kept,
            command=tuple(command),
            stderr=stderr,
        )
        computed = workers_computed(outputs, self._joined) if self._lost == 0 else None
        return DistributedRun(run, self._joined, self._lost, computed)

    def _stays(self, finished: Finished, kind: codes.OutcomeKind) -> bool:
        if self.job.keep != "on_failure":
            return self.job.keep == "always"
        if self.port_was_taken or self.is_to_be_repeated:
            return False
        return finished.ended in ("itself", "enough") and kind not in codes.JUDGED

    def _why_ended(self, finished: Finished, outputs: Sequence[str]) -> str:
        match finished.ended:
            case "itself":
                return ""
            case "enough":
                said = [text for output in outputs if (text := _complaint(output))]
                return f"TLC's server was ended: {self._problem}." + "".join(f"\n{text}" for text in said[:1])
            case "timeout":
                return f"TLC was ended after its {self.job.timeout:.3g} s."
            case "cancelled":
                return "TLC was ended because the whole check was."
            case "disk":
                return f"TLC was ended because its files grew beyond {self.job.disk_limit_mb} MiB."


class _Clock:
    """Seconds in which this process could look: where it was paused, so was what it waits for, or may have been."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._looked = time.monotonic()

    def look(self) -> None:
        now = time.monotonic()
        self.seconds += min(now - self._looked, _LONGEST_LOOK)
        self._looked = now


def _complaint(output: str) -> str:
    """What a worker that failed said last of it."""
    errors = [line.strip() for line in output.splitlines() if "rror" in line or "xception" in line]
    return next((line for line in reversed(errors) if "UnicastRef port" not in line), "")


class _Workers:
    """The local workers: each a process with a thread that waits for it. None is left when the block ends."""

    def __init__(self, attempt: _Attempt, workspace: TlcWorkspace) -> None:
        self._stop = threading.Event()
        self._folders = [workspace.path / f"worker{place + 1}" for place in range(attempt.crew.workers)]
        self._attempt = attempt
        self._workspace = workspace
        self._threads: list[threading.Thread] = []
        self._failures: list[str] = []

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(0.0)

    def start(self) -> None:
        for folder in self._folders:
            (folder / "tmp").mkdir(parents=True)
            thread = threading.Thread(target=self._work, args=(folder,), name=f"tlc-{folder.name}")
            self._threads.append(thread)
            thread.start()

    def all_ended(self) -> bool:
        """There were some, and none of them runs any more."""
        return bool(self._threads) and not any(thread.is_alive() for thread in self._threads)

    def end(self, farewell: float) -> list[str]:
        """End those that do not end by themselves within `farewell` seconds; returns what each printed."""
        deadline = time.monotonic() + farewell
        try:
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
        return [*map(_printed, self._folders), *self._failures]

    def _work(self, folder: Path) -> None:
        attempt = self._attempt
        command = worker_command(
            attempt.toolchain.java.path,
            attempt.toolchain.jar.path,
            self._workspace,
            attempt.meeting,
            folder / "tmp",
            short_run=attempt.job.short_run,
        )
        try:
            run_process(
                command,
                directory=folder,
                stdout=folder / "stdout.txt",
                stderr=folder / "stderr.txt",
                cancel=self._stop,
            )
        except (RunError, OSError) as error:
            self._failures.append(f"Error: {error}")


def _printed(folder: Path) -> str:
    parts = []
    for name in ("stdout.txt", "stderr.txt"):
        try:
            parts.append((folder / name).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return "\n".join(parts)


__all__ = ["LOCAL_PATIENCE", "REMOTE_PATIENCE", "Crew", "DistributedRun", "run_distributed"]
