"""The types of expressions: what a value is, without the bounds that a domain adds.

Values are plain immutable Python values everywhere outside the packed engines: `bool`, `int`, `str`, members of an
`Enum`, `None`, `frozenset`, `tuple`, `FrozenDict` and frozen dataclass instances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from .records import record

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dictionary that cannot be changed and can be hashed: the value of a function in a state."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a function in a protocol's state is immutable; assign through an action")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = _refuse
    __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenDict, (dict(self),))

    def replaced(self, changes: Mapping[K, V]) -> FrozenDict[K, V]:
        """A copy with some values replaced."""
        return FrozenDict({**self, **changes})


@record(frozen=True)
class Bool:
    def __str__(self) -> str:
        return "bool"


@record(frozen=True)
class Int:
    def __str__(self) -> str:
        return "int"


@record(frozen=True)
class Str:
    """Strings of a `Literal`, or of a constant set that is not symmetric."""

    def __str__(self) -> str:
        return "str"


@record(frozen=True)
class Model:
    """Interchangeable members of the symmetric constant set `constant`; strings in Python, model values in TLA+."""

    constant: str

    def __str__(self) -> str:
        return f"member of {self.constant}"


@record(frozen=True)
class Enumeration:
    """Members of the Enum class `python`."""

    python: type

    @property
    def members(self) -> tuple[Any, ...]:
        return tuple(self.python)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.python.__name__


@record(frozen=True)
class Nothing:
    """The type of `None` before it is known which optional it belongs to."""

    def __str__(self) -> str:
        return "None"


@record(frozen=True)
class Never:
    """The element type of an empty collection before its context gives it one."""

    def __str__(self) -> str:
        return "nothing"


@record(frozen=True)
class Optional:
    item: Type

    def __str__(self) -> str:
        return f"{self.item} | None"


@record(frozen=True)
class Set:
    element: Type

    def __str__(self) -> str:
        return f"frozenset[{self.element}]"


@record(frozen=True)
class Tuple:
    """A tuple of fixed length; each position has a type of its own."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple[{', '.join(map(str, self.items))}]"


@record(frozen=True)
class Sequence:
    """A tuple of varying length whose elements have one type."""

    element: Type

    def __str__(self) -> str:
        return f"tuple[{self.element}, ...]"


@record(frozen=True)
class Range:
    """`range(a, b)`: a source of iteration and a right side of `in`, not a value of a variable."""

    def __str__(self) -> str:
        return "range"


@record(frozen=True)
class Function:
    key: Type
    value: Type

    def __str__(self) -> str:
        return f"dict[{self.key}, {self.value}]"


@record(frozen=True)
class Record:
    """A frozen dataclass; `fields` in order of declaration."""

    python: type
    fields: tuple[tuple[str, Type], ...]

    def field(self, name: str) -> Type | None:
        """The type of a field, or None where the record has no such field."""
        return dict(self.fields).get(name)

    def __str__(self) -> str:
        return self.python.__name__


@record(frozen=True)
class Union:
    """Records told apart by class."""

    alternatives: tuple[Record, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.alternatives))


Type = (
    Bool
    | Int
    | Str
    | Model
    | Enumeration
    | Nothing
    | Never
    | Optional
    | Set
    | Tuple
    | Sequence
    | Range
    | Function
    | Record
    | Union
)

BOOL, INT, STR, NOTHING, NEVER, RANGE = Bool(), Int(), Str(), Nothing(), Never(), Range()


def an(thing: object) -> str:
    """A type or other thing as text with its indefinite article."""
    text = str(thing)
    return f"an {text}" if text[:1].lower() in "aeiou" else f"a {text}"


def unify(left: Type, right: Type) -> Type | None:
    """The smallest type that holds the values of both, or None where `==` between them would be a mistake."""
    if left == right:
        return left
    match left, right:
        case (Never(), other) | (other, Never()):
            return other
        case Nothing(), Optional():
            return right
        case Optional(), Nothing():
            return left
        case (Nothing(), item) | (item, Nothing()):
            return Optional(item)
        case Optional(a), Optional(b):
            return _wrap(Optional, unify(a, b))
        case (Optional(a), b) | (b, Optional(a)):
            return _wrap(Optional, unify(a, b))
        case Set(a), Set(b):
            return _wrap(Set, unify(a, b))
        case Sequence(a), Sequence(b):
            return _wrap(Sequence, unify(a, b))
        case (Sequence(a), Tuple(items)) | (Tuple(items), Sequence(a)):
            element: Type | None = a
            for item in items:
                element = unify(element, item) if element is not None else None
            return _wrap(Sequence, element)
        case Tuple(a), Tuple(b) if len(a) == len(b):
            pairs = [unify(x, y) for x, y in zip(a, b, strict=True)]
            return None if any(p is None for p in pairs) else Tuple(tuple(p for p in pairs if p is not None))
        case Tuple(a), Tuple(b):
            # Displays of different lengths, `(x,) if c else ()` say, can only be sequences.
            merged: Type | None = NEVER
            for item in (*a, *b):
                merged = unify(merged, item) if merged is not None else None
            return _wrap(Sequence, merged)
        case Function(k1, v1), Function(k2, v2):
            key, value = unify(k1, k2), unify(v1, v2)
            return Function(key, value) if key is not None and value is not None else None
        case ((Record() | Union()), (Record() | Union())):
            seen: dict[type, Record] = {}
            for record in (*alternatives(left), *alternatives(right)):
                seen.setdefault(record.python, record)
            return union(tuple(seen.values()))
        case _:
            return None


def union(records: tuple[Record, ...]) -> Union:
    """The union of records; the order in which they are named makes no difference to the type."""
    return Union(tuple(sorted(records, key=lambda record: (record.python.__module__, record.python.__qualname__))))


def alternatives(kind: Type) -> tuple[Record, ...]:
    """The records that a record or union type may be; empty for other types."""
    match kind:
        case Record():
            return (kind,)
        case Union(records):
            return records
        case _:
            return ()


def _wrap(make: Callable[[Type], Type], inner: Type | None) -> Type | None:
    return None if inner is None else make(inner)
