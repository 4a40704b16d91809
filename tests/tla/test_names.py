"""One name space for a module: what is renamed, what is refused, and what model values are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from protocheck.toolchain.generate import render
from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.diagnostics import Code, CompileError
from protocheck.transpiler.tla_library import LIBRARY
from protocheck.transpiler.tla_names import check_names, identifier, module_name, names_of
from protocheck.transpiler.tla_values import model_values
from protocheck.transpiler.valuetypes import INT

from ..build import (
    action,
    add,
    all_,
    cat,
    constant,
    eq,
    extreme,
    gen,
    guard,
    helper,
    ints,
    local,
    lt,
    param,
    prop,
    protocol,
    record_type,
    seq,
    sequences,
    size,
    var,
    variable,
)
from ..handmade import MACHINES, rollback
from .kitchen import COUNT, NOTE, PLAIN, STOP, Count, Note, Stop, kitchen

X = var("x")
COUNTER = variable("x", ints(0, 3), 0)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            (constant("max_len", 1), helper("max_len", 1)),
            "the helper max_len and the constant max_len both become MaxLen",
        ),
        (
            (action("go_on", x=0), prop("goOn", "invariant", True)),
            "the property goOn and the action go_on both become GoOn",
        ),
        ((action("step", x=0), prop("step_guards", "invariant", True)), "StepGuards"),
        ((action("next", x=0),), "the action next becomes Next in TLA+, an operator that every module has"),
        ((prop("init", "invariant", True),), "becomes Init"),
        ((prop("well_defined", "invariant", True),), "becomes WellDefined"),
        ((variable("vars", ints(0, 1), 0),), "the variable vars becomes vars"),
        ((variable("IF", ints(0, 1), 0),), "the variable IF cannot be called IF in TLA+"),
        ((variable("länge", ints(0, 1), 0),), "the variable länge cannot be called länge"),
        ((variable("WF_x", ints(0, 1), 0),), "cannot be called WF_x"),
        ((action("_1", x=0),), "cannot be called 1"),
    ],
)
def test_names_that_would_be_one_are_refused(parts: tuple[Any, ...], said: str) -> None:
    made = protocol("P", COUNTER, *parts)
    with pytest.raises(CompileError) as caught:
        names_of(made)
    assert {item.code for item in caught.value.diagnostics} == {Code.COLLISION}
    assert said in str(caught.value)
    assert [item.message for item in check_names(made)] == [item.message for item in caught.value.diagnostics]


def test_all_collisions_come_at_once() -> None:
    made = protocol("P", COUNTER, action("next", x=0), action("spec", x=0), helper("next", 1))
    assert len(check_names(made)) == 3


def test_an_operator_of_a_module_in_use_is_refused() -> None:
    queue = variable("q", sequences(ints(0, 1), 2), seq())
    append = action(
        "append",
        guard("room", lt(size(var("q", types.Sequence(INT))), 2)),
        q=cat(var("q", types.Sequence(INT)), seq(0)),
    )
    with pytest.raises(CompileError, match="becomes Append, an operator of the standard module Sequences"):
        render(protocol("P", queue, append))
    # Where the module is not extended the name is free.
    assert "Append ==" in render(protocol("P", COUNTER, action("append", x=0)))["P.tla"]


def test_bound_names_give_way_to_everything_else() -> None:
    made = protocol(
        "P",
        COUNTER,
        variable("i", ints(0, 3), 0),
        action("step", param("x_2", ints(0, 1)), param("Init", ints(0, 1)), x=add(local("x_2"), local("Init"))),
        prop(
            "low",
            "invariant",
            all_(
                lt(local("x"), 9),
                gen(
                    "x",
                    ir.SetOf(
                        collection=ir.RangeOf(start=ir.Literal(0, type=INT), stop=X, type=types.RANGE),
                        type=types.Set(INT),
                    ),
                ),
            ),
        ),
    )
    text = render(made)["P.tla"]
    assert "Step(x_2, Init_2) ==" in text
    assert "\\A x_2 \\in 0..(x - 1) : x_2 < 9" in text


def test_our_own_operators_give_way_to_the_users() -> None:
    made = protocol(
        "P",
        COUNTER,
        constant("min", 1),
        variable("m", ints(0, 1), 0),
        prop("low", "invariant", eq(extreme("min", X, 2), X)),
    )
    text = render(made)["P.tla"]
    assert "CONSTANTS Min\n" in text
    assert "Min_2(m_2, n) == IF m_2 <= n THEN m_2 ELSE n" in text
    assert "Min_2(x, 2) = x" in text


def test_a_property_that_is_called_keeps_the_plain_name_for_the_predicate() -> None:
    made = protocol("P", COUNTER, helper("done", eq(X, 3)), prop("done", "eventually", eq(X, 3)))
    text = render(made)["P.tla"]
    assert "Done ==\n    x = 3\n" in text
    assert "EventuallyDone ==\n    <>Done\n" in text


def test_only_records_of_unions_carry_their_class() -> None:
    names = names_of(kitchen())
    assert names.tag == "kind"  # `type` is a field of another record
    assert names.is_tagged(NOTE)
    assert names.is_tagged(STOP)
    assert not names.is_tagged(PLAIN)
    assert names.field(PLAIN, "IF") == "IF_"
    assert (names.field(NOTE, "what"), names.field(COUNT, "what")) == ("Note_what", "Count_what")


def test_classes_of_one_name_are_told_apart() -> None:
    def twin() -> type:
        @dataclass(frozen=True)
        class Note:
            pass

        return Note

    other = record_type(twin())
    union = ir.UnionSet(alternatives=(ir.RecordSet(record=STOP, fields=()), ir.RecordSet(record=other, fields=())))
    third = ir.UnionSet(alternatives=(*union.alternatives, ir.RecordSet(record=record_type(Note), fields=())))
    made = protocol("P", variable("m", third, ir.RecordDisplay(values=(), type=STOP)))
    tags = names_of(made).tags
    assert tags[Stop] == "Stop"
    assert sorted((tags[other.python], tags[Note])) == ["Note", "Note_2"]
    assert Count not in tags


def test_model_values_keep_their_names_where_tla_can_have_them() -> None:
    names = names_of(kitchen())
    members = {"workers": frozenset({"w1", "w10", "w2", "x_1", "a b", "None", "owner"})}
    found = {member: text for (_, member), text in model_values(members, names).items()}
    assert found["w1"] == "w1"
    assert list(found)[-3:] == ["w2", "w10", "x_1"]
    assert found["x_1"] == "Workersx_1"  # TLC takes `x_1` for a value of the type x
    assert found["None"] == "None_2"
    assert found["owner"] == "owner_2"
    assert len(set(found.values())) == len(members["workers"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("x", "x"), ("_", "x_"), ("", "x"), ("1a", "x1a"), ("é", "x_"), ("IN", "IN_"), ("SF_a", "xSF_a"), ("_x1", "_x1")],
)
def test_identifier(name: str, expected: str) -> None:
    assert identifier(name) == expected
    assert identifier(expected) == expected


def test_variants_are_named_for_what_they_lack() -> None:
    from dataclasses import replace

    assert module_name(replace(rollback(), dropped="rollback.no_reader_above")) == "Rollback__rollback__no_reader_above"


def test_nothing_of_the_library_takes_a_name_of_the_standard_modules() -> None:
    names = names_of(MACHINES["rollback"]())
    assert dict(names.library) == {name: name for name in LIBRARY}
