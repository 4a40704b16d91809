"""Hand-over between two engines: a producer fills a buffer, a consumer drains it, and never both at once.

The producer (a drafter, a prefill engine) writes into the one buffer between them; the consumer (the verifier, a
decode engine) reads it when it is full. Each engine reports start and end of its work on its own.
"""

from typing import Literal, Self

from protocheck import Protocol, action, eventually, guard, invariant, transition_invariant


class Dispatch(
    Protocol,
    fairness="weak",
    survivors={
        "start_fill.producer_idle": "starting a fill that is running changes nothing",
        "start_drain.consumer_idle": "starting a drain that is running changes nothing",
    },
):
    producer: Literal["idle", "writing"] = "idle"
    consumer: Literal["idle", "reading"] = "idle"
    buffer: Literal["empty", "full"] = "empty"

    @action
    def start_fill(self) -> None:
        """The producer begins to write."""
        guard(producer_idle=self.producer == "idle", buffer_empty=self.buffer == "empty")
        self.producer = "writing"

    @action
    def finish_fill(self) -> None:
        """The last byte is written: the buffer is handed over."""
        guard(is_writing=self.producer == "writing")
        self.producer = "idle"
        self.buffer = "full"

    @action
    def start_drain(self) -> None:
        """The consumer begins to read."""
        guard(consumer_idle=self.consumer == "idle", buffer_full=self.buffer == "full")
        self.consumer = "reading"

    @action
    def finish_drain(self) -> None:
        """The last byte is read: the buffer is free again."""
        guard(is_reading=self.consumer == "reading")
        self.consumer = "idle"
        self.buffer = "empty"

    @invariant
    def data_integrity(self) -> bool:
        """What is read was written whole, and what was written is not overwritten before it is read."""
        read_is_whole = self.consumer != "reading" or self.buffer == "full"
        nothing_overwritten = self.producer != "writing" or self.buffer == "empty"
        return read_is_whole and nothing_overwritten

    @invariant
    def no_collision(self) -> bool:
        """The engines are never in the buffer at once."""
        return not (self.producer == "writing" and self.consumer == "reading")

    @transition_invariant
    def changed_by_its_engine(self, after: Self) -> bool:
        """The buffer turns full only by a finished write, and empty only by a finished read."""
        if self.buffer == after.buffer:
            return True
        if after.buffer == "full":
            return self.producer == "writing"
        return self.consumer == "reading"

    @eventually
    def filled_in_the_end(self) -> bool:
        """The producer gets its turn."""
        return self.buffer == "full"
