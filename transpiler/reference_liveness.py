"""The reference answer to "does this liveness property hold?": fair cycles of the explicit state graph.

A behaviour may stutter for ever wherever fairness allows it, so every state has a loop of its own. A set of states
that a behaviour visits again and again is strongly connected; whether one can be visited fairly is decided by
splitting components where a strong constraint is possible but never taken (Streett).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import assert_never

from . import ir
from .fairness import Constraint, changing_steps, constraints
from .instance import Instance
from .interpreter import Arguments, State, Taken, holds, initial_states

Key = tuple[object, ...]
Edge = tuple[str, Arguments, Key]


def reference_liveness(instance: Instance, name: str) -> bool:
    """Whether a liveness property holds; the protocol is one whose safety properties hold."""
    item = next(item for item in instance.protocol.properties if item.name == name)
    graph = _explore(instance)
    body = graph.where(item.body)
    everything = frozenset(graph.states)
    match item.kind:
        case "eventually":
            start = frozenset(graph.initial) - body
            return not graph.has_fair_cycle(graph.reachable(start, everything - body))
        case "infinitely_often":
            return not graph.has_fair_cycle(everything - body)
        case "eventually_always":
            return not graph.has_fair_cycle(everything, everything - body)
        case "leads_to":
            assert item.target is not None
            target = graph.where(item.target)
            return not graph.has_fair_cycle(graph.reachable(body - target, everything - target))
        case "invariant" | "transition_invariant" | "reachable" | "terminal":
            raise AssertionError(f"{name} is no liveness property")
        case _:
            assert_never(item.kind)


@dataclass
class _Graph:
    """Reachable states, and of every state the steps that change something."""

    instance: Instance
    fairness: tuple[Constraint, ...]
    states: dict[Key, State] = field(default_factory=dict)
    initial: list[Key] = field(default_factory=list)
    edges: dict[Key, list[Edge]] = field(default_factory=dict)

    def where(self, condition: ir.Expr) -> frozenset[Key]:
        return frozenset(key for key, state in self.states.items() if holds(self.instance, condition, state))

    def reachable(self, start: Iterable[Key], within: frozenset[Key]) -> frozenset[Key]:
        """What is reached from `start` by steps within a set of states."""
        found, waiting = set(start), list(start)
        while waiting:
            for _, _, target in self.edges[waiting.pop()]:
                if target in within and target not in found:
                    found.add(target)
                    waiting.append(target)
        return frozenset(found)

    def has_fair_cycle(self, within: frozenset[Key], visiting: frozenset[Key] | None = None) -> bool:
        """Whether a fair behaviour can stay within a set of states for ever (and visit some of others for ever)."""
        return any(self.is_fair(component, visiting) for component in self.components(within))

    def is_fair(self, component: frozenset[Key], visiting: frozenset[Key] | None) -> bool:
        """Whether some strongly connected part of a component is fair as a whole."""
        if visiting is not None and not component & visiting:
            return False
        for constraint in self.fairness:
            if self.is_taken(component, constraint):
                continue
            possible = frozenset(key for key in component if self.is_possible(key, constraint))
            if constraint.strength == "weak" and possible == component:
                return False
            if constraint.strength == "strong" and possible:
                return self.has_fair_cycle(component - possible, visiting)
        return True

    def is_possible(self, key: Key, constraint: Constraint) -> bool:
        return any(constraint.covers(action, arguments) for action, arguments, _ in self.edges[key])

    def is_taken(self, component: frozenset[Key], constraint: Constraint) -> bool:
        return any(
            target in component and constraint.covers(action, arguments)
            for key in component
            for action, arguments, target in self.edges[key]
        )

    def components(self, within: frozenset[Key]) -> list[frozenset[Key]]:
        """The strongly connected components, one state alone included (it may stutter)."""
        order: list[Key] = []
        self._depth_first(within, lambda key: [target for _, _, target in self.edges[key]], order.append)
        sources: dict[Key, list[Key]] = {key: [] for key in within}
        for key in within:
            for _, _, target in self.edges[key]:
                if target in sources:
                    sources[target].append(key)
        # Kosaraju: backwards from the last finished, each tree is one component.
        left = set(within)
        found = []
        for root in reversed(order):
            if root in left:
                component: list[Key] = []
                self._depth_first((root,), lambda key: sources[key], component.append, left)
                found.append(frozenset(component))
        return found

    def _depth_first(
        self,
        roots: Iterable[Key],
        following: Callable[[Key], list[Key]],
        finish: Callable[[Key], None],
        left: set[Key] | None = None,
    ) -> None:
        """Visit what is `left` from the roots, each state once, calling `finish` when all after it is visited."""
        roots = list(roots)
        unseen = set(roots) if left is None else left
        for root in roots:
            if root not in unseen:
                continue
            unseen.discard(root)
            path = [(root, iter(following(root)))]
            while path:
                key, rest = path[-1]
                for target in rest:
                    if target in unseen:
                        unseen.discard(target)
                        path.append((target, iter(following(target))))
                        break
                else:
                    path.pop()
                    finish(key)


def _explore(instance: Instance) -> _Graph:
    graph = _Graph(instance, constraints(instance))

    def key_of(state: State) -> Key:
        return tuple(state[name] for name in instance.variables)

    for _, outcome in initial_states(instance):
        if isinstance(outcome, Taken):
            key = key_of(outcome.state)
            if key not in graph.states:
                graph.states[key] = outcome.state
                graph.initial.append(key)
    waiting = list(graph.initial)
    while waiting:
        key = waiting.pop()
        graph.edges[key] = []
        for action, arguments, after in changing_steps(instance, graph.states[key]):
            target = key_of(after)
            graph.edges[key].append((action, arguments, target))
            if target not in graph.states:
                graph.states[target] = after
                waiting.append(target)
    return graph
