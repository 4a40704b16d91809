"""Sets, sequences, quantifiers and aggregates → TLA+ text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from . import ir, traverse
from . import valuetypes as types
from .conditions import TRUE, conjunction
from .tla_names import member_string
from .tla_scope import Scope
from .tla_syntax import (
    Text,
    angles,
    applied,
    atom,
    bounded,
    braces,
    call,
    infix,
    inside,
    joined,
    let,
    number,
    prefix,
    quantified,
    string,
)

SetLike = (
    ir.Member
    | ir.Subset
    | ir.Members
    | ir.RangeOf
    | ir.SetDisplay
    | ir.SetOf
    | ir.SetOperation
    | ir.SetComprehension
    | ir.Quantifier
)
SequenceLike = ir.Size | ir.Aggregate | ir.Index | ir.Slice | ir.Concatenate | ir.SequenceComprehension


def render_set(expr: SetLike, scope: Scope) -> Text:
    """Sets, and what is asked of them."""
    text = scope.text
    match expr:
        case ir.Member():
            return member(expr, expr.negated, scope)
        case ir.Subset():
            included = infix("\\subseteq", text(expr.left), text(expr.right))
            different = infix("#", text(expr.left), text(expr.right))
            return joined("/\\", (included, different)) if expr.strict else included
        case ir.Members():
            return atom(scope.used.enumeration(expr.enumeration.python))
        case ir.RangeOf():
            scope.used.modules.add("Integers")
            return infix("..", text(expr.start), text(shifted(expr.stop, -1)))
        case ir.SetDisplay():
            return braces(*map(text, expr.elements))
        case ir.SetOf():
            return as_set(expr.collection, scope)
        case ir.SetOperation():
            return _set_operation(expr, scope)
        case ir.SetComprehension():
            return _comprehension(expr.generators, expr.element, scope)
        case ir.Quantifier():
            return _quantifier(expr, scope)
        case _:
            assert_never(expr)


def render_sequence(expr: SequenceLike, scope: Scope) -> Text:
    """Sequences, what is asked of them, and aggregates."""
    match expr:
        case ir.Size():
            return _size(expr, scope)
        case ir.Aggregate():
            return _aggregate(expr, scope)
        case ir.Index():
            return _index(expr, scope)
        case ir.Slice():
            return _slice(expr, scope)
        case ir.Concatenate():
            return _concatenate(expr, scope)
        case ir.SequenceComprehension():
            return _sequence_comprehension(expr.generator, expr.element, scope)
        case _:
            assert_never(expr)


def member(expr: ir.Member, negated: bool, scope: Scope) -> Text:
    r"""`x \in S` or `x \notin S`."""
    return infix("\\notin" if negated else "\\in", scope.text(expr.element), as_set(expr.collection, scope))


def as_set(collection: ir.Expr, scope: Scope) -> Text:
    """What a collection holds, as a set: for membership and for iteration whose order and repetitions do not matter."""
    match collection:
        case ir.TupleDisplay():
            return braces(*map(scope.text, collection.elements))
        case ir.SequenceComprehension():
            return _comprehension((collection.generator,), collection.element, scope)
        case ir.Unwrap():
            return as_set(collection.optional, scope)
        case _ if isinstance(collection.type, types.Sequence) and not isinstance(collection, ir.Members):
            return call(scope.used.operator("Elements"), scope.text(collection))
        case _ if isinstance(collection.type, types.Function):
            return prefix("DOMAIN", scope.text(collection))
        case _ if isinstance(collection.type, types.Tuple):
            positions = range(1, len(collection.type.items) + 1)
            return braces(*(applied(scope.text(collection), number(position)) for position in positions))
        case _:
            return scope.text(collection)


def shifted(expr: ir.Expr, by: int) -> ir.Expr:
    """`expr + by`, with literals added up: what is counted from 0 there and from 1 here."""
    match expr:
        case _ if by == 0:
            return expr
        case ir.Literal():
            return replace(expr, value=expr.value + by)
        case ir.Arithmetic(operator="+" | "-" as operator, left=left, right=ir.Literal(value=value)):
            return shifted(left, by + (value if operator == "+" else -value))
        case _:
            amount = ir.Literal(abs(by), type=types.INT)
            return ir.Arithmetic("+" if by > 0 else "-", expr, amount, type=types.INT, span=expr.span)


def _set_operation(expr: ir.SetOperation, scope: Scope) -> Text:
    left, right = scope.text(expr.left), scope.text(expr.right)
    if expr.operator == "^":
        return call(scope.used.operator("SymmetricDifference"), left, right)
    return infix({"|": "\\cup", "&": "\\cap", "-": "\\"}[expr.operator], left, right)


# ---------------------------------------------------------------------------------------- generators over sets


def _filtered(generator: ir.Generator, scope: Scope) -> Text:
    """The set that a generator iterates over, its conditions included."""
    source = as_set(generator.source, scope)
    if not generator.conditions:
        return source
    name, inner = scope.element(generator.name, generator.source)
    conditions = joined("/\\", map(inner.text, generator.conditions))
    return atom(f"{{{bounded(name, source)} : {conditions}}}")


def _independent(generators: Sequence[ir.Generator]) -> int:
    """How many generators from the left may stand side by side: none but the last filters or depends on the others."""
    names: set[str] = set()
    for count, generator in enumerate(generators):
        if names & traverse.free_locals(generator.source):
            return count
        if generator.conditions:
            return count + 1 if count == 0 else count
        names.add(generator.name)
    return len(generators)


def _comprehension(generators: tuple[ir.Generator, ...], element: ir.Expr, scope: Scope) -> Text:
    count = _independent(generators)
    first, rest = generators[:count], generators[count:]
    if len(generators) == 1 and isinstance(element, ir.LocalRef) and element.name == first[0].name:
        return _filtered(first[0], scope)
    bounds, inner = [], scope
    for generator in first:
        source = _filtered(generator, inner)
        name, inner = inner.element(generator.name, generator.source)
        bounds.append(bounded(name, source))
    if rest:
        return prefix("UNION", atom(f"{{{_comprehension(rest, element, inner)} : {', '.join(bounds)}}}"))
    return atom(f"{{{inside(inner.text(element))} : {', '.join(bounds)}}}")


def quantifier_head(expr: ir.Quantifier, scope: Scope) -> tuple[str, Text | None, ir.Expr, Scope]:
    r"""What stands before the colon of a quantifier, its conditions, what is left, and the scope of both.

    Several generators become one quantifier as far as they are independent; the others are left.
    """
    count = _independent(expr.generators)
    first, rest = expr.generators[:count], expr.generators[count:]
    bounds, inner = [], scope
    conditions: list[Text] = []
    for generator in first:
        source = as_set(generator.source, inner)
        name, inner = inner.element(generator.name, generator.source)
        bounds.append(bounded(name, source))
        conditions += map(inner.text, generator.conditions)
    head = ("\\E " if expr.operator == "any" else "\\A ") + ", ".join(bounds)
    left = replace(expr, generators=rest) if rest else expr.condition
    if expr.operator == "any" and left == TRUE and first[-1].conditions:
        # That there is such an element at all: the conditions are what is said of it.
        return head, None, conjunction(*(item for generator in first for item in generator.conditions)), inner
    return head, joined("/\\", conditions) if conditions else None, left, inner


def _quantifier(expr: ir.Quantifier, scope: Scope) -> Text:
    head, conditions, left, inner = quantifier_head(expr, scope)
    body = inner.text(left)
    if conditions is not None:
        body = infix("/\\" if expr.operator == "any" else "=>", conditions, body)
    return quantified(head, body)


# -------------------------------------------------------------------------------------------------- aggregates


def _aggregate(expr: ir.Aggregate, scope: Scope) -> Text:
    scope.used.modules.add("Integers")
    if expr.operator == "sum":
        return _sum(expr.generators, expr.element, scope)
    values = _comprehension(expr.generators, expr.element, scope)
    word = expr.operator.capitalize()
    if expr.default is None:
        return call(scope.used.operator(f"{word}Of"), values)
    return call(scope.used.operator(f"{word}Or"), values, scope.text(expr.default))


def _sum(generators: tuple[ir.Generator, ...], element: ir.Expr, scope: Scope) -> Text:
    """One contribution an iteration: over the positions of a sequence, and sums of sums for several generators."""
    if not generators:
        return scope.text(element)
    generator, rest = generators[0], generators[1:]
    if isinstance(generator.source.type, types.Sequence) and not isinstance(generator.source, ir.Members):
        return _by_position(
            generator,
            scope,
            lambda sequence, position, inner: _sum_of(
                bounded(position, prefix("DOMAIN", sequence)), _sum(rest, element, inner), inner
            ),
        )
    domain = _filtered(generator, scope)
    if not rest and isinstance(element, ir.Literal) and element.value == 1:
        return call(scope.used.standard("Cardinality", "FiniteSets"), domain)
    name, inner = scope.element(generator.name, generator.source)
    return _sum_of(bounded(name, domain), _sum(rest, element, inner), scope)


def _sum_of(bound: str, value: Text, scope: Scope) -> Text:
    return call(scope.used.operator("SumOf"), atom(f"[{bound} |-> {value}]"))


# --------------------------------------------------------------------------------------------------- sequences


def _size(expr: ir.Size, scope: Scope) -> Text:
    collection = expr.collection
    match collection:
        case ir.Members():
            return number(len(collection.enumeration.members))
        case _ if isinstance(collection.type, types.Sequence):
            return call(scope.used.standard("Len", "Sequences"), scope.text(collection))
        case _:
            return call(scope.used.standard("Cardinality", "FiniteSets"), scope.text(collection))


def _length(sequence: Text, scope: Scope) -> Text:
    return call(scope.used.standard("Len", "Sequences"), sequence)


def _simple(expr: ir.Expr) -> bool:
    """Whether writing an expression twice costs neither the reader nor TLC anything."""
    match expr:
        case ir.VariableRef() | ir.LocalRef() | ir.ConstantRef():
            return True
        case ir.Field():
            return _simple(expr.record)
        case ir.Component():
            return _simple(expr.tuple)
        case ir.Unwrap():
            return _simple(expr.optional)
        case ir.Apply():
            return _simple(expr.function) and isinstance(expr.key, ir.LocalRef | ir.Literal | ir.VariableRef)
        case _:
            return False


def _natural(number: ir.Expr, scope: Scope) -> bool:
    """Whether an int is certainly not negative, so that it does not count from the end."""
    least = scope.least(number)
    return least is not None and least >= 0


def _index(expr: ir.Index, scope: Scope) -> Text:
    sequence, index = scope.text(expr.sequence), expr.index
    if _natural(index, scope):
        scope.used.modules.add("Integers")
        return applied(sequence, scope.text(shifted(index, 1)))
    if isinstance(index, ir.Literal) and _simple(expr.sequence):
        length, before = _length(sequence, scope), -index.value - 1
        if before:
            scope.used.modules.add("Integers")
        return applied(sequence, infix("-", length, number(before)) if before else length)
    return call(scope.used.operator("At"), sequence, scope.text(index))


def _slice(expr: ir.Slice, scope: Scope) -> Text:
    sequence, start, stop = scope.text(expr.sequence), expr.start, expr.stop
    if isinstance(start, ir.Literal) and start.value == 0:
        start = None
    match start, stop:
        case None, None:
            return sequence
        case None, _ if stop is not None and _natural(stop, scope):
            return call(scope.used.operator("Take"), sequence, scope.text(stop))
        case _ if _simple(expr.sequence) and _counts_from_start(start, scope) and _is_end(stop):
            # `SubSeq` is empty where its bounds cross, as slices are.
            scope.used.modules.add("Integers")
            first = number(1) if start is None else scope.text(shifted(start, 1))
            last = _length(sequence, scope)
            if isinstance(stop, ir.Literal):
                last = infix("-", last, number(-stop.value))
            return call(scope.used.standard("SubSeq", "Sequences"), sequence, first, last)
        case _, None if not _simple(expr.sequence):
            name, inner = scope.fresh("s")
            return let(name, sequence, _sliced(atom(name), start, stop, inner))
        case _:
            return _sliced(sequence, start, stop, scope)


def _sliced(sequence: Text, start: ir.Expr | None, stop: ir.Expr | None, scope: Scope) -> Text:
    low = number(0) if start is None else scope.text(start)
    high = _length(sequence, scope) if stop is None else scope.text(stop)
    return call(scope.used.operator("Slice"), sequence, low, high)


def _counts_from_start(start: ir.Expr | None, scope: Scope) -> bool:
    return start is None or _natural(start, scope)


def _is_end(stop: ir.Expr | None) -> bool:
    """Whether a slice goes to the end, or to a fixed distance from it."""
    return stop is None or (isinstance(stop, ir.Literal) and stop.value < 0)


def _concatenate(expr: ir.Concatenate, scope: Scope) -> Text:
    match expr.right:
        case ir.TupleDisplay(elements=(single,)):
            append = scope.used.standard("Append", "Sequences")
            return call(append, scope.text(expr.left), scope.text(single))
        case _:
            scope.used.modules.add("Sequences")
            return infix("\\o", scope.text(expr.left), scope.text(expr.right))


def _sequence_comprehension(generator: ir.Generator, element: ir.Expr, scope: Scope) -> Text:
    source, name = generator.source, generator.name
    if isinstance(source, ir.RangeOf) and not generator.conditions:
        return _over_range(source, name, element, scope)
    if isinstance(element, ir.LocalRef) and element.name == name:
        return _kept(generator, scope)

    def mapped(sequence: Text, position: str, inner: Scope) -> Text:
        return atom(f"[{bounded(position, prefix('DOMAIN', sequence))} |-> {inner.text(element)}]")

    return _by_position(generator, scope, mapped)


def _by_position(generator: ir.Generator, scope: Scope, body: Callable[[Text, str, Scope], Text]) -> Text:
    """What `body` makes of the sequence that a generator yields, given as an expression that may be repeated.

    It gets the sequence, the name of a position in it, and the scope where the generator's name is the element there.
    """
    source, name = generator.source, generator.name
    if _simple(source) and not generator.conditions and isinstance(source.type, types.Sequence):
        return _at_positions(name, source, scope.text(source), scope, body)
    held, inner = scope.fresh("s")
    return let(held, _kept(generator, scope), _at_positions(name, source, atom(held), inner, body))


def _at_positions(
    name: str, source: ir.Expr, sequence: Text, scope: Scope, body: Callable[[Text, str, Scope], Text]
) -> Text:
    position, inner = scope.fresh("n")
    element = applied(sequence, atom(position))
    return body(sequence, position, inner.define(name, element, scope.known.inside(name, source)))


def _over_range(source: ir.RangeOf, name: str, element: ir.Expr, scope: Scope) -> Text:
    r"""`[i \in 1..n |-> …]`, with the name counted from where Python counts."""
    scope.used.modules.add("Integers")
    start, itself = source.start, ir.LocalRef(name, type=types.INT)
    if isinstance(start, ir.Literal):
        count, value = shifted(source.stop, -start.value), shifted(itself, start.value - 1)
    else:
        count = ir.Arithmetic("-", source.stop, start, type=types.INT)
        value = ir.Arithmetic("+", start, shifted(itself, -1), type=types.INT)
    positions = ir.RangeOf(ir.Literal(1, type=types.INT), shifted(count, 1), type=types.RANGE)
    bound, inner = scope.element(name, positions)
    counted = element if value == itself else traverse.substitute(element, {name: value})
    return atom(f"[{bounded(bound, scope.text(positions))} |-> {inner.text(counted)}]")


def _kept(generator: ir.Generator, scope: Scope) -> Text:
    """The sequence that a generator yields, its conditions included."""
    source = generator.source
    match source:
        case ir.Members():
            sequence = angles(*(string(member_string(item)) for item in source.enumeration.members))
        case ir.RangeOf():
            sequence = _over_range(source, generator.name, ir.LocalRef(generator.name, type=types.INT), scope)
        case _ if isinstance(source.type, types.Range):
            sequence = _of_interval(scope.text(source), scope)
        case _:
            sequence = scope.text(source)
    if not generator.conditions:
        return sequence
    name, inner = scope.element(generator.name, source)
    conditions = joined("/\\", map(inner.text, generator.conditions))
    select = scope.used.standard("SelectSeq", "Sequences")
    return atom(f"{select}({sequence}, LAMBDA {name} : {conditions})")


def _of_interval(interval: Text, scope: Scope) -> Text:
    """The numbers of an interval that is given as a value, in order."""
    scope.used.modules.add("Integers")
    count = call(scope.used.standard("Cardinality", "FiniteSets"), interval)
    position, _ = scope.fresh("n")
    value = infix("-", infix("+", call(scope.used.operator("MinOf"), interval), atom(position)), number(1))
    return atom(f"[{bounded(position, infix('..', number(1), count))} |-> {value}]")
