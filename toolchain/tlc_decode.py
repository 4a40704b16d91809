"""What TLC prints → the protocol's own values, by the declared type of each variable.

Only the type can tell: TLC prints a function on strings as a record, one on 1..n as a tuple, and `1..5` as it is.
Values outside their domains are decoded as well, since the state that violates `type_ok` is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, assert_never

from ..transpiler import valuetypes as types
from ..transpiler.tla import Module
from ..transpiler.tla_names import Names, member_string
from ..transpiler.valuetypes import FrozenDict
from .tlc.values import (
    ModelValue,
    TlaFunction,
    TlaInterval,
    TlaRecord,
    TlaSet,
    TlaState,
    TlaString,
    TlaTuple,
    TlaValue,
    render_value,
)
from .traces import State

T = TypeVar("T")


class DecodeError(Exception):
    """TLC printed something that is no value of the declared type."""


@dataclass(frozen=True)
class Decoder:
    """Reads the states of one module."""

    names: Names
    variables: Mapping[str, tuple[str, types.Type]]
    members: Mapping[tuple[str, str], str]

    @staticmethod
    def of(module: Module, kinds: Mapping[str, types.Type]) -> Decoder:
        """The decoder of a module whose variables have these types."""
        variables = {module.names.variables[name]: (name, kind) for name, kind in kinds.items()}
        members = {(constant, text): member for (constant, member), text in module.values.models.items()}
        return Decoder(module.names, variables, members)

    def state(self, state: TlaState) -> State:
        """A state with its variables in order of declaration.

        Raises `DecodeError` where a variable is missing, or has a value that is none of its type.
        """
        missing = [text for text in self.variables if text not in state]
        if missing:
            raise DecodeError(f"TLC printed a state without {', '.join(missing)}")
        return {name: self.value(state[text], kind) for text, (name, kind) in self.variables.items()}

    def value(self, value: TlaValue, kind: types.Type) -> Any:
        """A value of a type, in canonical form."""
        match kind:
            case types.Bool():
                return _is(bool, value, kind)
            case types.Int():
                return _is(int, value, kind)
            case types.Str():
                return _of(TlaString, value, kind).text
            case types.Model(constant):
                name = _of(ModelValue, value, kind).name
                if (constant, name) not in self.members:
                    raise _mismatch(value, kind)
                return self.members[constant, name]
            case types.Enumeration():
                text = _of(TlaString, value, kind).text
                named = {member_string(member): member for member in kind.members}
                if text not in named:
                    raise _mismatch(value, kind)
                return named[text]
            case types.Nothing():
                return self._none(value, kind)
            case types.Optional(item):
                return None if self._is_none(value) else self.value(value, item)
            case types.Set(element):
                return frozenset(self.value(item, element) for item in _set_items(value, kind))
            case types.Tuple(items):
                parts = _positions(value, kind)
                if len(parts) != len(items):
                    raise _mismatch(value, kind)
                return tuple(self.value(part, item) for part, item in zip(parts, items, strict=True))
            case types.Sequence(element):
                return tuple(self.value(part, element) for part in _positions(value, kind))
            case types.Function(key, item):
                return FrozenDict(
                    [(self.value(k, key), self.value(v, item)) for k, v in _pairs(value, kind)],
                )
            case types.Record():
                return self._record(value, kind)
            case types.Union(records):
                return self._union(value, kind, records)
            case types.Never() | types.Range():
                raise _mismatch(value, kind)
            case _:
                assert_never(kind)

    def _is_none(self, value: TlaValue) -> bool:
        return isinstance(value, ModelValue) and value.name == self.names.none

    def _none(self, value: TlaValue, kind: types.Type) -> None:
        if not self._is_none(value):
            raise _mismatch(value, kind)

    def _record(self, value: TlaValue, kind: types.Record) -> Any:
        fields = _fields(value, kind)
        expected = {self.names.field(kind, name): (name, item) for name, item in kind.fields}
        if self.names.is_tagged(kind):
            tag = fields.pop(self.names.tag, None)
            if tag != TlaString(self.names.tags[kind.python]):
                raise _mismatch(value, kind)
        if fields.keys() != expected.keys():
            raise _mismatch(value, kind)
        return kind.python(**{expected[text][0]: self.value(part, expected[text][1]) for text, part in fields.items()})

    def _union(self, value: TlaValue, kind: types.Type, records: tuple[types.Record, ...]) -> Any:
        tag = _fields(value, kind).get(self.names.tag)
        for record in records:
            if tag == TlaString(self.names.tags[record.python]):
                return self._record(value, record)
        raise _mismatch(value, kind)


def _is(wanted: type, value: TlaValue, kind: types.Type) -> Any:
    # True is an int in Python, not in TLA+.
    if type(value) is not wanted:
        raise _mismatch(value, kind)
    return value


def _of(wanted: type[T], value: TlaValue, kind: types.Type) -> T:
    if not isinstance(value, wanted):
        raise _mismatch(value, kind)
    return value


def _set_items(value: TlaValue, kind: types.Type) -> frozenset[TlaValue]:
    match value:
        case TlaSet(items):
            return items
        case TlaInterval():
            return value.to_set().items
        case _:
            raise _mismatch(value, kind)


def _positions(value: TlaValue, kind: types.Type) -> tuple[TlaValue, ...]:
    """The elements of a sequence, in order."""
    match value:
        case TlaTuple(items):
            return items
        case TlaFunction(pairs):
            found = dict(pairs)
            if set(found) == set(range(1, len(found) + 1)):
                return tuple(found[place] for place in range(1, len(found) + 1))
    raise _mismatch(value, kind)


def _pairs(value: TlaValue, kind: types.Type) -> list[tuple[TlaValue, TlaValue]]:
    """Arguments and values of a function, in whichever form it was printed."""
    match value:
        case TlaTuple(items):
            return list(enumerate(items, start=1))
        case TlaRecord(fields):
            return [(TlaString(name), item) for name, item in fields]
        case TlaFunction(pairs):
            return list(pairs)
        case _:
            raise _mismatch(value, kind)


def _fields(value: TlaValue, kind: types.Type) -> dict[str, TlaValue]:
    """The fields of a record by name."""
    match value:
        case TlaRecord():
            return value.mapping()
        case TlaFunction(pairs) if all(isinstance(key, TlaString) for key, _ in pairs):
            return {key.text: item for key, item in pairs if isinstance(key, TlaString)}
        case _:
            raise _mismatch(value, kind)


def _mismatch(value: TlaValue, kind: types.Type) -> DecodeError:
    return DecodeError(f"TLC printed {render_value(value)}, which is no {kind}")
