"""The files: written, compared, removed, and independent of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocheck.toolchain.generate import generate, render
from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.diagnostics import CompileError, Span
from protocheck.transpiler.valuetypes import INT

from ..build import action, constant, ints, protocol, variable
from ..handmade import MACHINES, rollback


def test_baseline_and_variants_are_pairs_and_further_runs_have_a_configuration_each() -> None:
    files = render(MACHINES["wire"]())
    assert list(files)[:6] == [
        "Wire.tla",
        "Wire.cfg",
        "Wire__AllReceived.cfg",
        "Wire__StaysDone.cfg",
        "Wire__Answered.cfg",
        "Wire__send__free.tla",
    ]
    assert "INVARIANT TypeOK\nPROPERTY AllReceived\n" in files["Wire__AllReceived.cfg"]
    assert "PROPERTY" not in files["Wire.cfg"]


def test_constants_have_their_value_and_say_what_they_bound() -> None:
    files = render(rollback(), {"max_len": 6})
    bounded = "bounds length, pending_reads, start_read(i), finish_read(i), rollback(k)"
    assert f"    \\* {bounded}\n    MaxLen = 6\n" in files["Rollback.cfg"]
    assert files["Rollback.tla"] == render(rollback())["Rollback.tla"]


def test_a_constant_may_be_none_in_one_instance_and_a_number_in_another() -> None:
    limit = constant("limit", 2, types.Optional(INT))
    made = protocol("P", limit, variable("x", ints(0, 1), 0), action("stay", x=0))
    assert "CONSTANTS Limit\n" in render(made)["P.tla"]
    files = render(made, {"limit": None})
    assert "CONSTANTS Limit, None\n" in files["P.tla"]
    assert "    Limit = None\n" in files["P.cfg"]
    assert "    None = None\n" in files["P.cfg"]


def test_constants_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CompileError, match="max_len"):
        render(rollback(), {"max_len": "six"})


def test_a_file_is_named_without_its_folder() -> None:
    """The text must be the same on every machine."""
    span = Span("/home/somebody/protocols/rollback.py", 7, 5, 9, 1)
    made = rollback()
    action = ir.Action("extend", (), made.actions[0].steps, made.actions[0].updates, doc="Grow.", span=span)
    text = render(ir.Protocol(**{**vars(made), "actions": (action, *made.actions[1:])}))["Rollback.tla"]
    assert "\\* Grow.\n\\* rollback.py:7\nExtend ==" in text
    assert "somebody" not in text


def test_generate_writes_what_render_says_and_then_finds_nothing_to_do(tmp_path: Path) -> None:
    first = generate([rollback()], tmp_path)
    assert {path.name for path in first.written} == set(render(rollback()))
    assert {path.name: path.read_text() for path in (tmp_path / "rollback").iterdir()} == render(rollback())
    again = generate([rollback()], tmp_path)
    assert (again.written, again.removed, again.drift) == ((), (), "")
    assert again.unchanged == len(first.written)
    assert not again.differs


def test_check_tells_every_difference_and_touches_nothing(tmp_path: Path) -> None:
    generate([rollback()], tmp_path)
    home = tmp_path / "rollback"
    changed, missing, stale = home / "Rollback.tla", home / "Rollback.cfg", home / "Rollback__extend__gone.tla"
    changed.write_text(changed.read_text().replace("length < MaxLen", "length <= MaxLen"))
    missing.unlink()
    stale.write_text("\\* Generated from the class Rollback (old.py:1); edit that, not this.\nold\n")
    before = {path.name: path.read_text() for path in home.iterdir()}
    found = generate([rollback()], tmp_path, check=True)
    assert set(found.written) == {changed, missing}
    assert found.removed == (stale,)
    assert found.differs
    assert "-    /\\ room_left:: length <= MaxLen\n+    /\\ room_left:: length < MaxLen\n" in found.drift
    assert "+    MaxLen = 4\n" in found.drift
    assert "-old\n" in found.drift
    assert {path.name: path.read_text() for path in home.iterdir()} == before


def test_generate_removes_what_its_protocol_no_longer_has_and_nothing_else(tmp_path: Path) -> None:
    generate([rollback(), MACHINES["wire"]()], tmp_path)
    home = tmp_path / "rollback"
    generated = (home / "Rollback.tla").read_text()
    gone = ["Rollback__extend__gone.cfg", "Rollback__extend__gone.tla"]
    for name in gone:
        (home / name).write_text((home / f"Rollback{name[-4:]}").read_text())
    foreign = {
        "MyProof.tla": "---- MODULE MyProof ----\n====\n",
        "MyRollback.tla": generated,
        "Rollback__mine.tla": "---- MODULE Rollback__mine ----\n====\n",
        "Rollback__mine.cfg": "CONSTANTS MaxLen = 9\n",
    }
    for name, text in foreign.items():
        (home / name).write_text(text)
    (home / "Rollback__binary.tla").write_bytes(b"\xff\xfe")
    (home / "notes.txt").write_text("mine\n")
    kept = {path.name for path in (tmp_path / "wire").iterdir()}
    found = generate([rollback()], tmp_path)
    assert [path.name for path in found.removed] == gone
    assert {path.name for path in found.foreign} == {*foreign, "Rollback__binary.tla"}
    assert {name: (home / name).read_text() for name in foreign} == foreign
    assert not generate([rollback()], tmp_path, check=True).differs
    assert (home / "notes.txt").exists()
    assert {path.name for path in (tmp_path / "wire").iterdir()} == kept
    assert not [path for path in home.iterdir() if path.name.startswith(".")]
