"""Words, simplified as they are built.

The functions here are the only way to build a node of `nodes`, and every one of them returns the simplest form it
sees: constants are folded, sums are collected term by term (so that `after - before` cancels), tests of bits of the
same word are merged into one, and what selects from a constant becomes a constant.

Nothing here may be undefined: whoever builds a division knows that the divisor is not zero where it is evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal as OneOf

from .nodes import (
    FALSE,
    ONE,
    TRUE,
    TRUTH,
    ZERO,
    At,
    AtMostZero,
    BitOp,
    Bits,
    Bound,
    Choose,
    Const,
    Count,
    Division,
    Extremum,
    HasBit,
    Invoke,
    IsZero,
    Junction,
    Linear,
    Low,
    Magnitude,
    Masked,
    Name,
    Negation,
    Product,
    Same,
    Shift,
    Without,
    cost,
    operands,
)

__all__ = [
    "FALSE",
    "ONE",
    "TRUE",
    "TRUTH",
    "ZERO",
    "At",
    "AtMostZero",
    "BitOp",
    "Bits",
    "Bound",
    "Choose",
    "Const",
    "Count",
    "Division",
    "Extremum",
    "HasBit",
    "Invoke",
    "IsZero",
    "Junction",
    "Linear",
    "Low",
    "Magnitude",
    "Masked",
    "Name",
    "Negation",
    "Product",
    "Same",
    "Shift",
    "Without",
    "add",
    "at_most",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bits",
    "both",
    "choose",
    "collect",
    "cost",
    "count",
    "divide",
    "either",
    "equal",
    "extremum",
    "has_bit",
    "junction",
    "less",
    "magnitude",
    "masked",
    "multiply",
    "negate",
    "operands",
    "same",
    "scale",
    "shift_left",
    "shift_right",
    "subtract",
    "truth",
    "without",
]

# --------------------------------------------------------------------------------------------------- arithmetic


def truth(value: bool) -> Const:
    """A truth value that is known."""
    return TRUE if value else FALSE


def collect(parts: Iterable[tuple[Low, int]], constant: int = 0) -> Low:
    """`constant` plus every part times its coefficient, like terms collected."""
    terms: dict[Low, int] = {}
    for part, factor in parts:
        match part:
            case Const(value):
                constant += value * factor
            case Linear(inner, base):
                constant += base * factor
                for term, coefficient in inner:
                    terms[term] = terms.get(term, 0) + coefficient * factor
            case _:
                terms[part] = terms.get(part, 0) + factor
    remaining = tuple((term, coefficient) for term, coefficient in terms.items() if coefficient)
    if not remaining:
        return Const(constant)
    if not constant and len(remaining) == 1 and remaining[0][1] == 1:
        return remaining[0][0]
    return Linear(remaining, constant)


def add(left: Low, right: Low) -> Low:
    """`left + right`."""
    return collect(((left, 1), (right, 1)))


def subtract(left: Low, right: Low) -> Low:
    """`left - right`."""
    return collect(((left, 1), (right, -1)))


def scale(node: Low, factor: int) -> Low:
    """`node * factor`."""
    return collect(((node, factor),))


def multiply(left: Low, right: Low) -> Low:
    """`left * right`."""
    if isinstance(left, Const):
        return scale(right, left.value)
    if isinstance(right, Const):
        return scale(left, right.value)
    return Product(left, right)


def divide(operator: OneOf["//", "%"], left: Low, right: Low) -> Low:
    """`left // right` or `left % right`, where `right` is not zero."""
    match left, right:
        case Const(a), Const(b) if b:
            return Const(a // b if operator == "//" else a % b)
        case _, Const(1):
            return left if operator == "//" else ZERO
        case _:
            return Division(operator, left, right)


def extremum(operator: OneOf["min", "max"], items: Iterable[Low]) -> Low:
    """The smallest or the largest of one item or more."""
    known: list[int] = []
    others: list[Low] = []
    for item in items:
        match item:
            case Const(value):
                known.append(value)
            case _ if item not in others:
                others.append(item)
    if known:
        others.append(Const(min(known) if operator == "min" else max(known)))
    return others[0] if len(others) == 1 else Extremum(operator, tuple(others))


def magnitude(node: Low) -> Low:
    """The absolute value."""
    return Const(abs(node.value)) if isinstance(node, Const) else Magnitude(node)


def choose(condition: Low, then: Low, orelse: Low) -> Low:
    """`then if condition else orelse`."""
    if isinstance(condition, Const):
        return then if condition.value else orelse
    if then == orelse:
        return then
    match then, orelse:
        case (Const(1), Const(0)) if isinstance(condition, TRUTH):
            return condition
        case (Const(0), Const(1)) if isinstance(condition, TRUTH):
            return negate(condition)
    return Choose(condition, then, orelse)


# --------------------------------------------------------------------------------------------------------- bits


def bits(word: Low, shift: int, width: int, low: int = 0, high: int | None = None) -> Low:
    """`width` bits of a word from `shift` on; the bounds where they are narrower than the width."""
    full = (1 << width) - 1
    match word:
        case Const(value):
            return Const(value >> shift & full)
        case Bits(inner, offset, outer) if shift + width <= outer:
            word, shift = inner, shift + offset
    if width == 0:
        return ZERO
    return Bits(word, shift, width, low, full if high is None else high)


def bit_and(left: Low, right: Low) -> Low:
    """`left & right`."""
    match left, right:
        case Const(a), Const(b):
            return Const(a & b)
        case (Const(0), _) | (_, Const(0)):
            return ZERO
        case Const(), _:
            left, right = right, left
    if left == right:
        return left
    if isinstance(right, Const):
        match left:
            case BitOp("&", inner, Const(mask)):
                return bit_and(inner, Const(mask & right.value))
            case Bits(width=width) if right.value & (full := (1 << width) - 1) == full:
                return left
    return BitOp("&", left, right)


def bit_or(left: Low, right: Low) -> Low:
    """`left | right`."""
    match left, right:
        case Const(a), Const(b):
            return Const(a | b)
        case Const(0), _:
            return right
        case _, Const(0):
            return left
        case Const(), _:
            left, right = right, left
    if left == right:
        return left
    match left, right:
        case BitOp("|", inner, Const(a)), Const(b):
            return bit_or(inner, Const(a | b))
        case BitOp("|", inner, Const(a)), _:
            return bit_or(bit_or(inner, right), Const(a))
    return BitOp("|", left, right)


def bit_xor(left: Low, right: Low) -> Low:
    """`left ^ right`."""
    match left, right:
        case Const(a), Const(b):
            return Const(a ^ b)
        case (Const(0), other) | (other, Const(0)):
            return other
    return ZERO if left == right else BitOp("^", left, right)


def without(left: Low, right: Low) -> Low:
    """The bits of `left` that `right` does not have."""
    match left, right:
        case Const(a), Const(b):
            return Const(a & ~b)
        case Const(0), _:
            return ZERO
        case _, Const(0):
            return left
        case Bits(width=width), Const(b):
            return bit_and(left, Const(((1 << width) - 1) & ~b))
    return ZERO if left == right else Without(left, right)


def shift_left(word: Low, by: Low) -> Low:
    """`word << by`."""
    match word, by:
        case Const(a), Const(b):
            return Const(a << b)
        case (Const(0), _) | (_, Const(0)):
            return word
        case Shift("<<", inner, Const(a)), Const(b):
            return Shift("<<", inner, Const(a + b))
        case BitOp("|", inner, Const(ones)), Const(b):
            return bit_or(shift_left(inner, by), Const(ones << b))
    return Shift("<<", word, by)


def shift_right(word: Low, by: Low) -> Low:
    """`word >> by`."""
    match word, by:
        case Const(a), Const(b):
            return Const(a >> b)
        case (Const(0), _) | (_, Const(0)):
            return word
        case Bits(inner, offset, width), Const(b):
            return bits(inner, offset + b, width - b) if b < width else ZERO
        case Shift(">>", inner, Const(a)), Const(b):
            return Shift(">>", inner, Const(a + b))
    return Shift(">>", word, by)


def count(word: Low) -> Low:
    """The number of bits that are one."""
    return Const(word.value.bit_count()) if isinstance(word, Const) else Count(word)


# -------------------------------------------------------------------------------------------------------- tests


def at_most(left: Low, right: Low) -> Low:
    """`left <= right`."""
    difference = subtract(left, right)
    return truth(difference.value <= 0) if isinstance(difference, Const) else AtMostZero(_reduced(difference, True))


def less(left: Low, right: Low) -> Low:
    """`left < right`."""
    return at_most(add(left, ONE), right)


def equal(left: Low, right: Low) -> Low:
    """Equality of two numbers."""
    difference = subtract(left, right)
    match difference:
        case Const(value):
            return truth(value == 0)
        case Bits():
            return masked(difference, (1 << difference.width) - 1, 0)
        case Linear(((Bits() as term, 1 | -1 as sign),), constant):
            return same(term, Const(-constant * sign))
    reduced = _reduced(difference, False)
    return FALSE if isinstance(reduced, Const) else IsZero(reduced)


def _reduced(node: Low, at_most_zero: bool) -> Low:
    """A sum compared with zero, divided by what its coefficients have in common; FALSE where it cannot be zero."""
    if not isinstance(node, Linear):
        return node
    divisor = math.gcd(*(coefficient for _, coefficient in node.terms))
    if divisor == 1:
        return node
    if not at_most_zero and node.constant % divisor:
        return FALSE
    # Rounding the constant up keeps exactly the whole solutions of "at most zero".
    constant = -(-node.constant // divisor)
    return collect(((term, coefficient // divisor) for term, coefficient in node.terms), constant)


def same(left: Low, right: Low) -> Low:
    """Equality of two codes."""
    if _as_bits(left) == _as_bits(right):
        return TRUE
    match left, right:
        case Const(), Const():
            return FALSE
        case (Bits() as code, Const(value)) | (Const(value), Bits() as code):
            full = (1 << code.width) - 1
            return masked(code, full, value) if 0 <= value <= full else FALSE
        case (BitOp("&", word, Const(mask)), Const(value)) | (Const(value), BitOp("&", word, Const(mask))) if mask > 0:
            return masked(word, mask, value)
        case (Linear(), _) | (_, Linear()):
            return equal(left, right)
        case (node, Const(value)) | (Const(value), node) if isinstance(node, TRUTH):
            return node if value == 1 else negate(node) if value == 0 else FALSE
    return Same(left, right)


def _as_bits(node: Low) -> Low:
    """The lowest bits of a word, however they are taken out of it."""
    match node:
        case BitOp("&", word, Const(mask)) if mask > 0 and mask & (mask + 1) == 0:
            return Bits(word, 0, mask.bit_length(), 0, mask)
        case _:
            return node


def masked(word: Low, mask: int, expected: int) -> Low:
    """`word & mask == expected`, asked of the innermost word that has the bits."""
    if expected & ~mask:
        return FALSE
    if not mask:
        return TRUE
    match word:
        case Const(value):
            return truth(value & mask == expected)
        case Bits(inner, shift, width):
            beyond = mask >> width
            if beyond and expected >> width:
                return FALSE
            mask &= (1 << width) - 1
            return masked(inner, mask << shift, expected << shift)
        case BitOp("|", inner, Const(ones)):
            if ones & mask & ~expected:
                return FALSE
            return masked(inner, mask & ~ones, expected & ~ones)
        case BitOp("&", inner, Const(kept)):
            return masked(inner, mask & kept, expected) if not expected & ~kept else FALSE
        case Shift("<<", inner, Const(by)):
            low = (1 << by) - 1
            return masked(inner, mask >> by, expected >> by) if not expected & low else FALSE
    if isinstance(word, TRUTH):
        return FALSE if expected > 1 else TRUE if not mask & 1 else word if expected else negate(word)
    return Masked(word, mask, expected)


def has_bit(word: Low, index: Low) -> Low:
    """Whether the word has the bit of an index that is not negative."""
    match word, index:
        case _, Const(value):
            # A negative index is asked for only where another test has said no already.
            return masked(word, 1 << value, 1 << value) if value >= 0 else FALSE
        case Const(0), _:
            return FALSE
    return HasBit(word, index)


def negate(node: Low) -> Low:
    """`not node`."""
    match node:
        case Const(value):
            return truth(not value)
        case Negation(operand):
            return operand
        case Masked(word, mask, expected) if mask & (mask - 1) == 0:
            return Masked(word, mask, mask ^ expected)
        case AtMostZero(total):
            return at_most(subtract(ONE, total), ZERO)
        case Junction(operator, items):
            return junction("or" if operator == "and" else "and", map(negate, items))
    return Negation(node)


def junction(operator: OneOf["and", "or"], items: Iterable[Low]) -> Low:
    """`and` / `or` of any number of truth values; tests of the same word's bits are merged."""
    deciding = operator == "or"
    found: list[Low] = []
    places: dict[Low, int] = {}  # word → where its test of bits stands in `found`
    for item in _flattened(operator, items):
        if isinstance(item, Const):
            if bool(item.value) is deciding:
                return item
            continue
        # What is tested: for `and` the mask itself, for `or` the negation of one (not-a or not-b = not (a and b)).
        core = item if operator == "and" else negate(item)
        if isinstance(core, Masked) and core.word in places:
            place = places[core.word]
            held = found[place] if operator == "and" else negate(found[place])
            merged = _merged(held, core)
            if merged is None:
                return truth(deciding)
            found[place] = merged if operator == "and" else negate(merged)
        elif item not in found:
            if isinstance(core, Masked):
                places[core.word] = len(found)
            found.append(item)
    if not found:
        return truth(not deciding)
    return found[0] if len(found) == 1 else Junction(operator, tuple(found))


def _merged(first: Low, second: Masked) -> Masked | None:
    """Both tests of one word as one, None where they contradict each other."""
    if not isinstance(first, Masked):
        raise AssertionError("what stands in a word's place is a test of its bits")
    if (first.expected ^ second.expected) & first.mask & second.mask:
        return None
    return Masked(first.word, first.mask | second.mask, first.expected | second.expected)


def _flattened(operator: str, items: Iterable[Low]) -> Iterator[Low]:
    for item in items:
        if isinstance(item, Junction) and item.operator == operator:
            yield from item.items
        else:
            yield item


def both(*items: Low) -> Low:
    """`and`."""
    return junction("and", items)


def either(*items: Low) -> Low:
    """`or`."""
    return junction("or", items)
