"""Frozen dataclasses that cost little to define: the IR has some seventy classes, and every start of the command pays.

`record` is `dataclasses.dataclass` to type checkers, and its classes are dataclasses to everybody: `fields`, `replace`
and `match` work. Only the methods differ: `dataclass` writes and compiles six functions a class, here all classes share
theirs (measured: 0.35 ms a class against 0.05 ms).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(cls=None, /, *, frozen=True, kw_only=False):
        """The frozen dataclass of a class body; use as `@record(frozen=True)`."""
        assert frozen, "records are frozen"

        def wrap(body: type) -> type:
            return _finished(dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(body))

        return wrap if cls is None else wrap(cls)


def _finished(cls: Any) -> type:
    fields = dataclasses.fields(cls)
    cls.__init__ = _initialiser(cls, fields)
    compared = [field.name for field in fields if field.compare]
    cls._key = staticmethod(attrgetter(*compared) if compared else lambda _: ())
    cls.__eq__, cls.__hash__ = _equal, _hash
    cls.__repr__ = _repr
    cls.__getstate__ = _state
    cls.__setattr__ = cls.__delattr__ = _refuse
    made: type = cls
    return made


def _initialiser(cls: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    positional = tuple(field.name for field in fields if not field.kw_only)
    names = frozenset(field.name for field in fields)
    defaults = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    assert all(field.default_factory is dataclasses.MISSING for field in fields), "no default is made anew"
    count = len(positional)
    complete = count == len(fields)

    def __init__(self: Any, *args: Any, **values: Any) -> None:  # noqa: N807
        if complete and len(args) == count and not values:
            # The common case, and the one that code generation runs through a thousand times.
            self.__dict__.update(zip(positional, args, strict=True))
            return
        given = dict(zip(positional, args, strict=False))
        given.update(values)
        if len(args) > count or len(given) < len(args) + len(values):
            raise TypeError(f"{cls.__name__} was given a field twice, or one too many")
        state = self.__dict__
        state.update(defaults)
        state.update(given)
        if state.keys() != names:
            wrong = ", ".join(sorted(names.symmetric_difference(state)))
            raise TypeError(f"{cls.__name__} has other fields than it was given: {wrong}")

    return __init__


def _equal(self: Any, other: Any) -> Any:
    if self is other:
        return True
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._key(self) == self._key(other)


def _hash(self: Any) -> int:
    # Trees are hashed again and again, as keys; without this each time from the leaves up.
    known: int | None = self.__dict__.get("_hash")
    if known is None:
        known = self.__dict__["_hash"] = hash((self.__class__, self._key(self)))
    return known


def _state(self: Any) -> dict[str, Any]:
    # A hash is this process's own: strings hash differently in the next.
    return {name: value for name, value in self.__dict__.items() if name != "_hash"}


def _repr(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _refuse(self: Any, name: str, *_: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change the field {name!r} of a {type(self).__name__}")


__all__ = ["record"]
