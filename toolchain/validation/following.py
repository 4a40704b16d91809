"""One instance of a protocol in a log: its events taken one after the other, quickly where that is possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...transpiler.language import Protocol
from ...transpiler.naming import snake_case
from ..traces import State
from .explain import rejection
from .model import Model, TooMany
from .native_steps import NativeSteps
from .results import Event, Options, Rejection, Validation, Verdict
from .simulation import Possible

_NOTHING: Mapping[str, Any] = {}


class Follower:
    """Where the events so far have led; `over` as soon as nothing more can be learned from further events.

    With `keeps` the events are kept, in `journal`; `begun` is what is known of the state before the first. `doubt` says
    why the states to begin with are not surely those: then no log is a behaviour, though it may be none.
    """

    def __init__(
        self,
        cls: type[Protocol] | None,
        model: Model,
        options: Options,
        states: Iterable[State],
        instance: str = "",
        *,
        keeps: bool = False,
        doubt: str = "",
    ) -> None:
        self.model, self.instance, self.over, self.line = model, instance, False, 0
        self.notes: list[str] = []
        self.journal: list[Event] = []
        self.begun: Event | None = None
        self._options, self._keeps = options, keeps
        self._possible = Possible(model, options, states)
        # The fast way, where it can be taken at all, and while it can be taken now.
        self._prepared: NativeSteps | None = None
        self._native: NativeSteps | None = None
        # Hidden steps and the environment's assumptions are the simulation's business.
        self._cls = None if options.unlogged or options.assumptions else cls
        self._counts = {action: len(parameters) for action, parameters in model.parameters.items()}
        self._events = self._with_arguments = self._with_values = 0
        self._rejection: Rejection | None = None
        self._reason = doubt
        if doubt and not self._possible.states:
            self.over = True
        self._make_fast()

    # ------------------------------------------------------------------------------------------------------ events

    def begins(self, line: int, seen: Mapping[str, Any]) -> None:
        """What is known of the state before the first event, and before any unlogged action; raises `Foreign`."""
        self.line = line
        event = self.begun = Event(line, None, _NOTHING, seen)
        if self.over:
            return
        found = self._possible.begun(seen)
        if found.states:
            self._possible = found
            self._make_fast()
        else:
            self._rejection = rejection(self._possible, event)
            self.notes.append("a log may begin in the middle of a run: --from-anywhere")
            self.over = True

    def step(self, line: int, action: str, arguments: Mapping[str, Any], seen: Mapping[str, Any], whole: bool) -> None:
        """A step was taken; with `whole` nothing but what was `seen` has changed. Raises `Foreign`."""
        self.line = line
        if self._keeps:
            self.journal.append(Event(line, action, arguments, seen, whole))
        if self._native is None or not self._native.fits(action, arguments, seen, whole):
            self._look(Event(line, action, arguments, seen, whole))
            if self.over:
                return
        self._events += 1
        self._with_arguments += len(arguments) == self._counts[action]
        self._with_values += bool(seen) or whole

    def refused(self, line: int, action: str, arguments: Mapping[str, Any], guards: tuple[str, ...]) -> None:
        """Guards have refused a step; raises `Foreign`."""
        self._look(Event(line, action, arguments, _NOTHING, refused=guards))
        self._events += not self.over

    def saw(self, line: int, seen: Mapping[str, Any]) -> None:
        """The state was looked at; raises `Foreign`."""
        event = Event(line, None, _NOTHING, seen)
        if self._keeps:
            self.journal.append(event)
        self._look(event)
        self._events += not self.over
        self._with_arguments += not self.over
        self._with_values += not self.over

    def _look(self, event: Event) -> None:
        """Any event, by the simulation; raises `Foreign`."""
        self.line = event.line
        if self._native is not None:
            self._possible = Possible(self.model, self._options, [self._native.state()])
            self._native = None
        try:
            before = self._possible.widened()
            after = before.after(event)
            if not after.states:
                self._rejection = rejection(before, event)
                self.over = True
        except TooMany as error:
            self._reason = f"line {event.line}: {error}"
            self.over = True
        if not self.over:
            self._possible = after
            self._make_fast()

    def _make_fast(self) -> None:
        if self._cls is None or len(self._possible.states) != 1:
            return
        if self._prepared is None:
            self._prepared = NativeSteps(self._cls, self.model)
        (state,) = self._possible.states.values()
        self._prepared.put(state)
        self._native = self._prepared

    # ----------------------------------------------------------------------------------------------------- answers

    def knows(self, action: str) -> bool:
        """Whether the protocol has this action."""
        return action in self._counts

    @property
    def rejected(self) -> bool:
        return self._rejection is not None

    def answer(self) -> Validation:
        """What is to be said of the events so far, if there are no more."""
        verdict: Verdict = "behaviour"
        if self._rejection is not None:
            verdict = "rejected"
        elif self._reason:
            verdict = "inconclusive"
        instance = self.model.instance
        return Validation(
            protocol=snake_case(instance.protocol.name),
            instance=self.instance,
            constants=instance.constants,
            verdict=verdict,
            events=self._events,
            with_arguments=self._with_arguments,
            with_values=self._with_values,
            lines=self.line,
            rejection=self._rejection,
            reason=self._reason,
            possible=1 if self._native is not None else len(self._possible.states),
            notes=tuple(self.notes),
        )
