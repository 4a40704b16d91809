"""Conditions on the elements of a set, all of them tested at once.

Unrolled, `all(i <= length for i in pending)` asks one question for each possible element. Where an answer is known,
the elements for which it is no are a mask; where it depends on one small field, the masks for each value of that field
are a table: `pending & T[length] == 0`.
"""

from __future__ import annotations

from . import facts as knowledge
from . import low
from .low import Low
from .scope import Scope

MAX_ROWS = 64
"""How many values a field may have that a table is made for."""

WORTHWHILE = 3
"""From how many elements on a table beats asking for each."""


def all_hold(cells: list[tuple[Low, Low]], scope: Scope) -> Low:
    """Whether each condition holds that occurs, for cells of (it occurs, it holds)."""
    conjuncts: list[Low] = []
    tabled: dict[tuple[Low, low.Bits | low.Name], list[tuple[int, Low]]] = {}  # (set, field) → bits and conditions
    for occurs, holds in cells:
        match occurs:
            case low.Masked(word, one, expected) if one == expected and one & (one - 1) == 0:
                field = only_field(holds)
                if field is not None:
                    tabled.setdefault((word, field), []).append((one, holds))
                    continue
        conjuncts.append(low.either(low.negate(occurs), holds))
    for (word, selector), members in tabled.items():
        table = _table(selector, members) if len(members) >= WORTHWHILE else None
        if table is None:
            conjuncts.extend(low.either(low.masked(word, one, 0), holds) for one, holds in members)
        elif len(set(table)) == 1:
            conjuncts.append(low.masked(word, table[0], 0))
        else:
            row = low.At(scope.builder.table(table), selector, 0, max(table))
            conjuncts.append(low.same(low.bit_and(word, row), low.ZERO))
    return knowledge.decide(low.both(*conjuncts), scope.facts)


def only_field(node: Low) -> low.Bits | low.Name | None:
    """The one small field or name that a test depends on; None where it is another."""
    found: set[Low] = set()

    def collect(part: Low) -> bool:
        match part:
            case low.Bits(low.Name()) | low.Name():
                found.add(part)
                return len(found) == 1
            case low.Masked(low.Name(), mask):
                # A test of a whole field of a state names it by its mask alone.
                shift = (mask & -mask).bit_length() - 1
                width = (mask >> shift).bit_length()
                found.add(low.Bits(part.word, shift, width, 0, (1 << width) - 1))
                return len(found) == 1 and mask >> shift == (1 << width) - 1
            case low.Invoke() | low.At():
                return False
            case _:
                return all(map(collect, low.operands(part)))

    if not collect(node) or len(found) != 1:
        return None
    field = found.pop()
    if not isinstance(field, low.Bits | low.Name):
        return None
    least, most = field.low, field.high
    return field if least >= 0 and most < MAX_ROWS else None


def _table(field: low.Bits | low.Name, members: list[tuple[int, Low]]) -> tuple[int, ...] | None:
    """For each value of the field the elements whose condition is false; None where that is not known."""
    rows = []
    for value in range(int(field.high) + 1):
        forbidden = 0
        for one, holds in members:
            decided = substitute(holds, field, low.Const(value)) if value >= field.low else low.TRUE
            if not isinstance(decided, low.Const):
                return None
            if not decided.value:
                forbidden |= one
        rows.append(forbidden)
    return tuple(rows)


def substitute(node: Low, part: Low, by: Low) -> Low:
    """The node with a part replaced, simplified again."""
    if node == part:
        return by
    match node:
        case low.Linear(terms, constant):
            return low.collect([(substitute(term, part, by), factor) for term, factor in terms], constant)
        case low.Product(left, right):
            return low.multiply(substitute(left, part, by), substitute(right, part, by))
        case low.Division(operator, left, right):
            divisor = substitute(right, part, by)
            # Where the divisor is zero the value is never asked for.
            return low.ZERO if divisor == low.ZERO else low.divide(operator, substitute(left, part, by), divisor)
        case low.Extremum(operator, items):
            return low.extremum(operator, [substitute(item, part, by) for item in items])
        case low.Magnitude(operand):
            return low.magnitude(substitute(operand, part, by))
        case low.Choose(condition, then, orelse):
            chosen = substitute(condition, part, by)
            return low.choose(chosen, substitute(then, part, by), substitute(orelse, part, by))
        case low.AtMostZero(total):
            return low.at_most(substitute(total, part, by), low.ZERO)
        case low.IsZero(total):
            return low.equal(substitute(total, part, by), low.ZERO)
        case low.Same(left, right):
            return low.same(substitute(left, part, by), substitute(right, part, by))
        case low.Masked(word, mask, expected) if isinstance(part, low.Bits) and word == part.word:
            full = ((1 << part.width) - 1) << part.shift
            if mask == full and isinstance(by, low.Const):
                return low.truth(by.value << part.shift == expected)
            return node
        case low.Negation(operand):
            return low.negate(substitute(operand, part, by))
        case low.Junction(operator, items):
            return low.junction(operator, [substitute(item, part, by) for item in items])
        case _:
            return node
