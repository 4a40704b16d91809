"""The fairness that a protocol declares, one constraint at a time.

A constraint is about the steps of some actions that change something (in TLA+, WF or SF of <A>_vars): weak fairness
forbids that they are possible for ever without being taken, strong fairness that they are possible again and again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from .domains import show, values
from .instance import Instance
from .interpreter import Arguments, State, Taken, attempt, choices


@dataclass(frozen=True, slots=True)
class Constraint:
    """`action` None: any action at all. `fixed`: only the instances of the action with these arguments."""

    strength: Literal["weak", "strong"]
    action: str | None
    fixed: Arguments = ()

    def covers(self, action: str, arguments: Arguments) -> bool:
        """Whether a step by an action with these arguments is one of those that the constraint is about."""
        if self.action is None:
            return True
        given = dict(arguments)
        return action == self.action and all(given[name] == value for name, value in self.fixed)

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={show(value)}" for name, value in self.fixed)
        return f"{self.strength} fairness of {self.action or 'Next'}{f'({arguments})' if arguments else ''}"


def constraints(instance: Instance) -> tuple[Constraint, ...]:
    """Every constraint of a protocol: of Next, then of its actions in source order, `each` combination on its own."""
    protocol = instance.protocol
    found = [] if protocol.fairness is None else [Constraint(protocol.fairness, None)]
    for action in protocol.actions:
        if action.fairness is None:
            continue
        # In the order of the parameters, whatever the order in which `each` names them.
        names = [parameter.name for parameter in action.parameters if parameter.name in action.each]
        domains = [tuple(values(instance.parameters[action.name, name])) for name in names]
        for chosen in itertools.product(*domains):
            found.append(Constraint(action.fairness, action.name, tuple(zip(names, chosen, strict=True))))
    return tuple(found)


def changing_steps(instance: Instance, state: State) -> list[tuple[str, Arguments, State]]:
    """The steps from a state that change something, within the domains or not."""
    found = []
    for action in instance.protocol.actions:
        for arguments in choices(instance, action.name):
            outcome = attempt(instance, state, action, arguments)
            if isinstance(outcome, Taken) and not same_state(outcome.state, state):
                found.append((action.name, arguments, outcome.state))
    return found


def same_state(one: State, other: State) -> bool:
    """Whether two states give every variable the same value."""
    return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)


def _same(one: object, other: object) -> bool:
    # `True == 1` in Python; a bool is no int here. Within collections the declared types keep them apart.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def is_fair_loop(instance: Instance, loop: list[State], constraint: Constraint) -> bool:
    """Whether going round these states for ever (the last is followed by the first) satisfies a constraint.

    A single state stands for staying in it, with or without a step. Every action that leads from one state to the
    next counts as taken: which one it was is not observable.
    """
    possible: list[list[State]] = [
        [after for action, arguments, after in changing_steps(instance, state) if constraint.covers(action, arguments)]
        for state in loop
    ]
    following = [*loop[1:], loop[0]]
    if any(same_state(after, then) for targets, then in zip(possible, following, strict=True) for after in targets):
        return True
    if constraint.strength == "weak":
        return any(not targets for targets in possible)
    return all(not targets for targets in possible)
