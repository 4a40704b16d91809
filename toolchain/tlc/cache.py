"""The user's cache directory: where it is, and how to write to it so that nobody ever reads half a file."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import CacheError

_POLL_SECONDS = 0.05


def cache_directory(env: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Where protocheck keeps what can be made again: ``PROTOCHECK_CACHE``, else what the platform says. Not created."""
    env = os.environ if env is None else env
    if chosen := env.get("PROTOCHECK_CACHE"):
        return Path(chosen).expanduser().absolute()
    if platform == "win32":
        local = env.get("LOCALAPPDATA")
        return (Path(local) if local else _home(env) / "AppData" / "Local") / "protocheck" / "Cache"
    if platform == "darwin":
        return _home(env) / "Library" / "Caches" / "protocheck"
    xdg = env.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path there is to be ignored.
    return (Path(xdg) if os.path.isabs(xdg) else _home(env) / ".cache") / "protocheck"


def _home(env: Mapping[str, str]) -> Path:
    home = env.get("HOME") or env.get("USERPROFILE")
    return Path(home) if home else Path.home()


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A fresh name beside `target`; what stands under it when the block ends well takes target's place in one step.

    When the block raises, `target` is as it was and nothing is left. A block that writes nothing changes nothing.

    Raises:
        CacheError: the directory of `target` cannot be made or written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A directory of its own, so that by-products a tool leaves beside its output go away with it.
        directory = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _unusable(target.parent, error) from error
    try:
        inner = directory / target.name
        yield inner
        if inner.exists():
            try:
                os.replace(inner, target)
            except OSError as error:
                raise _unusable(target.parent, error) from error
    finally:
        remove_tree(directory)


@contextmanager
def exclusive(target: Path, *, timeout: float = 300.0, cancel: threading.Event | None = None) -> Iterator[bool]:
    """Hold the lock of `target` against other threads and other processes; yields False when it could not be had.

    The lock goes away with the process that holds it, so a killed holder blocks nobody.

    Raises:
        CacheError: the directory of `target` cannot be made or written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(target.parent / f".{target.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unusable(target.parent, error) from error
    try:
        deadline = time.monotonic() + timeout
        while not (held := _try_lock(handle)):
            if time.monotonic() > deadline or (cancel is not None and cancel.is_set()):
                break
            time.sleep(_POLL_SECONDS)
        yield held
    finally:
        os.close(handle)  # releases the lock


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def remove_tree(directory: Path) -> None:
    """Delete a directory and all in it; what cannot be deleted stays, without an error."""
    for root, directories, files in os.walk(directory, topdown=False):
        for name in files:
            with suppress(OSError):
                os.unlink(os.path.join(root, name))
        for name in directories:
            path = os.path.join(root, name)
            with suppress(OSError):
                # os.walk counts a link to a directory among the directories.
                os.unlink(path) if os.path.islink(path) else os.rmdir(path)
    with suppress(OSError):
        os.rmdir(directory)


def _unusable(directory: Path, error: OSError) -> CacheError:
    return CacheError(
        f"The cache directory {directory} cannot be written to.",
        reason=str(error),
        remedy="Set PROTOCHECK_CACHE to a directory of yours.",
    )
