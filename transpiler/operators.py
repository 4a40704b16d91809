"""Operators and comparisons → typed IR."""

from __future__ import annotations

import ast

from . import ir
from . import valuetypes as types
from .calls import iterable
from .coercion import fit
from .diagnostics import Code
from .expressions import element_type, fitted, held, lower, refuse_member_by_name
from .scope import Scope
from .traverse import bound_names

_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
}
_SETS: dict[type[ast.operator], str] = {ast.BitOr: "|", ast.BitAnd: "&", ast.Sub: "-", ast.BitXor: "^"}


def binary(scope: Scope, node: ast.expr, left_node: ast.expr, operator: ast.operator, right_node: ast.expr) -> ir.Expr:
    """`left + right` and its like: arithmetic on ints, set operations, concatenation."""
    span = scope.span(node)
    left, right = held(lower(scope, left_node)), held(lower(scope, right_node))
    sequences = (types.Sequence, types.Tuple)
    if isinstance(operator, ast.Add) and isinstance(left.type, sequences) and isinstance(right.type, sequences):
        return _concatenate(scope, node, left, right)
    if type(operator) in _SETS and (isinstance(left.type, types.Set) or isinstance(right.type, types.Set)):
        kind = types.unify(left.type, right.type)
        if not isinstance(kind, types.Set):
            scope.refuse(
                Code.TYPE, node, f"{_symbol(operator)} between {types.an(left.type)} and {types.an(right.type)}"
            )
        return ir.SetOperation(
            _SETS[type(operator)],  # type: ignore[arg-type]
            fitted(scope, left_node, left, kind),
            fitted(scope, right_node, right, kind),
            type=kind,
            span=span,
        )
    if isinstance(operator, ast.Div):
        scope.refuse(Code.SYNTAX, node, "`/` makes fractions", "there are only ints", "write `//`")
    if type(operator) not in _ARITHMETIC:
        scope.refuse(Code.SYNTAX, node, f"the operator {_symbol(operator)} is not in the language for {left.type}")
    for side, item in ((left, left_node), (right, right_node)):
        if side.type != types.INT:
            remedy = "write `1 if x else 0`: a bool is no int" if side.type == types.BOOL else ""
            scope.refuse(
                Code.TYPE, item, f"this is {types.an(side.type)}, where {_symbol(operator)} needs an int", remedy=remedy
            )
    return ir.Arithmetic(_ARITHMETIC[type(operator)], left, right, type=types.INT, span=span)  # type: ignore[arg-type]


