"""Progress is shown at a terminal, after a while, on standard error, and leaves nothing behind."""

from __future__ import annotations

import io
import sys
import time

from protocheck.progress import ProgressDisplay, progress_text
from protocheck.toolchain.check import Activity
from protocheck.toolchain.results import Progress

PROGRESS = Progress("explorer", 31_234, 189_000, 9, 1200, 0.5)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_says_where_a_check_is() -> None:
    baseline = Activity("", PROGRESS, 0, 0)
    assert progress_text(baseline, 3.2) == (
        "baseline, explorer: 31,234 states, 378,000 steps/s, depth 9, queue 1,200, 3 s"
    )
    variant = Activity("rollback.shrinks", PROGRESS, 3, 5)
    assert progress_text(variant, 3.2).startswith("without rollback.shrinks (4 of 5), explorer: ")
    assert progress_text(None, 2) == "starting … 2 s"


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
