"""Fixtures for the tests that run the real TLC: the one of the wheel, whatever the machine has besides."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.archive import ensure_archive
from protocheck.toolchain.tlc.driver import Toolchain
from protocheck.toolchain.tlc.jars import TlcJar, find_tlc_jar
from protocheck.toolchain.tlc.java import Java, find_java, java_candidates


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `any_java` runs with each Java there is: that of the PATH, and that of the wheel."""
    if "any_java" in metafunc.fixturenames:
        found = [each.java for each in java_candidates() if each.java is not None and each.origin != "JAVA_HOME"]
        metafunc.parametrize("any_java", found, ids=[f"{java.origin}-{java.major}" for java in found])


@pytest.fixture(scope="session")
def session_env(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment with a cache of its own, so that nothing of the user's is read or written."""
    return {"PROTOCHECK_CACHE": str(tmp_path_factory.mktemp("cache")), "PATH": ""}


@pytest.fixture(scope="session")
def jar(session_env: Mapping[str, str]) -> TlcJar:
    return find_tlc_jar(session_env)


@pytest.fixture(scope="session")
def java() -> Java:
    return find_java()


@pytest.fixture(scope="session")
def toolchain(java: Java, jar: TlcJar, session_env: Mapping[str, str]) -> Toolchain:
    """With an archive, since the tests make many short runs."""
    return Toolchain(java, jar, ensure_archive(java, jar, session_env))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place for temporary files, empty, so that whatever stays behind is seen."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place
