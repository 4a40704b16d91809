"""A helper's body in the place of its call, where the variables it reads have been assigned already."""

from __future__ import annotations

from collections.abc import Mapping

from . import ir
from .scope import NameSupply
from .traverse import bound_names, map_children, substitute, walk, without_shadowing


def variables_read(helper: ir.Helper, helpers: Mapping[str, ir.Helper]) -> frozenset[str]:
    """The state variables that a helper depends on, through other helpers too."""
    found: set[str] = set()
    for node in walk(helper.body):
        if isinstance(node, ir.VariableRef):
            found.add(node.name)
        elif isinstance(node, ir.Call):
            found |= variables_read(helpers[node.helper], helpers)
    return frozenset(found)


def inlined(
    helper: ir.Helper,
    arguments: tuple[ir.Expr, ...],
    current: Mapping[str, ir.Expr],
    names: NameSupply,
    helpers: Mapping[str, ir.Helper],
) -> ir.Expr:
    """The value of a call in a state given by `current`: variable → the expression that was assigned to it.

    Names that the body binds are renewed, so that they stay distinct in the definition the call stands in.
    """
    body = without_shadowing(helper.body, names.taken)
    names.taken.update(bound_names(body))

    def in_current(expr: ir.Expr) -> ir.Expr:
        if isinstance(expr, ir.VariableRef) and not expr.after:
            return current.get(expr.name, expr)
        renewed = map_children(expr, in_current)
        if isinstance(renewed, ir.Call) and not renewed.after:
            callee = helpers[renewed.helper]
            if any(name in current for name in variables_read(callee, helpers)):
                return inlined(callee, renewed.arguments, current, names, helpers)
        return renewed

    values: dict[str, ir.Expr] = {}
    named: list[tuple[str, ir.Expr]] = []
    for parameter, value in zip(helper.parameters, arguments, strict=True):
        if isinstance(value, (ir.Literal, ir.LocalRef, ir.ConstantRef, ir.VariableRef)):
            values[parameter.name] = value
            continue
        # An argument is evaluated once, whether or not the body uses it, and the names it binds stand there once.
        name = names.fresh(parameter.name)
        named.append((name, value))
        values[parameter.name] = ir.LocalRef(name, type=parameter.type, span=value.span)
    result = substitute(in_current(body), values)
    for name, value in reversed(named):
        result = ir.Let(name, value, result, type=result.type, span=result.span)
    return result
