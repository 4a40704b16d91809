"""Forwards that stop where real ones can be overtaken: between a layer's update and its attention.

A forward runs in a thread of its own and is halted there until it is told to go on, so that others act meanwhile in an
order that is chosen, and not by chance. Whatever happens, `ground` lets all go on and joins them: no thread stays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class ForwardFailed(RuntimeError):
    """Raised inside a forward that is meant to fail."""


class Flight:
    """One forward.

    what: for messages. forward: does it, in this flight's thread. stop_at: the layer between whose update and attention
    it halts; None for a forward that goes through.
    """

    def __init__(self, what: str, forward: Callable[[], Any], stop_at: int | None) -> None:
        self.what, self.stop_at = what, stop_at
        self._forward = forward
        self._halted_or_over = threading.Event()
        self._may_go_on = threading.Event()
        self._failing = False
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"protocheck {what}")

    @property
    def is_here(self) -> bool:
        """Whether this is its thread. Identities will not do: those of threads that are over are given anew."""
        return threading.current_thread() is self._thread

    def launch(self) -> None:
        """Start it; returns when it has halted, or is over."""
        self._thread.start()
        self._halted_or_over.wait()

    def land(self) -> Any:
        """Let it go on to its end; its result. Raises what it raised."""
        self.ground()
        if self._error is not None:
            raise self._error
        return self._result

    def fail(self) -> None:
        """Let it raise where it has halted, and end; nothing where it is over."""
        self._failing = True
        self.ground()

    def ground(self) -> None:
        """Let it go on to its end, whatever that is."""
        self._may_go_on.set()
        if self._thread.ident is not None:
            self._thread.join()

    def between(self, layer: int) -> None:
        """Called in its thread, when a layer has been updated and its attention comes next."""
        if layer == self.stop_at:
            self._halted_or_over.set()
            self._may_go_on.wait()
            if self._failing:
                raise ForwardFailed(f"the {self.what} was made to fail")

    def _run(self) -> None:
        try:
            self._result = self._forward()
        except BaseException as error:
            self._error = error
        finally:
            self._halted_or_over.set()


class Flights:
    """All forwards that were launched and have not landed."""

    def __init__(self) -> None:
        self.aloft: list[Flight] = []

    def launch(self, what: str, forward: Callable[[], Any], stop_at: int | None) -> Flight:
        """Launch a forward; returns when it has halted, or is over."""
        flight = Flight(what, forward, stop_at)
        self.aloft.append(flight)
        flight.launch()
        return flight

    def land(self, flight: Flight) -> Any:
        """Let one go on to its end; its result. Raises what it raised."""
        self.aloft.remove(flight)
        return flight.land()

    def fail(self, flight: Flight) -> None:
        """Let one raise where it has halted, and end."""
        self.aloft.remove(flight)
        flight.fail()

    def between(self, layer: int) -> None:
        """The hook of a cache: whichever forward runs in this thread may halt here."""
        for flight in tuple(self.aloft):
            if flight.is_here:
                flight.between(layer)

    def ground(self) -> None:
        """Let all go on to their end, the last one first, and forget them."""
        while self.aloft:
            self.aloft.pop().ground()
