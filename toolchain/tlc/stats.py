"""Counts, coverage and progress, from the messages that carry them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from . import codes
from .messages import Message, Transcript

_COUNT = r"(-?\d[\d,]*)"
_TOTALS = re.compile(
    rf"{_COUNT} states generated(?: \([^)]*\))?, {_COUNT} distinct states found(?: \([^)]*\))?"
    rf"(?:, {_COUNT} states left on queue)?"
)
_LEVEL = re.compile(r"Progress\((-?\d+)\)")
_DEPTH = re.compile(rf"search is {_COUNT}")
_INITIAL = re.compile(rf"{_COUNT}(?: distinct)? states?(?:\(s\))? generated(?:, with {_COUNT} of them distinct)?")
_FINISHED = re.compile(r"Finished in (.*?) at")
_AMOUNT = re.compile(r"(\d+)\s*(ms|min|d|h|s)")
_SECONDS: Mapping[str, float] = MappingProxyType({"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0})
_ACTION = re.compile(r"<(?P<name>[\w!]+) line .*>: (?P<distinct>\d[\d,]*):(?P<generated>\d[\d,]*)")


@dataclass(frozen=True)
class TlcStats:
    """What a run counted; None where it did not say.

    Attributes:
        distinct: different states found. Of a violated run: when TLC stopped.
        generated: initial states and steps.
        depth: states on the longest shortest path. TLC leaves it out of some failed runs.
        level: how deep the search was when it last reported its progress.
        queue: states found whose successors were not yet looked at; 0 after a whole search.
        initial: different initial states.
        reported_seconds: what TLC says it took, without the start of Java; whole seconds in long runs.
    """

    distinct: int | None = None
    generated: int | None = None
    depth: int | None = None
    queue: int | None = None
    initial: int | None = None
    reported_seconds: float | None = None
    level: int | None = None


@dataclass(frozen=True)
class ActionCoverage:
    """How often an action was taken: steps into states not seen before, and steps in all."""

    distinct: int
    generated: int


@dataclass(frozen=True)
class TlcProgress:
    """A sign of life from a running TLC: after three seconds, then once a minute, and at its end."""

    generated: int | None
    distinct: int | None
    queue: int | None
    depth: int | None


def read_stats(transcript: Transcript) -> TlcStats:
    """The counts of a run: its totals, or, of one cut off, its last progress."""
    totals: TlcProgress | None = None
    depth = initial = level = None
    seconds = None
    for message in transcript.messages:
        if message.code in codes.TOTALS or message.code in codes.PROGRESS:
            shown = read_progress(message)
            totals = shown or totals
            level = shown.depth if shown is not None and shown.depth is not None else level
        elif message.code == codes.DEPTH and (found := _DEPTH.search(message.text)):
            depth = _number(found.group(1))
        elif message.code in codes.INITIAL_GENERATED and (found := _INITIAL.search(message.text)):
            initial = _number(found.group(2) or found.group(1))
        elif message.code == codes.FINISHED:
            seconds = _duration(message.text)
    if totals is None:
        return TlcStats(depth=depth, initial=initial, reported_seconds=seconds)
    return TlcStats(totals.distinct, totals.generated, depth, totals.queue, initial, seconds, level)


def read_progress(message: Message) -> TlcProgress | None:
    """The counts in a progress message or in the totals; None if there are none in it."""
    found = _TOTALS.search(message.text)
    if found is None:
        return None
    generated, distinct, queue = (_number(part) for part in found.groups())
    level = _LEVEL.search(message.text)
    return TlcProgress(generated, distinct, queue, _number(level.group(1)) if level else None)


def read_coverage(transcript: Transcript) -> Mapping[str, ActionCoverage]:
    """Steps by action, from the last report of a run with ``-coverage``; one that never fired has 0, 0."""
    coverage: dict[str, ActionCoverage] = {}
    for message in transcript.messages:
        if message.code == codes.COVERAGE_START:
            coverage.clear()  # a long run reports every so often, each report counts from the start
        elif message.code == codes.COVERAGE_ACTION and (found := _ACTION.search(message.text)):
            before = coverage.get(found["name"], ActionCoverage(0, 0))
            # An action that stands in several disjuncts may be reported once for each.
            coverage[found["name"]] = ActionCoverage(
                before.distinct + int(found["distinct"].replace(",", "")),
                before.generated + int(found["generated"].replace(",", "")),
            )
    return MappingProxyType(coverage)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    number = int(text.replace(",", ""))
    return number if number >= 0 else None  # modes that do not count something print -1 for it


def _duration(text: str) -> float | None:
    found = _FINISHED.search(text)
    amounts = _AMOUNT.findall(found.group(1)) if found else []
    return round(sum(int(amount) * _SECONDS[unit] for amount, unit in amounts), 3) if amounts else None
