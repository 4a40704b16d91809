"""Blocks → C statements: the same stretches, groups and tests that the explorer's Python is written from.

    a step → FOUND(t)         a violation → FLAG(kind, s)         counters n0, n1, …, same, terminated

`FOUND` and `FLAG` are macros of the search, which the template includes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import low
from .c_render import WORD, CWriter, NotInC, identifier
from .emit import INDENT, Kinds, Stretch, Watch
from .grouping import Group, Member
from .low import Low
from .steps import Assign, Block, Change, Effect, Enumerated, Loop, Oblige, Table

MAX_ENUMERATED = 1 << 16
"""So many codes that a Python function hands on become a table."""


@dataclass
class CPage:
    """Statements in the making. `functions` are those that the Python module would be given."""

    writer: CWriter
    functions: Mapping[str, Callable[..., Any]]
    lines: list[str] = field(default_factory=list)
    depth: int = 0

    def line(self, text: str) -> None:
        """One more line at the present depth."""
        self.lines.append(INDENT * self.depth + text)

    def open(self, text: str) -> None:
        """A line after which a block begins."""
        self.line(text + " {")
        self.depth += 1

    def close(self, depth: int) -> None:
        """End blocks until the depth is reached."""
        while self.depth > depth:
            self.depth -= 1
            self.line("}")

    def name(self, assign: Assign) -> None:
        """A name for a word that is used several times."""
        self.line(f"const Value {identifier(assign.name)} = {self.writer.value(assign.word)};")
        self.line(f"(void){identifier(assign.name)};")


Sink = Callable[[CPage, Block], None]
"""Writes what becomes of a block's successor, where the block is taken."""


def write_blocks(page: CPage, plan: Sequence[Stretch], sink: Sink, kinds: Kinds, live: bool) -> None:
    """Every block in order, counted; `live` says whether it is noted that any was taken."""
    for stretch in plan:
        if stretch.groups is None:
            for block in stretch.blocks:
                _write_single(page, block, sink, kinds, live)
            continue
        if stretch.times is not None:
            page.line(f"n{stretch.blocks[0].action} += (uint64_t){page.writer.value(stretch.times)};")
        _write_members(page, stretch.groups, sink, stretch.times is None, live)


def longest(blocks: Sequence[Block]) -> int:
    """The most successors that the blocks may hand on for one state."""
    total = 0
    for block in blocks:
        times = 1
        for loop in block.loops:
            times *= loop.over.length if isinstance(loop.over, Enumerated) else _length(loop)
        total += times
    return total


def _length(loop: Loop) -> int:
    return len(loop.over) if isinstance(loop.over, range) else loop.layout.ranks


def _write_members(page: CPage, members: Sequence[Group | Member], sink: Sink, count: bool, live: bool) -> None:
    certain = Counter(
        member.block.action for member in members if isinstance(member, Member) and member.test == low.TRUE
    )
    for action, times in certain.items():
        _note(page, action, times, count, live)
    for member in members:
        if member.test == low.FALSE:
            continue
        depth = page.depth
        if member.test != low.TRUE:
            page.open(f"if ({page.writer.test(member.test)})")
        if isinstance(member, Group):
            _write_members(page, member.members, sink, count, live)
        else:
            if member.test != low.TRUE:
                _note(page, member.block.action, 1, count, live)
            sink(page, member.block)
        page.close(depth)


def _note(page: CPage, action: int, times: int, count: bool, live: bool) -> None:
    if count:
        page.line(f"n{action} += {times};")
    if live:
        page.line("live = 1;")


def _write_single(page: CPage, block: Block, sink: Sink, kinds: Kinds, live: bool) -> None:
    """A block with loops, obligations or names of its own."""
    depth = page.depth
    for loop in block.loops:
        _open_loop(page, loop)
    if not block.loops:
        page.open("")
    for item in block.items:
        match item:
            case Assign():
                page.name(item)
            case Oblige(test):
                page.open(f"if (!{page.writer.test(test)})")
                page.line(f"FLAG({kinds.well_defined}, s);")
                page.close(page.depth - 1)
                page.open("else")
            case _:
                page.open(f"if ({page.writer.test(item.test)})")
    _note(page, block.action, 1, True, live)
    sink(page, block)
    page.close(depth)


def loop_values(loop: Loop, writer: CWriter, functions: Mapping[str, Callable[..., Any]]) -> tuple[int, ...]:
    """The codes that a loop runs through, in order. Raises `NotInC` where they are too many to be listed."""
    match loop.over:
        case range() as numbers:
            found: Iterable[int] = numbers
        case Table(table):
            found = writer.values_of(table)
        case Enumerated(function, length):
            if length > MAX_ENUMERATED:
                raise NotInC(f"a parameter with {length:,} values")
            found = functions[function]()
    return tuple(found)


def _open_loop(page: CPage, loop: Loop) -> None:
    name = identifier(loop.name)
    match loop.over:
        case range() as numbers:
            length = numbers.stop - numbers.start  # which `len` cannot say of long ones
            if length >= 1 << WORD:
                raise NotInC(f"a parameter with {length:,} values")
            # A range may begin below zero: as many rounds, and the code is represented modulo the size of a Value.
            page.open(f"for (uint64_t i_{name} = 0; i_{name} < {length}; i_{name}++)")
            start = f"{page.writer.number(numbers.start)} + " if numbers.start else ""
            page.line(f"const Value {name} = {start}(Value)i_{name};")
        case Table(table):
            _open_table(page, name, table, loop_values(loop, page.writer, page.functions))
        case Enumerated(function):
            _open_table(page, name, f"E_{function}", loop_values(loop, page.writer, page.functions))
    page.line(f"(void){name};")


