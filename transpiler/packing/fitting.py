"""Bringing values into layouts, taking them apart again, and comparing them.

`fit` gives the code of a value in a layout with the condition under which the layout has the value at all: that
condition is the range check of an assignment, and what makes `in` and `==` false for a value of another layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import layouts, low
from .builder import Builder
from .facts import Facts, decide
from .layouts import Layout, OutsideError
from .low import Low
from .values import (
    EMPTY,
    Boxed,
    Code,
    Entries,
    ExoticError,
    Known,
    Listing,
    Number,
    Parts,
    Run,
    Truth,
    Value,
    holds,
    is_number,
    layout_for,
    number,
    of_code,
)

# -------------------------------------------------------------------------------------------------- into a layout

Fitted = tuple[Low, Low]
"""A code, and under which condition it is the value's: elsewhere the layout does not have the value."""

NEVER_FITS: Fitted = (low.ZERO, low.FALSE)


def fit(builder: Builder, value: Value, layout: Layout, facts: Facts) -> Fitted:
    """The code of a value in a layout; of a set it keeps the elements that the layout has, whatever the condition."""
    match value, layout:
        case Known(known), _:
            return _fit_known(known, layout)
        case ((Parts() | Entries() | Listing() | Number() | Truth() | Run()), layouts.OptionalLayout(item)):
            code, condition = fit(builder, value, item, facts)
            return present(layout, code), condition
        case Number(word), layouts.IntLayout(base, least, most):
            inside = low.both(low.at_most(low.Const(least), word), low.at_most(word, low.Const(most)))
            return low.subtract(word, low.Const(base)), decide(inside, facts)
        case Number(word), layouts.ChoiceLayout(members):
            return _fit_listed(builder, word, members, facts)
        case Truth(word), layouts.BoolLayout():
            return word, low.TRUE
        case Code(source, code), _:
            return _convert(builder, code, source, layout, facts)
        case Parts(items, record), layouts.TupleLayout(inner) if layout.record == record and len(items) == len(inner):
            return _side_by_side(
                (fit(builder, item, part, facts), offset)
                for item, part, offset in zip(items, inner, layout.offsets, strict=True)
            )
        case Parts(_, record), layouts.UnionLayout() if record is not None:
            tag = layout.tag(record.python)
            if tag is None:
                return NEVER_FITS
            code, condition = fit(builder, value, layout.alternatives[tag], facts)
            return low.bit_or(low.shift_left(code, low.Const(layout.tag_bits)), low.Const(tag)), condition
        case Entries(keys, items), layouts.FunctionLayout():
            if set(keys) != layout.slots.keys():
                return NEVER_FITS
            return _side_by_side(
                (fit(builder, item, layout.value, facts), layout.slots[key] * layout.value.bits)
                for key, item in zip(keys, items, strict=True)
            )
        case Listing(items), layouts.SequenceLayout(element, least, most):
            if not least <= len(items) <= most:
                return NEVER_FITS
            code, condition = _side_by_side(
                (fit(builder, item, element, facts), layout.length_bits + place * element.bits)
                for place, item in enumerate(items)
            )
            return low.bit_or(code, low.Const(len(items))), condition
        case Run(), layouts.SequenceLayout(element, least, most):
            elements, elements_fit = _convert_elements(builder, value, element, facts)
            length = value.length
            inside = low.both(low.at_most(low.Const(least), length), low.at_most(length, low.Const(most)))
            code = low.bit_or(low.shift_left(elements, low.Const(layout.length_bits)), length)
            return code, low.both(decide(inside, facts), elements_fit)
        case (_, layouts.InternedLayout()) if not isinstance(value, Boxed):
            source = layout_for(builder, value, facts)
            return _recode(builder, fit(builder, value, source, facts)[0], source, layout)
        case _:
            raise ExoticError


def _fit_known(value: Any, layout: Layout) -> Fitted:
    try:
        return low.Const(layouts.encode(layout, value)), low.TRUE
    except OutsideError:
        if isinstance(layout, layouts.SetLayout) and isinstance(value, frozenset):
            kept = frozenset(member for member in value if holds(layout.element, member))
            return low.Const(layouts.encode(layout, kept)), low.FALSE
        return NEVER_FITS


def _fit_listed(builder: Builder, word: Low, members: tuple[Any, ...], facts: Facts) -> Fitted:
    """The position of a number among listed ones."""
    if not members or not all(type(member) is int for member in members):
        return NEVER_FITS
    least, most = min(members), max(members)
    if most - least > 16 * layouts.MAX_SET:
        raise ExoticError
    positions = [-1] * (most - least + 1)
    for position, member in enumerate(members):
        positions[member - least] = position
    inside = decide(low.both(low.at_most(low.Const(least), word), low.at_most(word, low.Const(most))), facts)
    found = low.At(builder.table(tuple(positions)), low.subtract(word, low.Const(least)), min(positions), len(members))
    return found, decide(low.both(inside, low.at_most(low.ZERO, found)), facts)


