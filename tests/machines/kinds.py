"""What a generated name may hold: domains with their text, their sizes and the values that can be written down.

A kind is a domain as the generator knows it: with numbers for its bounds (those of the constants' defaults) beside the
text of the annotation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never


@dataclass(frozen=True)
class BoolKind:
    pass


@dataclass(frozen=True)
class IntKind:
    """`Between(low, high)`; `constant` where the upper bound is written as a constant plus a number."""

    low: int
    high: int
    constant: str | None = None
    beyond: int = 0


@dataclass(frozen=True)
class LiteralKind:
    """`Literal["a", "b"]`."""

    members: tuple[str, ...]


@dataclass(frozen=True)
class EnumKind:
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class MemberKind:
    """`Annotated[T, In(constant)]`; `members` are the texts of the members, in the order of the domain."""

    constant: str
    item: Kind
    members: tuple[str, ...]
    symmetric: bool = False


@dataclass(frozen=True)
class OptionalKind:
    item: Kind


@dataclass(frozen=True)
class SetKind:
    element: Kind


@dataclass(frozen=True)
class TupleKind:
    items: tuple[Kind, ...]


@dataclass(frozen=True)
class SequenceKind:
    element: Kind
    shortest: int
    longest: int


@dataclass(frozen=True)
class FunctionKind:
    key: Kind
    value: Kind


@dataclass(frozen=True)
class RecordKind:
    name: str
    fields: tuple[tuple[str, Kind], ...]


@dataclass(frozen=True)
class UnionKind:
    records: tuple[RecordKind, ...]


Kind = (
    BoolKind
    | IntKind
    | LiteralKind
    | EnumKind
    | MemberKind
    | OptionalKind
    | SetKind
    | TupleKind
    | SequenceKind
    | FunctionKind
    | RecordKind
    | UnionKind
)

BOOL, INT = BoolKind(), IntKind(-9, 9)
STR = LiteralKind(("a", "b", "z"))
"""Any string: "z" is in no domain that is generated, so that nothing else counts as inside."""


def size(kind: Kind) -> int:
    """The number of values of a kind's domain."""
    match kind:
        case BoolKind():
            return 2
        case IntKind(low, high):
            return high - low + 1
        case LiteralKind(members) | EnumKind(_, members) | MemberKind(_, _, members):
            return len(members)
        case OptionalKind(item):
            return 1 + size(item)
        case SetKind(element):
            return int(2 ** min(size(element), 30))
        case TupleKind(items):
            return _product([size(item) for item in items])
        case SequenceKind(element, shortest, longest):
            return sum(size(element) ** length for length in range(shortest, longest + 1))
        case FunctionKind(key, value):
            return int(size(value) ** min(size(key), 30))
        case RecordKind(_, fields):
            return _product([size(field) for _, field in fields])
        case UnionKind(records):
            return sum(map(size, records))
        case _:
            assert_never(kind)


