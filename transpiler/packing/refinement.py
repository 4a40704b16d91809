"""A refining program and the program of what it refines: packed states are mapped to packed abstract states.

    s → seen(s) = the word of the abstract state, by generated code
    a step s → t strays where seen(t) is neither seen(s) nor among the successors of seen(s) in the abstract program

The successors of each abstract state are asked of its program once. Nothing here evaluates an expression itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .. import ir, traverse
from ..conditions import TRUE
from ..definedness import abstractions_defined
from . import emit, low
from .low import Low
from .scope import Scope
from .steps import Effect, Frame, Lowering, lower_effect

if TYPE_CHECKING:
    from .program import Edge, Program  # which makes use of this module

UNDEFINED, OUTSIDE = -1, -2
"""What stands for the abstract state where an abstraction has no value, and where one lies outside its domain."""


@dataclass
class Refined:
    """The abstract program and the map to its states.

    `number` is the kind of violation, `actions` are the places of those that may change what the abstractions read.
    """

    number: int
    actions: frozenset[int]
    abstract: Program
    seen: Callable[[int], int]
    _edges: Callable[[int, Edge], None] = field(init=False)
    _successors: dict[int, set[int]] = field(default_factory=dict)
    _initial: set[int] | None = None
    _before: tuple[int, int] = (-1, UNDEFINED)

    def __post_init__(self) -> None:
        self._edges = self.abstract.edges()

    def begins(self, state: int) -> bool:
        """Whether an initial state is one of the abstract program's; true where that cannot be said."""
        seen = self.seen(state)
        if seen == UNDEFINED:
            return True
        if self._initial is None:
            found: list[int] = []
            self.abstract.initial(found.append, lambda kind, state: None)
            self._initial = set(found)
        return seen in self._initial

    def strays(self, before: int, after: int) -> bool:
        """Whether a step is none of the abstract program's.

        Where the state before has no abstract state, or the one after no value, something else has been reported.
        """
        if self._before[0] != before:  # a state's steps come one after the other
            self._before = (before, self.seen(before))
        source, target = self._before[1], self.seen(after)
        if source == target or source < 0 or target == UNDEFINED:
            return False
        return target not in self._successors_of(source)

    def _successors_of(self, state: int) -> set[int]:
        found = self._successors.get(state)
        if found is None:
            found = self._successors[state] = set()
            self._edges(state, lambda block, codes, target: found.add(target))
        return found


def affecting(protocol: ir.Protocol) -> frozenset[int]:
    """The places of the actions that assign to what an abstraction reads."""
    assert protocol.refinement is not None
    values = (item.value for item in protocol.refinement.variables)
    read = frozenset[str]().union(*(traverse.variables_of(value, protocol) for value in values))
    return frozenset(
        place
        for place, action in enumerate(protocol.actions)
        if any(update.variable in read for update in action.updates)
    )


def seen_effect(protocol: ir.Protocol, scope: Scope, frame: Frame) -> tuple[Low, Effect | None]:
    """Whether a state `s` has an abstract state, and how that comes to be, as a change of a word of zeros: a state of
    the frame, which is the abstract program's."""
    assert protocol.refinement is not None
    defined = abstractions_defined(protocol)
    test = low.TRUE if defined == TRUE else scope.truth(defined)
    if test == low.FALSE:
        return test, None
    updates = tuple(ir.Update(item.name, item.value, span=item.span) for item in protocol.refinement.variables)
    work = Lowering(scope.assume(test), [], "seen_")
    return test, lower_effect(updates, work, replace(frame, word=low.ZERO), ())


def seen_lines(protocol: ir.Protocol, scope: Scope, frame: Frame) -> list[str]:
    """The body of the function that maps a state `s` to a state of the frame: the abstract program's."""
    test, effect = seen_effect(protocol, scope, frame)

    def body(page: emit.Page) -> None:
        if test != low.TRUE:
            page.line(f"if not ({page.test(test)}):")
            page.line(f"{emit.INDENT}return {UNDEFINED}")
        if effect is None:
            return
        for assign in effect.assigns:
            page.line(f"{assign.name} = {page.writer.value(assign.word)}")
        if effect.fits != low.TRUE:
            page.line(f"if not ({page.test(effect.fits)}):")
            page.line(f"{emit.INDENT}return {OUTSIDE}")
        page.line(f"return {page.writer.value(effect.successor)}")

    return emit.without_names(body)
