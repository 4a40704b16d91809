"""Breadth-first search with a generated program: level by level, first in first out, every state with its parent.

The generated code only raises flags. What was flagged is decided here: a level is finished, so that the shortest trace
and then the first property in order wins, and the counters are those at the first flag.
"""

from __future__ import annotations

import gc
import mmap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ..transpiler import ir
from ..transpiler.abstract_view import AbstractView
from ..transpiler.interpreter import Taken, Undefined, holds, steps
from ..transpiler.packing.layouts import OutsideError
from ..transpiler.packing.patience import OutOfPatience
from ..transpiler.packing.program import Flag, Program
from .results import Budget, Progress
from .searched import Counters, Violation

FIRST_CHUNK = 64
LARGEST_CHUNK = 8192
CHUNK_SECONDS = 0.05
"""Chunks of states grow until one takes so long: after each the budget is looked at and progress told."""

PROGRESS_SECONDS = 0.2

ZEROED_AT_ONCE = 20
"""Up to so many bits the bytes of all words are zeroed by hand, and not by the system when they are used."""

TYPE_OK, WELL_DEFINED = 0, 1
"""The kinds of flags that come first in every program's order."""

LONG_SECONDS = 1.5
"""After so long a search is worth better code, which takes about as long to make."""


class Visited:
    """The states found so far in the order in which they were found, and from which state each was first reached."""

    def __init__(self, program: Program) -> None:
        self.states: list[int] = []
        # Of wide states `seen` has the parent itself; of narrow ones it has a byte, and the parents are in a list.
        self._parents: list[int | None] = []
        self._narrow = program.narrow
        self.seen: Any = _zeros(program.frame.width) if program.narrow else {}

    def add(self, state: int) -> None:
        """An initial state."""
        if self._narrow and not self.seen[state]:
            self.seen[state] = 1
            self.states.append(state)
            self._parents.append(None)
        elif not self._narrow and state not in self.seen:
            self.seen[state] = None
            self.states.append(state)

    def expand(self, program: Program, chunk: list[int], flag: Flag) -> tuple[tuple[int, ...], int, int]:
        """Enter the successors of some states."""
        return program.expand(chunk, self.seen, self.states.append, self._parents.append, flag)

    def forget(self, mark: int) -> None:
        """Take back all states but the first `mark`."""
        for state in self.states[mark:]:
            if self._narrow:
                self.seen[state] = 0
            else:
                del self.seen[state]
        del self.states[mark:], self._parents[mark:]

    def path(self, state: int) -> list[int]:
        """The states on the way to a state, from an initial one to itself."""
        found = [state]
        parent = self._parent(state)
        while parent is not None:
            found.append(parent)
            parent = self._parent(parent)
        return found[::-1]

    def _parent(self, state: int) -> int | None:
        if self._narrow:
            return self._parents[self.states.index(state)]
        parent: int | None = self.seen[state]
        return parent


def _zeros(width: int) -> Any:
    """A byte for each word of so many bits; of many bytes only those that are used take memory, and time."""
    return bytearray(1 << width) if width <= ZEROED_AT_ONCE else mmap.mmap(-1, 1 << width, access=mmap.ACCESS_COPY)


