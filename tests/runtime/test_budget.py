"""The adaptive budget against simulated drafters, whose acceptance and costs are known."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from protocheck.runtime.budget import AdaptiveBudget, Budget, CostCurve, FixedBudget

# Milliseconds of a verification by nodes besides the root, as measured on two cores for a model of 68 M.
MEASURED = ((0, 17.9), (8, 29.0), (16, 35.0), (32, 44.0), (64, 64.0))
PLAIN = MEASURED[0][1]

DRAFTING: dict[str, Callable[[int], float]] = {
    "lookup": lambda nodes: 0.05,
    "block": lambda nodes: 6.0,
    "autoregressive": lambda nodes: 3.5 * nodes,
}


def verification(nodes: int) -> float:
    for (left, low), (right, high) in itertools.pairwise(MEASURED):
        if nodes <= right:
            return low + (high - low) * (nodes - left) / (right - left)
    raise AssertionError(nodes)


def simulate(
    budget: Budget,
    acceptance: Callable[[int], float],
    draft: Callable[[int], float],
    *,
    tokens: int = 2000,
    seed: int = 0,
    found: float = 1.0,
) -> float:
    """Speed in units of plain decoding's. Chains; `acceptance` of a node by the tokens so far; `found`: how often the
    drafter has a draft at all."""
    rng = random.Random(seed)
    spent, emitted = 0.0, 0
    while emitted < tokens:
        asked = budget.nodes()
        nodes = asked if rng.random() < found else 0
        rate, length = acceptance(emitted), 1
        while length <= nodes and rng.random() < rate:
            length += 1
        drafting = draft(asked) * rng.uniform(0.9, 1.1) if asked else 0.0
        verifying = verification(nodes) * rng.uniform(0.9, 1.1)
        budget.observe(nodes=nodes, emitted=length, draft_seconds=drafting, verify_seconds=verifying)
        spent += drafting + verifying
        emitted += length
    return emitted * PLAIN / spent


@pytest.mark.parametrize("drafter", DRAFTING)
@pytest.mark.parametrize("seed", range(3))
def test_useless_drafts_cost_four_percent_at_most(drafter: str, seed: int) -> None:
    assert simulate(AdaptiveBudget(16), lambda _: 0.0, DRAFTING[drafter], seed=seed) > 0.96


@pytest.mark.parametrize("drafter", DRAFTING)
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_close_to_the_best_fixed_budget_and_never_far_below_plain(drafter: str, rate: float) -> None:
    draft = DRAFTING[drafter]
    best = max(simulate(FixedBudget(nodes), lambda _: rate, draft) for nodes in (0, 1, 2, 4, 8, 16))
    mean = sum(simulate(AdaptiveBudget(16), lambda _: rate, draft, seed=seed) for seed in range(3)) / 3
    assert mean > 0.96
    assert mean > 0.85 * best


def test_follows_a_text_that_changes() -> None:
    def in_turns(emitted: int) -> float:
        return 0.85 if emitted // 300 % 2 else 0.0

    draft = DRAFTING["block"]
    fixed = max(simulate(FixedBudget(nodes), in_turns, draft, tokens=6000) for nodes in (0, 1, 2, 4, 8, 16))
    assert simulate(AdaptiveBudget(16), in_turns, draft, tokens=6000) > 1.2 * fixed


def test_rare_drafts_of_a_free_drafter_are_used() -> None:
    draft = DRAFTING["lookup"]
    speed = simulate(AdaptiveBudget(16), lambda _: 0.8, draft, found=0.2)
    assert speed > 1.1
    assert speed > 0.9 * simulate(FixedBudget(8), lambda _: 0.8, draft, found=0.2)


def in_pauses(budget: Budget, rate: float, *, seed: int, tokens: int = 600) -> float:
    """Speed in units of plain decoding's, on a machine that other programs use: a round in five takes several times as
    long as its forward. The speed is that of an idle machine, so that it says what was chosen and not when."""
    rng = random.Random(seed)
    spent, emitted = 0.0, 0
    while emitted < tokens:
        asked = budget.nodes()
        nodes, length = asked if rng.random() < 0.75 else 0, 1
        while length <= nodes and rng.random() < rate:
            length += 1
        slower = rng.choice([1, 1, 1, 1, 1, 1, 1, 1.5, 4, 8])
        cost = 3.0 + nodes / 8
        budget.observe(nodes=nodes, emitted=length, draft_seconds=0.1 * slower, verify_seconds=cost * slower)
        spent += 0.1 + cost if asked else cost
        emitted += length
    return emitted * 3.0 / spent


def test_pauses_of_the_machine_are_not_put_down_to_the_drafts() -> None:
    """Drafts that pay twice over were given up for a whole text after a pause or two."""
    mean = {rate: sum(in_pauses(AdaptiveBudget(16), rate, seed=seed) for seed in range(20)) / 20 for rate in (0.0, 0.8)}
    fixed = sum(in_pauses(FixedBudget(16), 0.8, seed=seed) for seed in range(20)) / 20
    assert mean[0.8] > 0.85 * fixed
    assert mean[0.0] > 0.9


def test_a_machine_that_has_become_faster_does_not_make_drafts_pay() -> None:
    """Plain rounds were measured while it was slow: next to them wrong drafts may seem cheap."""
    budget = AdaptiveBudget(16)
    lost = spent = 0.0
    for place in range(500):
        nodes = budget.nodes()
        slower = 3.0 if place < 10 else 1.0
        cost = 1.0 + 0.15 * (nodes > 0) + 0.05 * nodes
        budget.observe(nodes=nodes, emitted=1, draft_seconds=0.0, verify_seconds=slower * cost)
        lost, spent = lost + cost - 1.0, spent + cost
    assert lost < 0.04 * spent


def test_nothing_is_drafted_before_a_plain_round_and_little_that_never_pays() -> None:
    budget = AdaptiveBudget(16)
    assert budget.nodes() == 0
    asked = []
    for _ in range(1000):
        nodes = budget.nodes()
        asked.append(nodes)
        budget.observe(nodes=nodes, emitted=1, draft_seconds=0.0, verify_seconds=verification(nodes))
    assert 0 < sum(nodes > 0 for nodes in asked) < 150, "probes, and cheap ones"
    lost = sum(verification(nodes) - PLAIN for nodes in asked)
    assert lost < 0.04 * sum(map(verification, asked))


def test_a_larger_tree_speaks_for_smaller_ones() -> None:
    """The path 0-1-5 leaves a tree of four nodes at node 1: with four nodes two tokens would have come, not three."""
    budget = AdaptiveBudget(8)
    budget.observe(nodes=0, emitted=1, draft_seconds=0.0, verify_seconds=1.0)
    for _ in range(50):
        budget.nodes()
        budget.observe(nodes=8, emitted=3, draft_seconds=0.0, verify_seconds=1.0, path=(0, 1, 5))
    assert budget.rate(8) == pytest.approx(3.0)
    assert budget.rate(4) == pytest.approx(2.0)
    assert budget.rate(1) == pytest.approx(2.0)


def test_plain_rounds_are_measured_again() -> None:
    """Where every draft pays, the yardstick would otherwise be as old as the text."""
    budget = AdaptiveBudget(4)
    asked = []
    for _ in range(400):
        nodes = budget.nodes()
        asked.append(nodes)
        budget.observe(nodes=nodes, emitted=nodes + 1, draft_seconds=0.0, verify_seconds=1.0 + 0.1 * nodes)
    assert asked[:2] == [0, 4]
    assert 8 <= asked.count(0) <= 12


def test_never_more_than_the_most() -> None:
    for most in (1, 3, 16, 40):
        budget = AdaptiveBudget(most)
        rng = random.Random(most)
        for _ in range(300):
            nodes = budget.nodes()
            assert 0 <= nodes <= most
            budget.observe(
                nodes=rng.randint(0, nodes),
                emitted=rng.randint(1, nodes + 1),
                draft_seconds=rng.random(),
                verify_seconds=rng.random(),
            )
        assert budget.arms[-1] == most


def test_fixed_budget() -> None:
    budget = FixedBudget(7)
    budget.observe(nodes=7, emitted=1, draft_seconds=9.0, verify_seconds=9.0)
    assert budget.nodes() == 7
    assert FixedBudget(0).nodes() == 0


@pytest.mark.parametrize("make", [lambda: AdaptiveBudget(0), lambda: AdaptiveBudget(4, 0.0), lambda: FixedBudget(-1)])
def test_senseless_budgets(make: Callable[[], Budget]) -> None:
    with pytest.raises(ValueError, match=r"a budget of|an allowance of"):
        make()


def test_cost_curve() -> None:
    curve = CostCurve()
    assert curve.at(3) is None
    curve.add(0, 10.0)
    assert curve.at(100) == 10.0
    curve.add(8, 18.0)
    assert curve.at(4) == pytest.approx(14.0)
    assert curve.at(16) == pytest.approx(26.0)
    curve.add(8, 1000.0)
    assert curve.at(8) == 18.0, "of the first ones the least counts"
    curve.add(8, 19.0)
    curve.add(8, 1000.0)
    assert curve.at(8) == pytest.approx(18.0 + (54.0 - 18.0) / 8), "an outlier is no measurement"
