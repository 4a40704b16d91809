"""The native class against the lowered one: random walks of both, step by step, refusals included.

At every state of a walk every action is tried natively on a copy, with arguments of its domains and with some outside
them. The model says what must come of it:

    taken        → the same next state, ghosts left out
    refused      → `GuardRefused` with the same guards and arguments, the state as before
    ill-defined  → an exception that is no refusal, the state as before
    assumed away → anything: the environment does not do this; but what raises leaves the state as before

Two things the model knows and the run does not: what a ghost or an assumption evaluates, which is erased, and the
elements behind the one that decides an `any` or `all`, which Python does not look at. Where a definition holds one of
these, an ill-defined outcome may go unnoticed natively; such cases are counted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from protocheck import ArgumentRefused, GuardRefused, Protocol, holds, refused_by, snapshot
from protocheck.transpiler import ir, traverse
from protocheck.transpiler.domains import contains, show
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.interpreter import (
    Arguments,
    AssumedAway,
    IllDefined,
    Outcome,
    Refused,
    Taken,
    Undefined,
    attempt,
    begin,
    choices,
)
from protocheck.transpiler.interpreter import holds as model_holds
from protocheck.transpiler.native import native_of

from .differences import Difference, Tally

MOST_TRIED = 16
"""The number of argument tuples of an action that are tried in one state."""

FOREIGN: tuple[Any, ...] = (None, True, -7, 99, "elsewhere", frozenset({99}), (0,) * 9, {"k": 99}, object)


def compare_native(
    cls: type[Protocol],
    dice: random.Random,
    tally: Tally,
    constants: Mapping[str, Any] = MappingProxyType({}),
    walks: int = 2,
    length: int = 8,
) -> None:
    """Walk a class and its model side by side; raises `Difference` at the first disagreement."""
    instance = instantiate(compile_protocol(cls), constants)
    native = native_of(cls)
    tally.add("protocols walked natively")
    every = list(choices(instance, ""))
    starts = every if len(every) <= MOST_TRIED else dice.sample(every, MOST_TRIED)
    good: list[tuple[Arguments, Taken]] = []
    for arguments in starts:
        outcome = begin(instance, arguments)
        given = {**constants, **{name: value for name, value in arguments if name in native.init_parameters}}
        _compare_start(cls, instance, given, outcome, tally)
        if isinstance(outcome, Taken) and not outcome.outside:
            good.append((arguments, outcome))
    for _ in range(walks if good else 0):
        arguments, outcome = dice.choice(good)
        given = {**constants, **{name: value for name, value in arguments if name in native.init_parameters}}
        _Walk(cls(**given), instance, dict(outcome.state), dice, tally).go(length)


def _compare_start(
    cls: type[Protocol], instance: Instance, given: Mapping[str, Any], outcome: Outcome, tally: Tally
) -> None:
    tally.add("initial choices")
    try:
        made = cls(**given)
    except Exception as error:
        if isinstance(outcome, Taken):
            raise Difference(f"{cls.__name__}({_shown(given)}) raises {error!r}; the model starts") from error
        return
    if isinstance(outcome, IllDefined):
        init = instance.protocol.init
        if not _unnoticed(instance, init.steps, init.updates):
            raise Difference(f"{cls.__name__}({_shown(given)}) starts; the model says {outcome.reason}")
        tally.add("ill-defined, unnoticed natively")
    elif isinstance(outcome, Taken):
        _same_state(instance, made, outcome.state, lambda: f"{cls.__name__}({_shown(given)})")


class _Walk:
    """One walk: the native instance, and the model's state, ghosts included."""

    def __init__(
        self, native: Protocol, instance: Instance, state: dict[str, Any], dice: random.Random, tally: Tally
    ) -> None:
        self.native, self.instance, self.state, self.dice, self.tally = native, instance, state, dice, tally

    def go(self, length: int) -> None:
        for _ in range(length):
            self.compare_properties()
            possible = list(self.try_everything())
            inside = [(name, arguments, taken) for name, arguments, taken in possible if not taken.outside]
            if not inside:
                return
            action, arguments, taken = self.dice.choice(inside)
            before = _copy(self.native)
            getattr(self.native, action)(*(value for _, value in arguments))
            self.compare_transitions(before, taken.state)
            self.state = dict(taken.state)
            self.tally.add("steps walked")

    def try_everything(self) -> Iterator[tuple[str, Arguments, Taken]]:
        """Try every action; the steps that the model allows."""
        for action in self.instance.protocol.actions:
            every = list(choices(self.instance, action.name))
            for arguments in every if len(every) <= MOST_TRIED else self.dice.sample(every, MOST_TRIED):
                outcome = attempt(self.instance, self.state, action, arguments)
                self.compare_step(action, arguments, outcome)
                if isinstance(outcome, Taken):
                    yield action.name, arguments, outcome
            if every:
                self.compare_foreign(action, dict(self.dice.choice(every)))

    def compare_step(self, action: ir.Action, arguments: Arguments, outcome: Outcome) -> None:
        def what() -> str:
            return f"{action.name}({_shown(dict(arguments))}) in {_shown(self.state)}"

        values = [value for _, value in arguments]
        copy = _copy(self.native)
        self.tally.add(f"tried: {type(outcome).__name__}")
        raised: Exception | None = None
        try:
            getattr(copy, action.name)(*values)
        except Exception as error:
            raised = error
        if raised is not None and snapshot(copy) != snapshot(self.native):
            raise Difference(f"{what()} raises {raised!r} and leaves the state changed: {copy!r}")
        match outcome, raised:
            case Taken(after), None:
                _same_state(self.instance, copy, after, what)
            case Refused(guards), GuardRefused():
                # The arguments as they were passed, whatever the action has assigned to its parameters since.
                seen = (raised.action, raised.arguments, raised.guards, raised.state)
                expected = (action.name, dict(arguments), guards, dict(snapshot(self.native)))
                if seen != expected:
                    raise Difference(f"{what()} is refused natively as {seen}, in the model as {expected}")
                if refused_by(getattr(self.native, action.name), *values) != guards:
                    raise Difference(f"{what()}: refused_by does not name {guards}")
            case AssumedAway(), _:
                pass
            case IllDefined(), Exception() if not isinstance(raised, GuardRefused | ArgumentRefused):
                pass
            case IllDefined(), _ if _unnoticed(self.instance, action.steps, action.updates):
                self.tally.add("ill-defined, unnoticed natively")
            case _:
                raise Difference(f"{what()}: natively {raised!r}, {copy!r}; in the model {outcome}") from raised

    def compare_foreign(self, action: ir.Action, arguments: dict[str, Any]) -> None:
        """An argument outside its domain is refused before anything else."""
        for name in arguments:
            value = self.dice.choice(FOREIGN)
            if contains(self.instance.parameters[action.name, name], value):
                continue
            self.tally.add("tried: foreign argument")
            copy = _copy(self.native)
            try:
                getattr(copy, action.name)(**{**arguments, name: value})
            except ArgumentRefused as refused:
                if refused.parameter != name or snapshot(copy) != snapshot(self.native):
                    raise Difference(f"{action.name}: {name}={value!r} is refused as {refused}") from refused
            except Exception as error:
                raise Difference(f"{action.name}: {name}={value!r} raises {error!r}") from error
            else:
                raise Difference(f"{action.name}: {name}={value!r} is outside its domain and is taken")

    def compare_properties(self) -> None:
        for item in self.instance.protocol.properties:
            if item.kind != "transition_invariant" and not _reads_ghosts(self.instance, item.body):
                self.compare_property(item, self.native, self.state, None)

    def compare_transitions(self, before: Protocol, after: Mapping[str, Any]) -> None:
        for item in self.instance.protocol.of_kind("transition_invariant"):
            if not _reads_ghosts(self.instance, item.body):
                self.compare_property(item, before, self.state, after)

    def compare_property(
        self, item: ir.Property, native: Protocol, state: Mapping[str, Any], after: Mapping[str, Any] | None
    ) -> None:
        self.tally.add("properties compared")
        arguments = () if after is None else (self.native,)

        def what() -> str:
            return f"{item.name} in {_shown(state)}" + (f", then {_shown(after)}" if after is not None else "")

        expected: bool | None
        try:
            expected = model_holds(self.instance, item.body, state, after)
        except Undefined:
            expected = None
        try:
            found = holds(getattr(native, item.name), *arguments)
        except Exception as error:
            if expected is not None:
                raise Difference(f"{what()} raises {error!r}; in the model it is {expected}") from error
            return
        if expected is None and _holds_quantifier(self.instance, item.body):
            self.tally.add("ill-defined, unnoticed natively")
        elif found is not expected:
            raise Difference(f"{what()} is natively {found!r}, in the model {expected!r}")


