"""Blocks → the text of the generated functions.

What every function has in common (its loop over states, its counters) is laid out by the template; here are the bodies
of the loops, as lines with their indentation.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..traverse import fresh_name
from . import facts as knowledge
from . import low
from .builder import Builder
from .grouping import Group, Member, grouped
from .layouts import span
from .low import Low
from .patience import LONG
from .render import Writer
from .steps import Assign, Block, Enumerated, Loop, Oblige, Table
from .tabulate import only_field, substitute

INDENT = "    "


@dataclass
class Page:
    """Lines in the making."""

    writer: Writer
    origin: str = "s"
    """The state that a violation is reported for."""
    lines: list[str] = field(default_factory=list)
    depth: int = 0

    def line(self, text: str) -> None:
        """One more line at the present depth."""
        self.lines.append(INDENT * self.depth + text)

    def test(self, test: Low) -> str:
        """The text of a test."""
        return self.writer.test(test)


FEWEST_COUNTED = 3
"""So many steps of an action at least are counted at once."""

Sink = Callable[[Page, Block], None]
"""Writes what becomes of a block's successor, where the block is taken."""


@dataclass(frozen=True)
class Kinds:
    """The numbers under which the generated code reports violations."""

    type_ok: int
    well_defined: int
    deadlock: int


@dataclass(frozen=True)
class Watch:
    """A function of the states before and after a step that tells of a violation; asked of some actions' steps."""

    number: int
    function: str
    actions: frozenset[int]


# -------------------------------------------------------------------------------------------------- whole bodies


def without_names(body: Callable[[Page], None], origin: str = "s") -> list[str]:
    """The lines of a body."""
    page = Page(Writer(), origin)
    body(page)
    return page.lines


def with_names(body: Callable[[Page], None], names: Callable[[low.Bits], str]) -> list[str]:
    """The lines of a body, after those that name the fields of the state that it reads more than once."""
    draft = Page(Writer())
    body(draft)
    wanted = [item for item, times in draft.writer.wanted.items() if times > 1 and isinstance(item, low.Bits)]
    named: dict[Low, str] = {}
    for item in sorted(wanted, key=lambda item: (item.shift, item.width)):
        # A name is computed for every state, so that tests of single bits are not worth one.
        if item.width > 1:
            named[item] = fresh_name(names(item), named.values())
    page = Page(Writer(named))
    for node, name in named.items():
        page.line(f"{name} = {Writer().value(node)}")
    body(page)
    return page.lines


@dataclass(frozen=True)
class Stretch:
    """Consecutive blocks of one action: grouped under shared tests, or, where they cannot be, one by one.

    `times` is how many of them are taken, where that is one operation.
    """

    blocks: Sequence[Block]
    groups: tuple[Group | Member, ...] | None
    times: Low | None


def stretches(blocks: Sequence[Block], builder: Builder) -> tuple[Stretch, ...]:
    """The blocks in order, put together as they are written."""
    found = []
    for (_, single), of_action in itertools.groupby(blocks, key=lambda block: (block.action, block.guard is None)):
        run = tuple(of_action)
        if single:
            found.append(Stretch(run, None, None))
        else:
            guards = [block.guard for block in run if block.guard is not None]
            found.append(Stretch(run, grouped(run), how_many(guards, builder)))
    return tuple(found)


def write_blocks(page: Page, plan: Sequence[Stretch], sink: Sink, kinds: Kinds | None, count: bool, live: bool) -> None:
    """Every block in order; `count` says whether steps are counted, `live` whether any of them is noted."""
    for stretch in plan:
        if stretch.groups is None:
            for block in stretch.blocks:
                _write_single(page, block, sink, kinds, count, live)
            continue
        if count and stretch.times is not None:
            page.line(f"n{stretch.blocks[0].action} += {page.writer.value(stretch.times)}")
        _write_members(page, stretch.groups, sink, count and stretch.times is None, live)


