"""Recordings of runs as NDJSON: every step that instances took, in order, with what it changed.

Lines are kept as they come, which costs little, and written in batches: the thread that fills a batch writes it, after
its step. Memory is bounded by a few batches, the file by `max_bytes`; lines beyond that are counted, the last line says
how many, and closing warns. The format, docs/scheduler.md, holds what a replay needs: constants, the state at the
start, and for every step its action, its arguments and the new values, in the Informal Trace Format.
"""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TextIO

from ..transpiler import domains
from ..transpiler.domains import Domain
from ..transpiler.instance import Instance
from ..transpiler.itf import EXACT, encode

FORMAT: Final = "protocheck-recording"
VERSION: Final = 1

Kind = Literal["step", "refused", "violated", "undone"]
Line = tuple[Kind, "Track", int, str, str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]
"""kind, instance, monotonic nanoseconds, thread, action, arguments, changes, and whatever else the kind has."""

BEHIND = 4
"""So many batches are kept while another thread writes; beyond that, steps wait for the writing."""

RESERVED = 512
"""Bytes of the limit that are kept for the last line."""


class RecordingTruncated(UserWarning):
    """A recording was closed that lacks lines: it had reached its size limit, or could not be written."""


class Recorder:
    """Writes what the instances of one or several schedulers do to a file; thread-safe.

    Use it in a `with` statement, or close it: what was not written by then is lost, and the last line is missing.

    `target` is a path, which is created or overwritten, or a text stream, which stays open. `max_bytes` limits the
    file; `batch` is the number of lines written at a time (1 writes each line at once, so that a killed process loses
    none); with `refusals` steps that guards refused are recorded too, except the attempts of a thread that waits.

    `written` and `lost` count lines, the last one apart. A failing disk does not disturb the run: `close` warns of it
    and raises the `OSError`.
    """

    def __init__(
        self,
        target: str | Path | TextIO,
        *,
        max_bytes: int = 256 * 2**20,
        batch: int = 512,
        refusals: bool = False,
    ) -> None:
        if batch < 1:
            raise ValueError(f"a batch holds at least one line, not {batch}")
        if max_bytes < 4 * RESERVED:
            raise ValueError(f"max_bytes must be at least {4 * RESERVED}, not {max_bytes}")
        self.refusals = refusals
        self.written = 0
        self.lost = 0
        self.error: OSError | ValueError | None = None
        self.closed = False
        self._room, self._batch = max_bytes - RESERVED, batch
        self._lines: list[Line | Track] = []
        self._flushed: list[Line | Track] = []
        self._names: set[str] = set()
        self._number = 0
        # One lock for the lines that wait, one for the file, taken in the order file, lines.
        self._lines_lock, self._file_lock = threading.Lock(), threading.Lock()
        self._owned = isinstance(target, (str, Path))
        self._file: TextIO = open(target, "w", encoding="utf-8") if isinstance(target, (str, Path)) else target  # noqa: SIM115
        self._start = time.monotonic_ns()
        wall = time.time_ns()
        header = {
            "format": FORMAT,
            "version": VERSION,
            "started": datetime.fromtimestamp(wall // 10**9, UTC).isoformat(),
            "started_ns": wall,
            "clock": "nanoseconds since the start, monotonic",
            "values": "ITF",
        }
        if self._put([json.dumps(header) + "\n"]):
            self.written = 1

    # ------------------------------------------------------------------------------------------------ what is taken

    def track(
        self,
        name: str,
        instance: Instance,
        module: str,
        state: Mapping[str, Any],
        monitors: tuple[str, ...],
    ) -> Track:
        """Announce an instance. Its name is made unique, `walk`, `walk_2`, since one recording may see many."""
        if self.closed:
            raise ValueError("the recording is closed")
        with self._lines_lock:
            unique, number = name, 2
            while unique in self._names:
                unique, number = f"{name}_{number}", number + 1
            self._names.add(unique)
            track = Track(unique, instance, module, dict(state), monitors, time.monotonic_ns())
            self._lines.append(track)
        return track

    def add_undone(self, lines: Sequence[Line], error: BaseException) -> None:
        """Keep the lines of a block that has failed: what was taken was undone, what was refused was so in vain."""
        text = f"{type(error).__name__}: {error}"
        self.add(
            [line if line[0] == "violated" else ("undone", *line[1:7], {**line[7], "error": text}) for line in lines]
        )

    def add(self, lines: Sequence[Line]) -> None:
        """Keep lines, all of them or none; they are written when the batch is full, see `due`."""
        with self._lines_lock:
            self._lines.extend(lines)
        if self.closed and lines:
            self.flush()
            warnings.warn("a step was taken after the recording was closed; it is not in it", RecordingTruncated, 3)
        if len(self._lines) >= BEHIND * self._batch:
            self.flush()

    def has(self, line: Line) -> bool:
        """Whether a line that was taken a moment ago, if at all, is there."""
        with self._lines_lock:
            return any(each is line for each in (*self._lines, *self._flushed))

    @property
    def due(self) -> bool:
        """Whether a batch is full; whoever filled it calls `flush` as soon as it holds no lock."""
        return len(self._lines) >= self._batch

    # ---------------------------------------------------------------------------------------------- what is written

    def flush(self) -> None:
        """Write every line that was taken so far."""
        with self._file_lock:
            with self._lines_lock:
                lines = self._flushed = self._lines
                self._lines = []
            written = 0
            try:
                # Once a line is lost all later ones are: what is there can be replayed, up to a point that is known.
                texts = self._fitting(lines) if not (self.closed or self.lost or self.error) else []
                if texts and self._put(texts):
                    written = len(texts)
            finally:
                # An interrupt must not lose lines silently either.
                self._number += len(lines)
                self.written += written
                self.lost += len(lines) - written

    def close(self) -> None:
        """Write what is left and the last line. Warns where lines were lost, raises the `OSError` of a failed disk."""
        if self._finish() and self.error is not None:
            raise self.error

    def _finish(self) -> bool:
        """Whether this call has closed it."""
        self.flush()
        with self._file_lock:
            if self.closed:
                return False
            last = {"seq": self._number, "time": time.monotonic_ns() - self._start, "kind": "end"}
            if self.error is None:
                self._put([json.dumps({**last, "lines": self.written, "lost": self.lost}) + "\n"])
            if self._owned:
                self._guarded(self._file.close)
            self.closed = True
        if self.lost or self.error is not None:
            text = f"the recording lacks {self.lost} lines: {self.error or 'it has reached its size limit'}"
            warnings.warn(text, RecordingTruncated, stacklevel=3)
        return True

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # What went wrong in the block matters more than what went wrong with the file, which was warned of.
        if kind is None:
            self.close()
        else:
            self._finish()

    def _fitting(self, lines: Sequence[Line | Track]) -> list[str]:
        """The lines as text, as many as there is room for."""
        texts = []
        for number, line in enumerate(lines, self._number):
            text = self._text(number, line) if isinstance(line, tuple) else line.text(number, line.time - self._start)
            self._room -= len(text)  # nothing but ASCII
            if self._room < 0:
                break
            texts.append(text)
        return texts

    def _text(self, number: int, line: Line) -> str:
        kind, track, at, thread, action, arguments, changes, more = line
        text = (
            f'{{"seq": {number}, "time": {at - self._start}, "thread": {_quoted(thread)}, "kind": "{kind}", '
            f'"of": {track.label}, "action": "{action}", "args": {track.arguments(action, arguments)}, '
            f'"changes": {track.values(changes)}'
        )
        for name, value in more.items():
            text += f', "{name}": {json.dumps(value)}'
        return text + "}\n"

    def _put(self, texts: Sequence[str]) -> bool:
        def act() -> None:
            self._file.write("".join(texts))
            self._file.flush()

        return self._guarded(act)

    def _guarded(self, act: Callable[[], object]) -> bool:
        """Whether it could be done; a stream that its owner has closed raises a ValueError."""
        try:
            act()
        except (OSError, ValueError) as error:
            self.error = self.error or error
            return False
        return True


class Track:
    """One instance in a recording: how its name, its arguments and its values are written."""

    def __init__(
        self,
        name: str,
        instance: Instance,
        module: str,
        state: Mapping[str, Any],
        monitors: tuple[str, ...],
        started: int,
    ) -> None:
        self.name, self.instance, self.module, self.state = name, instance, module, state
        self.monitors, self.time = monitors, started
        self.label = json.dumps(name)
        self._parameters: dict[str, dict[str, Domain]] = {}
        for (action, parameter), domain in instance.parameters.items():
            self._parameters.setdefault(action, {})[parameter] = domain

    def arguments(self, action: str, values: Mapping[str, Any]) -> str:
        return _object(values, self._parameters.get(action, {}))

    def values(self, values: Mapping[str, Any]) -> str:
        return _object(values, self.instance.variables)

    def text(self, number: int, time: int) -> str:
        """The line that announces it."""
        protocol = self.instance.protocol
        described = json.dumps(
            {
                "seq": number,
                "time": time,
                "kind": "instance",
                "of": self.name,
                "protocol": protocol.name,
                "module": self.module,
                "dropped": protocol.dropped,
                "constants": {name: encode(value) for name, value in self.instance.constants.items()},
                "monitors": list(self.monitors),
                "state": json.loads(self.values(self.state)),
            }
        )
        return described + "\n"


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _object(values: Mapping[str, Any], known: Mapping[str, Domain]) -> str:
    if not values:
        return "{}"
    return "{" + ", ".join(f'"{name}": {_value(value, known.get(name))}' for name, value in values.items()) + "}"


def _value(value: Any, domain: Domain | None) -> str:
    """ITF as text; what is most frequent first, written by hand since json.dumps costs several times as much."""
    kind = type(value)
    if kind is int and -EXACT <= value <= EXACT:
        return repr(value)
    if kind is str:
        return _quoted(value)
    if kind is bool:
        return "true" if value else "false"
    if (
        kind is tuple
        and isinstance(domain, domains.SequenceDomain)
        and isinstance(domain.element, domains.IntDomain)
        and all(type(item) is int and -EXACT <= item <= EXACT for item in value)
    ):
        return repr(list(value))
    return json.dumps(encode(value, domain))
