import enum
from typing import Annotated, Literal

from protocheck import *  # noqa: F403
from protocheck import Between, In, MaxLen, MinLen, Protocol, action, const

Low = Annotated[int, Between(0, 3)]
Wide = Annotated[Low, Between(0, 9)]
Short = Annotated[tuple[Low, ...], MaxLen(1)]


class Side(enum.Enum):
    LEFT = enum.auto()
    RIGHT = enum.auto()


class Machine(Protocol):
    numbers: frozenset[int] = const(frozenset({2, 7}))
    names: frozenset[str] = const(frozenset({"a", "z"}))
    sides: frozenset[Side] = const(frozenset({Side.LEFT}))

    Small = Annotated[int, Between(0, 1)]

    outside: Annotated[Low, Between(0, 9)] = 0
    inside: Annotated[Small, Between(0, 9)] = 0
    alias: Wide = 0
    together: Annotated[int, Between(0, 3), Between(0, 9)] = 0
    listed: Annotated[Low, In(numbers)] = 2
    bounded: Annotated[int, In(numbers), Between(0, 9)] = 2
    literal: Annotated[Literal["a", "b"], In(names)] = "a"
    longer: Annotated[Short, MaxLen(4)] = ()
    shorter: Annotated[tuple[Low, ...], MinLen(1), MinLen(2), MaxLen(3)] = (0, 0)
    three: "Annotated[int, Between(0, 3, 9)]" = 0
    text: "Annotated[str, Between(0, 3)]" = 0
    fine: Annotated[Short, MinLen(1)] = (0,)
    side: Annotated[Side, In(sides)] = Side.LEFT

    @action
    def step(self) -> None:
        self.fine = (1,)
