"""Plain logs: one JSON object an event, `action`, `args`, and what was seen of the `state` after it.

    {"protocol": "rollback", "constants": {"max_len": 4}}
    {"action": "extend"}
    {"action": "start_read", "args": {"i": 1}, "state": {"length": 1}}

The first line is a header if it names no action and one of `format`, `protocol`, `constants`; it may be left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...transpiler.naming import snake_case
from ..errors import nearest
from .following import Follower
from .lines import Truncated
from .model import Foreign
from .target import NOTHING, TOO_DEEP, Numbered, Target, show_json

FORMATS = ("protocheck-log", "protocheck-recording")
VERSION = 1

MOST_SHAPES = 100
"""Combinations of keys that are looked at for foreign ones: a log whose keys are data has no end of them."""

_HEADER = ("format", "version", "protocol", "constants", "state")
_EVENT = ("action", "args", "state", "changes")


def follow_plain(target: Target, first: Numbered, rest: Iterator[Numbered]) -> Follower:
    """One JSON object an event: `action`, `args`, and what was seen of the `state` after it."""
    if target.instances:
        target.fail(0, "a plain log has one instance, without a name; --instance is for recordings")
    line, data = first
    is_header = "action" not in data and any(key in data for key in ("format", "protocol", "constants"))
    header = _checked_header(target, line, data) if is_header else NOTHING
    follower = _begun(target, line, header)
    if not is_header:
        rest = _chain(first, rest)
    if follower.over:
        return follower
    number = line
    shapes: set[tuple[str, ...]] = set()
    ignored: dict[str, None] = {}
    events = 0
    try:
        for number, event in rest:
            shape = tuple(event)
            if shape not in shapes and len(shapes) < MOST_SHAPES:
                shapes.add(shape)
                ignored.update(dict.fromkeys(key for key in shape if key not in _EVENT))
            events += _plain_event(target, follower, number, event)
            if follower.over:
                break
    except Truncated as error:
        target.demand_truncated(error)
    except RecursionError:
        target.fail(number, TOO_DEEP)
    if not events:
        target.fail(0, "there is no event in it" + (" but those that are skipped" if shapes else ""))
    follower.notes += target.notes
    if ignored:
        names = list(map(_with_nearest, ignored))
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        follower.notes.append(f"not looked at: {', '.join(names[:8])}{more}")
    return follower


def _chain(first: Numbered, rest: Iterator[Numbered]) -> Iterator[Numbered]:
    yield first
    yield from rest


def _checked_header(target: Target, line: int, data: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in data:
        if key not in _HEADER:
            target.fail(line, f"a header has no key {show_json(key)}{nearest(key, _HEADER)}")
    if data.get("format", FORMATS[0]) != FORMATS[0]:
        known = " and ".join(FORMATS)
        target.fail(line, f"the format is {show_json(data['format'])}; what can be read is {known}")
    if data.get("version", VERSION) != VERSION:
        target.fail(line, f"the version is {show_json(data['version'])}; this protocheck reads {VERSION}")
    named = data.get("protocol", target.protocol.name)
    if named not in (target.protocol.name, snake_case(target.protocol.name)):
        target.fail(line, f"it is a log of {show_json(named)}, not of {snake_case(target.protocol.name)}")
    return data


def _begun(target: Target, line: int, header: Mapping[str, Any]) -> Follower:
    model = target.model(line, header.get("constants", {}))
    begun = header.get("state")
    try:
        return target.follower(line, model, None if begun is None else target.mapping(line, begun, "the state"))
    except Foreign as error:
        target.fail(line, error)
    except RecursionError:
        target.fail(line, TOO_DEEP)


def _plain_event(target: Target, follower: Follower, line: int, event: dict[str, Any]) -> bool:
    """Whether it is one of the protocol's."""
    action = event.get("action")
    arguments = event.get("args", NOTHING)
    seen = event.get("state", NOTHING)
    changes = event.get("changes")
    for data, what in ((arguments, "args"), (seen, "state")):
        if data is not NOTHING:
            target.mapping(line, data, what)
    if changes is not None:
        seen = {**seen, **target.mapping(line, changes, "changes")}
    try:
        if type(action) is str:
            if action in target.options.skipped:
                return False
            follower.step(line, action, arguments, seen, changes is not None)
        elif action is None and seen and not arguments:
            follower.saw(line, seen)
        elif action is None:
            target.fail(line, "an event names its action, or the state that was seen")
        else:
            target.fail(line, f"an action's name is a string, not {show_json(action)}")
    except Foreign as error:
        target.fail(line, f"{error}{_skippable(action, follower)}")
    return True


def _skippable(action: Any, follower: Follower) -> str:
    """A hint for an action that is none of the protocol's: many logs hold more than one component's events."""
    if type(action) is not str or follower.knows(action):
        return ""
    return f" (--skip {action} passes over such events)"


def _with_nearest(key: str) -> str:
    close = nearest(key, _EVENT)
    return f"{key} ({close[2:-1]}?)" if "did you mean" in close else key
