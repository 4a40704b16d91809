"""Questions about a running protocol. Functions, not methods: `Protocol` leaves every name to its user."""

from __future__ import annotations

import difflib
import itertools
import operator
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import MethodType
from typing import Any, ParamSpec, TypeVar

from .domains import values
from .language import Protocol, mark_of
from .native import ASK, LOCK, RUN, Run, held, native_of, state_of
from .refusals import ArgumentRefused
from .valuetypes import FrozenDict

P = ParamSpec("P")
Cls = TypeVar("Cls", bound=type[Protocol])


def snapshot(instance: Protocol) -> FrozenDict[str, Any]:
    """The state as an immutable, hashable mapping: variable → value, ghosts left out."""
    if not isinstance(instance, Protocol):
        raise TypeError("snapshot takes an instance of a protocol: snapshot(Rollback())")
    with held(instance):
        return FrozenDict(state_of(instance))


def enabled(action: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> bool:
    """Whether a step, `enabled(r.rollback, 2)`, would be taken now. An argument outside its domain is not."""
    try:
        return _try_out(action, args, kwargs) is None
    except ArgumentRefused:
        return False


def refused_by(action: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> tuple[str, ...]:
    """The names of the guards that refuse a step now; empty where it would be taken.

    Raises `ArgumentRefused` for an argument outside its domain.
    """
    refusal = _try_out(action, args, kwargs)
    return () if refusal is None else tuple(itertools.compress(refusal[0], map(operator.not_, refusal[1])))


def choices(action: Callable[..., object], /) -> Iterator[tuple[Any, ...]]:
    """The argument tuples with which an action, `choices(r.rollback)`, is enabled now, in the order of the domains."""
    bound = _bound_action(action)
    run: Run = bound.__self__.__dict__[RUN]
    described = run.instance.protocol.action(bound.__name__)
    domains = [run.instance.parameters[bound.__name__, parameter.name] for parameter in described.parameters]
    for arguments in itertools.product(*map(values, domains)):
        if enabled(bound, *arguments):
            yield arguments


def holds(condition: Callable[P, bool], /, *args: P.args, **kwargs: P.kwargs) -> bool:
    """Whether a property holds in the instance's state, `holds(r.no_ghost_reads)`.

    A transition invariant takes the state after: `holds(before.grows_by_one, after)`. Raises `ValueError` for a
    property that depends on a ghost, which has no value at run time.
    """
    mark = mark_of(condition.__func__) if isinstance(condition, MethodType) else None
    # An action is no condition: to ask it would be to take the step.
    if not isinstance(condition, MethodType) or mark is None or mark.kind in ("action", "init"):
        raise TypeError("holds takes a property of an instance: holds(r.no_ghost_reads)")
    try:
        with held(_owner(condition)):
            return bool(condition(*args, **kwargs))
    except AttributeError as error:
        if "is a ghost" in str(error):
            raise ValueError(f"{condition.__name__} cannot be evaluated at run time: {error}") from None
        raise


def without(protocol: Cls, guard: str) -> Cls:
    """The class with one guard, written "action.guard", dropped: the variant that the checker refuted, ready to run."""
    return _variant(protocol, guard)  # type: ignore[return-value,arg-type]


@lru_cache(maxsize=256)
def _variant(protocol: type[Protocol], guard: str) -> type[Protocol]:
    known = native_of(protocol).protocol.guard_names
    if guard not in known:
        near = difflib.get_close_matches(guard, known, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known) or 'none'}"
        raise ValueError(f"{protocol.__name__} has no guard {guard}{hint}")
    if protocol.__protocheck_dropped__ is not None:
        raise ValueError(f"{protocol.__name__} has lost its guard {protocol.__protocheck_dropped__} already")
    name = f"{protocol.__name__}__{guard.replace('.', '__')}"
    body = {"__protocheck_dropped__": guard, "__module__": protocol.__module__, "__doc__": protocol.__doc__}
    return type(name, (protocol,), body)


def _bound_action(action: Callable[..., object]) -> MethodType:
    if not isinstance(action, MethodType):
        # A scheduler's step stands in for the method that it takes.
        action = getattr(action, "__wrapped__", action)
    mark = mark_of(action.__func__) if isinstance(action, MethodType) else None
    if not isinstance(action, MethodType) or mark is None or mark.kind != "action":
        raise TypeError("this takes an action of an instance: enabled(r.rollback, 2)")
    return action


def _owner(method: MethodType) -> Protocol:
    assert isinstance(method.__self__, Protocol)
    return method.__self__


def _try_out(action: Callable[..., object], args: Any, kwargs: Any) -> tuple[tuple[str, ...], tuple[bool, ...]] | None:
    """Take the step on a copy; the guards of the call that refuses it, and whether each holds. None: it is taken.

    Values are immutable, so that a shallow copy shares nothing that could change.
    """
    bound = _bound_action(action)
    owner = _owner(bound)
    copy = object.__new__(type(owner))
    if LOCK in owner.__dict__:
        with held(owner):
            copy.__dict__.update(owner.__dict__)
    else:
        copy.__dict__.update(owner.__dict__)
    ask: Callable[..., tuple[tuple[str, ...], tuple[bool, ...]] | None] = getattr(bound.__func__, ASK)
    return ask(copy, *args, **kwargs)
