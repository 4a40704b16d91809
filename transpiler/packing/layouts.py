"""How the values of a domain are laid out in bits.

Equal values have equal codes and the other way round, so a state is one int and equality is equality of ints. A layout
also ranks its values, without gaps where that is cheap: a set is a mask with one bit a rank, and the entries of a
function lie in the order of the ranks of their keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, assert_never

from .. import domains
from .. import valuetypes as types
from ..valuetypes import FrozenDict

MAX_SET = 4096
"""The largest universe of a set that is laid out as a mask; larger ones are interned."""

SMALL = 64
"""An int domain that starts between 0 and here is coded by its values as they are, so that most share one code."""


class OutsideError(Exception):
    """A value is not one of the values of a layout."""


@dataclass(frozen=True)
class BoolLayout:
    bits = 1
    ranks = 2


@dataclass(frozen=True)
class IntLayout:
    """An int from `low` to `high` as its distance from `base`."""

    base: int
    low: int
    high: int

    @cached_property
    def bits(self) -> int:
        return max(0, self.high - self.base).bit_length()

    @property
    def ranks(self) -> int:
        return max(0, self.high - self.base + 1)


@dataclass(frozen=True)
class ChoiceLayout:
    """A listed value as its position."""

    members: tuple[Any, ...]
    type: types.Type

    @cached_property
    def positions(self) -> dict[Any, int]:
        return {member: position for position, member in enumerate(self.members)}

    @cached_property
    def bits(self) -> int:
        return max(0, len(self.members) - 1).bit_length()

    @property
    def ranks(self) -> int:
        return len(self.members)


@dataclass(frozen=True)
class OptionalLayout:
    """None as 0, anything else as its code plus one, or, where that has fields of its own, beside a bit that is one."""

    item: Layout

    @cached_property
    def beside(self) -> bool:
        """Whether a bit of its own says that it is not None."""
        return not isinstance(self.item, BoolLayout | IntLayout | ChoiceLayout | OptionalLayout | InternedLayout)

    @cached_property
    def bits(self) -> int:
        return self.item.bits + 1 if self.beside else span(self.item).bit_length()

    @property
    def ranks(self) -> int:
        return 1 + self.item.ranks


@dataclass(frozen=True)
class SetLayout:
    """A mask: one bit for each rank of the element."""

    element: Layout

    @property
    def bits(self) -> int:
        return self.element.ranks

    @property
    def ranks(self) -> int:
        return int(1 << self.element.ranks)

    @cached_property
    def full(self) -> int:
        """The mask of all elements; ranks that no value has are left out."""
        return sum(1 << rank for rank, _ in self.universe)

    @cached_property
    def universe(self) -> tuple[tuple[int, Any], ...]:
        """Every possible element with its rank."""
        return tuple((rank_of(self.element, value), value) for value in values(self.element))

    @cached_property
    def by_rank(self) -> dict[int, Any]:
        return dict(self.universe)


@dataclass(frozen=True)
class TupleLayout:
    """The fields of a tuple or (where `record` is given) of a record, side by side, the first lowest."""

    items: tuple[Layout, ...]
    record: types.Record | None = None

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        found, total = [], 0
        for item in self.items:
            found.append(total)
            total += item.bits
        return tuple(found)

    @cached_property
    def bits(self) -> int:
        return sum(item.bits for item in self.items)

    @cached_property
    def ranks(self) -> int:
        result = 1
        for item in self.items:
            result *= item.ranks
        return result


@dataclass(frozen=True)
class SequenceLayout:
    """The length, then the elements; those beyond the length are zero."""

    element: Layout
    min_length: int
    max_length: int

    @cached_property
    def length_bits(self) -> int:
        return max(0, self.max_length).bit_length()

    @cached_property
    def bits(self) -> int:
        return self.length_bits + self.element.bits * max(0, self.max_length)

    @property
    def ranks(self) -> int:
        return int(1 << self.bits)


@dataclass(frozen=True)
class FunctionLayout:
    """The values side by side in the order of `keys`."""

    key: Layout
    value: Layout

    @cached_property
    def keys(self) -> tuple[Any, ...]:
        return tuple(values(self.key))

    @cached_property
    def slots(self) -> dict[Any, int]:
        return {key: slot for slot, key in enumerate(self.keys)}

    @cached_property
    def bits(self) -> int:
        return self.value.bits * len(self.keys)

    @property
    def ranks(self) -> int:
        return int(1 << self.bits)


@dataclass(frozen=True)
class UnionLayout:
    """Which record it is, then its fields."""

    alternatives: tuple[TupleLayout, ...]

    @cached_property
    def tag_bits(self) -> int:
        return max(0, len(self.alternatives) - 1).bit_length()

    @cached_property
    def bits(self) -> int:
        return self.tag_bits + max((item.bits for item in self.alternatives), default=0)

    @cached_property
    def ranks(self) -> int:
        return sum(item.ranks for item in self.alternatives)

    def tag(self, python: type) -> int | None:
        """The place of a record class among the alternatives."""
        for tag, item in enumerate(self.alternatives):
            if item.record is not None and item.record.python is python:
                return tag
        return None


@dataclass(frozen=True, eq=False)
class InternedLayout:
    """Any value of a domain as a number given to it when it is first met: for what is too large to be laid out.

    Numbers are its own, so that one is equal to itself alone; `layout_of` makes one a domain.
    """

    domain: domains.Domain
    numbers: dict[Any, int] = field(default_factory=dict, repr=False)
    met: list[Any] = field(default_factory=list, repr=False)

    bits = 40
    ranks = 1 << 40

    def number(self, value: Any) -> int:
        """The number of a value, a new one where it has none yet."""
        found = self.numbers.get(value)
        if found is None:
            if not domains.contains(self.domain, value):
                raise OutsideError
            found = self.numbers[value] = len(self.met)
            self.met.append(value)
        return found


Layout = (
    BoolLayout
    | IntLayout
    | ChoiceLayout
    | OptionalLayout
    | SetLayout
    | TupleLayout
    | SequenceLayout
    | FunctionLayout
    | UnionLayout
    | InternedLayout
)

BOOL = BoolLayout()


def int_layout(low: int, high: int) -> IntLayout:
    """The layout of the numbers from `low` to `high`."""
    return IntLayout(0 if 0 <= low <= SMALL else low, low, high)


def layout_of(domain: domains.Domain, interned: dict[domains.Domain, InternedLayout]) -> Layout:
    """The layout of a domain; `interned` holds the interned layouts of one program, which equal domains share."""

    def inner(item: domains.Domain) -> Layout:
        return layout_of(item, interned)

    def record(item: domains.RecordDomain) -> TupleLayout:
        return TupleLayout(tuple(inner(part) for _, part in item.fields), item.type)

    match domain:
        case domains.BoolDomain():
            return BOOL
        case domains.IntDomain(low, high):
            return int_layout(low, high)
        case domains.ChoiceDomain(members, kind):
            return ChoiceLayout(members, kind)
        case domains.OptionalDomain(item):
            return OptionalLayout(inner(item))
        case domains.SetDomain(element):
            if _rankable(element) and domains.size(element) <= MAX_SET:
                layout = inner(element)
                if layout.ranks <= MAX_SET:
                    return SetLayout(layout)
            return interned.setdefault(domain, InternedLayout(domain))
        case domains.TupleDomain(items):
            return TupleLayout(tuple(map(inner, items)))
        case domains.SequenceDomain(element, low, high):
            return SequenceLayout(inner(element), max(0, low), high)
        case domains.FunctionDomain(key, value):
            if _rankable(key) and domains.size(key) <= MAX_SET:
                return FunctionLayout(inner(key), inner(value))
            return interned.setdefault(domain, InternedLayout(domain))
        case domains.RecordDomain():
            return record(domain)
        case domains.UnionDomain(records):
            return UnionLayout(tuple(map(record, records)))
        case _:
            assert_never(domain)


def span(layout: Layout) -> int:
    """The largest code that a layout can have, plus one."""
    match layout:
        case BoolLayout() | IntLayout() | ChoiceLayout():
            return layout.ranks
        case OptionalLayout(item) if not layout.beside:
            return 1 + span(item)
        case _:
            return int(1 << layout.bits)


def _rankable(domain: domains.Domain) -> bool:
    """Whether the number of values can be computed at all: the power set of a power set cannot."""
    match domain:
        case domains.SetDomain(element):
            return _rankable(element) and domains.size(element) <= 12
        case domains.SequenceDomain(element, _, high):
            return _rankable(element) and domains.size(element) ** min(high, 13) <= MAX_SET and high <= 12
        case domains.FunctionDomain(key, value):
            return (
                _rankable(key)
                and _rankable(value)
                and domains.size(key) <= 12
                and domains.size(value) ** domains.size(key) <= MAX_SET
            )
        case domains.OptionalDomain(item):
            return _rankable(item)
        case domains.TupleDomain(items):
            return all(map(_rankable, items))
        case domains.RecordDomain(_, fields):
            return all(_rankable(item) for _, item in fields)
        case domains.UnionDomain(records):
            return all(map(_rankable, records))
        case _:
            return True


# ------------------------------------------------------------------------------------------------ codes and ranks


def encode(layout: Layout, value: Any) -> int:
    """The code of a value; raises `OutsideError` where the layout has none for it."""
    match layout:
        case BoolLayout():
            return int(_demand(isinstance(value, bool), value))
        case IntLayout(base, low, high):
            _demand(isinstance(value, int) and not isinstance(value, bool) and low <= value <= high, value)
            return int(value - base)
        case ChoiceLayout():
            position = layout.positions.get(value)
            if position is None or type(layout.members[position]) is not type(value):
                raise OutsideError
            return position
        case OptionalLayout(item):
            if value is None:
                return 0
            return encode(item, value) << 1 | 1 if layout.beside else 1 + encode(item, value)
        case SetLayout(element):
            _demand(isinstance(value, frozenset), value)
            return sum(1 << rank_of(element, member) for member in value)
        case TupleLayout():
            parts = zip(_parts(layout, value), layout.items, layout.offsets, strict=True)
            return sum(encode(item, part) << offset for part, item, offset in parts)
        case SequenceLayout(element, low, high):
            _demand(isinstance(value, tuple) and low <= len(value) <= high, value)
            offset, code = layout.length_bits, len(value)
            for member in value:
                code |= encode(element, member) << offset
                offset += element.bits
            return code
        case FunctionLayout(_, item):
            _demand(isinstance(value, dict) and value.keys() == layout.slots.keys(), value)
            return sum(encode(item, value[key]) << slot * item.bits for slot, key in enumerate(layout.keys))
        case UnionLayout():
            tag = layout.tag(type(value))
            if tag is None:
                raise OutsideError
            return tag | encode(layout.alternatives[tag], value) << layout.tag_bits
        case InternedLayout():
            return layout.number(value)
        case _:
            assert_never(layout)


def decode(layout: Layout, code: int) -> Any:
    """The value of a code."""
    match layout:
        case BoolLayout():
            return bool(code)
        case IntLayout(base):
            return code + base
        case ChoiceLayout(members):
            return members[code]
        case OptionalLayout(item):
            return None if not code else decode(item, code >> 1 if layout.beside else code - 1)
        case SetLayout():
            return frozenset(layout.by_rank[rank] for rank in _ones(code))
        case TupleLayout(items, record):
            parts = tuple(
                decode(item, _cut(code, offset, item.bits)) for item, offset in zip(items, layout.offsets, strict=True)
            )
            return parts if record is None else _construct(record, parts)
        case SequenceLayout(element):
            length = _cut(code, 0, layout.length_bits)
            width = element.bits
            places = (layout.length_bits + place * width for place in range(length))
            return tuple(decode(element, _cut(code, place, width)) for place in places)
        case FunctionLayout(_, item):
            return FrozenDict(
                (key, decode(item, _cut(code, slot * item.bits, item.bits))) for slot, key in enumerate(layout.keys)
            )
        case UnionLayout():
            chosen = layout.alternatives[_cut(code, 0, layout.tag_bits)]
            return decode(chosen, code >> layout.tag_bits)
        case InternedLayout():
            return layout.met[code]
        case _:
            assert_never(layout)


def rank_of(layout: Layout, value: Any) -> int:
    """The rank of a value; raises `OutsideError`."""
    match layout:
        case TupleLayout(items):
            rank = 0
            for item, part in zip(items, _parts(layout, value), strict=True):
                rank = rank * item.ranks + rank_of(item, part)
            return rank
        case UnionLayout(records):
            tag = layout.tag(type(value))
            if tag is None:
                raise OutsideError
            return first_rank(layout, tag) + rank_of(records[tag], value)
        case OptionalLayout(item):
            return 0 if value is None else 1 + rank_of(item, value)
        case _:
            return encode(layout, value)


def of_rank(layout: Layout, rank: int) -> Any:
    """The value of a rank."""
    match layout:
        case TupleLayout(items, record):
            parts: list[Any] = []
            for item in reversed(items):
                rank, part = divmod(rank, item.ranks)
                parts.append(of_rank(item, part))
            parts.reverse()
            return tuple(parts) if record is None else _construct(record, parts)
        case UnionLayout(records):
            for tag, record_layout in enumerate(records):
                first = first_rank(layout, tag)
                if rank < first + record_layout.ranks:
                    return of_rank(record_layout, rank - first)
            raise AssertionError(f"rank {rank} is beyond the union")
        case OptionalLayout(item):
            return None if not rank else of_rank(item, rank - 1)
        case _:
            return decode(layout, rank)


def first_rank(layout: UnionLayout, tag: int) -> int:
    """The rank of the first value of an alternative: those of the alternatives before it come first."""
    return sum(item.ranks for item in layout.alternatives[:tag])


def values(layout: Layout) -> Iterator[Any]:
    """Every value of a layout once."""
    return domains.values(domain_of(layout))


def domain_of(layout: Layout) -> domains.Domain:
    """The domain whose values a layout holds."""
    match layout:
        case BoolLayout():
            return domains.BoolDomain()
        case IntLayout(_, low, high):
            return domains.IntDomain(low, high)
        case ChoiceLayout(members, kind):
            return domains.ChoiceDomain(members, kind)
        case OptionalLayout(item):
            return domains.OptionalDomain(domain_of(item))
        case SetLayout(element):
            return domains.SetDomain(domain_of(element))
        case TupleLayout(items, None):
            return domains.TupleDomain(tuple(map(domain_of, items)))
        case TupleLayout():
            return _record_domain(layout)
        case SequenceLayout(element, low, high):
            return domains.SequenceDomain(domain_of(element), low, high)
        case FunctionLayout(key, value):
            return domains.FunctionDomain(domain_of(key), domain_of(value))
        case UnionLayout(records):
            return domains.UnionDomain(tuple(map(_record_domain, records)))
        case InternedLayout(domain):
            return domain
        case _:
            assert_never(layout)


def _record_domain(layout: TupleLayout) -> domains.RecordDomain:
    if layout.record is None:
        raise AssertionError("the layout is that of a tuple")
    named = zip(layout.record.fields, layout.items, strict=True)
    return domains.RecordDomain(layout.record, tuple((name, domain_of(item)) for (name, _), item in named))


def _parts(layout: TupleLayout, value: Any) -> tuple[Any, ...]:
    if layout.record is None:
        _demand(isinstance(value, tuple) and len(value) == len(layout.items), value)
        return tuple(value)
    _demand(type(value) is layout.record.python, value)
    return tuple(getattr(value, name) for name, _ in layout.record.fields)


def _construct(record: types.Record, parts: Any) -> Any:
    return record.python(**dict(zip((name for name, _ in record.fields), parts, strict=True)))


def _demand(condition: bool, value: Any) -> Any:
    if not condition:
        raise OutsideError
    return value


def _cut(code: int, shift: int, width: int) -> int:
    return code >> shift & ((1 << width) - 1)


def _ones(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
