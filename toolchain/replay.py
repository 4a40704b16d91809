"""Replaying a trace by the interpreter: which arguments each step had, and whether the trace shows what it claims.

TLC prints states, and names actions without their parameters. A trace of another engine's is believed only if every
step of it is one that the protocol allows, and if it violates what it names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from ..transpiler import ir
from ..transpiler.abstract_view import AbstractView
from ..transpiler.domains import show
from ..transpiler.fairness import constraints, is_fair_loop, same_state
from ..transpiler.instance import Instance
from ..transpiler.interpreter import (
    Arguments,
    IllDefined,
    Taken,
    Undefined,
    attempt,
    begin,
    choices,
    holds,
    initial_states,
    outside,
    steps,
)
from .traces import State, Trace, TraceStep


class ReplayError(Exception):
    """The protocol does not allow a state or step of a trace; `position` is that of the state, from 0."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"state {position + 1} of the trace: {reason}")
        self.position = position
        self.reason = reason


def replay(
    instance: Instance,
    states: Sequence[Mapping[str, Any]],
    actions: Sequence[str | None] = (),
    *,
    loop_to: int | None = None,
    stuttering: bool = False,
) -> Trace:
    """The trace with action and arguments of every step, the first that fit in canonical order.

    `actions` has one name a state (the first is not looked at), in the protocol's own spelling; None or a missing one
    means any action. `loop_to` is the index of the state to which a lasso goes back after the last. Steps that repeat
    a terminal state are dropped. Raises `ReplayError` at the first state that the protocol does not allow.
    """
    if not states:
        raise ReplayError(0, "there is none")
    if loop_to is not None and not 0 <= loop_to < len(states):
        raise ReplayError(len(states) - 1, f"it is said to go on from state {loop_to + 1}, which is not in the trace")
    ordered = [_ordered(instance, position, state) for position, state in enumerate(states)]
    named = [*actions, *([None] * (len(states) - len(actions)))]
    ordered, named, loop_to = _without_terminated(instance, ordered, named, loop_to)
    found = [TraceStep(None, _initial(instance, ordered[0]), ordered[0])]
    for position in range(1, len(ordered)):
        found.append(_step(instance, position, ordered[position - 1], named[position], ordered[position]))
    return closed(instance, Trace(tuple(found), None if stuttering else loop_to, stuttering=stuttering))


def closed(instance: Instance, trace: Trace) -> Trace:
    """The trace with the step that closes its loop, if it lacks one: the first that fits.

    A loop from the last state to itself that no step closes is staying there. Raises `ReplayError` where no step leads
    back.
    """
    if trace.loop_to is None or trace.closing is not None:
        return trace
    last = len(trace.steps) - 1
    try:
        back = _step(instance, last + 1, trace.steps[last].state, None, trace.steps[trace.loop_to].state)
    except ReplayError:
        if trace.loop_to == last:
            return replace(trace, loop_to=None, stuttering=True)
        raise
    return replace(trace, closing=back)


def begun(instance: Instance, trace: Trace) -> Trace:
    """The trace with what init chose, the first that fits where it does not say.

    Raises `ReplayError` where it does not begin in an initial state.
    """
    first, *others = trace.steps
    if {name for name, _ in first.arguments} >= {parameter.name for parameter in instance.protocol.init.parameters}:
        outcome = begin(instance, first.arguments)
        if not isinstance(outcome, Taken) or not same_state(outcome.state, first.state):
            raise ReplayError(0, f"{first.label} does not lead to {_text(first.state)}, so that it is no initial state")
        return trace
    chosen = replace(first, arguments=_initial(instance, first.state))
    return replace(trace, steps=(chosen, *others))


def _ordered(instance: Instance, position: int, state: Mapping[str, Any]) -> State:
    """The state with its variables in order of declaration."""
    missing = [name for name in instance.variables if name not in state]
    if missing:
        raise ReplayError(position, f"it gives no value to {', '.join(missing)}")
    return {name: state[name] for name in instance.variables}


def _without_terminated(
    instance: Instance, states: list[State], actions: list[str | None], loop_to: int | None
) -> tuple[list[State], list[str | None], int | None]:
    """Leave out repetitions of terminal states: the disjunct `Terminated` is no action of the protocol's."""
    kept: list[int] = []
    # Where each state of the trace went: a loop that goes back to a repetition goes back to what it repeats.
    place: list[int] = []
    for position, state in enumerate(states):
        repeats = position > 0 and same_state(states[position - 1], state) and actions[position] is None
        if not (repeats and _is_terminal(instance, state) and not _leads(instance, state, state)):
            kept.append(position)
        place.append(len(kept) - 1)
    target = None if loop_to is None else place[loop_to]
    return [states[i] for i in kept], [actions[i] for i in kept], target


def _initial(instance: Instance, state: State) -> Arguments:
    for arguments, outcome in initial_states(instance):
        if isinstance(outcome, Taken) and same_state(outcome.state, state):
            return arguments
    raise ReplayError(0, f"{_text(state)} is no initial state")


def _step(instance: Instance, position: int, before: State, action: str | None, after: State) -> TraceStep:
    known = [item.name for item in instance.protocol.actions]
    if action is not None and action not in known:
        raise ReplayError(position, f"there is no action {action}")
    for name in known if action is None else [action]:
        for arguments in leading(instance, before, name, after):
            return TraceStep(name, arguments, after)
    by = "no action leads" if action is None else f"{action} does not lead"
    raise ReplayError(position, f"{by} from {_text(before)} to {_text(after)}")


