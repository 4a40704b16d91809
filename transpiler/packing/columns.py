"""What a packed state says of each member of a symmetric constant on its own: the member's column.

    states: dict[Node, bool], known: frozenset[Node], leader: Node | None
    column of n1 = states[n1], n1 in known, leader == n1

Exchanging two members exchanges their columns and nothing else, as long as nothing relates members with each other (a
`dict[Node, Node]`, a set of pairs) or with those of another constant. Then columns are `complete`: states with the same
columns, in whatever order, are the same but for names. Else a column holds what is about its member alone, and what
the relations say of it in numbers (`relations`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from .. import symmetry
from ..domains import Domain
from ..symmetry import SymmetricSet
from . import layouts, low
from .layouts import Layout
from .low import Low
from .relations import numbers_of
from .steps import Frame

_ANYONE = "\0"
"""In place of the member that a value is about."""


@dataclass(frozen=True)
class Columns:
    """The column of each member, in the order of the constant's members; `bits` is how wide they are."""

    words: tuple[Low, ...]
    bits: int
    complete: bool


@dataclass(frozen=True)
class _Entry:
    """Some bits of the state that are about one member, where `present` holds; zero elsewhere."""

    member: str
    code: Low
    width: int
    present: Low


@dataclass(frozen=True)
class _Related:
    """A part of the state at an offset that relates members, or is too large to be looked into."""

    layout: Layout
    offset: int
    present: Low


def columns_of(frame: Frame, members: SymmetricSet) -> Columns:
    """The columns of the members of one constant."""
    reader = _Reader(frame.word, members)
    gathered: dict[str, list[_Entry]] = {member: [] for member in members.members}
    related: list[_Related] = []
    for name, layout in frame.layouts.items():
        for found in reader.entries(layout, frame.offsets[name], low.TRUE):
            if isinstance(found, _Related):
                related.append(found)
            else:
                gathered[found.member].append(found)
    for part in related:
        for numbers in numbers_of(frame.word, members, part.layout, part.offset):
            for member, number in numbers.items():
                gathered[member].append(_Entry(member, number.code, number.most.bit_length(), part.present))
    # Entries come in the same order for every member, so that equal columns say the same.
    widths = {tuple(entry.width for entry in entries) for entries in gathered.values()}
    if len(widths) != 1:
        raise AssertionError(f"the members of {members.constant} have different columns")
    return Columns(tuple(map(_packed, gathered.values())), sum(widths.pop()), complete=not related)


def _packed(entries: list[_Entry]) -> Low:
    word: Low = low.ZERO
    offset = 0
    for entry in entries:
        word = low.bit_or(word, low.shift_left(low.choose(entry.present, entry.code, low.ZERO), low.Const(offset)))
        offset += entry.width
    return word


@dataclass(frozen=True)
class _Reader:
    state: Low
    members: SymmetricSet

    def entries(self, layout: Layout, offset: int, present: Low) -> Iterator[_Entry | _Related]:
        """What a layout at an offset says of single members; `present` is where it is there at all."""
        domain = layouts.domain_of(layout)
        if self.members.constant not in symmetry.constants_in(domain):
            return
        match layout:
            case layouts.ChoiceLayout() | layouts.OptionalLayout(layouts.ChoiceLayout()):
                yield from self.pointer(layout, offset, present)
            case layouts.OptionalLayout(item) if layout.beside:
                there = low.masked(low.bits(self.state, offset, 1), 1, 1)
                yield from self.entries(item, offset + 1, low.both(present, there))
            case layouts.OptionalLayout() | layouts.InternedLayout():
                yield _Related(layout, offset, present)
            case layouts.SetLayout():
                yield from self.set_of(layout, offset, present)
            case layouts.TupleLayout(items):
                for item, place in zip(items, layout.offsets, strict=True):
                    yield from self.entries(item, offset + place, present)
            case layouts.SequenceLayout(element):
                length = low.bits(self.state, offset, layout.length_bits, layout.min_length, layout.max_length)
                for place in range(layout.max_length):
                    there = low.both(present, low.less(low.Const(place), length))
                    yield from self.entries(element, offset + layout.length_bits + place * element.bits, there)
            case layouts.FunctionLayout():
                yield from self.function(layout, offset, present)
            case layouts.UnionLayout(alternatives):
                tag = low.bits(self.state, offset, layout.tag_bits)
                for number, record in enumerate(alternatives):
                    there = low.both(present, low.same(tag, low.Const(number)))
                    yield from self.entries(record, offset + layout.tag_bits, there)
            case layouts.BoolLayout() | layouts.IntLayout():
                raise AssertionError("no member occurs in it")
            case _:
                assert_never(layout)

    def pointer(self, layout: Layout, offset: int, present: Low) -> Iterator[_Entry]:
        """A member, or None: a bit that is one for the member pointed at."""
        code = low.bits(self.state, offset, layout.bits, 0, layouts.span(layout) - 1)
        for member in self.members.members:
            here = low.same(code, low.Const(layouts.encode(layout, member)))
            yield _Entry(member, here, 1, present)

    def set_of(self, layout: layouts.SetLayout, offset: int, present: Low) -> Iterator[_Entry | _Related]:
        """The bits of the elements that are about one member, in the same order for each."""
        domain = layouts.domain_of(layout.element)
        shapes: dict[Any, dict[str, int]] = {}
        related = False
        for rank, value in layout.universe:
            match self.about(domain, value):
                case member, rest:
                    shapes.setdefault(rest, {})[member] = rank
                case "several":
                    related = True
        if related:
            yield _Related(layout, offset, present)
        for ranks in shapes.values():
            for member, rank in ranks.items():
                yield _Entry(member, low.bits(self.state, offset + rank, 1), 1, present)

    def function(self, layout: layouts.FunctionLayout, offset: int, present: Low) -> Iterator[_Entry | _Related]:
        """The values of the keys that are about one member; keys without members lead to what has some."""
        key, width = layouts.domain_of(layout.key), layout.value.bits
        if not symmetry.constants_in(key):
            for slot in range(len(layout.keys)):
                yield from self.entries(layout.value, offset + slot * width, present)
            return
        if symmetry.constants_in(layouts.domain_of(layout.value)):
            yield _Related(layout, offset, present)
            return
        shapes: dict[Any, dict[str, int]] = {}
        related = False
        for slot, value in enumerate(layout.keys):
            match self.about(key, value):
                case member, rest:
                    shapes.setdefault(rest, {})[member] = slot
                case "several":
                    related = True
        if related:
            yield _Related(layout, offset, present)
        for slots in shapes.values():
            for member, slot in slots.items():
                yield _Entry(member, low.bits(self.state, offset + slot * width, width), width, present)

    def about(self, domain: Domain, value: Any) -> tuple[str, Any] | Literal["none", "several"]:
        """The only member that a value mentions, and the value without it; else how many it mentions."""
        mentioned = symmetry.members_in(domain, value)
        own = {member for constant, member in mentioned if constant == self.members.constant}
        if not own:
            return "none"
        if len(mentioned) > 1:
            return "several"
        (member,) = own
        return member, symmetry.renamed(domain, value, {(self.members.constant, member): _ANYONE})
