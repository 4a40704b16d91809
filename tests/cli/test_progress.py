"""Progress is shown at a terminal, after a while, on standard error, and leaves nothing behind."""

from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import replace

import pytest

from protocheck.pace import Pace, PaceMeter, pace
from protocheck.progress import ProgressDisplay, progress_json, progress_text
from protocheck.toolchain.check import Activity, check_protocol
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.results import CheckJob, EngineResult, Progress
from protocheck.transpiler.instance import instantiate

from ..handmade import MACHINES

PROGRESS = Progress("explorer", 31_234, 189_000, 9, 1200, 0.5)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_says_where_a_check_is() -> None:
    baseline = Activity("", PROGRESS, 0, 0)
    rates = Pace(62_468, 378_000)
    line = "baseline, explorer: 31,234 states, 62 k states/s, 378 k steps/s, depth 9, queue 1,200, 3 s"
    assert progress_text(baseline, 3.2, rates) == line
    assert (
        progress_text(baseline, 3.2, replace(rates, remaining=12.4, basis="at least")) == f"{line}, at least 12 s left"
    )
    assert progress_text(baseline, 3.2, replace(rates, remaining=240, basis="estimate")) == f"{line}, about 4 min left"
    assert progress_text(baseline, 3.2, replace(rates, remaining=9000, basis="estimate")).endswith("about 2.5 h left")
    # What was told long ago is no basis for what is left now.
    assert progress_text(baseline, 63, replace(rates, remaining=12, basis="at least"), 60).endswith("as of 60 s ago")
    variant = Activity("rollback.shrinks", replace(PROGRESS, phase="ends"), 3, 5)
    assert progress_text(variant, 3.2, rates).startswith("without rollback.shrinks (4 of 5), explorer (ends): ")
    assert progress_text(None, 2) == "starting … 2 s"
    assert ", 940 states/s, 34.4 M steps/s, " in progress_text(baseline, 3, Pace(940, 34_421_157))


def test_the_same_as_json() -> None:
    data = json.loads(
        progress_json(Activity("", PROGRESS, 0, 0, 50_000), 3.24, Pace(10.4, 20.6, 1.25, "estimate"), 0.5)
    )
    assert data == {
        "event": "progress",
        "seconds": 3.2,
        "guard": None,
        "engine": "explorer",
        "phase": None,
        "distinct": 31_234,
        "generated": 189_000,
        "depth": 9,
        "queue": 1200,
        "age": 0.5,
        "states_per_second": 10,
        "steps_per_second": 21,
        "expected": 50_000,
        "remaining": 1.2,
        "remaining_is": "estimate",
    }
    assert json.loads(progress_json(None, 2.0)) == {"event": "progress", "seconds": 2.0}


def test_what_is_left_is_an_estimate_only_where_the_whole_is_known() -> None:
    earlier = Progress("tlc", 1_000, 5_000, 5, 600, 1.0)
    now = Progress("tlc", 3_000, 15_000, 9, 1_600, 3.0)
    # 400 states were looked at, then 1,400: 500 a second.
    assert pace(earlier, now) == Pace(1_000, 5_000, 1_600 / 500, "at least")
    assert pace(earlier, now, expected=10_400) == Pace(1_000, 5_000, 9_000 / 500, "estimate")
    assert pace(None, now) == Pace(1_000, 5_000, 1_600 / (1_400 / 3), "at least")
    # A number of states that is too small is no whole; an empty queue, and a search that stands still, tell nothing.
    assert pace(earlier, now, expected=2_999).basis == "at least"
    assert pace(earlier, replace(now, queue=0)).basis is None
    assert pace(earlier, replace(earlier, seconds=4.0)) == Pace(0, 0)
    assert pace(now, now).basis == "at least"


def test_rates_are_those_of_the_last_while_of_one_search() -> None:
    meter = PaceMeter()
    for second in range(1, 101):
        # Ten states a second, and after a minute one.
        found = 10 * second if second <= 60 else 600 + second - 60
        meter.take(last := Activity("", Progress("explorer", found, found, 3, 0, float(second)), 0, 0))
    assert meter.pace(last).states_per_second == pytest.approx(1, abs=0.2)
    meter.take(other := Activity("", Progress("tlc", 50, 50, 3, 0, 10.0), 0, 0))
    assert meter.pace(other).states_per_second == 5
    meter.take(again := Activity("", Progress("tlc", 8, 8, 1, 0, 4.0), 0, 0))
    assert meter.pace(again).states_per_second == 2


@pytest.mark.parametrize("mode", ["plain", "json"])
def test_lines_for_a_log(mode: str) -> None:
    stream = io.StringIO()
    with ProgressDisplay(stream, delay=0.01, mode=mode, interval=0.02) as display:  # type: ignore[arg-type]
        display.show(Activity("", PROGRESS, 0, 0))
        deadline = time.monotonic() + 10
        while stream.getvalue().count("\n") < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 3
    for line in lines[1:]:
        if mode == "json":
            assert json.loads(line)["distinct"] == 31_234
        else:
            assert line.startswith("baseline, explorer: 31,234 states, ")


def test_off_is_off_at_a_terminal_too() -> None:
    stream = Terminal()
    with ProgressDisplay(stream, delay=0, mode="off") as display:
        display.show(Activity("", PROGRESS, 0, 0))
        time.sleep(0.05)
    assert stream.getvalue() == ""


def test_a_short_check_shows_nothing() -> None:
    stream = Terminal()
    with ProgressDisplay(stream, delay=30) as display:
        display.show(Activity("", PROGRESS, 0, 0))
    assert stream.getvalue() == ""


def test_a_long_check_shows_its_state_and_wipes_it_away() -> None:
    stream = Terminal()
    with ProgressDisplay(stream, delay=0.01) as display:
        display.show(Activity("", PROGRESS, 0, 0))
        deadline = time.monotonic() + 10
        while "31,234 states" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
    written = stream.getvalue()
    assert "31,234 states" in written
    # Transient: the line is erased at the end.
    assert written.rstrip().endswith("\x1b[2K")


def test_nothing_is_shown_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with ProgressDisplay(stream, delay=0) as display:
        display.show(Activity("", PROGRESS, 0, 0))
        time.sleep(0.05)
    assert stream.getvalue() == ""
    assert ProgressDisplay()._stream is sys.stderr


def test_the_search_for_fair_cycles_is_told_as_one() -> None:
    told: list[Progress] = []
    instance = instantiate(MACHINES["dispatch"]())
    assert ExplorerEngine().check(CheckJob(instance, on_progress=told.append)).status == "holds"
    assert [(report.phase, report.queue) for report in told] == [("fair cycles", 0)]


def test_what_one_engine_has_counted_is_expected_of_the_other() -> None:
    seen: list[Activity] = []

    class Slow:
        name, version = "slow", "1"

        def check(self, job: CheckJob) -> EngineResult:
            deadline = time.monotonic() + 10
            assert job.on_progress is not None
            while not any(activity.expected for activity in seen) and time.monotonic() < deadline:
                job.on_progress(Progress("slow", 3, 9, 2, 1, 0.5))
                time.sleep(0.01)
            job.on_progress(Progress("slow", 3, 9, 2, 1, 0.6, phase="something else"))
            return EngineResult("slow", "1", "inconclusive", reason="slow")

    report = check_protocol(MACHINES["rollback"](), engines=[ExplorerEngine(), Slow()], on_activity=seen.append)
    assert report.baseline.status == "holds"
    assert seen[-2].expected == 31
    assert seen[-1].expected is None
