"""Representatives of packed states: one for each orbit, whatever the state is made of."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocheck.transpiler import domains
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.domains import Domain
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import Instance, instantiate
from protocheck.transpiler.packing import layouts, low
from protocheck.transpiler.packing.builder import Builder
from protocheck.transpiler.packing.program import compile_program
from protocheck.transpiler.packing.reduction import (
    MOST_ORDERS,
    Orders,
    Reduction,
    TooManyOrders,
    exchange_lines,
    network,
    orders,
    orders_text,
    plain_changes,
    reduction_of,
    representative_lines,
)
from protocheck.transpiler.packing.steps import Frame
from protocheck.transpiler.symmetry import orbit, renamed_state, renamings, symmetric_sets

from .. import symmetric
from ..build import constant, protocol

NODE, PAGE = types.Model("nodes"), types.Model("pages")


@dataclass(frozen=True)
class Vote:
    by: str
    for_whom: str | None


@dataclass(frozen=True)
class Read:
    page: str
    dirty: bool


@dataclass(frozen=True)
class Stop:
    pass


VOTE = types.Record(Vote, (("by", NODE), ("for_whom", types.Optional(NODE))))
READ = types.Record(Read, (("page", PAGE), ("dirty", types.BOOL)))
BIT, SMALL = domains.BoolDomain(), domains.IntDomain(0, 2)


def choice(kind: types.Model, *members: str) -> domains.ChoiceDomain:
    return domains.ChoiceDomain(members, kind)


N3 = choice(NODE, "n1", "n2", "n3")
P2 = choice(PAGE, "p1", "p2")
VOTES = domains.RecordDomain(VOTE, (("by", N3), ("for_whom", domains.OptionalDomain(N3))))
READS = domains.RecordDomain(READ, (("page", P2), ("dirty", BIT)))
STOPS = domains.RecordDomain(types.Record(Stop, ()), ())

ALONE: list[Domain] = [
    N3,
    domains.OptionalDomain(N3),
    domains.SetDomain(N3),
    domains.SetDomain(domains.OptionalDomain(N3)),
    domains.SetDomain(domains.TupleDomain((SMALL, N3))),
    domains.FunctionDomain(N3, SMALL),
    domains.FunctionDomain(N3, domains.SetDomain(BIT)),
    domains.FunctionDomain(domains.TupleDomain((N3, BIT)), BIT),
    domains.FunctionDomain(BIT, domains.OptionalDomain(N3)),
    domains.SequenceDomain(N3, 0, 3),
    domains.SequenceDomain(domains.TupleDomain((BIT, N3)), 1, 2),
    domains.OptionalDomain(domains.TupleDomain((N3, SMALL))),
    domains.OptionalDomain(domains.SetDomain(N3)),
    domains.OptionalDomain(domains.SequenceDomain(N3, 0, 2)),
    domains.TupleDomain((N3, P2, SMALL)),
    READS,
    domains.SequenceDomain(domains.UnionDomain((READS, STOPS)), 0, 2),
]
"""Each says what it says of one member at a time."""

RELATED: list[Domain] = [
    domains.FunctionDomain(N3, N3),
    domains.FunctionDomain(N3, domains.OptionalDomain(N3)),
    domains.FunctionDomain(N3, domains.SetDomain(N3)),
    domains.FunctionDomain(domains.SetDomain(N3), SMALL),
    domains.FunctionDomain(N3, P2),
    domains.FunctionDomain(N3, domains.SequenceDomain(P2, 0, 2)),
    domains.SetDomain(domains.TupleDomain((N3, N3))),
    domains.SetDomain(domains.SetDomain(N3)),
    domains.SetDomain(domains.TupleDomain((N3, P2))),
    domains.SetDomain(VOTES),
    domains.SequenceDomain(domains.SetDomain(domains.TupleDomain((N3, N3))), 0, 1),
    domains.OptionalDomain(domains.FunctionDomain(N3, domains.OptionalDomain(N3))),
    domains.SetDomain(domains.SetDomain(domains.SetDomain(N3))),
]
"""Each relates members with each other, or with members of another constant."""

SETS = {"nodes": frozenset({"n1", "n2", "n3"}), "pages": frozenset({"p1", "p2"})}


@dataclass
class Reduced:
    """A made-up state of some domains, and how it is reduced."""

    instance: Instance
    frame: Frame
    reduction: Reduction
    representative: Callable[[int], int]
    module: dict[str, Any]

    def word(self, state: Mapping[str, Any]) -> int:
        parts = self.frame.layouts.items()
        return sum(layouts.encode(layout, state[name]) << self.frame.offsets[name] for name, layout in parts)

    def state(self, word: int) -> dict[str, Any]:
        return {
            name: layouts.decode(layout, word >> self.frame.offsets[name] & (1 << layout.bits) - 1)
            for name, layout in self.frame.layouts.items()
        }

    def value(self, node: low.Low, word: int) -> int:
        """What an expression over the state word is."""
        from protocheck.transpiler.packing.render import Writer

        return int(eval(Writer().value(node), self.module, {"s": word}))


def reduced(chosen: list[Domain], constants: Mapping[str, frozenset[str]] = SETS) -> Reduced:
    variables = {f"v{place}": domain for place, domain in enumerate(chosen)}
    declared = [
        constant(name, members, types.Set(types.Model(name)), symmetric=True) for name, members in constants.items()
    ]
    machine = protocol("Made", *declared)
    instance = Instance(machine, constants, variables, {})
    builder = Builder(instance)
    found, offsets, width = {}, {}, 0
    for name, domain in variables.items():
        found[name], offsets[name] = layouts.layout_of(domain, builder.interned), width
        width += found[name].bits
    frame = Frame(low.Name("s", 0, (1 << width) - 1), offsets, found, width)
    reduction = reduction_of(instance, frame, builder)
    assert reduction is not None
    functions = [("representative", representative_lines(reduction, "ORDERS"))]
    functions += [(name, [f"return {word}"]) for name, word in exchange_lines(reduction)]
    text = "\n".join(f"def {name}(s):\n" + "\n".join(f"    {line}" for line in lines) for name, lines in functions)
    module: dict[str, Any] = {"Orders": Orders, **builder.globals}
    exec(f"{text}\nORDERS = {orders_text(reduction, 'Orders')}", module)
    return Reduced(instance, frame, reduction, module["representative"], module)


def sample(domain: Domain, dice: random.Random) -> Any:
    """A value of a domain."""
    match domain:
        case domains.SetDomain(element):
            return frozenset(sample(element, dice) for _ in range(dice.randrange(4)))
        case domains.OptionalDomain(item):
            return None if dice.random() < 0.3 else sample(item, dice)
        case domains.TupleDomain(items):
            return tuple(sample(item, dice) for item in items)
        case domains.SequenceDomain(element, least, most):
            return tuple(sample(element, dice) for _ in range(dice.randint(least, most)))
        case domains.FunctionDomain(key, value):
            return types.FrozenDict((each, sample(value, dice)) for each in domains.values(key))
        case domains.RecordDomain(kind, fields):
            return kind.python(**{name: sample(item, dice) for name, item in fields})
        case domains.UnionDomain(records):
            return sample(dice.choice(records), dice)
        case _:
            return dice.choice(list(domains.values(domain)))


def judge(made: Reduced, state: Mapping[str, Any]) -> None:
    """All states of an orbit have one representative, which is one of them; swaps and columns mean what they say."""
    word = made.word(state)
    members = [made.word(other) for other in orbit(made.instance, state)]
    assert members[0] == word
    found = {made.representative(member) for member in members}
    assert len(found) == 1
    assert found <= set(members)
    assert made.representative(*found) in found
    for item in made.reduction.sets:
        names = item.members.members
        columns = [made.value(column, word) for column in item.columns]
        assert all(0 <= column < 1 << item.column_bits for column in columns)
        for place, swap in enumerate(item.swaps):
            constant, one, other = item.members.constant, names[place], names[place + 1]
            exchanged = renamed_state(made.instance, state, {(constant, one): other, (constant, other): one})
            after = made.value(swap.word, word)
            assert made.state(after) == exchanged
            assert _changed(made, word, swap.changes) == after
            expected = [*columns]
            expected[place], expected[place + 1] = columns[place + 1], columns[place]
            assert [made.value(column, after) for column in item.columns] == expected
            for beside in made.reduction.sets:
                if beside is not item:
                    assert [made.value(column, after) for column in beside.columns] == [
                        made.value(column, word) for column in beside.columns
                    ]


def _changed(made: Reduced, word: int, changes: Any) -> int:
    """The word with fields replaced, as a backend with several words a state does it."""
    after = word
    for change in changes:
        mask = ((1 << change.width) - 1) << change.offset
        after = after & ~mask | made.value(change.code, word) << change.offset
    return after


@pytest.mark.parametrize("domain", [*ALONE, *RELATED], ids=str)
def test_one_representative_for_each_orbit(domain: Domain) -> None:
    made = reduced([domain, domains.SetDomain(P2)])
    dice = random.Random(str(domain))
    for _ in range(25):
        judge(made, {"v0": sample(domain, dice), "v1": sample(domains.SetDomain(P2), dice)})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*ALONE, *RELATED]), min_size=1, max_size=4), st.integers(0, 2**32))
def test_one_representative_whatever_stands_side_by_side(chosen: list[Domain], seed: int) -> None:
    made = reduced(chosen)
    dice = random.Random(seed)
    for _ in range(3):
        judge(made, {f"v{place}": sample(domain, dice) for place, domain in enumerate(chosen)})


@pytest.mark.parametrize("domain", ALONE, ids=str)
def test_what_is_about_single_members_is_sorted_only(domain: Domain) -> None:
    assert reduced([domain]).reduction.related == ()


@pytest.mark.parametrize("domain", RELATED, ids=str)
def test_what_relates_members_is_tried_in_every_order(domain: Domain) -> None:
    assert reduced([domain]).reduction.related


def test_what_is_generated(golden: Callable[[str, str], None]) -> None:
    """The code that finds a representative, for what is about members alone and for what relates them."""
    texts = []
    for cls in (symmetric.LockServer, symmetric.Election):
        text = compile_program(instantiate(compile_protocol(cls)), symmetry=True).text
        texts.append(text[: text.index("def initial")].strip())
    golden("representatives.txt", "\n\n\n".join(texts) + "\n")


def test_numbers_tell_related_members_apart() -> None:
    """Who is voted for and who votes for himself, who holds how many pages: few orders are left to be tried."""
    votes = domains.FunctionDomain(N3, domains.OptionalDomain(N3))
    holds = domains.FunctionDomain(N3, domains.SetDomain(P2))
    asked = domains.SetDomain(domains.TupleDomain((N3, N3)))
    cases: list[tuple[Domain, Any, list[int]]] = [
        (votes, types.FrozenDict(n1="n2", n2=None, n3="n2"), [0, 1, 0]),
        (votes, types.FrozenDict(n1="n2", n2=None, n3="n3"), [0, 1, 2]),
        (votes, types.FrozenDict(n1="n2", n2="n3", n3="n1"), [0, 0, 0]),
        (holds, types.FrozenDict(n1=frozenset({"p1"}), n2=frozenset({"p2"}), n3=frozenset()), [0, 0, 1]),
        (asked, frozenset({("n1", "n2"), ("n1", "n3")}), [0, 1, 1]),
        (asked, frozenset({("n1", "n1"), ("n2", "n3")}), [0, 1, 2]),
    ]
    for domain, value, classes in cases:
        made = reduced([domain])
        item = next(item for item in made.reduction.sets if item.members.constant == "nodes")
        columns = [made.value(column, made.word({"v0": value})) for column in item.columns]
        assert [columns.index(column) for column in columns] == [classes.index(each) for each in classes], value


def test_states_of_different_orbits_have_different_representatives() -> None:
    domain = domains.FunctionDomain(N3, domains.OptionalDomain(N3))
    made = reduced([domain], {"nodes": SETS["nodes"]})
    states = [{"v0": value} for value in domains.values(domain)]
    orbits = {frozenset(made.word(other) for other in orbit(made.instance, state)) for state in states}
    assert len({made.representative(made.word(state)) for state in states}) == len(orbits)
    # Functions from three things to these three or nothing, up to renaming: partial endofunctions, OEIS A126285.
    assert len(orbits) == 16


@pytest.mark.parametrize("count", range(1, 7))
def test_plain_changes_lead_through_every_order_once(count: int) -> None:
    order = list(range(count))
    seen = [tuple(order)]
    for place in plain_changes(count):
        order[place], order[place + 1] = order[place + 1], order[place]
        seen.append(tuple(order))
    assert len(seen) == len(set(seen)) == math.factorial(count)


@pytest.mark.parametrize("ties", range(32))
def test_orders_lead_through_everything_that_is_tied(ties: int) -> None:
    order = list(range(6))
    seen = [tuple(order)]
    for place in orders(ties):
        assert ties >> place & 1
        order[place], order[place + 1] = order[place + 1], order[place]
        seen.append(tuple(order))
    runs = [len(list(run)) + 1 for tied, run in itertools.groupby(range(5), lambda bit: ties >> bit & 1) if tied]
    assert len(seen) == len(set(seen)) == math.prod(map(math.factorial, runs))


@pytest.mark.parametrize("count", range(1, 7))
def test_the_network_sorts(count: int) -> None:
    for order in itertools.product(range(2), repeat=count):  # by the 0-1 principle (Knuth, TAOCP 3, 5.3.4)
        items = list(order)
        for place in network(count):
            if items[place] > items[place + 1]:
                items[place], items[place + 1] = items[place + 1], items[place]
        assert items == sorted(order)


def test_a_relation_of_too_many_is_refused() -> None:
    names = tuple(f"n{number}" for number in range(1, 10))
    many = choice(NODE, *names)
    with pytest.raises(TooManyOrders, match=rf"nodes .* 362,880 ways .* {MOST_ORDERS:,}"):
        reduced([domains.FunctionDomain(many, domains.OptionalDomain(many))], {"nodes": frozenset(names)})
    made = reduced([domains.FunctionDomain(many, SMALL)], {"nodes": frozenset(names)})
    states = itertools.islice(itertools.product(range(3), repeat=9), 0, None, 997)
    words = [made.word({"v0": types.FrozenDict(zip(names, values, strict=True))}) for values in states]
    for word in words:
        values = sorted(made.state(word)["v0"].values())
        assert list(made.state(made.representative(word))["v0"].values()) == values


def test_one_member_cannot_be_exchanged() -> None:
    variables = {"v0": choice(NODE, "n1")}
    declared = [constant("nodes", frozenset({"n1"}), types.Set(NODE), symmetric=True)]
    machine = protocol("Made", *declared)
    instance = Instance(machine, {"nodes": frozenset({"n1"})}, variables, {})
    assert symmetric_sets(instance) == ()
    assert list(renamings(())) == [{}]
    assert reduction_of(instance, Frame(low.Name("s"), {"v0": 0}, {}, 0), Builder(instance)) is None
