"""Mutual exclusion for two processes that share nothing but single words of memory.

After Peterson, "Myths about the mutual exclusion problem" (1981). A process says that it wants to enter, lets the other
one go first, and enters when the other does not want to, or has let it go first in turn.
"""

from typing import Annotated, Literal

from protocheck import Between, Protocol, action, guard, helper, invariant, leads_to


class Peterson(Protocol):
    Process = Annotated[int, Between(0, 1)]

    places: dict[Process, Literal["outside", "asking", "waiting", "inside"]] = {0: "outside", 1: "outside"}
    wants: dict[Process, bool] = {0: False, 1: False}
    first: Process = 0

    @action
    def ask(self, me: Process) -> None:
        """Raise the flag. Nobody is forced to: there is no fairness."""
        guard(is_outside=self.places[me] == "outside")
        self.wants[me] = True
        self.places[me] = "asking"

    @action(fairness="weak", each="me")
    def give_way(self, me: Process) -> None:
        """Let the other one go first; who does so last, waits."""
        guard(is_asking=self.places[me] == "asking")
        self.first = 1 - me
        self.places[me] = "waiting"

    @action(fairness="weak", each="me")
    def enter(self, me: Process) -> None:
        guard(
            is_waiting=self.places[me] == "waiting",
            may_enter=not self.wants[1 - me] or self.first == me,
        )
        self.places[me] = "inside"

    @action(fairness="weak", each="me")
    def leave(self, me: Process) -> None:
        guard(is_inside=self.places[me] == "inside")
        self.wants[me] = False
        self.places[me] = "outside"

    @invariant
    def mutual_exclusion(self) -> bool:
        return not (self.places[0] == "inside" and self.places[1] == "inside")

    @invariant
    def flag_is_up(self) -> bool:
        """Whoever is not outside has his flag up, and nobody else."""
        return all(self.wants[p] == (self.places[p] != "outside") for p in range(2))

    @helper
    def zero_inside(self) -> bool:
        return self.places[0] == "inside"

    @helper
    def one_inside(self) -> bool:
        return self.places[1] == "inside"

    @leads_to(zero_inside)
    def zero_gets_in(self) -> bool:
        """Who has asked gets in."""
        return self.wants[0]

    @leads_to(one_inside)
    def one_gets_in(self) -> bool:
        return self.wants[1]
