"""Where the command begins: a signal that comes while the command line is still being loaded ends it quietly.

Loading takes a tenth of a second, in which an interrupt would end in a traceback. Nothing has been started by then that
would have to be ended, so that the process may stop where it is. From then on the command line unwinds (`cli`).
"""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def end_at_once(number: int, _: FrameType | None) -> None:
    """A handler of signals: says in a word what has happened, and ends the process with the code that shells expect."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, b"interrupted\n" if number == signal.SIGINT else b"terminated\n")
    os._exit(128 + number)


def main() -> None:
    """The entry point of the command."""
    caught = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]  # some systems have no SIGHUP
    # One that is ignored (by `nohup`, say) stays ignored.
    caught = [number for number in caught if signal.getsignal(number) is not signal.SIG_IGN]
    for number in caught:
        signal.signal(number, end_at_once)
    from .cli import main as command_line

    try:
        if signal.SIGINT in caught:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command_line()
    except KeyboardInterrupt:
        end_at_once(signal.SIGINT, None)  # between two lines of ours; the command line itself lets none out
