"""How many nodes to draft next: as many as have given the most tokens per second, and none where that does not pay.

What a round of m nodes would have given is known from a round of more: trees grow by adding nodes, so the tree of m
nodes is the first m of a larger one, and the accepted path is cut off where it leaves them. So every observation speaks
for all smaller budgets; larger ones are tried now and then.

Losses are accounted for as they occur, at what such rounds cost on average. A round with drafts that gave fewer tokens
than plain decoding would have given in the same time has lost the difference. Every round allows a fixed share of its
time to be lost, gains are credited up to a few rounds' worth, and nothing is drafted whose loss, were all of it
rejected, is not covered. So the time lost is at most that share of all the time, and a small constant, whatever the
drafts are like, as far as rounds of one size cost about the same.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence

ALLOWANCE = 0.025
"""Of the time spent, the share that rejected drafts may cost."""

MEMORY = 24
"""Rounds with drafts until what they said counts for 1/e."""

FIRST = 8
"""Nodes of the first draft; a round of so many is taken to cost twice a plain one until it was measured."""

COVER = 6
"""Rounds, all of their drafts rejected, that gains are saved up for."""

LOOK_UP = 16
"""Of so many rounds with drafts, one tries the next larger budget."""

LEAST = 1.1
"""A round with drafts is taken to cost at least so many plain ones, where it is asked what it may lose."""

FEW = 3
"""Measurements of about the same number of nodes of which the least counts."""

LOOK_PLAIN = 40
"""After so many rounds without a plain one, one is decoded plainly, since its cost is what all is measured by."""


class Budget(typing.Protocol):
    """Says before each round how many nodes to draft, and is told after it what came of them."""

    def nodes(self) -> int:
        """The most nodes that the next draft may have besides its root; 0 for plain decoding."""
        ...

    def observe(
        self,
        *,
        nodes: int,
        emitted: int,
        draft_seconds: float,
        verify_seconds: float,
        path: Sequence[int] | None = None,
    ) -> None:
        """What a round came to.

        nodes: in the tree that was verified, besides its root. emitted: tokens, at least 1.
        path: the accepted nodes, the root 0 among them; None where the tree was a chain.
        """
        ...


class FixedBudget:
    """The same number always, so that a run can be repeated."""

    def __init__(self, most: int) -> None:
        if most < 0:
            raise ValueError(f"a budget of {most} nodes; 0 is plain decoding")
        self.most = most

    def nodes(self) -> int:
        """The number."""
        return self.most

    def observe(
        self,
        *,
        nodes: int,
        emitted: int,
        draft_seconds: float,
        verify_seconds: float,
        path: Sequence[int] | None = None,
    ) -> None:
        """Nothing is learned."""


class CostCurve:
    """Seconds as a function of the number of nodes, from noisy measurements at some of them.

    Measurements of about the same number are averaged, the last ones counting most; between them the curve is linear.
    """

    def __init__(self) -> None:
        # Place → the nodes that it stands for, their mean cost, and how often it was measured.
        self._points: dict[int, tuple[float, float, int]] = {}
        self._sorted: list[tuple[float, float]] = []

    def add(self, nodes: int, seconds: float) -> None:
        """One measurement. The first ones may fall into a pause of the machine: the least of them counts. Later an
        outlier counts as three times what was expected."""
        place = _arm_of(nodes)
        at, mean, count = self._points.get(place, (float(nodes), seconds, 0))
        if count < FEW:
            mean = min(mean, seconds)
        else:
            mean += (min(seconds, 3 * mean) - mean) / 8
        self._points[place] = (at + (nodes - at) / 8, mean, count + 1)
        self._sorted = sorted((at, mean) for at, mean, _ in self._points.values())

    def at(self, nodes: int) -> float | None:
        """The expected seconds; None before any measurement. Beyond what was measured the curve goes straight on."""
        points = self._sorted
        if not points:
            return None
        if nodes <= points[0][0] or len(points) == 1:
            return points[0][1]
        upper = next((i for i, (at, _) in enumerate(points) if at >= nodes), len(points) - 1)
        (left, low), (right, high) = points[upper - 1], points[upper]
        slope = (high - low) / max(right - left, 1e-9)
        # A larger tree is not cheaper; measurements of few rounds may say so.
        return max(low, low + slope * (nodes - left)) if nodes > right else low + slope * (nodes - left)


class AdaptiveBudget:
    """Chooses the number of nodes with the highest expected tokens per second; 0, if that is plain decoding.

    most: the largest number it chooses. allowance: the share of time that rejected drafts may cost.

    It is deterministic: the same observations give the same choices.
    """

    def __init__(self, most: int, allowance: float = ALLOWANCE) -> None:
        if most < 1:
            raise ValueError(f"a budget of at most {most} nodes; FixedBudget(0) never drafts")
        if not 0 < allowance < 1:
            raise ValueError(f"an allowance of {allowance}; it is a share of the time, between 0 and 1")
        self.most, self.allowance = most, allowance
        self.arms = tuple(sorted({*(1 << i for i in range(most.bit_length())), most}))
        self._verify, self._draft = CostCurve(), CostCurve()
        # For each number of nodes, decayed sums over rounds that speak for it: rounds, tokens, seconds.
        self._sums = dict.fromkeys(self.arms, (0.0, 0.0, 0.0))
        self._asked = 0
        self._drafts = 0
        self._since_draft = 0
        self._since_plain = 0
        self._balance: float | None = None

    @property
    def plain(self) -> float | None:
        """Seconds of a plain round; None before the first."""
        return None if self._balance is None else self._verify.at(0)

    def nodes(self) -> int:
        """The most nodes that the next draft may have besides its root; 0 for plain decoding."""
        self._asked = self._choose()
        return self._asked

    def _choose(self) -> int:
        plain = self.plain
        if plain is None or self._since_plain >= LOOK_PLAIN:
            return 0
        if self._drafts == 0:
            return self._covered(min(FIRST, self.most))
        best = max(self.arms, key=self.rate)
        if self.rate(best) > 1 / plain:
            if self._drafts % LOOK_UP == LOOK_UP - 1:
                best = self._above(best)
            return self._covered(best)
        # Nothing pays, as far as is known: see now and then whether that has changed, not always in the same way.
        probe = best if self._drafts % 4 else self.arms[self._drafts // 4 % len(self.arms)]
        # What is saved up pays for drafts that are expected to pay; probes are paid for by the rounds since the last.
        if self._drafts >= 3 and self._since_draft * self.allowance * plain < self.worst(probe):
            return 0
        return self._covered(probe)

    def observe(
        self,
        *,
        nodes: int,
        emitted: int,
        draft_seconds: float,
        verify_seconds: float,
        path: Sequence[int] | None = None,
    ) -> None:
        """What a round came to; see Budget."""
        self._verify.add(nodes, verify_seconds)
        seconds = draft_seconds + verify_seconds
        if nodes == 0:
            self._since_plain = 0
            if self._balance is None:
                # The first drafts are on credit: without them nothing would be learned.
                self._balance = 2 * verify_seconds
        else:
            self._since_plain += 1
        if self._balance is None:
            return
        plain = self.plain
        assert plain is not None
        asked = max(self._asked, nodes)
        self._balance += self.allowance * seconds
        if asked == 0:
            self._since_draft += 1
        else:
            self._since_draft = 0
            self._drafts += 1
            self._draft.add(asked, draft_seconds)
            # What such a round costs on average: that the machine stood still meanwhile is no loss of the draft's.
            spent = self._draft.at(asked) or 0.0
            if nodes > 0:
                spent += max(0.0, (self._verify.at(nodes) or 0.0) - plain)
            self._balance += (emitted - 1) * plain - spent
            self._learn(nodes, asked, emitted, path)
        self._balance = min(self._balance, COVER * max(self.worst(asked or self.arms[0]), plain))

    def _learn(self, nodes: int, asked: int, emitted: int, path: Sequence[int] | None) -> None:
        accepted = range(emitted) if path is None else path
        keep = 1 - 1 / MEMORY
        for arm in self.arms:
            # A drafter that has given less than it was asked for would have given no more to a larger budget.
            if arm > asked:
                break
            tree = min(arm, nodes)
            tokens = 1 + sum(1 for node in accepted if 0 < node <= tree)
            # The last token of the walk may be a child that was accepted where the text ended.
            tokens = min(tokens, emitted)
            rounds, so_far, spent = self._sums[arm]
            # Never cheaper than a plain round: that would say that the machine was slower when that was measured.
            cost = max(self._verify.at(tree) or 0.0, self._verify.at(0) or 0.0) + (self._draft.at(arm) or 0.0)
            self._sums[arm] = (rounds * keep + 1, so_far * keep + tokens, spent * keep + cost)

    def rate(self, arm: int) -> float:
        """Expected tokens per second with this many nodes: measured, or guessed from smaller numbers."""
        rounds, tokens, seconds = self._sums[arm]
        if rounds > 0.5:
            return tokens / seconds
        below = [other for other in self.arms if other < arm and self._sums[other][0] > 0.5]
        if not below:
            return 0.0
        mean = [self._sums[other][1] / self._sums[other][0] for other in below[-2:]]
        # The last doubling has added as much as the next one is taken to add.
        steps = self.arms.index(arm) - self.arms.index(below[-1])
        gained = (mean[-1] - mean[0] if len(mean) == 2 else mean[0] - 1) * steps
        return (mean[-1] + gained) / self._cost(arm)

    def worst(self, arm: int) -> float:
        """Seconds lost if every draft of such a round is rejected."""
        return max(0.0, self._cost(arm) - (self._verify.at(0) or 0.0))

    def _cost(self, arm: int) -> float:
        plain = self._verify.at(0) or 0.0
        measured = self._verify.at(arm) or 0.0
        if measured <= plain:
            measured = plain * (1 + arm / FIRST)
        # A probe is never for nothing, or there would be no end of them.
        measured = max(measured, LEAST * plain)
        return measured + (self._draft.at(arm) or 0.0)

    def _covered(self, arm: int) -> int:
        """The largest number up to this one whose loss is covered, not less than half of it; else 0."""
        assert self._balance is not None
        for candidate in reversed(self.arms):
            if arm >= candidate >= arm / 2 and self.worst(candidate) <= self._balance:
                return candidate
        return 0

    def _above(self, arm: int) -> int:
        return self.arms[min(self.arms.index(arm) + 1, len(self.arms) - 1)]


def _arm_of(nodes: int) -> int:
    """Numbers of nodes that are measured as one: 0, 1, 2, 3–4, 5–8, …"""
    return 0 if nodes == 0 else (nodes - 1).bit_length() + 1
