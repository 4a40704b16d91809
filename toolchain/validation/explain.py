"""Why no behaviour has an event: what speaks against it in each of the states that were possible."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, assert_never

from ...transpiler.domains import show
from ...transpiler.interpreter import Arguments, AssumedAway, IllDefined, Outcome, Refused, Taken
from ..counterexample import place
from ..itf import ItfError, decode_untyped
from ..traces import State, TraceStep
from .model import Model, Outside, count
from .results import Event, Reason, Rejection
from .simulation import Possible, agrees, differences, same

MOST_STATES = 5
"""States that are shown."""
MOST_STEPS = 8
"""Steps that are shown of what was possible instead, found among so many arguments at most:"""
MOST_TRIED = 2_000
MOST_REASONS = 6
MOST_EXPLAINED = 100
"""States that are asked what speaks against an event."""

Cause = tuple[str, str]
"""What speaks against it, and where that stands: "file:line" or empty."""


def rejection(possible: Possible, event: Event) -> Rejection:
    """What to say of an event that none of the possible states explains."""
    states = tuple(possible.states.values())
    found: Counter[Cause] = Counter()
    for state in states[:MOST_EXPLAINED]:
        # An action without named arguments fails for each of them, often for the same reason.
        found.update(dict.fromkeys(itertools.islice(_causes(possible.model, state, event), MOST_TRIED), 1))
    if not states:
        _, impossible = possible.model.values(event.seen)
        nowhere = "there is no initial state like that" if event.action is None else "there is no initial state"
        found.update((text, "") for text in impossible.values() or [nowhere])
    # Equally frequent ones as they were found: what the protocol says of the step, then what the log says of it.
    reasons = tuple(Reason(text, number, where) for (text, where), number in found.most_common(MOST_REASONS))
    instead = tuple(_instead(possible.model, states[0])) if states else ()
    return Rejection(event.line, event_text(event), reasons, states[:MOST_STATES], len(states), instead)


def event_text(event: Event) -> str:
    """An event as the log has it, `rollback(k=0)`."""
    if event.action is None:
        seen = ", ".join(f"{name} = {_json_text(value)}" for name, value in event.seen.items())
        return f"the state, with {seen}"
    arguments = ", ".join(f"{name}={_json_text(value)}" for name, value in event.arguments.items())
    text = f"{event.action}({arguments})"
    return text if event.refused is None else f"{text}, refused by {' and '.join(event.refused)}"


def _json_text(data: Any) -> str:
    try:
        return show(decode_untyped(data))
    except ItfError:
        return repr(data)


def _causes(model: Model, state: State, event: Event) -> Iterator[Cause]:
    values, impossible = model.values(event.seen)
    yield from _spoken_against(model, state, event, values)
    for text in impossible.values():
        yield text, ""


def _spoken_against(model: Model, state: State, event: Event, values: dict[str, Any]) -> Iterator[Cause]:
    if event.action is None:
        if not agrees(state, values):
            for name, value in values.items():
                if not same(state[name], value):
                    yield f"{name} is {show(state[name])}, but the log says {show(value)}", ""
        return
    try:
        given = model.arguments(event.action, event.arguments)
    except Outside as outside:
        yield str(outside), ""
        return
    for arguments in model.completions(event.action, given):
        yield from _against(model, state, event, arguments, values)


def _against(model: Model, state: State, event: Event, arguments: Arguments, values: dict[str, Any]) -> Iterator[Cause]:
    assert event.action is not None
    outcome = model.attempt(state, event.action, arguments)
    if event.refused is not None:
        yield _not_refused(outcome, event)
        return
    match outcome:
        case Refused(guards):
            spans = {guard.name: guard.span for guard in model.actions[event.action].guards}
            yield f"it is refused by {' and '.join(guards)}", place(spans[guards[0]])
        case AssumedAway(span):
            yield "an assumption about the environment is false", place(span)
        case IllDefined(span, reason):
            yield f"it has no value: {reason}", place(span)
        case Taken(after):
            for name in differences(state, after, values, event):
                if name in values:
                    yield f"{name} would be {show(after[name])}, but the log says {show(values[name])}", ""
                else:
                    old, new = show(state[name]), show(after[name])
                    yield f"{name} would change from {old} to {new}, but the log says that it does not change", ""
        case _:
            assert_never(outcome)


def _not_refused(outcome: Outcome, event: Event) -> Cause:
    logged = " and ".join(event.refused or ())
    if isinstance(outcome, Refused):
        return f"it would be refused by {' and '.join(outcome.guards)}, but the log says by {logged}", ""
    return f"it would not be refused, but the log says that it was, by {logged}", ""


def _instead(model: Model, state: State) -> Iterator[str]:
    """Steps that are possible in a state, of actions with few enough arguments to try them all."""
    few = [name for name, domains in model.parameters.items() if count(domains.values()) <= MOST_TRIED]
    shown = 0
    for name in few:
        for arguments in model.completions(name, {}):
            if isinstance(model.attempt(state, name, arguments), Taken):
                yield TraceStep(name, arguments, {}).label
                shown += 1
                if shown == MOST_STEPS:
                    return
