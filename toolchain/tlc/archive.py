"""A class-data archive of TLC in the user's cache, which halves the time Java takes to start it.

Java 13 to 24 archive the loaded classes when they exit; Java 25 makes an ahead-of-time cache in a step. Worth it for
many short runs. Never needed: where it cannot be made, TLC runs without.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .cache import cache_directory, exclusive, staged
from .command import tlc_command
from .errors import ToolError
from .jars import TlcJar
from .java import Java
from .process import run_process
from .workspace import TlcWorkspace

ArchiveState = Literal["ready", "absent", "failed", "unsupported"]

_FIRST_WITH_DYNAMIC_ARCHIVE = 13
_FIRST_WITH_AOT_CACHE = 25
_BUILD_SECONDS = 120.0
_KEPT = 4

# What a run loads: the parser, the usual modules, every kind of value, invariants, liveness, a counter-example.
_MODULE = """\
---- MODULE Warm ----
EXTENDS Integers, Sequences, FiniteSets, TLC
CONSTANTS N, None
VARIABLES n, s, q, r, f
vars == <<n, s, q, r, f>>
TypeOK == /\\ n \\in 0..N /\\ s \\in SUBSET (1..N) /\\ Len(q) <= N /\\ r.at \\in {None} \\union (0..N)
          /\\ f \\in [1..N -> BOOLEAN]
Init == n = 0 /\\ s = {} /\\ q = <<>> /\\ r = [at |-> None, name |-> "a"] /\\ f = [i \\in 1..N |-> FALSE]
Put(i) == /\\ (i \\notin s /\\ \\A j \\in s : j < i) = TRUE
          /\\ s' = s \\union {i} /\\ n' = Cardinality(s') /\\ q' = Append(q, i)
          /\\ r' = [r EXCEPT !.at = IF i > 1 THEN i ELSE None] /\\ f' = [f EXCEPT ![i] = TRUE]
Take == q # <<>> /\\ q' = Tail(q) /\\ UNCHANGED <<n, s, r, f>>
Done == n = N /\\ q = <<>> /\\ UNCHANGED vars
Next == (\\E i \\in 1..N : Put(i)) \\/ Take \\/ Done
Spec == Init /\\ [][Next]_vars /\\ WF_vars(Next)
Grows == [][n' >= n]_vars
Ends == <>(q = <<>>)
Small == n < N
====
"""
_CONFIG = """\
CONSTANTS
  N = 3
  None = None
SPECIFICATION Spec
INVARIANT TypeOK
INVARIANT Small
PROPERTY Grows
PROPERTY Ends
"""


@dataclass(frozen=True)
class Archive:
    """An archive that is there: the file, and the flags that make Java use it."""

    path: Path
    jvm_flags: tuple[str, ...]


def archive_state(java: Java, jar: TlcJar, env: Mapping[str, str] | None = None) -> ArchiveState:
    """Whether there is an archive for this Java and this jar. Starts nothing."""
    if java.major < _FIRST_WITH_DYNAMIC_ARCHIVE:
        return "unsupported"
    path = archive_path(java, jar, env)
    if path.is_file():
        return "ready"
    return "failed" if _failure(path).is_file() else "absent"


def find_archive(java: Java, jar: TlcJar, env: Mapping[str, str] | None = None) -> Archive | None:
    """The archive if it has been made, else None. Starts nothing."""
    if archive_state(java, jar, env) != "ready":
        return None
    path = archive_path(java, jar, env)
    return Archive(path, (_use_flag(java, path),))


def ensure_archive(
    java: Java, jar: TlcJar, env: Mapping[str, str] | None = None, *, cancel: threading.Event | None = None
) -> Archive | None:
    """The archive, made now if need be (two to four seconds, once for each Java and jar). None if it cannot be had.

    Of several callers at once, in whatever processes, one makes it and the others wait for it. A failure is remembered,
    so that it costs its time only once.
    """
    if archive_state(java, jar, env) in ("unsupported", "failed"):
        return None
    found = find_archive(java, jar, env)
    if found is not None:
        return found
    path = archive_path(java, jar, env)
    try:
        with exclusive(path, timeout=_BUILD_SECONDS, cancel=cancel) as held:
            # Whoever held the lock before may have made it meanwhile.
            if held and archive_state(java, jar, env) == "absent":
                problem = _build(java, jar, path, cancel)
                if problem and not (cancel is not None and cancel.is_set()):
                    _failure(path).write_text(problem + "\n", encoding="utf-8")
                _remove_old(path)
    except (ToolError, OSError):
        return None  # a cache that cannot be written to; never a reason not to run TLC
    return find_archive(java, jar, env)


def archive_path(java: Java, jar: TlcJar, env: Mapping[str, str] | None = None) -> Path:
    """Where the archive for this Java and this jar is, or would be."""
    # Java refuses an archive if the jar's path, size or time differ, so these are part of the name too.
    stat = jar.path.stat()
    key = "\n".join(
        (str(java.path.resolve()), java.version_text, str(jar.path), jar.sha256, str(stat.st_mtime_ns), _MODULE)
    )
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    suffix = "aot" if java.major >= _FIRST_WITH_AOT_CACHE else "jsa"
    return cache_directory(env) / "archives" / f"tlc-java{java.version_text}-{digest}.{suffix}"


def _build(java: Java, jar: TlcJar, path: Path, cancel: threading.Event | None) -> str:
    """Make the archive; returns what went wrong, or ""."""
    with (
        staged(path) as fresh,
        TlcWorkspace({"Warm.tla": _MODULE, "Warm.cfg": _CONFIG}) as workspace,
    ):
        command = tlc_command(
            java.path,
            jar.path,
            workspace,
            module="Warm",
            config="Warm.cfg",
            coverage=True,
            dump_graph=True,
            jvm_flags=(_build_flag(java, fresh),),
        )
        finished = run_process(
            command,
            directory=workspace.path,
            stdout=workspace.stdout,
            stderr=workspace.stderr,
            timeout=_BUILD_SECONDS,
            cancel=cancel,
        )
        if finished.ended != "itself":
            fresh.unlink(missing_ok=True)  # half a file must not take its place
            return f"making it was ended ({finished.ended})"
        if not fresh.is_file() or fresh.stat().st_size == 0:
            fresh.unlink(missing_ok=True)
            complaint = workspace.stderr.read_text(encoding="utf-8", errors="replace").strip()
            return f"Java made none (exit status {finished.exit_status}). {complaint}".strip()
    return ""


def _build_flag(java: Java, path: Path) -> str:
    option = "AOTCacheOutput" if java.major >= _FIRST_WITH_AOT_CACHE else "ArchiveClassesAtExit"
    return f"-XX:{option}={path}"


def _use_flag(java: Java, path: Path) -> str:
    option = "AOTCache" if java.major >= _FIRST_WITH_AOT_CACHE else "SharedArchiveFile"
    return f"-XX:{option}={path}"


def _failure(path: Path) -> Path:
    return path.with_name(path.name + ".failed")


def _remove_old(path: Path) -> None:
    # Each update of Java leaves one behind, of some 20 MB. A running Java keeps a deleted file open, and so is safe.
    found = [each for each in path.parent.glob("tlc-java*") if each.suffix in (".jsa", ".aot")]
    for old in sorted(found, key=lambda each: each.stat().st_mtime, reverse=True)[_KEPT:]:
        old.unlink(missing_ok=True)
