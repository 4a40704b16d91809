"""How far a check has come, on standard error, once it takes longer than two seconds.

At a terminal a line that is drawn over and over; elsewhere nothing, unless lines are asked for: words, or JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TextIO

from .pace import Pace, PaceMeter

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from .toolchain.check import Activity

Mode = Literal["auto", "plain", "json", "off"]
MODES: tuple[Mode, ...] = ("auto", "plain", "json", "off")

DELAY = 2.0
INTERVAL = 10.0
"""Seconds between two lines in a log."""

_STALE = 5.0


class ProgressDisplay(AbstractContextManager["ProgressDisplay"]):
    """Shows progress by a timer, so that an engine which reports rarely still shows that it works.

    A check that ends within `delay` imports nothing and shows nothing. `active` overrides whether `stream` is a
    terminal, which is what "auto" asks.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        delay: float = DELAY,
        active: bool | None = None,
        *,
        mode: Mode = "auto",
        interval: float = INTERVAL,
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._mode = mode
        terminal = self._stream.isatty() if active is None else active
        self._active = mode in ("plain", "json") or (mode == "auto" and terminal)
        self._delay = delay
        self._interval = interval
        self._started = time.monotonic()
        self._latest: Activity | None = None
        self._told = self._started
        self._meter = PaceMeter()
        self._live: Live | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ProgressDisplay:
        if self._active:
            self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with self._lock:
            self._active = False
            live, self._live = self._live, None
        if live is not None:
            live.stop()
        if self._thread is not None and kind is None:
            self._thread.join()

    def show(self, activity: Activity) -> None:
        """Remember what an engine reported last; called from any thread."""
        with self._lock:
            self._latest, self._told = activity, time.monotonic()
            self._meter.take(activity)

    def _run(self) -> None:
        if self._ended.wait(self._delay):
            return
        if self._mode == "auto":
            self._begin()
            return
        while True:
            with suppress(OSError, ValueError):  # nobody reads it any more: the check goes on
                self._stream.write(self._line() + "\n")
                self._stream.flush()
            if self._ended.wait(self._interval):
                return

    def _begin(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with self._lock:
            if self._active:
                console = Console(file=self._stream, highlight=False)
                self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)
                self._live.start()

    def _render(self) -> Text:
        from rich.text import Text

        return Text(self._line(), no_wrap=True, overflow="ellipsis")

    def _line(self) -> str:
        # No lock: the display is drawn under one already, and a report that is one moment old is as good.
        now = time.monotonic()
        latest = self._latest
        measured = self._meter.pace(latest) if latest is not None else None
        describe = progress_json if self._mode == "json" else progress_text
        return describe(latest, now - self._started, measured, now - self._told)


def progress_text(activity: Activity | None, seconds: float, measured: Pace | None = None, age: float = 0.0) -> str:
    """One line: what is explored, by which engine, states, rates, depth, queue, time, and what is known of the rest.

    `seconds` is the time of the whole check, `age` that of what the engine reported last.
    """
    if activity is None or measured is None:
        return f"starting … {seconds:.0f} s"
    progress = activity.progress
    parts = [
        f"{_subject(activity)}, {progress.engine}{f' ({progress.phase})' if progress.phase else ''}: "
        f"{progress.distinct:,} states",
        f"{_rate(measured.states_per_second)} states/s",
        f"{_rate(measured.steps_per_second)} steps/s",
        f"depth {progress.depth}",
        f"queue {progress.queue:,}",
        f"{seconds:.0f} s",
    ]
    if age > _STALE:
        parts.append(f"as of {age:.0f} s ago")
    elif measured.remaining is not None:
        parts.append(f"{'about' if measured.basis == 'estimate' else 'at least'} {_duration(measured.remaining)} left")
    return ", ".join(parts)


def progress_json(activity: Activity | None, seconds: float, measured: Pace | None = None, age: float = 0.0) -> str:
    """The same as one JSON object; see docs/report.md."""
    data: dict[str, object] = {"event": "progress", "seconds": round(seconds, 1)}
    if activity is not None and measured is not None:
        progress = activity.progress
        data |= {
            "guard": activity.subject or None,
            "engine": progress.engine,
            "phase": progress.phase or None,
            "distinct": progress.distinct,
            "generated": progress.generated,
            "depth": progress.depth,
            "queue": progress.queue,
            "age": round(age, 1),
            "states_per_second": round(measured.states_per_second),
            "steps_per_second": round(measured.steps_per_second),
            "expected": activity.expected,
            "remaining": None if measured.remaining is None else round(measured.remaining, 1),
            "remaining_is": measured.basis,
        }
    return json.dumps(data)


def _subject(activity: Activity) -> str:
    if not activity.subject:
        return "baseline"
    return f"without {activity.subject} ({activity.done + 1} of {activity.total})"


def _rate(value: float) -> str:
    """`940`, `62 k`, `34.4 M`: the line has to fit, and a rate is never exact."""
    if value < 10_000:
        return f"{value:,.0f}"
    return f"{value / 1e3:,.0f} k" if value < 1e6 else f"{value / 1e6:,.1f} M"


def _duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`: as exact as a guess deserves."""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
