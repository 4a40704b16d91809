"""One protocol instance under a scheduler: its steps watched, recorded, and undone where need be.

An adopted instance stays the object it was. Its actions are replaced in the instance's own dictionary, where Python
looks before the class, so that there is no second handle by which a step could get past the scheduler.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from types import MethodType
from typing import Any

from ..transpiler import domains, traverse
from ..transpiler.domains import Domain
from ..transpiler.language import Protocol
from ..transpiler.native import LOCK, RUN, Run, state_of
from ..transpiler.questions import choices, enabled
from ..transpiler.refusals import GuardRefused
from .monitors import InvariantViolated, Monitors, State, step_text, watch
from .recording import Line, Recorder

MOST_CHOICES = 256
"""Actions with more argument tuples are left out when a deadlock is explained."""

MOST_POSSIBLE = 8
"""So many enabled steps are named when a deadlock is explained."""


_NOTHING: Mapping[str, Any] = {}


class ChangedOutside(RuntimeError):
    """The state of an adopted instance is not what its last step left: somebody wrote to it past its actions."""


class Level:
    """One `atomically` block: the states to put back if it fails, and the lines to write if it does not."""

    def __init__(self) -> None:
        self.saved: dict[Adopted, State] = {}
        self.lines: list[Line] = []

    def changed(self) -> bool:
        """Whether a step has changed something."""
        return any(adopted.state() != state for adopted, state in self.saved.items())


class Adopted:
    """What a scheduler knows of an instance. Only used under the scheduler's lock, and hashed by identity."""

    def __init__(
        self,
        instance: Protocol,
        name: str,
        lock: AbstractContextManager[bool],
        levels: Sequence[Level],
        monitors: Monitors | None,
        recorder: Recorder | None,
        who: Callable[[], str],
    ) -> None:
        run: Run = instance.__dict__[RUN]
        self.instance, self.name, self._run, self._who = instance, name, run, who
        self._levels, self._recorder = levels, recorder
        self._protocol = run.instance.protocol
        self._parameters = {
            action.name: tuple(parameter.name for parameter in action.parameters) for action in self._protocol.actions
        }
        self._native: dict[str, MethodType] = {name: getattr(instance, name) for name in self._parameters}
        self._watch = watch(instance, monitors) if monitors is not None else None
        # The state before the next step, as an instance of its own: what a transition invariant compares with.
        self._before: Protocol = object.__new__(type(instance))
        self._before.__dict__.update(instance.__dict__)
        self._values = _values_of(run.variables)
        self._last = self._values(instance.__dict__)
        self._check_start()
        if recorder is not None:
            names = monitors.names if monitors is not None else ()
            module = type(instance).__module__
            self._track = recorder.track(name, run.instance, module, self.state(), names)
            self.name = self._track.name
        instance.__dict__[LOCK] = lock

    @property
    def is_plain(self) -> bool:
        """Whether a step is nothing but the step: neither watched nor recorded."""
        return self._watch is None and self._recorder is None

    def native(self, action: str) -> MethodType:
        """The compiled step, as it was before the instance was adopted."""
        return self._native[action]

    # ------------------------------------------------------------------------------------------------------- steps

    def take(
        self, action: str, arguments: tuple[Any, ...], named: Mapping[str, Any], waited: int | None = None
    ) -> None:
        """Take a step. Whatever is raised, the state is as before; `waited` is in nanoseconds."""
        state = self.instance.__dict__
        before = self._last
        line: Line | None = None
        if self._values(state) != before:
            raise ChangedOutside(f"{self.name} was changed past its actions, before {action}: {self.instance}")
        try:
            self._native[action](*arguments, **named)
            after = self._values(state)
            changes: State = _NOTHING
            if after != before:
                triples = zip(self._run.variables, before, after, strict=True)
                changes = {name: new for name, old, new in triples if new is not old and new != old}
                if self._watch is not None:
                    self._demand(action, arguments, named, changes)
            if self._recorder is not None:
                more = _NOTHING if waited is None else {"waited": waited}
                line = self._line("step", action, arguments, named, changes, more)
                self._record(line)
        except GuardRefused as refusal:
            if self._recorder is not None and self._recorder.refusals and waited is None:
                more = {"guards": list(refusal.guards)}
                self._record(self._line("refused", action, arguments, named, _NOTHING, more))
            raise
        except BaseException:
            # An interrupt between two lines of this method: what is recorded has happened.
            if line is None or not self._is_recorded(line):
                self._restore(before)
            else:
                self._restore(after)
            raise
        self._last = after
        self._before.__dict__.update(changes)

    def attempt(self, action: str, arguments: tuple[Any, ...], waited: int) -> None:
        """Take a step that was waited for."""
        if self.is_plain:
            self._native[action](*arguments)
        else:
            self.take(action, arguments, {}, waited)

    def put_back(self, values: State) -> None:
        """Undo: give every variable the value it has in `values`."""
        self._restore(tuple(values[name] for name in self._run.variables))

    def _restore(self, values: tuple[Any, ...]) -> None:
        again = dict(zip(self._run.variables, values, strict=True))
        self.instance.__dict__.update(again)
        self._before.__dict__.update(again)
        self._last = values

    def state(self) -> dict[str, Any]:
        return state_of(self.instance)

    def arguments(self, action: str, given: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name, in the order of the parameters."""
        if not named:
            return dict(zip(self._parameters[action], given, strict=False))
        values = {**dict(zip(self._parameters[action], given, strict=False)), **named}
        return {name: values[name] for name in self._parameters[action] if name in values}

    def _check_start(self) -> None:
        if self._watch is not None:
            state = self.state()
            found = self._watch.first_violated(None, self.instance, state)
            if found is not None:
                raise InvariantViolated(self.name, found[0], None, {}, None, state, found[1])

    def _demand(self, action: str, arguments: tuple[Any, ...], named: Mapping[str, Any], changes: State) -> None:
        assert self._watch is not None
        found = self._watch.first_violated(self._before, self.instance, changes)
        if found is None:
            return
        violated, cause = found
        if self._recorder is not None:
            self._record(self._line("violated", action, arguments, named, changes, {"property": violated}))
        after, before = self.state(), state_of(self._before)
        raise InvariantViolated(
            self.name, violated, action, self.arguments(action, arguments, named), before, after, cause
        )

    def _line(
        self,
        kind: Any,
        action: str,
        arguments: tuple[Any, ...],
        named: Mapping[str, Any],
        changes: State,
        more: Mapping[str, Any],
    ) -> Line:
        by_name = self.arguments(action, arguments, named)
        return (kind, self._track, time.monotonic_ns(), self._who(), action, by_name, changes, more)

    def _record(self, line: Line) -> None:
        """Keep a line; in a block until it is known whether the block fails, so that lines stay in order."""
        assert self._recorder is not None
        if self._levels:
            self._levels[-1].lines.append(line)
        else:
            self._recorder.add([line])

    def _is_recorded(self, line: Line) -> bool:
        if self._levels:
            return any(each is line for each in self._levels[-1].lines)
        return self._recorder is not None and self._recorder.has(line)

    # --------------------------------------------------------------------------------------------------- questions

    def is_enabled(self, action: str, arguments: tuple[Any, ...]) -> bool:
        """Whether a waiter for this step would not wait any longer: it is enabled, or raises something of its own."""
        try:
            return enabled(self._native[action], *arguments)
        except Exception:
            return True

    def ended(self) -> tuple[str, ...]:
        """The terminal properties that hold now, of those that have a value at run time."""
        ghosts = {variable.name for variable in self._protocol.variables if variable.ghost}
        return tuple(
            item.name
            for item in self._protocol.of_kind("terminal")
            if not ghosts & traverse.variables_of(item.body, self._protocol)
            if getattr(type(self.instance), item.name)(self.instance)
        )

    def possible(self) -> tuple[str, ...]:
        """Some steps that are enabled, of actions with few enough arguments to try them all."""
        return tuple(itertools.islice(self._enabled_steps(), MOST_POSSIBLE))

    def _enabled_steps(self) -> Iterator[str]:
        for action, parameters in self._parameters.items():
            many = math.prod(_size(self._run.instance.parameters[action, name]) for name in parameters)
            if many <= MOST_CHOICES:
                for chosen in choices(self._native[action]):
                    yield step_text(action, dict(zip(parameters, chosen, strict=True)))


def _values_of(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """A function from a state to its values, in this order."""
    if len(names) > 1:
        return itemgetter(*names)
    # For a single name, itemgetter gives the bare value.
    return lambda state: tuple(state[name] for name in names)


def _size(domain: Domain) -> float:
    """The number of values of a simple domain; that of sets, sequences and functions is not worth computing."""
    match domain:
        case domains.BoolDomain() | domains.IntDomain() | domains.ChoiceDomain():
            return domains.size(domain)
        case domains.OptionalDomain(item):
            return 1 + _size(item)
        case _:
            return math.inf