# ------------------------------------------------------------------------------------------------------- parts


def _copy(native: Protocol) -> Protocol:
    """An instance of its own in the same state; values are immutable."""
    copy = object.__new__(type(native))
    copy.__dict__.update(native.__dict__)
    return copy


def _same_state(instance: Instance, native: Protocol, state: Mapping[str, Any], what: Callable[[], str]) -> None:
    expected = {item.name: state[item.name] for item in instance.protocol.variables if not item.ghost}
    found = dict(snapshot(native))
    # `True == 1` in Python and nowhere here: values are compared as they are shown as well.
    if found != expected or _shown(found) != _shown(expected):
        raise Difference(f"{what()}: natively {_shown(found)}, in the model {_shown(expected)}")
    for value in found.values():
        hash(value)


def _unnoticed(instance: Instance, steps: tuple[ir.Step, ...], updates: tuple[ir.Update, ...]) -> bool:
    """Whether something is evaluated in the model only."""
    ghosts = {item.name for item in instance.protocol.variables if item.ghost}
    if any(isinstance(step, ir.Assume) for step in steps) or any(update.variable in ghosts for update in updates):
        return True
    exprs = [step.value if isinstance(step, ir.Bind) else step.condition for step in steps]
    exprs += [step.when for step in steps if step.when is not None]
    exprs += [update.value for update in updates]
    return any(_holds_quantifier(instance, expr) for expr in exprs)


def _holds_quantifier(instance: Instance, expr: ir.Expr) -> bool:
    for node in traverse.walk(expr):
        if isinstance(node, ir.Quantifier):
            return True
        if isinstance(node, ir.Call) and _holds_quantifier(instance, instance.protocol.helper(node.helper).body):
            return True
    return False


def _reads_ghosts(instance: Instance, expr: ir.Expr) -> bool:
    ghosts = {item.name for item in instance.protocol.variables if item.ghost}
    return bool(ghosts & traverse.variables_of(expr, instance.protocol))


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {show(value)}" for name, value in values.items())


__all__ = ["compare_native"]
