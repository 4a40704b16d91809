"""The fast way through a log: one state, and events that name everything, taken by the class that runs.

What runs is the protocol's own methods, compiled; a test compares them with the interpreter. Nothing is concluded here
but that an event fits: whatever else comes of it, a guard that refuses or a value that is not recognised at a glance,
is put before the simulation, which decides and explains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from operator import itemgetter
from typing import Any

from ...transpiler import domains
from ...transpiler.domains import Domain
from ...transpiler.itf import decode
from ...transpiler.language import Protocol
from ...transpiler.native import restored
from ..traces import State
from .model import Model

Fits = Callable[[Any, Any], bool]
"""Of a value as JSON and a value of the state: whether they are surely the same."""


class NativeSteps:
    """One instance of a protocol's class, and its steps by name; `put` it into a state first."""

    def __init__(self, cls: type[Protocol], model: Model) -> None:
        instance = model.instance
        self._cls, self._constants = cls, instance.constants
        self._variables = tuple(instance.variables)
        self._values: Callable[[Mapping[str, Any]], tuple[Any, ...]] = _values_of(self._variables)
        self._fits = {name: _recogniser(domain) for name, domain in instance.variables.items()}
        self._converted = {
            action: {name: domain for name, domain in parameters.items() if not _is_plain(domain)}
            for action, parameters in model.parameters.items()
        }
        self._counts = {action: len(parameters) for action, parameters in model.parameters.items()}

    def put(self, state: State) -> None:
        """Begin in this state."""
        self._instance = restored(self._cls, self._constants, state)
        self._state = self._instance.__dict__
        self._steps = {action: getattr(self._instance, action) for action in self._counts}

    def state(self) -> State:
        """The state now."""
        return dict(zip(self._variables, self._values(self._state), strict=True))

    def fits(self, action: Any, arguments: Any, seen: Any, exhaustive: bool) -> bool:
        """Whether this event happens, and then it has; else the state is as before."""
        state = self._state
        before = self._values(state)
        try:
            converted = self._converted[action]
            if converted:
                arguments = {
                    name: decode(value, converted[name]) if name in converted else value
                    for name, value in arguments.items()
                }
            self._steps[action](**arguments)
        except Exception:
            return False
        if not seen and not exhaustive:
            return True
        after = self._values(state)
        try:
            if not exhaustive or after == before:
                good = True
            else:
                good = all(
                    new is old or new == old or name in seen
                    for name, old, new in zip(self._variables, before, after, strict=True)
                )
            if good:
                for name, value in seen.items():
                    if not self._fits[name](value, state[name]):
                        good = False
                        break
        except Exception:  # what the log says here is of a shape that nobody expects
            good = False
        if not good:
            state.update(zip(self._variables, before, strict=True))
        return good


def _values_of(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda state: tuple(state[name] for name in names)


def _is_plain(domain: Domain) -> bool:
    """Whether the values of a domain are written in JSON as they are, but for very large numbers."""
    match domain:
        case domains.BoolDomain() | domains.IntDomain():
            return True
        case domains.ChoiceDomain(members):
            return not any(isinstance(member, (Enum, tuple)) for member in members)
        case domains.OptionalDomain(item):
            return _is_plain(item)
        case _:
            return False


def _recogniser(domain: Domain) -> Fits:
    """What recognises the usual values of a domain; it may say no to a value that is one, never yes to another."""
    if _is_plain(domain):
        return _same
    match domain:
        case domains.ChoiceDomain():
            return lambda data, value: isinstance(value, Enum) and data == f"{type(value).__name__}.{value.name}"
        case domains.OptionalDomain(item):
            inner = _recogniser(item)
            return lambda data, value: (data is None) is (value is None) and (data is None or inner(data, value))
        case domains.SequenceDomain(element):
            return _all_of(_recogniser(element))
        case domains.TupleDomain(items):
            parts = tuple(map(_recogniser, items))
            return lambda data, value: (
                len(data) == 1
                and len(data["#tup"]) == len(value)
                and all(fits(a, b) for fits, a, b in zip(parts, data["#tup"], value, strict=True))
            )
        case domains.SetDomain(element) if _is_plain(element):
            return lambda data, value: (
                len(data) == 1
                and len(data["#set"]) == len(value)
                and frozenset(data["#set"]) == value
                and set(map(type, data["#set"])) == set(map(type, value))
            )
        case domains.FunctionDomain(key, result) if _is_plain(key):
            return _function(_recogniser(result))
        case _:
            return lambda data, value: bool(decode(data, domain) == value)


def _same(data: Any, value: Any) -> bool:
    return type(data) is type(value) and data == value


def _all_of(fits: Fits) -> Fits:
    def recognised(data: Any, value: Any) -> bool:
        return type(data) is list and len(data) == len(value) and all(map(fits, data, value))

    return recognised


def _function(fits: Fits) -> Fits:
    def recognised(data: Any, value: Any) -> bool:
        if len(data) != 1 or len(data["#map"]) != len(value):
            return False
        known = {(type(key), key): item for key, item in value.items()}
        # Of a key that stands there twice another one is missing.
        keys = {(type(key), key) for key, _ in data["#map"]}
        return len(keys) == len(value) and all(fits(item, known[type(key), key]) for key, item in data["#map"])

    return recognised
