"""Sets as masks, and whatever iterates: quantifiers, comprehensions and aggregates, unrolled element by element."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import assert_never

from .. import ir
from . import facts as knowledge
from . import layouts, low, tabulate
from .fitting import equal, fit, rank, run, run_element
from .low import Low
from .scope import Scope
from .values import (
    Code,
    Entries,
    ExoticError,
    Known,
    Listing,
    Number,
    Run,
    Truth,
    Value,
    common_layout,
    in_order,
    is_number,
    layout_for,
    number,
)

MAX_CELLS = 1024
"""How many iterations are unrolled, over all nested generators; more are left to the interpreter."""

SetExpr = (
    ir.Member
    | ir.Subset
    | ir.SetDisplay
    | ir.SetOf
    | ir.SetOperation
    | ir.Size
    | ir.SetComprehension
    | ir.Quantifier
    | ir.Aggregate
)


def lower(expr: SetExpr, scope: Scope) -> Value:
    """The value of an expression on sets or over generators."""
    match expr:
        case ir.Member():
            test = knowledge.decide(_member(expr, scope), scope.facts)
            return Truth(low.negate(test) if expr.negated else test)
        case ir.Subset():
            return Truth(_subset(expr, scope))
        case ir.SetDisplay():
            return _collected([(scope.value(element), low.TRUE) for element in expr.elements], scope)
        case ir.SetOf():
            return _collected(list(_elements(expr.collection, scope)), scope)
        case ir.SetOperation():
            return _operation(expr, scope)
        case ir.Size():
            return Number(_size(expr, scope))
        case ir.SetComprehension():
            found = [(inner.value(expr.element), test) for inner, test in cells(expr.generators, scope)]
            return _collected(found, scope)
        case ir.Quantifier():
            return Truth(_quantifier(expr, scope))
        case ir.Aggregate():
            return Number(_aggregate(expr, scope))
        case _:
            assert_never(expr)


# ---------------------------------------------------------------------------------------------------- iteration


def cells(generators: Sequence[ir.Generator], scope: Scope) -> Iterator[tuple[Scope, Low]]:
    """Every iteration of nested generators that may occur: its scope, and the test that it occurs."""
    budget = [MAX_CELLS]

    def nested(place: int, inner: Scope, reached: Low) -> Iterator[tuple[Scope, Low]]:
        if place == len(generators):
            budget[0] -= 1
            if budget[0] < 0:
                raise ExoticError
            yield inner, reached
            return
        generator = generators[place]
        for element, present in _elements(generator.source, inner):
            test = knowledge.decide(present, inner.facts)
            deeper = inner.bind(generator.name, element).assume(test)
            for condition in generator.conditions:
                if test == low.FALSE:
                    break
                holds = deeper.truth(condition)
                test, deeper = low.both(test, holds), deeper.assume(holds)
            if test != low.FALSE:
                yield from nested(place + 1, deeper, low.both(reached, test))

    yield from nested(0, scope, low.TRUE)


def _elements(source: ir.Expr, scope: Scope) -> Iterator[tuple[Value, Low]]:
    """What a source may yield, each with the test that it does."""
    if isinstance(source, ir.RangeOf) and scope.needs(source).variables | scope.needs(source).locals:
        yield from _range_elements(source, scope)
        return
    value = scope.value(source)
    match value:
        case Known(items):
            if len(items) > MAX_CELLS:
                raise ExoticError
            for item in in_order(items) if isinstance(items, frozenset) else items:
                yield Known(item), low.TRUE
        case Code(layouts.SetLayout() as layout, mask):
            if layout.element.ranks > MAX_CELLS:
                raise ExoticError
            for place, item in layout.universe:
                yield Known(item), low.masked(mask, 1 << place, 1 << place)
        case Listing(listed):
            for element in listed:
                yield element, low.TRUE
        case Run() | Code(layouts.SequenceLayout()):
            sequence = run(scope.builder, value, scope.facts)
            for place in range(sequence.max_length):
                present = low.TRUE if place < sequence.min_length else low.less(low.Const(place), sequence.length)
                yield run_element(scope.builder, sequence, low.Const(place)), present
        case _:
            raise ExoticError


def _range_elements(source: ir.RangeOf, scope: Scope) -> Iterator[tuple[Value, Low]]:
    start, stop = scope.number(source.start), scope.number(source.stop)
    first, last = knowledge.bounds(start, scope.facts)[0], knowledge.bounds(stop, scope.facts)[1]
    if math.isinf(first) or math.isinf(last) or last - first > MAX_CELLS:
        raise ExoticError
    for item in range(int(first), int(last)):
        here = low.Const(item)
        yield Known(item), low.both(low.at_most(start, here), low.less(here, stop))


# ------------------------------------------------------------------------------------------------------- tests


def _member(expr: ir.Member, scope: Scope) -> Low:
    element = scope.value(expr.element)
    builder, facts = scope.builder, scope.facts
    if isinstance(expr.collection, ir.RangeOf):
        item = number(element)
        start, stop = scope.number(expr.collection.start), scope.number(expr.collection.stop)
        return low.both(low.at_most(start, item), low.less(item, stop))
    collection = scope.value(expr.collection)
    match collection:
        case Known(items):
            return _member_of_known(element, tuple(items), scope)
        case Code(layouts.SetLayout(inner), mask):
            place, has = rank(builder, element, inner, facts)
            return low.both(has, low.has_bit(mask, place))
        case Listing() | Run() | Code(layouts.SequenceLayout()):
            found = _elements(expr.collection, scope)
            return low.either(*(low.both(present, equal(builder, element, item, facts)) for item, present in found))
        case Entries(keys):
            return _member_of_known(element, keys, scope)
        case Code(layouts.FunctionLayout() as layout):
            return _member_of_known(element, layout.keys, scope)
        case _:
            raise ExoticError


def _member_of_known(element: Value, items: tuple[object, ...], scope: Scope) -> Low:
    if len(items) <= 2:
        tests = (equal(scope.builder, element, Known(item), scope.facts) for item in items)
        return low.either(*tests)
    if is_number(element):
        word = number(element)
        numbers = sorted(item for item in items if isinstance(item, int))
        least, most = numbers[0], numbers[-1]
        inside = low.both(low.at_most(low.Const(least), word), low.at_most(word, low.Const(most)))
        if most - least + 1 == len(set(numbers)):
            return inside
        inside = knowledge.decide(inside, scope.facts)
        if inside == low.FALSE:
            return inside
        mask = sum(1 << (item - least) for item in set(numbers))
        return low.both(inside, low.has_bit(low.Const(mask), low.subtract(word, low.Const(least))))
    layout = layout_for(scope.builder, element, scope.facts)
    mask = 0
    for item in items:
        place, has = rank(scope.builder, Known(item), layout, scope.facts)
        if has == low.TRUE and isinstance(place, low.Const):
            mask |= 1 << place.value
    own, _ = rank(scope.builder, element, layout, scope.facts)
    return low.has_bit(low.Const(mask), own)


def _subset(expr: ir.Subset, scope: Scope) -> Low:
    left, right = scope.value(expr.left), scope.value(expr.right)
    first, second, _ = _alike(left, right, scope)
    test = low.same(low.without(first, second), low.ZERO)
    return low.both(test, low.negate(low.same(first, second))) if expr.strict else test


def _alike(left: Value, right: Value, scope: Scope) -> tuple[Low, Low, layouts.SetLayout]:
    """The masks of two sets in a layout that holds both."""
    layout = common_layout(scope.builder, (left, right), scope.facts)
    if not isinstance(layout, layouts.SetLayout):
        raise ExoticError
    first, _ = fit(scope.builder, left, layout, scope.facts)
    second, _ = fit(scope.builder, right, layout, scope.facts)
    return first, second, layout


# --------------------------------------------------------------------------------------------------------- sets


def _operation(expr: ir.SetOperation, scope: Scope) -> Value:
    left, right = scope.value(expr.left), scope.value(expr.right)
    builder, facts = scope.builder, scope.facts
    if expr.operator in ("&", "-"):
        # Nothing outside the left set's own layout matters; it has the result.
        layout = layout_for(builder, left, facts)
        if not isinstance(layout, layouts.SetLayout):
            raise ExoticError
        first, second = fit(builder, left, layout, facts)[0], fit(builder, right, layout, facts)[0]
        return Code(layout, low.bit_and(first, second) if expr.operator == "&" else low.without(first, second))
    first, second, layout = _alike(left, right, scope)
    return Code(layout, low.bit_or(first, second) if expr.operator == "|" else low.bit_xor(first, second))


def _collected(found: list[tuple[Value, Low]], scope: Scope) -> Value:
    """The set of the values whose test holds."""
    builder, facts = scope.builder, scope.facts
    element = common_layout(builder, [value for value, _ in found], facts)
    if element.ranks > layouts.MAX_SET:
        raise ExoticError
    mask: Low = low.ZERO
    moved: dict[tuple[Low, int], int] = {}  # (word, distance) → bits of the word that are bits of the result
    for value, test in found:
        place, _ = rank(builder, value, element, facts)
        match test, place:
            case low.Masked(word, one, expected), low.Const(to) if one == expected and one & (one - 1) == 0:
                key = word, to - (one.bit_length() - 1)
                moved[key] = moved.get(key, 0) | one
            case _:
                bit = low.shift_left(low.ONE, place)
                mask = low.bit_or(mask, low.choose(test, bit, low.ZERO))
    for (word, distance), ones in moved.items():
        part = low.bit_and(word, low.Const(ones))
        shift = low.Const(abs(distance))
        mask = low.bit_or(mask, low.shift_left(part, shift) if distance >= 0 else low.shift_right(part, shift))
    return Code(layouts.SetLayout(element), mask)


def _size(expr: ir.Size, scope: Scope) -> Low:
    if isinstance(expr.collection, ir.RangeOf):
        length = low.subtract(scope.number(expr.collection.stop), scope.number(expr.collection.start))
        positive = knowledge.decide(low.at_most(low.ZERO, length), scope.facts)
        return length if positive == low.TRUE else low.extremum("max", (length, low.ZERO))
    value = scope.value(expr.collection)
    match value:
        case Code(layouts.SetLayout(), mask):
            return low.count(mask)
        case Listing(items):
            return low.Const(len(items))
        case Run() | Code(layouts.SequenceLayout()):
            return run(scope.builder, value, scope.facts).length
        case Entries(keys):
            return low.Const(len(keys))
        case _:
            raise ExoticError


# ------------------------------------------------------------------------------------ quantifiers and aggregates


def _quantifier(expr: ir.Quantifier, scope: Scope) -> Low:
    """`all` as a conjunction of "if it occurs it holds", `any` as a disjunction of "it occurs and holds"."""
    every = expr.operator == "all"
    found: list[tuple[Low, Low]] = []
    for inner, occurs in cells(expr.generators, scope):
        holds = inner.truth(expr.condition)
        found.append((occurs, holds if every else low.negate(holds)))
    # `any` is decided as "not all not": one form, one set of simplifications.
    test = tabulate.all_hold(found, scope)
    return test if every else low.negate(test)


def _aggregate(expr: ir.Aggregate, scope: Scope) -> Low:
    found = [(inner.number(expr.element), occurs) for inner, occurs in cells(expr.generators, scope)]
    if expr.operator == "sum":
        return _sum(found)
    default = None if expr.default is None else scope.number(expr.default)
    if not found:
        if default is None:
            raise ExoticError
        return default
    spans = [knowledge.bounds(item, scope.facts) for item, _ in found]
    # What does not occur counts as the worst there is, which never wins against what does.
    worst = max(most for _, most in spans) if expr.operator == "min" else min(least for least, _ in spans)
    if math.isinf(worst):
        raise ExoticError
    filler = low.Const(int(worst))
    best = low.extremum(expr.operator, [low.choose(occurs, item, filler) for item, occurs in found])
    if default is None:
        return best
    return low.choose(knowledge.decide(low.either(*(occurs for _, occurs in found)), scope.facts), best, default)


def _sum(found: list[tuple[Low, Low]]) -> Low:
    parts: list[tuple[Low, int]] = []
    counted: dict[tuple[Low, int], int] = {}  # (word, weight) → its bits of which each adds the weight
    for item, occurs in found:
        match item, occurs:
            case low.Const(weight), low.Masked(word, one, expected) if (
                one == expected and one & (one - 1) == 0 and not counted.get((word, weight), 0) & one
            ):
                counted[word, weight] = counted.get((word, weight), 0) | one
            case low.Const(weight), _:
                parts.append((occurs, weight))
            case _:
                parts.append((low.choose(occurs, item, low.ZERO), 1))
    for (word, weight), ones in counted.items():
        parts.append((low.count(low.bit_and(word, low.Const(ones))), weight))
    return low.collect(parts)
