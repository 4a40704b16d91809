"""Liveness under fairness: is there a fair behaviour that a property forbids?

Such a behaviour ends up going round within a strongly connected set of states for ever (staying in one state counts:
stuttering is always allowed). A set is fair if each constraint is content with it, and where a strong one is not, it
is possible somewhere and taken nowhere, the set is searched again without the states where it is possible (Streett).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..transpiler import ir
from ..transpiler.fairness import Constraint, constraints
from .explorer_search import without_collector
from .replay import replay, violates
from .searched import Searched
from .traces import Trace

BETWEEN_LOOKS = 4096
"""After so many states it is looked whether time is up."""


class Stopped(Exception):
    """The budget is used up; the text is the reason."""


def find_violation(search: Searched, properties: Iterable[ir.Property]) -> tuple[str, Trace] | None:
    """The first of the properties that some fair behaviour violates, with that behaviour.

    The search has finished and found safety to hold. Raises `Stopped`.
    """
    with without_collector():
        graph = _labelled(search)
        for item in properties:
            found = _Judge(search, graph, item).violation()
            if found is not None:
                return item.name, found
    return None


# ---------------------------------------------------------------------------------------------------- the graph


@dataclass(frozen=True)
class LabelledGraph:
    """Reachable states by their numbers, with the steps that change something.

    Constraints are bits: `possible[state]` are those of which some step is possible in a state, `steps[state]` maps
    each state that follows to those that are served by going there (which action took the step is not observable).
    """

    fairness: tuple[Constraint, ...]
    steps: Sequence[dict[int, int]]
    possible: Sequence[int]
    initial: range

    def __len__(self) -> int:
        return len(self.steps)


def _labelled(search: Searched) -> LabelledGraph:
    program = search.program
    states = search.visited.states
    fairness = constraints(program.instance)
    places = {state: place for place, state in enumerate(states)}
    # Loop parameters aside, which constraints a step serves depends on its block alone.
    served: dict[tuple[int, tuple[int, ...]], int] = {}
    steps: list[dict[int, int]] = []
    possible: list[int] = []
    edges = program.edges()

    def serves(block: int, codes: tuple[int, ...]) -> int:
        found = served.get((block, codes))
        if found is None:
            action, arguments = program.arguments(block, codes)
            covering = (1 << bit for bit, item in enumerate(fairness) if item.covers(action, arguments))
            found = served[block, codes] = sum(covering)
        return found

    for place, state in enumerate(states):
        following: dict[int, int] = {}

        def edge(
            block: int, codes: tuple[int, ...], target: int, state: int = state, out: dict[int, int] = following
        ) -> None:
            if target != state:
                number = places[target]
                out[number] = out.get(number, 0) | serves(block, codes)

        edges(state, edge)
        steps.append(following)
        possible.append(_union(following.values()))
        if place % BETWEEN_LOOKS == 0:
            _look_at_budget(search)
    return LabelledGraph(fairness, steps, possible, range(search.initial_count))


def _union(masks: Iterable[int]) -> int:
    result = 0
    for mask in masks:
        result |= mask
    return result


def _look_at_budget(search: Searched) -> None:
    limit = search.budget.timeout
    if limit is not None and time.perf_counter() - search.started > limit:
        raise Stopped(f"not finished within {limit:g} seconds")
    if search.cancel.is_set():
        raise Stopped("cancelled")


# ------------------------------------------------------------------------------------------------------ judging


@dataclass
class _Judge:
    """One property: where a violating behaviour may go, where it must come by, and whether there is one."""

    search: Searched
    graph: LabelledGraph
    item: ir.Property
    allowed: bytearray = field(init=False)
    """Where the behaviour stays from some state on."""

    def violation(self) -> Trace | None:
        graph, item = self.graph, self.item
        body = self.where(item.body)
        everywhere = bytearray(b"\x01") * len(graph)
        refuting = bytearray(not true for true in body)
        must_visit: bytearray | None = None
        match item.kind:
            case "eventually":
                self.allowed = self.closure((place for place in graph.initial if refuting[place]), refuting)
                starts: bytearray = self.allowed
                prefix = refuting
            case "infinitely_often":
                self.allowed = starts = refuting
                prefix = everywhere
            case "eventually_always":
                self.allowed = starts = everywhere
                must_visit, prefix = refuting, everywhere
            case "leads_to":
                if item.target is None:
                    raise AssertionError(f"{item.name} leads to nothing")
                open_ = bytearray(not true for true in self.where(item.target))
                starts = bytearray(here and there for here, there in zip(body, open_, strict=True))
                self.allowed = self.closure((place for place, start in enumerate(starts) if start), open_)
                prefix = everywhere
            case _:
                raise AssertionError(f"{item.name} is no liveness property")
        component = self.fair_component(must_visit)
        if component is None:
            return None
        return self.behaviour(component, must_visit, prefix, starts)

    def where(self, condition: ir.Expr) -> bytearray:
        satisfies: Callable[[int], bool] = self.search.program.predicate(condition)
        return bytearray(bool(satisfies(state)) for state in self.search.visited.states)

    def closure(self, start: Iterable[int], within: bytearray) -> bytearray:
        """What is reached from some states within a set."""
        reached = bytearray(len(self.graph))
        waiting = []
        for place in start:
            reached[place] = 1
            waiting.append(place)
        while waiting:
            for target in self.graph.steps[waiting.pop()]:
                if within[target] and not reached[target]:
                    reached[target] = 1
                    waiting.append(target)
        return reached

    # -------------------------------------------------------------------------------------------- fair components

    def fair_component(self, must_visit: bytearray | None) -> list[int] | None:
        """A strongly connected set of states that a fair behaviour can go round in; the first in breadth-first order.

        A single state is one where nothing that is fair is possible: the behaviour just stays there.
        """
        graph = self.graph
        best: list[int] | None = None
        for place, allowed in enumerate(self.allowed):
            if allowed and not graph.possible[place] and (must_visit is None or must_visit[place]):
                best = [place]
                break
        pending = list(components(graph, self.allowed))
        while pending:
            component = pending.pop()
            _look_at_budget(self.search)
            if must_visit is not None and not any(must_visit[place] for place in component):
                continue
            unserved = self.unserved(component)
            if unserved is None:
                continue
            if not unserved:
                # Staying in a state is the simplest behaviour; among cycles the one that is reached first is shown.
                if best is None or (len(best) > 1 and min(component) < min(best)):
                    best = component
                continue
            rest = bytearray(len(graph))
            for place in component:
                rest[place] = not graph.possible[place] & unserved
            pending.extend(components(graph, rest, component))
        return best

    def unserved(self, component: list[int]) -> int | None:
        """The strong constraints that forbid the component as a whole; None where a weak one forbids all of it."""
        graph = self.graph
        inside = set(component)
        taken = _union(mask for place in component for target, mask in graph.steps[place].items() if target in inside)
        somewhere = _union(graph.possible[place] for place in component)
        everywhere = -1
        for place in component:
            everywhere &= graph.possible[place]
        strong = sum(1 << bit for bit, item in enumerate(graph.fairness) if item.strength == "strong")
        if everywhere & ~taken & ~strong & ((1 << len(graph.fairness)) - 1):
            return None
        return somewhere & ~taken & strong

    # ------------------------------------------------------------------------------------------------ behaviours

    def behaviour(
        self, component: list[int], must_visit: bytearray | None, prefix: bytearray, starts: bytearray
    ) -> Trace:
        """The shortest way to the component, then round in it by way of all that fairness and the property need."""
        inside = bytearray(len(self.graph))
        for place in component:
            inside[place] = 1
        stem = self.stem(inside, prefix, starts)
        loop = self.tour(stem[-1], inside, must_visit) if len(component) > 1 else []
        states = [self.search.program.decode(self.search.visited.states[place]) for place in (*stem, *loop)]
        instance = self.search.program.instance
        if loop:
            trace = replay(instance, states, loop_to=len(stem) - 1)
        else:
            trace = replay(instance, states, stuttering=True)
        if not violates(instance, trace, self.item.name):
            raise AssertionError(f"the interpreter does not see that {self.item.name} is violated in {trace}")
        return trace

    def stem(self, goal: bytearray, prefix: bytearray, starts: bytearray) -> list[int]:
        """From an initial state into the goal; once it is in `starts` it stays in what is allowed."""
        graph = self.graph
        if self.item.kind != "leads_to":
            return self.path([place for place in graph.initial if prefix[place]], goal, prefix)
        # First to a state where what should lead somewhere is true, then on without reaching it.
        within = self.allowed
        back = _reaching(graph, goal, within)
        opening = bytearray(start and reaching for start, reaching in zip(starts, back, strict=True))
        first = self.path(list(graph.initial), opening, prefix)
        return first[:-1] + self.path([first[-1]], goal, within)

    def path(self, start: list[int], goal: bytearray, within: bytearray) -> list[int]:
        """The shortest path from one of some states to a goal, through a set that has both."""
        came: dict[int, int | None] = dict.fromkeys(start)
        waiting = deque(start)
        while waiting:
            place = waiting.popleft()
            if goal[place]:
                found: list[int] = []
                at: int | None = place
                while at is not None:
                    found.append(at)
                    at = came[at]
                return found[::-1]
            for target in self.graph.steps[place]:
                if within[target] and target not in came:
                    came[target] = place
                    waiting.append(target)
        raise AssertionError("the goal cannot be reached")

    def tour(self, start: int, inside: bytearray, must_visit: bytearray | None) -> list[int]:
        """The states of a cycle after its start: by way of what every constraint needs, and back."""
        graph = self.graph
        everything = (1 << len(graph.fairness)) - 1
        weak = sum(1 << bit for bit, item in enumerate(graph.fairness) if item.strength == "weak")
        needed = _union(graph.possible[place] for place, here in enumerate(inside) if here) & everything
        visited = must_visit is None or bool(must_visit[start])
        served = weak & ~graph.possible[start]
        found: list[int] = []
        at = start
        while needed & ~served or not visited:
            goal = bytearray(len(graph))
            for place, here in enumerate(inside):
                if here and place != at:
                    calm = weak & ~graph.possible[place] & needed & ~served
                    goal[place] = bool(calm) or (not visited and must_visit is not None and bool(must_visit[place]))
            step = self.next_service(at, inside, needed & ~served, goal)
            for place in step:
                served |= graph.steps[at][place] | (weak & ~graph.possible[place])
                visited = visited or (must_visit is not None and bool(must_visit[place]))
                found.append(place)
                at = place
        if not found:
            at = next(target for target in graph.steps[start] if inside[target])
            found.append(at)
        if at != start:
            home = bytearray(len(graph))
            home[start] = 1
            found += self.path([at], home, inside)[1:]
        # The last state is the start again: the trace goes back to it instead.
        return found[:-1]

    def next_service(self, start: int, inside: bytearray, wanted: int, goal: bytearray) -> list[int]:
        """The shortest way to a goal, or to and along a step that serves a constraint still wanted."""
        came: dict[int, int | None] = {start: None}
        waiting = deque([start])

        def back(place: int) -> list[int]:
            found: list[int] = []
            at: int | None = place
            while at is not None and at != start:
                found.append(at)
                at = came[at]
            return found[::-1]

        while waiting:
            place = waiting.popleft()
            for target, mask in self.graph.steps[place].items():
                if not inside[target]:
                    continue
                if mask & wanted or goal[target]:
                    return [*back(place), target]
                if target not in came:
                    came[target] = place
                    waiting.append(target)
        raise AssertionError("a fair component does not serve a constraint")


def _reaching(graph: LabelledGraph, goal: bytearray, within: bytearray) -> bytearray:
    """From where in a set the goal is reached without leaving the set."""
    before: dict[int, list[int]] = {}
    for place in range(len(graph)):
        if within[place]:
            for target in graph.steps[place]:
                if within[target]:
                    before.setdefault(target, []).append(place)
    reached = bytearray(goal)
    waiting = [place for place, here in enumerate(goal) if here]
    while waiting:
        for place in before.get(waiting.pop(), ()):
            if not reached[place]:
                reached[place] = 1
                waiting.append(place)
    return reached


def components(graph: LabelledGraph, within: bytearray, places: Iterable[int] | None = None) -> Iterator[list[int]]:
    """The strongly connected components of a set of states (Tarjan, without recursion)."""
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in range(len(graph)) if places is None else places:
        if not within[root] or root in number:
            continue
        number[root] = lowest[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(graph.steps[root]))]
        while work:
            place, targets = work[-1]
            for target in targets:
                if not within[target]:
                    continue
                if target not in number:
                    number[target] = lowest[target] = len(number)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(graph.steps[target])))
                    break
                if target in on_stack:
                    lowest[place] = min(lowest[place], number[target])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[place])
                if lowest[place] == number[place]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == place:
                            break
                    yield component