def _concatenate(scope: Scope, node: ast.expr, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    if isinstance(left, ir.TupleDisplay) and isinstance(right, ir.TupleDisplay):
        both = (*left.elements, *right.elements)
        return ir.TupleDisplay(both, type=types.Tuple(tuple(item.type for item in both)), span=scope.span(node))
    element: types.Type | None = types.NEVER
    for kind in (left.type, right.type):
        parts = (
            kind.items if isinstance(kind, types.Tuple) else (kind.element,) if isinstance(kind, types.Sequence) else ()
        )
        for part in parts:
            element = types.unify(element, part) if element is not None else None
    if element is None:
        scope.refuse(Code.TYPE, node, f"`+` between {types.an(left.type)} and {types.an(right.type)}")
    sequence = types.Sequence(element)
    before, after = fit(left, sequence), fit(right, sequence)
    if before is None or after is None:
        scope.refuse(Code.TYPE, node, f"`+` between {types.an(left.type)} and {types.an(right.type)}")
    return ir.Concatenate(before, after, type=sequence, span=scope.span(node))


def comparison(scope: Scope, node: ast.expr, operands: list[ast.expr], operators: list[ast.cmpop]) -> ir.Expr:
    """`a < b` and its like, or a chain of them: order, equality, membership."""
    lowered = [
        None if _is_collection_side(operators, index) else lower(scope, item) for index, item in enumerate(operands)
    ]

    def conjuncts(index: int, left: ir.Expr | None) -> tuple[ir.Expr, ...]:
        """The comparisons from one operator on; what stands behind one that is false is not evaluated."""
        if left is None:
            left = lower(scope, operands[index])
        right = value = lowered[index + 1]
        last = index + 1 == len(operators)
        # The middle of `a < b < c` stands twice in the result, but names are bound once in a definition.
        named = scope.names.fresh("middle") if value is not None and not last and bound_names(value) else None
        if named is not None and value is not None:
            right = ir.LocalRef(named, type=value.type, span=value.span)
        first = _compare_one(scope, node, operands[index], left, operators[index], operands[index + 1], right)
        parts = (first,) if last else (first, *conjuncts(index + 1, right))
        if named is None or value is None:
            return parts
        return (ir.Let(named, value, _conjunction(scope, node, parts), type=types.BOOL, span=scope.span(node)),)

    return _conjunction(scope, node, conjuncts(0, lowered[0]))


def _conjunction(scope: Scope, node: ast.expr, parts: tuple[ir.Expr, ...]) -> ir.Expr:
    return parts[0] if len(parts) == 1 else ir.Logic("and", parts, type=types.BOOL, span=scope.span(node))


def _is_collection_side(operators: list[ast.cmpop], index: int) -> bool:
    """Whether an operand stands only to the right of `in`, where a range or an Enum class may stand as well."""
    return index > 0 and isinstance(operators[index - 1], (ast.In, ast.NotIn))


_ORDER: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


def _compare_one(
    scope: Scope,
    node: ast.expr,
    left_node: ast.expr,
    left: ir.Expr,
    operator: ast.cmpop,
    right_node: ast.expr,
    lowered: ir.Expr | None,
) -> ir.Expr:
    span = scope.span(node)
    match operator:
        case ast.In() | ast.NotIn():
            return _membership(scope, node, left_node, left, right_node, isinstance(operator, ast.NotIn))
        case ast.Is() | ast.IsNot():
            if not (isinstance(right_node, ast.Constant) and right_node.value is None):
                scope.refuse(Code.SYNTAX, node, "`is` compares identity", remedy="write `==`, or `is None`")
            if not isinstance(left.type, (types.Optional, types.Nothing)):
                scope.refuse(Code.TYPE, left_node, f"{types.an(left.type)} is never None")
            none = ir.Literal(None, type=left.type, span=scope.span(right_node))
            return ir.Equal(left, none, isinstance(operator, ast.IsNot), type=types.BOOL, span=span)
    right = lowered if lowered is not None else lower(scope, right_node)
    if isinstance(operator, (ast.Eq, ast.NotEq)):
        return _equal(scope, node, left, right, isinstance(operator, ast.NotEq))
    word = _ORDER[type(operator)]
    left, right = held(left), held(right)
    if isinstance(left.type, types.Set) or isinstance(right.type, types.Set):
        kind = types.unify(left.type, right.type)
        if not isinstance(kind, types.Set):
            scope.refuse(Code.TYPE, node, f"{word} between {types.an(left.type)} and {types.an(right.type)}")
        left, right = fitted(scope, left_node, left, kind), fitted(scope, right_node, right, kind)
        if word in (">", ">="):
            left, right = right, left
        return ir.Subset(left, right, word in ("<", ">"), type=types.BOOL, span=span)
    for side, item in ((left, left_node), (right, right_node)):
        if side.type != types.INT:
            scope.refuse(
                Code.TYPE,
                item,
                f"{word} orders ints and sets, this is {types.an(side.type)}",
                "interchangeable members have no order" if isinstance(side.type, types.Model) else "",
            )
    return ir.Compare(word, left, right, type=types.BOOL, span=span)  # type: ignore[arg-type]


def _equal(scope: Scope, node: ast.expr, left: ir.Expr, right: ir.Expr, negated: bool) -> ir.Expr:
    kind = types.unify(left.type, right.type)
    different_records = (
        isinstance(left.type, types.Record) and isinstance(right.type, types.Record) and left.type != right.type
    )
    if kind is None or different_records or isinstance(kind, types.Range):
        refuse_member_by_name(scope, node, left.type, right.type)
        scope.refuse(
            Code.TYPE,
            node,
            f"== between {types.an(left.type)} and {types.an(right.type)}",
            "equality compares equal types",
        )
    a, b = fit(left, kind), fit(right, kind)
    if a is None or b is None:
        scope.refuse(
            Code.TYPE,
            node,
            f"== between {types.an(left.type)} and {types.an(right.type)}",
            "equality compares equal types",
        )
    return ir.Equal(a, b, negated, type=types.BOOL, span=scope.span(node))


def _membership(
    scope: Scope, node: ast.expr, left_node: ast.expr, left: ir.Expr, right_node: ast.expr, negated: bool
) -> ir.Expr:
    collection = iterable(scope, right_node)
    element = element_type(collection.type)
    kind = types.unify(left.type, element)
    if kind is None:
        refuse_member_by_name(scope, node, left.type, element)
        scope.refuse(
            Code.TYPE,
            node,
            f"`in` asks for {types.an(left.type)} among {element}",
            "members are compared for equality, and equality compares equal types",
        )
    item = fit(left, kind)
    if isinstance(collection.type, types.Set) and kind != element:
        # `x in s` for an optional x: the set is taken as one of optionals, so that None is simply not among them.
        collection = fit(collection, types.Set(kind)) or collection
    elif isinstance(collection.type, types.Sequence) and kind != element:
        collection = fit(collection, types.Sequence(kind)) or collection
    assert item is not None
    return ir.Member(item, collection, negated, type=types.BOOL, span=scope.span(node))


def _symbol(operator: ast.operator) -> str:
    return {**_ARITHMETIC, **_SETS, ast.Pow: "**", ast.LShift: "<<", ast.RShift: ">>", ast.Div: "/"}.get(
        type(operator), type(operator).__name__
    )


__all__ = ["binary", "comparison"]
