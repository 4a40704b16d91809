"""What the page is told of states, against the packed explorer, the native class, the interpreter and `replay`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from protocheck import Protocol, refused_by
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.toolchain.exploration.machine import (
    MOST_CALLS,
    Fault,
    Impossible,
    Machine,
    Refusal,
    Result,
    Step,
    truths_of,
)
from protocheck.toolchain.exploration.session import Block, Exploration, collect
from protocheck.toolchain.explorer import state_graph
from protocheck.toolchain.replay import violates
from protocheck.toolchain.traces import Trace, TraceStep
from protocheck.transpiler import ir
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.interpreter import AssumedAway, IllDefined, Refused, State, Taken, attempt, begin, outside
from protocheck.transpiler.mutation import drop_guard

from ..handmade import MACHINES
from .samples import Chosen, Many, Spin, Wide

SHIPPED = (Rollback, Dispatch, HandOff, Acceptance)
ALL = 100_000


def instance_of(cls: type[Protocol], **constants: object) -> Instance:
    return instantiate(compile_protocol(cls), constants)


def all_of(instance: Instance, guards: tuple[str, ...] = ()) -> tuple[Exploration, Block]:
    """Every state that the baseline reaches, described."""
    session = Exploration(instance)
    block = Block(session)
    assert collect(block, session.initial(), guards, ALL)
    return session, block


def key(state: State) -> tuple[object, ...]:
    return tuple(state.values())


def steps_in(session: Exploration, block: Block) -> Iterator[tuple[int, str, tuple[tuple[str, object], ...], int]]:
    """The steps as the page decodes them out of the JSON: source, action, arguments, target."""
    written = block.json()
    for number, view in written["views"].items():
        for calls, row in zip(session.baseline.calls, view["steps"], strict=False):
            for arguments, code in zip(calls.arguments, row, strict=True):
                outcome = {"to": code} if code >= 0 else written["results"][-code - 1]
                if "to" in outcome:
                    yield int(number), calls.action.name, arguments, outcome["to"]


@pytest.mark.parametrize("cls", SHIPPED, ids=lambda cls: cls.__name__)
def test_steps_are_those_of_the_packed_explorer(cls: type[Protocol]) -> None:
    instance = instance_of(cls)
    session, block = all_of(instance)
    graph = state_graph(instance, ALL)
    assert graph is not None
    own = {
        (key(session.state(source)), action, arguments, key(session.state(target)))
        for source, action, arguments, target in steps_in(session, block)
    }
    packed = {
        (key(graph.states[edge.source]), edge.action, edge.arguments, key(graph.states[edge.target]))
        for edge in graph.edges
    }
    assert own == packed
    assert {key(session.state(number)) for number in block.views} == set(map(key, graph.states))


@pytest.mark.parametrize("cls", [Rollback, Dispatch, HandOff], ids=lambda cls: cls.__name__)
def test_refusals_are_those_of_the_native_class(cls: type[Protocol]) -> None:
    """Every state is reached natively along a shortest path, and every call is asked there."""
    instance = instance_of(cls)
    session, block = all_of(instance)
    paths: dict[int, list[tuple[str, dict[str, object]]]] = {number: [] for number in session.initial()}
    steps = list(steps_in(session, block))
    waiting = list(paths)
    for number in waiting:
        for source, action, arguments, target in steps:
            if source == number and target not in paths:
                paths[target] = [*paths[number], (action, dict(arguments))]
                waiting.append(target)
    asked = 0
    for number, path in paths.items():
        native = cls()
        for action, named in path:
            getattr(native, action)(**named)
        for calls, row in zip(session.baseline.calls, session.view(number, ()).results, strict=True):
            for arguments, result in zip(calls.arguments, row, strict=True):
                told = refused_by(getattr(native, calls.action.name), **dict(arguments))
                if isinstance(result, Impossible):
                    continue
                assert tuple(name for name, _ in result.guards) == told if isinstance(result, Refusal) else told == ()
                asked += 1
    assert asked > len(paths) * 3


def expected(instance: Instance, state: State, action: ir.Action, arguments: tuple[tuple[str, object], ...]) -> object:
    """The kind of what comes of a call, straight from the interpreter."""
    match attempt(instance, state, action, arguments):
        case Taken(state=after):
            return key(after)
        case Refused(guards=guards):
            return guards
        case AssumedAway(span=span):
            return span
        case IllDefined(span=span, reason=reason):
            return span, reason


def told(result: Result) -> object:
    match result:
        case Step(state=state):
            return key(state)
        case Refusal(guards=guards):
            return tuple(name for name, _ in guards)
        case Impossible(span=span):
            return span
        case Fault(span=span, reason=reason):
            return span, reason


@pytest.mark.parametrize("cls", [Rollback, Dispatch, HandOff, Spin, Chosen], ids=lambda cls: cls.__name__)
def test_variants_differ_as_the_interpreter_says(cls: type[Protocol]) -> None:
    """Only some calls are asked of a variant anew; here all of them are, of all actions."""
    protocol = compile_protocol(cls)
    instance = instantiate(protocol)
    session = Exploration(instance)
    block = Block(session)
    collect(block, session.initial(), session.guards, 60, follow=session.guards)
    parted = 0
    for guard in session.guards:
        variant = instantiate(drop_guard(protocol, guard))
        for number in list(block.views):
            state = session.state(number)
            view = session.view(number, (guard,))
            if outside(variant, state):
                assert view.results == ()
                continue
            for calls, row in zip(session.baseline.calls, view.results, strict=True):
                own = view.variants[guard] if guard.partition(".")[0] == calls.action.name else row
                parted += own != row
                for arguments, result in zip(calls.arguments, own, strict=True):
                    action = variant.protocol.action(calls.action.name)
                    assert told(result) == expected(variant, state, action, arguments)
            judged_as_replay(variant, state, view.variant_truths[guard], Machine(variant))
    assert parted > 0


def judged_as_replay(instance: Instance, state: State, truths: tuple[bool | None, ...], machine: Machine) -> None:
    """The truths of what every state is judged by, against the verdicts that traces are held to."""
    trace = Trace((TraceStep(None, (), state),))
    place = 0
    for item in machine.judged:
        own = truths[place : place + truths_of(item)]
        place += len(own)
        if outside(instance, state):
            # Nothing else is evaluated there: the engines go no further either.
            assert own == tuple(False if item.name == "type_ok" else None for _ in own)
        elif item.scope == "state" and item.kind in ("implicit", "invariant"):
            assert (own[0] is False) == violates(instance, trace, item.name), (item.name, state)
    assert place == len(truths)


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_states_are_judged_as_traces_are(name: str) -> None:
    instance = instantiate(MACHINES[name]())
    session = Exploration(instance)
    block = Block(session)
    collect(block, session.initial(), (), 40)
    for number in block.views:
        state, view = session.state(number), session.view(number, ())
        judged_as_replay(instance, state, view.truths, session.baseline)
        for row in view.results:
            for result in row:
                if isinstance(result, Step):
                    trace = Trace((TraceStep(None, (), state), TraceStep("", (), result.state)))
                    for item in instance.protocol.of_kind("transition_invariant"):
                        assert (item.name in result.breaks) == violates(instance, trace, item.name)


def test_steps_that_leave_what_is_refined_are_told() -> None:
    """`commit` without its guard moves rows under a reader, which `rollback` does not allow."""
    guard = "commit.no_reader_above"
    instance = instance_of(TreeCache, max_rows=2, max_nodes=1, window=1)
    session = Exploration(instance)
    block = Block(session)
    collect(block, session.initial(), (guard,), 150, follow=(guard,))
    variant = session.machine(guard).instance
    told = 0
    for number in block.views:
        state, view = session.state(number), session.view(number, (guard,))
        for result in view.variants.get(guard, ()):
            if isinstance(result, Step):
                trace = Trace((TraceStep(None, (), state), TraceStep("", (), result.state)))
                assert (ir.REFINES in result.breaks) == violates(variant, trace, ir.REFINES)
                told += ir.REFINES in result.breaks
    assert told > 0


def test_the_choices_of_init() -> None:
    instance = instance_of(Chosen)
    machine = Machine(instance)
    found = dict(machine.initial())
    assert [type(result).__name__ for result in found.values()] == ["Step", "Step", "Step", "Impossible", "Step"]
    for arguments, result in found.items():
        outcome = begin(instance, arguments)
        assert isinstance(result, Step) == isinstance(outcome, Taken)


def test_calls_without_number_are_cut_off_and_said_to_be() -> None:
    """A million argument tuples, of which the page tries some; what is not known is not judged."""
    instance = instance_of(Wide)
    machine = Machine(instance, [("take", (("i", 999), ("j", 998)))])
    (calls,) = machine.calls
    assert calls.more
    assert len(calls.arguments) == MOST_CALLS + 1
    assert calls.arguments[1] == (("i", 0), ("j", 1))
    assert calls.arguments[-1] == (("i", 999), ("j", 998))
    ((_, first),) = machine.initial()
    assert isinstance(first, Step)
    truths = machine.truths(first.state, [machine.results(first.state, calls)])
    named = {item.name: truth for item, truth in zip(machine.judged, truths, strict=True)}
    assert named == {"type_ok": True, "well_defined": None, "deadlock_free": True}


def test_what_one_page_holds_is_bounded() -> None:
    session = Exploration(instance_of(Many))
    block = Block(session)
    assert not collect(block, session.initial(), (), 50)
    assert len(block.views) == 50
    assert set(block.views) < set(block.mentioned)
