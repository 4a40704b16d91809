"""What a step may cost: the benchmark runs, and its bounds hold."""

from __future__ import annotations

import subprocess
import sys

from protocheck.dev import ROOT

ATTEMPTS = 4
"""A busy machine may disturb a short measurement; it does not do so each time."""


def test_a_scheduled_step_costs_what_it_may() -> None:
    command = [sys.executable, "-m", "benchmarks.scheduler", "--rounds", "7", "--steps", "4000", "--require"]
    output = ""
    for _ in range(ATTEMPTS):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        output = done.stdout + done.stderr
        # Anything but a missed bound is no matter of luck.
        assert done.returncode == 0 or "MISS" in done.stdout, output
        if done.returncode == 0:
            break
    assert done.returncode == 0, output
    for subject in ("protocol", "scheduled", "  and watched", "  and recorded", "  waited for", "  in a block"):
        assert output.count(f"\n{subject} ") == 2, (subject, output)
    assert "ok   dispatch: a scheduled step takes" in output
    assert "ok   rollback: a scheduled step takes" in output
