"""The TLC that the tests of this folder run, with an archive in a cache of its own."""

from __future__ import annotations

import os

import pytest

from protocheck.toolchain.tlc.driver import Toolchain, find_toolchain


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    env = {**os.environ, "PROTOCHECK_CACHE": str(tmp_path_factory.mktemp("cache"))}
    return find_toolchain(env, archive="build")
