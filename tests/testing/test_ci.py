"""`protocheck run` in a CI system: which files are written, what goes where, and that exit codes stay what they are."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from protocheck.cli import main

from .protocols import COUNTER, UNDECLARED

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    Path("good.py").write_text(COUNTER, encoding="utf-8")
    Path("bad.py").write_text(UNDECLARED, encoding="utf-8")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def start(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["run", "--engine", "explorer", *arguments])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capfd.readouterr()

    return start


def test_a_junit_file_is_written_whatever_comes_out(run: Run) -> None:
    assert run("good.py", "--mutate", "--junit", "good.xml")[0] == 0
    assert run("bad.py", "--mutate", "--junit", "bad.xml")[0] == 1
    assert run("good.py", "--max-states", "2", "--junit", "cut.xml")[0] == 4
    suites = [next(iter(ET.parse(f"{name}.xml").getroot())) for name in ("good", "bad", "cut")]
    assert [(suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in suites] == [
        ("7", "0", "0"),
        ("7", "1", "0"),
        ("5", "0", "5"),
    ]


def test_a_junit_file_is_written_where_a_tool_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROTOCHECK_TLA2TOOLS", "/nonexistent")
    code, out, err = run("good.py", "--engine", "tlc", "--junit", "failed.xml")
    assert (code, out) == (3, "")
    (suite,) = ET.parse("failed.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    (error,) = suite.iter("error")
    assert error.text is not None
    assert "/nonexistent" in error.text
    assert err == f"error: {error.text}\n"


def test_a_junit_file_that_cannot_be_written_is_told_before_the_check(run: Run) -> None:
    code, out, err = run("good.py", "--junit", "nowhere/out.xml")
    assert (code, out) == (2, "")
    assert "nowhere/out.xml cannot be written: there is no folder nowhere" in err


def test_nothing_is_annotated_elsewhere(run: Run) -> None:
    assert run("bad.py", "--mutate")[2] == ""


def test_annotations_where_github_runs_it_or_where_they_are_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = run("bad.py", "--mutate", "--annotations", "github")
    assert asked[0] == 1
    assert asked[2].startswith("::error file=bad.py,line=21,title=counter%3A without reset.full (survived)::reset.full")
    assert "::" not in asked[1]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert run("bad.py", "--mutate")[2] == asked[2]
    assert run("bad.py", "--mutate", "--annotations", "off")[2] == ""
    # The report stays what other programs read.
    code, out, err = run("bad.py", "--mutate", "--json")
    assert code == json.loads(out)["exit_code"] == 1
    assert err == asked[2]


def test_a_protocol_that_does_not_compile_is_annotated_where_it_is_wrong(run: Run) -> None:
    Path("wrong.py").write_text(COUNTER.replace("self.value >= 0", "self.value"), encoding="utf-8")
    code, _, err = run("wrong.py", "--annotations", "github")
    assert code == 2
    first, *rest = err.splitlines()
    assert first.startswith("::error file=wrong.py,line=29,title=PC")
    assert first.endswith("%0Ainstead: a property returns a bool")
    plain = run("wrong.py")
    assert plain[0] == 2
    assert plain[2].splitlines() == rest


def test_files_are_named_from_the_root_of_the_repository(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    assert f"::error file={tmp_path.name}/bad.py,line=21," in run("bad.py", "--mutate", "--annotations", "github")[2]


def test_summaries_are_appended(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    run("good.py", "--mutate")
    run("bad.py", "--mutate")
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("###")] == ["### counter", "### counter"]
    assert "| `reset.full` | ❌ survived |" in text


def test_a_summary_in_a_folder_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "nowhere/summary.md")
    code, out, err = run("good.py")
    assert code == 2
    assert "✓ counter holds" in out
    assert "nowhere/summary.md, which GITHUB_STEP_SUMMARY names, cannot be written" in err


def test_an_unknown_kind_of_annotations(run: Run) -> None:
    code, _, err = run("good.py", "--annotations", "gitlab")
    assert code == 2
    assert "there is no kind of annotations gitlab; did you mean github?" in err