def how_many(guards: Sequence[Low], builder: Builder) -> Low | None:
    """How many guards hold, where that is one operation: asked once a state, not counted step by step."""
    if len(guards) < FEWEST_COUNTED:
        return None
    merged: Low | None = None
    ones = 0
    for guard in guards:
        match guard:
            case low.Masked(word, mask, expected) if (
                mask == expected and mask & (mask - 1) == 0 and merged in (None, word) and not mask & ones
            ):
                merged, ones = word, ones | mask
            case _:
                break
    else:
        return None if merged is None else low.count(low.bit_and(merged, low.Const(ones)))
    fields = {only_field(guard) for guard in guards}
    field = fields.pop()
    if field is None or fields:
        return None
    table = []
    for value in range(int(field.high) + 1):
        decided = [substitute(guard, field, low.Const(value)) for guard in guards]
        if not all(isinstance(test, low.Const) for test in decided):
            return None
        table.append(sum(test == low.TRUE for test in decided))
    if table == list(range(len(table))):
        return field
    return low.At(builder.table(tuple(table)), field, 0, len(guards))


def _write_members(page: Page, members: Sequence[Group | Member], sink: Sink, count: bool, live: bool) -> None:
    # What is taken wherever this suite runs is counted at once.
    certain = Counter(
        member.block.action for member in members if isinstance(member, Member) and member.test == low.TRUE
    )
    start = len(page.lines)
    for action, times in certain.items():
        _note(page, action, times, count, live)
    for member in members:
        if member.test == low.FALSE:
            continue
        if isinstance(member, Group):
            page.line(f"if {page.test(member.test)}:")
            page.depth += 1
            _write_members(page, member.members, sink, count, live)
            page.depth -= 1
        elif member.test == low.TRUE:
            sink(page, member.block)
        else:
            page.line(f"if {page.test(member.test)}:")
            page.depth += 1
            _note(page, member.block.action, 1, count, live)
            sink(page, member.block)
            page.depth -= 1
    if len(page.lines) == start:
        page.line("pass")


def _note(page: Page, action: int, times: int, count: bool, live: bool) -> None:
    if count:
        page.line(f"n{action} += {times}")
    if live:
        page.line("live = 1")


def _write_single(page: Page, block: Block, sink: Sink, kinds: Kinds | None, count: bool, live: bool) -> None:
    """A block with loops, obligations or names of its own."""
    depth = page.depth
    for place, loop in enumerate(block.loops):
        is_long = math.prod(map(_turns, block.loops[place:])) >= LONG
        page.line(f"for {loop.name} in {f'patient({_iterable(loop)})' if is_long else _iterable(loop)}:")
        page.depth += 1
    for item in block.items:
        match item:
            case Assign(name, word):
                page.line(f"{name} = {page.writer.value(word)}")
            case Oblige(test):
                page.line(f"if not ({page.test(test)}):")
                page.line(INDENT + (f"flag({kinds.well_defined}, {page.origin})" if kinds is not None else "pass"))
                page.line("else:")
                page.depth += 1
            case _:
                page.line(f"if {page.test(item.test)}:")
                page.depth += 1
    _note(page, block.action, 1, count, live)
    sink(page, block)
    page.depth = depth


def _turns(loop: Loop) -> int:
    """How many turns a loop takes at most."""
    match loop.over:
        case range() as numbers:
            return max(0, numbers.stop - numbers.start)
        case Table():
            return span(loop.layout)
        case Enumerated(_, length):
            return length


def _iterable(loop: Loop) -> str:
    match loop.over:
        case range() as numbers:
            return f"range({numbers.start}, {numbers.stop})"
        case Table(name):
            return name
        case Enumerated(function):
            return f"{function}()"


# ------------------------------------------------------------------------------------------------------- sinks


