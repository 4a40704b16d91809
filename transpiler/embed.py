"""Python values → literal expressions: module-level constants that a protocol mentions."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

from . import ir
from . import valuetypes as types
from .diagnostics import Span
from .domains import show
from .record_classes import Flawed, enum_flaw, flaw


def embed(value: Any, span: Span) -> ir.Expr:
    """The expression of a plain value. Raises `TypeError` for a value that the language has no type for."""
    match value:
        case bool():
            return ir.Literal(value, type=types.BOOL, span=span)
        case enum.Enum():
            found = enum_flaw(type(value))
            if found is not None:
                raise Flawed(found)
            return ir.Literal(value, type=types.Enumeration(type(value)), span=span)
        case int():
            return ir.Literal(value, type=types.INT, span=span)
        case str():
            return ir.Literal(value, type=types.STR, span=span)
        case None:
            return ir.Literal(None, type=types.NOTHING, span=span)
        case frozenset():
            elements = tuple(embed(item, span) for item in sorted(value, key=show))
            return ir.SetDisplay(elements, type=types.Set(_common(elements)), span=span)
        case tuple():
            elements = tuple(embed(item, span) for item in value)
            return ir.TupleDisplay(elements, type=types.Tuple(tuple(item.type for item in elements)), span=span)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found = flaw(type(value))
            if found is not None:
                raise Flawed(found)
            fields = dataclasses.fields(value)
            values = tuple(embed(getattr(value, item.name), span) for item in fields)
            record = types.Record(
                type(value), tuple((item.name, part.type) for item, part in zip(fields, values, strict=True))
            )
            return ir.RecordDisplay(values, type=record, span=span)
        case _:
            raise TypeError(f"{value!r} is no value of the language")


def _common(elements: tuple[ir.Expr, ...]) -> types.Type:
    merged: types.Type | None = types.NEVER
    for element in elements:
        merged = types.unify(merged, element.type) if merged is not None else None
    if merged is None:
        raise TypeError("the members of a set have different types")
    return merged
