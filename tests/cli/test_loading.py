"""Finding protocols by name, in files and in packages; a user's mistake is answered, not traced back."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocheck.toolchain.errors import UserError, nearest
from protocheck.toolchain.loading import built_in_names, load_protocol

from .samples import user_file


@pytest.fixture(autouse=True)
def clean_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports is forgotten again."""
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in set(sys.modules) - set(before):
        if not name.startswith(("protocheck", "hypothesis")):
            del sys.modules[name]


def refusal(target: str) -> str:
    with pytest.raises(UserError) as caught:
        load_protocol(target)
    return str(caught.value)


def test_the_built_in_protocols() -> None:
    assert {"rollback", "dispatch", "acceptance"} <= set(built_in_names())
    assert load_protocol("rollback").__name__ == "Rollback"


def test_a_built_in_name_with_a_typing_mistake() -> None:
    assert "no built-in protocol rolback; did you mean rollback?" in refusal("rolback")
    assert "did you mean rollback?" in refusal("Rollback")


def test_a_class_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(user_file())
    assert load_protocol("mine.py:Counter").__name__ == "Counter"
    assert load_protocol(str(tmp_path / "mine.py")).__name__ == "Counter"
    assert load_protocol("./mine.py").__name__ == "Counter"


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "neighbour_of_mine.py").write_text("LIMIT = 3\n")
    (tmp_path / "sub" / "mine.py").write_text("from neighbour_of_mine import LIMIT\n" + user_file())
    assert load_protocol("sub/mine.py").__name__ == "Counter"


def test_a_file_may_have_the_name_of_a_module_that_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(user_file())
    assert load_protocol("json.py").__name__ == "Counter"
    import json

    assert json.loads("1") == 1


def test_a_file_does_not_stand_in_for_a_module_that_is_loaded_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a queue.py among the user's files TLC could not be run: `concurrent.futures` imported that."""
    for name in ("sched", "queue"):
        (tmp_path / f"{name}.py").write_text(user_file())
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry and Path(entry) != tmp_path])
    assert load_protocol("sched.py:Counter").__name__ == "Counter"
    assert Path(importlib.import_module("sched").__file__ or "").parent != tmp_path
    assert Path(importlib.import_module("queue").__file__ or "").parent != tmp_path


def test_a_neighbour_may_have_the_name_of_something_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "limits.py").write_text("HIGH = None\n")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    (tmp_path / "limits.py").write_text("HIGH = 3\n")
    (tmp_path / "mine.py").write_text("from limits import HIGH\nassert HIGH == 3\n" + user_file())
    assert load_protocol("mine.py:Counter").__name__ == "Counter"


def test_what_a_module_prints_stays_out_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(user_file() + "print('loading')\n")
    load_protocol("mine.py:Counter")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "loading\n")


@pytest.mark.parametrize("code", ["", "0", "7"])
def test_a_file_that_ends_the_program_is_no_pass(tmp_path: Path, code: str) -> None:
    (tmp_path / "mine.py").write_text(user_file() + f"import sys\nsys.exit({code})\n")
    line = (tmp_path / "mine.py").read_text().count("\n")
    answer = refusal("mine.py")
    assert f"mine.py:{line}:1: SystemExit: {code}" in answer
    assert "__main__" in answer


def test_a_class_in_a_package(tmp_path: Path) -> None:
    (tmp_path / "kindly_named_package").mkdir()
    (tmp_path / "kindly_named_package" / "__init__.py").touch()
    (tmp_path / "kindly_named_package" / "parts.py").write_text(user_file())
    assert load_protocol("kindly_named_package.parts:Counter").__name__ == "Counter"
    assert load_protocol("kindly_named_package.parts").__name__ == "Counter"


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(user_file())
    (tmp_path / "empty.py").write_text("x = 1\n")
    (tmp_path / "two.py").write_text(user_file() + "\n\nclass Other(Counter):\n    pass\n")
    assert "there is no file mien.py; did you mean mine.py?" in refusal("mien.py")
    assert "there is no folder nowhere" in refusal("nowhere/mine.py")
    assert "mine.py has no protocol Countre; did you mean Counter?" in refusal("mine.py:Countre")
    assert "invariant in mine.py is no protocol" in refusal("mine.py:invariant")
    assert "Protocol in mine.py is no protocol" in refusal("mine.py:Protocol")
    assert "empty.py defines no protocol" in refusal("empty.py")
    assert "name one, as in two.py:Counter (or Other)" in refusal("two.py")
    assert "there is no module no_such_package" in refusal("no_such_package.module:Counter")
    assert "did you mean mine.py?" in refusal("mine")
    assert "write mine.py:MyProtocol" in refusal("my-package:Counter")
    (tmp_path / "notes.md").write_text("mine")
    assert "notes.md is no Python source file (*.py)" in refusal("notes.md")
    (tmp_path / "folder").mkdir()
    assert "is a folder" in refusal("./folder")
    assert "there is no file" in refusal("x" * 300 + ".py")
    assert "no built-in protocol" in refusal("x" * 300)


def test_a_syntax_error_in_the_file_shows_its_place(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n    pass\n")
    text = refusal("broken.py")
    assert f"{tmp_path / 'broken.py'}:2:7: SyntaxError" in text
    assert "def f(:" in text
    assert text.splitlines()[-1].endswith("^")


def test_an_error_in_the_file_shows_the_users_line_and_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import json\n\ndef read():\n    return json.loads('{')\n\nVALUE = read()\n")
    text = refusal("broken.py")
    assert f"{tmp_path / 'broken.py'}:4:12: JSONDecodeError" in text
    assert "return json.loads('{')" in text
    assert "Traceback" not in text
    assert "loading.py" not in text


def test_a_misused_word_of_the_language_shows_the_users_line(tmp_path: Path) -> None:
    source = user_file().replace("class Counter(Protocol):", 'class Counter(Protocol, refines="Other"):')
    (tmp_path / "broken.py").write_text(source)
    text = refusal("broken.py")
    assert "broken.py:6:" in text
    assert "TypeError" in text
    assert "language.py" not in text


def test_a_missing_import_of_the_user_is_his_not_a_missing_target(tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text("import no_such_thing_at_all\n")
    assert "needs.py:1:1: ModuleNotFoundError" in refusal("needs.py")
    assert "needs.py:1:1: ModuleNotFoundError" in refusal("needs:Counter")


def test_nearest() -> None:
    assert nearest("MaxLen", ["max_len", "other"]) == "; did you mean max_len?"
    assert nearest("zzz", ["one"]) == "; there is one"
    assert nearest("zzz", ["one", "two"]) == "; there are one, two"
    assert nearest("zzz", []) == "; there is none"
