"""SPIN: its models, their verifiers, and what these print.

The models, `benchmarks/spin/*.pml.j2`, have one transition for each action and argument tuple, atomic and without
control states of its own, so that SPIN stores the states that the others find. They assert the state invariants that
Promela can say in a word and look for deadlocks, and so check less than the others do. Partial-order reduction is off,
since it would find fewer states; there is no code for cycles, and a hash table of two slots a state at least. States
are stored exactly.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .checkers_rows import ROOT, Row

if TYPE_CHECKING:
    import jinja2

COMPILE = ("-O2", "-w", "-DSAFETY", "-DNOREDUCE")
ORDERS = {"depth-first": (), "breadth-first": ("-DBFS",)}
"""The order in which a verifier visits states, and how it is compiled for that. Which is faster depends."""

_COUNTS = {
    "stored": re.compile(r"^\s*(\d+(?:\.\d+e\+\d+)?) states, stored\b", re.MULTILINE),
    "matched": re.compile(r"^\s*(\d+(?:\.\d+e\+\d+)?) states, matched\b", re.MULTILINE),
    "transitions": re.compile(r"^\s*(\d+(?:\.\d+e\+\d+)?) transitions \(= stored\+matched\)", re.MULTILINE),
    "errors": re.compile(r"\berrors: (\d+)"),
}
_ELAPSED = re.compile(r"^pan: elapsed time (\S+) seconds", re.MULTILINE)
_INCOMPLETE = ("max search depth too small", "Search not completed", "pan: out of memory", "reached -DMEMLIM")


class SpinFailed(Exception):
    """SPIN, or a verifier of its making, did not do what it was asked for."""


@dataclass(frozen=True)
class Verified:
    """What a verifier printed: states, transitions, seconds to a hundredth.

    The initial state counts as a transition to it, as it does elsewhere.
    """

    stored: int
    transitions: int
    seconds: float


def spin_version() -> str | None:
    """`Spin Version 6.5.2`; None where there is no SPIN."""
    if shutil.which("spin") is None:
        return None
    done = subprocess.run(["spin", "-V"], capture_output=True, text=True, check=False)
    return done.stdout.split(" -- ")[0].strip()


def model_text(row: Row) -> str:
    """The row's model in Promela, where there is one."""
    assert row.spin is not None
    return _template(row.protocol.replace("-", "_").replace(" ", "_")).render(**row.spin)


def build_verifier(row: Row, order: str, compiler: Sequence[str], folder: Path) -> Path:
    """The row's verifier for an order of ORDERS, compiled in a folder of its own.

    Raises:
        SpinFailed: SPIN refuses the model, or the compiler what SPIN wrote.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.pml").write_text(model_text(row), encoding="utf-8")
    _demand(["spin", "-a", "model.pml"], folder)
    _demand([*compiler, *COMPILE, *ORDERS[order], "-o", "pan", "pan.c"], folder)
    return folder / "pan"


def limits_for(row: Row) -> tuple[str, ...]:
    """Room for every state in the hash table, twice, and on the stack."""
    return (f"-w{(2 * row.distinct).bit_length()}", f"-m{row.distinct + 1000}")


def read_verifier(printed: str) -> Verified:
    """What a verifier printed.

    Raises:
        SpinFailed: it found an error, did not search everything, or printed something else.
    """
    found = {name: pattern.search(printed) for name, pattern in _COUNTS.items()}
    elapsed = _ELAPSED.search(printed)
    counts = {name: int(float(match[1])) for name, match in found.items() if match is not None}
    if counts.get("errors"):
        raise SpinFailed(f"the verifier found {counts['errors']} errors")
    for words in _INCOMPLETE:
        if words in printed:
            raise SpinFailed(f"the verifier did not search everything: {words}")
    if len(counts) < len(_COUNTS) or elapsed is None:
        missing = [*(name for name in _COUNTS if name not in counts), *([] if elapsed else ["elapsed time"])]
        raise SpinFailed(f"the verifier does not say: {', '.join(missing)}")
    return Verified(counts["stored"], counts["transitions"], float(elapsed[1]))


def demand_counts(row: Row, found: Verified) -> None:
    """Compare with the row's figures. Where initial states are chosen, SPIN has one more, in which it chooses.

    Raises:
        SpinFailed: they differ.
    """
    more = int(row.chosen)
    if (found.stored, found.transitions) != (_as_printed(row.distinct + more), _as_printed(row.generated + more)):
        raise SpinFailed(
            f"{row.name}: SPIN stores {found.stored:,} states and takes {found.transitions:,} transitions"
            f" instead of {row.distinct + more:,} and {row.generated + more:,}"
        )


def _as_printed(count: int) -> int:
    """What is left of a number as pan prints it, with eight digits: 1.235584e+08."""
    return int(float(f"{count:.8g}"))


def _demand(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise SpinFailed(f"{command[0]} failed: {said[0] if said else 'it does not say why'}")


@cache
def _template(name: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "benchmarks" / "spin"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{name}.pml.j2")
