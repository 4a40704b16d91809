"""Expressions over machine words: what the explorer's code is made of.

A word is a Python int: a packed state, a field of it, the code of a value, the mask of a set. Truth values are words
0 and 1. The functions of `low` build them, and nothing else does.
"""

from __future__ import annotations

import math
from dataclasses import field
from functools import lru_cache
from typing import Literal as OneOf

from ..records import record

Bound = int | float
"""An int, or an infinity where nothing is known."""


@record(frozen=True)
class Const:
    value: int


@record(frozen=True)
class Name:
    """A local name of the generated code, which lies between its bounds."""

    name: str
    low: Bound = field(default=-math.inf, compare=False)
    high: Bound = field(default=math.inf, compare=False)


@record(frozen=True)
class Bits:
    """`width` bits of a word from `shift` on; the values that occur lie between the bounds."""

    word: Low
    shift: int
    width: int
    low: int = field(compare=False)
    high: int = field(compare=False)


@record(frozen=True)
class Linear:
    """`constant` plus the sum of every term times its coefficient; never a mere constant or a mere term."""

    terms: tuple[tuple[Low, int], ...]
    constant: int


@record(frozen=True)
class Product:
    left: Low
    right: Low


@record(frozen=True)
class Division:
    """Floor division and its remainder, Python's way."""

    operator: OneOf["//", "%"]
    left: Low
    right: Low


@record(frozen=True)
class Extremum:
    operator: OneOf["min", "max"]
    items: tuple[Low, ...]


@record(frozen=True)
class Magnitude:
    operand: Low


@record(frozen=True)
class BitOp:
    operator: OneOf["&", "|", "^"]
    left: Low
    right: Low


@record(frozen=True)
class Without:
    """The bits of `left` that `right` does not have."""

    left: Low
    right: Low


@record(frozen=True)
class Shift:
    operator: OneOf["<<", ">>"]
    word: Low
    by: Low


@record(frozen=True)
class Count:
    """The number of bits that are one."""

    word: Low


@record(frozen=True)
class At:
    """An element of a table of the generated module; the index is within it."""

    table: str
    index: Low
    low: Bound = field(compare=False)
    high: Bound = field(compare=False)


@record(frozen=True)
class Invoke:
    """A call of a function that the generated module is given."""

    function: str
    arguments: tuple[Low, ...]
    low: Bound = field(default=-math.inf, compare=False)
    high: Bound = field(default=math.inf, compare=False)


@record(frozen=True)
class Choose:
    condition: Low
    then: Low
    orelse: Low


# ------------------------------------------------------------------------------------------------- truth values


@record(frozen=True)
class Masked:
    """`word & mask == expected`, for a mask that is not zero and an expectation within it."""

    word: Low
    mask: int
    expected: int


@record(frozen=True)
class AtMostZero:
    sum: Low


@record(frozen=True)
class IsZero:
    sum: Low


@record(frozen=True)
class Same:
    """Equality of two codes."""

    left: Low
    right: Low


@record(frozen=True)
class HasBit:
    """Whether a word has the bit of an index that is not known; an index is never negative."""

    word: Low
    index: Low


@record(frozen=True)
class Negation:
    operand: Low


@record(frozen=True)
class Junction:
    """`and` / `or`, evaluated from the left."""

    operator: OneOf["and", "or"]
    items: tuple[Low, ...]


Low = (
    Const
    | Name
    | Bits
    | Linear
    | Product
    | Division
    | Extremum
    | Magnitude
    | BitOp
    | Without
    | Shift
    | Count
    | At
    | Invoke
    | Choose
    | Masked
    | AtMostZero
    | IsZero
    | Same
    | HasBit
    | Negation
    | Junction
)

TRUTH = (Masked, AtMostZero, IsZero, Same, HasBit, Negation, Junction)
ZERO, ONE = Const(0), Const(1)
FALSE, TRUE = ZERO, ONE


def operands(node: Low) -> tuple[Low, ...]:
    """The direct sub-expressions of a node."""
    match node:
        case Const() | Name():
            return ()
        case Bits() | Count() | Masked():
            return (node.word,)
        case Linear():
            return tuple(term for term, _ in node.terms)
        case Product() | Division() | BitOp() | Without() | Same():
            return (node.left, node.right)
        case Extremum() | Junction():
            return node.items
        case Magnitude() | Negation():
            return (node.operand,)
        case Shift():
            return (node.word, node.by)
        case At():
            return (node.index,)
        case Invoke():
            return node.arguments
        case Choose():
            return (node.condition, node.then, node.orelse)
        case AtMostZero() | IsZero():
            return (node.sum,)
        case HasBit():
            return (node.word, node.index)


@lru_cache(maxsize=1 << 16)
def cost(node: Low) -> int:
    """How much work a node is, in operations; a call counts for many."""
    own = 0 if isinstance(node, Const | Name) else 30 if isinstance(node, Invoke) else 1
    return own + sum(map(cost, operands(node)))
