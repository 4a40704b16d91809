"""An instance's program as C: one self-contained source, laid out by `explorer.c.j2` around `reached.c` and `search.c`.

States are laid out as in the Python program, so that each reads the other's.
"""

from __future__ import annotations

import textwrap
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .. import ir
from . import c_emit, emit, low
from .c_emit import CPage
from .c_liveness import c_liveness
from .c_reduction import reduction_lines
from .c_render import WORD, CWriter, NotInC
from .emit import INDENT
from .program import template
from .refinement import OUTSIDE, UNDEFINED, seen_effect
from .steps import Block

if TYPE_CHECKING:
    from .program import Assembly, Program

NARROW = 29
"""Up to so many bits a state, a bit is set aside for each word that there may be: at most 64 MiB."""

MOST_SUCCESSORS = 1 << 14
"""Up to so many successors of one state there is always room for all of them."""


@dataclass(frozen=True)
class CProgram:
    """C source for an instance, of how many words its states are, the reachability properties whose first states it
    looks for, and the liveness properties that it judges, in order."""

    source: str
    words: int
    wanted: tuple[str, ...]
    liveness: tuple[str, ...] = ()


def c_program(
    program: Program, wanted: tuple[ir.Property, ...] = (), liveness: tuple[ir.Property, ...] = ()
) -> CProgram:
    """The source that searches the states of a program. Raises `NotInC` where C's integers cannot do it.

    Liveness is left out where it alone cannot be said in C: it is judged elsewhere then.
    """
    for judged in dict.fromkeys((liveness, ())):
        for bits in (WORD, 2 * WORD):
            with suppress(NotInC):
                return _Source(program, wanted, judged, bits).program()
    return _Source(program, wanted, (), 2 * WORD).program()


class _Source:
    """One source in the making, with values of so many bits."""

    def __init__(
        self, program: Program, wanted: tuple[ir.Property, ...], liveness: tuple[ir.Property, ...], bits: int
    ) -> None:
        self.source = program
        self.liveness = liveness
        self.assembly: Assembly = program.assembly
        self.wanted = wanted
        width = program.frame.width
        self.words = max(1, -(-width // WORD))
        self.writer = CWriter(bits, self.words, self.assembly.builder)

    def page(self) -> CPage:
        return CPage(self.writer, self.assembly.builder.functions)

    def program(self) -> CProgram:
        assembly, program = self.assembly, self.source
        blocks = program.blocks
        initial, expand, check = self.initial(), self.expand(blocks), self.check()
        refined = self.refined()
        reduction = reduction_lines(program.reduction, self.writer) if program.reduction is not None else []
        tests = [self.writer.test(assembly.guarded(item)) for item in self.wanted]
        liveness = c_liveness(program, self.liveness, self.writer) if self.liveness else None
        most = c_emit.longest(blocks)
        text = template("explorer.c.j2").render(
            title=assembly.title,
            words=self.words,
            frame=assembly.description,
            width=program.frame.width,
            # The search for fair cycles asks for the place of a state, which a bitmap does not have.
            narrow=-1 if liveness is not None else NARROW,
            bits=self.writer.bits,
            actions=len(assembly.protocol.actions),
            kinds=len(program.order),
            well_defined=assembly.kinds.well_defined,
            deadlock=assembly.kinds.deadlock,
            looks_ahead=int(program.looks_ahead),
            # Of initial states there is always room for one more.
            room=max(1, most) if most <= MOST_SUCCESSORS else 1,
            many=most > MOST_SUCCESSORS,
            search=f"{_core('reached.c')}\n\n{_core('search.c')}",
            liveness=None if liveness is None else {**vars(liveness), "search": _core("liveness.c")},
            refined=refined,
            reduction=reduction,
            tables=[(name, _kind(values), _listed(values)) for name, values in sorted(self.writer.used.items())],
            initial=initial,
            expand=expand,
            check=check,
            wanted=tests,
        )
        return CProgram(
            text, self.words, tuple(item.name for item in self.wanted), tuple(item.name for item in self.liveness)
        )

    def initial(self) -> list[str]:
        assembly = self.assembly
        page = self.page()
        plan = emit.stretches(assembly.initial_blocks(), assembly.builder)
        c_emit.write_blocks(page, plan, c_emit.initial_sink(assembly.kinds), assembly.kinds, live=False)
        return page.lines

    def expand(self, blocks: tuple[Block, ...]) -> list[str]:
        assembly = self.assembly
        watched = assembly.watches_deadlock(blocks)
        terminal = assembly.terminal()
        plan = emit.stretches(blocks, assembly.builder)
        page = self.page()
        if watched:
            page.line("int live = 0;")
        refined = self.source.refined
        watch = emit.Watch(refined.number, "strays", refined.actions) if refined is not None else None
        c_emit.write_blocks(page, plan, c_emit.search_sink(assembly.kinds, watch), assembly.kinds, live=watched)
        keyword = "if"
        if terminal != low.FALSE:
            page.line(f"if ({self.writer.test(terminal)}) terminated++;")
            keyword = "else if"
        if watched:
            page.line(f"{keyword} (!live) FLAG({assembly.kinds.deadlock}, s);")
        return page.lines

    def refined(self) -> dict[str, Any] | None:
        """What is refined: the view of a state, and the steps of the abstract protocol."""
        refined = self.source.refined
        if refined is None:
            return None
        abstract = refined.abstract
        if abstract.frame.width > WORD:
            raise NotInC(f"what it refines has states of {abstract.frame.width} bits")
        assembly = self.assembly
        view = self.page()
        test, effect = seen_effect(assembly.protocol, assembly.scope, abstract.frame)
        c_emit.write_view(view, test, effect, UNDEFINED, OUTSIDE)
        builder = abstract.assembly.builder
        writer = CWriter(self.writer.bits, 1, builder, "A")
        pages = []
        for blocks, before in ((abstract.blocks, "s"), (abstract.assembly.initial_blocks(), None)):
            page = CPage(writer, builder.functions)
            plan = emit.stretches(blocks, builder)
            c_emit.write_blocks(page, plan, c_emit.successor_sink(before), abstract.assembly.kinds, live=False)
            pages.append(page.lines)
        self.writer.used.update(writer.used)
        return {
            "number": refined.number,
            "actions": len(abstract.instance.protocol.actions),
            "view": view.lines,
            "steps": pages[0],
            "initial": pages[1],
        }

    def check(self) -> list[str]:
        page = self.page()
        for number, defined, holds in self.assembly.state_tests():
            c_emit.write_property(page, number, defined, holds, self.assembly.kinds)
        return page.lines


def _kind(values: tuple[int, ...]) -> str:
    """The narrowest C type that has every value."""
    least, most = min(values, default=0), max(values, default=0)
    for bits in (8, 16, 32, 64):
        if least >= 0 and most < 1 << bits:
            return f"uint{bits}_t"
        if -(1 << bits - 1) <= least and most < 1 << bits - 1:
            return f"int{bits}_t"
    raise NotInC("a table of numbers of more than 64 bits")


def _listed(values: tuple[int, ...]) -> str:
    suffix = "LL" if min(values, default=0) < 0 else "ULL"
    items = ", ".join(f"{value}{suffix if abs(value) >= 1 << 31 else ''}" for value in values or (0,))
    if len(items) < 90:
        return items
    return f"\n{textwrap.fill(items, 116, initial_indent=INDENT, subsequent_indent=INDENT)}\n"


@cache
def _core(name: str) -> str:
    return files("protocheck.templates").joinpath(name).read_text(encoding="utf-8").rstrip()
