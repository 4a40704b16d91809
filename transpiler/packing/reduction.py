"""The representative of a packed state under renamings of symmetric members: one state of each orbit, found quickly.

    1. members are sorted by their columns, exchanging neighbours;
    2. where columns are complete, that is all: equal columns can be exchanged without a difference;
    3. else neighbours with equal columns remain to be tried in every order, and the least word is taken.

The second is the common case and costs a comparison for each pair of members; the third costs at most n! exchanges, in
the order of plain changes (Johnson, "Generation of permutations by adjacent transposition", Mathematics of Computation
17, 1963), and is rare where columns differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..instance import Instance
from ..symmetry import SymmetricSet, count_renamings, symmetric_sets
from . import emit
from .builder import Builder
from .columns import columns_of
from .low import Low
from .renaming import Swap, swap_of
from .render import Writer
from .steps import Frame

MOST_ORDERS = 40_320
"""So many orders of members with equal columns may have to be tried for one state: those of 8 members."""


class TooManyOrders(Exception):
    """More orders of members would have to be tried than a search can afford; the text says which and what to do."""


@dataclass(frozen=True)
class Exchangeable:
    """A symmetric constant in a program.

    `columns` has a word for each member, in the order of its members, and `column_bits` is how wide these are.
    `swaps` has an exchange for each two neighbours: `swaps[k]` exchanges members k and k + 1 of a state. `complete` is
    whether states with the same columns are the same.
    """

    members: SymmetricSet
    columns: tuple[Low, ...]
    column_bits: int
    swaps: tuple[Swap, ...]
    complete: bool


@dataclass(frozen=True)
class Reduction:
    """How a program finds the representative of a state, for every backend alike.

    For each of `sets` sort: for k in `network(n)`, if column k is greater than column k + 1, take `swaps[k]`. Then, if
    any is not `complete`, number its ties (`ties_of`) and take the least word on the way of `orders(ties)`, which are
    places in `tied_swaps`.
    """

    sets: tuple[Exchangeable, ...]

    @cached_property
    def related(self) -> tuple[Exchangeable, ...]:
        """The sets whose columns do not tell everything."""
        return tuple(item for item in self.sets if not item.complete)

    @cached_property
    def tied_swaps(self) -> tuple[Swap | None, ...]:
        """The exchanges that ties are numbered by: those of all related sets, with None between two sets."""
        found: list[Swap | None] = []
        for item in self.related:
            found += [*item.swaps, None]
        return tuple(found)

    @property
    def ties_of(self) -> tuple[tuple[Exchangeable, int, int], ...]:
        """The bits of a number of ties: (set, k, bit), one where columns k and k + 1 are equal."""
        found = []
        bit = 0
        for item in self.related:
            for place in range(len(item.swaps)):
                found.append((item, place, bit))
                bit += 1
            bit += 1
        return tuple(found)


def reduction_of(instance: Instance, frame: Frame, builder: Builder) -> Reduction | None:
    """The reduction of an instance; None where it has no symmetric constant with two members or more.

    Raises `TooManyOrders`.
    """
    found = []
    for members in symmetric_sets(instance):
        columns = columns_of(frame, members)
        swaps = []
        for one, other in zip(members.members, members.members[1:], strict=False):
            exchange = {(members.constant, one): other, (members.constant, other): one}
            swaps.append(swap_of(frame, exchange, builder))
        found.append(Exchangeable(members, columns.words, columns.bits, tuple(swaps), columns.complete))
    reduction = Reduction(tuple(found))
    _demand_affordable(reduction)
    return reduction if found else None


def _demand_affordable(reduction: Reduction) -> None:
    renamings = count_renamings(item.members for item in reduction.related)
    if renamings > MOST_ORDERS:
        names = " and ".join(item.members.constant for item in reduction.related)
        raise TooManyOrders(
            f"the state relates members of {names} with each other, and of the {renamings:,} ways to rename them at "
            f"most {MOST_ORDERS:,} can be tried for a state: choose fewer members, or check without symmetry"
        )


def network(count: int) -> tuple[int, ...]:
    """Places k at which neighbours k and k + 1 of `count` are compared and exchanged, so that all are sorted."""
    return tuple(place for last in range(count - 1, 0, -1) for place in range(last))


def orders(ties: int) -> tuple[int, ...]:
    """Exchanges of neighbours that lead through every order of what is tied: bit k ties k and k + 1."""
    found: list[int] = []
    first = 0
    while ties >> first:
        length = 0
        while ties >> first + length & 1:
            length += 1
        earlier = tuple(found)
        for place in plain_changes(length + 1):
            # After each exchange in this run, the earlier ones are gone through once more, from where they stand.
            found += (first + place, *earlier)
        first += length + 1
    return tuple(found)


def plain_changes(count: int) -> tuple[int, ...]:
    """The exchanges of neighbours that lead through all orders of `count` things, each once (Johnson 1963)."""
    if count < 2:
        return ()
    down, up = tuple(range(count - 2, -1, -1)), tuple(range(count - 1))
    found = list(down)
    leftmost = True
    for place in plain_changes(count - 1):
        # The largest has arrived at one end; the others make their next change beside it.
        found.append(place + 1 if leftmost else place)
        found += up if leftmost else down
        leftmost = not leftmost
    return tuple(found)


# ------------------------------------------------------------------------------------------------------ as Python


class Orders(dict[int, tuple[Callable[[int], int], ...]]):
    """Number of ties → the exchanges that lead through all orders, made when they are first needed."""

    def __init__(self, exchanges: Sequence[Callable[[int], int]]) -> None:
        super().__init__()
        self.exchanges = exchanges

    def __missing__(self, ties: int) -> tuple[Callable[[int], int], ...]:
        found = self[ties] = tuple(self.exchanges[place] for place in orders(ties))
        return found


def representative_lines(reduction: Reduction, exchanged: str) -> list[str]:
    """The body of the function that maps a state `s` to its representative.

    `exchanged` is the name of the `Orders`, where there are any.
    """

    def body(page: emit.Page) -> None:
        names = {}
        for number, item in enumerate(reduction.sets):
            columns = [f"c{number}_{place}" for place in range(len(item.columns))]
            names[item.members.constant] = columns
            for name, word in zip(columns, item.columns, strict=True):
                page.line(f"{name} = {page.writer.value(word)}")
            for place in network(len(columns)):
                one, other = columns[place], columns[place + 1]
                page.line(f"if {one} > {other}:")
                page.line(f"{emit.INDENT}s = {page.writer.value(item.swaps[place].word)}")
                page.line(f"{emit.INDENT}{one}, {other} = {other}, {one}")
        if reduction.related:
            tied = []
            for item, place, bit in reduction.ties_of:
                columns = names[item.members.constant]
                tied.append(f"({columns[place]} == {columns[place + 1]})" + (f" << {bit}" if bit else ""))
            page.line(f"ties = {' | '.join(tied)}")
            page.line("if ties:")
            page.line(f"{emit.INDENT}t = s")
            page.line(f"{emit.INDENT}for exchange in {exchanged}[ties]:")
            page.line(f"{emit.INDENT * 2}t = exchange(t)")
            page.line(f"{emit.INDENT * 2}if t < s:")
            page.line(f"{emit.INDENT * 3}s = t")
        page.line("return s")

    return emit.without_names(body)


def orders_text(reduction: Reduction, make: str) -> str:
    """The `Orders` of the functions of `exchange_lines`; `make` is what they are made by."""
    names = ("None" if swap is None else f"exchange_{place}" for place, swap in enumerate(reduction.tied_swaps))
    return f"{make}([{', '.join(names)}])"


def exchange_lines(reduction: Reduction) -> list[tuple[str, str]]:
    """The functions by which `Orders` exchanges members: name and value; none where columns tell everything."""
    writer = Writer()
    return [
        (f"exchange_{place}", writer.value(swap.word))
        for place, swap in enumerate(reduction.tied_swaps)
        if swap is not None
    ]
