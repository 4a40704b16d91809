"""Values as JSON in the Informal Trace Format (ITF), both ways.

Sets are `{"#set": […]}`, fixed tuples `{"#tup": […]}`, sequences plain lists, functions `{"#map": [[key, value], …]}`,
integers beyond 2^53 `{"#bigint": "…"}`, records objects. What ITF leaves open is settled like this: a record out of a
union is `{"tag": class, "value": {…}}`, an Enum member the string `Class.MEMBER`, and `None` is `null`.

Sets and functions are written in a fixed order, so that equal values give equal text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from . import domains
from .domains import Domain, show
from .valuetypes import FrozenDict

Json = Any
"""What the json module reads and writes."""

EXACT = 2**53 - 1
"""The largest integer that every reader of JSON keeps exact."""


class AsWritten:
    """A value that was read without its protocol at hand: `data` is its JSON, which is written again as it was."""

    __slots__ = ("data",)

    def __init__(self, data: Json) -> None:
        self.data = data


class SequenceAsWritten(tuple[Any, ...]):
    """A tuple that was read from a plain list, without its domain, which alone tells sequences from fixed tuples."""

    __slots__ = ()


# ------------------------------------------------------------------------------------------------------- writing


def encode(value: Any, domain: Domain | None = None) -> Json:
    """A canonical value as ITF; the domain tells tuples from sequences and unions from plain records.

    A value outside its domain (the last state of a `type_ok` trace has one) is written as well, by its own shape
    where the domain does not fit.
    """
    match domain:
        case domains.OptionalDomain(item) if value is not None:
            return encode(value, item)
        case domains.SetDomain(element) if isinstance(value, frozenset):
            return _set(value, element)
        case domains.SequenceDomain(element) if isinstance(value, tuple):
            return [encode(item, element) for item in value]
        case domains.TupleDomain(items) if isinstance(value, tuple) and len(items) == len(value):
            return {"#tup": [encode(item, each) for item, each in zip(value, items, strict=True)]}
        case domains.FunctionDomain(key, result) if isinstance(value, dict):
            return _map(value, key, result)
        case domains.RecordDomain() if _is_record(value):
            return _record(value, domain)
        case domains.UnionDomain(alternatives) if _is_record(value):
            fitting = next((record for record in alternatives if record.type.python is type(value)), None)
            return {"tag": type(value).__name__, "value": _record(value, fitting)}
    return _by_shape(value)


def encode_state(state: Mapping[str, Any], variables: Mapping[str, Domain]) -> dict[str, Json]:
    """A state as an object, variables in their order of declaration."""
    return {name: encode(value, variables.get(name)) for name, value in state.items()}


def _by_shape(value: Any) -> Json:
    match value:
        case AsWritten():
            return value.data
        case Enum():
            return f"{type(value).__name__}.{value.name}"
        case bool() | str() | None:
            return value
        case int():
            return value if -EXACT <= value <= EXACT else {"#bigint": str(value)}
        case frozenset():
            return _set(value, None)
        case SequenceAsWritten():
            return [encode(item) for item in value]
        case tuple():
            return {"#tup": [encode(item) for item in value]}
        case dict():
            return _map(value, None, None)
        case _ if _is_record(value):
            return _record(value, None)
        case _:
            raise TypeError(f"{value!r} is no value of a protocol")


def _set(value: frozenset[Any], element: Domain | None) -> Json:
    return {"#set": [encode(item, element) for item in _ordered(value)]}


def _map(value: Mapping[Any, Any], key: Domain | None, result: Domain | None) -> Json:
    return {"#map": [[encode(k, key), encode(value[k], result)] for k in _ordered(value)]}


def _record(value: Any, domain: domains.RecordDomain | None) -> Json:
    known = dict(domain.fields) if domain is not None else {}
    return {each.name: encode(getattr(value, each.name), known.get(each.name)) for each in fields(value)}


def _is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _ordered(values: Any) -> list[Any]:
    """Numbers by size, everything else by its text."""
    return sorted(values, key=lambda item: (0, item, "") if type(item) is int else (1, 0, show(item)))


# ------------------------------------------------------------------------------------------------------- reading


class ItfError(ValueError):
    """JSON that is no ITF value, or none of the domain."""


def decode(data: Json, domain: Domain) -> Any:
    """The canonical value of an ITF text in a domain; raises `ItfError` where it has none there.

    Small integers may be written as `{"#bigint": "…"}` too, as Apalache and Quint do, and optional values as Quint's
    variants: `{"tag": "None", "value": …}`, `{"tag": "Some", "value": …}`.
    """
    match data:
        case {"#bigint": str(digits)} if len(data) == 1:
            data = bigint(digits)
    match domain, data:
        case domains.OptionalDomain(), None | {"tag": "None"}:
            return None
        case domains.OptionalDomain(item), {"tag": "Some", "value": inner} if not _has_class(item, "Some"):
            return decode(inner, item)
        case domains.OptionalDomain(item), _:
            return decode(data, item)
        case (domains.BoolDomain(), bool()) | (domains.IntDomain(), int()):
            value: Any = data
        case domains.ChoiceDomain(members), _:
            # The types are compared as well: to Python 1 is True.
            written = ((member, encode(member)) for member in members)
            value = next((each for each, text in written if type(text) is type(data) and text == data), _NO_MEMBER)
        case domains.SetDomain(element), {"#set": list(items)}:
            value = frozenset(decode(item, element) for item in items)
        case domains.SequenceDomain(element), list():
            value = tuple(decode(item, element) for item in data)
        case domains.TupleDomain(items), {"#tup": list(parts)} if len(items) == len(parts):
            value = tuple(decode(part, item) for part, item in zip(parts, items, strict=True))
        case domains.FunctionDomain(key, result), {"#map": list(pairs)} if all(map(_is_pair, pairs)):
            value = FrozenDict((decode(k, key), decode(v, result)) for k, v in pairs)
            if len(value) != len(pairs):
                raise ItfError(f"{data!r} has two values for one key")
        case domains.RecordDomain(record, known), dict() if {name for name, _ in known} == set(data):
            value = record.python(**{name: decode(data[name], each) for name, each in known})
        case domains.UnionDomain(alternatives), {"tag": str(tag), "value": dict(inner)}:
            fitting = next((each for each in alternatives if each.type.python.__name__ == tag), None)
            value = decode(inner, fitting) if fitting is not None else _NO_MEMBER
        case _:
            value = _NO_MEMBER
    if not domains.contains(domain, value):
        raise ItfError(f"{data!r} is no value of {domain}")
    return value


def bigint(digits: str) -> int:
    """The integer of `{"#bigint": "…"}`; raises `ItfError` for what is not written as one."""
    if not digits.removeprefix("-").isdecimal() or not digits.isascii():
        raise ItfError(f"{digits!r} is no integer")
    try:
        return int(digits)
    except ValueError:  # thousands of digits, which Python does not convert
        raise ItfError(f"an integer of {len(digits)} digits is too long") from None


def _is_pair(data: Json) -> bool:
    return isinstance(data, list) and len(data) == 2


def _has_class(domain: Domain, name: str) -> bool:
    """Whether a class of a union has this name."""
    return isinstance(domain, domains.UnionDomain) and any(
        record.type.python.__name__ == name for record in domain.alternatives
    )


_NO_MEMBER = object()
