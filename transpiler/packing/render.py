"""Words → Python text, with no more parentheses than Python's precedence asks for.

A test is written differently where its truth matters (`if s & 16:`) and where its value does (`(s >> 4 & 1) << 2`).
Fields of the state that a function reads several times are given names, which it computes once a state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from . import low
from .low import Low

STATE = "s"
"""The name of the state word in every generated function."""

LOWEST, OR, AND, NOT, COMPARISON, BIT_OR, BIT_XOR, BIT_AND, SHIFT, SUM, PRODUCT, UNARY, ATOM = range(13)


@dataclass
class Writer:
    """Writes words; `names` are the nodes that have a name already, `wanted` counts the fields that are read."""

    names: Mapping[Low, str] = field(default_factory=dict)
    wanted: Counter[Low] = field(default_factory=Counter)

    def test(self, node: Low, level: int = LOWEST) -> str:
        """The text of a truth value whose truth alone matters."""
        match node:
            case low.Masked(word, mask, expected) if not self._field_name(node):
                if mask == expected and mask & (mask - 1) == 0:
                    return _wrap(f"{self.value(word, BIT_AND)} & {mask}", BIT_AND, level)
                if not expected:
                    return _wrap(f"not {self.value(word, BIT_AND)} & {mask}", NOT, level)
            case low.Negation(low.Masked(word, mask, 0) as inner) if not self._field_name(inner):
                return _wrap(f"{self.value(word, BIT_AND)} & {mask}", BIT_AND, level)
            case low.Negation(low.Same(low.Const(0), word) | low.Same(word, low.Const(0))):
                return self.value(word, level)
            case low.Same(low.Const(0), word) | low.Same(word, low.Const(0)):
                return _wrap(f"not {self.value(word, COMPARISON)}", NOT, level)
            case low.HasBit(word, index):
                return _wrap(f"{self.value(word, SHIFT)} >> {self.value(index, SUM)} & 1", BIT_AND, level)
            case low.Negation(operand) if not isinstance(operand, low.Masked | low.Same | low.IsZero):
                return _wrap(f"not {self.test(operand, NOT)}", NOT, level)
            case low.Junction(operator, items):
                own = AND if operator == "and" else OR
                return _wrap(f" {operator} ".join(self.test(item, own + 1) for item in items), own, level)
            case low.Choose(condition, then, orelse):
                text = f"{self.test(then, OR)} if {self.test(condition, OR)} else {self.test(orelse, LOWEST)}"
                return _wrap(text, LOWEST, level)
        return self.value(node, level)

    def value(self, node: Low, level: int = LOWEST) -> str:
        """The text of a word; that of a truth value is True or False, which count as 1 and 0."""
        if name := self._named(node):
            return name
        match node:
            case low.Const(number):
                return _wrap(str(number), UNARY if number < 0 else ATOM, level)
            case low.Name(name):
                return name
            case low.Bits():
                return self._bits(node, level)
            case low.Linear():
                return self._linear(node, level)
            case low.Product(left, right):
                return _wrap(f"{self.value(left, PRODUCT)} * {self.value(right, UNARY)}", PRODUCT, level)
            case low.Division(operator, left, right):
                return _wrap(f"{self.value(left, PRODUCT)} {operator} {self.value(right, UNARY)}", PRODUCT, level)
            case low.Extremum(extremum, items):
                return f"{extremum}({', '.join(map(self.value, items))})"
            case low.Magnitude(operand):
                return f"abs({self.value(operand)})"
            case low.BitOp(bit_operator, left, right):
                own = {"&": BIT_AND, "^": BIT_XOR, "|": BIT_OR}[bit_operator]
                return _wrap(f"{self.value(left, own)} {bit_operator} {self.value(right, own + 1)}", own, level)
            case low.Without(left, right):
                return _wrap(f"{self.value(left, BIT_AND)} & ~{self.value(right, UNARY)}", BIT_AND, level)
            case low.Shift("<<", low.Bits() as moved, low.Const(by)) if moved not in self.names:
                return self._moved(moved, by, level)
            case low.Shift(shift, word, by):
                return _wrap(f"{self.value(word, SHIFT)} {shift} {self.value(by, SUM)}", SHIFT, level)
            case low.Count(word):
                return f"{self.value(word, ATOM)}.bit_count()"
            case low.At(table, index):
                return f"{table}[{self.value(index)}]"
            case low.Invoke(function, arguments):
                return f"{function}({', '.join(map(self.value, arguments))})"
            case low.Choose(condition, then, orelse):
                text = f"{self.value(then, OR)} if {self.test(condition, OR)} else {self.value(orelse, LOWEST)}"
                return _wrap(text, LOWEST, level)
            case low.Masked(word, mask, expected):
                if mask == expected and mask & (mask - 1) == 0:
                    return _wrap(f"{self._shifted(word, mask.bit_length() - 1)} & 1", BIT_AND, level)
                return _wrap(self._masked(node, "=="), COMPARISON, level)
            case low.AtMostZero():
                return _wrap(self._comparison(node.sum), COMPARISON, level)
            case low.IsZero(total):
                return _wrap(self._equality(total, "=="), COMPARISON, level)
            case low.Same(left, right):
                return _wrap(f"{self.value(left, BIT_OR)} == {self.value(right, BIT_OR)}", COMPARISON, level)
            case low.HasBit(word, index):
                return _wrap(f"{self.value(word, SHIFT)} >> {self.value(index, SUM)} & 1", BIT_AND, level)
            case low.Negation(low.Masked() as inner):
                return _wrap(self._masked(inner, "!="), COMPARISON, level)
            case low.Negation(low.Same(left, right)):
                return _wrap(f"{self.value(left, BIT_OR)} != {self.value(right, BIT_OR)}", COMPARISON, level)
            case low.Negation(low.IsZero(total)):
                return _wrap(self._equality(total, "!="), COMPARISON, level)
            case low.Negation(operand):
                return _wrap(f"not {self.test(operand, NOT)}", NOT, level)
            case low.Junction(junction, items):
                own = AND if junction == "and" else OR
                return _wrap(f" {junction} ".join(self.value(item, own + 1) for item in items), own, level)
            case _:
                assert_never(node)

    def _named(self, node: Low) -> str | None:
        if isinstance(node, low.Bits) and isinstance(node.word, low.Name) and node.word.name == STATE:
            self.wanted[node] += 1
        return self.names.get(node)

    def _field_name(self, node: low.Masked) -> str | None:
        """The name of the field that a test asks for as a whole, if it has one."""
        if not self.names:
            return None
        shift = (node.mask & -node.mask).bit_length() - 1
        width = (node.mask >> shift).bit_length()
        if node.mask >> shift != (1 << width) - 1:
            return None
        return self.names.get(low.Bits(node.word, shift, width, 0, (1 << width) - 1))

    def _shifted(self, word: Low, shift: int) -> str:
        return f"{self.value(word, SHIFT)} >> {shift}" if shift else self.value(word, BIT_AND)

    def _bits(self, node: low.Bits, level: int) -> str:
        most = node.word.high if isinstance(node.word, low.Name) else None
        if isinstance(most, int) and node.shift + node.width >= most.bit_length():
            # The topmost bits of the word: nothing above them needs to be masked out.
            return _wrap(self._shifted(node.word, node.shift), SHIFT, level) if node.shift else self.value(node.word)
        return _wrap(f"{self._shifted(node.word, node.shift)} & {(1 << node.width) - 1}", BIT_AND, level)

    def _moved(self, node: low.Bits, by: int, level: int) -> str:
        """A field at another place of the word: moved once, not down and up again."""
        self._named(node)
        ones = (1 << node.width) - 1
        if node.shift < by:
            here = f"{self.value(node.word, BIT_AND)} & {ones << node.shift}"
            return _wrap(f"({here}) << {by - node.shift}", SHIFT, level)
        return _wrap(f"{self._shifted(node.word, node.shift - by)} & {ones << by}", BIT_AND, level)

    def _masked(self, node: low.Masked, operator: str) -> str:
        if name := self._field_name(node):
            shift = (node.mask & -node.mask).bit_length() - 1
            return f"{name} {operator} {node.expected >> shift}"
        return f"{self.value(node.word, BIT_AND)} & {node.mask} {operator} {node.expected}"

    def _linear(self, node: low.Linear, level: int) -> str:
        parts = [(term, coefficient) for term, coefficient in node.terms if coefficient > 0]
        parts += [(term, coefficient) for term, coefficient in node.terms if coefficient < 0]
        text = ""
        for term, coefficient in parts:
            text += self._term(term, abs(coefficient), "" if not text else "+", coefficient < 0)
        if node.constant:
            text += f" {'+' if node.constant > 0 else '-'} {abs(node.constant)}"
        return _wrap(text, SUM, level)

    def _term(self, term: Low, factor: int, joint: str, negative: bool) -> str:
        if negative and not joint:
            # A sign in front binds closer than the operators of a product.
            return f"-{self.value(term, UNARY)}" if factor == 1 else f"{-factor} * {self.value(term, UNARY)}"
        own = self.value(term, PRODUCT) if factor == 1 else f"{self.value(term, PRODUCT)} * {factor}"
        return f" {'-' if negative else joint} {own}" if joint else own

    def _comparison(self, total: Low) -> str:
        """`total <= 0` with what is subtracted on the other side."""
        left, right, constant = self._sides(total)
        if not right:
            return f"{left} <= {-constant}"
        if not left:
            return f"{right} >= {constant}"
        if constant == 1:
            return f"{left} < {right}"
        return f"{left} <= {right}" if not constant else f"{left} + {constant} <= {right}"

    def _equality(self, total: Low, operator: str) -> str:
        left, right, constant = self._sides(total)
        if not right:
            return f"{left} {operator} {-constant}"
        if not left:
            return f"{right} {operator} {constant}"
        return f"{left} {operator} {right}" if not constant else f"{left} + {constant} {operator} {right}"

    def _sides(self, total: Low) -> tuple[str, str, int]:
        if not isinstance(total, low.Linear):
            return self.value(total, SUM), "", 0
        left = low.collect([(term, factor) for term, factor in total.terms if factor > 0])
        right = low.collect([(term, -factor) for term, factor in total.terms if factor < 0])
        texts = ["" if side == low.ZERO else self.value(side, SUM) for side in (left, right)]
        return texts[0], texts[1], total.constant


def _wrap(text: str, own: int, level: int) -> str:
    return f"({text})" if own < level else text
