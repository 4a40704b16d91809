"""From a flagged state to a trace: the path of parents, decoded, replayed step by step by the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..transpiler import ir
from ..transpiler.abstract_view import AbstractView
from ..transpiler.interpreter import Arguments, IllDefined, Taken, holds, initial_states, outside, steps
from ..transpiler.packing.program import Program
from .replay import replay, violates
from .searched import Searched, Violation
from .traces import State, Trace, TraceStep


def safety_trace(search: Searched) -> Trace:
    """The shortest trace to the violation that a search found.

    Raises `AssertionError` where the interpreter does not see the violation: then the generated code, or the
    interpreter, is wrong, and nothing may be said about the protocol.
    """
    violation = search.violation
    if violation is None:
        raise AssertionError("there is no violation to be shown")
    trace = _trace(search, violation)
    if len(trace.steps) != violation.length or not violates(search.program.instance, trace, violation.property):
        raise AssertionError(f"the interpreter does not see that {violation.property} is violated in {trace}")
    return trace


def _trace(search: Searched, violation: Violation) -> Trace:
    program = search.program
    instance = program.instance
    if violation.state is None:
        return Trace((_flagged_choice(search, violation),))
    path = _behaviour(program, search.visited.path(violation.state))
    trace = replay(instance, path)
    if len(path) == violation.length:
        return trace
    for action, arguments, state in _steps_beyond(search, violation, path[-1]):
        return Trace((*trace.steps, TraceStep(action, arguments, state)))
    raise AssertionError(f"the interpreter knows no step from {path[-1]} that violates {violation.property}")


def _behaviour(program: Program, path: Sequence[int]) -> list[State]:
    """The states of a path; where each only stands for its orbit, those of a behaviour through the same orbits.

    The first is an initial state, since all states of its orbit are; from each state some step leads into the orbit of
    the next, since one does from its representative.
    """
    states: list[State] = [program.decode(path[0])]
    for representative in path[1:]:
        if program.reduction is None:
            states.append(program.decode(representative))
        else:
            states.append(_step_into(program, states[-1], representative))
    return states


def _step_into(program: Program, state: State, representative: int) -> State:
    for _, _, outcome in steps(program.instance, state):
        if not isinstance(outcome, Taken) or outcome.outside:
            continue
        if program.representative(program.encode(outcome.state)) == representative:
            return outcome.state
    raise AssertionError(f"the interpreter knows no step from {state} into the orbit of {representative}")


def _steps_beyond(search: Searched, violation: Violation, last: State) -> Iterator[tuple[str, Arguments, State]]:
    """The steps from a state that violate what is about steps."""
    instance = search.program.instance
    for action, arguments, outcome in steps(instance, last):
        if not isinstance(outcome, Taken):
            continue
        if violation.property == "type_ok":
            if outcome.outside:
                yield action, arguments, outcome.state
        elif outcome.state == last or outcome.outside:
            continue
        elif violation.property == ir.REFINES:
            view = AbstractView(instance)
            if view.is_defined(outcome.state) and not view.follows(last, outcome.state):
                yield action, arguments, outcome.state
        else:
            item = next(item for item in instance.protocol.properties if item.name == violation.property)
            if not holds(instance, item.body, last, outcome.state):
                yield action, arguments, outcome.state


def _flagged_choice(search: Searched, violation: Violation) -> TraceStep:
    """The first choice of init that is outside the domains, or has no value."""
    instance = search.program.instance
    for arguments, outcome in initial_states(instance):
        match outcome:
            case Taken(state) if violation.property == "type_ok" and outside(instance, state):
                return TraceStep(None, arguments, state)
            case IllDefined() if violation.property == "well_defined":
                # There is no state yet: only what init chose can be shown.
                return TraceStep(None, arguments, {})
    raise AssertionError(f"the interpreter knows no choice of init that violates {violation.property}")