def _open_table(page: CPage, name: str, table: str, values: tuple[int, ...]) -> None:
    if max(values, default=0) >= 1 << WORD:
        raise NotInC("a parameter whose values need more than 64 bits")
    table = page.writer.table(table, values)
    page.open(f"for (uint64_t i_{name} = 0; i_{name} < {len(values)}; i_{name}++)")
    page.line(f"const Value {name} = (Value){table}[i_{name}];")


# ------------------------------------------------------------------------------------------------------- sinks


def search_sink(kinds: Kinds, watch: Watch | None = None) -> Sink:
    """A successor is checked, and handed on where it differs."""

    def write(page: CPage, block: Block) -> None:
        effect = block.effect
        depth = page.depth
        page.open("")
        _open_effect(page, block, f"FLAG({kinds.type_ok}, s);")
        if effect.changing is False:
            page.line("same++;")
            page.close(depth)
            return
        _write_successor(page, block, "s")
        if effect.changing is None:
            page.open("if (SAME(t, s))")
            page.line("same++;")
            page.close(page.depth - 1)
            page.open("else")
        for check in effect.checks:
            write_property(page, check.number, check.defined, check.holds, kinds)
        if watch is not None and block.action in watch.actions:
            page.line(f"if ({watch.function}(s, t)) FLAG({watch.number}, s);")
        page.line("FOUND(t);")
        page.close(depth)

    return write


def initial_sink(kinds: Kinds) -> Sink:
    """An initial state is handed on; one outside its domains only counts."""

    def write(page: CPage, block: Block) -> None:
        depth = page.depth
        page.open("")
        _open_effect(page, block, f"FLAG({kinds.type_ok}, s);")
        _write_successor(page, block, None)
        page.line("FOUND(t);")
        page.close(depth)

    return write


def successor_sink(before: str | None) -> Sink:
    """Every successor is handed on, unchecked: of the state before, or of a word of zeros where there is none."""

    def write(page: CPage, block: Block) -> None:
        depth = page.depth
        page.open("")
        _open_effect(page, block, ";")
        _write_successor(page, block, before)
        page.line("FOUND(t);")
        page.close(depth)

    return write


def write_view(page: CPage, defined: Low, effect: Effect | None, undefined: int, outside: int) -> None:
    """The body of a function that writes a state's abstract state to `*found` and returns 0, or why there is none."""
    if defined != low.TRUE:
        page.line(f"if (!{page.writer.test(defined)}) return {undefined};")
    if effect is None:
        return
    for assign in effect.assigns:
        page.name(assign)
    if effect.fits != low.TRUE:
        page.line(f"if (!{page.writer.test(effect.fits)}) return {outside};")
    page.line(f"*found = (uint64_t){page.writer.value(effect.successor)};")
    page.line("return 0;")


def edge_sink(labels: Mapping[int, str]) -> Sink:
    """Every step that changes something is handed on with the C expression of the constraints that it serves."""

    def write(page: CPage, block: Block) -> None:
        effect = block.effect
        if effect.changing is False:
            return
        depth = page.depth
        page.open("")
        _open_effect(page, block, ";")
        _write_successor(page, block, "s")
        test = "if (!SAME(t, s)) " if effect.changing is None else ""
        page.line(f"{test}EDGE(t, {labels[id(block)]});")
        page.close(depth)

    return write


def write_property(page: CPage, number: int, defined: Low, holds: Low, kinds: Kinds) -> None:
    """A test: reported where it is undefined, and where it is false."""
    keyword = "if"
    if defined != low.TRUE:
        page.open(f"if (!{page.writer.test(defined)})")
        page.line(f"FLAG({kinds.well_defined}, s);")
        page.close(page.depth - 1)
        keyword = "else if"
    if holds != low.TRUE:
        page.open(f"{keyword} ({page.writer.test(low.negate(holds))})")
        page.line(f"FLAG({number}, s);")
        page.close(page.depth - 1)


def _open_effect(page: CPage, block: Block, otherwise: str) -> None:
    effect = block.effect
    for assign in effect.assigns:
        page.name(assign)
    if effect.fits != low.TRUE:
        page.open(f"if (!{page.writer.test(effect.fits)})")
        page.line(otherwise)
        page.close(page.depth - 1)
        page.open("else")


def _write_successor(page: CPage, block: Block, before: str | None) -> None:
    """`t`, the state after the block."""
    writer, effect = page.writer, block.effect
    if writer.words == 1 and writer.bits == WORD:
        page.line(f"const State t = {writer.value(effect.successor)};")
        return
    # Of several words, or with values of more bits than a word: field by field.
    page.line(f"State t = {before if before is not None else '(State){0}'};")
    for text in replaced(writer, effect.changes):
        page.line(text)


def replaced(writer: CWriter, changes: Sequence[Change]) -> Iterator[str]:
    """Statements that give fields of the state `t` new codes."""
    for number, change in enumerate(changes):
        yield from _changed(writer, change, f"c{number}")


def _changed(writer: CWriter, change: Change, name: str) -> Iterator[str]:
    if change.width == 0:
        return
    if change.width > writer.bits:
        raise NotInC(f"a value of {change.width} bits")
    yield f"const Value {name} = {writer.value(change.code)};"
    for place in range(change.offset // WORD, (change.offset + change.width - 1) // WORD + 1):
        first = max(change.offset, place * WORD)
        last = min(change.offset + change.width, (place + 1) * WORD)
        ones = (1 << last - first) - 1
        part = f"({name} >> {first - change.offset})" if first > change.offset else name
        word = "t" if writer.words == 1 else f"t.w[{place}]"
        mask = f"0x{ones << first - place * WORD:x}ULL"
        yield f"{word} = ({word} & ~{mask}) | (((uint64_t){part} << {first - place * WORD}) & {mask});"
