"""Dining philosophers (Dijkstra, 1965): five at a round table, a fork between any two, and both needed to eat.

Everybody takes the left fork, then the right one. `DiningPhilosophers` deadlocks: all take the left fork, and wait for
the right one for ever. `WithButler` lets all but one sit down at once, after which somebody always gets both forks.
"""

from typing import Annotated, Literal

from protocheck import Between, Protocol, action, const, guard, helper, invariant, leads_to, reachable


class DiningPhilosophers(
    Protocol, survivors={"take_left.is_thinking": "whoever is not thinking holds the left fork, which is not free then"}
):
    seats: int = const(5)

    Seat = Annotated[int, Between(0, seats - 1)]

    moods: dict[Seat, Literal["thinking", "hungry", "eating"]] = {seat: "thinking" for seat in range(seats)}
    holders: dict[Seat, Seat | None] = {fork: None for fork in range(seats)}

    @helper
    def right_of(self, seat: Seat) -> int:
        """The fork to the right of a seat; the one to its left has the number of the seat."""
        return (seat + 1) % self.seats

    @action(fairness="strong", each="who")
    def take_left(self, who: Seat) -> None:
        """Get hungry and take the fork to the left."""
        guard(is_thinking=self.moods[who] == "thinking", left_free=self.holders[who] is None)
        self.moods[who] = "hungry"
        self.holders[who] = who

    @action(fairness="strong", each="who")
    def take_right(self, who: Seat) -> None:
        """Take the fork to the right and eat."""
        guard(has_left=self.moods[who] == "hungry", right_free=self.holders[self.right_of(who)] is None)
        self.moods[who] = "eating"
        self.holders[self.right_of(who)] = who

    @action(fairness="weak", each="who")
    def put_down(self, who: Seat) -> None:
        """Lay down both forks and think."""
        guard(is_eating=self.moods[who] == "eating")
        self.moods[who] = "thinking"
        self.holders[who] = self.holders[self.right_of(who)] = None

    @invariant
    def holds_what_he_needs(self) -> bool:
        """The hungry hold their left fork, the eating both, the thinking none."""
        return all(
            (self.holders[seat] == seat) == (self.moods[seat] != "thinking")
            and (self.holders[self.right_of(seat)] == seat) == (self.moods[seat] == "eating")
            for seat in range(self.seats)
        )

    @invariant
    def neighbours_do_not_eat_together(self) -> bool:
        return not any(
            self.moods[seat] == "eating" and self.moods[self.right_of(seat)] == "eating" for seat in range(self.seats)
        )

    @reachable
    def two_eat_at_once(self) -> bool:
        """The table is more than one plate."""
        return sum(1 for seat in range(self.seats) if self.moods[seat] == "eating") == 2


class WithButler(DiningPhilosophers):
    """Dining philosophers with a butler, who keeps one seat empty."""

    @action(fairness="strong", each="who")
    def take_left(self, who: DiningPhilosophers.Seat) -> None:
        """Sit down if the butler allows it, get hungry and take the fork to the left."""
        guard(
            is_thinking=self.moods[who] == "thinking",
            left_free=self.holders[who] is None,
            butler_allows=sum(1 for seat in range(self.seats) if self.moods[seat] != "thinking") < self.seats - 1,
        )
        self.moods[who] = "hungry"
        self.holders[who] = who

    @helper
    def first_eats(self) -> bool:
        return self.moods[0] == "eating"

    @leads_to(first_eats)
    def first_does_not_starve(self) -> bool:
        """Who is hungry eats; the others are in the same position."""
        return self.moods[0] == "hungry"
