"""Tuples, sequences, records and functions: fields of a word, taken apart where parts are asked for."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from .. import valuetypes as types
from . import expressions, layouts, low, sets
from . import facts as knowledge
from .fitting import component, components, entries, equal, field_of, fit, run, run_element
from .low import Low
from .scope import Scope
from .values import Code, Entries, ExoticError, Known, Listing, Parts, Run, Truth, Value, common_layout, layout_for

MAX_LISTED = 32
"""Sequences up to this length are built element by element."""

StructureExpr = (
    ir.TupleDisplay
    | ir.Component
    | ir.Index
    | ir.Slice
    | ir.Concatenate
    | ir.SequenceComprehension
    | ir.RecordDisplay
    | ir.Field
    | ir.Replace
    | ir.IsInstance
    | ir.FunctionDisplay
    | ir.FunctionComprehension
    | ir.Apply
    | ir.FunctionUpdate
)


def lower(expr: StructureExpr, scope: Scope) -> Value:
    """The value of an expression that makes, takes apart or changes a structured value."""
    match expr:
        case ir.TupleDisplay():
            items = tuple(scope.value(element) for element in expr.elements)
            return Listing(items) if isinstance(expr.type, types.Sequence) else Parts(items)
        case ir.Component():
            return _component(scope.value(expr.tuple), expr.index, scope)
        case ir.Index():
            return _index(expr, scope)
        case ir.Slice():
            return _slice(expr, scope)
        case ir.Concatenate():
            return _concatenate(expr, scope)
        case ir.SequenceComprehension():
            return _comprehension(expr, scope)
        case ir.RecordDisplay():
            if not isinstance(expr.type, types.Record):
                raise ExoticError
            return Parts(tuple(scope.value(value) for value in expr.values), expr.type)
        case ir.Field():
            return _field(scope.value(expr.record), expr.name, scope)
        case ir.Replace():
            return _replace(expr, scope)
        case ir.IsInstance():
            return Truth(_is_instance(expr, scope))
        case ir.FunctionDisplay():
            return _display(expr, scope)
        case ir.FunctionComprehension():
            found = list(sets.cells((ir.Generator(name=expr.name, source=expr.source),), scope))
            keys = tuple(expressions.known(inner.locals[expr.name]) for inner, _ in found)
            if any(test != low.TRUE for _, test in found):
                raise ExoticError
            return Entries(keys, tuple(inner.value(expr.value) for inner, _ in found))
        case ir.Apply():
            return _apply(expr, scope)
        case ir.FunctionUpdate():
            return _update(expr, scope)
        case _:
            assert_never(expr)


# --------------------------------------------------------------------------------------------- tuples and records


def _component(value: Value, place: int, scope: Scope) -> Value:
    match value:
        case Known(tuple() as known):
            return Known(known[place])
        case Parts(items):
            return items[place]
        case Code(layouts.TupleLayout() as layout, code):
            return component(scope.builder, layout, code, place)
        case _:
            raise ExoticError


def _field(value: Value, name: str, scope: Scope) -> Value:
    match value:
        case Known(known) if hasattr(known, name):
            return Known(getattr(known, name))
        case Parts(items, types.Record() as record):
            return items[_place(record, name)]
        case Code(layouts.TupleLayout(_, types.Record() as record) as layout, code):
            return component(scope.builder, layout, code, _place(record, name))
        case Code(layouts.UnionLayout() as layout, code):
            return _field_of_union(layout, code, name, scope)
        case _:
            raise ExoticError


def _field_of_union(layout: layouts.UnionLayout, code: Low, name: str, scope: Scope) -> Value:
    """The field of whichever alternative is at hand; what has no such field is not asked."""
    result: Value | None = None
    for tag, alternative in enumerate(layout.alternatives):
        record = alternative.record
        if record is None or record.field(name) is None:
            continue
        place = _place(record, name)
        offset = layout.tag_bits + alternative.offsets[place]
        found = field_of(scope.builder, alternative.items[place], code, offset)
        here = low.same(low.bits(code, 0, layout.tag_bits), low.Const(tag))
        result = found if result is None else expressions.chosen(here, found, result, scope)
    if result is None:
        raise ExoticError
    return result


def _place(record: types.Record, name: str) -> int:
    for place, (field, _) in enumerate(record.fields):
        if field == name:
            return place
    raise ExoticError


def _replace(expr: ir.Replace, scope: Scope) -> Value:
    value = scope.value(expr.record)
    changes = [(name, scope.value(change)) for name, change in expr.changes]
    match value:
        case Known(known) if isinstance(expr.type, types.Record):
            value = Parts(tuple(Known(getattr(known, name)) for name, _ in expr.type.fields), expr.type)
        case Code(layouts.TupleLayout(_, record) as layout, code):
            value = Parts(components(scope.builder, layout, code), record)
        case Code(layouts.UnionLayout() as layout, code):
            return _replace_in_union(layout, code, changes, scope)
    if not isinstance(value, Parts) or value.record is None:
        raise ExoticError
    return _replaced(value, value.record, changes)


def _replaced(parts: Parts, record: types.Record, changes: list[tuple[str, Value]]) -> Parts:
    items = list(parts.items)
    for name, change in changes:
        items[_place(record, name)] = change
    return Parts(tuple(items), record)


def _replace_in_union(layout: layouts.UnionLayout, code: Low, changes: list[tuple[str, Value]], scope: Scope) -> Value:
    """The change in whichever alternative is at hand; one that lacks a field is not changed."""
    result: Value | None = None
    for tag, alternative in enumerate(layout.alternatives):
        record = alternative.record
        if record is None or any(record.field(name) is None for name, _ in changes):
            continue
        word = low.bits(code, layout.tag_bits, alternative.bits)
        found = _replaced(Parts(components(scope.builder, alternative, word), record), record, changes)
        here = low.same(low.bits(code, 0, layout.tag_bits), low.Const(tag))
        result = found if result is None else expressions.chosen(here, found, result, scope)
    if result is None:
        raise ExoticError
    return result


def _is_instance(expr: ir.IsInstance, scope: Scope) -> Low:
    wanted = [record.python for record in expr.classes]
    value = scope.value(expr.record)
    match value:
        case Known(known):
            return low.truth(type(known) in wanted)
        case Parts(_, types.Record(python)) | Code(layouts.TupleLayout(_, types.Record(python))):
            return low.truth(python in wanted)
        case Code(layouts.UnionLayout() as layout, code):
            tags = [tag for python in wanted if (tag := layout.tag(python)) is not None]
            if len(tags) == len(layout.alternatives):
                return low.TRUE
            tag_field = low.bits(code, 0, layout.tag_bits)
            return knowledge.decide(low.either(*(low.same(tag_field, low.Const(tag)) for tag in tags)), scope.facts)
        case _:
            raise ExoticError


# ---------------------------------------------------------------------------------------------------- sequences


def _index(expr: ir.Index, scope: Scope) -> Value:
    sequence, place = scope.value(expr.sequence), scope.number(expr.index)
    if isinstance(sequence, Known):
        sequence = Listing(tuple(map(Known, sequence.value)))
    if isinstance(sequence, Listing) and isinstance(place, low.Const):
        if -len(sequence.items) <= place.value < len(sequence.items):
            return sequence.items[place.value]
        raise ExoticError
    found = run(scope.builder, sequence, scope.facts)
    least, most = knowledge.bounds(place, scope.facts)
    if least < 0:
        from_end = low.add(place, found.length)
        place = from_end if most < 0 else low.choose(low.less(place, low.ZERO), from_end, place)
    if isinstance(place, low.Const) and place.value >= found.max_length:
        raise ExoticError
    return run_element(scope.builder, found, place)


def _slice(expr: ir.Slice, scope: Scope) -> Value:
    builder, facts = scope.builder, scope.facts
    value = scope.value(expr.sequence)
    sequence = run(builder, value, facts)
    length = sequence.length

    def clipped(bound: ir.Expr | None, default: Low) -> Low:
        if bound is None:
            return default
        place = scope.number(bound)
        least, most = knowledge.bounds(place, facts)
        if least < 0:
            from_end = expressions.pruned_extremum("max", [low.add(place, length), low.ZERO], scope)
            place = from_end if most < 0 else low.choose(low.less(place, low.ZERO), from_end, place)
        return expressions.pruned_extremum("min", [place, length], scope)

    start, stop = clipped(expr.start, low.ZERO), clipped(expr.stop, length)
    if isinstance(value, Listing) and isinstance(start, low.Const) and isinstance(stop, low.Const):
        return Listing(value.items[start.value : stop.value])
    kept = expressions.pruned_extremum("max", [low.subtract(stop, start), low.ZERO], scope)
    width = sequence.element.bits
    elements = low.shift_right(sequence.elements, low.scale(start, width))
    if stop != length:
        ones = low.subtract(low.shift_left(low.ONE, low.scale(kept, width)), low.ONE)
        elements = low.bit_and(elements, ones)
    least, most = knowledge.bounds(kept, facts)
    return Run(sequence.element, int(max(least, 0)), int(min(most, sequence.max_length)), kept, elements)


def _concatenate(expr: ir.Concatenate, scope: Scope) -> Value:
    builder, facts = scope.builder, scope.facts
    left, right = scope.value(expr.left), scope.value(expr.right)
    if isinstance(left, Listing | Known) and isinstance(right, Listing | Known):
        return Listing(_listed(left) + _listed(right))
    pieces = []
    for value in (left, right):
        found = layout_for(builder, value, facts)
        if not isinstance(found, layouts.SequenceLayout):
            raise ExoticError
        pieces.append(found)
    first_layout, second_layout = pieces
    element = common_layout(builder, [*_samples(left, scope), *_samples(right, scope)], facts)
    first, second = (
        _as_run(value, layouts.SequenceLayout(element, piece.min_length, piece.max_length), scope)
        for value, piece in ((left, first_layout), (right, second_layout))
    )
    elements = low.bit_or(first.elements, low.shift_left(second.elements, low.scale(first.length, element.bits)))
    return Run(
        element,
        first.min_length + second.min_length,
        first.max_length + second.max_length,
        low.add(first.length, second.length),
        elements,
    )


def _listed(value: Listing | Known) -> tuple[Value, ...]:
    return value.items if isinstance(value, Listing) else tuple(map(Known, value.value))


def _samples(value: Value, scope: Scope) -> tuple[Value, ...]:
    """Values whose common layout holds every element of a sequence."""
    match value:
        case Listing() | Known():
            return _listed(value)
        case _:
            found = run(scope.builder, value, scope.facts)
            return (run_element(scope.builder, found, low.ZERO),) if found.max_length else ()


def _as_run(value: Value, layout: layouts.SequenceLayout, scope: Scope) -> Run:
    """A sequence with its elements in a layout that is known to hold them."""
    code, _ = fit(scope.builder, value, layout, scope.facts)
    if isinstance(value, Run) and value.element == layout.element:
        return value
    return run(scope.builder, Code(layout, code), scope.facts)


def _comprehension(expr: ir.SequenceComprehension, scope: Scope) -> Value:
    found = [(inner.value(expr.element), test) for inner, test in sets.cells((expr.generator,), scope)]
    if all(test == low.TRUE for _, test in found):
        return Listing(tuple(value for value, _ in found))
    if len(found) > MAX_LISTED:
        raise ExoticError
    builder, facts = scope.builder, scope.facts
    element = common_layout(builder, [value for value, _ in found], facts)
    length: Low = low.ZERO
    elements: Low = low.ZERO
    for value, test in found:
        code, _ = fit(builder, value, element, facts)
        moved = low.shift_left(code, low.scale(length, element.bits))
        elements = low.bit_or(elements, low.choose(test, moved, low.ZERO))
        length = low.add(length, test)
    certain = sum(test == low.TRUE for _, test in found)
    return Run(element, certain, len(found), length, elements)


# ---------------------------------------------------------------------------------------------------- functions


def as_entries(value: Value, scope: Scope) -> Entries:
    """A function entry by entry."""
    match value:
        case Entries():
            return value
        case Known(dict() as known):
            return Entries(tuple(known), tuple(map(Known, known.values())))
        case Code(layouts.FunctionLayout() as layout, code):
            return entries(scope.builder, layout, code)
        case _:
            raise ExoticError


def _display(expr: ir.FunctionDisplay, scope: Scope) -> Value:
    found: dict[object, Value] = {}
    for key, value in expr.entries:
        found[expressions.known(scope.value(key))] = scope.value(value)
    return Entries(tuple(found), tuple(found.values()))


def _apply(expr: ir.Apply, scope: Scope) -> Value:
    function, key = scope.value(expr.function), scope.value(expr.key)
    if isinstance(key, Known):
        match function:
            case Code(layouts.FunctionLayout() as layout, code) if key.value in layout.slots:
                slot = layout.slots[key.value]
                return field_of(scope.builder, layout.value, code, slot * layout.value.bits)
            case Entries(keys, items) if key.value in keys:
                return items[keys.index(key.value)]
        raise ExoticError
    builder, facts = scope.builder, scope.facts
    layout_found = layout_for(builder, function, facts)
    if not isinstance(layout_found, layouts.FunctionLayout):
        raise ExoticError
    code, _ = fit(builder, function, layout_found, facts)
    slot_word = _slot(key, layout_found, scope)
    width = layout_found.value.bits
    return field_of(builder, layout_found.value, low.shift_right(code, low.scale(slot_word, width)), 0)


def _slot(key: Value, layout: layouts.FunctionLayout, scope: Scope) -> Low:
    """Where the entry of a key lies, for a key that the function has."""
    code, _ = fit(scope.builder, key, layout.key, scope.facts)
    match layout.key:
        case layouts.IntLayout(base, least):
            return low.subtract(code, low.Const(least - base))
        case layouts.BoolLayout() | layouts.ChoiceLayout():
            return code
        case _:
            if layout.key.bits > 12:
                raise ExoticError
            table = [0] * (1 << layout.key.bits)
            for value, slot in layout.slots.items():
                table[layouts.encode(layout.key, value)] = slot
            return low.At(scope.builder.table(tuple(table)), code, 0, len(layout.keys) - 1)


def _update(expr: ir.FunctionUpdate, scope: Scope) -> Value:
    function = as_entries(scope.value(expr.function), scope)
    items = list(function.items)
    for key_expr, value_expr in expr.entries:
        key, value = scope.value(key_expr), scope.value(value_expr)
        if isinstance(key, Known):
            if key.value not in function.keys:
                raise ExoticError
            items[function.keys.index(key.value)] = value
            continue
        for slot, own in enumerate(function.keys):
            here = equal(scope.builder, key, Known(own), scope.facts)
            items[slot] = expressions.chosen(here, value, items[slot], scope)
    return Entries(function.keys, tuple(items))
