"""The constants of a run, out of its log: JSON read by the type of each constant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...transpiler import ir
from ...transpiler import valuetypes as types
from ...transpiler.domains import show
from ...transpiler.instance import fits
from ...transpiler.itf import ItfError, encode
from ..errors import nearest
from ..itf import decode_untyped, function, pair
from .model import Foreign


def read_constants(protocol: ir.Protocol, data: Any) -> dict[str, Any]:
    """Constants by name; raises `Foreign` for a name that the protocol does not have, or a value of another type."""
    if not isinstance(data, Mapping):
        raise Foreign("the constants are no JSON object")
    known = [constant.name for constant in protocol.constants]
    found = {}
    for name, value in data.items():
        if name not in known:
            raise Foreign(f"{protocol.name} has no constant {show(name)}{nearest(name, known)}")
        kind = protocol.constant(name).type
        try:
            found[name] = _read(value, kind)
        except (ItfError, TypeError, ValueError):
            raise Foreign(f"{value!r} is no value for the constant {name}, whose type is {kind}") from None
    return found


def _read(data: Any, kind: types.Type) -> Any:
    match kind:
        case types.Enumeration():
            for member in kind.members:
                if encode(member) == data:
                    return member
            raise ValueError
        case types.Optional(item):
            return None if data is None else _read(data, item)
        case types.Set(element):
            return frozenset(_read(item, element) for item in _inside(data, "#set"))
        case types.Tuple(items):
            return tuple(_read(part, item) for part, item in zip(_inside(data, "#tup"), items, strict=True))
        case types.Sequence(element):
            return tuple(_read(item, element) for item in (data if isinstance(data, list) else _inside(data, "#tup")))
        case types.Function(key, value):
            return function((_read(k, key), _read(v, value)) for k, v in map(pair, _inside(data, "#map")))
        case _:
            found = decode_untyped(data)
            if not fits(kind, found):
                raise ValueError
            return found


def _inside(data: Any, tag: str) -> list[Any]:
    if type(data) is not dict or list(data) != [tag] or type(data[tag]) is not list:
        raise ValueError
    inner: list[Any] = data[tag]
    return inner
