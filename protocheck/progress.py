"""How far a check has come, on standard error: only at a terminal, and only once it takes longer than two seconds."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from .toolchain.check import Activity

DELAY = 2.0


class ProgressDisplay(AbstractContextManager["ProgressDisplay"]):
    """A line that is drawn by a timer, so that an engine which reports rarely still shows that it works.

    A check that ends within `delay` imports nothing and draws nothing.
    """

    def __init__(self, stream: TextIO | None = None, delay: float = DELAY, active: bool | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._active = self._stream.isatty() if active is None else active
        self._delay = delay
        self._started = time.monotonic()
        self._latest: Activity | None = None
        self._live: Live | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> ProgressDisplay:
        if self._active:
            self._timer = threading.Timer(self._delay, self._begin)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._active = False
            live, self._live = self._live, None
        if self._timer is not None:
            self._timer.cancel()
        if live is not None:
            live.stop()

    def show(self, activity: Activity) -> None:
        """Remember what an engine reported last; called from any thread."""
        self._latest = activity

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

        seconds = time.monotonic() - self._started
        return Text(progress_text(self._latest, seconds), no_wrap=True, overflow="ellipsis")


def progress_text(activity: Activity | None, seconds: float) -> str:
    """One line: what is explored, by which engine, states, steps a second, depth, queue, and time."""
    elapsed = f"{seconds:.0f} s"
    if activity is None:
        return f"starting … {elapsed}"
    progress = activity.progress
    subject = (
        f"without {activity.subject} ({activity.done + 1} of {activity.total})" if activity.subject else "baseline"
    )
    rate = progress.generated / progress.seconds if progress.seconds > 0 else 0
    return (
        f"{subject}, {progress.engine}: {progress.distinct:,} states, {rate:,.0f} steps/s, "
        f"depth {progress.depth}, queue {progress.queue:,}, {elapsed}"
    )
