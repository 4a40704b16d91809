"""The benchmark of steps runs and prints a ratio for each of its subjects; how large they are is not tested here."""

from __future__ import annotations

import subprocess
import sys

from protocheck.dev import ROOT


def test_the_benchmark_of_steps_runs() -> None:
    command = [sys.executable, "-m", "benchmarks.scheduler", "--rounds", "2", "--steps", "500"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for subject in ("protocol", "scheduled", "  and watched", "  and recorded", "  waited for", "  in a block"):
        assert done.stdout.count(f"\n{subject} ") == 2, (subject, done.stdout)
    assert "dispatch: a scheduled step takes" in done.stdout
    assert "rollback: a scheduled step takes" in done.stdout
