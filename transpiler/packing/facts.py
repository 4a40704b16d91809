"""What is known where a piece of generated code runs: guards that hold prove ranges and tests superfluous.

Facts are upper bounds of sums of terms (`x <= 3`, `-x <= -1`, `i - length <= 0`), bits of words that are known, and
tests known to be true. `decide` answers a test from them where it can, with intervals where nothing else helps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from . import low
from .low import Bound, Low

Terms = frozenset[tuple[Low, int]]


@dataclass(frozen=True)
class Facts:
    """An immutable set of facts; `assume` returns a larger one."""

    upper: Mapping[Terms, Bound] = field(default_factory=dict)
    ones: Mapping[Low, int] = field(default_factory=dict)
    zeros: Mapping[Low, int] = field(default_factory=dict)
    tests: frozenset[Low] = frozenset()
    found: dict[int, tuple[Low, tuple[Bound, Bound]]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """Bounds found already, by the identity of the node: expressions share their parts, and are asked about often.

    `replace` begins with none: other facts, other bounds.
    """


NOTHING = Facts()

_REMEMBERED = 50_000


def bounds(node: Low, facts: Facts) -> tuple[Bound, Bound]:
    """The smallest and the largest value that a node may have, as far as is known."""
    known = facts.found.get(id(node))
    if known is not None:
        return known[1]
    least, most = _own_bounds(node, facts)
    if facts.upper and not isinstance(node, low.Linear):
        most = min(most, facts.upper.get(frozenset(((node, 1),)), math.inf))
        least = max(least, -facts.upper.get(frozenset(((node, -1),)), math.inf))
    # The node is kept, so that its identity is not given to another.
    if len(facts.found) >= _REMEMBERED:
        facts.found.clear()
    facts.found[id(node)] = (node, (least, most))
    return least, most


def known_bits(word: Low, facts: Facts) -> tuple[int, int]:
    """The bits of a word known to be one, and those known to be zero."""
    match word:
        case low.Const(value) if value >= 0:
            return value, ~value
        case low.BitOp("|", inner, low.Const(value)):
            ones, zeros = known_bits(inner, facts)
            return ones | value, zeros & ~value
        case low.Shift("<<", inner, low.Const(by)):
            ones, zeros = known_bits(inner, facts)
            return ones << by, zeros << by | (1 << by) - 1
    if not facts.ones and not facts.zeros:
        return 0, 0
    ones, zeros = facts.ones.get(word, 0), facts.zeros.get(word, 0)
    if isinstance(word, low.Bits):
        outer_ones, outer_zeros = known_bits(word.word, facts)
        full = (1 << word.width) - 1
        ones |= outer_ones >> word.shift & full
        zeros |= outer_zeros >> word.shift & full
    return ones, zeros


def _own_bounds(node: Low, facts: Facts) -> tuple[Bound, Bound]:
    match node:
        case low.Const(value):
            return value, value
        case low.Name() | low.At() | low.Invoke():
            return node.low, node.high
        case low.Bits():
            ones, zeros = known_bits(node, facts)
            return max(node.low, ones), min(node.high, ((1 << node.width) - 1) & ~zeros)
        case low.Linear():
            return -_upper(low.scale(node, -1), facts), _upper(node, facts)
        case low.Choose():
            first, second = bounds(node.then, facts), bounds(node.orelse, facts)
            return min(first[0], second[0]), max(first[1], second[1])
        case low.Extremum():
            pick = min if node.operator == "min" else max
            every = [bounds(item, facts) for item in node.items]
            return pick(least for least, _ in every), pick(most for _, most in every)
        case low.Magnitude():
            least, most = bounds(node.operand, facts)
            return (0 if least <= 0 <= most else min(abs(least), abs(most))), max(abs(least), abs(most))
        case low.Product():
            return _extremes(_times(a, b) for a in bounds(node.left, facts) for b in bounds(node.right, facts))
        case low.Division():
            return _division_bounds(node, facts)
        case low.Count():
            return 0, _width(node.word, facts)
        case low.BitOp() | low.Without() | low.Shift():
            width = _width(node, facts)
            return (0, (1 << int(width)) - 1) if width < math.inf else (0, math.inf)
        case _:
            return 0, 1


def _upper(node: Low, facts: Facts) -> Bound:
    """The upper bound of a sum: of it as a whole where that is known, else of its terms one by one."""
    if not isinstance(node, low.Linear):
        return bounds(node, facts)[1]
    total: Bound = node.constant
    for term, coefficient in node.terms:
        least, most = bounds(term, facts)
        total += _times(most if coefficient > 0 else least, coefficient)
    return min(total, facts.upper.get(frozenset(node.terms), math.inf) + node.constant)


def _times(left: Bound, right: Bound) -> Bound:
    return 0 if left == 0 or right == 0 else left * right  # for Python infinity times zero is no number


def _extremes(values: Iterable[Bound]) -> tuple[Bound, Bound]:
    every = list(values)
    return min(every), max(every)


def _division_bounds(node: low.Division, facts: Facts) -> tuple[Bound, Bound]:
    least, most = bounds(node.right, facts)
    if node.operator == "%":
        return (0 if least > 0 else min(0, least + 1)), (0 if most < 0 else max(0, most - 1))
    if least <= 0 <= most:
        dividends = bounds(node.left, facts)
        largest = max(map(abs, dividends))
        return -largest, largest
    left = bounds(node.left, facts)
    return _extremes(_floor(a, b) for a in left for b in (least, most))


def _floor(left: Bound, right: Bound) -> Bound:
    if math.isinf(right):
        return 0 if (left >= 0) == (right > 0) else -1
    if math.isinf(left):
        return left if right > 0 else -left
    return int(left) // int(right)


def _width(word: Low, facts: Facts) -> Bound:
    """In how many bits a word fits."""
    match word:
        case low.BitOp("&", left, right):
            return min(_width(left, facts), _width(right, facts))
        case low.BitOp(_, left, right):
            return max(_width(left, facts), _width(right, facts))
        case low.Without(left):
            return _width(left, facts)
        case low.Shift("<<", inner, by):
            return _width(inner, facts) + bounds(by, facts)[1]
        case low.Shift(">>", inner, by):
            return max(0, _width(inner, facts) - bounds(by, facts)[0])
        case low.Bits(width=width):
            return width
        case _:
            least, most = bounds(word, facts)
            return math.inf if least < 0 or math.isinf(most) else int(most).bit_length()


# ------------------------------------------------------------------------------------------------------ deciding


def decide(node: Low, facts: Facts) -> Low:
    """TRUE or FALSE where the facts decide a test, else the test, without the parts that they decide."""
    match node:
        case low.Const():
            return node
        case low.Junction(operator, items):
            return _decide_junction(operator, items, facts)
        case low.Negation(operand):
            inner = decide(operand, facts)
            return node if inner is operand else low.negate(inner)
    if node in facts.tests:
        return low.TRUE
    if low.negate(node) in facts.tests:
        return low.FALSE
    match node:
        case low.AtMostZero(total):
            least, most = bounds(total, facts)
            return low.TRUE if most <= 0 else low.FALSE if least > 0 else node
        case low.IsZero(total):
            least, most = bounds(total, facts)
            return low.FALSE if least > 0 or most < 0 else low.TRUE if least == most == 0 else node
        case low.Masked(word, mask, expected):
            ones, zeros = known_bits(word, facts)
            if ones & mask & ~expected or zeros & mask & expected:
                return low.FALSE
            if _beyond_bounds(node, facts):
                return low.FALSE
            # The bits that are known need not be tested again.
            rest = mask & ~(ones | zeros)
            return low.masked(word, rest, expected & rest) if rest != mask else node
        case low.Same(left, right):
            (ones, zeros), (others, missing) = known_bits(left, facts), known_bits(right, facts)
            if ones & missing or others & zeros:
                return low.FALSE
            first, second = bounds(left, facts), bounds(right, facts)
            return low.FALSE if first[1] < second[0] or second[1] < first[0] else node
    return node


def _beyond_bounds(node: low.Masked, facts: Facts) -> bool:
    """Whether the test asks a field for a value outside the bounds that are known of it."""
    if not facts.upper:
        return False
    shift = (node.mask & -node.mask).bit_length() - 1
    width = (node.mask >> shift).bit_length()
    if node.mask >> shift != (1 << width) - 1:
        return False
    least, most = bounds(low.Bits(node.word, shift, width, 0, (1 << width) - 1), facts)
    return not least <= node.expected >> shift <= most


def _decide_junction(operator: str, items: tuple[Low, ...], facts: Facts) -> Low:
    """Every item is reached only where those before it have not decided, and is judged under that."""
    found: list[Low] = []
    for item in items:
        decided = decide(item, facts)
        found.append(decided)
        if isinstance(decided, low.Const):
            if bool(decided.value) is (operator == "or"):
                break
        else:
            facts = assume(decided if operator == "and" else low.negate(decided), facts)
    return low.junction("and" if operator == "and" else "or", found)


# ------------------------------------------------------------------------------------------------------ assuming


def assume(node: Low, facts: Facts) -> Facts:
    """The facts, and that a test is true."""
    match node:
        case low.Const():
            return facts
        case low.Junction("and", items):
            for item in items:
                facts = assume(item, facts)
            return facts
        case low.AtMostZero(total):
            return _bounded(total, replace(facts, tests=facts.tests | {node}))
        case low.IsZero(total):
            facts = replace(facts, tests=facts.tests | {node})
            return _bounded(low.scale(total, -1), _bounded(total, facts))
        case low.Negation(low.IsZero(total)):
            facts = replace(facts, tests=facts.tests | {node})
            least, most = bounds(total, facts)
            # A range that loses one of its ends is still a range.
            if least == 0:
                return _bounded(low.subtract(low.ONE, total), facts)
            return _bounded(low.add(total, low.ONE), facts) if most == 0 else facts
        case low.Masked(word, mask, expected):
            ones = {**facts.ones, word: facts.ones.get(word, 0) | expected}
            zeros = {**facts.zeros, word: facts.zeros.get(word, 0) | mask & ~expected}
            return replace(facts, ones=ones, zeros=zeros, tests=facts.tests | {node})
        case _:
            return replace(facts, tests=facts.tests | {node})


def _bounded(total: Low, facts: Facts) -> Facts:
    """The facts, and that a sum is at most zero; what follows for each of its terms is drawn from that."""
    terms, constant = (total.terms, total.constant) if isinstance(total, low.Linear) else (((total, 1),), 0)
    upper = dict(facts.upper)
    whole = frozenset(terms)
    upper[whole] = min(upper.get(whole, math.inf), -constant)
    for term, coefficient in terms:
        if len(terms) == 1 and abs(coefficient) == 1:
            break
        others = tuple(item for item in terms if item[0] != term)
        least = -_upper(low.collect(((other, -factor) for other, factor in others)), facts)
        room = -constant - least  # coefficient * term <= room
        if not math.isinf(room):
            limit = int(room) // coefficient if coefficient > 0 else -(int(room) // -coefficient)
            key = frozenset(((term, 1 if coefficient > 0 else -1),))
            upper[key] = min(upper.get(key, math.inf), limit if coefficient > 0 else -limit)
    return replace(facts, upper=upper)
