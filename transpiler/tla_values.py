"""Plain values → TLA+ text: the values of constants, in a .cfg where its grammar allows, else as an expression."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any

from . import valuetypes as types
from .instance import natural_order
from .tla_library import Used
from .tla_names import Names, fresh, identifier, member_string
from .tla_syntax import Text, angles, atom, boolean, braces, infix, joined, number, string

_PLAIN_STRING = re.compile(r"[\w .:+/-]*", re.ASCII)


def model_values(members: Mapping[str, frozenset[str]], names: Names) -> dict[tuple[str, str], str]:
    """What the members of symmetric constants are called: (constant, member) → model value.

    Members keep their names where TLA+ can have them. `t_1` it cannot: TLC takes the letter before an underscore for a
    type and refuses to compare values of different ones.
    """
    found: dict[tuple[str, str], str] = {}
    taken = {names.none, *names.taken}
    for constant, strings in members.items():
        for member in sorted(strings, key=natural_order):
            plain = identifier(member)
            if plain != member or plain[1:2] == "_":
                plain = identifier(f"{names['constant', constant]}{member}")
            name = fresh(plain, taken)
            taken.add(name)
            found[constant, member] = name
    return found


def config_value(value: Any, kind: types.Type, used: Used, models: Mapping[tuple[str, str], str]) -> str | None:
    """The value as a .cfg can hold it: naturals, plain strings, Booleans, None and sets of those; else None."""
    match value:
        case None:
            return used.null()
        case enum.Enum():
            return f'"{member_string(value)}"'
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value) if value >= 0 else None
        case str() if isinstance(kind, types.Model):
            return models[kind.constant, value]
        case str():
            return f'"{value}"' if _PLAIN_STRING.fullmatch(value) else None
        case frozenset():
            element = _element(kind)
            parts = [config_value(item, element, used, models) for item in sorted(value, key=natural_order)]
            return None if None in parts else "{" + ", ".join(part for part in parts if part is not None) + "}"
        case _:
            return None


def value_text(value: Any, used: Used) -> Text:
    """The value as an expression. Members of symmetric constants do not occur in what is not itself such a set."""
    match value:
        case None:
            return atom(used.null())
        case enum.Enum():
            return string(member_string(value))
        case bool():
            return boolean(value)
        case int():
            used.modules.add("Integers")
            return number(value)
        case str():
            return string(value)
        case frozenset():
            return braces(*(value_text(item, used) for item in sorted(value, key=natural_order)))
        case dict():
            return _function_text(value, used)
        case tuple():
            return angles(*(value_text(item, used) for item in value))
        case _ if dataclasses.is_dataclass(value):
            return _record_text(value, used)
        case _:
            raise AssertionError(f"{value!r} is no value of the language")


def _function_text(value: Mapping[Any, Any], used: Used) -> Text:
    if not value:
        return atom("<<>>")  # the function without arguments is the empty sequence
    used.modules.add("TLC")
    entries = sorted(value.items(), key=lambda entry: natural_order(entry[0]))
    return joined("@@", (infix(":>", value_text(key, used), value_text(item, used)) for key, item in entries))


def _record_text(value: Any, used: Used) -> Text:
    names, cls = used.names, type(value)
    parts = [(names.tag, string(names.tags[cls]))] if cls in names.tags else []
    for item in dataclasses.fields(value):
        called = names.fields.get((cls, item.name), identifier(item.name))
        parts.append((called, value_text(getattr(value, item.name), used)))
    return atom("[" + ", ".join(f"{name} |-> {text}" for name, text in parts) + "]")


def _element(kind: types.Type) -> types.Type:
    match kind:
        case types.Optional(item):
            return _element(item)
        case types.Set(element):
            return element
        case _:
            return types.NEVER
