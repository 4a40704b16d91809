import functools
from collections.abc import Callable
from typing import Annotated, Any

from protocheck import *  # noqa: F403
from protocheck import Between, Protocol, action, guard, helper, invariant

LIMIT = 5


def denied(function: Callable[..., bool]) -> Callable[..., bool]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> bool:
        return not function(*arguments)

    return wrapper


def noted(function: Any) -> Any:
    return function


weak = action(fairness="weak")


@denied
def low(x: int) -> bool:
    return x < 3


@noted
def high(x: int) -> bool:
    return x > 3


@functools.cache
def middle(x: int) -> bool:
    return x == 3


def below(x: int, *, LIMIT: int = 2) -> bool:  # noqa: N803
    return x < LIMIT


def any_of(*xs: int) -> bool:
    return 0 in xs


def place_only(x: int, /) -> bool:
    return x == 0


def with_default(x: int, y: int = 0) -> bool:
    return x == y


def by_name(x: int, **more: int) -> bool:
    return x == 0


class Machine(Protocol):
    count: Annotated[int, Between(0, 6)] = 0

    @action
    def step(self) -> None:
        guard(low=low(self.count), high=high(self.count), middle=middle(self.count))
        guard(below=below(self.count), any=any_of(self.count), place=place_only(self.count))
        guard(default=with_default(self.count), name=by_name(self.count))
        self.count += 1

    @weak
    def later(self) -> None:
        self.count = 0

    @action
    def placed(self, n: Annotated[int, Between(0, 6)], /) -> None:
        self.count = n

    @invariant
    @denied
    def wrapped(self) -> bool:
        return self.count < 3

    @noted
    @helper
    def doubled(self) -> int:
        return 2 * self.count

    @property
    def twice(self) -> int:
        return 2 * self.count

    @staticmethod
    @helper
    def one() -> int:
        return 1
