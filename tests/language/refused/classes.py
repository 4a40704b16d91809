import enum
from dataclasses import dataclass
from typing import Annotated, Any

from protocheck import *  # noqa: F403
from protocheck import Between, Protocol, action, const, guard, invariant

Small = Annotated[int, Between(0, 3)]


class Always(enum.Enum):
    A = 1
    B = 2

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


@dataclass(frozen=True)
class Put:
    at: Small


@dataclass(frozen=True)
class Take:
    at: Small


class Meta(type):
    pass


class Mixin:
    def reset(self) -> None:
        self.__dict__["count"] = 9


def noted(cls: Any) -> Any:
    return cls


@noted
class Machine(Mixin, Protocol, metaclass=Meta):
    limit: int = const(3)

    Message = Put

    count: Small = 0
    always: Always = Always.A
    last: Put | Take = Put(0)

    @action
    def names_the_class(self) -> None:
        guard(room=self.count < Machine.limit)
        self.count = Machine.count + 1

    @action
    def shadows(self, guard: bool) -> None:
        guard(room=self.count < 3)
        self.count += 1

    @action
    def iterates(self) -> None:
        self.count = sum(1 for a in Always if a == Always.B)

    @invariant
    def alias(self) -> bool:
        return isinstance(self.last, Message)  # noqa: F821
