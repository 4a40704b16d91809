"""Checkpoints: a run that is ended goes on and counts the same; whatever else is in the folder is refused."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocheck.toolchain.tlc.checkpoint import RECORD, CheckpointError, CheckpointFolder, Identity
from protocheck.toolchain.tlc.command import tlc_command
from protocheck.toolchain.tlc.driver import TlcRun, Toolchain, run_tlc
from protocheck.toolchain.tlc.workspace import TlcWorkspace

from .support import spec

pytestmark = pytest.mark.usefixtures("temporary")

RING = """EXTENDS Naturals
CONSTANT Size
VARIABLES a, b, c
Turn(x) == (x + 1) % Size
Init == a = 0 /\\ b = 0 /\\ c = 0
Next == \\/ a' = Turn(a) /\\ UNCHANGED <<b, c>>
        \\/ b' = Turn(b) /\\ UNCHANGED <<a, c>>
        \\/ c' = Turn(c) /\\ UNCHANGED <<a, b>>
Spec == Init /\\ [][Next]_<<a, b, c>>
Slow == \\A i \\in 1..400 : a + i > a"""
"""Everything leads back, so that a state which is not recovered is found, and counted, once more. TLC saves nothing in
the first three seconds: so its invariant takes time, and the states do not take much."""

SIZE = 40
IDENTITY = Identity({"protocol": "ring", "size": "40"}, {"M.tla": RING}, {"--workers": "1"}, "a" * 64, "2.15")


def ring() -> Any:
    return spec(RING, f"SPECIFICATION Spec\nINVARIANT Slow\nCONSTANT Size = {SIZE}\n", timeout=120, short_run=False)


def part(folder: CheckpointFolder, toolchain: Toolchain, *, to_the_end: bool) -> TlcRun:
    """Run the ring, from its checkpoint if there is one; to its end, or until it has been saved once."""
    folder.begin("safety", IDENTITY)
    saving = folder.saving("safety")
    seal, stop = folder.sealer("safety", lambda: 7), threading.Event()

    def saved() -> None:
        seal()
        if not to_the_end:
            stop.set()

    return run_tlc(replace(ring(), saving=saving), toolchain, saved=saved, cancel=stop)


@pytest.fixture(scope="module")
def interrupted(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoint of a run that was ended."""
    path = tmp_path_factory.mktemp("saved") / "folder"
    run = part(CheckpointFolder(path, minutes=0.001), toolchain, to_the_end=False)
    assert (run.ended, run.outcome.kind) == ("cancelled", "incomplete")
    return path


@pytest.fixture
def folder(interrupted: Path, tmp_path: Path) -> Path:
    """A copy of it, times of modification included."""
    return Path(shutil.copytree(interrupted, tmp_path / "copy"))


