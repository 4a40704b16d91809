"""What a generated expression may mention, and the dice that decide."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .kinds import (
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
    same_type,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Atom:
    """A name that has a value here; `parameter` is set for the parameters of the action at hand."""

    text: str
    kind: Kind
    ghost: bool = False
    parameter: bool = False
    constant: bool = False


@dataclass(frozen=True)
class Callee:
    """A helper that may be called: `text` is what stands before the parentheses."""

    text: str
    parameters: tuple[Kind, ...]
    result: Kind
    ghost: bool = False


@dataclass(frozen=True)
class Scope:
    """The names at hand. `prefix` is how constants are read here: "self.", or "" in a class body."""

    atoms: tuple[Atom, ...] = ()
    callees: tuple[Callee, ...] = ()
    prefix: str = "self."

    def plain(self) -> Scope:
        """The scope without what depends on a ghost."""
        return replace(
            self,
            atoms=tuple(atom for atom in self.atoms if not atom.ghost),
            callees=tuple(callee for callee in self.callees if not callee.ghost),
        )

    def adding(self, *atoms: Atom) -> Scope:
        """The scope with more names; one of the same text is hidden."""
        texts = {atom.text for atom in atoms}
        kept = tuple(atom for atom in self.atoms if atom.text not in texts)
        return replace(self, atoms=(*kept, *atoms))

    def without(self, text: str) -> Scope:
        """The scope without one name."""
        return replace(self, atoms=tuple(atom for atom in self.atoms if atom.text != text))

    def of_type(self, kind: Kind) -> list[Atom]:
        """The names whose type is that of a kind, whatever their bounds."""
        return [atom for atom in self.atoms if same_type(atom.kind, kind)]

    def known(self, text: str) -> Atom | None:
        """The name of that text, if there is one."""
        return next((atom for atom in self.atoms if atom.text == text), None)


@dataclass(frozen=True)
class World:
    """What a machine declares before its first variable, and its temper.

    `risk` is the percentage of expressions that may have no value, `overflow` that of assigned values that may leave
    their domain.
    """

    enums: tuple[EnumKind, ...] = ()
    records: tuple[RecordKind, ...] = ()
    constants: tuple[Atom, ...] = ()
    risk: int = 0
    overflow: int = 0


@dataclass
class Dice:
    """Decisions of one random source; the first alternative is the simplest, so that shrinking leads there."""

    random: random.Random
    used: set[str] = field(default_factory=set)
    """The parameters mentioned so far, so that a ghost does not become the only reader of one."""

    def chance(self, percent: int) -> bool:
        """Yes in so many cases out of a hundred."""
        return percent > 0 and self.random.randrange(100) >= 100 - percent

    def pick(self, items: Sequence[T]) -> T:
        """One of several."""
        return items[self.random.randrange(len(items))]

    def between(self, low: int, high: int) -> int:
        """A number, both ends included."""
        return low + self.random.randrange(high - low + 1)

    def some(self, items: Sequence[T], least: int, most: int) -> list[T]:
        """Several different ones, in their order."""
        count = min(self.between(least, most), len(items))
        left = list(range(len(items)))
        chosen = sorted(left.pop(self.random.randrange(len(left))) for _ in range(count))
        return [items[index] for index in chosen]

    def weighted(self, options: Sequence[tuple[int, Callable[[], T]]]) -> T:
        """One alternative, carried out; the weights say how often."""
        at = self.random.randrange(sum(weight for weight, _ in options))
        for weight, option in options:
            if at < weight:
                return option()
            at -= weight
        raise AssertionError("the weights do not add up")


def lively(atoms: Sequence[Atom], dice: Dice) -> list[Atom]:
    """The names without the constants, which say little, or now and then all of them."""
    moving = [atom for atom in atoms if not atom.constant]
    return moving if moving and not dice.chance(20) else list(atoms)


def writable(kind: Kind, scope: Scope) -> bool:
    """Whether a value of a kind can be written here: interchangeable members have no literals."""
    match kind:
        case MemberKind(symmetric=True):
            return bool(scope.of_type(kind))
        case TupleKind(items):
            return all(writable(item, scope) for item in items)
        case SequenceKind(element, shortest):
            return shortest == 0 or writable(element, scope)
        case FunctionKind(_, value):
            return writable(value, scope)
        case RecordKind(_, fields):
            return all(writable(item, scope) for _, item in fields)
        case UnionKind(records):
            return any(writable(record, scope) for record in records)
        case BoolKind() | IntKind() | LiteralKind() | EnumKind() | MemberKind() | OptionalKind() | SetKind():
            return True
