import dataclasses
from dataclasses import InitVar, dataclass, field
from typing import Annotated, Literal

from protocheck import *  # noqa: F403
from protocheck import Between, Protocol, action, guard

Small = Annotated[int, Between(0, 1)]


@dataclass(frozen=True)
class Seen:
    at: Small
    note: Small = field(default=0, compare=False)


@dataclass(frozen=True, eq=False)
class Same:
    at: Small


@dataclass(frozen=True)
class Alike:
    at: Small

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    __hash__ = object.__hash__


@dataclass(frozen=True)
class Hashed:
    at: Small

    def __hash__(self) -> int:
        return id(self)


@dataclass(frozen=True)
class Raising:
    at: Small

    def __post_init__(self) -> None:
        if self.at == 1:
            raise ValueError(self.at)


@dataclass(frozen=True)
class Fixed:
    at: Small
    twice: Small = field(default=0, init=False)


@dataclass(frozen=True)
class Made:
    at: Small

    def __init__(self, at: int) -> None:
        object.__setattr__(self, "at", 1 - at)


@dataclass(frozen=True)
class Given:
    at: Small
    more: InitVar[int] = 0


@dataclass
class Loose:
    at: Small


@dataclass(frozen=True, kw_only=True)
class Named:
    at: Small


@dataclass(frozen=True)
class Base:
    at: Small


@dataclass(frozen=True)
class Derived(Base):
    on: bool = False


class Plain(Base):
    pass


BEST = Seen(1)


class Machine(Protocol):
    seen: Seen = Seen(0)
    same: Same = Same(0)
    alike: Alike = Alike(0)
    hashed: Hashed = Hashed(0)
    raising: Raising = Raising(0)
    fixed: Fixed = Fixed(0)
    made: Made = Made(0)
    given: Given = Given(0)
    loose: Loose = Loose(0)
    plain: Plain = Plain(0)
    either: Base | Derived = Base(0)
    maybe: Derived | None | Base = None
    child: Derived = Derived(0)
    at: Small = 0

    @action
    def asks(self) -> None:
        guard(base=isinstance(self.child, Base))
        self.at = BEST.at

    @action
    def sends(self, message: Literal["no"]) -> None:
        guard(best=self.child == BEST, named=Named(0) == Named(at=0))
        self.at = Derived(0, True, 1).at