def leading(instance: Instance, before: State, action: str, after: State) -> Iterator[Arguments]:
    """The arguments with which an action leads from one state to the other."""
    for arguments in choices(instance, action):
        outcome = attempt(instance, before, instance.protocol.action(action), arguments)
        if isinstance(outcome, Taken) and same_state(outcome.state, after):
            yield arguments


def _leads(instance: Instance, before: State, after: State) -> bool:
    return any(True for action in instance.protocol.actions for _ in leading(instance, before, action.name, after))


def _text(state: State) -> str:
    return "[" + ", ".join(f"{name} = {show(value)}" for name, value in state.items()) + "]"


# ------------------------------------------------------------------------------------------------- what is shown


def violates(instance: Instance, trace: Trace, violated: str) -> bool:
    """Whether a trace that replays shows a violation of the property it names.

    Raises `KeyError` for a name that is no property of the protocol's.
    """
    states = [step.state for step in trace.steps]
    if not states:
        return False
    match violated:
        case "type_ok":
            return bool(outside(instance, states[-1]))
        case "well_defined":
            return _is_ill_defined(instance, states[-1])
        case "deadlock_free":
            return _is_deadlock(instance, states[-1])
        case ir.REFINES:
            return _leaves_what_is_refined(instance, states)
    named = [item for item in instance.protocol.properties if item.name == violated]
    if not named:
        raise KeyError(violated)
    item = named[0]
    match item.kind:
        case "invariant":
            return _value(instance, item.body, states[-1]) is False
        case "transition_invariant":
            if len(states) < 2 or same_state(states[-2], states[-1]):
                return False
            return _value(instance, item.body, states[-2], states[-1]) is False
        case "eventually" | "infinitely_often" | "eventually_always" | "leads_to":
            return _violates_liveness(instance, trace, item)
        case "reachable" | "terminal":
            # No trace shows that a state is reached nowhere; `terminal` is no property that could be violated.
            return False
        case _:
            assert_never(item.kind)


def _leaves_what_is_refined(instance: Instance, states: Sequence[State]) -> bool:
    """Whether the last step, or the initial state where there is no other, is none of what the protocol refines."""
    if instance.abstract is None:
        raise KeyError(ir.REFINES)
    view = AbstractView(instance)
    if outside(instance, states[-1]) or not all(map(view.is_defined, states[-2:])):
        return False
    if len(states) == 1:
        return not view.begins(states[0])
    return not same_state(states[-2], states[-1]) and not view.follows(states[-2], states[-1])


def shows(instance: Instance, trace: Trace, reached: str) -> bool:
    """Whether a trace ends in a state that satisfies the reachability property it names."""
    wanted = next(item for item in instance.protocol.of_kind("reachable") if item.name == reached)
    return bool(trace.steps) and _value(instance, wanted.body, trace.steps[-1].state) is True


def _value(instance: Instance, condition: ir.Expr, state: State, after: State | None = None) -> bool | None:
    """The truth of a condition, or None where it has none."""
    try:
        return holds(instance, condition, state, after)
    except Undefined:
        return None


def _is_terminal(instance: Instance, state: State) -> bool:
    return any(_value(instance, item.body, state) is True for item in instance.protocol.of_kind("terminal"))


def _is_ill_defined(instance: Instance, state: State) -> bool:
    if not state:
        # Nothing but the choice of init: it is ill-defined for some choice.
        return any(isinstance(outcome, IllDefined) for _, outcome in initial_states(instance))
    if outside(instance, state):
        return False
    if instance.abstract is not None and not AbstractView(instance).is_defined(state):
        return True
    after: list[State] = []
    for _, _, outcome in steps(instance, state):
        if isinstance(outcome, IllDefined):
            return True
        if not outcome.outside and not same_state(state, outcome.state):
            after.append(outcome.state)
    for item in instance.protocol.properties:
        for condition in (item.body, item.target):
            if condition is None:
                continue
            if item.kind == "transition_invariant":
                if any(_value(instance, condition, state, then) is None for then in after):
                    return True
            elif _value(instance, condition, state) is None:
                return True
    return False


def _is_deadlock(instance: Instance, state: State) -> bool:
    return not any(True for _ in steps(instance, state)) and not _is_terminal(instance, state)


def _violates_liveness(instance: Instance, trace: Trace, item: ir.Property) -> bool:
    """The behaviour is fair, and the states before the loop and in it refute the formula."""
    states = [step.state for step in trace.steps]
    if trace.stuttering:
        start = len(states) - 1
    elif trace.loop_to is not None:
        start = trace.loop_to
    else:
        return False
    loop = states[start:]
    if not all(is_fair_loop(instance, loop, constraint) for constraint in constraints(instance)):
        return False
    body = [_value(instance, item.body, state) for state in states]
    if None in body:
        return False
    match item.kind:
        case "eventually":
            return not any(body)
        case "infinitely_often":
            return not any(body[start:])
        case "eventually_always":
            return not all(body[start:])
        case _:
            assert item.target is not None
            target = [_value(instance, item.target, state) for state in states]
            # What is true at a position in the loop comes again after every other position in it.
            return None not in target and any(
                body[position] and not any(target[min(position, start) :]) for position in range(len(states))
            )
