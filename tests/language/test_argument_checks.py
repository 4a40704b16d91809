"""The written-out check of arguments says what `domains.contains` says, of members and of everything else."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from protocheck import ArgumentRefused
from protocheck.transpiler import domains, valuetypes
from protocheck.transpiler.argument_checks import argument_check
from protocheck.transpiler.domains import Domain, contains, values


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Text(str):
    pass


NUMBERS = domains.IntDomain(-1, 2)
NAMES = domains.ChoiceDomain(("red", "t1"), valuetypes.STR)
DOMAINS: tuple[Domain, ...] = (
    domains.BoolDomain(),
    NUMBERS,
    domains.IntDomain(3, 2),
    NAMES,
    domains.ChoiceDomain((), valuetypes.STR),
    domains.ChoiceDomain((Colour.RED, Colour.BLUE), valuetypes.Enumeration(Colour)),
    domains.ChoiceDomain((1, 2), valuetypes.INT),
    domains.OptionalDomain(NUMBERS),
    domains.OptionalDomain(NAMES),
    domains.OptionalDomain(domains.SetDomain(NUMBERS)),
    domains.SetDomain(NAMES),
    domains.TupleDomain((NUMBERS, NAMES)),
    domains.SequenceDomain(NUMBERS, 1, 2),
    domains.SequenceDomain(NUMBERS, 0, 2),
    domains.SequenceDomain(NAMES, 0, 1),
    domains.FunctionDomain(domains.BoolDomain(), NUMBERS),
)
FOREIGN: tuple[Any, ...] = (
    *(None, True, False, -2, -1, 0, 1, 2, 3, 1.0, 10**30, "red", "t1", "t2", "", Text("red"), b"red"),
    *(Colour.RED, Size.SMALL, Size.LARGE, (), (1,), [1], frozenset(), {1}, {}, object(), int),
    *((True,), (1.0,), (Size.SMALL,), (3,), (-2, 0), (1, "red"), (1, None), (0, 1, 2), ("red",), ("red", "t1")),
)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_it_says_what_the_domain_says(domain: Domain) -> None:
    check = argument_check("move", [("to", domain)])
    tried = [*values(domain), *FOREIGN]
    for value in tried:
        if contains(domain, value):
            check(value)
        else:
            with pytest.raises(ArgumentRefused) as caught:
                check(value)
            assert (caught.value.action, caught.value.parameter, caught.value.domain) == ("move", "to", domain)
            assert caught.value.value is value
    assert not all(contains(domain, value) for value in tried)


def test_the_first_argument_outside_is_named() -> None:
    check = argument_check("move", [("a", NUMBERS), ("b", NAMES), ("c", NUMBERS)])
    check(0, "red", 2)
    with pytest.raises(ArgumentRefused, match="move: b = "):
        check(0, "green", 7)


def test_names_of_parameters_hide_nothing() -> None:
    check = argument_check("move", [("type", NUMBERS), ("int", NUMBERS), ("contains", NAMES), ("value_0", NUMBERS)])
    check(0, 1, "red", 2)
    with pytest.raises(ArgumentRefused, match="move: contains = "):
        check(0, 1, "green", 2)
    with pytest.raises(ArgumentRefused, match="move: value_0 = 3"):
        check(0, 1, "red", 3)


def test_an_action_without_parameters_takes_none() -> None:
    check = argument_check("commit", [])
    check()
    with pytest.raises(TypeError):
        check(1)


def test_a_member_of_an_int_enum_is_no_int() -> None:
    assert contains(NUMBERS, 1)
    assert not contains(NUMBERS, Size.SMALL)
