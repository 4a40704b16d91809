"""Values in the Informal Trace Format read without their protocol at hand: shown, and written, as they were.

How values are written, and read with their domains, is `transpiler.itf`; its names are found here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..transpiler.domains import show
from ..transpiler.itf import (
    EXACT,
    AsWritten,
    ItfError,
    Json,
    SequenceAsWritten,
    bigint,
    decode,
    encode,
    encode_state,
)
from ..transpiler.valuetypes import FrozenDict


class Opaque(AsWritten):
    """A value read without its protocol at hand, shown as a user would write it: an Enum member or a record.

    No dataclass, since those are records of a protocol.
    """

    __slots__ = ("text",)

    def __init__(self, text: str, data: Json) -> None:
        super().__init__(data)
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Names:
    """What values do not carry themselves: which strings are Enum members, and the class of a record by its fields."""

    enumerations: frozenset[str] = frozenset()
    records: Mapping[tuple[str, ...], str] = field(default_factory=dict)


NO_NAMES = Names()


def decode_untyped(data: Json, names: Names = NO_NAMES) -> Any:
    """An ITF value as one that `show` writes like the original, and `encode` too.

    Sequences and tuples both come out as tuples, Enum members and records as `Opaque`. Raises `ItfError`.
    """
    match data:
        case str() if data.partition(".")[0] in names.enumerations:
            return Opaque(data, data)
        case bool() | int() | str() | None:
            return data
        case {"#bigint": str(digits)} if len(data) == 1:
            return bigint(digits)
        case {"#set": list(items)} if len(data) == 1:
            return frozenset(decode_untyped(item, names) for item in items)
        case {"#tup": list(items)} if len(data) == 1:
            return tuple(decode_untyped(item, names) for item in items)
        case list(items):
            return SequenceAsWritten(decode_untyped(item, names) for item in items)
        case {"#map": list(pairs)} if len(data) == 1:
            return function((decode_untyped(k, names), decode_untyped(v, names)) for k, v in map(pair, pairs))
        case {"#unserializable": str(text)} if len(data) == 1:
            return Opaque(text, data)
        case {"tag": "None", "value": _} if len(data) == 2:
            # Quint's, with an empty tuple or record. None of ours: no class can have this name.
            return Opaque("None", data)
        case {"tag": str(tag), "value": dict(inner)} if len(data) == 2 and not any(key[:1] == "#" for key in inner):
            return Opaque(tag + _fields_text(inner, names), data)
        case {"tag": str(tag), "value": inner} if len(data) == 2:
            content = decode_untyped(inner, names)
            return Opaque(tag if content == () else f"{tag}({show(content)})", data)
        case dict() if not any(str(key).startswith("#") for key in data):
            return Opaque(names.records.get(tuple(data), "") + _fields_text(data, names), data)
        case _:
            raise ItfError(f"{data!r} is no value in the Informal Trace Format")


def pair(data: Json) -> tuple[Json, Json]:
    """A key and its value, out of a `#map`; raises `ItfError` for what is no array of two."""
    match data:
        case [key, value]:
            return key, value
    raise ItfError(f"{data!r} in a #map is no pair [key, value]")


def function(pairs: Iterable[tuple[Any, Any]]) -> FrozenDict[Any, Any]:
    """The function with these keys and values; raises `ItfError` where it would have two values for a key."""
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ItfError(f"the key {show(key)} stands twice in a #map")
        found[key] = value
    return FrozenDict(found)


def _fields_text(data: Mapping[str, Json], names: Names) -> str:
    return "(" + ", ".join(f"{name}={show(decode_untyped(item, names))}" for name, item in data.items()) + ")"


__all__ = [
    "EXACT",
    "NO_NAMES",
    "ItfError",
    "Json",
    "Names",
    "Opaque",
    "decode",
    "decode_untyped",
    "encode",
    "encode_state",
    "function",
    "pair",
]
