"""IR → IR: properties that read no variable are made to, because TLC takes what is constant for something else.

    <>TRUE             is reported as violated
    INVARIANT FALSE    is an error of the configuration, without a trace

A property that no variable reaches becomes `P /\\ x = x`. What counts is what SANY calls the level: a local definition
that is not used does not raise it, and neither does an argument that the operator ignores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import ir, traverse
from .valuetypes import BOOL


def moored(protocol: ir.Protocol) -> ir.Protocol:
    """The protocol with every property but the transition invariants reading some variable."""
    if not protocol.variables:
        return protocol
    stateless = {
        item.name
        for item in protocol.properties
        if item.kind not in ("transition_invariant", "terminal") and not reads_state(item.body, protocol, {})
    }
    properties = tuple(
        replace(
            item,
            body=_with_state(item.body, protocol) if item.name in stateless else item.body,
            target=None if item.target is None else _moored(item.target, protocol),
        )
        for item in protocol.properties
    )
    # A property that is called elsewhere is a helper of the same name, and rendered as that.
    helpers = tuple(
        replace(item, body=_with_state(item.body, protocol)) if item.name in stateless else item
        for item in protocol.helpers
    )
    return replace(protocol, properties=properties, helpers=helpers)


def with_named_predicates(protocol: ir.Protocol) -> ir.Protocol:
    """The protocol with a helper for what a liveness property says of a state, where that has local names.

    TLC 2.15 loses the state when it comes to a LET inside a temporal formula, and finds variables undefined there.
    """
    called = {helper.name for helper in protocol.helpers}
    added = tuple(
        ir.Helper(name=item.name, parameters=(), body=item.body, type=BOOL, span=item.span)
        for item in protocol.properties
        if item.is_liveness
        and item.name not in called
        and any(isinstance(part, ir.Let) for part in traverse.walk(item.body))
    )
    return replace(protocol, helpers=protocol.helpers + added)


def _moored(expr: ir.Expr, protocol: ir.Protocol) -> ir.Expr:
    return expr if reads_state(expr, protocol, {}) else _with_state(expr, protocol)


def reads_state(expr: ir.Expr, protocol: ir.Protocol, names: Mapping[str, bool]) -> bool:
    """Whether the level of an expression is that of a state; `names` tells it of the local names."""
    match expr:
        case ir.VariableRef():
            return True
        case ir.LocalRef():
            return names.get(expr.name, False)
        case ir.Let():
            value = reads_state(expr.value, protocol, names)
            return reads_state(expr.body, protocol, {**names, expr.name: value})
        case ir.Call():
            helper = protocol.helper(expr.helper)
            pairs = zip(helper.parameters, expr.arguments, strict=True)
            given = {parameter.name: reads_state(argument, protocol, names) for parameter, argument in pairs}
            return reads_state(helper.body, protocol, given)
        case _:
            # What iterates over the state reads it, whatever becomes of the name that is bound.
            return any(reads_state(child, protocol, names) for child in traverse.children(expr))


def _with_state(body: ir.Expr, protocol: ir.Protocol) -> ir.Expr:
    first = protocol.variables[0]
    variable = ir.VariableRef(first.name, type=first.type, span=body.span)
    same = ir.Equal(variable, variable, type=BOOL, span=body.span)
    return ir.Logic("and", (body, same), type=BOOL, span=body.span)


__all__ = ["moored", "reads_state", "with_named_predicates"]
