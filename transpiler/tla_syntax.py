"""TLA+ text that knows how tightly it binds, so that parentheses stand where the parser needs them and nowhere else.

Operators of TLA+ have a *range* of precedence. Where the ranges of two neighbours overlap the parser refuses rather
than choose (`a - b % c`), so an operand goes without parentheses only if its whole range lies above its parent's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of TLA+: `low` to `high` is the precedence of its outermost operator."""

    text: str
    low: int
    high: int
    operator: str = ""

    def __str__(self) -> str:
        return self.text


ATOM = 20
OPEN = 0  # \A, \E, IF, LET, LAMBDA: swallow everything to their right, so they are always parenthesised as operands

# Infix operators with their ranges.
_RANGES: dict[str, tuple[int, int]] = {
    "=>": (1, 1),
    "~>": (2, 2),
    "/\\": (3, 3),
    r"\/": (3, 3),
    "=": (5, 5),
    "#": (5, 5),
    "<": (5, 5),
    "<=": (5, 5),
    ">": (5, 5),
    ">=": (5, 5),
    r"\in": (5, 5),
    r"\notin": (5, 5),
    r"\subseteq": (5, 5),
    "@@": (6, 6),
    ":>": (7, 7),
    "\\": (8, 8),
    r"\cap": (8, 8),
    r"\cup": (8, 8),
    "..": (9, 9),
    "+": (10, 10),
    "%": (10, 11),
    "-": (11, 11),
    r"\X": (10, 13),
    "*": (13, 13),
    r"\div": (13, 13),
    r"\o": (13, 13),
}
# Of these, `(a + b) + c` needs no parentheses.
_CHAINS = frozenset(("/\\", r"\/", "@@", r"\cap", r"\cup", "+", "-", "*", r"\o"))
# The parser refuses `2 * -3`, and `5 - -3` is hard to read; after these a negative number stands as it is.
_BARE_SIGN_AFTER = frozenset(("=", "#", "<", "<=", ">", ">=", "=>", r"\in", r"\notin"))


def atom(text: str) -> Text:
    """A name, a literal, or anything closed by brackets."""
    return Text(text, ATOM, ATOM)


def opened(text: str, operator: str = "") -> Text:
    """Something without a right end of its own, a quantifier say."""
    return Text(text, OPEN, OPEN, operator)


def parenthesised(text: Text) -> Text:
    """The same in parentheses, unless it is closed already."""
    return text if text.low >= ATOM else atom(f"({text.text})")


def infix(operator: str, left: Text, right: Text) -> Text:
    """`left operator right`."""
    low, high = _RANGES[operator]
    chain = operator in _CHAINS and left.operator == operator
    first = left if chain or _fits(left, high, operator) else parenthesised(left)
    second = right if _fits(right, high, operator) else parenthesised(right)
    if second.operator == "unary -" and operator not in _BARE_SIGN_AFTER:
        second = parenthesised(second)
    return Text(
        f"{first}{operator}{second}" if operator == ".." else f"{first} {operator} {second}", low, high, operator
    )


def joined(operator: str, operands: Iterable[Text]) -> Text:
    """Operands of an associative operator in a row."""
    first, *rest = operands
    for operand in rest:
        first = infix(operator, first, operand)
    return first


def _fits(operand: Text, high: int, operator: str) -> bool:
    if operator == "..":  # `0..(n - 1)`: the parser could do without, a reader could not
        return operand.low >= ATOM
    return operand.low > high


def negative(operand: Text) -> Text:
    """`-operand`."""
    inside = operand if operand.low >= 16 else parenthesised(operand)
    return Text(f"-{inside}", 12, 12, "unary -")


def negated(operand: Text) -> Text:
    """`~operand`; the parser needs fewer parentheses here than people do."""
    return Text(f"~{parenthesised(operand)}", 4, 4, "~")


def prefix(word: str, operand: Text) -> Text:
    """`SUBSET operand`, `UNION operand`, `DOMAIN operand`."""
    return Text(f"{word} {parenthesised(operand)}", 8, 9, word)


def call(operator: str, *arguments: Text) -> Text:
    """`Operator(a, b)`, or the bare name of an operator without parameters."""
    return atom(f"{operator}({', '.join(map(str, arguments))})" if arguments else operator)


def applied(function: Text, *keys: Text) -> Text:
    """`function[key]`."""
    return atom(f"{parenthesised(function)}[{', '.join(str(inside(key)) for key in keys)}]")


def field(record: Text, name: str) -> Text:
    """`record.name`."""
    return atom(f"{parenthesised(record)}.{name}")


def primed(operand: Text) -> Text:
    """`operand'`, the value after the step. Binds below a field or an application: `x'.f` is read as one expects."""
    return atom(f"{parenthesised(operand)}'")


def if_then_else(condition: Text, then: Text, orelse: Text) -> Text:
    return opened(f"IF {condition} THEN {then} ELSE {orelse}", "IF")


def let(name: str, value: Text, body: Text) -> Text:
    return opened(f"LET {name} == {value} IN {body}", "LET")


def quantified(head: str, body: Text) -> Text:
    r"""`\A x \in S : body`, with `head` the text before the colon."""
    return opened(f"{head} : {body}")


def bounded(name: str, collection: Text) -> str:
    r"""`name \in collection`, as it stands in a quantifier or a comprehension."""
    inside = collection if collection.low > OPEN else parenthesised(collection)
    return rf"{name} \in {inside}"


def braces(*elements: Text) -> Text:
    """`{a, b}`."""
    return atom("{" + ", ".join(str(inside(element)) for element in elements) + "}")


def inside(text: Text) -> Text:
    r"""What may stand right behind a brace or bracket, where `x \in S` would be read as the binding of a name.

    `{x \in S : y \in T}` is the subset of S for which `y \in T`, never the truths of `x \in S` for the y in T.
    """
    return parenthesised(text) if _BINDING.match(text.text) else text


def angles(*elements: Text) -> Text:
    """`<<a, b>>`."""
    return atom("<<" + ", ".join(str(inside(element)) for element in elements) + ">>")


def string(text: str) -> Text:
    """A string literal; backslash, quote and control characters are written as TLA+ writes them."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r"}
    return atom('"' + "".join(escapes.get(character, character) for character in text) + '"')


def number(value: int) -> Text:
    """An integer literal."""
    return atom(str(value)) if value >= 0 else negative(atom(str(-value)))


_BINDING = re.compile(r"(?:\w+|<<[\w, ]*>>) \\in\b")

TRUE, FALSE = atom("TRUE"), atom("FALSE")


def boolean(value: bool) -> Text:
    return TRUE if value else FALSE
