"""Values of constants read by the type of the constant they are for: the texts of `--set name=value`, and TOML's."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from ..transpiler import ir
from ..transpiler import valuetypes as types
from ..transpiler.domains import canonical, show
from .errors import UserError, nearest

TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_settings(protocol: ir.Protocol, settings: Iterable[str]) -> dict[str, Any]:
    """Constants by name from texts `name=value`; raises `UserError` for an unknown name or an unreadable value.

    Whether a value lies in its constant's domain is for `instantiate` to say.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals:
            raise UserError(f"--set {setting}: write name=value, as in --set {_example(protocol)}")
        known = [constant.name for constant in protocol.constants]
        if name not in known:
            raise UserError(f"{protocol.name} has no constant {name}{nearest(name, known)}")
        if name in values:
            raise UserError(f"--set gives {name} twice")
        kind = protocol.constant(name).type
        try:
            values[name] = _read(text.strip(), kind)
        except ValueError as error:
            reason = f" ({error})" if str(error) else ""
            raise UserError(f"--set {setting}: {text.strip() or 'an empty text'} is no {kind}{reason}") from None
    return values


def read_values(protocol: ir.Protocol, values: Mapping[str, object]) -> dict[str, Any]:
    """Constants by name from what TOML or JSON can say; raises `UserError` for an unknown name or an unfitting value.

    Arrays are sets, sequences or tuples, as the constant's type has it; a text is read as in `--set` wherever the type
    is none of texts, so that everything can be written: `"none"`, `"Mode.FAST"`, `"a,b"`.
    """
    known = [constant.name for constant in protocol.constants]
    found = {}
    for name, value in values.items():
        if name not in known:
            raise UserError(f"{protocol.name} has no constant {name}{nearest(name, known)}")
        kind = protocol.constant(name).type
        try:
            found[name] = _typed(value, kind)
        except ValueError as error:
            reason = f" ({error})" if str(error) else ""
            raise UserError(f"{value!r} is no value for the constant {name}, whose type is {kind}{reason}") from None
    return found


def _typed(value: object, kind: types.Type) -> Any:
    match value, kind:
        case _, types.Optional(item):
            return _read(value, kind) if isinstance(value, str) else _typed(value, item)
        case str(), _:
            return value if isinstance(kind, types.Str | types.Model) else _read(value, kind)
        case bool(), types.Bool():
            return value
        case int(), types.Int() if not isinstance(value, bool):
            return value
        case list(), types.Set(element):
            members = [_typed(part, element) for part in value]
            if len(set(members)) != len(members):
                raise ValueError("a member is named twice")
            return frozenset(members)
        case list(), types.Sequence(element):
            return tuple(_typed(part, element) for part in value)
        case list(), types.Tuple(items):
            if len(value) != len(items):
                raise ValueError(f"it has {len(items)} components")
            return tuple(_typed(part, item) for part, item in zip(value, items, strict=True))
        case dict(), types.Function(key, result):
            return canonical({_typed(name, key): _typed(part, result) for name, part in value.items()})
        case _:
            raise ValueError


def _example(protocol: ir.Protocol) -> str:
    if not protocol.constants:
        return "max_len=4"
    constant = protocol.constants[0]
    return f"{constant.name}={show(constant.default)}"


def _read(text: str, kind: types.Type) -> Any:
    match kind:
        case types.Int():
            # Underscores and signs as in Python; a bool or a fraction is no number of states.
            try:
                return int(text, 10)
            except ValueError:
                raise ValueError from None
        case types.Bool():
            if text.lower() not in TRUTHS:
                raise ValueError("write true or false")
            return TRUTHS[text.lower()]
        case types.Str() | types.Model():
            return _word(text)
        case types.Enumeration(python):
            named = {member.name: member for member in kind.members}
            name = text.removeprefix(f"{python.__name__}.")
            if name not in named:
                raise ValueError(f"its members are {', '.join(named)}")
            return named[name]
        case types.Optional(item):
            return None if text.lower() == "none" else _read(text, item)
        case types.Set(element):
            members = [_read(part, element) for part in _parts(text, "{}")]
            if len(set(members)) != len(members):
                raise ValueError("a member is named twice")
            return frozenset(members)
        case types.Sequence(element):
            return tuple(_read(part, element) for part in _parts(text, "()"))
        case types.Tuple(items):
            parts = _parts(text, "()")
            if len(parts) != len(items):
                raise ValueError(f"it has {len(items)} components")
            return tuple(_read(part, item) for part, item in zip(parts, items, strict=True))
        case types.Function():
            try:
                return canonical(ast.literal_eval(text))
            except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
                raise ValueError('write it as in Python, {"a": 1, "b": 2} say') from None
        case _:
            raise ValueError("constants of this type can only be given in Python")


def _word(text: str) -> str:
    """A string, with or without quotes; a shell takes one pair of them away."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if not text:
        raise ValueError
    return text


def _parts(text: str, brackets: str) -> list[str]:
    """The members of `{a, b}`, `(a, b)`, or of `a, b` without the brackets, split at the outermost commas."""
    if text[:1] == brackets[0] and text[-1:] == brackets[1]:
        text = text[1:-1]
    parts, depth, quote, current = [], 0, "", ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "({[":
            depth += 1
        elif character in ")}]":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(current.strip())
            current = ""
            continue
        current += character
    if depth != 0 or quote:
        raise ValueError("its brackets or quotes do not match")
    if current.strip() or not parts:
        parts.append(current.strip())
    return [] if parts == [""] else parts
