"""Versions of Java and of TLC, and what each version of TLC lacks."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TLC_NUMBER = re.compile(r"Version (\d+(?:\.\d+)+)")
_JAVA_NUMBER = re.compile(r"(\d+(?:[._]\d+)*)")


@dataclass(frozen=True)
class TlcVersion:
    """A version of TLC: as TLC prints it, and as a tuple that compares.

    Builds of the 1.8.0 line count by date ("2026.1.31.1200"), which rightly compares above every numbered version.
    """

    text: str
    number: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> TlcVersion | None:
        """Read TLC's banner ("TLC2 Version 2.19 of 08 August 2024 (rev: 5a47802)") or the constant in its class."""
        found = _TLC_NUMBER.search(text)
        if found is None:
            return None
        number = tuple(int(part) for part in found.group(1).split("."))
        return cls(text[found.start() + len("Version ") :].strip(), number)

    @property
    def short(self) -> str:
        """The number alone, "2.19"."""
        return ".".join(str(part) for part in self.number)


# Each row: the last version that lacks it, and what it lacks. Observed on 2.15, 2.19 and a pre-release of 1.8.0; what
# lies between was not at hand, so the line is drawn at the last version known to lack it.
_LACKS: tuple[tuple[tuple[int, ...], str], ...] = (
    ((2, 15), "`-workers auto` is refused: give a number"),
    ((2, 15), "CHECK_DEADLOCK in a .cfg is refused: use the option -deadlock"),
    ((2, 15), "a false Assert, or an evaluation error in an action, is reported without its trace"),
    ((2, 19), "traces name the action but not its parameters"),
    ((2, 19), "a violated temporal property is not named: check one in each run"),
    ((2, 19), "ALIAS and POSTCONDITION are refused in a .cfg"),
    ((2, 19), "-dumpTrace is unknown"),
    ((2, 19), "parallel runs need a temporary directory each"),
)


def lacks(version: TlcVersion | None) -> tuple[str, ...]:
    """What TLC of this version lacks, in plain sentences; of an unknown version, that it is unknown."""
    if version is None:
        return ("its version is not known before the first run",)
    return tuple(sentence for last, sentence in _LACKS if version.number <= last)


def java_number(text: str) -> tuple[int, ...] | None:
    """The version of Java in ``17.0.15`` or in the old ``1.8.0_392``, which means 8."""
    found = _JAVA_NUMBER.search(text)
    if found is None:
        return None
    number = tuple(int(part) for part in re.split(r"[._]", found.group(1)))
    return number[1:] if number[0] == 1 and len(number) > 1 else number
