"""What stands for the value of an expression while code is generated, and which layouts hold it.

A value is known outright, or it is a word that the generated code computes: a plain number, a truth value, the code of
a layout. Tuples, records, functions and sequences whose parts are at hand are kept as parts, so that taking them apart
again costs nothing. What fits nowhere is boxed: a Python object, which only the interpreter understands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, assert_never

from .. import valuetypes as types
from ..instance import natural_order
from . import layouts, low
from .builder import Builder
from .facts import Facts, bounds
from .layouts import Layout, OutsideError
from .low import Low


class ExoticError(Exception):
    """Something is not generated as code on words; the interpreter evaluates it instead."""


@dataclass(frozen=True)
class Known:
    """A canonical Python value; a `range` for what is only iterated."""

    value: Any


@dataclass(frozen=True)
class Number:
    low: Low


@dataclass(frozen=True)
class Truth:
    low: Low


@dataclass(frozen=True)
class Code:
    """The code of a layout other than those of numbers and truth values."""

    layout: Layout
    low: Low


@dataclass(frozen=True)
class Parts:
    """A tuple, or a record where its type is given."""

    items: tuple[Value, ...]
    record: types.Record | None = None


@dataclass(frozen=True)
class Entries:
    """A function with known keys."""

    keys: tuple[Any, ...]
    items: tuple[Value, ...]


@dataclass(frozen=True)
class Listing:
    """A sequence of known length."""

    items: tuple[Value, ...]


@dataclass(frozen=True)
class Run:
    """A sequence: its length (between the bounds) and the codes of its elements, the first lowest."""

    element: Layout
    min_length: int
    max_length: int
    length: Low
    elements: Low


@dataclass(frozen=True)
class Boxed:
    """A canonical Python value that the generated code has at run time."""

    low: Low


Value = Known | Number | Truth | Code | Parts | Entries | Listing | Run | Boxed

EMPTY = layouts.ChoiceLayout((), types.NEVER)
"""The layout without values: of the elements of an empty set."""


def of_code(builder: Builder, layout: Layout, code: Low) -> Value:
    """The value that a code of a layout stands for."""
    if isinstance(code, low.Const) and not isinstance(layout, layouts.InternedLayout):
        try:
            return Known(layouts.decode(layout, code.value))
        except (LookupError, OutsideError):
            raise ExoticError from None  # a code that no value has: in a branch that is never taken
    match layout:
        case layouts.BoolLayout():
            return Truth(low.same(code, low.ONE))
        case layouts.IntLayout(base):
            return Number(low.add(code, low.Const(base)))
        case layouts.ChoiceLayout(members, types.Int()):
            if members == tuple(range(members[0], members[0] + len(members))):
                return Number(low.add(code, low.Const(members[0])))
            return Number(low.At(builder.table(members), code, min(members), max(members)))
        case layouts.ChoiceLayout(members, types.Bool()):
            return Truth(low.same(low.At(builder.table(tuple(map(int, members))), code, 0, 1), low.ONE))
        case _:
            return Code(layout, code)


def number(value: Value) -> Low:
    """The word of a number."""
    match value:
        case Number(word):
            return word
        case Known(known) if type(known) is int:
            return low.Const(known)
        case _:
            raise ExoticError


def is_number(value: Value) -> bool:
    """Whether a value is an int; members of an IntEnum and truth values are not."""
    return isinstance(value, Number) or (isinstance(value, Known) and type(value.value) is int)


def truth(value: Value) -> Low:
    """The word of a truth value."""
    match value:
        case Known(bool() as known):
            return low.truth(known)
        case Truth(word):
            return word
        case _:
            raise ExoticError


# ---------------------------------------------------------------------------------------------- layouts of values


def layout_for(builder: Builder, value: Value, facts: Facts) -> Layout:
    """A layout that certainly holds a value."""
    match value:
        case Known(known):
            return _layout_of_known(builder, known)
        case Number(word):
            least, most = bounds(word, facts)
            if math.isinf(least) or math.isinf(most):
                raise ExoticError
            return layouts.int_layout(int(least), int(most))
        case Truth():
            return layouts.BOOL
        case Code(layout):
            return layout
        case Parts(items, record):
            return layouts.TupleLayout(tuple(layout_for(builder, item, facts) for item in items), record)
        case Entries(keys, items):
            return layouts.FunctionLayout(_keys_layout(keys), common_layout(builder, items, facts))
        case Listing(items):
            return layouts.SequenceLayout(common_layout(builder, items, facts), len(items), len(items))
        case Run():
            return layouts.SequenceLayout(value.element, value.min_length, value.max_length)
        case Boxed():
            raise ExoticError
        case _:
            assert_never(value)


def common_layout(builder: Builder, items: Iterable[Value], facts: Facts) -> Layout:
    """A layout that holds several values; that of the words among them where it holds the known ones as well."""
    every = tuple(items)
    result: Layout = EMPTY
    for item in every:
        if not isinstance(item, Known):
            result = join(result, layout_for(builder, item, facts))
    for item in every:
        if isinstance(item, Known) and not holds(result, item.value):
            result = join(result, _layout_of_known(builder, item.value))
    return result


def _layout_of_known(builder: Builder, value: Any) -> Layout:
    def common(members: Iterable[Any]) -> Layout:
        return _joined(_layout_of_known(builder, member) for member in members)

    match value:
        case bool():
            return layouts.BOOL
        case None:
            return layouts.OptionalLayout(EMPTY)
        case int() if type(value) is int:
            return layouts.int_layout(value, value)
        case frozenset():
            return layouts.SetLayout(common(in_order(value)))
        case tuple():
            return layouts.SequenceLayout(common(value), len(value), len(value))
        case dict():
            return layouts.FunctionLayout(_keys_layout(tuple(value)), common(value.values()))
        case range():
            raise ExoticError
        case _ if type(value) in builder.records:
            record = builder.records[type(value)]
            fields = (_layout_of_known(builder, getattr(value, name)) for name, _ in record.fields)
            return layouts.TupleLayout(tuple(fields), record)
        case _:
            # Strings and members of an Enum; the type matters to numbers only.
            return layouts.ChoiceLayout((value,), types.STR)


def in_order(members: Iterable[Any]) -> tuple[Any, ...]:
    """The members of a known set in an order that is the same in every process."""
    return tuple(sorted(members, key=natural_order))


def _keys_layout(keys: tuple[Any, ...]) -> Layout:
    return layouts.ChoiceLayout(keys, types.INT if keys and all(type(key) is int for key in keys) else types.STR)


def holds(layout: Layout, value: Any) -> bool:
    """Whether a layout has a code for a value."""
    try:
        layouts.encode(layout, value)
    except OutsideError:
        return False
    return True


def _joined(several: Iterable[Layout]) -> Layout:
    result: Layout = EMPTY
    for layout in several:
        result = join(result, layout)
    return result


def join(left: Layout, right: Layout) -> Layout:
    """A layout that holds the values of both."""
    if left == right or right == EMPTY:
        return left
    if left == EMPTY:
        return right
    match left, right:
        case layouts.IntLayout(_, a, b), layouts.IntLayout(_, c, d):
            return layouts.int_layout(min(a, c), max(b, d))
        case layouts.ChoiceLayout(members, kind), layouts.ChoiceLayout(others):
            more = tuple(member for member in others if member not in left.positions)
            return left if not more else layouts.ChoiceLayout(members + more, kind)
        case (layouts.IntLayout(_, a, b), layouts.ChoiceLayout(members)) | (
            layouts.ChoiceLayout(members),
            layouts.IntLayout(_, a, b),
        ) if all(type(member) is int for member in members):
            return layouts.int_layout(min(a, *members), max(b, *members))
        case layouts.OptionalLayout(a), layouts.OptionalLayout(b):
            return layouts.OptionalLayout(join(a, b))
        case (layouts.OptionalLayout(a), b) | (b, layouts.OptionalLayout(a)):
            return layouts.OptionalLayout(join(a, b))
        case layouts.SetLayout(a), layouts.SetLayout(b):
            return _checked_set(join(a, b))
        case layouts.TupleLayout(a, record), layouts.TupleLayout(b, other) if record == other and len(a) == len(b):
            return layouts.TupleLayout(tuple(map(join, a, b)), record)
        case layouts.TupleLayout() | layouts.UnionLayout(), layouts.TupleLayout() | layouts.UnionLayout():
            return _join_unions(left, right)
        case layouts.SequenceLayout(a, low_a, high_a), layouts.SequenceLayout(b, low_b, high_b):
            return layouts.SequenceLayout(join(a, b), min(low_a, low_b), max(high_a, high_b))
        case layouts.FunctionLayout(key, a), layouts.FunctionLayout(other, b) if (
            left.slots.keys() == right.slots.keys()
        ):
            return layouts.FunctionLayout(key, join(a, b))
        case _:
            raise ExoticError


def _checked_set(element: Layout) -> Layout:
    if element.ranks > layouts.MAX_SET:
        raise ExoticError
    return layouts.SetLayout(element)


def _join_unions(left: Layout, right: Layout) -> Layout:
    merged: dict[type, layouts.TupleLayout] = {}
    for layout in (left, right):
        records = layout.alternatives if isinstance(layout, layouts.UnionLayout) else (layout,)
        for record in records:
            if not isinstance(record, layouts.TupleLayout) or record.record is None:
                raise ExoticError
            python = record.record.python
            merged[python] = _join_records(merged[python], record) if python in merged else record
    return layouts.UnionLayout(tuple(merged.values()))


def _join_records(left: layouts.TupleLayout, right: layouts.TupleLayout) -> layouts.TupleLayout:
    return layouts.TupleLayout(tuple(map(join, left.items, right.items)), left.record)
