"""Strategies for domains: every value drawn is of the domain, and every value of a small domain is drawn."""

from __future__ import annotations

import enum
from dataclasses import make_dataclass

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from protocheck.protocols.acceptance import Acceptance
from protocheck.protocols.dispatch import Dispatch
from protocheck.protocols.tree_cache import TreeCache
from protocheck.testing.strategies import from_domain, size_up_to
from protocheck.transpiler import domains, frontend
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.domains import Domain, contains, show, values
from protocheck.transpiler.instance import instantiate


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


Message = make_dataclass("Message", [("sender", int), ("urgent", bool)], frozen=True)
RECORD = domains.RecordDomain(
    types.Record(Message, (("sender", types.INT), ("urgent", types.BOOL))),
    (("sender", domains.IntDomain(1, 2)), ("urgent", domains.BoolDomain())),
)
DIGIT = domains.IntDomain(0, 2)
NOBODY = domains.ChoiceDomain((), types.STR)

SMALL: dict[str, Domain] = {
    "bool": domains.BoolDomain(),
    "int": domains.IntDomain(-2, 3),
    "choice": domains.ChoiceDomain(("a", "b"), types.STR),
    "enum": domains.ChoiceDomain(tuple(Colour), types.STR),
    "optional": domains.OptionalDomain(DIGIT),
    "set": domains.SetDomain(DIGIT),
    "set of nothing": domains.SetDomain(NOBODY),
    "tuple": domains.TupleDomain((DIGIT, domains.BoolDomain())),
    "sequence": domains.SequenceDomain(domains.BoolDomain(), 1, 2),
    "sequence of nothing": domains.SequenceDomain(NOBODY, 0, 3),
    "function": domains.FunctionDomain(domains.BoolDomain(), domains.BoolDomain()),
    "record": RECORD,
    "union": domains.UnionDomain((RECORD,)),
    "nested": domains.SetDomain(domains.TupleDomain((domains.BoolDomain(), domains.OptionalDomain(RECORD)))),
}


@pytest.mark.parametrize("domain", SMALL.values(), ids=SMALL)
def test_only_values_of_the_domain_are_drawn(domain: Domain) -> None:
    @given(from_domain(domain))
    @settings(max_examples=50)
    def drawn(value: object) -> None:
        assert contains(domain, value), show(value)
        hash(value)

    drawn()


@pytest.mark.parametrize("domain", [domain for name, domain in SMALL.items() if name != "nested"])
def test_every_value_of_a_small_domain_is_drawn(domain: Domain) -> None:
    for value in values(domain):
        found = find(
            from_domain(domain),
            lambda drawn, wanted=value: drawn == wanted and type(drawn) is type(wanted),  # type: ignore[misc]
            settings=settings(max_examples=2000, phases=[Phase.generate], suppress_health_check=list(HealthCheck)),
        )
        assert found == value


@given(st.data())
@settings(max_examples=25)
def test_parameters_of_real_protocols(data: st.DataObject) -> None:
    for protocol in (Acceptance, Dispatch, TreeCache):
        instance = instantiate(frontend.compile_protocol(protocol))
        for (action, name), domain in instance.parameters.items():
            assert contains(domain, data.draw(from_domain(domain), label=f"{action}.{name}"))


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 8, 100, 512])
@pytest.mark.parametrize("domain", SMALL.values(), ids=SMALL)
def test_values_are_counted_up_to_a_limit(domain: Domain, limit: int) -> None:
    assert size_up_to(domain, limit) == min(domains.size(domain), limit + 1)
    assert size_up_to(domain, 10**9) == len(list(values(domain)))


def test_astronomic_sizes_are_not_worked_out() -> None:
    wide = domains.SetDomain(domains.SetDomain(domains.IntDomain(0, 10**15)))
    for huge in (
        wide,
        domains.FunctionDomain(wide, wide),
        domains.SequenceDomain(wide, 0, 10**15),
        domains.SequenceDomain(domains.IntDomain(1, 1), 0, 10**15),
        domains.TupleDomain((wide, wide)),
    ):
        assert size_up_to(huge, 512) == 513
    assert size_up_to(domains.FunctionDomain(wide, domains.IntDomain(1, 1)), 512) == 1
    assert size_up_to(domains.TupleDomain((wide, NOBODY)), 512) == 0


def test_a_domain_of_any_size_can_be_drawn_from() -> None:
    huge = domains.SetDomain(domains.TupleDomain((domains.IntDomain(0, 10**6), domains.IntDomain(0, 10**6))))
    assert find(from_domain(huge), lambda value: len(value) > 1)
