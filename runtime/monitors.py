"""Properties of a protocol, evaluated while it runs: after each step that changes something.

What a checker says of all behaviours within its bounds, a monitor says of this one at its real size. Not every property
can be asked of a running protocol: one that reads a ghost has no value there, and liveness speaks of behaviours that
never end. `invariants` says which are left out, and why.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..transpiler import ir, traverse
from ..transpiler.argument_checks import membership
from ..transpiler.domains import show
from ..transpiler.language import Protocol
from ..transpiler.native import RUN, Run, native_of

State = Mapping[str, Any]
"""Variable → value, ghosts left out."""

TYPE_OK = "type_ok"

_LEFT_OUT = {
    "well_defined": "a step whose expressions have no value raises by itself",
    "deadlock_free": "the scheduler says so when everybody waits and nothing is enabled",
}


class InvariantViolated(Exception):
    """A step led to a state, or was a step, that a property forbids. The step was undone.

    `of` names the instance, `violated` the property. `action` and `arguments` say which step, `before` and `after` are
    the states around it; for an instance that was bad when it was adopted, `action` and `before` are None. `cause` is
    what the property raised where it could not be evaluated.
    """

    def __init__(
        self,
        of: str,
        violated: str,
        action: str | None,
        arguments: Mapping[str, Any],
        before: State | None,
        after: State,
        cause: Exception | None = None,
    ) -> None:
        super().__init__()
        self.of, self.violated, self.action, self.arguments = of, violated, action, dict(arguments)
        self.before, self.after, self.cause = before, after, cause

    def __str__(self) -> str:
        how = f"could not be evaluated ({self.cause!r})" if self.cause is not None else "is violated"
        after = shown(self.after)
        if self.action is None or self.before is None:
            return f"{self.of}.{self.violated} {how} in the state at the start: {after}"
        step = step_text(self.action, self.arguments)
        return f"{self.of}.{self.violated} {how} by {step}, which led from {shown(self.before)} to {after}; undone"


def shown(state: Mapping[str, Any]) -> str:
    """`length = 2, pending_reads = {1}`."""
    return ", ".join(f"{name} = {show(value)}" for name, value in state.items())


def step_text(action: str, arguments: Mapping[str, Any]) -> str:
    """`rollback(k=2)`."""
    return f"{action}({', '.join(f'{name}={show(value)}' for name, value in arguments.items())})"


@dataclass(frozen=True, slots=True)
class Monitors:
    """What is evaluated of one protocol class, in this order; `left_out` maps each other property to the reason."""

    protocol: type[Protocol]
    names: tuple[str, ...]
    left_out: Mapping[str, str]


def invariants(protocol: Protocol | type[Protocol], *names: str) -> Monitors:
    """`type_ok` (of what is no ghost), and the invariants and transition invariants that have a value at run time.

    With `names` only these. Raises `ValueError` for a name that is no property or cannot be evaluated at run time.
    """
    cls = protocol if isinstance(protocol, type) else type(protocol)
    declared = native_of(cls).protocol
    ghosts = {variable.name for variable in declared.variables if variable.ghost}
    possible, left_out = [TYPE_OK], dict(_LEFT_OUT)
    # The order of verdicts: a step that breaks several properties is blamed on the first.
    for item in (*declared.of_kind("invariant"), *declared.of_kind("transition_invariant")):
        read = sorted(ghosts & traverse.variables_of(item.body, declared))
        if read:
            left_out[item.name] = f"it reads {' and '.join(read)}, which only the model has"
        else:
            possible.append(item.name)
    for item in declared.properties:
        if item.is_liveness:
            left_out[item.name] = "it speaks of behaviours that never end"
        elif item.kind in ("reachable", "terminal"):
            left_out[item.name] = "it forbids nothing"
    for name in names:
        if name in left_out:
            raise ValueError(f"{cls.__name__}.{name} cannot be monitored: {left_out[name]}")
        if name not in possible:
            near = difflib.get_close_matches(name, possible, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(possible)}"
            raise ValueError(f"{cls.__name__} has no property {name}{hint}")
    return Monitors(cls, tuple(name for name in possible if not names or name in names), left_out)


@dataclass(frozen=True, slots=True)
class Watch:
    """Monitors made ready for one instance: tests of the domains, the compiled methods, what each invariant reads."""

    fits: Mapping[str, Callable[[Any], bool]]
    state: tuple[tuple[str, frozenset[str], Callable[[Protocol], bool]], ...]
    steps: tuple[tuple[str, Callable[[Protocol, Protocol], bool]], ...]

    def first_violated(
        self, before: Protocol | None, after: Protocol, changes: State
    ) -> tuple[str, Exception | None] | None:
        """The first property that a step violates, with what it raised; None where all hold.

        `changes` are the variables that the step gave another value (all of them at the start, where `before` is
        None): an invariant that reads none of them is as true as it was.
        """
        for name, value in changes.items():
            if name in self.fits and not self.fits[name](value):
                return TYPE_OK, None
        changed = changes.keys()
        for name, reads, invariant in self.state:
            if not reads.isdisjoint(changed):
                try:
                    if not invariant(after):
                        return name, None
                except Exception as error:
                    return name, error
        if before is not None:
            for name, transition in self.steps:
                try:
                    if not transition(before, after):
                        return name, None
                except Exception as error:
                    return name, error
        return None


def watch(instance: Protocol, monitors: Monitors) -> Watch:
    """Raises `ValueError` for monitors of another protocol."""
    if not isinstance(instance, monitors.protocol):
        raise ValueError(f"these are monitors of {monitors.protocol.__name__}, not of {type(instance).__name__}")
    cls = type(instance)
    run: Run = instance.__dict__[RUN]
    declared = run.instance.protocol
    wanted = [item for item in declared.properties if item.name in monitors.names]

    def reads(item: ir.Property) -> frozenset[str]:
        return traverse.variables_of(item.body, declared)

    return Watch(
        {name: membership(run.instance.variables[name]) for name in run.variables if TYPE_OK in monitors.names},
        tuple((item.name, reads(item), getattr(cls, item.name)) for item in wanted if item.kind == "invariant"),
        tuple((item.name, getattr(cls, item.name)) for item in wanted if item.kind == "transition_invariant"),
    )
