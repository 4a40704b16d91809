"""Finite sets of values with their bounds evaluated: what a variable, a parameter or a field may hold.

The symbolic counterparts, whose bounds are expressions over constants, are in `ir`; `instance` turns one into the
other for given constants.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any, assert_never

from . import valuetypes as types
from .record_classes import flaw
from .records import record
from .valuetypes import FrozenDict


@record(frozen=True)
class BoolDomain:
    def __str__(self) -> str:
        return "bool"


@record(frozen=True)
class IntDomain:
    """Integers from `low` to `high`, both included; empty where `low > high`."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


@record(frozen=True)
class ChoiceDomain:
    """Listed values: a `Literal`, an Enum, or the members of a constant set, in a fixed order."""

    members: tuple[Any, ...]
    type: types.Type

    def __str__(self) -> str:
        return "{" + ", ".join(map(show, self.members)) + "}"


@record(frozen=True)
class OptionalDomain:
    item: Domain

    def __str__(self) -> str:
        return f"{self.item} | None"


@record(frozen=True)
class SetDomain:
    """All subsets of the element domain."""

    element: Domain

    def __str__(self) -> str:
        return f"frozenset[{self.element}]"


@record(frozen=True)
class TupleDomain:
    items: tuple[Domain, ...]

    def __str__(self) -> str:
        return f"tuple[{', '.join(map(str, self.items))}]"


@record(frozen=True)
class SequenceDomain:
    """Tuples of `min_length` to `max_length` elements."""

    element: Domain
    min_length: int
    max_length: int

    def __str__(self) -> str:
        return f"tuple[{self.element}, ...] of length {self.min_length}..{self.max_length}"


@record(frozen=True)
class FunctionDomain:
    """Total functions from `key` to `value`."""

    key: Domain
    value: Domain

    def __str__(self) -> str:
        return f"dict[{self.key}, {self.value}]"


@record(frozen=True)
class RecordDomain:
    type: types.Record
    fields: tuple[tuple[str, Domain], ...]

    def __str__(self) -> str:
        return f"{self.type}({', '.join(f'{name}: {domain}' for name, domain in self.fields)})"


@record(frozen=True)
class UnionDomain:
    alternatives: tuple[RecordDomain, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.alternatives))


Domain = (
    BoolDomain
    | IntDomain
    | ChoiceDomain
    | OptionalDomain
    | SetDomain
    | TupleDomain
    | SequenceDomain
    | FunctionDomain
    | RecordDomain
    | UnionDomain
)


def contains(domain: Domain, value: Any) -> bool:
    """Whether a value lies in a domain. Never raises: a value of another type is not contained."""
    match domain:
        case BoolDomain():
            return isinstance(value, bool)
        case IntDomain(low, high):
            return type(value) is int and low <= value <= high
        case ChoiceDomain(members):
            return any(type(value) is type(member) and value == member for member in members)
        case OptionalDomain(item):
            return value is None or contains(item, value)
        case SetDomain(element):
            return isinstance(value, frozenset) and all(contains(element, member) for member in value)
        case TupleDomain(items):
            return (
                isinstance(value, tuple)
                and len(value) == len(items)
                and all(contains(item, member) for item, member in zip(items, value, strict=True))
            )
        case SequenceDomain(element, low, high):
            return (
                isinstance(value, tuple)
                and low <= len(value) <= high
                and all(contains(element, member) for member in value)
            )
        case FunctionDomain(key, item):
            return (
                isinstance(value, dict)
                and len(value) == size(key)
                and all(contains(key, k) and contains(item, v) for k, v in value.items())
            )
        case RecordDomain(record, fields):
            return type(value) is record.python and all(contains(d, getattr(value, name)) for name, d in fields)
        case UnionDomain(records):
            return any(contains(record, value) for record in records)
        case _:
            assert_never(domain)


