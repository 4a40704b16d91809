"""What docs/testing.md and docs/ci.md show can be used as it stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from protocheck.dev import ROOT
from protocheck.testing.configuration import _KINDS, prepare, read_entries

from ..packaging.documents import blocks

pytest_plugins = ["pytester"]

TESTING, CI, README = ROOT / "docs" / "testing.md", ROOT / "docs" / "ci.md", ROOT / "README.md"


def test_the_tests_that_are_shown_pass(pytester: pytest.Pytester) -> None:
    files = [block for block in blocks(TESTING) if block.role == "file"]
    assert [block.file for block in files] == ["test_rollback.py", "test_cache.py"]
    for block in files:
        (pytester.path / block.file).write_text(block.text, encoding="utf-8")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_cache_that_forgets_its_readers_fails_as_shown(pytester: pytest.Pytester) -> None:
    (cache,) = (block.text for block in blocks(TESTING) if block.file == "test_cache.py")
    wrong = cache.replace(" or any(end > length for end in self.readers.values())", "")
    assert wrong != cache
    # Looking for an explanation takes as long as all the rest.
    quick = "from hypothesis import Phase, settings\n"
    quick += "TestCache.settings = settings(deadline=None, phases=[Phase.generate, Phase.shrink])\n"
    (pytester.path / "test_cache.py").write_text(f"{wrong}\n{quick}", encoding="utf-8")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    (shown,) = (block.text for block in blocks(TESTING) if "rollback_refused(k=0)" in block.text)
    found = {_without_places(line) for line in result.stdout.lines}
    # Hypothesis calls it a test case or an example, depending on its version.
    expected = {_without_places(line) for line in shown.splitlines() if "Falsifying" not in line}
    assert expected <= found


def _without_places(line: str) -> str:
    return re.sub(r"[^\s(]*protocols/rollback\.py", "rollback.py", re.sub(r"^E\s*", "", line)).strip()


def test_the_table_that_is_shown_can_be_read(tmp_path: Path) -> None:
    (table,) = (block.text for block in blocks(TESTING) if block.language == "toml")
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    (lock,) = (block.text for block in blocks(README) if block.file == "lock.py")
    (tmp_path / "lock.py").write_text(lock, encoding="utf-8")
    file = tmp_path / "pyproject.toml"
    planned = prepare(file, read_entries(file))
    assert [(each.name, each.problem) for each in planned] == [
        ("Rollback", ""),
        ("a long cache", ""),
        ("WriteLock", ""),
    ]
    assert tomllib.loads(table)["tool"]["protocheck"]["protocols"][0] == "rollback"


def test_every_key_is_described() -> None:
    text = TESTING.read_text(encoding="utf-8")
    section = text[text.index("## `[tool.protocheck]`") : text.index("## An implementation")]
    described = {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert described == set(_KINDS)


def test_the_workflow_is_what_the_command_takes() -> None:
    """The options that the workflows name are there; YAML is for GitHub to read."""
    from protocheck.commands_run import run

    options = {name for parameter in run.params for name in parameter.opts}
    commands = re.findall(r"protocheck run (.*)$", CI.read_text(encoding="utf-8"), re.MULTILINE)
    used = {word for command in commands for word in re.findall(r"--[\w-]+", command)}
    assert {"--mutate", "--junit", "--trace"} <= used <= options
