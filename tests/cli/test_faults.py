"""A violation of `well_defined` says where there was no value, in which step or property, and why."""

from __future__ import annotations

import re
from typing import Annotated, Self

import pytest

from protocheck import Between, MaxLen, Protocol, action, guard, init, invariant, leads_to, transition_invariant
from protocheck.toolchain.counterexample import counter_example
from protocheck.toolchain.explorer import ExplorerEngine
from protocheck.toolchain.report import Verdict
from protocheck.toolchain.results import CheckJob
from protocheck.transpiler.frontend import compile_protocol
from protocheck.transpiler.instance import instantiate
from protocheck.transpiler.mutation import drop_guard

Small = Annotated[int, Between(0, 2)]


class Queue(Protocol):
    items: Annotated[tuple[Small, ...], MaxLen(1)] = ()

    @action
    def pop(self) -> None:
        guard(some=len(self.items) > 0)
        self.items = (self.items[0] - 1,)[:0]


class Asserting(Protocol):
    n: Small = 0

    @action
    def step(self, to: Small) -> None:
        assert to + self.n < 3
        self.n = to


class Choosing(Protocol):
    n: Small

    @init
    def choose(self, a: Small, b: Small) -> None:
        self.n = a // b

    @action
    def stay(self) -> None:
        pass


class Judging(Protocol):
    n: Small = 1

    @action
    def step(self, to: Small) -> None:
        self.n = to

    @invariant
    def divides(self) -> bool:
        return 4 % self.n < 9


class Stepping(Protocol):
    n: Small = 2

    @action
    def step(self, to: Small) -> None:
        self.n = to

    @transition_invariant
    def divides(self, after: Self) -> bool:
        return 4 // (after.n + self.n - 2) < 9


class Leading(Protocol):
    n: Small = 0

    @action
    def stay(self) -> None:
        pass

    @leads_to("unset")
    def divides(self) -> bool:
        return self.n == 0

    @invariant
    def unset(self) -> bool:
        return min(x for x in range(self.n)) == 0


@pytest.mark.parametrize(
    ("cls", "dropped", "expected"),
    [
        (Queue, "pop.some", r"in pop\(\), .*test_faults\.py:28: index 0 of a sequence of length 0"),
        (Asserting, None, r"in step\(to=2\), .*test_faults\.py:36: the assertion is false"),
        (Choosing, None, r"in init\(a=0, b=0\), .*test_faults\.py:45: division by zero"),
        (Judging, None, r"in divides, .*test_faults\.py:61: division by zero"),
        (Stepping, None, r"in divides after step\(to=0\), .*test_faults\.py:73: division by zero"),
        (Leading, None, r"in divides, .*test_faults\.py:89: min of nothing"),
    ],
    ids=lambda item: item.__name__ if isinstance(item, type) else "",
)
def test_the_fault_is_named(cls: type[Protocol], dropped: str | None, expected: str) -> None:
    protocol = compile_protocol(cls)
    instance = instantiate(protocol if dropped is None else drop_guard(protocol, dropped))
    answer = ExplorerEngine().check(CheckJob(instance, frozenset({"well_defined"})))
    assert answer.violated == "well_defined"
    example = counter_example(instance, Verdict("violated", answer, (answer,)))
    assert example is not None
    assert re.fullmatch(expected, example.detail), example.detail