def record(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    return data


# The real TLC ---------------------------------------------------------------------------------------------------------


def test_a_run_that_was_ended_goes_on_and_counts_the_same(toolchain: Toolchain, folder: Path) -> None:
    saved = CheckpointFolder(folder, minutes=10)
    assert "with 7 states or more," in saved.summary()
    run = part(saved, toolchain, to_the_end=True)
    stats = run.outcome.stats
    assert run.outcome.kind == "no_error", run.outcome.message
    assert (stats.distinct, stats.depth) == (SIZE**3, 3 * (SIZE - 1) + 1)
    # The steps before the checkpoint are lost to the count.
    assert stats.generated is not None
    assert stats.generated < 3 * SIZE**3 + 1
    assert saved.resumed("safety")
    assert run.search_seconds is not None
    saved.finish("safety", run.output, run.exit_status)
    again = CheckpointFolder(folder, minutes=10).begin("safety", IDENTITY)
    assert (again.state, again.exit_status) == ("finished", 0)
    assert f"{SIZE**3} distinct states found" in again.output
    saved.clear()
    assert not folder.exists()


def test_known_fault_another_fingerprint_function_counts_states_twice(toolchain: Toolchain, folder: Path) -> None:
    """Why the function is always the same: TLC goes on with another one without a word, and finds states once more."""
    saved = CheckpointFolder(folder, minutes=10)
    saved.begin("safety", IDENTITY)
    with TlcWorkspace(ring().files) as workspace:
        command = tlc_command(
            toolchain.java.path,
            toolchain.jar.path,
            workspace,
            module="M",
            config="M.cfg",
            saving=saved.saving("safety"),
        )
    assert command[command.index("-fp") + 1] == "0"

    def other(*arguments: Any, **options: Any) -> list[str]:
        command = tlc_command(*arguments, **options)
        command[command.index("-fp") + 1] = "1"
        return command

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("protocheck.toolchain.tlc.driver.tlc_command", other)
        run = part(saved, toolchain, to_the_end=True)
    assert run.outcome.kind == "no_error"
    assert run.outcome.stats.distinct is not None
    assert run.outcome.stats.distinct > SIZE**3


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": {"protocol": "ring", "size": "41"}}, "size: 40 there, 41 here"),
        ({"subject": {"protocol": "rong", "size": "40"}}, "protocol: ring there, rong here"),
        ({"options": {"--workers": "2"}}, "--workers: 1 there, 2 here"),
        ({"jar": "b" * 64, "tlc": "2.19"}, r"TLC: 2\.15 \(aaaaaaaaaaaa\) there, 2\.19 \(bbbbbbbbbbbb\) here"),
        ({"files": {"M.tla": RING + " "}}, "the protocol, or the version of protocheck, was changed since"),
        ({"files": {"M.tla": RING, "M.cfg": ""}}, "was changed since"),
    ],
)
def test_the_checkpoint_of_another_run(folder: Path, changes: Mapping[str, Any], reason: str) -> None:
    before = record(folder)
    with pytest.raises(CheckpointError, match=reason) as raised:
        CheckpointFolder(folder, minutes=10).begin("safety", replace(IDENTITY, **changes))
    assert "another safety run" in str(raised.value)
    assert "Name another folder" in str(raised.value)
    assert record(folder) == before


@pytest.mark.parametrize("name", ["queue.chkpt", "vars.chkpt", "M-0.chkpt"])
def test_a_checkpoint_that_was_being_replaced(folder: Path, name: str) -> None:
    (path,) = folder.glob(f"safety/*/{name}")
    path.write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match="it was ended while they were replaced"):
        CheckpointFolder(folder, minutes=10).begin("safety", IDENTITY)
    path.unlink()
    with pytest.raises(CheckpointError, match="Remove the folder to begin anew"):
        CheckpointFolder(folder, minutes=10).begin("safety", IDENTITY)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other", "version": 1}', '{"format": 1}'])
def test_a_record_that_cannot_be_read(folder: Path, text: str) -> None:
    (folder / RECORD).write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be read"):
        CheckpointFolder(folder, minutes=10)


def test_a_version_to_come_is_refused(folder: Path) -> None:
    (folder / RECORD).write_text(json.dumps(record(folder) | {"version": 2}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="version 2"):
        CheckpointFolder(folder, minutes=10)


def test_a_folder_with_something_else_in_it(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(CheckpointError, match="holds files, and no checkpoint"):
        CheckpointFolder(place, minutes=10)
    assert [path.name for path in place.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(CheckpointError, match="cannot be used for checkpoints"):
        CheckpointFolder(tmp_path / "file", minutes=10)


# The folder -----------------------------------------------------------------------------------------------------------


def test_a_run_that_was_never_saved_begins_anew(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "new", minutes=0.5)
    assert folder.begin("safety", IDENTITY).state == "begun"
    saving = folder.saving("safety")
    assert (saving.milliseconds, saving.recover) == (30_000, None)
    (saving.directory / "rest").mkdir()
    assert folder.summary() == ""
    again = CheckpointFolder(tmp_path / "new", minutes=0.5)
    assert again.begin("safety", IDENTITY).state == "begun"
    assert not saving.directory.exists()
    assert not again.resumed("safety")


def test_one_at_a_time_and_nothing_is_left(tmp_path: Path) -> None:
    one, other = (CheckpointFolder(tmp_path / "new", minutes=1) for _ in range(2))
    with one.locked():
        with pytest.raises(CheckpointError, match="Another check saves its progress"), other.locked():
            pass
        one.begin("safety", IDENTITY)
        one.clear()
    assert not (tmp_path / "new").exists()
    with other.locked():
        pass
    assert CheckpointFolder(tmp_path / "new", minutes=1).summary() == ""


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "new", minutes=1)
    folder.begin("safety", IDENTITY)
    (tmp_path / "new" / "notes.txt").write_text("mine", encoding="utf-8")
    folder.clear()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["notes.txt"]
