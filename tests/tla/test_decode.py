"""What TLC prints, read by the declared type."""

from __future__ import annotations

from typing import Any

import pytest

from protocheck.toolchain.tlc.values import parse_value
from protocheck.toolchain.tlc_decode import DecodeError, Decoder
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.tla import build_module
from protocheck.transpiler.valuetypes import BOOL, INT, STR, FrozenDict

from .kitchen import MESSAGE, MODEL, NOTE, PHASE, PLAIN, STOP, Count, Note, Phase, Plain, Stop, kitchen

PROTOCOL = kitchen()
MODULE = build_module(PROTOCOL, instantiate(PROTOCOL).constants)
DECODER = Decoder.of(MODULE, {item.name: item.type for item in PROTOCOL.variables})


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("TRUE", BOOL, True),
        ("-3", INT, -3),
        ('"a\\"b\\\\"', STR, 'a"b\\'),
        ('"Phase.BUSY"', PHASE, Phase.BUSY),
        ("None_2", MODEL, "None"),
        ("Workersw_1", MODEL, "w 1"),
        ("None", types.Optional(INT), None),
        ("None", types.Optional(MODEL), None),
        ("4", types.Optional(INT), 4),
        ("1..3", types.Set(INT), frozenset({1, 2, 3})),
        ("3..1", types.Set(INT), frozenset()),
        ("{}", types.Set(types.Set(INT)), frozenset()),
        ("{1..2, {}}", types.Set(types.Set(INT)), frozenset({frozenset({1, 2}), frozenset()})),
        ("<<>>", types.Sequence(INT), ()),
        ("<< <<1>>, <<>> >>", types.Sequence(types.Sequence(INT)), ((1,), ())),
        ("<<1, TRUE>>", types.Tuple((INT, BOOL)), (1, True)),
        ("<<7, 8>>", types.Function(INT, INT), FrozenDict({1: 7, 2: 8})),
        ("(0 :> 7 @@ 1 :> 8)", types.Function(INT, INT), FrozenDict({0: 7, 1: 8})),
        ("<<>>", types.Function(STR, INT), FrozenDict({})),
        ("[a |-> 1]", types.Function(STR, INT), FrozenDict({"a": 1})),
        ('("a b" :> 1)', types.Function(STR, INT), FrozenDict({"a b": 1})),
        ('("Phase.IDLE" :> 1)', types.Function(PHASE, INT), FrozenDict({Phase.IDLE: 1})),
        ("(TRUE :> <<1>>)", types.Function(BOOL, types.Sequence(INT)), FrozenDict({True: (1,)})),
        ("(Len_2 :> None)", types.Function(MODEL, types.Optional(MODEL)), FrozenDict({"Len": None})),
        ("(<<0, TRUE>> :> 1)", types.Function(types.Tuple((INT, BOOL)), INT), FrozenDict({(0, True): 1})),
        ("(1 :> 5 @@ 2 :> 6)", types.Sequence(INT), (5, 6)),
        ("[IF_ |-> 1, type |-> TRUE]", PLAIN, Plain(1, True)),
        ('[kind |-> "Stop"]', STOP, Stop()),
        ('[kind |-> "Note", Note_what |-> "x"]', NOTE, Note("x")),
        ('[kind |-> "Count", Count_what |-> 9]', MESSAGE, Count(9)),
    ],
)
def test_value(text: str, kind: types.Type, expected: Any) -> None:
    found = DECODER.value(parse_value(text), kind)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", BOOL),
        ("TRUE", INT),
        ("x", STR),
        ('"Phase.GONE"', PHASE),
        ("nobody", MODEL),
        ("None", INT),
        ('"None"', types.Optional(INT)),
        ("<<1>>", types.Set(INT)),
        ("{1}", types.Sequence(INT)),
        ("<<1>>", types.Tuple((INT, INT))),
        ("(0 :> 1)", types.Sequence(INT)),
        ("{}", types.Function(INT, INT)),
        ("[IF_ |-> 1]", PLAIN),
        ('[kind |-> "Note", Note_what |-> "x", more |-> 1]', NOTE),
        ('[kind |-> "Stop"]', NOTE),
        ('[kind |-> "Other"]', MESSAGE),
        ("1", MESSAGE),
        ("1", types.NEVER),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(text: str, kind: types.Type) -> None:
    with pytest.raises(DecodeError, match="TLC printed"):
        DECODER.value(parse_value(text), kind)


def test_a_state_must_have_every_variable() -> None:
    with pytest.raises(DecodeError, match="without sent, picked"):
        DECODER.state({"n": parse_value("<<0>>")})