def size(domain: Domain) -> int:
    """The number of values in a domain."""
    match domain:
        case BoolDomain():
            return 2
        case IntDomain(low, high):
            return max(0, high - low + 1)
        case ChoiceDomain(members):
            return len(members)
        case OptionalDomain(item):
            return 1 + size(item)
        case SetDomain(element):
            return int(2 ** size(element))
        case TupleDomain(items):
            return _product(size(item) for item in items)
        case SequenceDomain(element, low, high):
            return sum(size(element) ** length for length in range(max(low, 0), high + 1))
        case FunctionDomain(key, value):
            return int(size(value) ** size(key))
        case RecordDomain(_, fields):
            return _product(size(field) for _, field in fields)
        case UnionDomain(records):
            return sum(map(size, records))
        case _:
            assert_never(domain)


def values(domain: Domain) -> Iterator[Any]:
    """Every value of a domain once, in a fixed order: numbers ascending, choices as listed, sets by size."""
    match domain:
        case BoolDomain():
            yield False
            yield True
        case IntDomain(low, high):
            yield from range(low, high + 1)
        case ChoiceDomain(members):
            yield from members
        case OptionalDomain(item):
            yield None
            yield from values(item)
        case SetDomain(element):
            members = tuple(values(element))
            for count in range(len(members) + 1):
                yield from map(frozenset, itertools.combinations(members, count))
        case TupleDomain(items):
            yield from itertools.product(*(tuple(values(item)) for item in items))
        case SequenceDomain(element, low, high):
            members = tuple(values(element))
            for length in range(max(low, 0), high + 1):
                yield from itertools.product(members, repeat=length)
        case FunctionDomain(key, value):
            keys, results = tuple(values(key)), tuple(values(value))
            for chosen in itertools.product(results, repeat=len(keys)):
                yield FrozenDict(zip(keys, chosen, strict=True))
        case RecordDomain(record, fields):
            names = [name for name, _ in fields]
            for chosen in itertools.product(*(tuple(values(field)) for _, field in fields)):
                yield record.python(**dict(zip(names, chosen, strict=True)))
        case UnionDomain(records):
            for alternative in records:
                yield from values(alternative)
        case _:
            assert_never(domain)


def canonical(value: Any) -> Any:
    """The immutable, hashable form of a native value: sets frozen, dictionaries as `FrozenDict`, at every depth."""
    match value:
        case set() | frozenset():
            return frozenset(map(canonical, value))
        case dict():
            return FrozenDict((canonical(k), canonical(v)) for k, v in value.items())
        case list() | tuple():
            return tuple(map(canonical, value))
        case _ if hasattr(type(value), "__dataclass_fields__"):
            return _canonical_record(value)
        case _:
            return value


def _canonical_record(value: Any) -> Any:
    cls: type = type(value)
    if flaw(cls) is not None:
        return value
    parts = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    changed = {name: made for name, part in parts.items() if (made := canonical(part)) is not part}
    return dataclasses.replace(value, **changed) if changed else value


def show(value: Any) -> str:
    """A value as a user would write it, with sets and functions in a fixed order."""
    match value:
        case frozenset():
            return "{" + ", ".join(sorted(map(show, value), key=_natural)) + "}"
        case dict():
            return "{" + ", ".join(f"{show(k)}: {show(v)}" for k, v in sorted(value.items(), key=_natural_key)) + "}"
        case tuple() if len(value) == 1:
            return f"({show(value[0])},)"
        case tuple():
            return "(" + ", ".join(map(show, value)) + ")"
        case _ if hasattr(type(value), "__dataclass_fields__"):
            names = [item.name for item in dataclasses.fields(value)]
            fields = ", ".join(f"{name}={show(getattr(value, name))}" for name in names)
            return f"{type(value).__name__}({fields})"
        case _ if hasattr(type(value), "__members__"):
            return f"{type(value).__name__}.{value.name}"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case _:
            return repr(value)


def _product(sizes: Iterator[int]) -> int:
    result = 1
    for count in sizes:
        result *= count
    return result


def _natural(text: str) -> tuple[int, int, str]:
    """Numbers before other text and by value, so that {2, 10} is not shown as {10, 2}."""
    try:
        return (0, int(text), text)
    except ValueError:
        return (1, 0, text)


def _natural_key(item: tuple[Any, Any]) -> tuple[int, int, str]:
    return _natural(show(item[0]))
