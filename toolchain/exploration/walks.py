"""Traces as walks through an exploration: the calls that were made and the states that were met.

A trace that an engine has just found is taken as it is. One out of a file is bound to the protocol first, step by step,
since that may have changed in the meantime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...transpiler import ir
from ...transpiler.erasure import as_it_runs
from ...transpiler.instance import Instance, instantiate
from ...transpiler.interpreter import Arguments, Taken, attempt, outside
from ...transpiler.naming import snake_case
from ..counterexample import counter_example
from ..errors import UserError
from ..explorer import ExplorerEngine
from ..report import Verdict
from ..results import Budget, CheckJob
from ..trace_binding import Bound, bind
from ..traces import DescribedTrace, Trace, TraceStep
from .session import Exploration

Json = Any

SEARCH = Budget(max_states=200_000, timeout=10.0)
"""How long a counter-example is looked for before the page is shown without one."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A trace of this protocol in canonical values, every step with its arguments."""

    described: DescribedTrace
    trace: Trace

    @property
    def guard(self) -> str | None:
        return self.described.dropped

    def calls(self) -> Iterator[tuple[str, Arguments]]:
        """The choice of init ("") and every call, that which closes the loop last."""
        for move in self.trace.moves():
            yield move.step.action or "", move.step.arguments


# ------------------------------------------------------------------------------------------------ found by a check


@dataclass(frozen=True, slots=True)
class Search:
    """What a short check of an instance said: a counter-example, or in one sentence why there is none."""

    walk: Walk | None
    said: str


def search(instance: Instance, budget: Budget = SEARCH) -> Search:
    """Look for a counter-example with the explorer, within a budget."""
    answer = ExplorerEngine().check(CheckJob(instance, budget=budget))
    if answer.status == "holds":
        states = f"{answer.stats.distinct:,} states" if answer.stats is not None else "all states"
        return Search(None, f"no property is violated in {states}")
    if answer.status != "violated" or answer.trace is None:
        return Search(None, f"no counter-example was found: {answer.reason or answer.status}")
    described = counter_example(instance, Verdict(answer.status, answer, (answer,)))
    if described is None or not answer.trace.steps[0].state:
        return Search(None, f"{answer.violated} is violated: {answer.reason or 'init itself has no value'}")
    return Search(Walk(described, answer.trace), f"{answer.violated} is violated")


# ------------------------------------------------------------------------------------------------ read from a file


@dataclass(frozen=True, slots=True)
class Read:
    """The traces of a file that one page can show: of one protocol, with the same constants.

    `left_out` are those of the same protocol with others.
    """

    instance: Instance
    walks: tuple[Walk, ...]
    left_out: int


def read_walks(
    protocol: ir.Protocol, settings: Mapping[str, Any], examples: Sequence[DescribedTrace], name: str
) -> Read:
    """The traces of the file `name` as walks of a protocol, with the constants of the first and `settings` above them.

    Raises `UserError` where there is none, or where the protocol does not allow one of them.
    """
    own = snake_case(protocol.name)
    fitting = [example for example in examples if example.protocol in ("", own)]
    if not fitting:
        others = ", ".join(dict.fromkeys(example.protocol for example in examples))
        raise UserError(f"{name} has no trace of {own}{f', but of {others}' if others else ': nothing was violated'}")
    bound = [bind(replace(each, constants={**each.constants, **settings}), protocol, name) for each in fitting]
    first = bound[0].instance
    shown = [each for each in bound if _alike(each.instance, first)]
    # A recording has no ghosts, and is one of the protocol as it runs.
    baseline = protocol if set(first.variables) == {item.name for item in protocol.variables} else as_it_runs(protocol)
    walks = tuple(_walk(each, name) for each in shown)
    return Read(instantiate(baseline, first.constants), walks, len(bound) - len(shown))


def _alike(one: Instance, other: Instance) -> bool:
    return one.constants == other.constants and set(one.variables) == set(other.variables)


def _walk(bound: Bound, name: str) -> Walk:
    if not bound.trace.variables:
        raise UserError(f"{name}: init itself has no value in this trace, so there is no state to show")
    return Walk(bound.described, bound.trace)


# --------------------------------------------------------------------------------------------------- for the page


def walk_json(session: Exploration, walk: Walk) -> dict[str, Json]:
    """`calls`: the place of init's choice, then [action, call] for each step; `states`: their numbers."""
    machine = session.baseline
    actions = [calls.action.name for calls in machine.calls]
    described, trace = walk.described, walk.trace

    def call(step: TraceStep) -> list[int]:
        number = actions.index(step.action or "")
        return [number, machine.calls[number].arguments.index(step.arguments)]

    first, *rest = trace.steps
    return {
        "guard": walk.guard,
        "violated": described.violated,
        "kind": described.kind,
        "detail": described.detail,
        "source": described.source,
        "instance": described.instance,
        "begin": machine.beginnings.index(first.arguments),
        "calls": [call(step) for step in rest],
        "states": [session.number(step.state) for step in trace.steps],
        "loop_to": trace.loop_to,
        "closing": None if trace.closing is None else call(trace.closing),
        "stuttering": trace.stuttering,
    }


def fits(session: Exploration, walk: Walk) -> bool:
    """Whether every call of a walk is among those that the session tries."""
    machine = session.baseline
    tried = {calls.action.name: set(calls.arguments) for calls in machine.calls} | {"": set(machine.beginnings)}
    return all(arguments in tried[action] for action, arguments in walk.calls())


def both_ways(session: Exploration, walk: Walk) -> list[int]:
    """The states met when the calls of a walk are tried in the variant and in the baseline, each in its own state.

    Where one of them does not take a step it stays where it is.
    """
    met: dict[int, None] = {}
    for guard in dict.fromkeys((walk.guard, None)):
        instance = session.machine(guard).instance
        first, *rest = walk.trace.moves()
        state = first.step.state
        met[session.number(state)] = None
        for move in rest:
            action = instance.protocol.action(move.step.action or "")
            outcome = attempt(instance, state, action, move.step.arguments)
            if isinstance(outcome, Taken) and not outside(instance, state):
                state = outcome.state
            met[session.number(state)] = None
    return list(met)


def needed(walks: Sequence[Walk]) -> list[tuple[str, Arguments]]:
    """The calls that a page with these walks has to know."""
    return [call for walk in walks for call in walk.calls()]
