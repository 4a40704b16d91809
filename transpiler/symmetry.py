"""Symmetric constants: which sets have interchangeable members, and what renaming these does to values and states.

A renaming permutes the members of each symmetric constant. States that a renaming turns into each other form an orbit,
and whatever the language can say holds in all states of an orbit or in none, since no literal names a member and no
operator orders them. A search may then visit one state of each orbit (Ip and Dill, "Better verification through
symmetry", Formal Methods in System Design 9, 1996).

Only safety is judged so. A cycle of orbits need not be a cycle of states, and fairness tells members apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from . import domains
from . import valuetypes as types
from .domains import Domain
from .instance import Instance, natural_order
from .interpreter import State
from .records import record
from .valuetypes import FrozenDict

Member = tuple[str, str]
"""A member of a symmetric constant: the name of the constant, and the member."""

Renaming = Mapping[Member, str]
"""What becomes of members; those that are not named keep their names."""


@record(frozen=True)
class SymmetricSet:
    """A symmetric constant and its members, in the order in which domains list them."""

    constant: str
    members: tuple[str, ...]


def symmetric_sets(instance: Instance) -> tuple[SymmetricSet, ...]:
    """The symmetric constants of an instance with two members or more; fewer cannot be exchanged."""
    found = (
        SymmetricSet(constant.name, tuple(sorted(instance.constants[constant.name], key=natural_order)))
        for constant in instance.protocol.constants
        if constant.symmetric
    )
    return tuple(item for item in found if len(item.members) > 1)


def count_renamings(sets: Iterable[SymmetricSet]) -> int:
    """How many renamings there are, the one that changes nothing included."""
    return math.prod(math.factorial(len(item.members)) for item in sets)


def renamings(sets: Iterable[SymmetricSet]) -> Iterator[Renaming]:
    """Every renaming once; the first changes nothing."""
    sets = tuple(sets)
    for names in itertools.product(*(itertools.permutations(item.members) for item in sets)):
        yield {
            (item.constant, old): new
            for item, chosen in zip(sets, names, strict=True)
            for old, new in zip(item.members, chosen, strict=True)
        }


def renamed(domain: Domain, value: Any, renaming: Renaming) -> Any:
    """A value of a domain (or, where only bounds are exceeded, of its type) under a renaming."""
    match domain:
        case domains.BoolDomain() | domains.IntDomain():
            return value
        case domains.ChoiceDomain(_, types.Model(constant)):
            return renaming.get((constant, value), value)
        case domains.ChoiceDomain():
            return value
        case domains.OptionalDomain(item):
            return None if value is None else renamed(item, value, renaming)
        case domains.SetDomain(element):
            return frozenset(renamed(element, member, renaming) for member in value)
        case domains.TupleDomain(items):
            return tuple(renamed(item, part, renaming) for item, part in zip(items, value, strict=True))
        case domains.SequenceDomain(element):
            return tuple(renamed(element, part, renaming) for part in value)
        case domains.FunctionDomain(key, result):
            return FrozenDict((renamed(key, k, renaming), renamed(result, v, renaming)) for k, v in value.items())
        case domains.RecordDomain(_, fields):
            return type(value)(**{name: renamed(item, getattr(value, name), renaming) for name, item in fields})
        case domains.UnionDomain(records):
            chosen = next(item for item in records if item.type.python is type(value))
            return renamed(chosen, value, renaming)
        case _:
            assert_never(domain)


def renamed_state(instance: Instance, state: State, renaming: Renaming) -> dict[str, Any]:
    """A state under a renaming."""
    return {name: renamed(domain, state[name], renaming) for name, domain in instance.variables.items()}


def orbit(instance: Instance, state: State) -> Iterator[dict[str, Any]]:
    """The states that renamings make of one: itself first, some of them several times."""
    return (renamed_state(instance, state, renaming) for renaming in renamings(symmetric_sets(instance)))


def constants_in(domain: Domain) -> frozenset[str]:
    """The symmetric constants whose members occur in the values of a domain."""
    match domain:
        case domains.BoolDomain() | domains.IntDomain():
            return frozenset()
        case domains.ChoiceDomain(members, types.Model(constant)):
            return frozenset({constant} if members else ())
        case domains.ChoiceDomain():
            return frozenset()
        case domains.OptionalDomain(item) | domains.SetDomain(item) | domains.SequenceDomain(item):
            return constants_in(item)
        case domains.TupleDomain(items):
            return frozenset[str]().union(*map(constants_in, items))
        case domains.FunctionDomain(key, value):
            return constants_in(key) | constants_in(value)
        case domains.RecordDomain(_, fields):
            return frozenset[str]().union(*(constants_in(item) for _, item in fields))
        case domains.UnionDomain(records):
            return frozenset[str]().union(*map(constants_in, records))
        case _:
            assert_never(domain)


def members_in(domain: Domain, value: Any) -> frozenset[Member]:
    """The members of symmetric constants that occur in a value of a domain."""
    match domain:
        case domains.BoolDomain() | domains.IntDomain():
            return frozenset()
        case domains.ChoiceDomain(_, types.Model(constant)):
            return frozenset({(constant, value)})
        case domains.ChoiceDomain():
            return frozenset()
        case domains.OptionalDomain(item):
            return frozenset() if value is None else members_in(item, value)
        case domains.SetDomain(element) | domains.SequenceDomain(element):
            return frozenset[Member]().union(*(members_in(element, member) for member in value))
        case domains.TupleDomain(items):
            parts = zip(items, value, strict=True)
            return frozenset[Member]().union(*(members_in(item, part) for item, part in parts))
        case domains.FunctionDomain(key, result):
            pairs = (members_in(key, k) | members_in(result, v) for k, v in value.items())
            return frozenset[Member]().union(*pairs)
        case domains.RecordDomain(_, fields):
            return frozenset[Member]().union(*(members_in(item, getattr(value, name)) for name, item in fields))
        case domains.UnionDomain(records):
            chosen = next(item for item in records if item.type.python is type(value))
            return members_in(chosen, value)
        case _:
            assert_never(domain)
