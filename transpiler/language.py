"""The words a protocol is written in. Decorators only attach frozen records; nothing is compiled before first use.

What each word means is docs/language.md; `declarations` collects what a class body says, `frontend` lowers it and
`native` makes its methods run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal, TypeVar, overload

Fairness = Literal["weak", "strong"]
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

MethodKind = Literal[
    "init",
    "action",
    "helper",
    "abstraction",
    "invariant",
    "transition_invariant",
    "eventually",
    "infinitely_often",
    "eventually_always",
    "leads_to",
    "reachable",
    "terminal",
]

MARK = "__protocheck_mark__"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a decorator says of a function: its kind, the fairness of an action, the right side of `leads_to`."""

    kind: MethodKind
    fairness: Fairness | None = None
    each: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a protocol class was defined, and the local names that were visible there."""

    file: str
    line: int
    local_names: Mapping[str, Any]


class Protocol:
    """Base class of every protocol: a state machine that is checked, and that runs.

    `Rollback(max_len=8)` is an instance in its initial state; constants, and what `@init` would choose, are passed by
    name. Calling an action takes the step, or raises `ArgumentRefused` or `GuardRefused` and leaves the state as it
    was. The class has no public attributes of its own, so that no name of a user's is taken; questions about an
    instance are functions of this package: `snapshot`, `enabled`, `refused_by`, `choices`, `holds`, `without`.

    Class keywords: `fairness` of the next-state relation; `survivors`, guards that no property needs, with the reason;
    `refines`, a protocol of which every step is a step or changes nothing, seen through the `@abstraction` methods.
    """

    def __init_subclass__(
        cls,
        *,
        fairness: Fairness | None = None,
        survivors: Mapping[str, str] | None = None,
        refines: type[Protocol] | None = None,
        **keywords: Any,
    ) -> None:
        super().__init_subclass__(**keywords)
        if refines is not None:
            if not (isinstance(refines, type) and issubclass(refines, Protocol)) or refines is Protocol:
                raise TypeError(f"refines=... names a protocol class, not {refines!r}")
            cls.__protocheck_refines__ = refines
        if fairness is not None:
            cls.__protocheck_fairness__ = fairness
        if survivors is not None:
            cls.__protocheck_survivors__ = dict(survivors)
        cls.__protocheck_origin__ = _origin(sys._getframe(1))

    __protocheck_fairness__: Fairness | None = None
    __protocheck_survivors__: Mapping[str, str] = {}
    __protocheck_refines__: type[Protocol] | None = None
    __protocheck_origin__: Origin
    __protocheck_dropped__: str | None = None

    def __init__(self, **values: Any) -> None:
        # Imported here: declaring a protocol must not load the compiler.
        from .native import initialise

        initialise(self, values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"the state of {type(self).__name__} changes through its actions only, not by assignment")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"the state of {type(self).__name__} changes through its actions only")

    def __reduce__(self) -> tuple[Any, ...]:
        from .native import copied

        return copied(self)

    def __repr__(self) -> str:
        from .native import describe

        return describe(self)


def const(default: T, *, symmetric: bool = False) -> T:
    """A constant with its default. `symmetric`: the members of this set of names are interchangeable."""
    if symmetric and not (isinstance(default, frozenset) and all(isinstance(member, str) for member in default)):
        raise TypeError("only a frozenset of strings can be symmetric")
    return default


def ghost(value: T) -> T:
    """A state variable that only the model has; it flows only into ghosts, assumptions and properties."""
    return value


def guard(**conditions: bool) -> None:
    """What the system must check before it acts: named conditions, all evaluated. Only inside an action."""
    raise RuntimeError("guard(...) was called outside a compiled action; is the method decorated with @action?")


def assume(condition: bool, /) -> None:
    """What the environment gives: restricts the model, erased at run time. Only inside an action or `@init`."""
    raise RuntimeError("assume(...) was called outside a compiled action; is the method decorated with @action?")


@overload
def action(function: F, /) -> F: ...
@overload
def action(*, fairness: Fairness | None = None, each: str | tuple[str, ...] = ()) -> Callable[[F], F]: ...
def action(
    function: F | None = None, /, *, fairness: Fairness | None = None, each: str | tuple[str, ...] = ()
) -> F | Callable[[F], F]:
    """An atomic step; a parameter is a choice in the model and an argument at run time.

    `fairness` is of the action as a whole; with `each="n"` of every instance of parameter n.
    """
    names = (each,) if isinstance(each, str) else tuple(each)
    mark = Mark("action", fairness, names)
    return _attach(function, mark) if function is not None else lambda later: _attach(later, mark)


def init(function: F) -> F:
    """Computes or chooses the initial values; a parameter is a non-deterministic choice."""
    return _attach(function, Mark("init"))


def helper(function: F) -> F:
    """A named expression: local names, `if` and `return`; no recursion, no effect."""
    return _attach(function, Mark("helper"))


def abstraction(function: F) -> F:
    """What a variable or constant of the refined protocol, of the same name, is in this one."""
    return _attach(function, Mark("abstraction"))


def invariant(function: F) -> F:
    """True in every reachable state."""
    return _attach(function, Mark("invariant"))


def transition_invariant(function: F) -> F:
    """True of every step that changes something; the second parameter is the state after the step."""
    return _attach(function, Mark("transition_invariant"))


def eventually(function: F) -> F:
    """Every behaviour reaches a state where this is true (`<>P`)."""
    return _attach(function, Mark("eventually"))


def infinitely_often(function: F) -> F:
    """Every behaviour makes this true again and again (`[]<>P`)."""
    return _attach(function, Mark("infinitely_often"))


def eventually_always(function: F) -> F:
    """Every behaviour makes this true for good in the end (`<>[]P`)."""
    return _attach(function, Mark("eventually_always"))


def leads_to(target: Callable[..., bool] | str) -> Callable[[F], F]:
    """Whenever this is true, `target` (a method, or the name of one further down) is true then or later (`P ~> Q`)."""
    name = target if isinstance(target, str) else target.__name__
    return lambda function: _attach(function, Mark("leads_to", target=name))


def reachable(function: F) -> F:
    """Some reachable state of the baseline satisfies this, so that the model is not vacuous."""
    return _attach(function, Mark("reachable"))


def terminal(function: F) -> F:
    """In such a state it is no deadlock that nothing is enabled."""
    return _attach(function, Mark("terminal"))


def mark_of(function: object) -> Mark | None:
    """The mark that a decorator of this module left on a function."""
    mark = getattr(function, MARK, None)
    return mark if isinstance(mark, Mark) else None


def _attach(function: F, mark: Mark) -> F:
    if not callable(function) or not hasattr(function, "__code__"):
        raise TypeError(f"@{mark.kind} goes on a plain method or function")
    if mark_of(function) is not None:
        raise TypeError(f"{function.__name__} is declared twice, as @{mark_of(function).kind} and @{mark.kind}")  # type: ignore[union-attr]
    setattr(function, MARK, mark)
    return function


def _origin(frame: FrameType) -> Origin:
    # At module level everything can be looked up later; inside a function the names would be gone by then.
    local_names = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
    return Origin(frame.f_code.co_filename, frame.f_lineno, local_names)
