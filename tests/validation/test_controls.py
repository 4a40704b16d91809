"""Logs of real behaviours are accepted, and altered ones refused unless the altered log is one itself.

Which it is, a search through the explorer's graph decides. Each log is also followed twice: by the class that runs,
where everything is named, and by the simulation alone.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocheck import Protocol
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.protocols.walk import Walk
from protocheck.toolchain.validation import native_steps
from protocheck.toolchain.validation.results import Options, Validation

from .. import handmade
from .logs import EVERYTHING, Graph, Logged, altered, coarser, graph_of, graph_of_class, is_behaviour, validated, walks

CLASSES: list[tuple[type[Protocol], dict[str, Any]]] = [
    (Rollback, {"max_len": 3}),
    (Dispatch, {}),
    (HandOff, {}),
    (Walk, {"max_output": 2}),
    (TreeCache, {"max_rows": 3, "max_nodes": 2}),
]
BY_CLASS = pytest.mark.parametrize(("cls", "constants"), CLASSES, ids=[cls.__name__ for cls, _ in CLASSES])
FEW = settings(max_examples=50)
MACHINES = ("two_phase_commit", "bounded_queue", "slots", "wire", "philosophers")


def slowly(known: Graph, events: list[Logged], options: Options = EVERYTHING) -> Validation:
    return validated(known, events, None, options)


def summary(answer: Validation) -> tuple[Any, ...]:
    """What two ways through a log must agree on."""
    return answer.verdict, answer.events, answer.lines, answer.rejection and answer.rejection.reasons


@BY_CLASS
@FEW
@given(data=st.data())
def test_what_happened_can_have_happened(cls: type[Protocol], constants: dict[str, Any], data: st.DataObject) -> None:
    known = graph_of_class(cls, **constants)
    events = data.draw(walks(known))
    answer = validated(known, events, cls)
    assert (answer.verdict, answer.events) == ("behaviour", len(events))
    assert answer.with_arguments == answer.with_values == len(events)
    assert summary(slowly(known, events)) == summary(answer)
    partial = data.draw(coarser(events))
    assert validated(known, partial, cls).verdict == "behaviour"


@BY_CLASS
@FEW
@given(data=st.data())
def test_what_was_altered_is_judged_as_the_graph_does(
    cls: type[Protocol], constants: dict[str, Any], data: st.DataObject
) -> None:
    known = graph_of_class(cls, **constants)
    events = data.draw(altered(known, data.draw(walks(known))))
    if data.draw(st.booleans()):
        events = data.draw(coarser(events))
    if not events:
        return
    answer = validated(known, events, cls)
    assert (answer.verdict == "behaviour") == is_behaviour(known, events)
    assert summary(slowly(known, events)) == summary(answer)
    if answer.rejection is not None:
        # It is the first: what comes before it can have happened.
        place = answer.rejection.line - 2
        assert answer.events == place
        assert is_behaviour(known, events[:place])
        assert not is_behaviour(known, events[: place + 1])
        assert answer.rejection.reasons


@BY_CLASS
@FEW
@given(data=st.data())
def test_hidden_actions(cls: type[Protocol], constants: dict[str, Any], data: st.DataObject) -> None:
    known = graph_of_class(cls, **constants)
    names = [action.name for action in known.instance.protocol.actions]
    hidden = frozenset(data.draw(st.sets(st.sampled_from(names), min_size=1, max_size=2)))
    options = Options(unlogged=hidden)
    walk = data.draw(walks(known))
    logged = [event for event in walk if event.action not in hidden or data.draw(st.booleans())]
    # What was hidden is not what an event changed.
    logged = [Logged(event.action, event.arguments, event.seen) for event in logged]
    if not logged:
        return
    assert validated(known, logged, cls, options).verdict == "behaviour"
    events = data.draw(altered(known, logged))
    if events:
        assert (validated(known, events, cls, options).verdict == "behaviour") == is_behaviour(known, events, hidden)


@pytest.mark.parametrize("machine", MACHINES)
@settings(max_examples=15)
@given(data=st.data())
def test_machines_of_every_domain(machine: str, data: st.DataObject) -> None:
    known = machines(machine)
    events = data.draw(walks(known))
    if not events:
        return
    assert slowly(known, events).verdict == "behaviour"
    events = data.draw(altered(known, events))
    if events:
        assert (slowly(known, events).verdict == "behaviour") == is_behaviour(known, events)


_known: dict[str, Graph] = {}


def machines(name: str) -> Graph:
    if name not in _known:
        _known[name] = graph_of(handmade.MACHINES[name]())
    return _known[name]


@pytest.mark.soak
@BY_CLASS
@settings(max_examples=3_000)
@given(data=st.data())
def test_long_logs(cls: type[Protocol], constants: dict[str, Any], data: st.DataObject) -> None:
    """The same controls, longer and many more."""
    known = graph_of_class(cls, **constants)
    events = data.draw(altered(known, data.draw(coarser(data.draw(walks(known, 40))))))
    names = [action.name for action in known.instance.protocol.actions]
    hidden = frozenset(data.draw(st.sets(st.sampled_from(names), max_size=2)))
    if events:
        answer = validated(known, events, cls, Options(unlogged=hidden))
        assert (answer.verdict == "behaviour") == is_behaviour(known, events, hidden)


def test_the_fast_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast way that nobody takes would agree with everything."""
    taken = []
    original = native_steps.NativeSteps.fits

    def counted(self: native_steps.NativeSteps, *event: Any) -> bool:
        taken.append(original(self, *event))
        return taken[-1]

    monkeypatch.setattr(native_steps.NativeSteps, "fits", counted)
    known = graph_of_class(Walk, max_output=2)
    tree = (("tokens", (0, 1)), ("parents", (0, 1)))
    events = [
        Logged("propose", tree, (("phase", "walking"), *tree), True),
        Logged("descend", (("verdict", 0), ("child", 1)), (("asked", False), ("output", (0,)), ("at", 1)), True),
    ]
    assert validated(known, events, Walk).verdict == "behaviour"
    assert taken == [True, True]
