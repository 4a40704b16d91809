"""Run TLC on a module and say what came of it."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from . import codes
from .archive import Archive, ensure_archive, find_archive
from .command import GRAPH_NAME, Saving, tlc_command
from .dotdump import StateGraph, read_state_graph
from .errors import OutputError
from .jars import TlcJar, find_tlc_jar
from .java import Java, find_java
from .messages import ERROR, Message, MessageReader, Transcript
from .outcome import TlcOutcome, read_outcome
from .process import Ended, Finished, run_process
from .stats import TlcProgress, read_progress
from .workspace import TlcWorkspace

Keep: TypeAlias = Literal["on_failure", "always", "never"]
UseArchive: TypeAlias = Literal["off", "use", "build"]


@dataclass(frozen=True)
class Toolchain:
    """A Java, a TLC, and the class-data archive of the two, if there is one."""

    java: Java
    jar: TlcJar
    archive: Archive | None = None


@dataclass(frozen=True)
class TlcJob:
    """One run to make.

    Attributes:
        files: the text of each file, by plain name: the module, its .cfg, and any module it extends.
        module: the name of the module to check, without ``.tla``.
        config: the name of its .cfg file.
        workers: threads. Only one worker gives shortest and repeatable counter-examples, and sound lassos.
        check_deadlock: whether a state without successor is an error.
        coverage: count the steps of each action.
        dump_graph: bring back the state graph where no error is found. For small models: it is text, and all is read.
        short_run: compile quickly rather than well; not for runs of more than some ten seconds, nor for benchmarks.
        heap_mb: the largest heap in MiB; a quarter of the memory by default, which is too much for many runs at once.
        timeout: seconds, the start of Java included; None for no limit.
        saving: where to save progress, and what to go on from; by default a run that is ended is lost.
        disk_limit_mb: of TLC's own files, in MiB; None for no limit. A large model writes gigabytes in minutes.
        keep: when the working directory stays.
    """

    files: Mapping[str, str]
    module: str
    config: str
    workers: int = 1
    check_deadlock: bool = True
    coverage: bool = False
    dump_graph: bool = False
    short_run: bool = True
    heap_mb: int | None = None
    timeout: float | None = None
    saving: Saving | None = None
    disk_limit_mb: int | None = 20_000
    keep: Keep = "on_failure"


@dataclass(frozen=True)
class TlcRun:
    """What came of a run.

    Attributes:
        outcome: what TLC found.
        ended: by itself, or why it was ended; "enough" if TLC had reported an error and said that it is finished.
        exit_status: of the process; None where it was not waited for.
        wall_seconds: from start to end, that of Java included.
        search_seconds: from the moment TLC begins with the initial states to its end, as seen from outside; None if it
            never came so far. To a hundredth of a second in short runs, a twentieth in long ones.
        workspace: the working directory if it was kept: module, .cfg, stdout.txt, stderr.txt, command.txt.
        command: the arguments that were run.
        stderr: what Java had to say.
        output: what TLC printed, of a run that saves its progress: it may have to be read again.
        graph: the state graph, if the job asked for it and no error was found.
    """

    outcome: TlcOutcome
    ended: Ended
    exit_status: int | None
    wall_seconds: float
    search_seconds: float | None
    workspace: Path | None
    command: tuple[str, ...]
    stderr: str
    graph: StateGraph | None = None
    output: str = ""


def find_toolchain(
    env: Mapping[str, str] | None = None, *, archive: UseArchive = "use", cancel: threading.Event | None = None
) -> Toolchain:
    """The Java and the TLC to use.

    Args:
        env: the environment to read; the process's own by default.
        archive: "use" takes a class-data archive that is there, "build" makes it where it is missing: a few seconds,
            once, which pay from the second short run on.
        cancel: gives up making the archive when set.

    Raises:
        JavaNotFound: there is no usable Java.
        TlcNotFound: there is no usable ``tla2tools.jar``.
    """
    java, jar = find_java(env), find_tlc_jar(env)
    match archive:
        case "off":
            return Toolchain(java, jar)
        case "use":
            return Toolchain(java, jar, find_archive(java, jar, env))
        case "build":
            return Toolchain(java, jar, ensure_archive(java, jar, env, cancel=cancel))


def run_tlc(
    job: TlcJob,
    toolchain: Toolchain | None = None,
    *,
    progress: Callable[[TlcProgress], None] | None = None,
    saved: Callable[[], None] | None = None,
    cancel: threading.Event | None = None,
) -> TlcRun:
    """Run TLC once. What it finds is in the result; only what keeps it from working is raised.

    Several calls may run at once in threads: they share nothing. On Ctrl-C in this thread, or any other exception, the
    process group is ended before the exception goes on; other threads' runs end when their `cancel` is set.

    Args:
        job: what to run.
        toolchain: what to run it with; looked for by default.
        progress: called in this thread with each sign of life: after some three seconds, once a minute, and at the end.
        saved: called in this thread whenever TLC says that a checkpoint is complete.
        cancel: ends the run when set.

    Raises:
        JavaNotFound, TlcNotFound: if `toolchain` is not given and there is none.
        RunError: Java could not be started.
        OutputError: TLC printed something that cannot be read; the working directory is kept and named.
    """
    toolchain = toolchain or find_toolchain()
    with TlcWorkspace(job.files) as workspace:
        command = _command(job, toolchain, workspace)
        listener = _Listener(progress, saved)
        finished = run_process(
            command,
            directory=workspace.path,
            stdout=workspace.stdout,
            stderr=workspace.stderr,
            on_line=listener.hear,
            enough=listener.has_heard_enough,
            timeout=job.timeout,
            cancel=cancel,
            disk=workspace.meta if job.saving is None else job.saving.directory,
            disk_limit=None if job.disk_limit_mb is None else job.disk_limit_mb << 20,
        )
        (workspace.path / "command.txt").write_text(shlex.join(command) + "\n", encoding="utf-8")
        stderr = workspace.stderr.read_text(encoding="utf-8", errors="replace")
        try:
            outcome = read_outcome(
                listener.transcript(), _exit_status(finished), stderr=stderr, ended=_why_ended(finished, job)
            )
            graph = _graph(job, outcome, workspace)
            output = "" if job.saving is None else workspace.stdout.read_text(encoding="utf-8", errors="replace")
        except OutputError as error:
            if job.keep == "never":
                raise
            workspace.keep()
            raise OutputError(
                error.problem,
                reason=error.reason,
                remedy=f"The working directory was kept: {workspace.path}",
                workspace=workspace.path,
            ) from error
        if _stays(job, outcome, finished):
            workspace.keep()
    return TlcRun(
        outcome=outcome,
        ended=finished.ended,
        exit_status=_exit_status(finished),
        wall_seconds=finished.seconds,
        search_seconds=listener.search_seconds(),
        workspace=workspace.kept,
        command=tuple(command),
        stderr=stderr,
        graph=graph,
        output=output,
    )


def _command(job: TlcJob, toolchain: Toolchain, workspace: TlcWorkspace) -> list[str]:
    return tlc_command(
        toolchain.java.path,
        toolchain.jar.path,
        workspace,
        module=job.module,
        config=job.config,
        workers=job.workers,
        check_deadlock=job.check_deadlock,
        coverage=job.coverage,
        dump_graph=job.dump_graph,
        short_run=job.short_run,
        heap_mb=job.heap_mb,
        saving=job.saving,
        jvm_flags=toolchain.archive.jvm_flags if toolchain.archive else (),
    )


def _exit_status(finished: Finished) -> int | None:
    return finished.exit_status if finished.ended == "itself" else None


def _why_ended(finished: Finished, job: TlcJob) -> str:
    match finished.ended:
        case "itself" | "enough":
            return ""
        case "timeout":
            return f"TLC was ended after its {job.timeout:.3g} s."
        case "cancelled":
            return "TLC was ended because the whole check was."
        case "disk":
            return f"TLC was ended because its files grew beyond {job.disk_limit_mb} MiB."


def _stays(job: TlcJob, outcome: TlcOutcome, finished: Finished) -> bool:
    if job.keep != "on_failure":
        return job.keep == "always"
    return finished.ended in ("itself", "enough") and outcome.kind not in codes.JUDGED


def _graph(job: TlcJob, outcome: TlcOutcome, workspace: TlcWorkspace) -> StateGraph | None:
    # Of a run that stopped early the graph is only a part, and would be taken for the whole.
    if not job.dump_graph or outcome.kind != "no_error":
        return None
    try:
        with (workspace.path / f"{GRAPH_NAME}.dot").open(encoding="utf-8", errors="replace") as lines:
            return read_state_graph(lines)
    except FileNotFoundError:
        raise OutputError("TLC wrote no state graph.") from None


class _Listener:
    """Takes TLC's lines as they come: collects messages, notes the time of the ones that matter, reports progress."""

    def __init__(self, progress: Callable[[TlcProgress], None] | None, saved: Callable[[], None] | None = None) -> None:
        self._reader = MessageReader()
        self._progress = progress
        self._saved = saved
        self._began: float | None = None
        self._ended: float | None = None
        self._error = False
        self._finished = False

    def hear(self, line: str) -> None:
        for message in self._reader.feed(line):
            self._note(message)

    def transcript(self) -> Transcript:
        return self._reader.finish()

    def has_heard_enough(self) -> bool:
        """TLC has reported an error and said its last word. Only a pass needs the exit status as well.

        Java takes a third of a second to exit after TLC's last word: it waits for a thread of TLC's that listens at a
        socket. Of many mutants most end in an error, so that this is a third of their time.
        """
        return self._error and self._finished

    def search_seconds(self) -> float | None:
        if self._began is None or self._ended is None:
            return None
        return self._ended - self._began

    def _note(self, message: Message) -> None:
        now = time.monotonic()
        self._error = self._error or any(each.severity == ERROR for each in message.flattened())
        if message.code in (codes.COMPUTING_INITIAL, codes.RECOVERING):
            self._began = now
        elif message.code in codes.PROGRESS:
            self._ended = now  # the last is followed by the totals at once; a run that is cut off has nothing later
            shown = read_progress(message)
            if self._progress is not None and shown is not None:
                self._progress(shown)
        elif message.code == codes.CHECKPOINT_COMPLETE and self._saved is not None:
            self._saved()
        elif message.code == codes.FINISHED:
            self._ended = now
            self._finished = True
