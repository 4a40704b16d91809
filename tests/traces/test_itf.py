"""Traces in the Informal Trace Format: ours read back as they were, and those that Apalache and Quint write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocheck.protocols.rollback import Rollback
from protocheck.toolchain.errors import UserError
from protocheck.toolchain.itf import Names
from protocheck.toolchain.layout import render_plain
from protocheck.toolchain.trace_binding import bind
from protocheck.toolchain.trace_itf import itf_trace
from protocheck.toolchain.trace_json import dumps
from protocheck.toolchain.trace_reading import read_trace_file
from protocheck.toolchain.trace_text import trace_blocks
from protocheck.toolchain.traces import DescribedTrace
from protocheck.transpiler.frontend import compile_protocol

from .samples import ALL, kinds

NAMES = Names(frozenset({"Phase"}), {("owner", "count"): "Slot"})

# As Apalache writes the counter-example of a temporal property: integers as big ones, the loop's first state repeated.
EAST = {"#map": [["E", {"#set": ["c1_OF_P"]}], ["W", {"#set": []}]]}
WEST = {"#map": [["E", {"#set": []}], ["W", {"#set": ["c1_OF_P"]}]]}
APALACHE: dict[str, Any] = {
    "#meta": {"format": "ITF", "varTypes": {"x": "Int", "who": "Str -> Set(P)"}, "description": "Created by Apalache"},
    "vars": ["x", "who"],
    "states": [
        {"#meta": {"index": 0}, "x": {"#bigint": "0"}, "who": EAST},
        {"#meta": {"index": 1}, "x": {"#bigint": "1"}, "who": WEST},
        {"#meta": {"index": 2}, "x": {"#bigint": "0"}, "who": EAST},
    ],
    "loop": 0,
}

# As `quint run --mbt --out-itf` writes a run: actions and choices are variables, options are variants.
QUINT = {
    "#meta": {"format": "ITF", "source": "cache.qnt", "status": "violation", "timestamp": 1_767_638_698_763},
    "vars": ["mbt::actionTaken", "mbt::nondetPicks", "length", "owner"],
    "states": [
        {
            "#meta": {"index": 0},
            "length": {"#bigint": "0"},
            "owner": {"tag": "None", "value": {"#tup": []}},
            "mbt::actionTaken": "init",
            "mbt::nondetPicks": {"n": {"tag": "None", "value": {"#tup": []}}},
        },
        {
            "#meta": {"index": 1},
            "length": {"#bigint": "2"},
            "owner": {"tag": "Some", "value": "ann"},
            "mbt::actionTaken": "extend",
            "mbt::nondetPicks": {"n": {"tag": "Some", "value": {"#bigint": "2"}}},
        },
    ],
}

# The four states of rollback's counter-example, as a tool without actions would write them.
STATES = {
    "vars": ["length", "pending_reads"],
    "states": [
        {"length": 0, "pending_reads": {"#set": []}},
        {"length": 1, "pending_reads": {"#set": []}},
        {"length": 1, "pending_reads": {"#set": [{"#bigint": "1"}]}},
        {"length": 0, "pending_reads": {"#set": [1]}},
    ],
}


def read(data: Any, folder: Path) -> DescribedTrace:
    path = folder / "trace.itf.json"
    path.write_text(dumps(data), encoding="utf-8")
    (example,) = read_trace_file(path).examples
    return example


def text_of(example: DescribedTrace) -> str:
    return render_plain(trace_blocks(example))


@pytest.mark.parametrize("name", ALL)
def test_ours_are_read_back_as_they_were(name: str, tmp_path: Path) -> None:
    example = ALL[name]()
    written = itf_trace(example, NAMES)
    again = read(written, tmp_path)
    assert text_of(again) == text_of(example)
    assert itf_trace(again, NAMES) == written
    assert again.trace.shape == example.trace.shape
    assert {key: getattr(again, key) for key in ("violated", "dropped", "source", "target")} == {
        key: getattr(example, key) for key in ("violated", "dropped", "source", "target")
    }


@pytest.mark.parametrize("name", ALL)
def test_what_is_written_keeps_to_the_format(name: str) -> None:
    """ADR-015, word by word: every variable in every state, parameters in the first, and no value that it lacks."""
    data = itf_trace(ALL[name](), NAMES)
    assert set(data) <= {"#meta", "params", "vars", "states", "loop"}
    assert all(isinstance(each, str) for each in (*data["params"], *data["vars"]))
    for place, state in enumerate(data["states"]):
        assert set(data["vars"]) <= set(state)
        assert set(state) == {"#meta", *data["vars"], *(data["params"] if place == 0 else ())}
        for key, value in state.items():
            if key != "#meta":
                assert_expression(value)
    assert 0 <= data.get("loop", 0) < len(data["states"])


def assert_expression(value: Any) -> None:
    match value:
        case bool() | str():
            pass
        case int():
            assert -(2**53) < value < 2**53
        case {"#bigint": str(digits)}:
            int(digits)
        case {"#tup": list(items)} | {"#set": list(items)} | list(items):
            for item in items:
                assert_expression(item)
        case {"#map": list(pairs)}:
            for pair in pairs:
                assert len(pair) == 2
                assert_expression(pair)
        case dict():
            assert not any(key.startswith("#") for key in value)
            for item in value.values():
                assert_expression(item)
        case _:
            raise AssertionError(f"{value!r} is no expression of the format")


def test_none_is_a_variant() -> None:
    data = itf_trace(kinds(), NAMES)
    assert data["states"][0]["owner"] == {"tag": "None", "value": {"#tup": []}}
    assert data["states"][1]["owner"] == "ann"
    assert data["states"][0]["limit"] == {"tag": "None", "value": {"#tup": []}}


def test_apalaches_lasso(tmp_path: Path) -> None:
    example = read(APALACHE, tmp_path)
    assert (example.trace.shape, example.trace.loop_to, len(example.trace.steps)) == ("lasso", 0, 2)
    assert example.trace.steps[1].state["x"] == 1
    assert [step.label for step in example.trace.steps] == ["init", "?"]
    assert '{"E": {}, "W": {"c1_OF_P"}}' in text_of(example)


def test_apalaches_stuttering(tmp_path: Path) -> None:
    states = [APALACHE["states"][0], APALACHE["states"][1], APALACHE["states"][1]]
    for loop in (1, 2):
        example = read({**APALACHE, "states": states, "loop": loop}, tmp_path)
        assert example.trace.shape == "stuttering"


def test_quints_run(tmp_path: Path) -> None:
    example = read(QUINT, tmp_path)
    assert example.protocol == "cache.qnt"
    assert [step.label for step in example.trace.steps] == ["init", "extend(n=2)"]
    assert [str(step.state["owner"]) for step in example.trace.steps] == ["None", 'Some("ann")']
    assert example.trace.variables == ("length", "owner")


def test_states_of_ours_get_their_actions_back(tmp_path: Path) -> None:
    example = read(STATES, tmp_path)
    with pytest.raises(UserError, match="no action leads"):
        bind(example, compile_protocol(Rollback), "trace.itf.json")
    variant = replace(example, dropped="rollback.no_reader_above")
    bound = bind(variant, compile_protocol(Rollback), "trace.itf.json")
    assert [step.label for step in bound.trace.steps] == ["init", "extend()", "start_read(i=1)", "rollback(k=0)"]
    assert bound.trace.steps[3].state == {"length": 0, "pending_reads": frozenset({1})}


def test_arguments_that_are_left_out_are_found(tmp_path: Path) -> None:
    names = ["init", "extend", "start_read", "rollback"]
    states = [{**state, "mbt::actionTaken": name} for state, name in zip(STATES["states"], names, strict=True)]
    example = replace(read({**STATES, "states": states}, tmp_path), dropped="rollback.no_reader_above")
    assert [step.label for step in example.trace.steps] == ["init", "extend()", "start_read()", "rollback()"]
    bound = bind(example, compile_protocol(Rollback), "trace.itf.json")
    assert [step.label for step in bound.trace.steps] == ["init", "extend()", "start_read(i=1)", "rollback(k=0)"]
    with pytest.raises(UserError, match=r"state 4 of the trace: rollback\(\) does not lead there, whatever"):
        bind(replace(example, dropped=None), compile_protocol(Rollback), "trace.itf.json")


def run_of_rollback(folder: Path, steps: int, loop: int | None = None, first: int = 0) -> DescribedTrace:
    """The first steps of `STATES`, or some of them, with their actions named."""
    names = ["init", "extend", "start_read"]
    states = [{**state, "mbt::actionTaken": name} for state, name in zip(STATES["states"], names, strict=False)]
    lasso = {} if loop is None else {"loop": loop}
    return read({**STATES, "states": states[first:steps], **lasso}, folder)


def test_the_step_that_closes_a_loop_is_found(tmp_path: Path) -> None:
    rollback = compile_protocol(Rollback)
    bound = bind(run_of_rollback(tmp_path, 2, loop=0), rollback, "trace.itf.json")
    assert bound.trace.closing is not None
    assert bound.trace.closing.label == "rollback(k=0)"
    with pytest.raises(UserError, match=r"no action leads from .* to"):
        bind(run_of_rollback(tmp_path, 3, loop=0), rollback, "trace.itf.json")


def test_a_trace_begins_in_an_initial_state(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"state 1 of the trace: .* is no initial state"):
        bind(run_of_rollback(tmp_path, 3, first=1), compile_protocol(Rollback), "trace.itf.json")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"states": []}, "a trace has no state"),
    ({"states": [{"x": 1}]}, "state 0 gives no value to y"),
    ({"states": [{"x": 1, "y": 1.5}]}, "1.5 is no value"),
    ({"states": [{"x": 1, "y": {"#bigint": "1e3"}}]}, "'1e3' is no integer"),
    ({"states": [{"x": 1, "y": {"#other": 1}}]}, "is no value in the Informal Trace Format"),
    ({"states": [3]}, "is no trace in the Informal Trace Format"),
    ({"loop": 1}, "the loop begins at state 1, of 1"),
    ({"loop": "0"}, "the loop begins at state 0, of 1"),
    ({"params": ["z"]}, "'z' is missing"),
    ({"states": [{"x": 1, "y": 2, "mbt::nondetPicks": {"n": 3}}]}, "is no trace"),
    ({"#meta": {"protocheck": {"dropped": ["x"]}}}, "dropped is no text, but ['x']"),
    ({"states": [{"x": 1, "y": {"#map": [[0, 0], [0, 1]]}}]}, "the key 0 stands twice in a #map"),
    ({"states": [{"x": 1, "y": {"#map": [1]}}]}, "1 in a #map is no pair [key, value]"),
]


@pytest.mark.parametrize(("more", "message"), BAD, ids=range(len(BAD)))
def test_what_does_not_keep_to_the_format(more: dict[str, Any], message: str, tmp_path: Path) -> None:
    good = {"vars": ["x", "y"], "states": [{"x": 1, "y": 2}]}
    read(good, tmp_path)
    with pytest.raises(UserError, match=r"trace\.itf\.json") as caught:
        read({**good, **more}, tmp_path)
    assert message in str(caught.value)


def test_long_numbers(tmp_path: Path) -> None:
    example = read({"vars": ["x"], "states": [{"x": {"#bigint": "-" + "9" * 30}}]}, tmp_path)
    assert example.trace.steps[0].state["x"] == -int("9" * 30)
    with pytest.raises(UserError, match="10000 digits is too long"):
        read({"vars": ["x"], "states": [{"x": {"#bigint": "9" * 10_000}}]}, tmp_path)


def test_json_is_all_it_needs() -> None:
    json.dumps(itf_trace(kinds(), NAMES), allow_nan=False)
