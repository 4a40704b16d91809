"""`run --distributed`: what goes with it, and one run of each kind."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from protocheck.distribution import demand_fitting
from protocheck.toolchain.errors import UserError

from .test_process import COMMAND

FITTING: dict[str, Any] = {
    "engine": "tlc",
    "mutate": False,
    "workers": None,
    "distributed": True,
    "host": None,
    "port": None,
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"engine": "auto"}, "add --engine tlc"),
        ({"mutate": True}, "use --mutate at smaller bounds"),
        ({"workers": 0}, "with --host others may come"),
        ({"distributed": False, "host": "node1"}, "--host says where .* add --distributed"),
        ({"distributed": False, "port": 4711}, "--port says where .* add --distributed"),
        ({"distributed": False, "workers": 0}, "leaves nobody to work"),
    ],
)
def test_what_does_not_go_together(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        demand_fitting(**{**FITTING, **changes})


def test_what_does() -> None:
    demand_fitting(**FITTING)
    demand_fitting(**{**FITTING, "workers": 0, "host": "node1", "port": 4711})
    demand_fitting(**{**FITTING, "distributed": False, "workers": 3, "mutate": True, "engine": "auto"})


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, "run", *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_on_this_host_alone() -> None:
    done = run("rollback", "--engine", "tlc", "--distributed", "--workers", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    stats = json.loads(done.stdout)["baseline"]["stats"]["tlc"]
    assert (stats["distinct"], stats["generated"]) == (31, 189)


def test_others_are_invited() -> None:
    done = run("rollback", "--engine", "tlc", "--distributed", "--workers", "1", "--host", "localhost")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0] == "TLC's server waits; on each further host run, with the same tla2tools.jar:"
    assert lines[1].startswith("  java ")
    assert lines[1].endswith(" tlc2.tool.distributed.TLCWorker localhost")
    assert done.stdout.splitlines()[-1] == "✓ rollback holds within max_len=4"


def test_liveness_is_refused_before_anything_starts() -> None:
    done = run("dispatch", "--engine", "tlc", "--distributed")
    assert (done.returncode, done.stdout) == (2, "")
    assert "checks no liveness, and Dispatch has filled_in_the_end" in done.stderr
    assert "--property data_integrity --property no_collision" in done.stderr
