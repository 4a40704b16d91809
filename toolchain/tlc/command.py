"""The command line that works with every version of TLC from 2.15 on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .workspace import TlcWorkspace

GRAPH_NAME = "graph"


def java_options(
    tmp: Path, *, short_run: bool = True, heap_mb: int | None = None, jvm_flags: Sequence[str] = ()
) -> list[str]:
    """What every Java that runs a part of TLC is told.

    Args:
        tmp: its directory for temporary files, of its own: processes that share one break each other.
        short_run: compile quickly rather than well: right below some ten seconds, 1.2 to 1.7 times slower above.
        heap_mb: the largest heap, in MiB; Java's default (a quarter of the memory) otherwise.
        jvm_flags: more flags, the class-data archive for one.
    """
    return [
        # TLC warns on standard output about any other collector.
        "-XX:+UseParallelGC",
        # TLC catches the error in places and then hangs or goes on; ended at once, the run is seen to have failed.
        "-XX:+ExitOnOutOfMemoryError",
        # A Java that is killed would leave a file of counters in the system's temporary directory.
        "-XX:-UsePerfData",
        # Java's own warnings would go to standard output, between TLC's messages.
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        *(["-XX:TieredStopAtLevel=1"] if short_run else []),
        *([f"-Xmx{heap_mb}m"] if heap_mb is not None else []),
        *jvm_flags,
        f"-Djava.io.tmpdir={tmp}",
        # TLC writes numbers as the user's country does: 1,724 or 1.724.
        "-Duser.language=en",
        "-Duser.country=US",
        "-Dfile.encoding=UTF-8",
        "-Dstdout.encoding=UTF-8",
        "-Dsun.stdout.encoding=UTF-8",
    ]


@dataclass(frozen=True)
class Saving:
    """Where a run saves its progress, and what it goes on from.

    Attributes:
        directory: for TLC's own files, which stay when the run ends before it is done.
        milliseconds: between two checkpoints, at least. TLC looks at the clock after three seconds, then once a minute.
        recover: the folder of the checkpoint to go on from, or None.
    """

    directory: Path
    milliseconds: int
    recover: Path | None = None


def tlc_command(
    java: Path,
    jar: Path,
    workspace: TlcWorkspace,
    *,
    module: str,
    config: str,
    workers: int = 1,
    check_deadlock: bool = True,
    coverage: bool = False,
    dump_graph: bool = False,
    short_run: bool = True,
    heap_mb: int | None = None,
    saving: Saving | None = None,
    jvm_flags: Sequence[str] = (),
) -> list[str]:
    """The arguments that run TLC on a module in a workspace.

    Args:
        java: the executable.
        jar: ``tla2tools.jar``.
        workspace: where the module is and the run takes place.
        module: the module's name, without ``.tla``.
        config: the name of the .cfg file; it must lie beside the module, where alone TLC looks.
        workers: threads; one gives shortest and repeatable counter-examples.
        check_deadlock: whether a state without successor is an error.
        coverage: count how often each action was taken.
        dump_graph: write the state graph to ``graph.dot``; `GRAPH_NAME`.
        short_run: see `java_options`.
        heap_mb: see `java_options`.
        saving: save progress; by default a run that is ended is lost.
        jvm_flags: see `java_options`.
    """
    jvm = java_options(workspace.tmp, short_run=short_run, heap_mb=heap_mb, jvm_flags=jvm_flags)
    if saving is not None:
        # The option counts in minutes; the property behind it does not.
        jvm.append(f"-Dtlc2.TLCGlobals.chkpt={saving.milliseconds}")
    tlc = [
        "-tool",
        "-workers",
        str(workers),
        "-metadir",
        str(workspace.meta if saving is None else saving.directory),
        # By itself TLC saves its progress every half hour, which is of no use to a run whose files are removed.
        *(["-checkpoint", "0"] if saving is None else []),
        # By itself TLC chooses its fingerprint function at random, and a checkpoint does not say which it was.
        *(["-fp", "0"] if saving is not None else []),
        *(["-recover", str(saving.recover)] if saving is not None and saving.recover is not None else []),
        *([] if check_deadlock else ["-deadlock"]),  # the option switches the check off
        *(["-coverage", "1"] if coverage else []),
        *(["-dump", "dot,actionlabels", GRAPH_NAME] if dump_graph else []),
        "-config",
        config,
        f"{module}.tla",
    ]
    return [str(java), *jvm, "-cp", str(jar), "tlc2.TLC", *tlc]
