"""Actions → blocks: for each argument tuple what is tested, what is obliged, and how the state word changes.

Parameters are unrolled into constants up to a limit and loop variables beyond it. Guards that hold are facts for what
comes after them, so that most range checks, obligations and transition invariants are decided here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .. import domains, ir
from ..definedness import Obligation
from ..domains import Domain
from . import facts as knowledge
from . import layouts, low
from .builder import Builder
from .expressions import interpreted
from .fitting import entries, fit
from .layouts import Layout
from .low import Bound, Low
from .scope import Scope
from .values import Boxed, Code, Entries, ExoticError, Known, Listing, Number, Parts, Run, Truth, Value, of_code

MAX_UNROLLED = 128
"""So many argument tuples of an action become code of their own."""

MAX_OPERATIONS = 1500
"""As long as a search is short, unrolled code may have so many operations an action: making more takes too long."""

COSTLY = 12
"""A local name or a new value that costs more operations is computed once, into a name."""


@dataclass(frozen=True)
class Oblige:
    """Where the test is false, `well_defined` is violated and nothing more of the block is evaluated."""

    test: Low


@dataclass(frozen=True)
class Require:
    """Where the test is false, the block is left: a guard or an assumption."""

    test: Low


@dataclass(frozen=True)
class Assign:
    """A name for a word that is used several times."""

    name: str
    word: Low


@dataclass(frozen=True)
class Loop:
    """A parameter that is not unrolled: a name for its code, which runs through numbers, or the codes of a table, or
    those that a function hands on."""

    name: str
    over: range | Table | Enumerated
    layout: Layout


@dataclass(frozen=True)
class Table:
    """A table of the generated module, by its name."""

    name: str


@dataclass(frozen=True)
class Enumerated:
    """A function that the generated module is given, by its name, and how many codes it hands on."""

    function: str
    length: int


@dataclass(frozen=True)
class Change:
    """A field of the state word with its new code."""

    offset: int
    width: int
    code: Low


@dataclass(frozen=True)
class StepCheck:
    """A transition invariant that is not proved: where it is defined it must hold; `number` says which it is."""

    number: int
    defined: Low
    holds: Low


@dataclass(frozen=True)
class Effect:
    """What a step does where it is taken.

    `fits` is the test that every new value lies in its domain; `changes` are the fields with new codes, `successor`
    the new state word where `fits` holds. `changing` is whether the step changes something: True, False, or None where
    that has to be compared.
    """

    assigns: tuple[Assign, ...]
    fits: Low
    successor: Low
    changing: bool | None
    checks: tuple[StepCheck, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Block:
    """An action for one argument tuple, or for all those that its loops run through.

    `arguments` gives each parameter its known value or the name of its loop.
    """

    action: int
    arguments: tuple[Known | Loop, ...]
    items: tuple[Oblige | Require | Assign, ...]
    effect: Effect

    @property
    def loops(self) -> tuple[Loop, ...]:
        return tuple(argument for argument in self.arguments if isinstance(argument, Loop))

    @property
    def operations(self) -> int:
        """How many operations the block takes."""
        effect = self.effect
        words = [item.word if isinstance(item, Assign) else item.test for item in self.items]
        words += [effect.fits, effect.successor, *(assign.word for assign in effect.assigns)]
        words += [word for check in effect.checks for word in (check.defined, check.holds)]
        return sum(map(low.cost, words))

    @cached_property
    def guard(self) -> Low | None:
        """The test that enables the block; None where it cannot be said in one test."""
        if self.loops or not all(isinstance(item, Require) for item in self.items):
            return None
        return low.both(*(item.test for item in self.items if isinstance(item, Require)))


@dataclass(frozen=True)
class TransitionInvariant:
    """What is asked of every step that changes something, and when it is defined; no body: only whether it is."""

    number: int
    body: ir.Expr | None
    defined: ir.Expr


@dataclass(frozen=True)
class Frame:
    """The state word and where each variable lies in it; before there is a state the word is zero."""

    word: Low
    offsets: Mapping[str, int]
    layouts: Mapping[str, Layout]
    width: int


# ------------------------------------------------------------------------------------------------------ arguments


Arguments = tuple[tuple[Known | Loop, ...], dict[str, Value]]
"""The arguments of a block, and what the names of the parameters stand for."""


def argument_tuples(
    action: str, parameters: tuple[ir.Parameter, ...], builder: Builder, limit: int
) -> Iterator[Arguments]:
    """Every combination of arguments in canonical order; those unrolled are known, the others loop variables."""
    sizes = [domains.size(builder.instance.parameters[action, parameter.name]) for parameter in parameters]
    unrolled, total = 0, 1
    # Only leading parameters are unrolled, since the leftmost varies slowest.
    while unrolled < len(sizes) and total * sizes[unrolled] <= limit:
        total *= sizes[unrolled]
        unrolled += 1
    given = [tuple(domains.values(builder.instance.parameters[action, item.name])) for item in parameters[:unrolled]]
    rest = [_loop(item.name, builder.instance.parameters[action, item.name], builder) for item in parameters[unrolled:]]
    for chosen in itertools.product(*given):
        known = tuple(map(Known, chosen))
        arguments: tuple[Known | Loop, ...] = (*known, *(loop for loop, _ in rest))
        values: tuple[Value, ...] = (*known, *(value for _, value in rest))
        names = [parameter.name for parameter in parameters]
        yield arguments, dict(zip(names, values, strict=True))


def _loop(name: str, domain: Domain, builder: Builder) -> tuple[Loop, Value]:
    layout = layouts.layout_of(domain, builder.interned)
    variable = f"p_{name}"
    if isinstance(layout, layouts.IntLayout):
        first, last = layout.low - layout.base, layout.high - layout.base
        word = low.Name(variable, first, last)
        return Loop(variable, range(first, last + 1), layout), of_code(builder, layout, word)
    word = low.Name(variable, 0, layouts.span(layout) - 1)
    if isinstance(layout, layouts.BoolLayout | layouts.ChoiceLayout):
        return Loop(variable, range(layout.ranks), layout), of_code(builder, layout, word)
    if domains.size(domain) <= layouts.MAX_SET:
        table = builder.table(tuple(layouts.encode(layout, value) for value in domains.values(domain)))
        return Loop(variable, Table(table), layout), of_code(builder, layout, word)

    def codes() -> Iterator[int]:
        return (layouts.encode(layout, value) for value in domains.values(domain))

    over = Enumerated(builder.function("codes", codes), domains.size(domain))
    return Loop(variable, over, layout), of_code(builder, layout, word)


# ---------------------------------------------------------------------------------------------------------- steps


@dataclass
class Lowering:
    """One block in the making: the scope so far, and the items so far."""

    scope: Scope
    items: list[Oblige | Require | Assign]
    prefix: str
    kind: str = "a"
    """What generated names begin with: `a` and `u` before a number, `p_`, `v_` and `T` are never the same name."""

    def name(self, hint: str, least: Bound, most: Bound) -> low.Name:
        """A name that no other word of the block has."""
        return low.Name(f"{self.kind}{self.prefix}{hint}", least, most)

    def require(self, test: Low) -> None:
        """Leave the block where the test is false."""
        if test != low.TRUE:
            self.items.append(Require(test))
            self.scope = self.scope.assume(test)

    def oblige(self, test: Low) -> None:
        """Report a violation where the test is false."""
        if test != low.TRUE:
            self.items.append(Oblige(test))
            self.scope = self.scope.assume(test)

    def named(self, value: Value, hint: str, condition: Low = low.TRUE) -> Value:
        """The value, computed once where that is worth a name; computed only where the condition holds."""
        match value:
            case Number(word) | Boxed(word) | Code(_, word) if low.cost(word) > COSTLY:
                least, most = knowledge.bounds(word, self.scope.facts)
                name = self.name(hint, least, most)
                self.items.append(
                    Assign(name.name, low.Choose(condition, word, low.ZERO) if condition != low.TRUE else word)
                )
                return replace(value, low=name)
            case Truth(word) if low.cost(word) > COSTLY:
                name = self.name(hint, 0, 1)
                self.items.append(Assign(name.name, low.both(condition, word)))
                return Truth(name)
            case Parts() | Entries() | Listing() if condition != low.TRUE:
                # An item may be no more than a part of something that is asked for without the condition. Local names
                # begin with no number, so that those of their parts are never the same.
                parts = (self.named(item, f"{place}of_{hint}", condition) for place, item in enumerate(value.items))
                return replace(value, items=tuple(parts))
            case Run() if condition != low.TRUE:
                length = self.named(Number(value.length), f"0of_{hint}", condition)
                elements = self.named(Number(value.elements), f"1of_{hint}", condition)
                assert isinstance(length, Number)
                assert isinstance(elements, Number)
                return replace(value, length=length.low, elements=elements.low)
            case _:
                return value

    @property
    def impossible(self) -> bool:
        """Whether no state reaches what comes next."""
        return any(not isinstance(item, Assign) and item.test == low.FALSE for item in self.items)


def lower_steps(steps: tuple[ir.Step, ...], obligations: tuple[Obligation, ...], scope: Scope, prefix: str) -> Lowering:
    """Guards, assumptions, assertions and local names, with what must be defined before each."""
    work = Lowering(scope, [], prefix)
    lengths = [len(obligation.steps_before) for obligation in obligations]
    if lengths != sorted(lengths):
        raise AssertionError("guards of one call stand together, so that obligations are in the order of the steps")
    place = 0
    while place < len(steps) and not work.impossible:
        group = [steps[place]]
        while isinstance(steps[place], ir.Guard) and place + len(group) < len(steps):
            following = steps[place + len(group)]
            if not (isinstance(following, ir.Guard) and following.call == group[0].call):  # type: ignore[union-attr]
                break
            group.append(following)
        _oblige_all(work, obligations, place)
        # Guards of one call are evaluated whatever the others say, but none of them changes what the others mean.
        for step in group:
            if not work.impossible:
                _lower_step(work, step)
        place += len(group)
    if not work.impossible:
        _oblige_all(work, obligations, len(steps))
    return work


def _oblige_all(work: Lowering, obligations: tuple[Obligation, ...], place: int) -> None:
    for obligation in obligations:
        if len(obligation.steps_before) == place and not work.impossible:
            work.oblige(work.scope.truth(obligation.condition))


def _lower_step(work: Lowering, step: ir.Step) -> None:
    when = low.TRUE if step.when is None else work.scope.truth(step.when)
    if when == low.FALSE:
        return
    inner = work.scope.assume(when)
    match step:
        case ir.Bind():
            value = work.named(inner.value(step.value), step.name, when)
            work.scope = work.scope.bind(step.name, value)
        case ir.Guard() | ir.Assume():
            work.require(low.either(low.negate(when), inner.truth(step.condition)))
        case ir.Oblige():
            pass  # part of the obligations


@dataclass(frozen=True)
class Task:
    """An action to be lowered, or init, which has no name: its place, parameters, steps and updates."""

    number: int
    name: str
    parameters: tuple[ir.Parameter, ...]
    steps: tuple[ir.Step, ...]
    updates: tuple[ir.Update, ...]
    obligations: tuple[Obligation, ...]


def lower_task(
    task: Task, scope: Scope, frame: Frame, invariants: tuple[TransitionInvariant, ...], thorough: bool
) -> Iterator[Block]:
    """The blocks of an action, one an argument tuple; those that no state can reach are left out.

    Unless it is to be thorough, what would become long is left in loops.
    """

    def lowered(place: int, given: Arguments) -> Block | None:
        arguments, values = given
        prefix = f"{place}_{task.name or 'init'}_"
        work = lower_steps(task.steps, task.obligations, replace(scope, locals=values), prefix)
        if not work.impossible:
            effect = lower_effect(task.updates, work, frame, invariants)
        elif any(isinstance(item, Oblige) for item in work.items):
            # It is never taken, but evaluating it may be a violation.
            effect = Effect((), low.TRUE, frame.word, False)
        else:
            return None
        return Block(task.number, arguments, tuple(work.items), effect)

    unrolled = list(argument_tuples(task.name, task.parameters, scope.builder, MAX_UNROLLED))
    if len(unrolled) > 1 and not thorough:
        sample = lowered(0, unrolled[len(unrolled) // 2])
        if sample is not None and sample.operations * len(unrolled) > MAX_OPERATIONS:
            unrolled = list(argument_tuples(task.name, task.parameters, scope.builder, 1))
    for place, given in enumerate(unrolled):
        block = lowered(place, given)
        if block is not None:
            yield block


def lower_effect(
    updates: tuple[ir.Update, ...], work: Lowering, frame: Frame, invariants: tuple[TransitionInvariant, ...]
) -> Effect:
    """The new state word, and what has to be checked before it counts."""
    scope = work.scope
    naming = Lowering(scope, [], work.prefix, "u")
    after = dict(scope.variables)
    changes: list[Change] = []
    fits: Low = low.TRUE
    for update in updates:
        layout = frame.layouts[update.variable]
        value = naming.named(scope.value(update.value), f"{update.variable}_after")
        try:
            found = list(_changes(value, layout, frame.offsets[update.variable], frame, scope))
        except ExoticError:
            value, test = _encoded(naming, interpreted(update.value, scope), layout, update.variable)
            fits = low.both(fits, test)
            found = list(_changes(value, layout, frame.offsets[update.variable], frame, scope))
        after[update.variable] = value
        for change, test in found:
            changes.append(change)
            fits = low.both(fits, test)
    fits = knowledge.decide(fits, scope.facts)
    assigns = tuple(item for item in naming.items if isinstance(item, Assign))
    inside = scope.assume(fits)
    successor, changing = compose(changes, frame, inside.facts)
    checks = () if changing is False else tuple(_checks(invariants, replace(inside, after=after)))
    return Effect(assigns, fits, successor, changing, checks, tuple(changes))


def _encoded(naming: Lowering, value: Value, layout: Layout, hint: str) -> tuple[Value, Low]:
    """A Python value as one of the variable's layout, and the test that the layout has it."""
    if not isinstance(value, Boxed | Number):
        raise AssertionError(f"{value} has a layout of its own")
    is_int = isinstance(value, Number)

    def encode(given: Any) -> int:
        try:
            return layouts.encode(layout, int(given) if is_int else given)
        except layouts.OutsideError:
            return -1

    builder = naming.scope.builder
    name = naming.name(f"{hint}_code", -1, layouts.span(layout) - 1)
    naming.items.append(Assign(name.name, low.Invoke(builder.function("encode", encode), (value.low,), -1)))
    inside = replace(name, low=0)
    return of_code(builder, layout, inside), low.at_most(low.ZERO, name)


