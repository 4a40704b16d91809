"""Ctrl-C ends a check, not the program: what was found so far is still reported. A second one ends the program."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import AbstractContextManager, suppress
from types import FrameType, TracebackType
from typing import Any

_SAME = 0.5


class Interruptible(AbstractContextManager["Interruptible"]):
    """While the block runs, the first SIGINT sets `cancel` and a later one raises KeyboardInterrupt.

    What follows within half a second is the same one: some programs signal a process, and then its group. Outside of
    the main thread, and where SIGINT is ignored, nothing changes.
    """

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self._before: Any = None
        self._noted = 0.0

    def __enter__(self) -> Interruptible:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if before is signal.default_int_handler:
                self._before = before
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.cancel.is_set():
            if time.monotonic() - self._noted > _SAME:
                raise KeyboardInterrupt
            return
        self._noted = time.monotonic()
        self.cancel.set()
        if sys.stderr.isatty():
            # Written to the file itself: the handler may have interrupted a write to the stream above it.
            with suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), b"\nending the check; once more to leave at once\n")
