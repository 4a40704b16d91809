"""A bounded buffer between a producer and a consumer: a ring of slots, and a counter of each side's own.

The producer alone moves `written`, the consumer alone moves `read`; the items are numbered from 0, so that what lies in
a slot can be compared with what should.
"""

from typing import Annotated, Self

from protocheck import Between, Protocol, action, const, eventually, guard, invariant, terminal, transition_invariant


class BoundedBuffer(Protocol, fairness="weak"):
    capacity: int = const(2)
    items: int = const(4)

    Count = Annotated[int, Between(0, items)]
    Item = Annotated[int, Between(0, items - 1)]
    Slot = Annotated[int, Between(0, capacity - 1)]

    slots: dict[Slot, Item | None] = {slot: None for slot in range(capacity)}
    written: Count = 0
    read: Count = 0
    received: Item | None = None

    @action
    def put(self) -> None:
        """The producer writes the next item into the slot behind the last."""
        guard(more=self.written < self.items, room=self.written - self.read < self.capacity)
        self.slots[self.written % self.capacity] = self.written
        self.written += 1

    @action
    def get(self) -> None:
        """The consumer takes the oldest item out."""
        guard(something=self.read < self.written)
        self.received = self.slots[self.read % self.capacity]
        self.slots[self.read % self.capacity] = None
        self.read += 1

    @terminal
    def all_received(self) -> bool:
        return self.read == self.items

    @invariant
    def unread_is_there(self) -> bool:
        """Every item that was written and not read lies in its slot."""
        return all(self.slots[i % self.capacity] == i for i in range(self.read, self.written))

    @invariant
    def in_order(self) -> bool:
        """The last item received is the last one read."""
        return self.received is None if self.read == 0 else self.received == self.read - 1

    @transition_invariant
    def one_at_a_time(self, after: Self) -> bool:
        return after.written - self.written + after.read - self.read == 1

    @eventually
    def everything_arrives(self) -> bool:
        return self.read == self.items
