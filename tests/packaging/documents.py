"""The documents as tests: their Python blocks are files, and what they say a command prints is what it prints.

`<!-- file: mine.py -->` before a Python block gives it a name, so that commands further down may use it, and
`<!-- file: mine.py (refused) -->` says that it holds no protocol that compiles. `<!-- prints: COMMAND -->` before a
text block says what its content is the output of.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from protocheck.dev import ROOT

_BLOCK = re.compile(
    r"(?:^<!-- (?P<role>file|prints): (?P<what>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_REFUSED = " (refused)"
_SECONDS = re.compile(r"\b\d+\.\d{2,3}\b")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document; `role` and `what` are those of the comment before it."""

    document: str
    line: int
    language: str
    text: str
    role: str
    what: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """What a test of it is called: `language.md:41`."""
        return f"{self.document}:{self.line}"

    @property
    def file(self) -> str:
        """The name under which a Python block is saved."""
        return self.what.removesuffix(_REFUSED) if self.role == "file" else f"block_at_line_{self.line}.py"

    @property
    def refused(self) -> bool:
        """Whether it is said not to compile."""
        return self.role == "file" and self.what.endswith(_REFUSED)


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    content = path.read_text(encoding="utf-8")
    return [
        Block(
            path.name,
            content.count("\n", 0, match.start("text")),
            match["language"],
            match["text"],
            match["role"] or "",
            match["what"] or "",
            match.start("text"),
            match.end("text"),
        )
        for match in _BLOCK.finditer(content)
    ]


def printed(command: str, folder: Path, jar: Path) -> str:
    """What a `protocheck` command prints, on both streams, with TLC as the wheel carries it."""
    program, *arguments = command.split()
    assert program == "protocheck", command
    environment = {**os.environ, "PROTOCHECK_TLA2TOOLS": str(jar), "NO_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "protocheck", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    # What lies elsewhere is named in full; a reader stands beside it.
    return done.stdout.replace(f"{folder.resolve()}{os.sep}", "").replace(f"{ROOT}{os.sep}", "")


def comparable(output: str) -> str:
    """Output with what differs from run to run taken out: times, and the width of columns that holds them."""
    lines = (re.sub(r" {2,}", "  ", _SECONDS.sub("#", line)).rstrip() for line in output.splitlines())
    return "\n".join(line for line in lines if line)


def rewritten(path: Path, outputs: list[str]) -> str:
    """The document with the outputs in place of those that say something else; other times alone are no change."""
    content = path.read_text(encoding="utf-8")
    shown = [block for block in blocks(path) if block.role == "prints"]
    for block, output in reversed(list(zip(shown, outputs, strict=True))):
        if comparable(block.text) != comparable(output):
            content = content[: block.start] + output + content[block.end :]
    return content
