"""Boolean IR put together without what is certain already: `TRUE` vanishes, and nothing is asked twice.

All constructors keep the order from the left, in which a condition may protect those after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal as OneOf

from . import ir, traverse
from . import valuetypes as types
from .valuetypes import BOOL, INT

TRUE = ir.Literal(value=True, type=BOOL)
FALSE = ir.Literal(value=False, type=BOOL)


def conjunction(*parts: ir.Expr) -> ir.Expr:
    """All of the parts, each asked only for what the ones before it leave open."""
    needed: list[ir.Expr] = []
    for part in parts:
        for conjunct in conjuncts(part):
            rest = assuming(needed, conjunct)
            if rest == FALSE:
                return ir.Logic(operator="and", operands=(*needed, FALSE), type=BOOL) if needed else FALSE
            needed += conjuncts(rest)
    match needed:
        case []:
            return TRUE
        case [only]:
            return only
        case _:
            return ir.Logic(operator="and", operands=tuple(needed), type=BOOL)


def implication(condition: ir.Expr, conclusion: ir.Expr) -> ir.Expr:
    """`not condition or conclusion`."""
    conclusion = assuming(conjuncts(condition), conclusion)
    if conclusion == TRUE or condition == TRUE:
        return conclusion
    return _disjunction(negation(condition), conclusion)


def either(condition: ir.Expr, otherwise: ir.Expr) -> ir.Expr:
    """`condition or otherwise`, where `otherwise` is asked only if `condition` is false."""
    otherwise = assuming(conjuncts(negation(condition)), otherwise)
    if otherwise == TRUE:
        return TRUE
    return _disjunction(condition, otherwise)


def _disjunction(left: ir.Expr, right: ir.Expr) -> ir.Expr:
    operands = [part for side in (left, right) for part in _disjuncts(side) if part != FALSE]
    match operands:
        case []:
            return FALSE
        case [only]:
            return only
        case _:
            return ir.Logic(operator="or", operands=tuple(operands), type=BOOL)


def _disjuncts(condition: ir.Expr) -> tuple[ir.Expr, ...]:
    if isinstance(condition, ir.Logic) and condition.operator == "or":
        return condition.operands
    return (condition,)


def every(generator: ir.Generator, condition: ir.Expr) -> ir.Expr:
    """`condition` for every element that a generator selects."""
    if condition == TRUE:
        return TRUE
    generators: tuple[ir.Generator, ...] = (generator,)
    if isinstance(condition, ir.Quantifier) and condition.operator == "all":
        generators, condition = (generator, *condition.generators), condition.condition
    return ir.Quantifier(operator="all", generators=generators, condition=condition, type=BOOL)


def negation(condition: ir.Expr) -> ir.Expr:
    """`not condition`, without a double negation."""
    match condition:
        case ir.Not():
            return condition.operand
        case ir.Equal() | ir.Member():
            return replace(condition, negated=not condition.negated)
        case ir.Logic():
            other: OneOf["and", "or"] = "and" if condition.operator == "or" else "or"
            return replace(condition, operator=other, operands=tuple(map(negation, condition.operands)))
        case ir.Literal():
            return replace(condition, value=not condition.value)
        case _:
            return ir.Not(operand=condition, type=BOOL, span=condition.span)


def conjuncts(condition: ir.Expr) -> tuple[ir.Expr, ...]:
    """The parts of a conjunction, nested ones included; `TRUE` has none."""
    if isinstance(condition, ir.Logic) and condition.operator == "and":
        return tuple(part for operand in condition.operands for part in conjuncts(operand))
    return () if condition == TRUE else (condition,)


def assuming(facts: Iterable[ir.Expr], condition: ir.Expr) -> ir.Expr:
    """What is left of a condition where the facts hold; `TRUE` where they settle it."""
    known = [part for fact in facts for part in conjuncts(fact)]
    return _assuming(known, condition) if known else condition


def _assuming(facts: list[ir.Expr], condition: ir.Expr) -> ir.Expr:
    if any(implies(fact, condition) for fact in facts):
        return TRUE
    match condition:
        case ir.Logic(operator="and", operands=operands):
            return conjunction(*(_assuming(facts, operand) for operand in operands))
        case ir.Logic(operator="or", operands=operands):
            if any(implies(fact, operand) for fact in facts for operand in operands):
                return TRUE
            last = _assuming([*facts, *(negation(operand) for operand in operands[:-1])], operands[-1])
            return TRUE if last == TRUE else replace(condition, operands=(*operands[:-1], last))
        case ir.Quantifier(operator="all", generators=generators):
            bound = {generator.name for generator in generators}
            outer = [fact for fact in facts if not bound & traverse.free_locals(fact)]
            inner = _assuming(outer, condition.condition) if outer else condition.condition
            return TRUE if inner == TRUE else replace(condition, condition=inner)
        case ir.IfElse():
            then, orelse = _assuming(facts, condition.then), _assuming(facts, condition.orelse)
            return TRUE if then == orelse == TRUE else replace(condition, then=then, orelse=orelse)
        case _:
            return condition


def implies(fact: ir.Expr, condition: ir.Expr) -> bool:
    """Whether a fact settles a condition: the same text, or one of the implications that guards are written for."""
    if fact == condition:
        return True
    match _normal(fact), _normal(condition):
        case ir.Compare(operator="<", left=a, right=b), ir.Compare(operator="<", left=c, right=d):
            # A larger number on the left, or a smaller one on the right, says more.
            return (_at_most(c, a) and b == d) or (a == c and _at_most(b, d))
        case ir.Compare(operator="<", left=ir.Literal(value=int(low)), right=a), ir.Equal(
            negated=True, left=b, right=ir.Literal(value=int(other))
        ):
            return a == b and low >= other
        case ir.Compare(operator="<", left=a, right=ir.Literal(value=int(high))), ir.Equal(
            negated=True, left=b, right=ir.Literal(value=int(other))
        ):
            return a == b and high <= other
        case ir.Compare(operator="<", left=ir.Literal(value=int(low)), right=a), ir.Compare(
            operator="<=", left=ir.Negate(operand=ir.Size()), right=b
        ):
            # Not below zero is not below minus a length.
            return a == b and low >= -1
        case ir.IsInstance(record=a, classes=some), ir.IsInstance(record=b, classes=more):
            return a == b and set(some) <= set(more)
        case one, other_condition:
            return one == other_condition


def _at_most(left: ir.Expr, right: ir.Expr) -> bool:
    if isinstance(left, ir.Literal) and isinstance(right, ir.Literal):
        return bool(left.value <= right.value)
    return left == right


_OPPOSITE: dict[str, OneOf["<", "<=", ">", ">="]] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _normal(condition: ir.Expr) -> ir.Expr:
    """One form for conditions that mean the same: orders as `<`, numbers adjusted, emptiness as a size."""
    match condition:
        case ir.Not(operand=ir.Compare() as order):
            return _normal(replace(order, operator=_OPPOSITE[order.operator]))
        case ir.Compare(operator=">"):
            return _normal(replace(condition, operator="<", left=condition.right, right=condition.left))
        case ir.Compare(operator=">="):
            return _normal(replace(condition, operator="<=", left=condition.right, right=condition.left))
        case ir.Compare(operator="<=", left=ir.Literal(value=int(number)) as literal):
            return replace(condition, operator="<", left=replace(literal, value=number - 1))
        case ir.Compare(operator="<=", right=ir.Literal(value=int(number)) as literal):
            return replace(condition, operator="<", right=replace(literal, value=number + 1))
        case ir.Equal(negated=True) if _is_empty_display(condition.right) or _is_empty_display(condition.left):
            collection = condition.left if _is_empty_display(condition.right) else condition.right
            zero = ir.Literal(value=0, type=INT)
            return ir.Compare(operator="<", left=zero, right=ir.Size(collection=collection, type=INT), type=BOOL)
        case ir.Equal(left=ir.Literal(), right=right) if not isinstance(right, ir.Literal):
            return replace(condition, left=right, right=condition.left)
        case _:
            return condition


def _is_empty_display(expr: ir.Expr) -> bool:
    kinds = (types.Set, types.Sequence, types.Tuple)
    return isinstance(expr, ir.SetDisplay | ir.TupleDisplay) and isinstance(expr.type, kinds) and not expr.elements
