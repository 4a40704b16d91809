"""The native engine's tests need a C compiler; where there is none they say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocheck.toolchain.native.compiler import CompilerNotFound, find_compiler


@pytest.fixture(autouse=True)
def _compiler() -> None:
    try:
        find_compiler()
    except CompilerNotFound as error:
        pytest.skip(error.problem)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the test's own."""
    monkeypatch.setenv("PROTOCHECK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
