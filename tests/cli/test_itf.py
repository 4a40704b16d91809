"""Values in the Informal Trace Format: written in a fixed order, read back as they were."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocheck.toolchain.itf import ItfError, Names, decode, decode_untyped, encode
from protocheck.transpiler import domains
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.domains import Domain, show
from protocheck.transpiler.valuetypes import FrozenDict


class Phase(enum.Enum):
    IDLE = 1
    BUSY = 2


@dataclass(frozen=True)
class Slot:
    owner: str | None
    count: int


@dataclass(frozen=True)
class Empty:
    pass


BIT = domains.BoolDomain()
SMALL = domains.IntDomain(0, 12)
HUGE = domains.IntDomain(-(2**70), 2**70)
NAMES = domains.ChoiceDomain(("a", "b.c", "#set", ""), types.STR)
PHASES = domains.ChoiceDomain(tuple(Phase), types.Enumeration(Phase))
SLOT = domains.RecordDomain(
    types.Record(Slot, (("owner", types.Optional(types.STR)), ("count", types.INT))),
    (("owner", domains.OptionalDomain(NAMES)), ("count", SMALL)),
)
EMPTY = domains.RecordDomain(types.Record(Empty, ()), ())

CASES: list[tuple[Domain, Any, Any]] = [
    (BIT, True, True),
    (SMALL, 3, 3),
    (HUGE, 2**53 - 1, 9007199254740991),
    (HUGE, 2**53, {"#bigint": "9007199254740992"}),
    (HUGE, -(2**60), {"#bigint": "-1152921504606846976"}),
    (NAMES, "a", "a"),
    (PHASES, Phase.BUSY, "Phase.BUSY"),
    (domains.OptionalDomain(SMALL), None, None),
    (domains.OptionalDomain(SMALL), 4, 4),
    (domains.SetDomain(SMALL), frozenset({10, 2, 1}), {"#set": [1, 2, 10]}),
    (domains.TupleDomain((SMALL, NAMES)), (1, "a"), {"#tup": [1, "a"]}),
    (domains.SequenceDomain(SMALL, 0, 3), (1, 2), [1, 2]),
    (domains.SequenceDomain(SMALL, 0, 3), (), []),
    (domains.FunctionDomain(NAMES, SMALL), FrozenDict({"a": 1, "": 2, "b.c": 0, "#set": 4}), None),
    (SLOT, Slot("a", 2), {"owner": "a", "count": 2}),
    (domains.UnionDomain((SLOT, EMPTY)), Slot(None, 2), {"tag": "Slot", "value": {"owner": None, "count": 2}}),
    (domains.UnionDomain((SLOT, EMPTY)), Empty(), {"tag": "Empty", "value": {}}),
    (domains.SetDomain(domains.UnionDomain((EMPTY,))), frozenset({Empty()}), {"#set": [{"tag": "Empty", "value": {}}]}),
]


@pytest.mark.parametrize(("domain", "value", "data"), CASES)
def test_a_value_is_written_and_read(domain: Domain, value: Any, data: Any) -> None:
    written = encode(value, domain)
    if data is not None:
        assert written == data
        assert type(written) is type(data)
    assert decode(json.loads(json.dumps(written)), domain) == value


def test_functions_are_written_in_the_order_of_their_keys() -> None:
    assert encode(FrozenDict({10: "x", 9: "y"})) == {"#map": [[9, "y"], [10, "x"]]}


def any_domain() -> st.SearchStrategy[Domain]:
    leaves: st.SearchStrategy[Any] = st.sampled_from([BIT, SMALL, HUGE, NAMES, PHASES])

    def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        records = st.tuples(inner, inner).map(
            lambda pair: domains.RecordDomain(
                types.Record(Slot, (("owner", types.STR), ("count", types.INT))),
                (("owner", pair[0]), ("count", pair[1])),
            )
        )
        return st.one_of(
            st.builds(domains.SetDomain, inner),
            st.builds(lambda item: domains.OptionalDomain(item), inner),
            st.builds(domains.SequenceDomain, inner, st.just(0), st.just(3)),
            st.builds(lambda a, b: domains.TupleDomain((a, b)), inner, inner),
            st.builds(domains.FunctionDomain, st.sampled_from([BIT, PHASES]), inner),
            records,
            records.map(lambda record: domains.UnionDomain((record, EMPTY))),
        )

    return st.recursive(leaves, nest, max_leaves=4)


def a_value(domain: Domain) -> st.SearchStrategy[Any]:
    """A value of a domain, without listing the domain."""
    match domain:
        case domains.IntDomain(low, high):
            return st.integers(low, high)
        case domains.BoolDomain():
            return st.booleans()
        case domains.ChoiceDomain(members):
            return st.sampled_from(members)
        case domains.OptionalDomain(item):
            return st.none() | a_value(item)
        case domains.SetDomain(element):
            return st.frozensets(a_value(element), max_size=3)
        case domains.SequenceDomain(element):
            return st.lists(a_value(element), max_size=3).map(tuple)
        case domains.TupleDomain(items):
            return st.tuples(*map(a_value, items))
        case domains.FunctionDomain(key, value):
            keys = list(domains.values(key))
            return st.tuples(*(a_value(value) for _ in keys)).map(
                lambda chosen: FrozenDict(zip(keys, chosen, strict=True))
            )
        case domains.RecordDomain(record, fields):
            return st.builds(record.python, **{name: a_value(field) for name, field in fields})
        case domains.UnionDomain(alternatives):
            return st.one_of(*map(a_value, alternatives))


@given(st.data())
def test_every_value_survives_the_way_through_json(data: st.DataObject) -> None:
    domain = data.draw(any_domain())
    value = data.draw(a_value(domain))
    text = json.dumps(encode(value, domain))
    assert decode(json.loads(text), domain) == value
    assert text == json.dumps(encode(decode(json.loads(text), domain), domain))


@given(st.data())
def test_without_its_domain_a_value_still_looks_the_same(data: st.DataObject) -> None:
    domain = data.draw(any_domain())
    value = data.draw(a_value(domain))
    read = decode_untyped(
        json.loads(json.dumps(encode(value, domain))), Names(frozenset({"Phase"}), {("owner", "count"): "Slot"})
    )
    assert show(read) == show(value)


@pytest.mark.parametrize(
    ("domain", "data"),
    [
        (BIT, 1),
        (SMALL, True),
        (SMALL, 13),
        (SMALL, 1.0),
        (SMALL, "1"),
        (NAMES, "z"),
        (PHASES, "IDLE"),
        (domains.SetDomain(SMALL), [1]),
        (domains.SequenceDomain(SMALL, 0, 1), [1, 2]),
        (domains.TupleDomain((SMALL,)), {"#tup": [1, 2]}),
        (domains.FunctionDomain(BIT, SMALL), {"#map": [[True, 1]]}),
        (domains.FunctionDomain(BIT, SMALL), {"#map": [[True, 1], [False, 1], [True, 0]]}),
        (domains.FunctionDomain(BIT, SMALL), {"#map": [1]}),
        (domains.FunctionDomain(BIT, SMALL), {"#map": [[True, 1], [False]]}),
        (SLOT, {"owner": None}),
        (domains.UnionDomain((EMPTY,)), {"tag": "Slot", "value": {}}),
        (domains.UnionDomain((EMPTY,)), {}),
    ],
)
def test_what_is_no_value_of_the_domain_is_refused(domain: Domain, data: Any) -> None:
    with pytest.raises(ItfError):
        decode(data, domain)


@pytest.mark.parametrize(
    "data",
    [
        *(1.5, {"#strange": 1}, {"#bigint": 5}, {"#set": 3}, {"#map": 3}, {"#map": [1]}, {"#map": ["ab"]}),
        *({"#map": [[0]]}, {"#map": [[0, 1, 2]]}, {"#map": [[0, 0], [0, 1]]}, {"#map": [[[0], 1], [[0], 1]]}),
    ],
)
def test_what_is_no_value_at_all_is_refused(data: Any) -> None:
    with pytest.raises(ItfError):
        decode_untyped(data)


def test_a_value_outside_its_domain_is_written_by_its_own_shape() -> None:
    assert encode(5, SMALL) == 5
    assert encode((1, 2, 3), domains.SequenceDomain(SMALL, 0, 2)) == [1, 2, 3]
    assert encode((1,), domains.TupleDomain((SMALL, SMALL))) == {"#tup": [1]}
    assert encode("a", SMALL) == "a"
