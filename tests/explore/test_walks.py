"""Traces as walks: those that a check finds, and those of files, which are followed anew and believed only then."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from protocheck import Protocol
from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.hand_off import HandOff
from protocheck.protocols.rollback import Rollback
from protocheck.protocols.tree_cache import TreeCache
from protocheck.toolchain.check import check_protocol
from protocheck.toolchain.counterexample import counter_examples
from protocheck.toolchain.engines import select_engines
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.exploration.content import Content, variants_for_a_file
from protocheck.toolchain.exploration.session import Exploration
from protocheck.toolchain.exploration.walks import Walk, both_ways, fits, needed, read_walks, search, walk_json
from protocheck.toolchain.replay import violates
from protocheck.toolchain.results import Budget
from protocheck.toolchain.trace_json import dumps, trace_file_json
from protocheck.toolchain.trace_reading import read_trace_file
from protocheck.toolchain.traces import DescribedTrace, Trace, TraceStep
from protocheck.transpiler.erasure import as_it_runs
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.interpreter import Taken, initial_states
from protocheck.transpiler.mutation import drop_guard

from .samples import Chosen, Many, Spin, Stay

NO_READER = "rollback.no_reader_above"


def variant(cls: type[Protocol], guard: str) -> Instance:
    return instantiate(drop_guard(compile_protocol(cls), guard))


@pytest.mark.parametrize("guard", compile_protocol(HandOff).guard_names)
def test_the_counter_example_that_is_found_violates_what_it_names(guard: str) -> None:
    instance = variant(HandOff, guard)
    found = search(instance)
    if found.walk is None:
        assert found.said.startswith("no property is violated in ")
    else:
        assert found.walk.guard == guard
        assert violates(instance, found.walk.trace, str(found.walk.described.violated))


def test_a_search_that_is_not_finished_says_so() -> None:
    found = search(instantiate(compile_protocol(Many)), Budget(max_states=20))
    assert found.walk is None
    assert "no counter-example was found" in found.said


@pytest.mark.parametrize(("cls", "shape"), [(Spin, "lasso"), (Stay, "stuttering")])
def test_endless_traces_keep_their_shape(cls: type[Protocol], shape: str) -> None:
    instance = instantiate(compile_protocol(cls))
    walk = search(instance).walk
    assert walk is not None
    assert walk.trace.shape == shape
    session = Exploration(instance)
    written = walk_json(session, walk)
    assert (written["loop_to"] is not None) == (shape == "lasso")
    assert written["stuttering"] == (shape == "stuttering")
    assert len(written["calls"]) == len(written["states"]) - 1


@pytest.mark.parametrize("cls", [Rollback, HandOff, Acceptance], ids=lambda cls: cls.__name__)
def test_traces_of_a_file_are_followed(cls: type[Protocol], tmp_path: Path) -> None:
    """Written by `run --trace`, read without the protocol, and found again in it: the same steps and states."""
    report = check_protocol(compile_protocol(cls), engines=select_engines("explorer").engines, mutate=True)
    examples = counter_examples(report)
    file = tmp_path / "traces.json"
    file.write_text(dumps(trace_file_json(report, examples)), encoding="utf-8")
    read = read_walks(compile_protocol(cls), {}, read_trace_file(file).examples, str(file))
    assert [walk.trace for walk in read.walks] == [example.trace for example in examples]
    assert [walk.guard for walk in read.walks] == [example.dropped for example in examples]
    assert len(examples) > 1
    assert read.left_out == 0
    assert read.instance == instantiate(compile_protocol(cls))


def found_in_rollback() -> Walk:
    walk = search(variant(Rollback, NO_READER)).walk
    assert walk is not None
    return walk


def test_states_alone_are_enough() -> None:
    """Another tool's file names neither actions nor arguments."""
    walk = found_in_rollback()
    first, *rest = walk.trace.steps
    steps = (first, *(replace(step, action="", arguments=()) for step in rest))
    bare = replace(walk.described, trace=replace(walk.trace, steps=steps))
    assert read_walks(compile_protocol(Rollback), {}, [bare], "x.json").walks[0].trace == walk.trace


def test_the_choice_of_init_is_found_by_its_state() -> None:
    """A recording does not say what init chose."""
    protocol = compile_protocol(Chosen)
    (_, outcome) = list(initial_states(instantiate(protocol)))[-1]
    assert isinstance(outcome, Taken)
    example = DescribedTrace("chosen", {}, Trace((TraceStep(None, (), outcome.state),)))
    (walk,) = read_walks(protocol, {}, [example], "x").walks
    assert walk.trace.steps[0].arguments == (("first", 4),)


