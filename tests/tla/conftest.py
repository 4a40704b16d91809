"""The TLC that the tests of this folder run, with an archive in a cache of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from protocheck.toolchain.tlc.driver import Toolchain, find_toolchain


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    env = {**os.environ, "PROTOCHECK_CACHE": str(tmp_path_factory.mktemp("cache"))}
    return find_toolchain(env, archive="build")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where TLC runs; what a failed run leaves for inspection stays with the test."""
    place = tmp_path / "runs"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place
