"""What the search for fair cycles needs to know of a protocol, as C: the steps, which constraints each serves, and the
properties."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import ir
from ..fairness import Constraint, constraints
from . import c_emit, emit
from .c_emit import CPage
from .c_render import CWriter, NotInC, identifier
from .steps import Block

if TYPE_CHECKING:
    from .program import Program

MOST_CONSTRAINTS = 64
MOST_LISTED = 1 << 16
"""So many combinations of a block's arguments are listed with the constraints that they serve."""

KINDS = {"eventually": 0, "infinitely_often": 1, "eventually_always": 2, "leads_to": 3}
"""As in `liveness.c`."""


@dataclass(frozen=True)
class CLiveness:
    """Properties by kind, their bodies and (with their places) what some of them lead to, as C tests; the steps from a
    state as C statements; constraints as bits, and the C type that has all of them."""

    kinds: tuple[int, ...]
    bodies: tuple[str, ...]
    goals: tuple[tuple[int, str], ...]
    edges: tuple[str, ...]
    type: str
    all: int
    strong: int


def c_liveness(program: Program, properties: tuple[ir.Property, ...], writer: CWriter) -> CLiveness:
    """The C parts for these properties. Raises `NotInC`."""
    fairness = constraints(program.instance)
    if len(fairness) > MOST_CONSTRAINTS:
        raise NotInC(f"{len(fairness)} fairness constraints")
    assembly = program.assembly
    page = CPage(writer, assembly.builder.functions)
    labels = {id(block): _served(program, block, number, fairness, page) for number, block in enumerate(program.blocks)}
    plan = emit.stretches(program.blocks, assembly.builder)
    c_emit.write_blocks(page, plan, c_emit.edge_sink(labels), assembly.kinds, live=False)
    # Safety holds where this is asked, so that every property has a value in every state.
    scope = assembly.scope
    return CLiveness(
        kinds=tuple(KINDS[item.kind] for item in properties),
        bodies=tuple(writer.test(scope.truth(item.body)) for item in properties),
        goals=tuple(
            (number, writer.test(scope.truth(item.target)))
            for number, item in enumerate(properties)
            if item.target is not None
        ),
        edges=tuple(page.lines),
        type=next(f"uint{bits}_t" for bits in (8, 16, 32, 64) if len(fairness) <= bits),
        all=(1 << len(fairness)) - 1,
        strong=sum(1 << bit for bit, item in enumerate(fairness) if item.strength == "strong"),
    )


def _served(program: Program, block: Block, number: int, fairness: tuple[Constraint, ...], page: CPage) -> str:
    """The C expression of the constraints that a step of the block serves: of all its loops' rounds, one by one."""
    loops = block.loops
    values = [c_emit.loop_values(loop, page.writer, page.functions) for loop in loops]
    if math.prod(map(len, values)) > MOST_LISTED:
        raise NotInC("an action with too many arguments for its fairness to be listed")
    masks = tuple(_masks(program, number, values, fairness))
    if len(set(masks)) == 1:
        return f"0x{masks[0]:x}ULL"
    name = page.writer.table(f"F{number}", masks)
    place = ""
    for loop, listed in zip(loops, values, strict=True):
        place = f"({place}) * {len(listed)} + i_{identifier(loop.name)}" if place else f"i_{identifier(loop.name)}"
    return f"{name}[{place}]"


def _masks(
    program: Program, number: int, values: list[tuple[int, ...]], fairness: tuple[Constraint, ...]
) -> Iterator[int]:
    for codes in itertools.product(*values):
        action, arguments = program.arguments(number, codes)
        yield sum(1 << bit for bit, item in enumerate(fairness) if item.covers(action, arguments))