def _checks(invariants: tuple[TransitionInvariant, ...], scope: Scope) -> Iterator[StepCheck]:
    for invariant in invariants:
        defined = scope.truth(invariant.defined)
        holds: Low = low.TRUE
        if invariant.body is not None and defined != low.FALSE:
            holds = scope.assume(defined).truth(invariant.body)
        if defined != low.TRUE or holds != low.TRUE:
            yield StepCheck(invariant.number, defined, holds)


# ------------------------------------------------------------------------------------------------------- changes


def _changes(value: Value, layout: Layout, offset: int, frame: Frame, scope: Scope) -> Iterator[tuple[Change, Low]]:
    """The fields of a variable that get a new code, each with the test that its value lies in its domain."""
    builder, facts = scope.builder, scope.facts
    old = low.bits(frame.word, offset, layout.bits)
    match value, layout:
        case Code(own, word), _ if own == layout and word == old:
            return
        case Parts(items, record), layouts.TupleLayout(inner) if layout.record == record and len(items) == len(inner):
            for item, part, distance in zip(items, inner, layout.offsets, strict=True):
                yield from _changes(item, part, offset + distance, frame, scope)
            return
        case Entries(keys, items), layouts.FunctionLayout() if set(keys) == layout.slots.keys():
            for key, item in zip(keys, items, strict=True):
                distance = layout.slots[key] * layout.value.bits
                yield from _changes(item, layout.value, offset + distance, frame, scope)
            return
        case Known(dict()), layouts.FunctionLayout() if value.value.keys() == layout.slots.keys():
            given = Entries(layout.keys, tuple(Known(value.value[key]) for key in layout.keys))
            yield from _changes(given, layout, offset, frame, scope)
            return
        case Code(layouts.FunctionLayout() as own, word), layouts.FunctionLayout() if own != layout:
            try:
                taken_apart = entries(builder, own, word)
            except ExoticError:
                taken_apart = None
            if taken_apart is not None:
                yield from _changes(taken_apart, layout, offset, frame, scope)
                return
    code, test = fit(builder, value, layout, facts)
    if code != old or test != low.TRUE:
        yield Change(offset, layout.bits, code), test