def _side_by_side(parts: Iterable[tuple[Fitted, int]]) -> Fitted:
    code: Low = low.ZERO
    condition: Low = low.TRUE
    for (part, fits), offset in parts:
        code = low.bit_or(code, low.shift_left(part, low.Const(offset)))
        condition = low.both(condition, fits)
    return code, condition


def _convert(builder: Builder, code: Low, source: Layout, target: Layout, facts: Facts) -> Fitted:
    """A code of one layout as a code of another."""
    if source == target:
        return code, low.TRUE
    if source == EMPTY:
        return NEVER_FITS
    match source, target:
        case layouts.OptionalLayout(item), layouts.OptionalLayout():
            none = low.same(code, low.ZERO)
            inner, condition = fit(builder, of_code(builder, item, held(source, code)), target.item, facts)
            if source.beside == target.beside and inner == held(source, code):
                return code, low.either(none, condition)
            return low.choose(none, low.ZERO, present(target, inner)), low.either(none, condition)
        case _, layouts.OptionalLayout(item):
            inner, condition = _convert(builder, code, source, item, facts)
            return present(target, inner), condition
        case layouts.OptionalLayout(item), _:
            inner, condition = fit(builder, of_code(builder, item, held(source, code)), target, facts)
            return inner, low.both(decide(low.negate(low.same(code, low.ZERO)), facts), condition)
        case layouts.ChoiceLayout(members), layouts.ChoiceLayout():
            positions = tuple(target.positions.get(member, -1) for member in members)
            if positions == tuple(range(len(members))):
                return code, low.TRUE
            if max(positions, default=-1) < 0:
                return NEVER_FITS
            found = low.At(builder.table(positions), code, min(positions), max(positions))
            return found, decide(low.at_most(low.ZERO, found), facts)
        case layouts.SetLayout(), layouts.SetLayout():
            return _convert_set(builder, code, source, target)
        case layouts.TupleLayout(_, record), layouts.TupleLayout() | layouts.UnionLayout():
            return fit(builder, Parts(components(builder, source, code), record), target, facts)
        case layouts.UnionLayout(), layouts.TupleLayout(_, record) if record is not None:
            tag = source.tag(record.python)
            if tag is None:
                return NEVER_FITS
            here = low.same(low.bits(code, 0, source.tag_bits), low.Const(tag))
            inner, condition = _alternative(builder, code, source, tag, target, facts)
            return inner, low.both(decide(here, facts), condition)
        case layouts.UnionLayout(), layouts.UnionLayout():
            return _convert_union(builder, code, source, target, facts)
        case layouts.FunctionLayout(), layouts.FunctionLayout():
            if source.slots.keys() != target.slots.keys():
                return NEVER_FITS
            return fit(builder, entries(builder, source, code), target, facts)
        case layouts.SequenceLayout(), layouts.SequenceLayout():
            return fit(builder, run(builder, Code(source, code), facts), target, facts)
        case _:
            return _recode(builder, code, source, target)


def _recode(builder: Builder, code: Low, source: Layout, target: Layout) -> Fitted:
    """The general way: decoded and encoded again when the code runs."""

    def recode(given: int) -> int:
        try:
            return layouts.encode(target, layouts.decode(source, given))
        except OutsideError:
            return -1

    word = low.Invoke(builder.function("recode", recode), (code,), -1)
    return word, low.at_most(low.ZERO, word)


def _convert_set(builder: Builder, code: Low, source: layouts.SetLayout, target: layouts.SetLayout) -> Fitted:
    """The mask with every bit where the target has it; elements that the target lacks are lost."""
    match source.element, target.element:
        case layouts.IntLayout(a, least, most), layouts.IntLayout(b, first, last):
            kept = sum(1 << (v - a) for v in range(max(least, first), min(most, last) + 1))
            moves = {a - b: kept} if kept else {}
            lost = source.full & ~kept
        case _:
            moves, lost = {}, 0
            for rank, value in source.universe:
                try:
                    distance = layouts.rank_of(target.element, value) - rank
                except OutsideError:
                    lost |= 1 << rank
                else:
                    moves[distance] = moves.get(distance, 0) | 1 << rank
    if len(moves) > 16:
        return _project(builder, code, source, target), low.masked(code, lost, 0)
    result: Low = low.ZERO
    for distance, mask in moves.items():
        part = low.bit_and(code, low.Const(mask)) if mask != source.full else code
        shift = low.Const(abs(distance))
        moved = low.shift_left(part, shift) if distance >= 0 else low.shift_right(part, shift)
        result = low.bit_or(result, moved)
    return result, low.masked(code, lost, 0)


