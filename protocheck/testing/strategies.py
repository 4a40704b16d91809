"""Domains for Hypothesis: strategies for their values, simple ones first, and how many there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..transpiler import domains
from ..transpiler.domains import Domain
from ..transpiler.instance import is_empty
from ..transpiler.valuetypes import FrozenDict


def from_domain(domain: Domain) -> SearchStrategy[Any]:
    """Every value of a domain, however large the domain is; canonical values, sets frozen and functions hashable."""
    match domain:
        case domains.BoolDomain():
            return st.booleans()
        case domains.IntDomain(low, high):
            return st.integers(low, high)
        case domains.ChoiceDomain(members):
            return st.sampled_from(members)
        case domains.OptionalDomain(item):
            return st.none() | from_domain(item)
        case domains.SetDomain(element):
            if is_empty(element):
                return st.just(frozenset())
            return st.frozensets(from_domain(element))
        case domains.TupleDomain(items):
            return st.tuples(*map(from_domain, items))
        case domains.SequenceDomain(element, low, high):
            least = max(low, 0)
            if is_empty(element):
                return st.just(())
            return st.lists(from_domain(element), min_size=least, max_size=high).map(tuple)
        case domains.FunctionDomain(key, value):
            keys = tuple(domains.values(key))
            return st.tuples(*(from_domain(value) for _ in keys)).map(
                lambda chosen: FrozenDict(zip(keys, chosen, strict=True))
            )
        case domains.RecordDomain(record, fields):
            return st.builds(record.python, **{name: from_domain(inner) for name, inner in fields})
        case domains.UnionDomain(alternatives):
            return st.one_of(*map(from_domain, alternatives))
        case _:
            assert_never(domain)


def size_up_to(domain: Domain, limit: int) -> int:
    """The number of values in a domain, or `limit + 1` where there are more; never works with astronomic numbers."""

    def count(inner: Domain) -> int:
        return size_up_to(inner, limit)

    match domain:
        case domains.BoolDomain() | domains.IntDomain() | domains.ChoiceDomain():
            found = domains.size(domain)
        case domains.OptionalDomain(item):
            found = 1 + count(item)
        case domains.SetDomain(element):
            found = _power(2, count(element), limit)
        case domains.TupleDomain(items):
            found = _product(map(count, items), limit)
        case domains.SequenceDomain(element, low, high):
            # Of one value there is one sequence of each length; of several, soon too many.
            lengths = range(max(low, 0), min(high, max(low, 0) + limit) + 1)
            found = sum(_power(count(element), length, limit) for length in lengths)
        case domains.FunctionDomain(key, value):
            found = _power(count(value), count(key), limit)
        case domains.RecordDomain(_, fields):
            found = _product((count(inner) for _, inner in fields), limit)
        case domains.UnionDomain(alternatives):
            found = sum(map(count, alternatives))
        case _:
            assert_never(domain)
    return min(found, limit + 1)


def _power(base: int, exponent: int, limit: int) -> int:
    # Beyond its number of bits, any power of two or more is over the limit.
    return int(base ** min(exponent, limit.bit_length() + 1)) if base > 1 else base**exponent


def _product(sizes: Iterable[int], limit: int) -> int:
    found = 1
    for each in sizes:
        if each == 0:
            return 0
        found = min(found * each, limit + 1)
    return found