def _product(numbers: list[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def annotation(kind: Kind) -> str:
    """The domain as an annotation in a class body."""
    match kind:
        case BoolKind():
            return "bool"
        case IntKind(low):
            return f"Annotated[int, Between({low}, {high_text(kind, '')})]"
        case LiteralKind(members):
            return f"Literal[{', '.join(map(quoted, members))}]"
        case EnumKind(name) | RecordKind(name):
            return name
        case MemberKind(constant, item):
            return f"Annotated[{plain_type(item)}, In({constant})]"
        case OptionalKind(item):
            return f"{annotation(item)} | None"
        case SetKind(element):
            return f"frozenset[{annotation(element)}]"
        case TupleKind(items):
            return f"tuple[{', '.join(map(annotation, items))}]"
        case SequenceKind(element, shortest, longest):
            least = f"MinLen({shortest}), " if shortest else ""
            return f"Annotated[tuple[{annotation(element)}, ...], {least}MaxLen({longest})]"
        case FunctionKind(key, value):
            return f"dict[{annotation(key)}, {annotation(value)}]"
        case UnionKind(records):
            return " | ".join(record.name for record in records)
        case _:
            assert_never(kind)


def plain_type(kind: Kind) -> str:
    """The type without bounds, as a helper's parameter may have it; a symmetric member keeps its constant."""
    match kind:
        case IntKind():
            return "int"
        case LiteralKind():
            return "str"
        case MemberKind(_, item, _, symmetric):
            return annotation(kind) if symmetric else plain_type(item)
        case OptionalKind(item):
            return f"{plain_type(item)} | None"
        case SetKind(element):
            return f"frozenset[{plain_type(element)}]"
        case TupleKind(items):
            return f"tuple[{', '.join(map(plain_type, items))}]"
        case SequenceKind(element):
            return f"tuple[{plain_type(element)}, ...]"
        case FunctionKind(key, value):
            return f"dict[{plain_type(key)}, {plain_type(value)}]"
        case BoolKind() | EnumKind() | RecordKind() | UnionKind():
            return annotation(kind)
        case _:
            assert_never(kind)


def high_text(kind: IntKind, prefix: str) -> str:
    """The upper bound as it is written where constants are read as `prefix` and their name."""
    if kind.constant is None:
        return str(kind.high)
    return f"{prefix}{kind.constant}" + (f" + {kind.beyond}" if kind.beyond else "")


def same_type(left: Kind, right: Kind) -> bool:
    """Whether two kinds have the same type: `==` between them is accepted."""
    return plain_type(left) == plain_type(right)


def inside(narrow: Kind, wide: Kind) -> bool:
    """Whether every value of one kind lies in the domain of the other."""
    if narrow == wide:
        return True
    match narrow, wide:
        case IntKind(), IntKind():
            return wide.low <= narrow.low and narrow.high <= wide.high
        case (
            (LiteralKind(some) | MemberKind(_, LiteralKind(), some)),
            (LiteralKind(more) | MemberKind(_, LiteralKind(), more)),
        ):
            return {quoted(item) for item in some} <= {quoted(item) for item in more} and same_type(narrow, wide)
        case MemberKind(_, IntKind(), members), IntKind():
            return all(wide.low <= int(member) <= wide.high for member in members)
        case MemberKind(_, EnumKind(name)), EnumKind(other):
            return name == other
        case OptionalKind(a), OptionalKind(b):
            return inside(a, b)
        case _, OptionalKind(b):
            return inside(narrow, b)
        case SetKind(a), SetKind(b):
            return inside(a, b)
        case TupleKind(some_items), TupleKind(more_items):
            return len(some_items) == len(more_items) and all(map(inside, some_items, more_items))
        case SequenceKind(a, shortest, longest), SequenceKind(b, least, most):
            return inside(a, b) and least <= shortest and longest <= most
        case RecordKind(), UnionKind(records):
            return narrow in records
        case UnionKind(records), UnionKind(others):
            return set(records) <= set(others)
        case _:
            return False


def quoted(text: str) -> str:
    """A member as Python text: strings in quotes; what is in quotes already, stays."""
    return text if text.startswith(("'", '"')) else f'"{text}"'


def members(kind: Kind, prefix: str) -> tuple[str, ...] | None:
    """The texts of all members of a small domain of scalars, or None for other kinds and for symmetric members.

    `prefix` is how constants are read, "self." in methods.
    """
    match kind:
        case BoolKind():
            return ("False", "True")
        case IntKind(low, high) if kind.constant is None:
            return tuple(map(str, range(low, high + 1)))
        case LiteralKind(names):
            return tuple(map(quoted, names))
        case EnumKind(name, names):
            return tuple(f"{name}.{member}" for member in names)
        case MemberKind(_, _, names, False):
            return names
        case _:
            return None


def source(kind: Kind, prefix: str) -> str | None:
    """An expression to iterate over that yields exactly the members of a domain, None where there is none."""
    match kind:
        case IntKind(low, high):
            stop = str(high + 1) if kind.constant is None else f"{high_text(kind, prefix)} + 1"
            return f"range({stop})" if low == 0 else f"range({low}, {stop})"
        case EnumKind(name):
            return name
        case MemberKind(constant):
            return prefix + constant
        case BoolKind() | LiteralKind():
            listed = members(kind, prefix)
            assert listed is not None
            return f"({', '.join(listed)},)"
        case _:
            return None
