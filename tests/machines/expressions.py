"""Typed expressions at random, as text: each is generated for a wanted kind, every form of the language occurs.

`tight` asks for a value that lies in the wanted domain, where otherwise its type is enough. Expressions always have a
value unless the world's risk says otherwise: an index is protected by a length, an optional by `is not None`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from .kinds import (
    BOOL,
    INT,
    STR,
    BoolKind,
    EnumKind,
    FunctionKind,
    IntKind,
    Kind,
    LiteralKind,
    MemberKind,
    OptionalKind,
    RecordKind,
    SequenceKind,
    SetKind,
    TupleKind,
    UnionKind,
    high_text,
    inside,
    members,
    same_type,
    size,
    source,
)
from .scope import Atom, Dice, Scope, World, lively, writable

Option = tuple[int, Callable[[], str]]

BOUND_NAMES = ("i", "j", "item", "x", "y", "k", "Len", "e", "state")


@dataclass
class Expressions:
    """Writes expressions in one world."""

    dice: Dice
    world: World

    def expr(self, scope: Scope, kind: Kind, depth: int, tight: bool = False) -> str:
        """The text of an expression of the type of `kind`."""
        if depth <= 0:
            return self.leaf(scope, kind, tight)
        options: list[Option] = [
            (6, lambda: self.leaf(scope, kind, tight)),
            (2, lambda: self.conditional(scope, kind, depth, tight)),
        ]
        inner = self.projections(scope, kind, tight)
        if inner:
            options.append((4, lambda: self.dice.pick(inner)()))
        callees = [item for item in scope.callees if same_type(item.result, kind)]
        if tight:
            callees = [item for item in callees if inside(item.result, kind)]
        callees = [item for item in callees if all(writable(parameter, scope) for parameter in item.parameters)]
        if callees:
            options.append((5, lambda: self.call(scope, self.dice.pick(callees).text, depth)))
        options += self.specific(scope, kind, depth, tight)
        return self.dice.weighted(options)

    def specific(self, scope: Scope, kind: Kind, depth: int, tight: bool) -> list[Option]:
        """The forms that only expressions of this kind have."""
        match kind:
            case BoolKind():
                return self.conditions(scope, depth)
            case IntKind():
                return self.numbers(scope, kind, depth, tight)
            case LiteralKind() | EnumKind() | MemberKind():
                return []
            case OptionalKind(item):
                if not writable(item, scope):
                    return []
                return [(5, lambda: self.expr(scope, item, depth, tight))]
            case SetKind():
                return self.sets(scope, kind, depth, tight)
            case TupleKind(items):
                if not writable(kind, scope):
                    return []
                return [(5, lambda: self.displayed([self.expr(scope, item, depth - 1, tight) for item in items]))]
            case SequenceKind():
                return self.sequences(scope, kind, depth, tight)
            case FunctionKind():
                return self.functions(scope, kind, depth)
            case RecordKind():
                return self.records(scope, kind, depth, tight)
            case UnionKind(records):
                makeable = [record for record in records if writable(record, scope)]
                if not makeable:
                    return []
                return [(6, lambda: self.expr(scope, self.dice.pick(makeable), depth, tight))]
            case _:
                assert_never(kind)

    # ------------------------------------------------------------------------------------------------- simple

    def leaf(self, scope: Scope, kind: Kind, tight: bool = False) -> str:
        """A name or a literal."""
        if isinstance(kind, BoolKind) and not self.dice.chance(35):
            return self.simple_condition(scope)
        atoms = [atom for atom in scope.of_type(kind) if not tight or inside(atom.kind, kind)]
        if atoms and (not writable(kind, scope) or not self.has_literal(scope, kind) or self.dice.chance(70)):
            return self.mention(self.dice.pick(lively(atoms, self.dice)))
        return self.literal(scope, kind, tight)

    def simple_condition(self, scope: Scope) -> str:
        """A name compared with a literal, which says more than `True`."""
        atoms = [atom for atom in scope.atoms if writable(atom.kind, scope)]
        if not atoms:
            return self.dice.pick(("True", "False"))
        atom = self.dice.pick(lively(atoms, self.dice))
        name = self.mention(atom)
        match atom.kind:
            case BoolKind():
                return name if self.dice.chance(50) else f"(not {name})"
            case IntKind(low, high):
                word = self.dice.pick(("<", "<=", "!=", ">="))
                return f"({name} {word} {self.dice.between(max(low, -2), min(high, 3))})"
            case OptionalKind():
                return f"({name} {self.dice.pick(('is', 'is not'))} None)"
            case SetKind() | SequenceKind() if self.dice.chance(50):
                return f"(len({name}) {self.dice.pick(('<', '==', '>'))} {self.dice.between(0, 1)})"
            case kind:
                return f"({name} {self.dice.pick(('==', '!='))} {self.literal(scope, kind)})"

    def mention(self, atom: Atom) -> str:
        """The name, remembered if it is a parameter."""
        if atom.parameter:
            self.dice.used.add(atom.text)
        return atom.text

    def has_literal(self, scope: Scope, kind: Kind) -> bool:
        """Whether a value can be written down without a name of the same kind."""
        return not (isinstance(kind, MemberKind) and kind.symmetric)

    def literal(self, scope: Scope, kind: Kind, tight: bool = True) -> str:
        """A value of the domain (or, unless `tight`, of the type) in its simplest form."""
        match kind:
            case BoolKind():
                return self.dice.pick(("True", "False"))
            case IntKind(low, high):
                return str(self.dice.between(low, high) if tight else self.dice.between(-2, 4))
            case LiteralKind() | EnumKind() | MemberKind(symmetric=False):
                listed = members(kind, scope.prefix)
                assert listed is not None
                return self.dice.pick(listed)
            case MemberKind():
                return self.mention(self.dice.pick(scope.of_type(kind)))
            case OptionalKind(item):
                return self.literal(scope, item, tight) if writable(item, scope) and self.dice.chance(40) else "None"
            case SetKind(element):
                if not writable(element, scope) or self.dice.chance(40):
                    return "frozenset()"
                chosen = [self.literal(scope, element) for _ in range(self.dice.between(1, 2))]
                return f"frozenset({{{', '.join(dict.fromkeys(chosen))}}})"
            case TupleKind(items):
                return self.displayed([self.literal(scope, item, tight) for item in items])
            case SequenceKind(element, shortest, longest):
                most = max(shortest, min(longest, 2)) if writable(element, scope) else shortest
                return self.displayed([self.literal(scope, element) for _ in range(self.dice.between(shortest, most))])
            case FunctionKind(key, value):
                listed = members(key, scope.prefix)
                if listed is not None and self.dice.chance(40):
                    return "{" + ", ".join(f"{k}: {self.literal(scope, value)}" for k in listed) + "}"
                return f"{{k: {self.literal(scope, value)} for k in {source(key, scope.prefix)}}}"
            case RecordKind(name, fields):
                return f"{name}({', '.join(self.literal(scope, item) for _, item in fields)})"
            case UnionKind(records):
                return self.literal(scope, self.dice.pick([item for item in records if writable(item, scope)]))
            case _:
                assert_never(kind)

    def displayed(self, items: list[str]) -> str:
        """A tuple display."""
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"

    def conditional(self, scope: Scope, kind: Kind, depth: int, tight: bool) -> str:
        """`x if c else y`."""
        then, orelse = (self.expr(scope, kind, depth - 1, tight) for _ in range(2))
        return f"({then} if {self.expr(scope, BOOL, depth - 1)} else {orelse})"

    def call(self, scope: Scope, text: str, depth: int) -> str:
        """A call of a helper, its arguments by position or by name."""
        callee = next(item for item in scope.callees if item.text == text)
        arguments = [self.expr(scope, parameter, depth - 1) for parameter in callee.parameters]
        if arguments and self.dice.chance(20):
            arguments[-1] = f"{chr(ord('a') + len(arguments) - 1)}_={arguments[-1]}"
        return f"{text}({', '.join(arguments)})"

    def projections(self, scope: Scope, kind: Kind, tight: bool) -> list[Callable[[], str]]:
        """Fields, components, entries and elements of names at hand that have the wanted kind."""

        def fits(part: Kind) -> bool:
            return inside(part, kind) if tight else same_type(part, kind)

        found: list[Callable[[], str]] = []
        for atom in scope.atoms:
            match atom.kind:
                case RecordKind(_, fields):
                    for name, part in fields:
                        if fits(part):
                            found.append(partial(self.behind, atom, f".{name}"))
                case TupleKind(items):
                    for index, part in enumerate(items):
                        if fits(part):
                            for place in (index, index - len(items)):
                                found.append(partial(self.behind, atom, f"[{place}]"))
                case FunctionKind(key, value) if fits(value) and writable(key, scope):
                    found.append(partial(self.applied, scope, atom, key))
                case FunctionKind(key, FunctionKind(inner, value)) if fits(value) and writable(key, scope):
                    found.append(partial(self.applied_twice, scope, atom, key, inner))
                case SequenceKind(element) if fits(element) and writable(kind, scope):
                    found.append(partial(self.indexed, scope, atom, kind, tight))
                case OptionalKind(item) if fits(item) and isinstance(item, IntKind):
                    found.append(partial(self.unwrapped, scope, atom, kind, tight))
                case UnionKind(records) if writable(kind, scope):
                    for record in records:
                        for name, part in record.fields:
                            if fits(part):
                                found.append(partial(self.field_of_union, scope, atom, record, name, kind, tight))
                case _:
                    continue
        return found

    def behind(self, atom: Atom, suffix: str) -> str:
        """The name with a field or a position behind it."""
        return self.mention(atom) + suffix

    def applied(self, scope: Scope, function: Atom, key: Kind) -> str:
        at = self.expr(scope, key, 1, tight=not self.dice.chance(self.world.risk))
        return f"{self.mention(function)}[{at}]"

    def applied_twice(self, scope: Scope, function: Atom, key: Kind, inner: Kind) -> str:
        return f"{self.applied(scope, function, key)}[{self.leaf(scope, inner, tight=True)}]"

    def indexed(self, scope: Scope, sequence: Atom, kind: Kind, tight: bool) -> str:
        name = self.mention(sequence)
        numbers = [atom for atom in scope.of_type(INT) if isinstance(atom.kind, IntKind)]
        if numbers and self.dice.chance(40):
            number = self.dice.pick(numbers)
            at, within = self.mention(number), f"-len({name}) <= {number.text} < len({name})"
        else:
            place = self.dice.between(-2, 1)
            at, within = str(place), f"len({name}) > {place if place >= 0 else -place - 1}"
        if self.dice.chance(self.world.risk):
            return f"{name}[{at}]"
        return f"({name}[{at}] if {within} else {self.leaf(scope, kind, tight)})"

    def unwrapped(self, scope: Scope, optional: Atom, kind: Kind, tight: bool) -> str:
        name = self.mention(optional)
        if self.dice.chance(self.world.risk):
            return f"({name} + 0)"
        return f"({name} + 0 if {name} is not None else {self.leaf(scope, kind, tight)})"

    def field_of_union(self, scope: Scope, union: Atom, record: RecordKind, name: str, kind: Kind, tight: bool) -> str:
        text = self.mention(union)
        if self.dice.chance(self.world.risk):
            return f"{text}.{name}"
        return f"({text}.{name} if isinstance({text}, {record.name}) else {self.leaf(scope, kind, tight)})"

    # ------------------------------------------------------------------------------------------------- bools

    def conditions(self, scope: Scope, depth: int) -> list[Option]:
        """Forms of conditions."""
        below = depth - 1
        dice = self.dice

        def junction() -> str:
            word = dice.pick((" and ", " or "))
            return "(" + word.join(self.expr(scope, BOOL, below) for _ in range(dice.between(2, 3))) + ")"

        def order() -> str:
            return f"({self.number(scope, below)} {dice.pick(('<', '<=', '>', '>='))} {self.number(scope, below)})"

        def chain() -> str:
            operands = [self.number(scope, below) for _ in range(4 if dice.chance(15) else 3)]
            words = [dice.pick(("<", "<=", "==", "!=", ">=", ">")) for _ in operands[1:]]
            return "(" + operands[0] + "".join(f" {w} {o}" for w, o in zip(words, operands[1:], strict=True)) + ")"

        options: list[Option] = [
            (3, lambda: f"(not {self.expr(scope, BOOL, below)})"),
            (5, junction),
            (6, order),
            (2, chain),
            (6, lambda: self.equality(scope, below)),
            (5, lambda: self.membership(scope, below)),
            (5, lambda: self.quantified(scope, below)),
            (2, lambda: self.inclusion(scope, below)),
        ]
        optionals = [atom for atom in scope.atoms if isinstance(atom.kind, OptionalKind)]
        if optionals:
            options.append((4, lambda: f"({self.mention(dice.pick(optionals))} {dice.pick(('is', 'is not'))} None)"))
        # What may be None as well is an instance of nothing where it is.
        unions = [atom for atom in scope.atoms if isinstance(_item(atom.kind), UnionKind)]
        if unions:
            options.append((5, lambda: self.told_apart(dice.pick(unions))))
        bools = [atom for atom in scope.atoms if atom.kind == SetKind(BOOL) or same_type(atom.kind, _BOOLS)]
        if bools:
            options.append((3, lambda: f"{dice.pick(('any', 'all'))}({self.mention(dice.pick(bools))})"))
        return options

    def told_apart(self, union: Atom) -> str:
        kind = _item(union.kind)
        assert isinstance(kind, UnionKind)
        records = [record.name for record in kind.records]
        if len(records) > 1 and self.dice.chance(20):
            return f"isinstance({self.mention(union)}, ({records[0]}, {records[1]}))"
        return f"isinstance({self.mention(union)}, {self.dice.pick(records)})"

    def equality(self, scope: Scope, depth: int) -> str:
        kind = self.any_kind(scope)
        word = self.dice.pick(("==", "!="))
        if isinstance(_item(kind), UnionKind):
            # Records of two classes are never compared, a name of the union with any of them is.
            left = self.mention(self.dice.pick(scope.of_type(kind)))
        else:
            left = self.expr(scope, kind, depth)
        if isinstance(kind, OptionalKind) and writable(kind.item, scope) and self.dice.chance(30):
            kind = kind.item
        return f"({left} {word} {self.expr(scope, kind, depth)})"

    def any_kind(self, scope: Scope) -> Kind:
        """A kind of which there are names here."""
        kinds = [atom.kind for atom in lively(scope.atoms, self.dice) if writable(atom.kind, scope)]
        return self.dice.pick(kinds) if kinds else INT

    def membership(self, scope: Scope, depth: int) -> str:
        word = self.dice.pick(("in", "not in"))
        kind = self.scalar(scope)
        options: list[Option] = [
            (4, lambda: self.expr(scope, SetKind(kind), depth)),
            (2, lambda: self.displayed([self.leaf(scope, kind) for _ in range(self.dice.between(1, 3))])),
            (1, lambda: self.expr(scope, SequenceKind(kind, 0, 2), depth)),
        ]
        if isinstance(kind, IntKind):
            options.append((4, lambda: self.ranged(scope, depth)))
        if isinstance(kind, EnumKind):
            options.append((4, lambda: kind.name))
        return f"({self.expr(scope, kind, depth)} {word} {self.dice.weighted(options)})"

    def scalar(self, scope: Scope) -> Kind:
        """A kind of simple values of which one can be written here."""
        atoms = lively(scope.atoms, self.dice)
        kinds: list[Kind] = [
            atom.kind for atom in atoms if isinstance(atom.kind, _SCALARS) and writable(atom.kind, scope)
        ]
        kinds += [atom.kind.element for atom in atoms if isinstance(atom.kind, SetKind | SequenceKind)]
        kinds = [kind for kind in kinds if writable(kind, scope) and size(kind) <= 64]
        return self.dice.pick(kinds) if kinds else INT

    def inclusion(self, scope: Scope, depth: int) -> str:
        kind = SetKind(self.scalar(scope))
        word = self.dice.pick(("<=", "<", ">=", ">"))
        return f"({self.expr(scope, kind, depth)} {word} {self.expr(scope, kind, depth)})"

    def quantified(self, scope: Scope, depth: int) -> str:
        clauses, inner = self.clauses(scope, depth)
        return f"{self.dice.pick(('any', 'all'))}({self.expr(inner, BOOL, depth)} {clauses})"

    # ---------------------------------------------------------------------------------------------- generators

    def clauses(self, scope: Scope, depth: int, most: int = 2) -> tuple[str, Scope]:
        """`for … in … if …`, once or twice, and the scope inside."""
        text: list[str] = []
        # To Python a name that a second `for` binds is that one in the first as well, where it would have no value.
        outer = frozenset(atom.text for atom in scope.atoms)
        for place in range(2 if most > 1 and self.dice.chance(15) else 1):
            clause, scope = self.clause(scope, depth, avoid=outer if place else frozenset())
            text.append(clause)
            if self.dice.chance(30):
                text.append(f"if {self.expr(scope, BOOL, min(depth, 1))}")
        return " ".join(text), scope

    def clause(
        self, scope: Scope, depth: int, ordered: bool = False, avoid: frozenset[str] = frozenset()
    ) -> tuple[str, Scope]:
        over, element, ghost = self.iterated(scope, depth, ordered)
        if isinstance(element, TupleKind) and not avoid and self.dice.chance(60):
            names = [f"{name}{index}" for index, name in enumerate(["p"] * len(element.items))]
            atoms = [Atom(name, item, ghost) for name, item in zip(names, element.items, strict=True)]
            return f"for {', '.join(names)} in {over}", scope.adding(*atoms)
        name = self.dice.pick([name for name in BOUND_NAMES if name not in avoid] or ["other"])
        return f"for {name} in {over}", scope.adding(Atom(name, element, ghost))

    def iterated(self, scope: Scope, depth: int, ordered: bool = False) -> tuple[str, Kind, bool]:
        """A collection to iterate over, what it yields, and whether it depends on a ghost."""
        options: list[tuple[int, Callable[[], tuple[str, Kind, bool]]]] = [
            (4, lambda: (self.ranged(scope, 0), IntKind(-3, 4), False))
        ]
        for atom in lively(scope.atoms, self.dice):
            if isinstance(atom.kind, SequenceKind) or (isinstance(atom.kind, SetKind) and not ordered):
                options.append((3, partial(self.elements, atom, atom.kind.element)))
        for enum in self.world.enums:
            options.append((2, partial(_members, enum)))
        # Displays only: an empty set has no type of its own, and its elements could not be computed with.
        simple = self.dice.pick([atom.kind for atom in scope.atoms if isinstance(atom.kind, _SCALARS)] or [INT])
        if depth > 0 and not ordered:
            options.append((1, lambda: (self.set_display(scope, simple, depth - 1, False), _widened(simple), False)))
            sets = [atom for atom in scope.atoms if isinstance(atom.kind, SetKind)]
            if sets:
                options.append((2, lambda: self.changed_set(scope, self.dice.pick(sets), depth - 1)))
        if depth > 0:
            options.append(
                (1, lambda: (self.displayed([self.leaf(scope, simple) for _ in range(2)]), _widened(simple), False))
            )
        return self.dice.weighted(options)

    def elements(self, atom: Atom, element: Kind) -> tuple[str, Kind, bool]:
        """A name to iterate over."""
        return self.mention(atom), element, atom.ghost

    def changed_set(self, scope: Scope, atom: Atom, depth: int) -> tuple[str, Kind, bool]:
        """A set with something added or taken away, to iterate over."""
        assert isinstance(atom.kind, SetKind)
        text = f"({self.mention(atom)} {self.dice.pick(('-', '|', '&', '^'))} {self.expr(scope, atom.kind, depth)})"
        return text, _widened(atom.kind.element), atom.ghost

    def ranged(self, scope: Scope, depth: int) -> str:
        dice = self.dice
        lengths = [atom for atom in scope.atoms if isinstance(atom.kind, SequenceKind)]
        if lengths and dice.chance(40):
            return f"range(len({self.mention(dice.pick(lengths))}))"
        stop = self.expr(scope, IntKind(0, 3), depth, tight=True) if dice.chance(60) else str(dice.between(1, 3))
        return f"range({dice.between(-1, 1)}, {stop})" if dice.chance(40) else f"range({stop})"

    # ------------------------------------------------------------------------------------------------- numbers

    def number(self, scope: Scope, depth: int) -> str:
        """An int of any size."""
        return self.expr(scope, INT, depth)

    def numbers(self, scope: Scope, kind: IntKind, depth: int, tight: bool) -> list[Option]:
        """Forms of ints; where the domain matters they are brought into it."""
        below = depth - 1
        dice = self.dice

        def brought(text: str) -> str:
            if not tight:
                return text
            if dice.chance(30):
                span = kind.high - kind.low + 1
                return f"({kind.low} + {text} % {span})" if kind.low else f"({text} % {span})"
            return f"min(max({text}, {kind.low}), {high_text(kind, scope.prefix)})"

        def binary() -> str:
            return f"({self.number(scope, below)} {dice.pick(('+', '-'))} {self.number(scope, below)})"

        def product() -> str:
            factor, other = self.leaf(scope, IntKind(-2, 3), tight=True), self.number(scope, below)
            return f"({factor} * {other})" if dice.chance(50) else f"({other} * {factor})"

        def divided() -> str:
            word = dice.pick(("//", "%"))
            if dice.chance(self.world.risk):
                return f"({self.number(scope, below)} {word} {self.number(scope, below)})"
            return f"({self.number(scope, below)} {word} {dice.pick(('2', '3', '-2', '-3'))})"

        def extreme() -> str:
            operands = [self.number(scope, below) for _ in range(dice.between(2, 3))]
            return f"{dice.pick(('min', 'max'))}({', '.join(operands)})"

        return [
            (4, lambda: brought(binary())),
            (2, lambda: brought(product())),
            (3, lambda: brought(divided())),
            (2, lambda: brought(f"(-{self.number(scope, below)})")),
            (2, lambda: brought(f"abs({self.number(scope, below)})")),
            (3, lambda: brought(extreme())),
            (4, lambda: brought(self.aggregate(scope, below))),
            (4, lambda: brought(self.length(scope, below))),
        ]

    def length(self, scope: Scope, depth: int) -> str:
        collections = [atom for atom in scope.atoms if isinstance(atom.kind, SetKind | SequenceKind)]
        options: list[Option] = [(1, lambda: f"len({self.ranged(scope, depth)})")]
        if collections:
            kind = self.dice.pick(lively(collections, self.dice)).kind
            options.append((5, lambda: f"len({self.expr(scope, kind, depth)})"))
        return self.dice.weighted(options)

    def aggregate(self, scope: Scope, depth: int) -> str:
        word = self.dice.pick(("sum", "min", "max"))
        default = "" if word == "sum" or self.dice.chance(self.world.risk) else f", default={self.dice.between(-1, 2)}"
        collections = [
            atom
            for atom in scope.atoms
            if isinstance(atom.kind, SetKind | SequenceKind) and same_type(atom.kind.element, INT)
        ]
        if collections and self.dice.chance(30):
            return f"{word}({self.mention(self.dice.pick(collections))}{default})"
        clauses, inner = self.clauses(scope, depth)
        element = self.expr(inner, INT, depth)
        return f"{word}({element} {clauses})" if not default else f"{word}(({element} {clauses}){default})"

    # ------------------------------------------------------------------------------------------------- sets

    def sets(self, scope: Scope, kind: SetKind, depth: int, tight: bool) -> list[Option]:
        """Forms of sets."""
        below, element, dice = depth - 1, kind.element, self.dice
        options: list[Option] = [
            (4, lambda: self.operation(scope, kind, below, tight)),
            (1, lambda: "frozenset()"),
        ]
        if writable(element, scope):
            options.append((4, lambda: self.set_display(scope, element, below, tight)))
        options.append((5, lambda: self.set_comprehension(scope, kind, below, tight)))
        if isinstance(element, IntKind) and not tight:
            options.append((2, lambda: f"frozenset({self.ranged(scope, below)})"))
        if isinstance(element, IntKind) and tight and (whole := source(element, scope.prefix)):
            options.append((2, lambda: f"frozenset({whole})"))
        if isinstance(element, EnumKind):
            options.append((2, lambda: f"frozenset({element.name})"))
        if isinstance(element, _SCALARS):
            sequence = SequenceKind(element, 0, 2)
            options.append((2, lambda: f"frozenset({self.expr(scope, sequence, below, tight)})"))
        if isinstance(element, MemberKind):
            options.append((2, lambda: dice.pick((scope.prefix + element.constant,))))
        return options

    def set_display(self, scope: Scope, element: Kind, depth: int, tight: bool) -> str:
        items = [self.expr(scope, element, depth, tight) for _ in range(self.dice.between(1, 2))]
        return f"{{{', '.join(items)}}}"

    def operation(self, scope: Scope, kind: SetKind, depth: int, tight: bool) -> str:
        word = self.dice.pick(("|", "-", "&", "^"))
        right_tight = tight and word in "|^"
        return f"({self.expr(scope, kind, depth, tight)} {word} {self.expr(scope, kind, depth, right_tight)})"

    def set_comprehension(self, scope: Scope, kind: SetKind, depth: int, tight: bool) -> str:
        clauses, inner = self.clauses(scope, depth)
        if not writable(kind.element, inner):
            return "frozenset()"
        body = f"{self.expr(inner, kind.element, depth, tight)} {clauses}"
        return f"frozenset({body})" if self.dice.chance(30) else f"{{{body}}}"

    # ------------------------------------------------------------------------------------------- sequences

    def sequences(self, scope: Scope, kind: SequenceKind, depth: int, tight: bool) -> list[Option]:
        """Forms of sequences; a tight one is cut to its greatest length."""
        below, element, dice = depth - 1, kind.element, self.dice

        def display() -> str:
            count = dice.between(kind.shortest, kind.longest) if tight else dice.between(0, 2)
            if not writable(element, scope):
                count = 0
            return self.displayed([self.expr(scope, element, below, tight) for _ in range(count)])

        options: list[Option] = [(4, display)] if kind.shortest == 0 or writable(element, scope) else []
        if tight and kind.shortest > 0:
            return options

        def cut(text: str) -> str:
            return f"({text})[:{kind.longest}]" if tight else text

        def joined() -> str:
            left, right = (self.expr(scope, kind, below, tight) for _ in range(2))
            return cut(f"({left} + {right})")

        def sliced() -> str:
            bounds = [self.slice_bound(scope) for _ in range(2)]
            return f"({self.expr(scope, kind, below, tight)})[{bounds[0]}:{bounds[1]}]"

        def comprehension() -> str:
            clause, inner = self.clause(scope, below, ordered=True)
            only = f" if {self.expr(inner, BOOL, min(below, 1))}" if dice.chance(30) else ""
            if not writable(element, inner):
                return "()"
            return cut(f"tuple({self.expr(inner, element, below, tight)} {clause}{only})")

        def converted() -> str:
            if isinstance(element, EnumKind):
                return cut(f"tuple({element.name})")
            return cut(f"tuple({self.expr(scope, kind, below, tight)})")

        options += [(3, joined), (4, sliced), (4, comprehension), (1, converted)]
        if isinstance(element, IntKind) and (not tight or element.low <= 0):
            stop = str(element.high + 1) if tight else "3"
            options.append((1, lambda: cut(f"tuple(range({stop}))")))
        return options

    def slice_bound(self, scope: Scope) -> str:
        if self.dice.chance(30):
            return ""
        return self.leaf(scope, IntKind(-3, 3), tight=True)

    # ----------------------------------------------------------------------------------- functions and records

    def functions(self, scope: Scope, kind: FunctionKind, depth: int) -> list[Option]:
        """Forms of functions: always total on their domain, always with values in their domain."""
        key, value, below = kind.key, kind.value, depth - 1
        options: list[Option] = []
        if not writable(value, scope):
            return options
        listed = members(key, scope.prefix)
        if listed is not None:
            options.append(
                (
                    2,
                    lambda: "{" + ", ".join(f"{k}: {self.expr(scope, value, below, True)}" for k in listed) + "}",
                )
            )

        def comprehension() -> str:
            name = self.dice.pick(BOUND_NAMES)
            inner = scope.adding(Atom(name, key))
            return f"{{{name}: {self.expr(inner, value, below, True)} for {name} in {source(key, scope.prefix)}}}"

        options.append((4, comprehension))
        functions = [atom for atom in scope.atoms if atom.kind == kind]
        if functions and writable(key, scope):

            def updated() -> str:
                entries = [
                    f"{self.expr(scope, key, below, True)}: {self.expr(scope, value, below, True)}"
                    for _ in range(self.dice.between(1, 2))
                ]
                return f"{{**{self.mention(self.dice.pick(functions))}, {', '.join(entries)}}}"

            options.append((5, updated))
        return options

    def records(self, scope: Scope, kind: RecordKind, depth: int, tight: bool) -> list[Option]:
        """Forms of records."""
        below = depth - 1
        options: list[Option] = []
        if writable(kind, scope):

            def made() -> str:
                values = [self.expr(scope, item, below, tight) for _, item in kind.fields]
                if self.dice.chance(40):
                    values[-1] = f"{kind.fields[-1][0]}={values[-1]}"
                return f"{kind.name}({', '.join(values)})"

            options.append((5, made))
        atoms = [atom for atom in scope.atoms if atom.kind == kind]
        changeable = [(name, item) for name, item in kind.fields if writable(item, scope)]
        if atoms and changeable:

            def replaced() -> str:
                changes = self.dice.some(changeable, 1, 2)
                texts = [f"{name}={self.expr(scope, item, below, tight)}" for name, item in changes]
                return f"replace({self.mention(self.dice.pick(atoms))}, {', '.join(texts)})"

            options.append((5, replaced))
        return options


_SCALARS = (BoolKind, IntKind, LiteralKind, EnumKind, MemberKind)
_BOOLS = SequenceKind(BOOL, 0, 2)


def _item(kind: Kind) -> Kind:
    """What is there if something is."""
    return kind.item if isinstance(kind, OptionalKind) else kind


def _members(enum: EnumKind) -> tuple[str, Kind, bool]:
    return enum.name, enum, False


def _widened(kind: Kind) -> Kind:
    """What is known of values that were only asked to have the type of a kind."""
    match kind:
        case IntKind():
            return INT
        case LiteralKind() | MemberKind(_, LiteralKind(), _, False):
            return STR
        case MemberKind(_, item, _, False):
            return _widened(item)
        case _:
            return kind


__all__ = ["BOUND_NAMES", "Expressions"]
