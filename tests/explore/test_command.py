"""`protocheck explore` from the outside: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
import sys
import webbrowser
from pathlib import Path

import pytest

from protocheck import commands_explore
from protocheck.cli import main
from protocheck.toolchain.exploration.server import ExploreServer

from .test_page import Parts

SAMPLES = Path(__file__).with_name("samples.py")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["explore", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", list(sys.path))
    return str(SAMPLES)


def data_of(file: Path) -> dict[str, object]:
    parts = Parts(file.read_text(encoding="utf-8"))
    found: dict[str, object] = json.loads(next(text for kind, text in parts.inside if "json" in kind))
    return found


def test_a_page_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert run(capsys, "rollback", "--output", str(file)) == (0, f"{file}: all 96 states\n", "")
    data = data_of(file)
    assert data["start"] == {"guard": None, "walk": None}
    assert len(data["walks"]) == 4  # type: ignore[arg-type]


def test_constants_are_set(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert run(capsys, "rollback", "--set", "max_len=2", "--output", str(file))[0] == 0
    assert data_of(file)["protocol"]["constants"] == [["max_len", "2"]]  # type: ignore[index]


def test_a_variant_is_shown_with_its_counter_example(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert run(capsys, "rollback", "--variant", "rollback.shrinks", "-o", str(file))[0] == 0
    data = data_of(file)
    assert data["guards"] == ["rollback.shrinks"]
    assert data["start"] == {"guard": "rollback.shrinks", "walk": 0}


def test_what_does_not_fit_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path, samples: str) -> None:
    file = tmp_path / "page.html"
    code, out, err = run(capsys, f"{samples}:Many", "--max-states", "30", "-o", str(file))
    assert code == 0
    assert out == f"{file}: 30 states, and the values of 9 next to them; there are more (--max-states)\n"
    assert err == "no variant is in it: name one with --variant\n"


def written_traces(folder: Path, *arguments: str) -> Path:
    file = folder / "traces.json"
    with pytest.raises(SystemExit):
        main(["run", *arguments, "--engine", "explorer", "--trace", str(file)])
    return file


def test_traces_of_a_file_are_walked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the constants of the check that wrote them."""
    traces = written_traces(tmp_path, "rollback", "--mutate", "--set", "max_len=3")
    capsys.readouterr()
    file = tmp_path / "page.html"
    guard = "rollback.no_reader_above"
    assert run(capsys, "rollback", "--trace", str(traces), "--variant", guard, "-o", str(file))[0] == 0
    data = data_of(file)
    assert data["protocol"]["constants"] == [["max_len", "3"]]  # type: ignore[index]
    assert data["start"] == {"guard": guard, "walk": 0}
    assert next(walk["guard"] for walk in data["walks"]) == guard  # type: ignore[attr-defined]
    assert len(data["walks"]) == 4  # type: ignore[arg-type]


def test_a_lasso_of_a_file_is_walked(capsys: pytest.CaptureFixture[str], tmp_path: Path, samples: str) -> None:
    traces = written_traces(tmp_path, f"{samples}:Spin")
    capsys.readouterr()
    file = tmp_path / "page.html"
    assert run(capsys, f"{samples}:Spin", "--trace", str(traces), "-o", str(file))[0] == 0
    data = data_of(file)
    assert data["start"] == {"guard": None, "walk": 0}
    assert data["walks"][0]["loop_to"] is not None  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rollbock",), "did you mean rollback?"),
        (("rollback", "--variant", "rollback.no_reader"), "did you mean rollback.no_reader_above?"),
        (("rollback", "--set", "max_lon=3"), "did you mean max_len?"),
        (("rollback", "--max-states", "3"), "--max-states is for --output"),
        (("rollback", "--output", "no/such/folder/page.html"), "there is no folder no/such/folder"),
        (("rollback", "--trace", "no.json"), "no.json cannot be read"),
        (("rollback", "--port", "70000"), "70000"),
    ],
)
def test_mistakes_are_answered(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_traces_that_do_not_fit_are_answered(capsys: pytest.CaptureFixture[str], tmp_path: Path, samples: str) -> None:
    traces = written_traces(tmp_path, "rollback", "--mutate")
    capsys.readouterr()
    for arguments, said in (
        (("dispatch",), "has no trace of dispatch, but of rollback"),
        (("rollback", "--set", "max_len=1"), "holds no trace of Rollback"),
        (("rollback", "--variant", "finish_read.is_pending"), "has no trace without the guard finish_read.is_pending"),
        ((f"{samples}:Stay",), "has no trace of stay"),
    ):
        code, _, err = run(capsys, *arguments, "--trace", str(traces))
        assert code == 2
        assert said in err
    clean = written_traces(tmp_path, "rollback")
    capsys.readouterr()
    code, _, err = run(capsys, "rollback", "--trace", str(clean))
    assert (code, "nothing was violated" in err) == (2, True)


def test_a_browser_is_opened_where_there_is_a_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)

    def interrupted(_: ExploreServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ExploreServer, "serve_forever", interrupted)
    for screen, option, expected in ((True, (), 1), (True, ("--no-browser",), 0), (False, (), 0)):
        opened.clear()
        monkeypatch.setattr(commands_explore, "_has_screen", lambda screen=screen: screen)
        code, out, err = run(capsys, "rollback", "--port", "0", *option)
        assert (code, err) == (0, "ended\n")
        assert len(opened) == expected
        assert out.startswith("http://127.0.0.1:")
        assert [address for address in opened if not out.startswith(address)] == []
