"""Where an expression is lowered: what the names in it stand for, and what is known there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from .. import ir, traverse
from . import facts as knowledge
from . import low
from .builder import Builder
from .facts import Facts
from .low import Low
from .values import Known, Value, number, truth


@dataclass(frozen=True)
class Needs:
    """What the value of an expression depends on: local names and state variables, those of its helpers included."""

    locals: frozenset[str]
    variables: frozenset[str]


@dataclass(frozen=True)
class Scope:
    """`variables` in the state before a step (or the only one), `after` in the one after it; `lowerer` lowers.

    `needs` remembers by identity what expressions depend on: the same nodes are lowered many times, once for each
    argument of an action.
    """

    builder: Builder
    lowerer: Callable[[ir.Expr, Scope], Value]
    needs: Callable[[ir.Expr], Needs]
    variables: Mapping[str, Value]
    locals: Mapping[str, Value]
    facts: Facts = knowledge.NOTHING
    after: Mapping[str, Value] | None = None

    def value(self, expr: ir.Expr) -> Value:
        """The expression lowered."""
        return self.lowerer(expr, self)

    def truth(self, expr: ir.Expr) -> Low:
        """A bool expression as a test, without what the facts decide."""
        return knowledge.decide(truth(self.value(expr)), self.facts)

    def number(self, expr: ir.Expr) -> Low:
        """An int expression as a word."""
        return number(self.value(expr))

    def bind(self, name: str, value: Value) -> Scope:
        """The scope with a local name."""
        return replace(self, locals={**self.locals, name: value})

    def assume(self, test: Low) -> Scope:
        """The scope where a test is true."""
        return self if isinstance(test, low.Const) else replace(self, facts=knowledge.assume(test, self.facts))

    def known_locals(self, names: frozenset[str]) -> dict[str, Any] | None:
        """The values of local names, None where one of them is not known."""
        found: dict[str, Any] = {}
        for name in names:
            value = self.locals.get(name)
            if not isinstance(value, Known):
                return None
            found[name] = value.value
        return found


def needs_of(protocol: ir.Protocol) -> Callable[[ir.Expr], Needs]:
    """A function that tells what an expression of a protocol depends on and remembers it."""
    remembered: dict[int, tuple[ir.Expr, Needs]] = {}

    @cache
    def of_helper(name: str) -> frozenset[str]:
        return needs(protocol.helper(name).body).variables

    def needs(expr: ir.Expr) -> Needs:
        # By identity: hashing a tree costs as much as walking it. The expression is kept, so that its identity is.
        found = remembered.get(id(expr))
        if found is None:
            found = remembered[id(expr)] = (expr, compute(expr))
        return found[1]

    def compute(expr: ir.Expr) -> Needs:
        variables: set[str] = set()
        locals: set[str] = set()
        match expr:
            case ir.VariableRef(name=name):
                variables.add(name)
            case ir.LocalRef(name=name):
                locals.add(name)
            case ir.Call(helper=helper):
                variables |= of_helper(helper)
        for child in traverse.children(expr):
            inner = needs(child)
            variables |= inner.variables
            locals |= inner.locals
        # Names bound inside one definition are distinct, so that nothing outside a binder refers to its name.
        return Needs(frozenset(locals - set(traverse.binders(expr))), frozenset(variables))

    return needs
