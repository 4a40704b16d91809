"""`--set name=value`, by the type of the constant."""

from __future__ import annotations

import enum
from dataclasses import replace
from typing import Any

import pytest

from protocheck.toolchain.errors import UserError
from protocheck.toolchain.settings import read_settings, read_values
from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.valuetypes import BOOL, INT, STR, FrozenDict

from ..handmade import rollback


class Mode(enum.Enum):
    FAST = 1
    SAFE = 2


def protocol(kind: types.Type, default: Any = None) -> ir.Protocol:
    constant = ir.Constant(name="max_len", default=default, type=kind)
    return replace(rollback(), constants=(constant,))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (INT, "6", 6),
        (INT, " -3 ", -3),
        (BOOL, "true", True),
        (BOOL, "False", False),
        (STR, "idle", "idle"),
        (STR, "'a,b'", "a,b"),
        (STR, "a=b", "a=b"),
        (types.Enumeration(Mode), "SAFE", Mode.SAFE),
        (types.Enumeration(Mode), "Mode.FAST", Mode.FAST),
        (types.Optional(INT), "none", None),
        (types.Optional(INT), "4", 4),
        (types.Set(STR), "{t1, t2}", frozenset({"t1", "t2"})),
        (types.Set(types.Model("max_len")), '{"t1"}', frozenset({"t1"})),
        (types.Set(INT), "1,2", frozenset({1, 2})),
        (types.Set(INT), "{}", frozenset()),
        (types.Set(types.Tuple((INT, STR))), "{(1, a), (2, b)}", frozenset({(1, "a"), (2, "b")})),
        (types.Sequence(INT), "(1, 2, 1)", (1, 2, 1)),
        (types.Sequence(INT), "(1,)", (1,)),
        (types.Tuple((INT, BOOL)), "(1, true)", (1, True)),
        (types.Function(STR, INT), '{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_is_read_by_its_type(kind: types.Type, text: str, value: Any) -> None:
    assert read_settings(protocol(kind), [f"max_len={text}"]) == {"max_len": value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (INT, "six"),
        (INT, "1.5"),
        (INT, ""),
        (BOOL, "maybe"),
        (STR, ""),
        (types.Enumeration(Mode), "SLOW"),
        (types.Set(INT), "{1, x}"),
        (types.Set(INT), "{1, 1}"),
        (types.Set(INT), "{(1}"),
        (types.Tuple((INT, INT)), "(1, 2, 3)"),
        (types.Function(STR, INT), "a: 1"),
        (types.Record(Mode, ()), "x"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_of_the_user(kind: types.Type, text: str) -> None:
    with pytest.raises(UserError, match="--set max_len="):
        read_settings(protocol(kind), [f"max_len={text}"])


def test_names_are_checked() -> None:
    with pytest.raises(UserError, match=r"no constant max_length; did you mean max_len\?"):
        read_settings(rollback(), ["max_length=3"])
    with pytest.raises(UserError, match="name=value, as in --set max_len=4"):
        read_settings(rollback(), ["max_len"])
    with pytest.raises(UserError, match="twice"):
        read_settings(rollback(), ["max_len=1", "max_len=2"])


def test_a_mistake_is_told_in_words_and_not_in_pythons() -> None:
    with pytest.raises(UserError) as caught:
        read_settings(rollback(), ["max_len=six"])
    assert str(caught.value) == "--set max_len=six: six is no int"
    with pytest.raises(UserError) as caught:
        read_settings(rollback(), ["max_len="])
    assert str(caught.value) == "--set max_len=: an empty text is no int"


# ------------------------------------------------------------------------------------------------- values of TOML


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        (INT, 6, 6),
        (INT, "6", 6),
        (BOOL, True, True),
        (BOOL, "no", False),
        (STR, "a b", "a b"),
        (STR, "'quoted'", "'quoted'"),
        (types.Set(STR), ["ann", "bob"], frozenset({"ann", "bob"})),
        (types.Set(STR), "ann,bob", frozenset({"ann", "bob"})),
        (types.Set(INT), [], frozenset()),
        (types.Sequence(INT), [2, 1, 2], (2, 1, 2)),
        (types.Tuple((INT, BOOL)), [1, False], (1, False)),
        (types.Optional(INT), "none", None),
        (types.Optional(INT), 3, 3),
        (types.Enumeration(Mode), "FAST", Mode.FAST),
        (types.Set(types.Enumeration(Mode)), ["Mode.SAFE"], frozenset({Mode.SAFE})),
        (types.Function(STR, INT), {"a": 1}, FrozenDict({"a": 1})),
        (types.Function(INT, INT), {"1": 2}, FrozenDict({1: 2})),
    ],
)
def test_a_value_of_toml_is_read_by_the_type_of_its_constant(kind: types.Type, given: object, read: object) -> None:
    (value,) = read_values(protocol(kind), {"max_len": given}).values()
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (INT, True),
        (INT, 1.5),
        (INT, "six"),
        (BOOL, 1),
        (STR, 1),
        (types.Set(STR), ["a", "a"]),
        (types.Set(STR), [1]),
        (types.Set(INT), 3),
        (types.Tuple((INT, INT)), [1]),
        (types.Sequence(INT), [True]),
        (types.Enumeration(Mode), "SLOW"),
        (types.Function(STR, INT), ["a"]),
    ],
)
def test_a_value_of_toml_that_does_not_fit_is_refused(kind: types.Type, given: object) -> None:
    with pytest.raises(UserError, match="is no value for the constant max_len, whose type is"):
        read_values(protocol(kind), {"max_len": given})


def test_a_constant_of_toml_that_there_is_not() -> None:
    with pytest.raises(UserError, match="no constant maxlen; did you mean max_len"):
        read_values(rollback(), {"maxlen": 3})
