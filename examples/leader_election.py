"""Leader election on a ring: the process with the greatest number is elected, by messages that go one way round.

After Chang and Roberts, "An improved algorithm for decentralized extrema-finding in circular configurations of
processes" (1979). A process that wakes up sends its number to its neighbour. Who receives a greater number passes it on
and gives up; a smaller one is swallowed; and a number that comes back to its process has passed all others.

The process at place p has the number p and sends to place p - 1, which is the arrangement with the most messages: each
number travels until it reaches the greatest. Channels are first in, first out, and a state is large: `size` channels of
up to `size` numbers, 126 bits for 6 processes and 378 for 9.
"""

from typing import Annotated, Literal, Self

from protocheck import (
    Between,
    MaxLen,
    Protocol,
    action,
    const,
    eventually,
    guard,
    invariant,
    terminal,
    transition_invariant,
)


class LeaderElection(Protocol, fairness="weak"):
    size: int = const(4)

    Process = Annotated[int, Between(0, size - 1)]

    roles: dict[Process, Literal["asleep", "candidate", "passive", "leader"]] = {p: "asleep" for p in range(size)}
    inboxes: dict[Process, Annotated[tuple[Process, ...], MaxLen(size)]] = {p: () for p in range(size)}

    @action
    def wake_up(self, me: Process) -> None:
        """Take part, of one's own accord."""
        guard(is_asleep=self.roles[me] == "asleep")
        self.roles[me] = "candidate"
        self.inboxes[(me - 1) % self.size] += (me,)

    @action
    def pass_on(self, me: Process) -> None:
        """A greater number goes on its way; whoever has seen one is not elected."""
        guard(has_mail=self.inboxes[me] != ())
        number = self.inboxes[me][0]
        guard(is_greater=number > me)
        self.roles[me] = "passive"
        self.inboxes[me] = self.inboxes[me][1:]
        self.inboxes[(me - 1) % self.size] += (number,)

    @action
    def swallow(self, me: Process) -> None:
        """A smaller number goes no further: there is a greater one, sent already or still to be sent."""
        guard(has_mail=self.inboxes[me] != ())
        guard(is_smaller=self.inboxes[me][0] < me)
        self.inboxes[me] = self.inboxes[me][1:]

    @action
    def win(self, me: Process) -> None:
        """One's own number has come round."""
        guard(has_mail=self.inboxes[me] != ())
        guard(is_own=self.inboxes[me][0] == me)
        self.roles[me] = "leader"
        self.inboxes[me] = self.inboxes[me][1:]

    @terminal
    def settled(self) -> bool:
        """Nobody sleeps, and nothing is underway."""
        return all(self.roles[p] != "asleep" and self.inboxes[p] == () for p in range(self.size))

    @invariant
    def only_the_greatest_leads(self) -> bool:
        """So there is at most one leader."""
        return all(self.roles[p] != "leader" or p == self.size - 1 for p in range(self.size))

    @transition_invariant
    def given_up_for_good(self, after: Self) -> bool:
        """Whoever is passive stays so."""
        return all(self.roles[p] != "passive" or after.roles[p] == "passive" for p in range(self.size))

    @eventually
    def somebody_leads(self) -> bool:
        return any(self.roles[p] == "leader" for p in range(self.size))