@dataclass
class Search:
    """A search and, when `run` has returned, what it found.

    `wanted` are reachability properties, and `reached` maps each to the first state that satisfies it. `stopped` says
    why the search did not finish.
    """

    program: Program
    wanted: Mapping[str, Callable[[int], bool]] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    on_progress: Callable[[Progress], None] | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.perf_counter)

    reached: dict[str, int] = field(default_factory=dict)
    violation: Violation | None = None
    stopped: str = ""
    steps_taken: list[int] = field(default_factory=list)
    changing_nothing: int = 0
    terminated: int = 0
    choices: int = 0
    initial_count: int = 0
    depth: int = 0
    at_first_flag: Counters | None = None

    def __post_init__(self) -> None:
        self.visited = Visited(self.program)
        self.steps_taken = [0] * len(self.program.instance.protocol.actions)
        self._flagged: dict[int, dict[int, int | None]] = {}  # length → kind → the first state flagged
        self._chunk = FIRST_CHUNK
        self._thorough = False
        self._known_wrong = False
        self._judged = 0  # so many states
        self._told = self.started

    @property
    def generated(self) -> int:
        return self.choices + sum(self.steps_taken) + self.terminated

    @property
    def counters(self) -> Counters:
        return self.at_first_flag or Counters(len(self.visited.states), self.generated, self.depth)

    @property
    def changing(self) -> int:
        """Labelled steps that change something."""
        return sum(self.steps_taken) - self.changing_nothing

    @property
    def coverage(self) -> Mapping[str, int]:
        actions = self.program.instance.protocol.actions
        return {action.name: taken for action, taken in zip(actions, self.steps_taken, strict=True)}

    def run(self) -> None:
        """Search until everything is seen, something is violated, or the budget is used up."""
        patience = self.program.patience
        patience.ask = self._look_up
        try:
            with without_collector(), suppress(OutOfPatience):
                self._levels()
        except MemoryError:
            self.visited = Visited(self.program)
            self.stopped = "out of memory"
        finally:
            patience.ask = lambda: None

    # ------------------------------------------------------------------------------------------------- levels

    def _levels(self) -> None:
        level = self._start()
        while level or self._flagged:
            self.depth += 1
            if self.depth in self._flagged:
                self._decide_with(level)
                return
            following = self._expand_level(level)
            if following is None:
                return
            if self.depth in self._flagged:
                self._decide()
                return
            # A step to a state seen before may violate a transition invariant: then the loop goes on without states.
            level = following

    def _start(self) -> list[int]:
        found: list[int] = []
        self.choices = self.program.initial(found.append, self._flag(1))
        for state in found:
            self.visited.add(state)
        level = list(self.visited.states)
        self.initial_count = len(level)
        self._judge(level, self._flag(1))
        refined = self.program.refined
        for state in level if refined is not None else ():
            if refined is not None and not refined.begins(state):
                self._flag(1)(refined.number, state)
        if self._flagged:
            self.at_first_flag = Counters(len(level), self.choices, 1)
        return level

    def _expand_level(self, level: list[int]) -> list[int] | None:
        """The states of the next level; None where the search stops before they are all there."""
        states = self.visited.states
        first, start = len(states), 0
        while start < len(level):
            chunk = level[start : start + self._chunk]
            start += len(chunk)
            before = time.perf_counter()
            self._expand_chunk(chunk)
            now = time.perf_counter()
            if now - before < CHUNK_SECONDS / 2:
                self._chunk = min(LARGEST_CHUNK, self._chunk * 2)
            elif now - before > CHUNK_SECONDS:
                self._chunk = max(1, self._chunk // 2)
            self._tell(now, len(level) - start + len(states) - first)
            if self._out_of_budget(now):
                if self._flagged and self._judge_rest(level[start:]):
                    break
                return None
            if not self._thorough and now - self.started > LONG_SECONDS:
                self._thorough = True
                self.program = self.program.thorough() or self.program
        return states[first:]

    def _judge_rest(self, level: list[int]) -> bool:
        """Finish a level in which something is flagged when the budget is used up; whether it was not cancelled.

        What is shorter, or as long and first in order, may yet come. States are entered only with such a flag, so that
        this takes some time, but no more memory.
        """
        states, size = self.visited.states, self._chunk
        self.stopped = ""
        for start in range(0, len(level), size):
            if self.cancel.is_set():
                self.stopped = "cancelled"
                return False
            mark, flags = len(states), sum(map(len, self._flagged.values()))
            self._expand(level[start : start + size])
            if self.program.looks_ahead and TYPE_OK not in self._flagged.get(self.depth + 1, ()):
                after = len(states)
                found = self._ill_defined(states[mark:])
                self.visited.forget(after)
                if found is not None:
                    self._flag(self.depth + 1)(WELL_DEFINED, found)
            if flags == sum(map(len, self._flagged.values())):
                self.visited.forget(mark)
        return True

    def _expand_chunk(self, chunk: list[int]) -> None:
        mark = len(self.visited.states)
        counts = (list(self.steps_taken), self.changing_nothing, self.terminated)
        flags = {length: dict(kinds) for length, kinds in self._flagged.items()}
        self._expand(chunk)
        if self.at_first_flag is None and self._flagged:
            # Something is wrong in this chunk: once more state by state, to see where it is first.
            self._known_wrong = True
            self.visited.forget(mark)
            self.steps_taken, self.changing_nothing, self.terminated = counts
            self._flagged = flags
            for state in chunk:
                mark, generated = len(self.visited.states), self.generated
                self._expand([state])
                if self.at_first_flag is None and self._flagged:
                    self.at_first_flag = self._within(state, mark, generated)

    def _expand(self, chunk: list[int]) -> None:
        mark = self._judged = len(self.visited.states)
        here, beyond = self._flag(self.depth), self._flag(self.depth + 1)
        order = self.program.order

        def flag(kind: int, state: int | None) -> None:
            # Flagged in the state itself, or in the step that leads out of it.
            (here if order[kind] in ("well_defined", "deadlock_free") else beyond)(kind, state)

        taken, same, terminated = self.visited.expand(self.program, chunk, flag)
        self.steps_taken = [old + new for old, new in zip(self.steps_taken, taken, strict=True)]
        self.changing_nothing += same
        self.terminated += terminated
        self._judge(self.visited.states[mark:], beyond)

    def _judge(self, states: list[int], flag: Callable[[int, int | None], None]) -> None:
        self.program.check(states, flag)
        for name, satisfies in self.wanted.items():
            if name not in self.reached:
                witness = next(filter(satisfies, states), None)
                if witness is not None:
                    self.reached[name] = witness

    # ------------------------------------------------------------------------------------------------- verdicts

    def _flag(self, length: int) -> Callable[[int, int | None], None]:
        def flag(kind: int, state: int | None) -> None:
            self._flagged.setdefault(length, {}).setdefault(kind, state)

        return flag

    def _decide_with(self, level: list[int]) -> None:
        """Decide about traces that end in this level, which expanding it might add to."""
        flagged = self._flagged[self.depth]
        if TYPE_OK not in flagged and self.program.looks_ahead:
            found = self._ill_defined(level)
            if found is not None and flagged.get(WELL_DEFINED, 0) is not None:
                # None is a choice of init, which comes before every state.
                places = {state: place for place, state in enumerate(level)}
                both = [state for state in (found, flagged.get(WELL_DEFINED)) if state is not None]
                flagged[WELL_DEFINED] = min(both, key=places.__getitem__)
        self._decide()

    def _ill_defined(self, states: list[int]) -> int | None:
        """The first of some states with a step that has no value; what they lead to is entered."""
        found: dict[int, int | None] = {}

        def flag(kind: int, state: int | None) -> None:
            found.setdefault(kind, state)

        self.visited.expand(self.program, states, flag)
        return found.get(WELL_DEFINED)

    def _decide(self) -> None:
        flagged = self._flagged.get(self.depth)
        if flagged:
            kind = min(flagged)
            self.violation = Violation(self.program.order[kind], flagged[kind], self.depth)

    def _within(self, state: int, distinct: int, generated: int) -> Counters:
        """The counters at the step out of a state that is the first to violate something."""
        new = set(self.visited.states[distinct:])
        flagged = {self.program.order[kind]: origin for kind, origin in self._flagged.get(self.depth, {}).items()}
        if flagged:
            return Counters(distinct, generated, self.depth)
        program, instance = self.program, self.program.instance
        before = program.decode(state)
        view = AbstractView(instance) if instance.abstract is not None else None
        kinds = set(self._flagged[self.depth + 1])
        transitions = [
            item
            for item in instance.protocol.of_kind("transition_invariant")
            if program.order.index(item.name) in kinds
        ]
        for _, _, outcome in steps(instance, before):
            if not isinstance(outcome, Taken):
                continue
            generated += 1
            try:
                after = program.encode(outcome.state)
            except OutsideError:
                return Counters(distinct + 1, generated, self.depth + 1)
            found = program.representative(after)
            if found in new:
                new.remove(found)
                distinct += 1
                flags: list[int] = []
                program.check([found], lambda kind, _, flags=flags: flags.append(kind))  # type: ignore[misc]
                if flags:
                    break
            try:
                if after != state and not all(
                    holds(instance, item.body, before, outcome.state) for item in transitions
                ):
                    break
            except Undefined:
                break
            if view is None or after == state or program.order.index(ir.REFINES) not in kinds:
                continue
            if view.is_defined(outcome.state) and not view.follows(before, outcome.state):
                break
        return Counters(distinct, generated, self.depth + 1)

    # --------------------------------------------------------------------------------------------------- budget

    def _out_of_budget(self, now: float) -> bool:
        limits = self.budget
        if limits.max_states is not None and len(self.visited.states) > limits.max_states:
            self.stopped = f"more than {limits.max_states} states"
        elif limits.timeout is not None and now - self.started > limits.timeout:
            self.stopped = f"not finished within {limits.timeout:g} seconds"
        elif self.cancel.is_set():
            self.stopped = "cancelled"
        return bool(self.stopped)

    def _look_up(self) -> None:
        """In a long loop out of one state: whether to go on. What is wrong is decided beyond the limits, as ever."""
        if self.cancel.is_set():
            self.stopped = "cancelled"
            raise OutOfPatience
        if self._known_wrong or self._flagged or not self._out_of_budget(time.perf_counter()):
            return
        self._judge(self.visited.states[self._judged :], self._flag(self.depth + 1))
        if not self._flagged:
            raise OutOfPatience
        self.stopped = ""

    def _tell(self, now: float, queue: int) -> None:
        if self.on_progress is not None and now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self.on_progress(
                Progress("explorer", len(self.visited.states), self.generated, self.depth, queue, now - self.started)
            )


@contextmanager
def without_collector() -> Iterator[None]:
    """Without the cyclic garbage collector: a search makes no cycles, and walking its states costs much."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
