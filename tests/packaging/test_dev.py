"""The check command is itself a checker: it must not pass silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocheck import dev
from protocheck.dev import Outcome, Step, _by_exit_code, _counted, check, lay_out, mapped_packages, source_files


def passing() -> Outcome:
    return Outcome(True, "fine")


def failing() -> Outcome:
    return Outcome(False, "1 problem", "file.py:1: a problem")


def breaking() -> Outcome:
    raise FileNotFoundError("no such tool")


def test_the_mapped_tree_shows_every_source_file_once(tmp_path: Path) -> None:
    tree = lay_out(target=tmp_path) / "protocheck"
    folders = {name: tree / Path(*name.split(".")[1:]) for name in mapped_packages()}
    seen = sorted(file.resolve() for folder in folders.values() for file in folder.glob("*.py"))
    assert seen == sorted(source_files())
    assert len(seen) == len(set(seen))


def test_the_mapped_tree_is_laid_out_anew(tmp_path: Path) -> None:
    stale = lay_out(target=tmp_path) / "protocheck" / "stale.py"
    stale.write_text("", encoding="utf-8")
    lay_out(target=tmp_path)
    assert not stale.exists()


@pytest.mark.parametrize(
    ("output", "passed"),
    [
        ("Success: no issues found in 7 source files", True),
        ("Success: no issues found in 2 source files", False),
        ("Success: no issues found", False),
    ],
)
def test_a_tool_that_looked_at_other_files_fails(output: str, passed: bool) -> None:
    assert _counted(_by_exit_code(0, output), r"in (\d+) source files?", 7).passed is passed


def test_a_failure_stays_one_whatever_was_counted() -> None:
    assert not _counted(_by_exit_code(1, "Found 1 error in 7 source files"), r"in (\d+) source files?", 7).passed


def test_every_step_runs_and_one_failure_fails_all(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [Step("one", "first", breaking), Step("two", "second", failing), Step("three", "third", passing)]
    assert check(steps) == 1
    shown = capsys.readouterr().out
    assert "FileNotFoundError: no such tool" in shown
    assert "file.py:1: a problem" in shown
    assert "ok    three" in shown
    assert "2 of 3 failed: one, two" in shown


def test_all_passed(capsys: pytest.CaptureFixture[str]) -> None:
    assert check([Step("only", "the only one", passing)]) == 0
    assert capsys.readouterr().out.endswith("all 1 passed\n")


def test_a_module_that_import_linter_does_not_see_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """As does a file in a folder without `__init__.py`."""
    files = source_files()
    monkeypatch.setattr(dev, "source_files", lambda: (*files, files[0].with_name("unseen.py")))
    outcome = dev.import_contracts()
    assert not outcome.passed
    assert outcome.summary == f"sees {len(files)} modules, but there are {len(files) + 1}"


def chosen(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    """The names of the steps that a command line runs."""
    names: list[str] = []

    def record(steps: list[Step]) -> int:
        names.extend(step.name for step in steps)
        return 0

    monkeypatch.setattr(dev, "check", record)
    assert dev.main(["check", *arguments]) == 0
    return names


def test_the_command_line_runs_everything_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = [step.name for step in dev.STEPS]
    assert chosen(monkeypatch) == everything
    assert chosen(monkeypatch, "--skip", "tests") == [name for name in everything if name != "tests"]
    assert chosen(monkeypatch, "types", "lint") == ["lint", "types"]
    assert "tests" not in chosen(monkeypatch, "--fast")


@pytest.mark.parametrize("arguments", [["typos"], ["lint", "--skip", "lint"]])
def test_nothing_to_run_is_wrong_use(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        dev.main(["check", *arguments])
    assert ended.value.code == 2
