"""The values and states that TLC prints, read without knowing what they ought to be.

TLC prints a function on strings as a record, one on 1..n as a tuple, the empty function as ``<< >>``, and leaves
``1..5`` as it is; so one value of a protocol may come in several of these forms, and only its domain can tell.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import OutputError

if TYPE_CHECKING:
    from lark import Lark


@dataclass(frozen=True)
class TlaString:
    """``"idle"``."""

    text: str


@dataclass(frozen=True)
class ModelValue:
    """``p1``. TLC also prints a variable that was never assigned as one, named ``null``."""

    name: str


@dataclass(frozen=True)
class TlaSet:
    """``{1, 2}``."""

    items: frozenset[TlaValue]


@dataclass(frozen=True)
class TlaTuple:
    """``<<1, 2>>``; also a function on 1..n, and, where it is empty, any function on the empty set."""

    items: tuple[TlaValue, ...]


@dataclass(frozen=True)
class TlaRecord:
    """``[a |-> 1]``; also a function on strings. The fields are sorted by name, so that equal records are equal."""

    fields: tuple[tuple[str, TlaValue], ...]

    def mapping(self) -> dict[str, TlaValue]:
        """The fields by name."""
        return dict(self.fields)


@dataclass(frozen=True)
class TlaFunction:
    """``(0 :> "a" @@ 1 :> "b")``."""

    pairs: frozenset[tuple[TlaValue, TlaValue]]

    def mapping(self) -> dict[TlaValue, TlaValue]:
        """The values by argument."""
        return dict(self.pairs)


@dataclass(frozen=True)
class TlaInterval:
    """``1..5``, both ends included; empty where `high` is below `low`."""

    low: int
    high: int

    def to_set(self) -> TlaSet:
        """The same, spelt out."""
        return TlaSet(frozenset(range(self.low, self.high + 1)))


# Integers and booleans are Python's own. Mind that True == 1 in Python: whoever compares values checks types first.
TlaValue: TypeAlias = int | bool | TlaString | ModelValue | TlaSet | TlaTuple | TlaRecord | TlaFunction | TlaInterval
TlaState: TypeAlias = Mapping[str, TlaValue]

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Mapping[str, str] = MappingProxyType({"n": "\n", "t": "\t", "r": "\r", "f": "\f"})
_SPELT: Mapping[str, str] = MappingProxyType(
    {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f"}
)


def parse_value(text: str) -> TlaValue:
    """Read one value.

    Raises:
        OutputError: the text is no value that TLC prints of a finished, finite state.
    """
    value: TlaValue = _parse(text, "value")
    return value


def parse_state(text: str) -> TlaState:
    """Read one state: a conjunction of ``variable = value``, or one equation alone. Variables in TLC's order.

    Raises:
        OutputError: the text is no state, or gives a variable twice.
    """
    bindings: tuple[tuple[str, TlaValue], ...] = _parse(text, "state")
    state = dict(bindings)
    if len(state) != len(bindings):
        raise OutputError("A state printed by TLC gives a variable twice.", reason=text)
    return MappingProxyType(state)


def render_value(value: TlaValue) -> str:
    """The value as TLC prints it, on one line and with sets and functions in a fixed order."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case TlaString(text):
            return '"' + "".join(_SPELT.get(character, character) for character in text) + '"'
        case ModelValue(name):
            return name
        case TlaSet(items):
            return "{" + ", ".join(sorted(map(render_value, items))) + "}"
        case TlaTuple(parts):
            return "<<" + ", ".join(map(render_value, parts)) + ">>"
        case TlaRecord(fields):
            return "[" + ", ".join(f"{name} |-> {render_value(part)}" for name, part in fields) + "]"
        case TlaFunction(pairs):
            return (
                "(" + " @@ ".join(sorted(f"{render_value(key)} :> {render_value(part)}" for key, part in pairs)) + ")"
            )
        case TlaInterval(low, high):
            return f"{low}..{high}"


def _parse(text: str, start: str) -> Any:
    from lark.exceptions import LarkError

    try:
        return _parser().parse(text, start=start)
    except LarkError as error:
        shown = text if len(text) <= 400 else text[:400] + " ..."
        raise OutputError(
            f"TLC printed a {start} that cannot be read.", reason=f"{shown}\n{str(error).strip()}"
        ) from error


@functools.lru_cache(maxsize=1)
def _parser() -> Lark:
    # Loading Lark takes as long as a short check, and most runs print no state: only here.
    from lark import Lark, Transformer, v_args

    class _Build(Transformer):  # type: ignore[type-arg]
        """Builds values while parsing, so that no tree is ever made."""

    def inline(function: Callable[..., Any]) -> Any:
        return v_args(inline=True)(lambda _self, *parts: function(*(part for part in parts if part is not None)))

    actions: dict[str, Callable[..., Any]] = {
        "state": lambda *bindings: bindings,
        "binding": lambda name, value: (str(name), value),
        "integer": int,
        "true": lambda _token: True,
        "false": lambda _token: False,
        "string": lambda token: TlaString(_unescape(token[1:-1])),
        "model_value": lambda token: ModelValue(str(token)),
        "interval": lambda low, high: TlaInterval(int(low), int(high)),
        "set": lambda *items: TlaSet(frozenset(items)),
        "tuple": lambda *items: TlaTuple(items),
        "record": lambda *fields: TlaRecord(tuple(sorted(fields, key=_by_name))),
        "function": lambda *pairs: TlaFunction(frozenset(pairs)),
        "field": lambda name, value: (str(name), value),
        "pair": lambda key, value: (key, value),
    }
    for name, function in actions.items():
        setattr(_Build, name, inline(function))
    grammar = importlib.resources.files(__package__).joinpath("values.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start=["value", "state"], transformer=_Build(), maybe_placeholders=False)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found.group(1), found.group(1)), text) if "\\" in text else text


def _by_name(field: tuple[str, TlaValue]) -> str:
    return field[0]
