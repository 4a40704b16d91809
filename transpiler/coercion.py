"""Fitting an expression to the type its place demands: empty displays, tuples as sequences, optionals unwrapped."""

from __future__ import annotations

from dataclasses import replace

from . import ir
from . import valuetypes as types


def fit(expr: ir.Expr, wanted: types.Type) -> ir.Expr | None:
    """`expr` as an expression of type `wanted`, or None where its type does not fit.

    An optional in the place of what it holds becomes an `Unwrap`, an obligation of `well_defined`.
    """
    if expr.type == wanted:
        return expr
    match expr, wanted:
        case (ir.Literal(value=None), types.Optional()):
            return replace(expr, type=wanted)
        case (ir.IfElse(_, then, orelse), _):
            left, right = fit(then, wanted), fit(orelse, wanted)
            return (
                replace(expr, then=left, orelse=right, type=wanted) if left is not None and right is not None else None
            )
        case (ir.Let(_, _, body), _):
            inner = fit(body, wanted)
            return replace(expr, body=inner, type=wanted) if inner is not None else None
        case (_, types.Optional(item)) if not isinstance(expr.type, (types.Optional, types.Nothing)):
            return fit(expr, item)
        case (_, _) if isinstance(expr.type, types.Optional) and not isinstance(wanted, types.Optional):
            return fit(ir.Unwrap(expr, type=expr.type.item, span=expr.span), wanted)
        case (ir.SetDisplay(elements), types.Set(element)):
            items = _all(elements, element)
            return replace(expr, elements=items, type=wanted) if items is not None else None
        case (ir.SetOperation(_, left_set, right_set), types.Set()):
            left, right = fit(left_set, wanted), fit(right_set, wanted)
            return (
                replace(expr, left=left, right=right, type=wanted) if left is not None and right is not None else None
            )
        case (ir.SetComprehension(_, item_expr), types.Set(element)):
            inner = fit(item_expr, element)
            return replace(expr, element=inner, type=wanted) if inner is not None else None
        case (ir.TupleDisplay(elements), types.Tuple(kinds)) if len(elements) == len(kinds):
            fitted = [fit(item, kind) for item, kind in zip(elements, kinds, strict=True)]
            if any(item is None for item in fitted):
                return None
            return replace(expr, elements=tuple(item for item in fitted if item is not None), type=wanted)
        case (ir.TupleDisplay(elements), types.Sequence(element)):
            items = _all(elements, element)
            return replace(expr, elements=items, type=wanted) if items is not None else None
        case (_, types.Sequence(element)) if isinstance(expr.type, types.Tuple):
            components: list[ir.Expr] = [
                ir.Component(expr, index, type=kind, span=expr.span) for index, kind in enumerate(expr.type.items)
            ]
            items = _all(tuple(components), element)
            return ir.TupleDisplay(items, type=wanted, span=expr.span) if items is not None else None
        case (ir.Concatenate(before, after), types.Sequence()):
            left, right = fit(before, wanted), fit(after, wanted)
            return (
                replace(expr, left=left, right=right, type=wanted) if left is not None and right is not None else None
            )
        case (ir.SequenceComprehension(_, item_expr), types.Sequence(element)):
            inner = fit(item_expr, element)
            return replace(expr, element=inner, type=wanted) if inner is not None else None
        case (ir.RecordDisplay(values), types.Record() | types.Union()):
            declared = {item.python: item for item in types.alternatives(wanted)}
            assert isinstance(expr.type, types.Record)
            if expr.type.python not in declared:
                return None
            record = declared[expr.type.python]
            parts = [fit(value, kind) for value, (_, kind) in zip(values, record.fields, strict=True)]
            given = tuple(part for part in parts if part is not None)
            # `interchange` says what is wrong with a string where a member of a symmetric constant belongs.
            return replace(expr, values=given, type=record) if len(given) == len(values) else expr
        case (ir.FunctionDisplay(entries), types.Function(key, value)):
            pairs = [(fit(k, key), fit(v, value)) for k, v in entries]
            if any(k is None or v is None for k, v in pairs):
                return None
            return replace(
                expr, entries=tuple((k, v) for k, v in pairs if k is not None and v is not None), type=wanted
            )
        case (ir.FunctionComprehension(_, _, result), types.Function(key, value)):
            assert isinstance(expr.type, types.Function)
            inner = fit(result, value)
            return replace(expr, value=inner, type=wanted) if inner is not None and fits(expr.type.key, key) else None
        case (ir.FunctionUpdate(function, entries), types.Function(key, value)):
            base = fit(function, wanted)
            pairs = [(fit(k, key), fit(v, value)) for k, v in entries]
            if base is None or any(k is None or v is None for k, v in pairs):
                return None
            changed = tuple((k, v) for k, v in pairs if k is not None and v is not None)
            return replace(expr, function=base, entries=changed, type=wanted)
        case _:
            return expr if fits(expr.type, wanted) else None


def fits(kind: types.Type, wanted: types.Type) -> bool:
    """Whether every value of type `kind` is one of type `wanted` as it stands."""
    match kind, wanted:
        case (types.Never(), _):
            return True
        case (types.Nothing(), types.Optional()):
            return True
        case (types.Optional(a), types.Optional(b)):
            return fits(a, b)
        case (_, types.Optional(b)):
            return fits(kind, b)
        case (types.Set(a), types.Set(b)) | (types.Sequence(a), types.Sequence(b)):
            return fits(a, b)
        case (types.Tuple(a), types.Tuple(b)):
            return len(a) == len(b) and all(fits(x, y) for x, y in zip(a, b, strict=True))
        case (types.Tuple(()), types.Sequence()):
            return True
        case (types.Function(k1, v1), types.Function(k2, v2)):
            return fits(k1, k2) and fits(v1, v2)
        case (types.Record() | types.Union(), types.Record() | types.Union()):
            wider = {record.python for record in types.alternatives(wanted)}
            return all(record.python in wider for record in types.alternatives(kind))
        case _:
            return kind == wanted


def _all(items: tuple[ir.Expr, ...], kind: types.Type) -> tuple[ir.Expr, ...] | None:
    fitted = [fit(item, kind) for item in items]
    return None if any(item is None for item in fitted) else tuple(item for item in fitted if item is not None)
