"""The public names of `protocheck.runtime`: they are there, and the scheduler's are had without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

import protocheck.runtime as runtime

SCHEDULER = ("adoption", "monitors", "recording", "scheduler", "waiting")
PROGRAM = """
import sys
names = {names!r}
import protocheck.runtime as runtime
from protocheck.protocols.rollback import Rollback
for name in names:
    assert getattr(runtime, name).__name__ == name
cache = runtime.Scheduler().adopt(Rollback(), monitors=runtime.invariants(Rollback))
cache.extend()
assert not {{"torch", "transformers", "jinja2", "lark", "networkx", "rich", "click"}} & set(sys.modules)
assert not any(name.startswith("protocheck.toolchain") for name in sys.modules)
"""


def test_the_table_of_names() -> None:
    assert list(runtime._LAZY) == sorted(runtime._LAZY)
    assert sorted(runtime._LAZY) == sorted(runtime.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Schedule'"):
        runtime.Schedule  # noqa: B018


def test_the_scheduler_needs_no_torch_and_no_tools() -> None:
    names = [name for name, module in runtime._LAZY.items() if module in SCHEDULER]
    assert len(names) > 10
    subprocess.run([sys.executable, "-c", PROGRAM.format(names=names)], check=True, timeout=120)
