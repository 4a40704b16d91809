"""`run --distributed`: what goes with it, and one run of each kind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from protocheck.distribution import Place, demand_fitting
from protocheck.toolchain.errors import UserError

from .test_process import COMMAND

LOOSE: dict[str, object] = {"--host": None, "--port": None, "--workers": None}
HERE = Place(None)
FOLDER = Path("checkpoint")


@pytest.mark.parametrize(
    ("engine", "mutate", "place", "loose", "checkpoint", "reason"),
    [
        ("auto", False, HERE, {}, None, "--distributed is for TLC alone; add --engine tlc"),
        ("explorer", False, None, {}, FOLDER, "--checkpoint is for TLC alone; add --engine tlc"),
        ("tlc", True, HERE, {}, None, "use --mutate at smaller bounds, without --distributed"),
        ("tlc", True, None, {}, FOLDER, "use --mutate at smaller bounds, without --checkpoint"),
        ("tlc", False, HERE, {}, FOLDER, "use either --distributed or --checkpoint"),
        ("tlc", False, Place(0), {}, None, "with --host others may come"),
        ("tlc", False, None, {"--host": "node1"}, None, "--host says where .* add --distributed"),
        ("tlc", False, None, {"--port": 4711}, None, "--port says where .* add --distributed"),
        ("tlc", False, None, {"--workers": 0}, None, "leaves nobody to work"),
    ],
)
def test_what_does_not_go_together(
    engine: str, mutate: bool, place: Place | None, loose: dict[str, object], checkpoint: Path | None, reason: str
) -> None:
    with pytest.raises(UserError, match=reason):
        demand_fitting(engine, mutate, place, {**LOOSE, **loose}, checkpoint)


def test_what_does() -> None:
    demand_fitting("tlc", False, HERE, LOOSE, None)
    demand_fitting("tlc", False, Place(0, "node1", 4711), LOOSE, None)
    demand_fitting("tlc", False, None, LOOSE, FOLDER)
    demand_fitting("auto", True, None, {**LOOSE, "--workers": 3}, None)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, "run", *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_on_this_host_alone() -> None:
    done = run("rollback", "--engine", "tlc", "--distributed", "--workers", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    stats = json.loads(done.stdout)["baseline"]["stats"]["tlc"]
    assert (stats["distinct"], stats["generated"]) == (31, 189)


def test_others_are_invited() -> None:
    done = run("rollback", "--engine", "tlc", "--distributed", "--workers", "1", "--host", "localhost")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "TLC's server waits; on each further host run, with the same tla2tools.jar:"
    assert lines[1].startswith("  java ")
    assert lines[1].endswith(" tlc2.tool.distributed.TLCWorker localhost")
    assert done.stdout.splitlines()[-1] == "✓ rollback holds within max_len=4"


def test_liveness_is_refused_before_anything_starts() -> None:
    done = run("dispatch", "--engine", "tlc", "--distributed")
    assert (done.returncode, done.stdout) == (2, "")
    assert "checks no liveness, and Dispatch has filled_in_the_end" in done.stderr
    assert "--property data_integrity --property no_collision" in done.stderr


def test_a_folder_that_is_no_checkpoint_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    done = run("rollback", "--engine", "tlc", "--checkpoint", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {tmp_path} holds files, and no checkpoint.\nName a folder that is empty" in done.stderr


def test_a_check_with_an_answer_leaves_no_checkpoint(tmp_path: Path) -> None:
    done = run("rollback", "--engine", "tlc", "--checkpoint", str(tmp_path / "saved"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "31        189      9" in done.stdout
    assert list(tmp_path.iterdir()) == []
