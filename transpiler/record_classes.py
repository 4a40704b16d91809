"""Which classes have values that Python takes for what the engines take them for.

Dataclasses that are made and compared field by field, and Enums whose members are equal to themselves alone.
"""

from __future__ import annotations

import dataclasses
import inspect
from enum import Enum
from functools import lru_cache
from types import FunctionType
from typing import NamedTuple


class Flaw(NamedTuple):
    """Why the values of a class are none of the language."""

    message: str
    reason: str
    remedy: str


class Flawed(TypeError):
    """A value is of a class with a flaw."""

    def __init__(self, found: Flaw) -> None:
        super().__init__(found.message)
        self.flaw = found


@lru_cache(maxsize=256)
def flaw(cls: type) -> Flaw | None:
    """What keeps a dataclass from being a record, or None."""
    name = cls.__name__
    parameters = vars(cls).get("__dataclass_params__")
    if parameters is None:
        return Flaw(f"{name} is no dataclass, only its base is", "its values would be those of its base", _DECLARE)
    if not parameters.frozen:
        return Flaw(f"the dataclass {name} is not frozen", "values of a state are immutable", _DECLARE)
    if not parameters.eq:
        return Flaw(f"the dataclass {name} has eq=False", _EQUAL, _DECLARE)
    for method in ("__eq__", "__hash__"):
        if not _generated(cls, method):
            return Flaw(f"the dataclass {name} has its own {method}", _EQUAL, "remove it, and compare fields")
    for method in ("__new__", "__post_init__"):
        if getattr(cls, method, None) is not getattr(object, method, None):
            return Flaw(f"the dataclass {name} has its own {method}", _MADE, _RESTRICT)
    if not _generated(cls, "__init__"):
        return Flaw(f"the dataclass {name} has its own __init__", _MADE, _RESTRICT)
    fields = dataclasses.fields(cls)
    for field in fields:
        if not field.compare:
            return Flaw(f"the field {field.name} of {name} has compare=False", _EQUAL, "leave compare=False out")
        if not field.init:
            return Flaw(f"the field {field.name} of {name} has init=False", _MADE, "leave init=False out")
    for parameter in inspect.signature(cls).parameters:
        if parameter not in {field.name for field in fields}:
            return Flaw(f"{parameter} of {name} is no field but an InitVar", _MADE, "make it a field")
    return None


def enum_flaw(cls: type[Enum]) -> Flaw | None:
    """What keeps the members of an Enum from being told apart as its values are, or None."""
    for base in cls.__mro__:
        for method in ("__eq__", "__hash__"):
            known = base.__module__ in ("enum", "builtins") or _generated(base, method)
            if method in vars(base) and not known:
                reason = "a member is equal to itself and to nothing else"
                return Flaw(f"the Enum {cls.__name__} has its own {method}", reason, "remove it")
    return None


_EQUAL = "records are equal if they have one class and all their fields are equal"
_MADE = "a record is made of any values of its fields, and holds them as they are"
_DECLARE = "declare it with @dataclass(frozen=True)"
_RESTRICT = "remove it; what must hold of the fields is a guard or an assumption"


def _generated(cls: type, method: str) -> bool:
    """Whether `dataclass` wrote a method: what it compiles is from no file."""
    function = vars(cls).get(method)
    return isinstance(function, FunctionType) and function.__code__.co_filename == "<string>"


__all__ = ["Flaw", "Flawed", "enum_flaw", "flaw"]
