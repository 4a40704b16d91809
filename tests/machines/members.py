"""Symmetric constants for machines at random: variables that hold or relate their members, and what changes these."""

from __future__ import annotations

from collections.abc import Sequence

from .kinds import (
    BOOL,
    FunctionKind,
    IntKind,
    Kind,
    LiteralKind,
    MemberKind,
    OptionalKind,
    SequenceKind,
    SetKind,
    TupleKind,
    annotation,
)
from .scope import Dice

NAMES = ("holders", "who")
"""Variables of machines with symmetric constants."""

SERVERS = MemberKind("servers", LiteralKind(("s1", "s2", "s3")), ('"s1"', '"s2"', '"s3"'), symmetric=True)
PAGES = MemberKind("pages", LiteralKind(("p1", "p2")), ('"p1"', '"p2"'), symmetric=True)


def kind_of_members(dice: Dice, constants: Sequence[MemberKind]) -> Kind:
    """A kind of values that hold members of a symmetric constant, or relate them with each other."""
    one, other = dice.pick(constants), dice.pick(constants)
    alone: tuple[Kind, ...] = (
        OptionalKind(one),
        SetKind(one),
        FunctionKind(one, BOOL),
        FunctionKind(one, IntKind(0, 2)),
        FunctionKind(BOOL, OptionalKind(one)),
        SequenceKind(one, 0, 2),
        SetKind(TupleKind((BOOL, one))),
        OptionalKind(TupleKind((one, BOOL))),
    )
    related: tuple[Kind, ...] = (
        FunctionKind(one, OptionalKind(other)),
        FunctionKind(one, SetKind(other)),
        SetKind(TupleKind((one, other))),
        OptionalKind(TupleKind((one, other))),
        SetKind(SetKind(one)),
    )
    return dice.pick(alone if dice.chance(60) else related)


def touching(dice: Dice, name: str, kind: Kind, guard: str) -> str:
    """An action that changes a variable of such a kind, one member or two at a time."""
    parameters, lines = _touch(dice, f"self.{name}", kind)
    signature = "".join(f", {parameter}: {annotation(item)}" for parameter, item in parameters)
    body = [f"guard(fine={guard})", *lines] if guard else lines
    return f"@action\ndef touch_{name}(self{signature}) -> None:\n" + "\n".join(f"    {line}" for line in body)


def _touch(dice: Dice, text: str, kind: Kind) -> tuple[list[tuple[str, Kind]], list[str]]:
    operator = dice.pick(("|=", "^=", "-="))
    match kind:
        case SetKind(TupleKind((left, right))):
            return [("one", left), ("other", right)], [f"{text} {operator} {{(one, other)}}"]
        case SetKind(SetKind(item)):
            return [("one", item)], [f"{text} {operator} {{frozenset({{one}})}}"]
        case SetKind(item):
            return [("one", item)], [f"{text} {operator} {{one}}"]
        case SequenceKind(item, _, longest):
            lines = [f"guard(room=len({text}) < {longest})", f"{text} = {text} + (one,)"]
            return [("one", item)], lines if dice.chance(80) else [f"{text} = {text}[1:]"]
        case OptionalKind(TupleKind((left, right))):
            return [("one", left), ("other", right)], [f"{text} = (one, other)"]
        case OptionalKind(item):
            return [("one", item)], [f"{text} = one if {text} is None else None"]
        case FunctionKind(key, SetKind(item)):
            return [("one", key), ("other", item)], [f"{text}[one] {operator} {{other}}"]
        case FunctionKind(key, OptionalKind(item)):
            return [("one", key), ("other", item)], [f"{text}[one] = other"]
        case FunctionKind(key, IntKind(_, most)):
            return [("one", key)], [f"guard(less={text}[one] < {most})", f"{text}[one] += 1"]
        case FunctionKind(key, _):
            return [("one", key)], [f"{text}[one] = not {text}[one]"]
        case _:
            raise AssertionError(f"no action is known for {kind}")
