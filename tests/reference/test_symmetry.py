"""What renaming means, and a search that visits one state of each orbit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from protocheck.transpiler import domains, ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.domains import Domain
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.reference import reachable_states, reference_check
from protocheck.transpiler.symmetry import (
    constants_in,
    count_renamings,
    members_in,
    orbit,
    renamed,
    renamings,
    symmetric_sets,
)

from ..build import constant, ints, protocol, variable
from ..differential.shipped import example, variants

NODE, PAGE = types.Model("nodes"), types.Model("pages")
NODES = domains.ChoiceDomain(("n1", "n2", "n10"), NODE)
PAGES = domains.ChoiceDomain(("p1", "n1"), PAGE)


@dataclass(frozen=True)
class Hold:
    who: str
    what: str | None


@dataclass(frozen=True)
class Free:
    pass


HOLD = domains.RecordDomain(
    types.Record(Hold, (("who", NODE), ("what", types.Optional(PAGE)))),
    (("who", NODES), ("what", domains.OptionalDomain(PAGES))),
)
FREE = domains.RecordDomain(types.Record(Free, ()), ())
SWAP = {("nodes", "n1"): "n2", ("nodes", "n2"): "n1"}


@pytest.mark.parametrize(
    ("domain", "value", "expected"),
    [
        (domains.BoolDomain(), True, True),
        (domains.IntDomain(0, 3), 2, 2),
        (domains.ChoiceDomain(("n1", "n2"), types.STR), "n1", "n1"),
        (NODES, "n1", "n2"),
        (NODES, "n10", "n10"),
        (PAGES, "n1", "n1"),
        (domains.OptionalDomain(NODES), None, None),
        (domains.OptionalDomain(NODES), "n2", "n1"),
        (domains.SetDomain(NODES), frozenset({"n1", "n10"}), frozenset({"n2", "n10"})),
        (domains.TupleDomain((NODES, PAGES)), ("n1", "n1"), ("n2", "n1")),
        (domains.SequenceDomain(NODES, 0, 3), ("n1", "n1", "n2"), ("n2", "n2", "n1")),
        (
            domains.FunctionDomain(NODES, domains.IntDomain(0, 9)),
            types.FrozenDict(n1=1, n2=2, n10=3),
            types.FrozenDict(n1=2, n2=1, n10=3),
        ),
        (HOLD, Hold("n1", "n1"), Hold("n2", "n1")),
        (domains.UnionDomain((HOLD, FREE)), Free(), Free()),
        (domains.UnionDomain((HOLD, FREE)), Hold("n2", None), Hold("n1", None)),
    ],
)
def test_a_renaming_changes_members_and_nothing_else(domain: Domain, value: Any, expected: Any) -> None:
    assert renamed(domain, value, SWAP) == expected
    assert renamed(domain, expected, SWAP) == value
    assert type(renamed(domain, value, SWAP)) is type(value)


def test_members_are_told_from_strings_by_their_type() -> None:
    both = domains.TupleDomain((domains.OptionalDomain(NODES), domains.SetDomain(PAGES), domains.SetDomain(HOLD)))
    assert constants_in(both) == {"nodes", "pages"}
    assert constants_in(domains.ChoiceDomain(("n1",), types.STR)) == frozenset()
    found = members_in(both, ("n1", frozenset({"n1"}), frozenset({Hold("n2", None)})))
    assert found == {("nodes", "n1"), ("pages", "n1"), ("nodes", "n2")}


def machine(**constants: frozenset[str]) -> Instance:
    declared = [
        constant(name, members, types.Set(types.Model(name)), symmetric=True) for name, members in constants.items()
    ]
    return instantiate(protocol("Sets", *declared, variable("x", ints(0, 1), 0)))


def test_renamings_are_those_of_each_constant_by_itself() -> None:
    instance = machine(nodes=frozenset({"n10", "n1", "n2"}), pages=frozenset({"p", "n1"}), lone=frozenset({"x"}))
    sets = symmetric_sets(instance)
    assert [(item.constant, item.members) for item in sets] == [("nodes", ("n1", "n2", "n10")), ("pages", ("n1", "p"))]
    found = list(renamings(sets))
    assert len(found) == count_renamings(sets) == 12
    assert len({tuple(sorted(item.items())) for item in found}) == 12
    assert all(old == new for (_, old), new in found[0].items())
    for item in found:
        assert {new for (name, _), new in item.items() if name == "nodes"} == {"n1", "n2", "n10"}
        assert {new for (name, _), new in item.items() if name == "pages"} == {"n1", "p"}


# ------------------------------------------------------------------------------------------------ reduced searches


VARIANTS = list(variants(example("two_phase_commit").TwoPhaseCommit))


def key(instance: Instance, state: Any) -> tuple[Any, ...]:
    return tuple(state[name] for name in instance.variables)


@pytest.mark.parametrize(("count", "expected"), [(1, 12), (2, 34), (3, 80)])
def test_orbits_of_two_phase_commit(count: int, expected: int) -> None:
    """Counted three times: by a reduced search, from the whole graph, and by what a state is."""
    instance = instantiate(VARIANTS[0], {"managers": frozenset(f"rm{number}" for number in range(1, count + 1))})
    found = reference_check(instance, symmetry=True)
    assert (found.status, found.distinct) == ("holds", expected)
    states = reachable_states(instance, 10_000)
    orbits = {frozenset(key(instance, other) for other in orbit(instance, state)) for state in states}
    assert len(orbits) == expected
    # A state of this protocol is what each manager is up to, whoever it is, and what was decided.
    multisets = set()
    for state in states:
        sent = {message.manager for message in state["messages"] if hasattr(message, "manager")}
        each = [
            (state["states"][name], name in state["known_prepared"], name in sent)
            for name in instance.constants["managers"]
        ]
        multisets.add((tuple(sorted(each)), state["decision"], len(state["messages"]) - len(sent)))
    assert len(multisets) == expected


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda protocol: str(protocol.dropped))
def test_a_reduced_search_finds_what_a_whole_one_finds(variant: ir.Protocol) -> None:
    instance = instantiate(variant, {"managers": frozenset({"rm1", "rm2"})})
    whole, found = reference_check(instance), reference_check(instance, symmetry=True)
    assert (found.status, found.violated, len(found.trace)) == (whole.status, whole.violated, len(whole.trace))
    assert found.depth == whole.depth
    assert found.reached == whole.reached
    if whole.status == "holds":
        assert found.distinct < whole.distinct
