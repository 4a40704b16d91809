"""Exchanging two members of a symmetric constant in a packed state: which bits move where, which codes change.

    owner: dict[Node, bool], queue: frozenset[Node], leader: Node | None        n1 ↔ n2
    bits of owner and queue are exchanged; leader, whose code names a member, is looked up in a table

What only moves is a `Move`; what is computed is a `Change`. A whole word is put together from both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from .. import symmetry
from ..symmetry import Renaming
from . import layouts, low
from .builder import Builder
from .layouts import Layout
from .low import Low
from .steps import Change, Frame


@dataclass(frozen=True)
class Move:
    """`width` bits of the state word from `source` on, which are at `target` afterwards."""

    source: int
    width: int
    target: int


@dataclass(frozen=True)
class Swap:
    """The state with two members exchanged: as a whole word, and as the fields that differ from the old word."""

    word: Low
    changes: tuple[Change, ...]


def swap_of(frame: Frame, renaming: Renaming, builder: Builder) -> Swap:
    """What a renaming does to the states of a frame."""
    pieces: list[Move | Change] = []
    for name, layout in frame.layouts.items():
        pieces += _Renamed(frame.word, renaming, builder).pieces(layout, frame.offsets[name], frame.offsets[name])
    moves = tuple(_joined([piece for piece in pieces if isinstance(piece, Move)]))
    computed = [piece for piece in pieces if isinstance(piece, Change)]
    moved = [
        Change(part.target, part.width, low.bits(frame.word, part.source, part.width))
        for move in moves
        for part in _parts(move)
        if move.source != move.target
    ]
    return Swap(_word(frame.word, moves, computed), tuple(sorted((*moved, *computed), key=lambda item: item.offset)))


def _parts(move: Move) -> Iterator[Move]:
    """The move, in pieces of at most a machine word."""
    for first in range(0, move.width, 64):
        yield Move(move.source + first, min(64, move.width - first), move.target + first)


def _joined(moves: Sequence[Move]) -> Iterator[Move]:
    """Moves of neighbouring bits by the same distance as one."""
    at: Move | None = None
    for move in sorted(moves, key=lambda item: item.target):
        if at is None:
            at = move
        elif (at.source + at.width, at.target + at.width) == (move.source, move.target):
            at = Move(at.source, at.width + move.width, at.target)
        else:
            yield at
            at = move
    if at is not None:
        yield at


def _word(state: Low, moves: Sequence[Move], computed: Sequence[Change]) -> Low:
    """The word with everything in its place: one mask and one shift for each distance."""
    masks: dict[int, int] = {}
    for move in moves:
        distance = move.target - move.source
        masks[distance] = masks.get(distance, 0) | ((1 << move.width) - 1) << move.source
    found: Low = low.ZERO
    for distance, mask in sorted(masks.items()):
        part = low.bit_and(state, low.Const(mask))
        if distance < 0:
            part = low.shift_right(part, low.Const(-distance))
        found = low.bit_or(found, low.shift_left(part, low.Const(max(distance, 0))))
    for change in computed:
        found = low.bit_or(found, low.shift_left(change.code, low.Const(change.offset)))
    return found


@dataclass(frozen=True)
class _Renamed:
    """Codes and fields under one renaming."""

    state: Low
    renaming: Renaming
    builder: Builder

    def touches(self, layout: Layout) -> bool:
        """Whether members that are renamed occur in a layout."""
        constants = {constant for constant, _ in self.renaming}
        return not constants.isdisjoint(symmetry.constants_in(layouts.domain_of(layout)))

    # ------------------------------------------------------------------------------------------- fields of the state

    def pieces(self, layout: Layout, source: int, target: int) -> Iterator[Move | Change]:
        """The code at `source`, renamed, at `target`, piece by piece."""
        if not self.touches(layout):
            if layout.bits:
                yield Move(source, layout.bits, target)
            return
        match layout:
            case layouts.SetLayout():
                for old, new in self.ranks(layout):
                    yield Move(source + old, 1, target + new)
            case layouts.TupleLayout(items):
                for item, offset in zip(items, layout.offsets, strict=True):
                    yield from self.pieces(item, source + offset, target + offset)
            case layouts.FunctionLayout(_, value):
                for old, new in self.slots(layout):
                    yield from self.pieces(value, source + old * value.bits, target + new * value.bits)
            case _:
                code = low.bits(self.state, source, layout.bits, 0, layouts.span(layout) - 1)
                yield Change(target, layout.bits, self.code(layout, code))

    def ranks(self, layout: layouts.SetLayout) -> Iterator[tuple[int, int]]:
        """The rank of every element before and after."""
        domain = layouts.domain_of(layout.element)
        for rank, value in layout.universe:
            yield rank, layouts.rank_of(layout.element, symmetry.renamed(domain, value, self.renaming))

    def slots(self, layout: layouts.FunctionLayout) -> Iterator[tuple[int, int]]:
        """The place of every key before and after."""
        domain = layouts.domain_of(layout.key)
        for slot, key in enumerate(layout.keys):
            yield slot, layout.slots[symmetry.renamed(domain, key, self.renaming)]

    # ------------------------------------------------------------------------------------------------------- codes

    def code(self, layout: Layout, code: Low) -> Low:
        """The code of a value, renamed."""
        if not self.touches(layout):
            return code
        match layout:
            case layouts.ChoiceLayout() | layouts.OptionalLayout(layouts.ChoiceLayout() | layouts.OptionalLayout()):
                return self.tabled(layout, code)
            case layouts.OptionalLayout(item):
                return self.optional(layout, item, code)
            case layouts.SetLayout():
                return self.moved(code, [Move(old, 1, new) for old, new in self.ranks(layout)])
            case layouts.TupleLayout(items):
                parts = zip(items, layout.offsets, strict=True)
                return self.side_by_side(
                    [(self.code(item, low.bits(code, offset, item.bits)), offset) for item, offset in parts]
                )
            case layouts.SequenceLayout():
                return self.sequence(layout, code)
            case layouts.FunctionLayout(_, value):
                width = value.bits
                slots = self.slots(layout)
                return self.side_by_side(
                    [(self.code(value, low.bits(code, old * width, width)), new * width) for old, new in slots]
                )
            case layouts.UnionLayout():
                return self.union(layout, code)
            case layouts.InternedLayout():
                return self.interned(layout, code)
            case layouts.BoolLayout() | layouts.IntLayout():
                raise AssertionError("no member occurs in it")
            case _:
                assert_never(layout)

    def tabled(self, layout: Layout, code: Low) -> Low:
        """A scalar, whose few codes are looked up."""
        domain = layouts.domain_of(layout)
        values = (layouts.decode(layout, old) for old in range(layouts.span(layout)))
        table = tuple(layouts.encode(layout, symmetry.renamed(domain, value, self.renaming)) for value in values)
        if isinstance(code, low.Const):
            return low.Const(table[code.value])
        return low.At(self.builder.table(table), code, 0, len(table) - 1)

    def optional(self, layout: layouts.OptionalLayout, item: Layout, code: Low) -> Low:
        if not layout.beside:
            # An interned value: None is 0, and what is not None counts from 1.
            inner = low.add(self.code(item, low.subtract(code, low.ONE)), low.ONE)
            return low.choose(low.same(code, low.ZERO), low.ZERO, inner)
        present = low.bits(code, 0, 1)
        inner = self.code(item, low.bits(code, 1, item.bits))
        whole = low.bit_or(low.shift_left(inner, low.ONE), low.ONE)
        return low.choose(low.masked(present, 1, 1), whole, low.ZERO)

    def sequence(self, layout: layouts.SequenceLayout, code: Low) -> Low:
        element = layout.element
        length = low.bits(code, 0, layout.length_bits, layout.min_length, layout.max_length)
        parts: list[tuple[Low, int]] = [(length, 0)]
        # Beyond the length there are zeros, which may be the code of a member.
        stays_zero = self.code(element, low.ZERO) == low.ZERO
        for place in range(layout.max_length):
            offset = layout.length_bits + place * element.bits
            renamed = self.code(element, low.bits(code, offset, element.bits))
            present = low.TRUE if stays_zero else low.less(low.Const(place), length)
            parts.append((low.choose(present, renamed, low.ZERO), offset))
        return self.side_by_side(parts)

    def union(self, layout: layouts.UnionLayout, code: Low) -> Low:
        tag = low.bits(code, 0, layout.tag_bits)
        found: Low = low.ZERO
        for number, record in enumerate(layout.alternatives):
            fields = self.code(record, low.bits(code, layout.tag_bits, record.bits))
            whole = low.bit_or(low.shift_left(fields, low.Const(layout.tag_bits)), low.Const(number))
            found = low.choose(low.same(tag, low.Const(number)), whole, found) if layout.tag_bits else whole
        return found

    def interned(self, layout: layouts.InternedLayout, code: Low) -> Low:
        def renumbered(number: int) -> int:
            # A code beyond those given out stands where a value is not present; nobody looks at it.
            if number >= len(layout.met):
                return 0
            return layout.number(symmetry.renamed(layout.domain, layout.met[number], self.renaming))

        return low.Invoke(self.builder.function("renumbered", renumbered), (code,), 0, (1 << layout.bits) - 1)

    def moved(self, code: Low, moves: Sequence[Move]) -> Low:
        return _word(code, tuple(_joined(moves)), ())

    def side_by_side(self, parts: Sequence[tuple[Low, int]]) -> Low:
        found: Low = low.ZERO
        for part, offset in parts:
            found = low.bit_or(found, low.shift_left(part, low.Const(offset)))
        return found
