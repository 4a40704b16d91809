"""Tables instead of computations: conditions on the elements of a set, and words that depend on few bits of the state.

Unrolled, `all(i <= length for i in pending)` asks one question for each possible element. Where an answer is known,
the elements for which it is no are a mask; where it depends on one small field, the masks for each value of that field
are a table: `pending & T[length] == 0`. Likewise a costly word of a few bits of the state is computed here, once for
each of their values, and looked up when the code runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from . import facts as knowledge
from . import low
from .low import Low
from .render import STATE, Writer
from .scope import Scope

MAX_ROWS = 64
"""How many values a field may have that a table is made for."""

MAX_BITS = 8
"""A word that depends on so few bits of the state is looked up, where computing it costs more than `MIN_COST`."""

MIN_COST = 5

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
    return knowledge.decide(low.both(*factored(conjuncts)), scope.facts)


def factored(conjuncts: list[Low]) -> list[Low]:
    """`not (a and b)`, `not (a and c)`, … in a row as `not a or (not b and not c …)`: mostly `a` alone is asked."""
    open_ = [conjunct for conjunct in conjuncts if conjunct != low.TRUE]
    found: list[Low] = []
    rows: list[tuple[low.Masked, list[Low]]] = []
    place = 0
    while place < len(open_):
        shared, length = _common_start(open_[place:])
        if shared is None or length < WORTHWHILE:
            found.append(open_[place])
            place += 1
            continue
        rest = []
        for conjunct in open_[place : place + length]:
            whole = _forbidden(conjunct)
            if whole is None:
                raise AssertionError("what is factored forbids the bits of a word")
            mask = whole.mask & ~shared.mask
            rest.append(low.masked(whole.word, mask, whole.expected & mask))
        rows.append((shared, rest))
        place += length
    return found + _forbidden_rows(rows)


def _forbidden_rows(rows: list[tuple[low.Masked, list[Low]]]) -> list[Low]:
    """No row's first test holds together with one of its others.

    Where every row forbids the same others, as far as these can hold together with its first at all, the rows are a
    product: none of the first tests holds, or none of the others.
    """
    every = list(dict.fromkeys(test for _, rest in rows for test in rest))
    product = len(rows) > 1 and all(
        test in rest or low.both(first, test) == low.FALSE for first, rest in rows for test in every
    )
    if product:
        firsts = low.either(*(first for first, _ in rows))
        return [low.either(low.negate(firsts), low.negate(low.either(*every)))]
    return [low.either(low.negate(first), low.negate(low.either(*rest))) for first, rest in rows]


def _common_start(conjuncts: list[Low]) -> tuple[low.Masked | None, int]:
    """What the first conjuncts forbid together with something else, and how many of them do."""
    shared: low.Masked | None = None
    for length, conjunct in enumerate(conjuncts):
        following = _forbidden(conjunct)
        if following is None or (shared is not None and following.word != shared.word):
            return shared, length
        if shared is None:
            shared = following
            continue
        mask = shared.mask & following.mask & ~(shared.expected ^ following.expected)
        # The second one says what is shared; another that shares less begins a new row.
        if not mask or (length > 1 and mask != shared.mask):
            return shared, length
        shared = low.Masked(shared.word, mask, shared.expected & mask)
    return shared, len(conjuncts)


def _forbidden(conjunct: Low) -> low.Masked | None:
    return conjunct.operand if isinstance(conjunct, low.Negation) and isinstance(conjunct.operand, low.Masked) else None


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


# -------------------------------------------------------------------------------------------- words from a table


def looked_up(word: Low, scope: Scope) -> Low:
    """A costly word that depends on few bits of the state as an element of a table, which has it for all their values.

    So the remainder of a sequence, say, is one operation, and what is computed from it does not grow with it.
    """
    if low.cost(word) <= MIN_COST:
        return word
    known = scope.builder.tabled.get(word)
    if known is None:
        known = scope.builder.tabled[word] = _as_table(word, scope) or word
    return known


def _as_table(word: Low, scope: Scope) -> Low | None:
    bits = support(word)
    if bits is None or bits.bit_count() > MAX_BITS:
        return None
    fields = list(_fields(bits))
    index: Low = low.ZERO
    state = next(name for name in _names(word) if name.name == STATE)
    place = 0
    for shift, width in fields:
        index = low.bit_or(index, low.shift_left(low.bits(state, shift, width), low.Const(place)))
        place += width
    if low.cost(index) + 1 >= low.cost(word):
        return None
    rows = tuple(_rows(word, fields, scope))
    if isinstance(word, low.TRUTH):
        ones = sum(1 << number for number, row in enumerate(rows) if row)
        return low.truth(bool(ones)) if ones in (0, (1 << len(rows)) - 1) else low.has_bit(low.Const(ones), index)
    if len(set(rows)) == 1:
        return low.Const(rows[0])
    return low.At(scope.builder.table(rows), index, min(rows), max(rows))


def _rows(word: Low, fields: list[tuple[int, int]], scope: Scope) -> Iterator[int]:
    tables = {name: values for values, name in scope.builder.tables.items()}
    compute = eval(f"lambda {STATE}: {Writer().value(word)}", tables)
    for number in range(1 << sum(width for _, width in fields)):
        state = 0
        for shift, width in fields:
            state |= (number & ((1 << width) - 1)) << shift
            number >>= width
        try:
            yield int(compute(state))
        except (ArithmeticError, LookupError, ValueError):
            yield 0  # where the word has no value it is not asked for


@lru_cache(maxsize=1 << 14)
def support(word: Low) -> int | None:
    """The bits of the state that a word depends on; None where it depends on anything else."""
    match word:
        case low.Bits(low.Name(name), shift, width):
            return ((1 << width) - 1) << shift if name == STATE else None
        case low.Masked(low.Name(name), mask):
            return mask if name == STATE else None
        case low.Name() | low.Invoke():
            return None
    found = 0
    for operand in low.operands(word):
        inner = support(operand)
        if inner is None:
            return None
        found |= inner
    return found


def _fields(bits: int) -> Iterator[tuple[int, int]]:
    """Runs of bits that are one, from the lowest: where each begins and how wide it is."""
    shift = 0
    while bits >> shift:
        shift += ((bits >> shift) & -(bits >> shift)).bit_length() - 1
        width = ((bits >> shift) ^ ((bits >> shift) + 1)).bit_length() - 1
        yield shift, width
        shift += width


def _names(word: Low) -> Iterator[low.Name]:
    if isinstance(word, low.Name):
        yield word
    for operand in low.operands(word):
        yield from _names(operand)