def search_sink(kinds: Kinds, narrow: bool, watch: Watch | None = None, reduced: bool = False) -> Sink:
    """A successor is checked, and kept where it is new; where the search is reduced, its representative.

    What is seen is a dictionary from each state to its parent, or, where states are narrow, a byte for each word that
    there may be, which costs one visit of the memory instead of three; parents are a list of their own then.
    """
    new, keep = (
        ("not seen[t]", ("seen[t] = 1", "append(t)", "parent(s)"))
        if narrow
        else (
            "t not in seen",
            ("seen[t] = s", "append(t)"),
        )
    )

    def write(page: Page, block: Block) -> None:
        effect = block.effect
        depth = page.depth
        _open_effect(page, block, f"flag({kinds.type_ok}, s)")
        if effect.changing is False:
            page.line("same += 1")
            page.depth = depth
            return
        page.line(f"t = {page.writer.value(effect.successor)}")
        keyword = "if"
        if effect.changing is None:
            page.line("if t == s:")
            page.line(INDENT + "same += 1")
            keyword = "elif"
        watched = watch is not None and block.action in watch.actions
        if effect.checks or watched or reduced:
            if effect.changing is None:
                page.line("else:")
                page.depth += 1
            for check in effect.checks:
                _write_check(page, check.number, check.defined, check.holds, kinds)
            if watch is not None and watched:
                page.line(f"if {watch.function}(s, t):")
                page.line(INDENT + f"flag({watch.number}, s)")
            if reduced:
                page.line("t = representative(t)")
            keyword = "if"
        page.line(f"{keyword} {new}:")
        for text in keep:
            page.line(INDENT + text)
        page.depth = depth

    return write


def initial_sink(kinds: Kinds, reduced: bool = False) -> Sink:
    """An initial state, or its representative, is handed on; one outside its domains only counts."""

    def write(page: Page, block: Block) -> None:
        depth = page.depth
        _open_effect(page, block, f"flag({kinds.type_ok}, None)")
        successor = page.writer.value(block.effect.successor)
        page.line(f"append(representative({successor}))" if reduced else f"append({successor})")
        page.depth = depth

    return write


def edge_sink(labels: dict[int, int]) -> Sink:
    """Every step is handed on with the number of its block (by identity) and the codes that its loops are at."""

    def write(page: Page, block: Block) -> None:
        depth = page.depth
        _open_effect(page, block, "pass")
        codes = "".join(f"{loop.name}, " for loop in block.loops)
        page.line(f"edge({labels[id(block)]}, ({codes}), {page.writer.value(block.effect.successor)})")
        page.depth = depth

    return write


def _open_effect(page: Page, block: Block, otherwise: str) -> None:
    """Names, and the test that the new state lies in its domains; what follows stands where it does."""
    effect = block.effect
    for assign in effect.assigns:
        page.line(f"{assign.name} = {page.writer.value(assign.word)}")
    if effect.fits != low.TRUE:
        page.line(f"if not ({page.test(effect.fits)}):")
        page.line(INDENT + otherwise)
        page.line("else:")
        page.depth += 1


def _write_check(page: Page, number: int, defined: Low, holds: Low, kinds: Kinds) -> None:
    keyword = "if"
    if defined != low.TRUE:
        page.line(f"if not ({page.test(defined)}):")
        page.line(INDENT + f"flag({kinds.well_defined}, s)")
        keyword = "elif"
    if holds != low.TRUE:
        page.line(f"{keyword} {page.test(low.negate(holds))}:")
        page.line(INDENT + f"flag({number}, s)")


def write_property(page: Page, number: int, defined: Low, holds: Low, kinds: Kinds) -> None:
    """A test of a state: reported where it is undefined, and where it is false."""
    _write_check(page, number, defined, holds, kinds)


# ----------------------------------------------------------------------------------------------------- deadlock


def never_deadlocks(blocks: Iterable[Block]) -> bool:
    """Whether some block is certain to be enabled in every state, as far as the guards themselves tell."""
    facts = knowledge.NOTHING
    for block in blocks:
        guard = block.guard
        if guard is None:
            continue
        if knowledge.decide(guard, facts) == low.TRUE:
            return True
        # The later ones are asked only about the states where none of those before is enabled.
        facts = knowledge.assume(low.negate(guard), facts)
    return False
