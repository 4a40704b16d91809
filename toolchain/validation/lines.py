"""Lines of a log as JSON objects, one at a time, from a file or a pipe; what is wrong is said with the line's number.

JSON is taken strictly: an object that names a key twice, `NaN` and the infinities are errors, since two readers would
read two different things.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from ..errors import UserError

LONGEST = 16 * 2**20
"""Bytes in a line, at most: what is longer is no event but another kind of file."""

AFTER_ITS_END = "the recording has ended above this line; two recordings are two files"

Scan = Callable[[str, int], tuple[Any, int]]


class LogError(UserError):
    """A log that cannot be read: `line` is counted from 1, 0 for the log as a whole."""

    def __init__(self, name: str, line: int, reason: str) -> None:
        super().__init__(f"{name}:{line}: {reason}" if line else f"{name}: {reason}")
        self.line = line
        self.reason = reason


class Truncated(LogError):
    """The last line has no end: whoever wrote it was stopped in the middle."""


class _Strict(ValueError):
    """JSON that two readers would read differently."""


def strict_scanner() -> Scan:
    """A function from a text and a position to the value there and the position behind it.

    Raises `StopIteration` or `ValueError` where there is none. That of the json module, without what `loads` does
    before and after it, which costs as much as a short line.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
    scan: Scan = decoder.scan_once  # type: ignore[attr-defined]  # public, though typeshed does not know it
    return scan


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise _Strict(f"the key {json.dumps(twice)} stands there twice")
    return found


def _refuse_constant(text: str) -> NoReturn:
    raise _Strict(f"{text} is no JSON")


def numbered_objects(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a log with their line numbers; blank lines are left out.

    Raises `LogError`, and `Truncated` for a last line that was not written to its end.
    """
    scan = strict_scanner()
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST:
            raise LogError(name, number, f"the line has more than {LONGEST:,} bytes")
        try:
            text = line.decode()
            data, end = scan(text, 0)
            if text[end:].strip():
                raise ValueError
        except (ValueError, StopIteration, RecursionError):
            if not line.strip():
                continue
            data = _explained(line, name, number)
        if type(data) is not dict:
            raise LogError(name, number, "an event is a JSON object, but this is none")
        yield number, data


def _explained(line: bytes, name: str, number: int) -> Any:
    """The value of a line that the scanner alone does not read, or why it has none."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise LogError(name, number, f"byte {error.start + 1} is no UTF-8, so this is no JSON") from None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        if not line.endswith(b"\n"):
            raise Truncated(name, number, "the line is cut off; whoever wrote it was stopped in the middle") from None
        raise LogError(name, number, f"this is no JSON: {error.msg}, column {error.colno}") from None
    except _Strict as error:
        raise LogError(name, number, str(error)) from None
    except (ValueError, RecursionError):
        raise LogError(name, number, "this is no JSON that can be read: too deep, or a number too long") from None