def _project(builder: Builder, code: Low, source: layouts.SetLayout, target: layouts.SetLayout) -> Low:
    def project(mask: int) -> int:
        kept = (member for member in layouts.decode(source, mask) if holds(target.element, member))
        return layouts.encode(target, frozenset(kept))

    return low.Invoke(builder.function("project", project), (code,), 0)


def _alternative(
    builder: Builder, code: Low, source: layouts.UnionLayout, tag: int, target: Layout, facts: Facts
) -> Fitted:
    record = source.alternatives[tag]
    return _convert(builder, low.bits(code, source.tag_bits, record.bits), record, target, facts)


def _convert_union(
    builder: Builder, code: Low, source: layouts.UnionLayout, target: layouts.UnionLayout, facts: Facts
) -> Fitted:
    result, condition = NEVER_FITS
    for tag in range(len(source.alternatives)):
        here = low.same(low.bits(code, 0, source.tag_bits), low.Const(tag))
        inner, fits = _alternative(builder, code, source, tag, target, facts)
        result, condition = low.choose(here, inner, result), low.choose(here, fits, condition)
    return result, condition


def _convert_elements(builder: Builder, value: Run, element: Layout, facts: Facts) -> Fitted:
    if value.element == element:
        return value.elements, low.TRUE
    if value.max_length > 32:
        raise ExoticError
    code: Low = low.ZERO
    condition: Low = low.TRUE
    for place in range(value.max_length):
        inside = decide(low.less(low.Const(place), value.length), facts)
        part, fits = fit(builder, run_element(builder, value, low.Const(place)), element, facts)
        code = low.bit_or(code, low.shift_left(low.choose(inside, part, low.ZERO), low.Const(place * element.bits)))
        condition = low.both(condition, low.either(low.negate(inside), fits))
    return code, condition


# ------------------------------------------------------------------------------------------------- taking apart


def present(layout: layouts.OptionalLayout, code: Low) -> Low:
    """The code of an optional that holds the item of a code."""
    return low.bit_or(low.shift_left(code, low.ONE), low.ONE) if layout.beside else low.add(code, low.ONE)


def held(layout: layouts.OptionalLayout, code: Low) -> Low:
    """The code of the item that an optional holds, which is not None."""
    return low.shift_right(code, low.ONE) if layout.beside else low.subtract(code, low.ONE)


def components(builder: Builder, layout: layouts.TupleLayout, code: Low) -> tuple[Value, ...]:
    """The parts of a tuple or record."""
    return tuple(component(builder, layout, code, place) for place in range(len(layout.items)))


def component(builder: Builder, layout: layouts.TupleLayout, code: Low, place: int) -> Value:
    """One part of a tuple or record."""
    return field_of(builder, layout.items[place], code, layout.offsets[place])


def field_of(builder: Builder, layout: Layout, word: Low, offset: int) -> Value:
    """The value whose code lies at an offset in a word."""
    least = layout.low - layout.base if isinstance(layout, layouts.IntLayout) else 0
    return of_code(builder, layout, low.bits(word, offset, layout.bits, least, layouts.span(layout) - 1))


def entries(builder: Builder, layout: layouts.FunctionLayout, code: Low) -> Entries:
    """A function entry by entry."""
    if len(layout.keys) > 128:
        raise ExoticError
    width = layout.value.bits
    items = tuple(field_of(builder, layout.value, code, slot * width) for slot in range(len(layout.keys)))
    return Entries(layout.keys, items)


def run(builder: Builder, value: Value, facts: Facts) -> Run:
    """Any sequence as its length and its elements."""
    match value:
        case Run():
            return value
        case Code(layouts.SequenceLayout() as layout, code):
            length = low.bits(code, 0, layout.length_bits, layout.min_length, layout.max_length)
            elements = low.bits(code, layout.length_bits, layout.element.bits * layout.max_length)
            return Run(layout.element, layout.min_length, layout.max_length, length, elements)
        case Listing() | Known(tuple()):
            layout_found = layout_for(builder, value, facts)
            if not isinstance(layout_found, layouts.SequenceLayout):
                raise ExoticError
            code, _ = fit(builder, value, layout_found, facts)
            return run(builder, Code(layout_found, code), facts)
        case _:
            raise ExoticError


