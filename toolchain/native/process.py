"""Running a compiled search, and reading what it prints."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ..results import Progress
from ..tlc.errors import RunError
from ..tlc.process import run_process

GRACE = 5.0
"""Seconds after its own time is up until a search is ended from outside."""


STATE_BYTES, STEP_BYTES = 600, 100
"""What a state and a step take of this process's memory, about, where a fair cycle is looked for among them."""


@dataclass(frozen=True)
class Limits:
    """Of a search: threads, bytes that it may use, and distinct states and seconds, None for any number."""

    threads: int
    memory: int
    states: int | None
    seconds: float | None


@dataclass(frozen=True)
class Found:
    """A violation: its kind, the number of states of the trace, whether that goes a step beyond the path, and the path
    of packed states. No path where init itself violates."""

    kind: int
    length: int
    beyond: bool
    path: tuple[int, ...]


@dataclass
class Outcome:
    """What a search printed, as far as it came."""

    distinct: int = 0
    generated: int = 0
    depth: int = 0
    initial: int = 0
    unchanged: int = 0
    taken: tuple[int, ...] = ()
    bytes: int = 0
    seconds: float = 0.0
    reached: set[int] = field(default_factory=set)
    liveness: dict[int, bool] = field(default_factory=dict)
    stopped: str = ""
    violation: Found | None = None
    begun: int | None = None
    """The kind of a violation, as soon as it is known: the way there takes longer."""
    states: list[int] = field(default_factory=list)
    too_many: bool = False
    """Whether all states were written, and are more than can be read."""
    ended: bool = False


class Crashed(RunError):
    """The search did not end as it should: a bug in it, or somebody ended it."""


def run_search(
    executable: Path,
    limits: Limits,
    *,
    words: int,
    with_states: bool,
    on_progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    under: Sequence[str] = (),
) -> Outcome:
    """Run a search to its end.

    `with_states`: all states are read as well, in breadth-first order, where it finishes; where it judges liveness,
    only if that is violated. `under` is a command that the search is an argument of: one that measures it, say.

    Raises:
        Crashed: it did not end by itself, or printed what makes no sense.
    """
    reader = _Reader(on_progress)
    if limits.seconds is not None:
        reader.deadline = time.monotonic() + limits.seconds + GRACE
    with tempfile.TemporaryDirectory(prefix="protocheck-native-") as name:
        directory = Path(name)
        states = directory / "states"
        done = run_process(
            [
                *under,
                str(executable),
                str(limits.threads),
                str(limits.memory),
                str(limits.states or 0),
                repr(limits.seconds or 0.0),
                str(states) if with_states else "-",
                str(0 if under else os.getpid()),
            ],
            directory=directory,
            stdout=directory / "stdout",
            stderr=directory / "stderr",
            on_line=reader.line,
            enough=reader.is_late,
            cancel=cancel,
        )
        reader.close(whole=(directory / "stdout").read_bytes()[-1:] == b"\n")
        outcome = reader.outcome
        if done.ended == "cancelled":
            outcome.stopped = "cancelled"
            return outcome
        if done.ended == "enough":
            outcome.stopped = "time"
            return outcome
        if done.exit_status != 0 or not outcome.ended:
            _crashed(done.exit_status, reader, (directory / "stderr").read_text(errors="replace"))
        if with_states and states.exists():
            needed = outcome.distinct * STATE_BYTES + outcome.generated * STEP_BYTES
            outcome.too_many = needed > limits.memory
            outcome.states = [] if outcome.too_many else _read_states(states, words)
    return outcome


def _crashed(status: int, reader: _Reader, errors: str) -> NoReturn:
    if status == -signal.SIGKILL:
        raise Crashed(
            "The native search was killed.",
            reason="The system does that to a process when memory runs out.",
            remedy="Give it less with --memory.",
        )
    how = f"with signal {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
    raise Crashed(
        f"The native search ended {how}.",
        reason=reader.failure or (errors.strip().splitlines() or ["It said nothing."])[-1],
        remedy="This is a bug of protocheck's; --engine explorer does without it.",
    )


def _read_states(path: Path, words: int) -> list[int]:
    numbers = array("Q")
    numbers.frombytes(path.read_bytes())
    if words == 1:
        return numbers.tolist()
    flat = numbers.tolist()
    return [
        sum(word << 64 * place for place, word in enumerate(flat[start : start + words]))
        for start in range(0, len(flat), words)
    ]


class _Reader:
    """Reads lines as they come: what tells how far it is at once, any other when the next one is there or when it is
    known to be whole, since the last one may be cut."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self.on_progress = on_progress
        self.outcome = Outcome()
        self.failure = ""
        self.deadline: float | None = None
        self._held = ""
        self._started = time.perf_counter()
        self._violation: tuple[int, int, str] | None = None

    def is_late(self) -> bool:
        """Whether its time is up: beyond what it was given, and what it has asked for to decide."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def line(self, text: str) -> None:
        """One more line."""
        if text.startswith(("progress ", "deciding ")):
            self._read(text)
        else:
            self._read(self._held)
            self._held = text

    def close(self, *, whole: bool) -> None:
        """There are no more; `whole` says whether the last one was."""
        if whole:
            self._read(self._held)

    def _read(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        fields = rest.split()
        outcome = self.outcome
        match word:
            case "progress":
                distinct, generated, depth, queue = map(int, fields)
                outcome.distinct, outcome.generated, outcome.depth = distinct, generated, depth
                outcome.seconds = time.perf_counter() - self._started
                if self.on_progress is not None:
                    self.on_progress(Progress("native", distinct, generated, depth, queue, outcome.seconds))
            case "deciding":
                if self.deadline is not None:
                    self.deadline = max(self.deadline, time.monotonic() + float(fields[0]) + GRACE)
            case "counts":
                outcome.distinct, outcome.generated, outcome.depth = map(int, fields[:3])
                outcome.initial, outcome.unchanged = int(fields[3]), int(fields[4])
            case "taken":
                outcome.taken = tuple(map(int, fields))
            case "bytes":
                outcome.bytes = int(fields[0])
            case "seconds":
                outcome.seconds = float(fields[0])
            case "reached":
                outcome.reached.add(int(fields[0]))
            case "liveness":
                outcome.liveness[int(fields[0])] = fields[1] == "holds"
            case "stopped":
                outcome.stopped = fields[0]
            case "violation":
                self._violation = int(fields[0]), int(fields[1]), fields[2]
                outcome.begun = int(fields[0])
                if fields[2] == "nowhere":
                    outcome.violation = Found(int(fields[0]), int(fields[1]), False, ())
            case "path" if self._violation is not None:
                kind, length, where = self._violation
                outcome.violation = Found(kind, length, where == "step", tuple(int(item, 16) for item in fields))
            case "failed":
                self.failure = rest
            case "end":
                outcome.ended = True
