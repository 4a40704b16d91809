"""Words → C text, computed with 64 bits, or with 128 where 64 are too few.

Sums, products and shifts to the left are computed modulo the size of a C word: where the result is known to fit, that
is the result. What is compared, divided, shifted to the right or counted must itself be known to fit. What is not known
to fit is no error of the protocol: `NotInC` says so, and Python's own integers do the work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import assert_never

from . import facts as knowledge
from . import low
from .builder import Builder
from .low import Bound, Low
from .render import STATE

WORD = 64
"""Bits of a word of the state."""


class NotInC(Exception):
    """What the C compiler's integers cannot do; the text is the reason."""


@dataclass
class CWriter:
    """Writes words as C. `bits` is 64 or 128; `words` is how many words a state has.

    Every value is of the unsigned type `Value` of so many bits; negative ones are represented modulo its size.
    `used` are the tables that were referred to; in C their names begin with `prefix`. The builder has all of them, and
    gets more while other parts are written.
    """

    bits: int
    words: int
    builder: Builder
    prefix: str = ""
    used: dict[str, tuple[int, ...]] = field(default_factory=dict)
    listed: dict[int, str] = field(default_factory=dict)
    """Sets of more elements than a Value has bits, and the names of their tables."""
    _known: dict[str, tuple[int, ...]] = field(default_factory=dict, init=False)

    # ------------------------------------------------------------------------------------------------------- tests

    def test(self, node: Low) -> str:
        """A truth value as a C condition; what is compound stands in parentheses."""
        match node:
            case low.Const(value):
                return "1" if value else "0"
            case low.Masked(word, mask, expected):
                return self._masked(word, mask, expected)
            case low.AtMostZero(total):
                return self._at_most_zero(total)
            case low.IsZero(total):
                left, right = _sides(total)
                self._comparable(left, right)
                return f"({self.value(left)} == {self.value(right)})"
            case low.Same(left, right):
                self._comparable(left, right)
                return f"({self.value(left)} == {self.value(right)})"
            case low.HasBit(low.Const(ones), index) if ones >> self.bits:
                return self._listed_bit(ones, index)
            case low.HasBit(word, index):
                self._unsigned(word)
                self._unsigned_or_unasked(index)
                return f"(int)(shifted_down({self.value(word)}, {self.value(index)}) & 1)"
            case low.Negation(operand):
                return f"!{self.test(operand)}"
            case low.Junction(operator, items):
                joint = " && " if operator == "and" else " || "
                return f"({joint.join(map(self.test, items))})"
            case low.Choose(condition, then, orelse):
                return f"({self.test(condition)} ? {self.test(then)} : {self.test(orelse)})"
            case _:
                return f"({self.value(node)} != 0)"

    def _masked(self, word: Low, mask: int, expected: int) -> str:
        if isinstance(word, low.Name) and word.name == STATE and self.words > 1:
            parts = [
                f"(s.w[{place}] & {_number(part)}) == {_number(expected >> place * WORD & _ONES)}"
                for place in range(self.words)
                if (part := mask >> place * WORD & _ONES)
            ]
            return f"({' && '.join(parts)})"
        self._unsigned(low.Const(mask))
        return f"(({self.value(word)} & {self.number(mask)}) == {self.number(expected)})"

    def _at_most_zero(self, total: Low) -> str:
        left, right = _sides(total)
        bounds = (spread(left), spread(right))
        if all(least >= 0 and most < 1 << self.bits for least, most in bounds):
            return f"({self.value(left)} <= {self.value(right)})"
        self._signed(left)
        self._signed(right)
        return f"((Signed){self.value(left)} <= (Signed){self.value(right)})"

    def _listed_bit(self, ones: int, index: Low) -> str:
        name = self.listed.setdefault(ones, f"{self.prefix}B{len(self.listed) + 1}")
        self.used[name] = tuple(ones >> place & _ONES for place in range(0, ones.bit_length(), WORD))
        self._unsigned_or_unasked(index)
        at = self.value(index)
        # The table is of the narrowest type that has all its words, and would be shifted as such.
        bit = f"(int)((uint64_t){name}[{at} >> 6] >> ({at} & 63) & 1)"
        least, most = spread(index)
        if least >= 0 and most < WORD * len(self.used[name]):
            return bit
        # It ends with the last one, and there may be indices beyond.
        return f"({at} < {ones.bit_length()} ? {bit} : 0)"

    # ------------------------------------------------------------------------------------------------------ values

    def value(self, node: Low) -> str:
        """A word as a C expression of type `Value`; what is compound stands in parentheses."""
        match node:
            case low.Const(value):
                return self.number(value)
            case low.Name(name):
                if name == STATE and self.words > 1:
                    raise NotInC("a state of several words is not one number")
                return identifier(name)
            case low.Bits():
                return self._bits(node)
            case low.Linear():
                return self._linear(node)
            case low.Product(left, right):
                return f"({self.value(left)} * {self.value(right)})"
            case low.Division(operator, left, right):
                # The least number of all, divided by -1, is none.
                self._within(left, 1 - (1 << self.bits - 1), (1 << self.bits - 1) - 1)
                self._signed(right)
                name = "floor_quotient" if operator == "//" else "floor_remainder"
                return f"{name}({self.value(left)}, {self.value(right)})"
            case low.Extremum(operator, items):
                return self._extremum(operator, items)
            case low.Magnitude(operand):
                self._signed(operand)
                return f"magnitude({self.value(operand)})"
            case low.BitOp(operator, left, right):
                return f"({self.value(left)} {operator} {self.value(right)})"
            case low.Without(left, right) if isinstance(right, low.TRUTH):
                # C warns of the complement of a truth value.
                return f"({self.value(left)} & ({self.test(right)} ? {self.number(~1)} : {self.number(~0)}))"
            case low.Without(left, right):
                return f"({self.value(left)} & ~{self.value(right)})"
            case low.Shift("<<", word, low.Const(by)):
                return f"({self.value(word)} << {by})" if by < self.bits else self.number(0)
            case low.Shift("<<", word, by):
                self._unsigned_or_unasked(by)
                return f"shifted_up({self.value(word)}, {self.value(by)})"
            case low.Shift(_, word, low.Const(by)):
                self._unsigned(word)
                return f"({self.value(word)} >> {by})" if by < self.bits else self.number(0)
            case low.Shift(_, word, by):
                self._unsigned(word)
                self._unsigned_or_unasked(by)
                return f"shifted_down({self.value(word)}, {self.value(by)})"
            case low.Count(word):
                return self._count(word)
            case low.At(table, index):
                return self._at(table, index)
            case low.Invoke():
                raise NotInC("an expression is evaluated by Python itself, since its values have no layout in bits")
            case low.Choose(condition, then, orelse):
                return f"({self.test(condition)} ? {self.value(then)} : {self.value(orelse)})"
            case (
                low.Masked()
                | low.AtMostZero()
                | low.IsZero()
                | low.Same()
                | low.HasBit()
                | low.Negation()
                | low.Junction()
            ):
                return f"(Value){self.test(node)}"
            case _:
                assert_never(node)

    def number(self, value: int) -> str:
        """A constant of type `Value`."""
        value %= 1 << self.bits
        if self.bits == WORD:
            return _number(value)
        if value <= _ONES:
            return f"(Value){_number(value)}"
        return f"((Value){_number(value >> WORD)} << {WORD} | {_number(value & _ONES)})"

    def part_of_state(self, shift: int, width: int) -> str:
        """Bits of the state as a `Value`."""
        if width > self.bits:
            raise NotInC(f"a value of {width} bits")
        if self.words == 1:
            text = f"(s >> {shift})" if shift else "s"
            if shift + width < WORD:
                text = f"({text} & {_number((1 << width) - 1)})"
            return text if self.bits == WORD else f"(Value){text}"
        parts = []
        for place in range(shift // WORD, (shift + width - 1) // WORD + 1):
            first, last = max(shift, place * WORD), min(shift + width, (place + 1) * WORD)
            text = f"s.w[{place}]"
            if first % WORD:
                text = f"({text} >> {first % WORD})"
            if last % WORD:
                text = f"({text} & {_number((1 << last - first) - 1)})"
            if self.bits > WORD:
                text = f"(Value){text}"
            parts.append(f"({text} << {first - shift})" if first > shift else text)
        return f"({' | '.join(parts)})" if len(parts) > 1 else parts[0]

    def _bits(self, node: low.Bits) -> str:
        if isinstance(node.word, low.Name) and node.word.name == STATE:
            return self.part_of_state(node.shift, node.width)
        self._unsigned(node.word)
        if node.shift >= self.bits:
            return self.number(0)
        moved = f"({self.value(node.word)} >> {node.shift})" if node.shift else self.value(node.word)
        if node.shift + node.width >= self.bits:
            return moved
        return f"({moved} & {self.number((1 << node.width) - 1)})"

    def _linear(self, node: low.Linear) -> str:
        text = ""
        for term, factor in sorted(node.terms, key=lambda item: item[1] < 0):
            part = self.value(term) if abs(factor) == 1 else f"{self.value(term)} * {self.number(abs(factor))}"
            text += f" {'-' if factor < 0 else '+'} {part}" if text else f"{'-' if factor < 0 else ''}{part}"
        if node.constant:
            text += f" {'+' if node.constant > 0 else '-'} {self.number(abs(node.constant))}"
        return f"({text})"

    def _extremum(self, operator: str, items: tuple[Low, ...]) -> str:
        for item in items:
            self._signed(item)
        name = "smaller" if operator == "min" else "larger"
        text = self.value(items[0])
        for item in items[1:]:
            text = f"{name}({text}, {self.value(item)})"
        return text

    def _count(self, word: Low) -> str:
        match word:
            case low.BitOp("&", low.Name(name), low.Const(mask)) if name == STATE and self.words > 1:
                parts = [
                    f"count_ones(s.w[{place}] & {_number(part)})"
                    for place in range(self.words)
                    if (part := mask >> place * WORD & _ONES)
                ]
                return f"({' + '.join(parts)})"
        self._unsigned(word)
        return f"count_ones({self.value(word)})"

    def _at(self, table: str, index: Low) -> str:
        values = self.values_of(table)
        if not all(-(1 << WORD - 1) <= value < 1 << WORD for value in values) or (
            min(values) < 0 and max(values) >= 1 << WORD - 1
        ):
            raise NotInC("a table of numbers of more than 64 bits")
        self._unsigned_or_unasked(index)
        name = self.table(table, values)
        # Sign extension first: a negative number is represented modulo the size of a Value.
        kind = "(Value)(Signed)" if min(values) < 0 else "(Value)"
        return f"{kind}{name}[{self.value(index)}]"

    def values_of(self, table: str) -> tuple[int, ...]:
        """What a table of the module lists."""
        if table not in self._known:
            self._known = {name: values for values, name in self.builder.tables.items()}
        return self._known[table]

    def table(self, name: str, values: tuple[int, ...]) -> str:
        """The C name of a table, which is referred to."""
        name = self.prefix + identifier(name)
        self.used[name] = values
        return name

    # ------------------------------------------------------------------------------------------------------ bounds

    def _comparable(self, left: Low, right: Low) -> None:
        """Equal modulo the size of a Value must be equal."""
        bounds = [spread(node) for node in (left, right)]
        distance = max(most for _, most in bounds) - min(least for least, _ in bounds)
        if not distance < 1 << self.bits:
            raise NotInC(f"numbers that need more than {self.bits} bits are compared")

    def _unsigned(self, node: Low) -> None:
        self._within(node, 0, (1 << self.bits) - 1)

    def _unsigned_or_unasked(self, node: Low) -> None:
        """An index or a distance: where it would be negative it is not asked for, so only its size matters."""
        self._within(node, -(1 << self.bits - 1), (1 << self.bits - 1) - 1)

    def _signed(self, node: Low) -> None:
        self._within(node, -(1 << self.bits - 1), (1 << self.bits - 1) - 1)

    def _within(self, node: Low, least: Bound, most: Bound) -> None:
        found = spread(node)
        if found[0] < least or found[1] > most:
            raise NotInC(f"a number that may need more than {self.bits} bits")


_ONES = (1 << WORD) - 1


def _number(value: int) -> str:
    """A constant of 64 bits: small ones as people read them, masks in hexadecimal."""
    return f"{value}ULL" if value < 1024 else f"0x{value:x}ULL"


def _sides(total: Low) -> tuple[Low, Low]:
    """Two words of which the difference is the total, both sums of positive multiples where they can be."""
    if not isinstance(total, low.Linear):
        return total, low.ZERO
    left = [(term, factor) for term, factor in total.terms if factor > 0]
    right = [(term, -factor) for term, factor in total.terms if factor < 0]
    constant = total.constant
    return low.collect(left, max(0, constant)), low.collect(right, max(0, -constant))


def spread(node: Low) -> tuple[Bound, Bound]:
    """The least and the greatest value that a word may have, wherever it is computed.

    Where a guard would have to be known to say that a number is not negative, both signs are reckoned with: bits of
    negative numbers are those of their two's complement.
    """
    least, most = knowledge.bounds(node, knowledge.NOTHING)
    if math.isfinite(least) and math.isfinite(most):
        return least, most
    match node:
        case low.BitOp(_, left, right) | low.Without(left, right):
            return _signed_bits(max(_signed_width(left), _signed_width(right)))
        case low.Shift("<<", word, by):
            return _signed_bits(_signed_width(word) + max(0, spread(by)[1]))
        case low.Shift(_, word):
            return _signed_bits(_signed_width(word))
        case low.Choose(_, then, orelse):
            first, second = spread(then), spread(orelse)
            return min(first[0], second[0]), max(first[1], second[1])
        case low.Extremum(_, items):
            every = [spread(item) for item in items]
            return min(least for least, _ in every), max(most for _, most in every)
        case low.Linear(terms, constant):
            least = most = constant
            for term, factor in terms:
                ends = [end * factor for end in spread(term)]
                least, most = least + min(ends), most + max(ends)
            return least, most
        case _:
            return least, most


def _signed_width(node: Low) -> Bound:
    """So many bits, a sign aside."""
    least, most = spread(node)
    if math.isinf(least) or math.isinf(most):
        return math.inf
    return max(int(most).bit_length(), (-int(least) - 1).bit_length() if least < 0 else 0)


def _signed_bits(width: Bound) -> tuple[Bound, Bound]:
    return (-math.inf, math.inf) if math.isinf(width) else (-(1 << int(width)), (1 << int(width)) - 1)


def identifier(name: str) -> str:
    """A name of the generated code as C knows it: what is not ASCII is written as its number."""
    return "".join(char if char.isascii() else f"_u{ord(char):x}_" for char in name)
