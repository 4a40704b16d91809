"""What relations among members say of each member in numbers: how often it is pointed at, how many it points at.

    votes: dict[Node, Node | None]      of n1: has it voted, for itself, how many others voted for it

Such numbers do not tell everything that a relation says, but they tell most members apart, so that few are left whose
order has to be tried. Renaming members exchanges their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .. import symmetry
from ..domains import Domain
from ..symmetry import SymmetricSet
from . import layouts, low
from .layouts import Layout
from .low import Low

SELF, OTHER, ELSE = "\0", "\1", "\2"
"""In the place of the member that is looked at, of others of its constant, and of those of other constants."""


@dataclass(frozen=True)
class Number:
    """A number of so many bits; `own` is whether it says something of the member that is looked at."""

    code: Low
    most: int
    own: bool


def numbers_of(state: Low, members: SymmetricSet, layout: Layout, offset: int) -> Iterator[dict[str, Number]]:
    """What a relation at an offset says of each member; of what is too involved, nothing."""
    look = _Look(state, members)
    match layout:
        case layouts.SetLayout():
            yield from _aligned({member: look.set_of(layout, offset, member) for member in members.members})
        case layouts.FunctionLayout():
            yield from _aligned({member: look.function(layout, offset, member) for member in members.members})


def _aligned(found: dict[str, dict[Any, Number]]) -> Iterator[dict[str, Number]]:
    """The numbers of all members side by side, in an order that is the same for all."""
    for shape in next(iter(found.values())):
        yield {member: numbers[shape] for member, numbers in found.items()}


@dataclass(frozen=True)
class _Look:
    state: Low
    members: SymmetricSet

    def shape(self, domain: Domain, value: Any, member: str) -> Any:
        """A value as one member sees it: itself, others like it, and the rest."""
        own = self.members.constant
        mentioned = symmetry.members_in(domain, value)
        seen = {item: ELSE if item[0] != own else SELF if item[1] == member else OTHER for item in mentioned}
        return symmetry.renamed(domain, value, seen)

    def mentions(self, domain: Domain, value: Any, member: str) -> bool:
        return (self.members.constant, member) in symmetry.members_in(domain, value)

    def set_of(self, layout: layouts.SetLayout, offset: int, member: str) -> dict[Any, Number]:
        """How many elements of each shape there are that mention the member."""
        domain = layouts.domain_of(layout.element)
        masks: dict[Any, int] = {}
        for rank, value in layout.universe:
            if self.mentions(domain, value, member):
                shape = self.shape(domain, value, member)
                masks[shape] = masks.get(shape, 0) | 1 << rank
        word = low.bits(self.state, offset, layout.bits)
        counted = ((shape, low.count(low.bit_and(word, low.Const(mask))), mask) for shape, mask in masks.items())
        return {shape: Number(code, mask.bit_count(), True) for shape, code, mask in counted}

    def function(self, layout: layouts.FunctionLayout, offset: int, member: str) -> dict[Any, Number]:
        """Values as the member sees them, those of keys that look alike to it added up."""
        domain, width = layouts.domain_of(layout.key), layout.value.bits
        parts: dict[Any, list[Number]] = {}
        for slot, key in enumerate(layout.keys):
            mentioned = self.mentions(domain, key, member)
            for aspect, number in self.value(layout.value, offset + slot * width, member):
                if mentioned or number.own:
                    parts.setdefault((self.shape(domain, key, member), aspect), []).append(number)
        return {
            shape: Number(low.collect((item.code, 1) for item in numbers), sum(item.most for item in numbers), True)
            for shape, numbers in parts.items()
        }

    def value(self, layout: Layout, offset: int, member: str) -> Iterable[tuple[Any, Number]]:
        """What the member sees of a value, each with the name of its aspect."""
        constants = symmetry.constants_in(layouts.domain_of(layout))
        full = low.bits(self.state, offset, layout.bits, 0, layouts.span(layout) - 1)
        match layout:
            case _ if not constants:
                if layout.bits and not isinstance(layout, layouts.InternedLayout):
                    yield "value", Number(full, (1 << layout.bits) - 1, False)
            case layouts.ChoiceLayout() | layouts.OptionalLayout(layouts.ChoiceLayout()):
                if isinstance(layout, layouts.OptionalLayout):
                    yield "present", Number(low.negate(low.same(full, low.ZERO)), 1, False)
                if self.members.constant in constants:
                    yield "itself", Number(low.same(full, low.Const(layouts.encode(layout, member))), 1, True)
            case layouts.SetLayout():
                yield from (((shape,), number) for shape, number in self.set_of(layout, offset, member).items())
                others = low.count(low.bits(self.state, offset, layout.bits))
                yield "size", Number(others, layout.bits, False)
            case layouts.TupleLayout(items):
                for place, (item, shift) in enumerate(zip(items, layout.offsets, strict=True)):
                    for aspect, number in self.value(item, offset + shift, member):
                        yield (place, aspect), number
            case _:
                return
