"""Whole modules: golden text, what SANY accepts, and that a variant differs from its baseline in one conjunct."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from protocheck.toolchain.generate import render
from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.transpiler.definedness import action_obligations
from protocheck.transpiler.mutation import drop_guard

from ..handmade import MACHINES

GUARDS = [(name, guard) for name, machine in MACHINES.items() for guard in machine().guard_names]


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[str, str]]:
    return {name: render(machine()) for name, machine in MACHINES.items()}


@pytest.mark.parametrize(
    ("machine", "file"),
    [
        ("rollback", "Rollback.tla"),
        ("rollback", "Rollback.cfg"),
        ("rollback", "Rollback__rollback__no_reader_above.tla"),
        ("two_phase_commit", "TwoPhaseCommit.tla"),
        ("wire", "Wire.tla"),
        ("wire", "Wire__AllReceived.cfg"),
        ("slots", "Slots.tla"),
        ("slots", "Slots__Never_TagOne.cfg"),
        ("chooser", "Chooser.tla"),
        ("guarded_definedness", "GuardedDefinedness.tla"),
        ("arithmetic", "Arithmetic.tla"),
        ("starver", "Starver.tla"),
    ],
)
def test_text(machine: str, file: str, rendered: dict[str, dict[str, str]], golden: Callable[[str, str], None]) -> None:
    golden(file, rendered[machine][file])


@pytest.mark.parametrize(("machine", "guard"), GUARDS)
def test_a_variant_differs_in_one_conjunct(machine: str, guard: str, rendered: dict[str, dict[str, str]]) -> None:
    files, protocol = rendered[machine], MACHINES[machine]()
    variant = f"{protocol.name}__{guard.replace('.', '__')}"
    removed, added = _changes(files[f"{protocol.name}.tla"], files[f"{variant}.tla"])
    action_name, _, guard_name = guard.partition(".")
    assert added[:2] == [
        f"------------------------------- MODULE {variant} -------------------------------",
        f"\\* A variant: without the guard {guard}.",
    ]
    assert added[2:] in ([], ["    TRUE"])
    own = [item for item in action_obligations(protocol.action(action_name), protocol) if item.guard == guard_name]
    conjuncts = [line for line in removed[1:] if line.startswith("    /\\ ")]
    assert conjuncts[0].startswith(f"    /\\ {guard_name}:: ")
    assert len(conjuncts) == 1 + len(own)
    # Whatever else is gone belongs to one of these: it stands further to the right.
    assert all(line.startswith("       ") for line in removed[1:] if line not in conjuncts)
    assert files[f"{variant}.cfg"] == files[f"{protocol.name}.cfg"]


@pytest.mark.parametrize(("machine", "guard"), GUARDS)
def test_obligations_of_a_variant_are_those_of_its_baseline_without_the_guards_own(machine: str, guard: str) -> None:
    """What lets a variant be rendered from its baseline."""
    protocol = MACHINES[machine]()
    variant = drop_guard(protocol, guard)
    for action in protocol.actions:
        kept = [
            (item.condition, item.guard)
            for item in action_obligations(action, protocol)
            if f"{action.name}.{item.guard}" != guard
        ]
        found = action_obligations(variant.action(action.name), variant)
        assert [(item.condition, item.guard) for item in found] == kept


def test_sany_accepts_everything(rendered: dict[str, dict[str, str]], toolchain: Toolchain, tmp_path: Path) -> None:
    modules = []
    for files in rendered.values():
        for name, text in files.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
            if name.endswith(".tla"):
                modules.append(name)
    unpacked = tmp_path / "tmp"
    unpacked.mkdir()
    command = [
        str(toolchain.java.path),
        f"-Djava.io.tmpdir={unpacked}",
        "-cp",
        str(toolchain.jar.path),
        "tla2sany.SANY",
    ]
    result = subprocess.run(
        [*command, *modules], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0
    for word in ("*** ", "Warning", "Error", "Could not", "Lexical", "conflict"):
        assert word not in result.stdout.replace("****** SANY", "SANY")
    for name in modules:
        assert f"Semantic processing of module {name.removesuffix('.tla')}\n" in result.stdout


def _changes(old: str, new: str) -> tuple[list[str], list[str]]:
    lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]
