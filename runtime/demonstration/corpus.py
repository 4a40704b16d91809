"""The text the demonstration is trained on: the source files that ship with the running Python.

Every file is on one side of a split that depends on its path alone, so that what is held out stays held out when
training is resumed, on another machine, or with another Python.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Folders without prose or code worth learning: installed packages, tables of numbers, documentation in one string
# literal.
_LEFT_OUT = frozenset({"site-packages", "dist-packages", "__pycache__", "encodings", "pydoc_data", "lib-dynload"})
_TEST_FOLDERS = frozenset({"test", "tests", "idle_test"})
_LARGEST = 300_000  # bytes; what is longer is a table
_HELD_OUT_OF = 16  # one file in so many is held out


@dataclass(frozen=True)
class SourceFile:
    """A file of the corpus.

    name: its path below the folder of the standard library, with ``/``.
    text: what it says.
    is_test: it belongs to Python's own test-suite, which is long and repetitive: training sees less of it.
    is_held_out: it is for evaluation only.
    """

    name: str
    text: str
    is_test: bool
    is_held_out: bool


def library_folder() -> Path:
    """The folder of the running Python's standard library."""
    return Path(os.__file__).resolve().parent


def source_files(folder: Path) -> Iterator[SourceFile]:
    """The files of the corpus below `folder`, in the order of their names, each text once.

    Files that are not UTF-8, hold a null character or are longer than 300 kB are left out.
    """
    seen: set[bytes] = set()
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if _LEFT_OUT.intersection(parts) or not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        content = path.read_bytes()
        digest = hashlib.sha256(content).digest()
        if digest in seen or b"\0" in content or not content.strip():
            continue
        seen.add(digest)
        try:
            text = content.decode("utf-8").replace("\r\n", "\n").replace("\t", "        ")
        except UnicodeDecodeError:
            continue
        name = "/".join(parts)
        yield SourceFile(name, text, not _TEST_FOLDERS.isdisjoint(parts), is_held_out(name))


def is_held_out(name: str) -> bool:
    """Whether a file of this name is for evaluation only: one in sixteen, by the hash of the name."""
    return hashlib.sha256(name.encode()).digest()[0] % _HELD_OUT_OF == 0
