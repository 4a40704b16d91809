"""IR → IR: a protocol as it runs, without what only the model has.

Ghosts, assumptions, and what feeds them alone are left out, as `native` leaves them out of the methods that run. What
remains allows every behaviour that the protocol allows, with its ghosts left out, and those besides in which the
environment breaks an assumption: a running system cannot be blamed for that.

    assume(x)           →  nothing
    ghost' = x          →  nothing, and the variable is gone
    name = (a ghost)    →  nothing
    @init f(self, x)    →  without the choice x, if only ghosts were made of it

Properties and helpers that read a ghost are left out, and so is a refinement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from . import ir, traverse

S = TypeVar("S", bound=ir.Step)


def as_it_runs(protocol: ir.Protocol) -> ir.Protocol:
    """The protocol without ghosts and assumptions."""
    ghosts = frozenset(variable.name for variable in protocol.variables if variable.ghost)

    def reads_ghosts(*exprs: ir.Expr | None) -> bool:
        return any(expr is not None and ghosts & traverse.variables_of(expr, protocol) for expr in exprs)

    return replace(
        protocol,
        variables=tuple(variable for variable in protocol.variables if not variable.ghost),
        init=_init(protocol.init, ghosts, protocol),
        helpers=tuple(helper for helper in protocol.helpers if not reads_ghosts(helper.body)),
        actions=tuple(_action(action, ghosts, protocol) for action in protocol.actions),
        properties=tuple(item for item in protocol.properties if not reads_ghosts(item.body, item.target)),
        refinement=None,
    )


def _action(action: ir.Action, ghosts: frozenset[str], protocol: ir.Protocol) -> ir.Action:
    updates = tuple(update for update in action.updates if update.variable not in ghosts)
    return replace(action, steps=_kept(action.steps, ghosts, protocol), updates=updates)


def _init(init: ir.Init, ghosts: frozenset[str], protocol: ir.Protocol) -> ir.Init:
    steps = _kept(init.steps, ghosts, protocol)
    updates = tuple(update for update in init.updates if update.variable not in ghosts)
    used, before = _names(steps, updates), _names(init.steps, init.updates)
    # One that nothing has ever used is no ghost's: it stays, as it does at run time.
    parameters = tuple(item for item in init.parameters if item.name in used or item.name not in before)
    return replace(init, parameters=parameters, steps=steps, updates=updates)


def _kept(steps: Iterable[S], ghosts: frozenset[str], protocol: ir.Protocol) -> tuple[S, ...]:
    """The steps that run; local names that depend on a ghost are gone, and so is what depends on those."""
    hidden: set[str] = set()

    def depends(*exprs: ir.Expr | None) -> bool:
        return any(
            expr is not None and (ghosts & traverse.variables_of(expr, protocol) or hidden & traverse.free_locals(expr))
            for expr in exprs
        )

    kept: list[S] = []
    for step in steps:
        if isinstance(step, ir.Bind) and depends(step.when, step.value):
            hidden.add(step.name)
        elif isinstance(step, ir.Assume) or (isinstance(step, ir.Oblige) and depends(step.when, step.condition)):
            continue
        else:
            # Guards are all kept: one that depends on a ghost is refused when the protocol is compiled.
            kept.append(step)
    return tuple(kept)


def _names(steps: Iterable[ir.Step], updates: Iterable[ir.Update]) -> frozenset[str]:
    """The local names that steps and updates refer to."""
    exprs: list[ir.Expr] = [update.value for update in updates]
    for step in steps:
        exprs.append(step.value if isinstance(step, ir.Bind) else step.condition)
        if step.when is not None:
            exprs.append(step.when)
    return frozenset[str]().union(*map(traverse.free_locals, exprs))
