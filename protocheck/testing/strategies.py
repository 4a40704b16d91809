"""Hypothesis strategies for the values of a domain; simple values are what shrinking leads to."""

from __future__ import annotations

from typing import Any, assert_never

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..transpiler import domains
from ..transpiler.domains import Domain
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
            if domains_empty(element):
                return st.just(frozenset())
            return st.frozensets(from_domain(element))
        case domains.TupleDomain(items):
            return st.tuples(*map(from_domain, items))
        case domains.SequenceDomain(element, low, high):
            least = max(low, 0)
            if domains_empty(element):
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


def domains_empty(domain: Domain) -> bool:
    """Whether a domain has no value."""
    return next(domains.values(domain), None) is None and domains.size(domain) == 0
