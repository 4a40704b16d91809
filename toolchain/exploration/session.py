"""What has been explored so far: states by number, and what the page is told of them, as plain JSON.

A variant has the states of its baseline and more. Its calls come out as the baseline's do, but for those of the action
that lost the guard, so a state is described once, with the differences that each variant makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from ...transpiler.instance import Instance, instantiate
from ...transpiler.interpreter import Arguments, State, Undefined, outside
from ...transpiler.mutation import drop_guard
from ..counterexample import place
from .machine import Fault, Impossible, Machine, Refusal, Result, Step, Truth
from .texts import source_text, value_text

Json = Any
MOST_STATES = 500_000
"""States that a session remembers."""


class TooManyStates(Exception):
    """The session holds as many states as it may."""


class Exploration:
    """A baseline, its variants, and the states met so far; not for several threads at once."""

    def __init__(self, baseline: Instance, needed: Sequence[tuple[str, Arguments]] = ()) -> None:
        self.baseline = Machine(baseline, needed)
        self._needed = tuple(needed)
        self._variants: dict[str, Machine] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._states: list[State] = []

    @property
    def instance(self) -> Instance:
        return self.baseline.instance

    @property
    def guards(self) -> tuple[str, ...]:
        """The guards that a variant may lack, `action.guard`."""
        return self.instance.protocol.guard_names

    def machine(self, guard: str | None) -> Machine:
        """The baseline, or the variant without a guard. Raises `KeyError` for a guard that there is not."""
        if guard is None:
            return self.baseline
        if guard not in self._variants:
            protocol = drop_guard(self.instance.protocol, guard)
            self._variants[guard] = Machine(instantiate(protocol, self.instance.constants), self._needed)
        return self._variants[guard]

    def number(self, state: State) -> int:
        """The number by which the page knows a state."""
        key = tuple(state.values())
        if key not in self._numbers:
            if len(self._states) >= MOST_STATES:
                raise TooManyStates
            self._numbers[key] = len(self._states)
            self._states.append(state)
        return self._numbers[key]

    @property
    def known(self) -> int:
        """How many states have a number; they are numbered from 0."""
        return len(self._states)

    def state(self, number: int) -> State:
        """The state of a number; raises `IndexError` for one that was never given."""
        if number < 0:
            raise IndexError(number)
        return self._states[number]

    def beginnings(self) -> list[Json]:
        """The choices of init: arguments as texts, and what comes of each, `to` a state or why to none."""
        return [
            {"args": [value_text(value) for _, value in arguments], **self.result(result, "init")}
            for arguments, result in self.baseline.initial()
        ]

    def initial(self) -> Iterator[int]:
        """The numbers of the initial states."""
        for _, result in self.baseline.initial():
            if isinstance(result, Step):
                yield self.number(result.state)

    # ------------------------------------------------------------------------------------------------------ views

    def view(self, number: int, guards: Iterable[str]) -> StateView:
        """A state described for the baseline and for variants."""
        state, machine = self.state(number), self.baseline
        if outside(machine.instance, state):
            return StateView(self, state, (), machine.truths(state, ()), {}, {})
        results = tuple(machine.results(state, calls) for calls in machine.calls)
        truths = machine.truths(state, results)
        changed: dict[str, tuple[Result, ...]] = {}
        judged: dict[str, tuple[Truth, ...]] = {}
        for guard in guards:
            variant = self.machine(guard)
            action, _, name = guard.partition(".")
            row = [calls.action.name for calls in variant.calls].index(action)
            own = variant.results_without(state, variant.calls[row], name, results[row])
            changed[guard], judged[guard] = own, truths
            if own != results[row]:
                judged[guard] = variant.truths_without(state, (*results[:row], own, *results[row + 1 :]), truths)
        return StateView(self, state, results, truths, changed, judged)

    def result(self, result: Result, action: str) -> dict[str, Json]:
        """What came of a call: `to` and `breaks`, `no` with guards, `assumed` away, or a `fault`."""
        match result:
            case Step(state=state, breaks=breaks):
                return {"to": self.number(state), **({"breaks": list(breaks)} if breaks else {})}
            case Refusal(guards=guards):
                return {"no": [list(each) for each in guards]}
            case Impossible(span=span):
                return {"assumed": source_text(span), "at": place(span)}
            case Fault(span=span, reason=reason):
                return {"fault": reason, "text": source_text(span), "at": place(span)}
            case _:
                assert_never(result)

    def texts(self, number: int) -> list[str]:
        """The values of a state in order of declaration."""
        return [value_text(value) for value in self.state(number).values()]


@dataclass(frozen=True)
class StateView:
    """A state with everything that the page says of it; the results of variants only for the action they change."""

    session: Exploration
    state: State
    results: tuple[tuple[Result, ...], ...]
    truths: tuple[Truth, ...]
    variants: Mapping[str, tuple[Result, ...]]
    variant_truths: Mapping[str, tuple[Truth, ...]]

    def successors(self, guards: Iterable[str] = ()) -> Iterator[int]:
        """The states that some call leads to, in canonical order, those of the baseline first; with repetitions."""
        rows = [*self.results, *(self.variants[guard] for guard in guards if guard in self.variants)]
        for each in (result for row in rows for result in row):
            if isinstance(each, Step):
                yield self.session.number(each.state)

    def outside(self) -> list[str]:
        """The variables whose value is outside its domain."""
        return list(outside(self.session.instance, self.state))

    def seen(self) -> list[str] | None:
        """The state as what the protocol refines sees it; None where it sees nothing."""
        view = self.session.baseline.view
        if view is None or self.outside():
            return None
        try:
            return [value_text(value) for value in view.seen(self.state).values()]
        except Undefined:
            return None


class Block:
    """Descriptions of many states for the page. Results that are alike are written once."""

    def __init__(self, session: Exploration) -> None:
        self.session = session
        self.views: dict[int, Json] = {}
        self._looked: dict[int, StateView] = {}
        self.mentioned: dict[int, None] = {}
        self._results: dict[Result, int] = {}
        self._written: list[Json] = []

    def add(self, number: int, guards: Sequence[str]) -> StateView:
        """Describe a state; the states it leads to are mentioned with their values."""
        if number in self._looked:
            return self._looked[number]
        view = self._looked[number] = self.session.view(number, guards)
        actions = [calls.action.name for calls in self.session.baseline.calls]
        self.mentioned[number] = None
        described: dict[str, Json] = {
            "truths": _truths(view.truths),
            "steps": [
                [self._code(result, action) for result in row]
                for action, row in zip(actions, view.results, strict=False)
            ],
        }
        if view.outside():
            described["outside"] = view.outside()
        seen = view.seen()
        if seen is not None:
            described["seen"] = seen
        described["variants"] = {
            guard: {
                "steps": [self._code(result, guard.partition(".")[0]) for result in row],
                **(
                    {"truths": _truths(view.variant_truths[guard])} if view.variant_truths[guard] != view.truths else {}
                ),
            }
            for guard, row in view.variants.items()
        }
        self.views[number] = described
        return view

    def _code(self, result: Result, action: str) -> int:
        """The number of a state for a plain step, below zero the place of what is said in `results`."""
        if isinstance(result, Step):
            target = self.session.number(result.state)
            self.mentioned[target] = None
            if not result.breaks:
                return target
            written = self.session.result(result, action)
            # A step is told by its number: a state cannot be hashed.
            self._written.append(written)
            return -len(self._written)
        if result not in self._results:
            self._written.append(self.session.result(result, action))
            self._results[result] = len(self._written)
        return -self._results[result]

    def json(self) -> dict[str, Json]:
        """`values`: number → texts; `views`: number → description; `results`: what codes below zero stand for."""
        return {
            "values": {str(number): self.session.texts(number) for number in self.mentioned},
            "views": {str(number): view for number, view in self.views.items()},
            "results": self._written,
        }


def _truths(truths: tuple[Truth, ...]) -> list[int | None]:
    return [None if truth is None else int(truth) for truth in truths]


def collect(
    block: Block, roots: Iterable[int], guards: Sequence[str], most: int, *, follow: Sequence[str] = ()
) -> bool:
    """Describe states breadth-first from the roots until the block holds `most`; whether nothing is left.

    follow: the variants whose own steps are followed too; `guards` are those that are described.
    """
    waiting = list(dict.fromkeys(roots))
    met = set(waiting)
    for number in waiting:  # which grows while it is walked
        if number not in block.views and len(block.views) >= most:
            return False
        for target in block.add(number, guards).successors(follow):
            if target not in met:
                met.add(target)
                waiting.append(target)
    return True
