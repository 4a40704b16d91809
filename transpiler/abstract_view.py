"""What a refinement means: states seen through its abstractions, and the steps that the abstract protocol allows.

Straight from the definitions, by the interpreter. `packing/refinement` does the same with packed words, and TLC with
`INSTANCE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import ir
from .instance import Instance
from .interpreter import State, Taken, Undefined, evaluate, initial_states, outside, steps

Key = tuple[object, ...]


@dataclass
class AbstractView:
    """An instance of a refining protocol, seen as what it refines; remembers the steps of each abstract state.

    Raises `ValueError` for a protocol that refines nothing.
    """

    instance: Instance
    _successors: dict[Key, frozenset[Key]] = field(default_factory=dict)
    _initial: frozenset[Key] | None = None

    def __post_init__(self) -> None:
        refinement, abstract = self.instance.protocol.refinement, self.instance.abstract
        if refinement is None or abstract is None:
            raise ValueError(f"{self.instance.protocol.name} refines nothing")
        self.refinement: ir.Refinement = refinement
        self.abstract: Instance = abstract

    def seen(self, state: State) -> State:
        """A state as the refined protocol sees it; raises `Undefined` where an abstraction has no value."""
        return {item.name: evaluate(item.value, state, {}, self.instance) for item in self.refinement.variables}

    def is_defined(self, state: State) -> bool:
        """Whether every abstraction has a value in a state."""
        try:
            self.seen(state)
        except Undefined:
            return False
        return True

    def begins(self, state: State) -> bool:
        """Whether an initial state is one of the abstract protocol's; raises `Undefined` as `seen` does."""
        seen = self.seen(state)
        if self._initial is None:
            outcomes = (outcome for _, outcome in initial_states(self.abstract))
            self._initial = frozenset(_key(item.state) for item in outcomes if isinstance(item, Taken))
        return not outside(self.abstract, seen) and _key(seen) in self._initial

    def follows(self, before: State, after: State) -> bool:
        """Whether a step is one of the abstract protocol's, or changes nothing there.

        Its values must lie in the domains of the abstract protocol. Raises `Undefined` as `seen` does.
        """
        source, target = self.seen(before), self.seen(after)
        if outside(self.abstract, source) or outside(self.abstract, target):
            return False
        key = _key(source)
        if key == _key(target):
            return True
        if key not in self._successors:
            outcomes = (outcome for _, _, outcome in steps(self.abstract, source))
            self._successors[key] = frozenset(_key(item.state) for item in outcomes if isinstance(item, Taken))
        return _key(target) in self._successors[key]


def _key(state: State) -> Key:
    return tuple(state.values())
