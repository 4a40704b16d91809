"""Layouts: equal values have equal codes and the other way round, and ranks are the bits of sets."""

from __future__ import annotations

from typing import Any

import pytest

from protocheck.transpiler import domains
from protocheck.transpiler.packing import layouts

from ..random_expressions import COLOR, MARK, POINT, Color, Mark, Point

BIT, SMALL, AROUND = domains.BoolDomain(), domains.IntDomain(1, 3), domains.IntDomain(-2, 2)
COLORS = domains.ChoiceDomain((Color.RED, Color.GREEN), COLOR)
POINTS = domains.RecordDomain(POINT, (("x", SMALL), ("on", BIT)))
MARKS = domains.RecordDomain(MARK, (("x", AROUND),))
EITHER = domains.UnionDomain((POINTS, MARKS))

DOMAINS: list[domains.Domain] = [
    BIT,
    SMALL,
    AROUND,
    domains.IntDomain(1000, 1003),
    domains.IntDomain(4, 4),
    COLORS,
    domains.OptionalDomain(SMALL),
    domains.OptionalDomain(EITHER),
    domains.SetDomain(SMALL),
    domains.SetDomain(COLORS),
    domains.SetDomain(EITHER),
    domains.SetDomain(domains.OptionalDomain(POINTS)),
    domains.SetDomain(domains.TupleDomain((COLORS, BIT))),
    domains.SetDomain(domains.SetDomain(SMALL)),
    domains.SetDomain(domains.SequenceDomain(BIT, 0, 2)),
    domains.SetDomain(domains.FunctionDomain(COLORS, BIT)),
    domains.TupleDomain((SMALL, COLORS, AROUND)),
    domains.SequenceDomain(AROUND, 0, 3),
    domains.SequenceDomain(domains.IntDomain(7, 7), 1, 3),
    domains.SequenceDomain(domains.SetDomain(BIT), 2, 2),
    domains.FunctionDomain(SMALL, COLORS),
    domains.FunctionDomain(domains.TupleDomain((BIT, COLORS)), BIT),
    domains.FunctionDomain(domains.SetDomain(BIT), SMALL),
    POINTS,
    EITHER,
]

LARGE: list[tuple[domains.Domain, Any]] = [
    (domains.SetDomain(domains.IntDomain(0, 10**6)), frozenset({0, 999_999})),
    (domains.SetDomain(domains.SetDomain(domains.IntDomain(0, 20))), frozenset({frozenset({3})})),
    (domains.OptionalDomain(domains.SetDomain(domains.IntDomain(0, 10**6))), frozenset({5})),
    (domains.FunctionDomain(domains.IntDomain(0, 10**5), BIT), None),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_codes_and_ranks_are_one_to_one(domain: domains.Domain) -> None:
    layout = layouts.layout_of(domain, {})
    members = list(domains.values(domain))
    codes = [layouts.encode(layout, member) for member in members]
    assert len(set(codes)) == len(members)
    assert all(0 <= code < 1 << layout.bits and code < layouts.span(layout) for code in codes)
    decoded = [layouts.decode(layout, code) for code in codes]
    assert decoded == members
    assert [type(value) for value in decoded] == [type(member) for member in members]
    ranks = [layouts.rank_of(layout, member) for member in members]
    assert len(set(ranks)) == len(members)
    assert all(0 <= rank < layout.ranks for rank in ranks)
    assert [layouts.of_rank(layout, rank) for rank in ranks] == members
    assert layouts.domain_of(layout) == domain
    assert list(layouts.values(layout)) == members


@pytest.mark.parametrize(("domain", "member"), LARGE, ids=lambda item: str(item)[:40])
def test_what_is_too_large_is_numbered(domain: domains.Domain, member: Any) -> None:
    interned: dict[domains.Domain, layouts.InternedLayout] = {}
    layout = layouts.layout_of(domain, interned)
    again = layouts.layout_of(domain, interned)
    value = next(iter(domains.values(domain))) if member is None else member
    assert layouts.decode(again, layouts.encode(layout, value)) == value
    assert layouts.encode(layout, value) == layouts.encode(again, value)


@pytest.mark.parametrize(
    ("domain", "stranger"),
    [
        (BIT, 1),
        (SMALL, True),
        (SMALL, 4),
        (SMALL, None),
        (COLORS, "RED"),
        (domains.OptionalDomain(SMALL), 0),
        (domains.SetDomain(SMALL), frozenset({1, 9})),
        (domains.SetDomain(SMALL), (1,)),
        (domains.TupleDomain((SMALL, BIT)), (1,)),
        (domains.SequenceDomain(SMALL, 1, 2), ()),
        (domains.FunctionDomain(SMALL, BIT), {1: True}),
        (POINTS, Mark(1)),
        (EITHER, Point(9, True)),
        (domains.SetDomain(domains.IntDomain(0, 10**6)), frozenset({-1})),
    ],
    ids=str,
)
def test_other_values_have_no_code(domain: domains.Domain, stranger: Any) -> None:
    with pytest.raises(layouts.OutsideError):
        layouts.encode(layouts.layout_of(domain, {}), stranger)


def test_most_int_domains_share_their_codes() -> None:
    one, other = layouts.int_layout(0, 4), layouts.int_layout(1, 4)
    assert layouts.encode(one, 3) == layouts.encode(other, 3) == 3
    assert layouts.SetLayout(other).full == 0b11110
