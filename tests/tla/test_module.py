"""Whole modules: golden text, what SANY accepts, and that a variant differs from its baseline in one conjunct."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from protocheck.toolchain.generate import module_text, render
from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.transpiler.definedness import action_obligations
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.mutation import drop_guard
from protocheck.transpiler.tla import build_module

from ..build import (
    add,
    all_,
    and_,
    eq,
    gen,
    in_,
    ints,
    local,
    lt,
    ne,
    or_,
    prop,
    protocol,
    range_,
    set_,
    set_of,
    var,
    variable,
)
from ..handmade import MACHINES
from ..machines.loading import loaded
from ..machines.machine import machine_of

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
    modules = {
        name.removesuffix(".tla"): text
        for files in rendered.values()
        for name, text in files.items()
        if name.endswith(".tla")
    }
    accepted_by_sany(modules, toolchain, tmp_path)


def test_sany_accepts_machines_made_at_random(toolchain: Toolchain, tmp_path: Path) -> None:
    modules = {}
    for seed in range(120):
        with loaded(machine_of(seed)) as cls:
            protocol = replace(compile_protocol(cls), name=f"Machine{seed}")
            modules[protocol.name] = module_text(build_module(protocol, instantiate(protocol).constants))
    accepted_by_sany(modules, toolchain, tmp_path)


def test_a_condition_with_an_implication_may_protect_another(toolchain: Toolchain, tmp_path: Path) -> None:
    """Broken over lines, the conditions of a quantifier keep the parentheses that they need on one."""
    x, y = local("x"), var("y")
    long = and_(*(ne(add(y, place), add(x, y)) for place in range(10)))
    nested = all_(long, gen("x", set_of(range_(0, 3)), all_(lt(local("z"), y), gen("z", set_of(range_(0, 2))))))
    starts_with_a_member = prop("moves", "transition_invariant", or_(in_(y, set_(1, 2)), eq(y, var("y", after=True))))
    made = protocol("Odd", variable("y", ints(0, 2), 0), prop("long", "invariant", nested), starts_with_a_member)
    text = module_text(build_module(made, {}))
    assert "    \\A x \\in 0..2 :\n        (\\A z \\in 0..1 : z < y) =>\n            /\\ y + 0 # x + y\n" in text
    assert "[][(y \\in {1, 2} \\/ y = y')]_vars" in text
    accepted_by_sany({"Odd": text}, toolchain, tmp_path)


def accepted_by_sany(modules: Mapping[str, str], toolchain: Toolchain, folder: Path) -> None:
    """Fails unless the parser takes every one of the modules, without a warning."""
    for name, text in modules.items():
        (folder / f"{name}.tla").write_text(text, encoding="utf-8")
    unpacked = folder / "tmp"
    unpacked.mkdir()
    java = [str(toolchain.java.path), f"-Djava.io.tmpdir={unpacked}", "-Dfile.encoding=UTF-8"]
    command = [*java, "-cp", str(toolchain.jar.path), "tla2sany.SANY", *(f"{name}.tla" for name in modules)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    said = result.stdout.replace("****** SANY", "SANY")
    for word in ("***", "Warning", "Error", "Could not", "Lexical", "conflict"):
        assert word not in said, said[max(0, said.index(word) - 500) : said.index(word) + 500]
    assert result.returncode == 0
    for name in modules:
        assert f"Semantic processing of module {name}\n" in said


def _changes(old: str, new: str) -> tuple[list[str], list[str]]:
    lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]