def test_a_recording_without_ghosts_is_one_of_the_protocol_as_it_runs() -> None:
    protocol = compile_protocol(TreeCache)
    instance = instantiate(as_it_runs(protocol))
    (_, outcome) = next(initial_states(instance))
    assert isinstance(outcome, Taken)
    example = DescribedTrace("tree_cache", {}, Trace((TraceStep(None, (), outcome.state),)))
    read = read_walks(protocol, {}, [example], "x")
    assert "held" not in read.instance.variables
    assert Exploration(read.instance).number(read.walks[0].trace.steps[0].state) == 0


def test_traces_with_other_constants_are_left_out() -> None:
    walk = found_in_rollback()
    other = replace(walk.described, constants={"max_len": 3})
    read = read_walks(compile_protocol(Rollback), {}, [walk.described, other], "x")
    assert (len(read.walks), read.left_out) == (1, 1)
    same = read_walks(compile_protocol(Rollback), {"max_len": 2}, [walk.described, other], "x")
    assert (len(same.walks), same.left_out) == (2, 0)
    assert same.instance.constants == {"max_len": 2}


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (0, {"state": {"length": 1, "pending_reads": frozenset()}}, "no initial state"),
        (1, {"state": {"length": 3, "pending_reads": frozenset()}}, r"extend\(\) does not lead there"),
        (2, {"arguments": (("i", 3),)}, r"start_read\(i=3\) is refused by inside_tail"),
        (2, {"arguments": (("i", 77),)}, "77 is no value of"),
        (2, {"action": "read"}, "read has no parameter i"),
        (3, {"state": {"length": 0}}, "lack the variable"),
    ],
)
def test_traces_that_do_not_fit_are_refused(place: int, change: dict[str, object], said: str) -> None:
    walk = found_in_rollback()
    steps = list(walk.trace.steps)
    steps[place] = replace(steps[place], **change)  # type: ignore[arg-type]
    altered = replace(walk.described, trace=replace(walk.trace, steps=tuple(steps)))
    with pytest.raises(UserError, match=said):
        read_walks(compile_protocol(Rollback), {}, [altered], "x.json")


def test_a_trace_that_begins_in_the_middle_is_refused() -> None:
    walk = found_in_rollback()
    _, second, *rest = walk.trace.steps
    steps = (replace(second, action=None), *rest)
    late = replace(walk.described, trace=replace(walk.trace, steps=steps))
    with pytest.raises(UserError, match="no initial state"):
        read_walks(compile_protocol(Rollback), {}, [late], "x.json")


def test_a_trace_of_a_variant_is_none_of_the_baseline() -> None:
    example = replace(found_in_rollback().described, dropped=None)
    with pytest.raises(UserError, match=r"rollback\(k=0\) is refused by no_reader_above"):
        read_walks(compile_protocol(Rollback), {}, [example], "x.json")


def test_a_trace_of_another_protocol_is_refused() -> None:
    with pytest.raises(UserError, match=r"x\.json has no trace of spin, but of rollback"):
        read_walks(compile_protocol(Spin), {}, [found_in_rollback().described], "x.json")


def test_a_walk_is_tried_in_the_baseline_too() -> None:
    session = Exploration(instantiate(compile_protocol(Rollback)))
    walk = search(session.machine(NO_READER).instance).walk
    assert walk is not None
    met = [dict(session.state(number)) for number in both_ways(session, walk)]
    # The baseline stays in the third state, which the variant went through: no state is met that only it has.
    assert met == [dict(step.state) for step in walk.trace.steps]
    assert fits(session, walk)
    assert [name for name, _ in needed([walk])] == ["", "extend", "start_read", "rollback"]


def test_a_small_file_has_every_variant_and_a_large_one_those_that_are_named() -> None:
    content = Content(Exploration(instantiate(compile_protocol(Rollback))), "rollback")
    assert variants_for_a_file(content) == content.session.guards
    assert {walk.guard for walk in content.walks} == set(content.session.guards) - {"finish_read.is_pending"}
    assert content.said["finish_read.is_pending"] == "no property is violated in 31 states"
    many = Exploration(instantiate(compile_protocol(Many)))
    assert variants_for_a_file(Content(many, "many")) == ()
    assert variants_for_a_file(Content(many, "many", guard="up.room")) == ("up.room",)


def test_walks_can_be_written_as_json() -> None:
    session = Exploration(instantiate(compile_protocol(Rollback)))
    walk = search(session.machine(NO_READER).instance).walk
    assert walk is not None
    written = json.loads(json.dumps(walk_json(session, walk)))
    assert written["guard"] == NO_READER
    assert written["violated"] == "no_ghost_reads"
    assert written["states"] == [0, 1, 2, 3]
    assert [session.baseline.calls[action].action.name for action, _ in written["calls"]] == [
        "extend",
        "start_read",
        "rollback",
    ]