def compose(changes: list[Change], frame: Frame, facts: knowledge.Facts) -> tuple[Low, bool | None]:
    """The new state word, in as few operations as can be, and whether it is certain to differ from the old one.

    A field whose old code is known, or appears in the new one, is changed by adding the difference; bits known to be
    zero are set by adding them; the others are masked out and in.
    """
    word: Low = frame.word
    full = (1 << frame.width) - 1
    added: list[tuple[Low, int]] = []
    cleared = ones = 0
    shifted: list[Low] = []
    changing: bool | None = False
    for change in changes:
        kept = _as_difference(change, frame.word, facts)
        if kept == low.ZERO:
            continue
        if kept is not None:
            added.append((kept, 1 << change.offset))
            if _differs(kept, facts):
                changing = True
            elif changing is False:
                changing = None
            continue
        old = low.bits(frame.word, change.offset, change.width)
        full_field = (1 << change.width) - 1
        match change.code:
            case low.Const(value):
                cleared |= full_field << change.offset
                ones |= value << change.offset
            case low.BitOp("|", base, low.Const(value)) if base == old:
                ones |= value << change.offset
            case low.BitOp("&", base, low.Const(value)) if base == old:
                cleared |= (full_field & ~value) << change.offset
            case _:
                cleared |= full_field << change.offset
                shifted.append(low.shift_left(change.code, low.Const(change.offset)))
        if knowledge.decide(low.same(change.code, old), facts) == low.FALSE:
            changing = True
        elif changing is False:
            changing = None
    if cleared & ~ones or shifted:
        word = low.bit_and(word, low.Const(full & ~cleared))
    word = low.bit_or(word, low.Const(ones))
    for part in shifted:
        word = low.bit_or(word, part)
    return (low.collect([(word, 1), *added]) if added else word), changing


def _differs(difference: Low, facts: knowledge.Facts) -> bool:
    least, most = knowledge.bounds(difference, facts)
    return least > 0 or most < 0


def _as_difference(change: Change, word: Low, facts: knowledge.Facts) -> Low | None:
    """What is added to a field to change it, as far as that is simpler than replacing it; None where it is not."""
    old = low.bits(word, change.offset, change.width)
    ones, zeros = knowledge.known_bits(old, facts)
    match change.code:
        case low.Const(value):
            least, most = knowledge.bounds(old, facts)
            return low.Const(value - int(least)) if least == most else None
        case low.BitOp("|", base, low.Const(value)) if base == old and not value & ~(ones | zeros):
            return low.Const(value & zeros)
        case low.BitOp("&", base, low.Const(value)) if base == old:
            lost = ((1 << change.width) - 1) & ~value
            return low.Const(-(lost & ones)) if not lost & ~(ones | zeros) else None
        case low.Linear(terms) if (old, 1) in terms:
            return low.subtract(change.code, old)
        case _ if change.code == old:
            return low.ZERO
        case _:
            return None
