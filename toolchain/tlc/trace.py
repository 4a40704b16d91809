"""Counter-examples, from the messages that carry their states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import codes
from .errors import OutputError
from .messages import ERROR, Message
from .values import TlaState, TlaTuple, TlaValue, parse_state, parse_value

_HEADER = re.compile(r"(?P<index>\d+):\s*(?:<(?P<what>.*)>)?")
_ACTION = re.compile(r"(?P<name>[\w!]+)(?:\((?P<arguments>.*)\))? (?P<location>line \d+, col \d+ to .*)")
_BACK = re.compile(r"(?P<index>\d+): Back to state(?:: <(?P<what>.*)>)?")
_INLINE = re.compile(r" by the initial state:\n(?P<state>.*)\Z", re.DOTALL)


@dataclass(frozen=True)
class TraceState:
    """One state of a counter-example.

    Attributes:
        index: counted from 1, as TLC does.
        action: the action that led here; None in an initial state and where TLC does not say (depth-first search).
        arguments: of the action, where this version of TLC prints them (2.15 and 2.19 never do); else None.
        location: of the action in the module, as TLC says it.
        values: of the variables, in TLC's order.
    """

    index: int
    action: str | None
    arguments: tuple[TlaValue, ...] | None
    location: str | None
    values: TlaState


@dataclass(frozen=True)
class Trace:
    """A counter-example: a path, and for liveness how it goes on for ever.

    Attributes:
        states: the path; empty where TLC prints none.
        back_to: the index (from 1) of the state that the last one goes back to, or None.
        back_by: the action that goes back, where TLC says it.
        stuttering: the path ends in a state in which nothing happens any more.
    """

    states: tuple[TraceState, ...] = ()
    back_to: int | None = None
    back_by: str | None = None
    stuttering: bool = False


def read_trace(messages: Sequence[Message]) -> Trace:
    """The first counter-example in a run's messages.

    Raises:
        OutputError: a state cannot be read, the states are not numbered 1, 2, 3 ..., or have not the same variables
            (with -difftrace, TLC prints only those that changed).
    """
    states: list[TraceState] = []
    for message in messages:
        if message.code in codes.VIOLATED_BY_INITIAL_STATE and message.severity == ERROR:
            found = _INLINE.search(message.text)
            if found is None:
                raise OutputError("TLC reports a violation by an initial state without it.", reason=message.text)
            return Trace((TraceState(1, None, None, None, parse_state(found["state"])),))
        if message.code in (codes.STATE, codes.STATE_PLAIN):
            if states and message.text.startswith("1:"):
                break  # with -continue, TLC goes on to the next counter-example
            state = _state(message, len(states) + 1)
            if states and states[0].values.keys() != state.values.keys():
                raise OutputError("The states of a counter-example have different variables.", reason=message.text)
            states.append(state)
        elif message.code == codes.BACK_TO_STATE and states:
            return _lasso(message, tuple(states))
        elif message.code == codes.STUTTERING and states:
            return Trace(tuple(states), stuttering=True)
    return Trace(tuple(states))


def _state(message: Message, expected: int) -> TraceState:
    header, _, body = message.text.partition("\n")
    found = _HEADER.fullmatch(header.strip())
    if found is None or int(found["index"]) != expected:
        raise OutputError(f"State {expected} of a counter-example was expected, and this came.", reason=message.text)
    action, arguments, location = _action(found["what"])
    return TraceState(expected, action, arguments, location, parse_state(body))


def _lasso(message: Message, states: tuple[TraceState, ...]) -> Trace:
    found = _BACK.match(message.text)
    if found is None or not 1 <= int(found["index"]) <= len(states):
        raise OutputError("The end of a counter-example to a liveness property cannot be read.", reason=message.text)
    return Trace(states, int(found["index"]), _action(found["what"])[0])


def _action(what: str | None) -> tuple[str | None, tuple[TlaValue, ...] | None, str | None]:
    if what is None or what == "Initial predicate":
        return None, None, None
    found = _ACTION.fullmatch(what)
    if found is None:
        return None, None, what
    return found["name"], _arguments(found["arguments"]), found["location"]


def _arguments(text: str | None) -> tuple[TlaValue, ...] | None:
    if text is None:
        return None
    try:
        value = parse_value(f"<<{text}>>")
    except OutputError:
        return None  # they are a convenience: whoever needs them recovers them from the states
    return value.items if isinstance(value, TlaTuple) else None
