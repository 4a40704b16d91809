"""Protocols whose pages are hard to get right: loops, strings like markup, faults, assumptions, many calls."""

from typing import Annotated, Literal

from protocheck import (
    Between,
    MaxLen,
    Protocol,
    action,
    assume,
    const,
    eventually,
    guard,
    helper,
    init,
    invariant,
    terminal,
)

MARKUP = "</script><script>alert(1)</script><!--"
RIGHT_TO_LEFT = "שלום \u202e abc\u2028\x00"
QUOTES = "a'b\"c\\d&amp;"


class Spin(Protocol, fairness="weak"):
    """Goes round </script> & "quotes" for ever <b>without</b> arriving."""

    at: Annotated[int, Between(0, 5)] = 0
    mode: Literal["</script><script>alert(1)</script><!--", "שלום \u202e abc\u2028\x00", "a'b\"c\\d&amp;"] = (
        "a'b\"c\\d&amp;"
    )

    @action
    def go(self) -> None:
        guard(not_far=self.at < 3)
        self.at += 1

    @action
    def back(self) -> None:
        guard(at_end=self.at == 3)
        self.at = 1

    @action
    def say(self, text: Literal["</script><script>alert(1)</script><!--", "שלום \u202e abc\u2028\x00"]) -> None:
        """Says <img src=x onerror=alert(2)>."""
        guard(at_one=self.at == 1)
        self.mode = text

    @action
    def arrive(self, how: Annotated[int, Between(0, 30)]) -> None:
        guard(never=self.at == 4, small=how < 10)
        self.at = 5

    @eventually
    def arrives(self) -> bool:
        return self.at == 5


class Stay(Protocol):
    """May stay where it is for ever: nothing is fair."""

    at: Annotated[int, Between(0, 3)] = 0

    @action
    def go(self) -> None:
        guard(not_far=self.at < 3)
        self.at += 1

    @action
    def rest(self) -> None:
        self.at = self.at

    @eventually
    def arrives(self) -> bool:
        return self.at == 3


class Many(Protocol):
    """A grid of states, too many for one page."""

    side: int = const(100)

    x: Annotated[int, Between(0, side)] = 0
    y: Annotated[int, Between(0, side)] = 0

    @action
    def right(self) -> None:
        guard(room=self.x < self.side)
        self.x += 1

    @action
    def up(self) -> None:
        guard(room=self.y < self.side)
        self.y += 1

    @terminal
    def corner(self) -> bool:
        return self.x == self.side and self.y == self.side


class Chosen(Protocol):
    """Begins in one of several states; some calls are assumed away, some have no value."""

    at: Annotated[int, Between(0, 4)]
    tail: Annotated[tuple[Annotated[int, Between(0, 4)], ...], MaxLen(1)] = ()

    @init
    def begin(self, first: Annotated[int, Between(0, 4)]) -> None:
        assume(first != 3)
        self.at = first

    @action
    def take(self, i: Annotated[int, Between(0, 4)]) -> None:
        assume(i != 1)
        guard(first_is_it=self.tail[0] == i or self.is_far(i))
        self.at = i

    @helper
    def is_far(self, i: int) -> bool:
        return any(j > 3 and i > j - 1 for j in range(self.at))

    @invariant
    def near(self) -> bool:
        return self.at < 5


class Wide(Protocol):
    """A million calls in each state, of which any may be taken."""

    at: Annotated[int, Between(0, 999)] = 0

    @action
    def take(self, i: Annotated[int, Between(0, 999)], j: Annotated[int, Between(0, 999)]) -> None:
        guard(later=i > j)
        self.at = i
