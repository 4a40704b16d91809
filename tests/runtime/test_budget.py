"""The adaptive budget against simulated drafters, whose acceptance and costs are known."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import pytest

from protocheck.runtime.budget import AdaptiveBudget, Budget, CostCurve, FixedBudget

# What a verification costs by nodes besides the root, in plain rounds: measured on two cores for models of 68 M and of
# 1.3 M, a GPU's as it may be, and one where every node costs as much.
SHAPES = {
    "68 M": ((0, 1.0), (8, 1.62), (16, 1.96), (32, 2.46)),
    "1.3 M": ((0, 1.0), (1, 1.2), (8, 1.35), (16, 1.6), (32, 2.0)),
    "GPU": ((0, 1.0), (1, 1.05), (16, 1.06), (32, 1.1)),
    "steep": ((0, 1.0), (16, 3.4), (32, 5.8)),
}

DRAFTING: dict[str, Callable[[int], float]] = {
    "lookup": lambda nodes: 0.02,
    "block": lambda nodes: 0.33,
    "autoregressive": lambda nodes: 0.2 * nodes,
}
"""What a draft costs, in plain rounds."""

Noise: TypeAlias = Callable[[random.Random, int], float]
"""(random numbers, round) → how many times as long as it should this round takes."""


def quiet(rng: random.Random, _: int) -> float:
    return rng.uniform(0.95, 1.05)


def with_pauses(rng: random.Random, _: int) -> float:
    """Other programs use the machine as well: a round in fifteen takes several times as long."""
    return rng.lognormvariate(0, 0.1) * (rng.uniform(2, 8) if rng.random() < 1 / 15 else 1)


def in_turns(rng: random.Random, place: int) -> float:
    """The whole machine is three times as slow every other while."""
    return rng.lognormvariate(0, 0.07) * (3 if place // 60 % 2 else 1)


NOISE: dict[str, Noise] = {"quiet": quiet, "with pauses": with_pauses, "slower in turns": in_turns}


def verification(nodes: int, shape: str = "68 M") -> float:
    for (left, low), (right, high) in itertools.pairwise(SHAPES[shape]):
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
    shape: str = "68 M",
    noise: Noise = quiet,
    first: float = 0.0,
) -> float:
    """Speed in units of plain decoding's. Chains; `acceptance` of a node by the tokens so far; `found`: how often the
    drafter has a draft at all; `first`: what the first draft costs besides.

    The budget is told noisy times; the speed is that of a machine without noise, so that it says what was chosen and
    not when."""
    rng = random.Random(seed)
    spent, emitted, place = 0.0, 0, 0
    while emitted < tokens:
        asked = budget.nodes()
        nodes = asked if rng.random() < found else 0
        rate, length = acceptance(emitted), 1
        while length <= nodes and rng.random() < rate:
            length += 1
        drafting = draft(asked) if asked else 0.0
        if asked:
            drafting, first = drafting + first, 0.0
        verifying = verification(nodes, shape)
        slower = 0.018 * noise(rng, place)
        budget.observe(nodes=nodes, emitted=length, draft_seconds=drafting * slower, verify_seconds=verifying * slower)
        spent += drafting + verifying
        emitted += length
        place += 1
    return emitted / spent


@cache
def best_fixed(rate: float, drafter: str, shape: str, found: float = 1.0) -> float:
    """The highest speed of any fixed number of nodes."""
    budgets = [FixedBudget(nodes) for nodes in (0, 1, 2, 4, 8, 16)]
    drafting = DRAFTING[drafter]
    return max(simulate(one, lambda _: rate, drafting, shape=shape, found=found, tokens=4000) for one in budgets)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("drafter", DRAFTING)
def test_useless_drafts_cost_four_percent_at_most(drafter: str, shape: str, noise: str) -> None:
    for seed in range(3):
        speed = simulate(
            AdaptiveBudget(16),
            lambda _: 0.0,
            DRAFTING[drafter],
            shape=shape,
            noise=NOISE[noise],
            seed=seed,
            tokens=500,
        )
        assert speed > 0.96, (seed, speed)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("drafter", DRAFTING)
def test_close_to_the_best_fixed_budget_and_never_far_below_plain(drafter: str, shape: str, noise: str) -> None:
    shares = []
    for rate in (0.1, 0.3, 0.5, 0.7, 0.9):
        best = best_fixed(rate, drafter, shape)
        speeds = [
            simulate(
                AdaptiveBudget(16),
                lambda _, rate=rate: rate,  # type: ignore[misc]
                DRAFTING[drafter],
                shape=shape,
                noise=NOISE[noise],
                seed=seed,
            )
            for seed in range(3)
        ]
        mean = sum(speeds) / len(speeds)
        assert mean > 0.96
        assert mean > (0.87 if noise == "quiet" else 0.84) * best, (rate, speeds, best)
        shares.append(mean / best)
    assert sum(shares) / len(shares) > (0.95 if noise == "quiet" else 0.91), shares


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("drafter", ["lookup", "block"])
def test_follows_a_text_that_changes(drafter: str, noise: str) -> None:
    """Every 300 tokens drafts begin to be right, or cease to be: it comes close to who would know when."""

    def by_turns(emitted: int) -> float:
        return 0.85 if emitted // 300 % 2 else 0.0

    draft = DRAFTING[drafter]
    fixed = max(simulate(FixedBudget(nodes), by_turns, draft, tokens=6000) for nodes in (0, 1, 2, 4, 8, 16))
    knowing = 2 / (1 + 1 / best_fixed(0.85, drafter, "68 M"))
    speed = simulate(AdaptiveBudget(16), by_turns, draft, tokens=6000, noise=NOISE[noise])
    assert speed > 1.1 * fixed
    assert speed > 0.88 * knowing


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("found", [0.05, 0.2])
def test_rare_drafts_of_a_cheap_drafter_are_used(found: float, noise: str) -> None:
    draft, best = DRAFTING["lookup"], best_fixed(0.8, "lookup", "68 M", found)
    speed = simulate(AdaptiveBudget(16), lambda _: 0.8, draft, found=found, noise=NOISE[noise])
    assert speed > 0.92 * best


def test_what_the_first_draft_costs_besides_is_not_held_against_the_others() -> None:
    """An assistant computes the prompt before it drafts for the first time: here twenty plain rounds long."""
    draft = DRAFTING["block"]
    with_prompt = simulate(AdaptiveBudget(16), lambda _: 0.8, draft, first=20.0)
    without = simulate(AdaptiveBudget(16), lambda _: 0.8, draft)
    assert 2000 / with_prompt < 2000 / without + 20 + 40


def test_lookup_on_two_cores_is_not_given_up() -> None:
    """Rounds as they were measured for a model of 68 M and prompt lookup on Python source: a budget that took costs to
    be the means of their measurements stopped drafting, and decoded at the speed of plain rounds."""
    sizes = (0, 0, 0, 3, 4, 8, 9, 10, 11, 12, 13, 13, 14, 15, 15, 16, 16, 16, 16, 16)
    for seed in range(10):
        rng = random.Random(seed)
        budget, spent, emitted = AdaptiveBudget(16), 0.0, 0
        while emitted < 300:
            asked = budget.nodes()
            nodes = min(asked, rng.choice(sizes))
            took = 1 + min(nodes, rng.choice((0, 0, 1, 1, 3, 5, 6, 6)))
            cost = 15.3 if nodes == 0 else 27 + nodes / 4
            slower = with_pauses(rng, 0)
            budget.observe(nodes=nodes, emitted=took, draft_seconds=1e-4, verify_seconds=cost * slower / 1000)
            spent, emitted = spent + cost + 0.1 * (asked > 0), emitted + took
        assert emitted * 15.3 / spent > 1.15, seed


def test_a_machine_that_has_become_faster_does_not_make_drafts_pay() -> None:
    """Next to plain rounds that were measured while it was slow, drafts of which one in ten is right may seem cheap."""
    lost = spent = 0.0
    for seed in range(5):
        rng = random.Random(seed)
        budget = AdaptiveBudget(16)
        for place in range(500):
            nodes = budget.nodes()
            slower = 1.0 if place // 100 % 2 else 3.0
            cost = 1.3 + 0.05 * nodes if nodes else 1.0
            took = 1 + (nodes > 0 and rng.random() < 0.1)
            budget.observe(nodes=nodes, emitted=took, draft_seconds=0.0, verify_seconds=slower * cost)
            lost, spent = lost + cost - took, spent + cost
    assert lost < 0.03 * spent


def test_nothing_is_drafted_before_a_plain_round_and_little_that_never_pays() -> None:
    budget = AdaptiveBudget(16)
    assert budget.nodes() == 0
    asked = []
    for _ in range(1000):
        nodes = budget.nodes()
        asked.append(nodes)
        budget.observe(nodes=nodes, emitted=1, draft_seconds=0.0, verify_seconds=verification(nodes))
    assert 0 < sum(nodes > 0 for nodes in asked) < 150, "probes, and cheap ones"
    lost = sum(verification(nodes) - 1 for nodes in asked)
    assert lost < 0.04 * sum(map(verification, asked))


def test_a_larger_tree_speaks_for_smaller_ones() -> None:
    """The path 0-1-5 leaves a tree of four nodes at node 1: with four nodes two tokens would have come, not three."""
    budget = AdaptiveBudget(8)
    budget.observe(nodes=0, emitted=1, draft_seconds=0.0, verify_seconds=1.0)
    for _ in range(200):
        budget.nodes()
        budget.observe(nodes=8, emitted=3, draft_seconds=0.0, verify_seconds=1.0, path=(0, 1, 5))
    assert budget.arms == (1, 2, 4, 8)
    # What doubling brings is taken to be a little more than was seen, where little was seen.
    assert budget.accepted() == pytest.approx([1.0, 1.0, 1.0, 2.0], abs=0.2)
    assert budget.gains() == pytest.approx([2.0, 2.0, 2.0, 3.0], abs=0.2)


def test_plain_rounds_are_measured_again() -> None:
    """Where every draft pays, the yardstick would otherwise be as old as the text; the more they pay, the less does a
    wrong one matter, and the more does a plain round cost."""
    for least, per_node in ((20, 0.7), (10, 0.1)):
        budget = AdaptiveBudget(4)
        asked = []
        for _ in range(400):
            nodes = budget.nodes()
            asked.append(nodes)
            budget.observe(nodes=nodes, emitted=nodes + 1, draft_seconds=0.0, verify_seconds=1.0 + per_node * nodes)
        assert asked[:2] == [0, 4]
        assert least <= asked.count(0) <= 2 * least, asked


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
    assert curve.at(3) == 0
    curve.add(0, 10.0)
    assert curve.at(100) == 10.0
    curve.add(8, 18.0)
    assert curve.at(4) == pytest.approx(14.0)
    assert curve.at(16) == pytest.approx(26.0)
    curve.add(8, 1000.0)
    assert curve.at(8) == 18.0, "of two the lower one counts"
    curve.add(8, 19.0)
    curve.add(8, 1000.0)
    assert curve.at(8) == 19.0, "an outlier is no measurement"
    for _ in range(9):
        curve.add(8, 30.0)
    assert curve.at(8) == 30.0, "old measurements do not count"
    curve.add(16, 25.0)
    assert curve.at(40) == 30.0, "a larger tree is not cheaper"
