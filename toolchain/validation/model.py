"""The protocol that a log is held against: its steps by name, and the log's values read into its domains.

Whatever a log says is of one of three kinds. It names something that the protocol does not have, or a value of another
type: then it is no log of this protocol, and `Foreign` is raised. It names a value outside its domain: no behaviour has
it, `Outside`. Or it is a value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...transpiler import domains as kinds
from ...transpiler import ir
from ...transpiler import valuetypes as types
from ...transpiler.domains import Domain, show, size, values
from ...transpiler.erasure import as_it_runs
from ...transpiler.instance import Instance, fits, instantiate
from ...transpiler.interpreter import Arguments, Outcome, Taken, attempt, begin
from ...transpiler.itf import ItfError, decode
from ..errors import nearest
from ..itf import decode_untyped
from ..traces import State

NOTHING: Mapping[str, Any] = {}

MOST_CHOICES = 100_000
"""Argument tuples of an action that are tried where the log does not name the arguments."""


class Foreign(Exception):
    """The log speaks of something that the protocol does not have."""


class Outside(Exception):
    """A value of the right type that lies outside its domain."""


class TooMany(Exception):
    """More would have to be tried than can be."""


@dataclass(frozen=True)
class Model:
    """A protocol with its constants, as it is checked (with assumptions and ghosts) or as it runs (without)."""

    instance: Instance

    @staticmethod
    def of(protocol: ir.Protocol, constants: Mapping[str, Any], *, assumptions: bool = False) -> Model:
        """Raises `CompileError` for constants that the protocol cannot have."""
        return Model(instantiate(protocol if assumptions else as_it_runs(protocol), constants))

    @cached_property
    def actions(self) -> Mapping[str, ir.Action]:
        return {action.name: action for action in self.instance.protocol.actions}

    @cached_property
    def parameters(self) -> Mapping[str, Mapping[str, Domain]]:
        """Action → parameter → domain, in order."""
        known = self.instance.parameters
        return {
            name: {parameter.name: known[name, parameter.name] for parameter in action.parameters}
            for name, action in self.actions.items()
        }

    @cached_property
    def _types(self) -> Mapping[tuple[str, str], types.Type]:
        """(action, parameter) and ("", variable) → type."""
        found = {("", variable.name): variable.type for variable in self.instance.protocol.variables}
        found |= {(a.name, p.name): p.type for a in self.instance.protocol.actions for p in a.parameters}
        return found

    # ----------------------------------------------------------------------------------------------- what is read

    def action(self, name: str) -> ir.Action:
        """Raises `Foreign` for one that the protocol does not have."""
        if name not in self.actions:
            raise Foreign(f"{self.instance.protocol.name} has no action {show(name)}{nearest(name, self.actions)}")
        return self.actions[name]

    def arguments(self, action: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that a log names, as values; raises `Foreign` and `Outside`."""
        domains = self.parameters[action]
        for name in given:
            if name not in domains:
                raise Foreign(f"{action} has no parameter {show(name)}{nearest(name, domains)}")
        return {
            name: self._value(given[name], domains[name], (action, name), name) for name in domains if name in given
        }

    def values(self, seen: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """What a log says of variables: their values, and for values that no state has, why not.

        Raises `Foreign`.
        """
        domains = self.instance.variables
        found: dict[str, Any] = {}
        impossible: dict[str, str] = {}
        for name, data in seen.items():
            if name not in domains:
                raise Foreign(self._no_variable(name))
            try:
                found[name] = self._value(data, domains[name], ("", name), name)
            except Outside as outside:
                impossible[name] = str(outside)
        return found, impossible

    def _no_variable(self, name: str) -> str:
        return f"{self.instance.protocol.name} has no variable {show(name)}{nearest(name, self.instance.variables)}"

    def _value(self, data: Any, domain: Domain, key: tuple[str, str], name: str) -> Any:
        try:
            return decode(data, domain)
        except ItfError:
            pass
        try:
            value = decode_untyped(data)
        except ItfError as error:
            raise Foreign(f"{name}: {error}") from None
        if not fits(self._types[key], value):
            raise Foreign(f"{name} = {show(value)} is no {self._types[key]}")
        raise Outside(f"{name} = {show(value)} is outside {domain}")

    # ------------------------------------------------------------------------------------------- what can happen

    def initial(self, known: Mapping[str, Any] = NOTHING) -> Iterator[State]:
        """The initial states; with values that are `known` of some variables at least those that have them.

        Raises `TooMany` where init chooses among too many.
        """
        init = self.instance.protocol.init
        # What init chooses and assigns as it is need not be guessed; a local name is no choice.
        local = {step.name for step in init.steps if isinstance(step, ir.Bind)}
        given = {
            update.value.name: known[update.variable]
            for update in init.updates
            if isinstance(update.value, ir.LocalRef) and update.value.name not in local and update.variable in known
        }
        tried: list[Iterable[Any]] = []
        guessed = []
        for parameter in init.parameters:
            domain = self.instance.parameters["", parameter.name]
            if parameter.name not in given:
                guessed.append(domain)
                tried.append(values(domain))
            elif kinds.contains(domain, given[parameter.name]):
                tried.append((given[parameter.name],))
            else:
                return
        if count(guessed) > MOST_CHOICES:
            raise TooMany(f"init chooses among more than {MOST_CHOICES:,} values")
        for chosen in itertools.product(*tried):
            outcome = begin(self.instance, tuple(zip((each.name for each in init.parameters), chosen, strict=True)))
            if isinstance(outcome, Taken):
                yield outcome.state

    def completions(self, action: str, given: Mapping[str, Any]) -> Iterator[Arguments]:
        """Every argument tuple of an action that agrees with those given; raises `TooMany`."""
        domains = self.parameters[action]
        if len(given) == len(domains):
            yield tuple((name, given[name]) for name in domains)
            return
        missing = [name for name in domains if name not in given]
        if count([domains[name] for name in missing]) > MOST_CHOICES:
            names = " and ".join(missing)
            raise TooMany(f"{action} has more than {MOST_CHOICES:,} values for {names}: let the log name {names}")
        tried = [(given[name],) if name in given else tuple(values(domain)) for name, domain in domains.items()]
        for chosen in itertools.product(*tried):
            yield tuple(zip(domains, chosen, strict=True))

    def attempt(self, state: State, action: str, arguments: Arguments) -> Outcome:
        """What comes of an action in a state."""
        return attempt(self.instance, state, self.actions[action], arguments)


def count(domains: Iterable[Domain]) -> float:
    """The size of a product, or infinity where a number that large would take long to compute."""
    return math.prod(_size(domain) for domain in domains)


def _size(domain: Domain) -> float:
    match domain:
        case kinds.SetDomain(element):
            return float(2 ** min(_size(element), 1000))
        case kinds.SequenceDomain(element, _, longest):
            one = _size(element)
            return math.inf if longest * math.log10(max(one, 1)) > 300 else sum(one**n for n in range(longest + 1))
        case kinds.FunctionDomain(key, value):
            keys, each = _size(key), _size(value)
            return math.inf if keys * math.log10(max(each, 1)) > 300 else float(each**keys)
        case kinds.OptionalDomain(item):
            return 1 + _size(item)
        case kinds.TupleDomain(items):
            return math.prod(map(_size, items))
        case kinds.RecordDomain(_, fields):
            return math.prod(_size(item) for _, item in fields)
        case kinds.UnionDomain(records):
            return sum(map(_size, records))
        case _:
            return size(domain)
