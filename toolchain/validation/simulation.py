"""Which states are possible after each event: the set-of-states simulation of a log.

A log that names actions but not their arguments, or leaves actions out, leaves several states possible. Each event maps
the set of those to the set of the states after it; where that is empty, no behaviour has this event, and the event is
the first of which that can be said. (The subset construction for finite automata; for logs of distributed systems:
Cirstea, Kuppe, Loillier, Merz, "Validating Traces of Distributed Programs Against TLA+ Specifications", 2024.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...transpiler.interpreter import Refused, Taken
from ..traces import State
from .model import Model, Outside, TooMany
from .results import Event, Options

Key = tuple[Any, ...]


class Possible:
    """The states that are possible, each once."""

    def __init__(self, model: Model, options: Options, states: Iterable[State] = ()) -> None:
        self.model, self.options = model, options
        self.states: dict[Key, State] = {}
        for state in states:
            self.add(state)

    def add(self, state: State) -> bool:
        """Whether it is new. Raises `TooMany` for one too many."""
        key = tuple(state.values())
        if key in self.states:
            return False
        if len(self.states) >= self.options.max_states:
            raise TooMany(f"more than {self.options.max_states:,} states are possible at once")
        self.states[key] = state
        return True

    def begun(self, seen: Mapping[str, Any]) -> Possible:
        """Those of these states that have the values which the log says it begins with."""
        values, impossible = self.model.values(seen)
        states = (state for state in self.states.values() if not impossible and agrees(state, values))
        return Possible(self.model, self.options, states)

    def widened(self) -> Possible:
        """These states, and those that unlogged actions lead to from them."""
        if not self.options.unlogged:
            return self
        found = Possible(self.model, self.options, self.states.values())
        waiting = list(found.states.values())
        for state in waiting:  # which grows while it is walked
            for action in self.options.unlogged:
                for arguments in self.model.completions(action, {}):
                    outcome = self.model.attempt(state, action, arguments)
                    if isinstance(outcome, Taken) and found.add(outcome.state):
                        waiting.append(outcome.state)
        return found

    def after(self, event: Event) -> Possible:
        """The states that are possible after an event, which happens in one of these; empty where it happens in none.

        Unlogged actions come before it, see `widened`, or after it, before the next one; what the event says it saw is
        the state right after it. Raises `Foreign`, and `TooMany`.
        """
        found = Possible(self.model, self.options)
        values, impossible = self.model.values(event.seen)
        if event.action is None:
            if not impossible:
                for state in self.states.values():
                    if agrees(state, values):
                        found.add(state)
            return found
        action = self.model.action(event.action).name
        try:
            given = self.model.arguments(action, event.arguments)
        except Outside:
            return found
        if impossible:
            return found
        for arguments in self.model.completions(action, given):
            for state in self.states.values():
                outcome = self.model.attempt(state, action, arguments)
                if event.refused is not None:
                    if isinstance(outcome, Refused) and set(outcome.guards) == set(event.refused):
                        found.add(state)
                elif isinstance(outcome, Taken) and not differences(state, outcome.state, values, event):
                    found.add(outcome.state)
        return found


def agrees(state: State, values: Mapping[str, Any]) -> bool:
    """Whether a state has these values."""
    return all(same(state[name], value) for name, value in values.items())


def differences(before: State, after: State, values: Mapping[str, Any], event: Event) -> list[str]:
    """What the log says otherwise of a step: names of variables, in order of declaration."""
    return [
        name
        for name, value in after.items()
        if (name in values and not same(value, values[name]))
        or (event.exhaustive and name not in values and not same(value, before[name]))
    ]


def same(left: Any, right: Any) -> bool:
    """Whether two canonical values of one domain are the same: to Python 1 is True."""
    return type(left) is type(right) and left == right