def run_element(builder: Builder, value: Run, place: Low) -> Value:
    """The element at a place, counted from 0, which the sequence has."""
    layout, width = value.element, value.element.bits
    if isinstance(place, low.Const):
        return field_of(builder, layout, value.elements, place.value * width)
    return field_of(builder, layout, low.shift_right(value.elements, low.scale(place, width)), 0)


# ----------------------------------------------------------------------------------------------------- equality


def equal(builder: Builder, left: Value, right: Value, facts: Facts) -> Low:
    """Whether two values are equal."""
    match left, right:
        case Known(a), Known(b):
            return low.truth(a == b)
        case Known(), _:
            left, right = right, left
    if is_number(left) and is_number(right):
        return decide(low.equal(number(left), number(right)), facts)
    match left, right:
        case Parts(items, record), Parts(others, other):
            if record != other or len(items) != len(others):
                return low.FALSE
            return low.both(*(equal(builder, a, b, facts) for a, b in zip(items, others, strict=True)))
        case Parts(items, record), Code(layouts.TupleLayout() as layout, code) if layout.record == record:
            return equal(builder, left, Parts(components(builder, layout, code), record), facts)
        case Code(layouts.TupleLayout()), Parts():
            return equal(builder, right, left, facts)
        case (Parts(_, None), Known(tuple() as known)) if len(known) == len(left.items):
            return low.both(*(equal(builder, a, Known(b), facts) for a, b in zip(left.items, known, strict=True)))
        case Entries(keys, items), Entries(others, values) if set(keys) == set(others):
            found = dict(zip(others, values, strict=True))
            return low.both(*(equal(builder, a, found[key], facts) for key, a in zip(keys, items, strict=True)))
        case _, Known():
            return _equal_in_layout_of(builder, left, right, facts)
        case _:
            # In the layout of one of the two: the other one is equal to it only if that has it at all.
            if isinstance(right, Code):
                left, right = right, left
            return _equal_in_layout_of(builder, left, right, facts)


def _equal_in_layout_of(builder: Builder, left: Value, right: Value, facts: Facts) -> Low:
    own = layout_for(builder, left, facts)
    code, _ = fit(builder, left, own, facts)
    other, condition = fit(builder, right, own, facts)
    return decide(low.both(condition, low.same(code, other)), facts)


# -------------------------------------------------------------------------------------------------------- ranks


def rank(builder: Builder, value: Value, layout: Layout, facts: Facts) -> Fitted:
    """The rank of a value in a layout, and under which condition the layout has it."""
    match value, layout:
        case Known(known), _:
            try:
                return low.Const(layouts.rank_of(layout, known)), low.TRUE
            except OutsideError:
                return NEVER_FITS
        case Code(source, code), layouts.TupleLayout(_, record) if isinstance(source, layouts.TupleLayout):
            return rank(builder, Parts(components(builder, source, code), record), layout, facts)
        case Parts(items, record), layouts.TupleLayout(inner) if layout.record == record and len(items) == len(inner):
            total: Low = low.ZERO
            condition: Low = low.TRUE
            for item, part in zip(items, inner, strict=True):
                one, fits = rank(builder, item, part, facts)
                total = low.add(low.scale(total, part.ranks), one)
                condition = low.both(condition, fits)
            return total, condition
        case Parts(_, record), layouts.UnionLayout(records) if record is not None:
            tag = layout.tag(record.python)
            if tag is None:
                return NEVER_FITS
            inner_rank, condition = rank(builder, value, records[tag], facts)
            return low.add(inner_rank, low.Const(layouts.first_rank(layout, tag))), condition
        case Code(layouts.TupleLayout(_, record) as source, code), layouts.UnionLayout():
            return rank(builder, Parts(components(builder, source, code), record), layout, facts)
        case _, layouts.OptionalLayout(layouts.BoolLayout() | layouts.IntLayout() | layouts.ChoiceLayout()):
            return fit(builder, value, layout, facts)
        case _, layouts.TupleLayout() | layouts.UnionLayout() | layouts.OptionalLayout():
            return _rank_of_code(builder, value, layout, facts)
        case _:
            return fit(builder, value, layout, facts)


def _rank_of_code(builder: Builder, value: Value, layout: Layout, facts: Facts) -> Fitted:
    """The general way: the code, and its rank from a table where that is small."""
    code, condition = fit(builder, value, layout, facts)
    if layout.bits > 12:

        def find(given: int) -> int:
            return layouts.rank_of(layout, layouts.decode(layout, given))

        return low.Invoke(builder.function("rank", find), (code,), 0, layout.ranks - 1), condition
    table = [0] * (1 << layout.bits)
    for member in layouts.values(layout):
        table[layouts.encode(layout, member)] = layouts.rank_of(layout, member)
    return low.At(builder.table(tuple(table)), code, 0, layout.ranks - 1), condition
