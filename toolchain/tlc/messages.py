"""Read the stream that ``-tool`` makes TLC print.

Before::

    : @!@!@STARTMSG 2132:0 @!@!@
    The first argument of Assert evaluated to FALSE
    @!@!@ENDMSG 2132 @!@!@

After: a `Message` with a code, a severity, its text and the messages nested in it. A message may start in mid-line and
messages nest, so there is a stack. Text outside of messages (the parser's errors, ``PrintT``) is kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

INFORMATION: Final = 0
ERROR: Final = 1
WARNING: Final = 3
STATE: Final = 4

_MARK = re.compile(r"@!@!@(?:STARTMSG (-?\d+):(-?\d+)|ENDMSG (-?\d+)) @!@!@")


@dataclass(frozen=True)
class Message:
    """One message of TLC's.

    Attributes:
        code: its number, which is what to go by; the wording changes between versions.
        severity: `INFORMATION`, `ERROR`, `WARNING` or `STATE`; TLC may add others.
        text: what it says, that of nested messages included where they stood.
        nested: the messages inside it.
    """

    code: int
    severity: int
    text: str
    nested: tuple[Message, ...] = ()

    def flattened(self) -> Iterator[Message]:
        """This message, then all that are nested in it, in the order they started."""
        yield self
        for inner in self.nested:
            yield from inner.flattened()


@dataclass(frozen=True)
class Transcript:
    """All that a run printed.

    Attributes:
        messages: the complete messages, in order.
        loose: the text between messages.
        intact: every message that started has ended, in order. Where not, the run was cut off, or something else wrote
            into the stream: nothing good may be concluded from it.
    """

    messages: tuple[Message, ...]
    loose: str
    intact: bool

    def first(self, code: int) -> Message | None:
        """The first message of that code, nested ones included."""
        return next((message for message in self.flattened() if message.code == code), None)

    def flattened(self) -> Iterator[Message]:
        """All messages, nested ones included."""
        for message in self.messages:
            yield from message.flattened()


@dataclass
class _Frame:
    code: int
    severity: int
    lines: list[str] = field(default_factory=list)
    nested: list[Message] = field(default_factory=list)


class MessageReader:
    """Feed it lines as they come; it hands out the messages that they complete."""

    def __init__(self) -> None:
        self._stack: list[_Frame] = []
        self._done: list[Message] = []
        self._loose: list[str] = []
        self._intact = True

    def feed(self, line: str) -> tuple[Message, ...]:
        """Take one line, without its line end; returns the outermost messages that it completed, often none."""
        before = len(self._done)
        position = 0
        for mark in _MARK.finditer(line):
            self._text(line[position : mark.start()])
            position = mark.end()
            start, severity, end = mark.groups()
            if start is not None:
                self._stack.append(_Frame(int(start), int(severity)))
            else:
                self._end(int(end))
        # A line that is nothing but marks has no text; an empty line has the text "".
        if position == 0:
            self._text(line, keep_empty=True)
        else:
            self._text(line[position:])
        return tuple(self._done[before:])

    def finish(self) -> Transcript:
        """The whole transcript, once no more lines come."""
        # What is still open was never completed: its text says something, but is no message.
        loose = [*self._loose, *(line for frame in self._stack for line in frame.lines)]
        return Transcript(tuple(self._done), "\n".join(loose), self._intact and not self._stack)

    def _text(self, text: str, *, keep_empty: bool = False) -> None:
        if text or keep_empty:
            (self._stack[-1].lines if self._stack else self._loose).append(text)

    def _end(self, code: int) -> None:
        if all(frame.code != code for frame in self._stack):
            self._intact = False
            return
        while self._stack:
            frame = self._stack.pop()
            message = Message(frame.code, frame.severity, "\n".join(frame.lines).strip("\n"), tuple(frame.nested))
            if self._stack:
                self._stack[-1].nested.append(message)
                self._stack[-1].lines.append(message.text)
            else:
                self._done.append(message)
            if frame.code == code:
                return
            self._intact = False


def read_messages(lines: Iterable[str]) -> Transcript:
    """Read a whole output at once."""
    reader = MessageReader()
    for line in lines:
        reader.feed(line)
    return reader.finish()
