"""A directory for one run of TLC, with nothing shared: parallel runs break each other through what they share."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from .cache import remove_tree
from .errors import RunError


class TlcWorkspace:
    """A context manager that makes the directory, and removes it unless `keep` was called.

    In it: the module files, ``tmp`` for Java's temporary files (TLC before 1.8.0 unpacks its standard modules there
    under fixed names), ``meta`` for TLC's own files, and what the run printed. TLC's own ``-cleanup`` is never used: it
    deletes ``states`` in the current directory, whatever ``-metadir`` says.
    """

    def __init__(self, files: Mapping[str, str], *, parent: Path | None = None) -> None:
        """Remember what to write.

        Args:
            files: text by plain file name.
            parent: where to make the directory; the system's place for temporary files by default.

        Raises:
            ValueError: a file name is no plain name.
        """
        for name in files:
            if Path(name).name != name or name in ("", ".", "..", "tmp", "meta"):
                raise ValueError(f"not a plain file name: {name!r}")
        self._files = dict(files)
        self._parent = parent
        self._kept = False
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """The directory. Only inside the `with` block, or after `keep`."""
        if self._path is None:
            raise RuntimeError("the workspace has not been entered")
        return self._path

    @property
    def tmp(self) -> Path:
        """Java's temporary directory."""
        return self.path / "tmp"

    @property
    def meta(self) -> Path:
        """TLC's metadir: fingerprints and the queue; gigabytes for a large model."""
        return self.path / "meta"

    @property
    def stdout(self) -> Path:
        """What the run printed."""
        return self.path / "stdout.txt"

    @property
    def stderr(self) -> Path:
        """What the run printed to standard error."""
        return self.path / "stderr.txt"

    @property
    def kept(self) -> Path | None:
        """The directory if it stays, else None."""
        return self._path if self._kept else None

    def keep(self) -> None:
        """Leave the directory for a person to look at, without the bulk: ``tmp`` and ``meta`` go."""
        self._kept = True

    def __enter__(self) -> Self:
        try:
            self._path = Path(tempfile.mkdtemp(prefix="protocheck-tlc-", dir=self._parent)).resolve()
            self.tmp.mkdir()
            self.meta.mkdir()
            for name, text in self._files.items():
                (self._path / name).write_text(text, encoding="utf-8", newline="\n")
        except BaseException as error:
            if self._path is not None:
                remove_tree(self._path)
            if isinstance(error, OSError):
                raise RunError(
                    "No working directory could be made for TLC.",
                    reason=str(error),
                    remedy="Make room, or point TMPDIR at a directory of yours.",
                ) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._kept:
            remove_tree(self.tmp)
            remove_tree(self.meta)
        else:
            remove_tree(self.path)
