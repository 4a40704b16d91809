"""Why a condition has the value that it has: the comparison that decides it, with the values that were compared.

Of `all(i <= k for i in self.pending_reads)` that is `i = 2: 2 <= 1`, the first element that fails. What is told is as
true or false as the whole: under a negation it is told with `not`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...transpiler import ir
from ...transpiler.instance import Instance
from ...transpiler.interpreter import Arguments, Scope, State, Undefined, iterations, value_of
from ...transpiler.pretty import pretty_expr
from .texts import value_text, visible

MOST_CHARACTERS = 160
MOST_ELEMENTS = 3
"""Elements that are told where all of them decide together."""


def why_refused(instance: Instance, state: State, action: ir.Action, arguments: Arguments, guard: str) -> str:
    """What makes a guard of a call false in a state; empty where nothing shorter than the guard itself says so."""
    scope = Scope(instance, state, dict(arguments))
    try:
        for step in action.steps:
            if isinstance(step, ir.Guard) and step.name == guard:
                return _shortened(_why(step.condition, scope))
            if isinstance(step, ir.Bind) and (step.when is None or value_of(step.when, scope)):
                scope = scope.bind(step.name, value_of(step.value, scope))
    except Undefined:
        return ""
    return ""


def why(condition: ir.Expr, instance: Instance, state: State, after: State | None = None) -> str:
    """What decides a condition in a state, or of a step; empty where it has no value."""
    try:
        return _shortened(_why(condition, Scope(instance, state, {}, after)))
    except Undefined:
        return ""


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _why(expr: ir.Expr, scope: Scope, negated: bool = False) -> str:
    match expr:
        case ir.Compare():
            return _relation(expr.left, expr.operator, expr.right, scope, negated)
        case ir.Equal():
            return _relation(expr.left, "!=" if expr.negated else "==", expr.right, scope, negated)
        case ir.Member():
            return _relation(expr.element, "not in" if expr.negated else "in", expr.collection, scope, negated)
        case ir.Subset():
            return _relation(expr.left, "<" if expr.strict else "<=", expr.right, scope, negated)
        case ir.Not():
            return _why(expr.operand, scope, not negated)
        case ir.Logic():
            return _logic(expr, scope, negated)
        case ir.IfElse():
            return _why(expr.then if value_of(expr.condition, scope) else expr.orelse, scope, negated)
        case ir.Let():
            return _why(expr.body, scope.bind(expr.name, value_of(expr.value, scope)), negated)
        case ir.Call():
            return _call(expr, scope, negated)
        case ir.Quantifier():
            return _quantifier(expr, scope, negated)
        case ir.Literal():
            return ""
        case _:
            # A bool of the state, say.
            return visible(f"{pretty_expr(expr)} is {value_of(expr, scope)}")


def _relation(left: ir.Expr, word: str, right: ir.Expr, scope: Scope, negated: bool) -> str:
    return f"{'not ' if negated else ''}{_operand(left, scope)} {word} {_operand(right, scope)}"


def _operand(expr: ir.Expr, scope: Scope) -> str:
    value = value_of(expr, scope)
    if isinstance(value, range):
        return f"range({value.start}, {value.stop})"
    return value_text(value)


def _logic(expr: ir.Logic, scope: Scope, negated: bool) -> str:
    """The first operand that decides, or all of them where none does."""
    decisive = expr.operator == "or"
    for operand in expr.operands:
        if bool(value_of(operand, scope)) is decisive:
            return _why(operand, scope, negated)
    return _told(_why(operand, scope, negated) for operand in expr.operands)


def _call(expr: ir.Call, scope: Scope, negated: bool) -> str:
    helper = scope.instance.protocol.helper(expr.helper)
    arguments = [value_of(argument, scope) for argument in expr.arguments]
    named = {parameter.name: value for parameter, value in zip(helper.parameters, arguments, strict=True)}
    state = scope.after if expr.after and scope.after is not None else scope.state
    return _why(helper.body, Scope(scope.instance, state, named), negated)


def _quantifier(expr: ir.Quantifier, scope: Scope, negated: bool) -> str:
    decisive = expr.operator == "any"
    inner = list(iterations(expr.generators, scope))
    for each in inner:
        if bool(value_of(expr.condition, each)) is decisive:
            return _element(expr, each, negated)
    if not inner:
        return f"there is no {_names(expr)}"
    told = [_element(expr, each, negated) for each in inner[:MOST_ELEMENTS]]
    rest = len(inner) - len(told)
    return "; ".join([*told, *([f"and {rest} more"] if rest else [])])


def _names(expr: ir.Quantifier) -> str:
    return ", ".join(generator.name for generator in expr.generators)


def _element(expr: ir.Quantifier, scope: Scope, negated: bool) -> str:
    bound = ", ".join(f"{item.name} = {value_text(scope.locals[item.name])}" for item in expr.generators)
    reason = _why(expr.condition, scope, negated)
    return f"{bound}: {reason}" if reason else bound


def _told(reasons: Iterator[str]) -> str:
    told: Sequence[str] = [reason for reason in reasons if reason]
    return "; ".join(told)
