"""How many nodes to draft next: as many as give the most tokens per second, and none where that does not pay.

What a round of m nodes would have given is known from a round of more: trees grow by adding nodes, so the tree of m
nodes is the first m of a larger one, and the accepted path is cut off where it leaves them. So every observation speaks
for all smaller budgets; larger ones are tried now and then.

Costs are counted in plain rounds, so that nothing changes when the whole machine becomes slower or faster, and they are
medians, so that a pause of the machine is not put down to the drafts.

Losses are accounted for as they occur. A round with drafts that gave fewer tokens than plain decoding would have given
in the same time has lost the difference. Every round allows a fixed share of its time to be lost, gains are credited up
to a few rounds' worth, and nothing is drafted whose loss, were all of it rejected, is not covered. So no more is lost
than that share of all the time, and a few rounds in which the first drafts are tried.
"""

from __future__ import annotations

import typing
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

ALLOWANCE = 0.02
"""Of the time spent, the share that rejected drafts may cost."""

FIRST = 8
"""Nodes of the first draft; a round of so many is taken to cost twice a plain one until it was measured."""

TRIALS = 3
"""Drafts of so many nodes before it is judged how many pay."""

CREDIT = 1.0
"""Plain rounds that may be lost to these."""

BELIEVED = 3.0
"""Plain rounds that a single measurement may say that a draft costs: it may have fallen into a pause of the machine, or
hold what is done once in a request, such as an assistant's prompt."""

COVER = 4.0
"""Rounds, all of their drafts rejected, that gains are saved up for."""

REST = 16
"""Plain rounds behind a draft that did not pay, where none is expected to."""

SELDOM = 4
"""Of so many of these rounds, one is measured."""

UPWARDS = 16
"""Of so many rounds with drafts, one tries the next larger budget."""

LOOKING = 0.02
"""Of the gain of drafts, the share spent on plain rounds, which are what all is measured by."""

FEWEST, MOST = 8, 160
"""Rounds with drafts between two plain ones, once there were some: at least and at most."""

LEAST = 0.1
"""Plain rounds that a rejected draft is taken to cost at least: a probe is never free, or there would be no end of
them."""

KEEP = 1 - 1 / 32
"""What a round with drafts counts for, with each one that follows."""

GROWTH, DOUBT = 1.5, 2.0
"""How many times as many nodes are accepted of twice as many, before it was seen; and the accepted nodes that it takes
to believe half of what was seen instead."""

RECENT, PACE = 9, 5
"""Measurements of about the same number of nodes whose median counts; rounds whose median says how fast the machine is
at the moment."""


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
        draft_seconds: of the drafter, whatever it did in this round. verify_seconds: of the target's forward, and of
            what belongs to it whatever is accepted.
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
    """Cost as a function of the number of nodes, from noisy measurements at some of them.

    Of the last measurements of about the same number the median counts (the lower one of two: noise makes rounds
    longer, not shorter). Between such places the curve is linear.
    """

    def __init__(self) -> None:
        # Place → the last measurements there, and where on the curve that is: the mean of the nodes, the median cost.
        self._recent: dict[int, deque[float]] = {}
        self._at: dict[int, tuple[float, float]] = {}
        self._points: list[tuple[float, float]] = []

    def add(self, nodes: int, cost: float) -> None:
        """One measurement."""
        place = _place(nodes)
        recent = self._recent.get(place)
        if recent is None:
            recent = self._recent[place] = deque(maxlen=RECENT)
            self._at[place] = (float(nodes), cost)
        recent.append(cost)
        mean = self._at[place][0]
        self._at[place] = (mean + (nodes - mean) / len(recent), median(recent))
        self._points = sorted(self._at.values())

    def count(self, nodes: int) -> int:
        """How many measurements of about this number count."""
        return len(self._recent.get(_place(nodes), ()))

    def at(self, nodes: float) -> float:
        """The expected cost; 0 before any measurement. Beyond what was measured the curve goes straight on."""
        points = self._points
        if not points:
            return 0.0
        if nodes <= points[0][0] or len(points) == 1:
            return points[0][1]
        upper = min(bisect_left(points, (nodes,)), len(points) - 1)
        (left, low), (right, high) = points[upper - 1], points[upper]
        slope = (high - low) / max(right - left, 1e-9)
        # A larger tree is not cheaper; measurements of few rounds may say so.
        return max(low, low + slope * (nodes - left)) if nodes > right else low + slope * (nodes - left)


@dataclass
class _Seen:
    """What was seen of a number of nodes, the last rounds counting most.

    accepted: of so many nodes; fewer: of the next smaller number, in the same rounds (of the smallest: the rounds).
    trees, nodes: drafts that had nodes at all, and how many of them this number allows.
    """

    accepted: float = 0.0
    fewer: float = 0.0
    trees: float = 0.0
    nodes: float = 0.0

    def add(self, accepted: float, fewer: float, nodes: int) -> None:
        self.accepted = self.accepted * KEEP + accepted
        self.fewer = self.fewer * KEEP + fewer
        if nodes > 0:
            self.trees = self.trees * KEEP + 1
            self.nodes = self.nodes * KEEP + nodes


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
        # Seconds, divided by how slow the machine was at the time.
        self._verify, self._draft = CostCurve(), CostCurve()
        self._pace = 1.0
        self._paces: deque[float] = deque(maxlen=PACE)
        # Of fewer nodes than were measured a draft is taken to cost less in proportion.
        self._draft.add(0, 0.0)
        self._seen = {arm: _Seen() for arm in self.arms}
        # Rounds in which a draft was asked for, and those among them that got one: decayed.
        self._asks = self._trees = 0.0
        self._asked = 0
        self._drafts = 0
        self._plain_rounds = 0
        self._since_plain = 0
        self._rest = 0
        # In plain rounds.
        self._balance = CREDIT

    # --- Choosing ------------------------------------------------------------------------------------------------

    def nodes(self) -> int:
        """The most nodes that the next draft may have besides its root; 0 for plain decoding."""
        self._asked = 0 if self._rest > 0 or self._plain_rounds == 0 else self._choose()
        return self._asked

    def _choose(self) -> int:
        if self._drafts < TRIALS:
            return self._covered(min(FIRST, self.most))
        gains = self.gains()
        most = max(gains)
        place = gains.index(most)
        if self._since_plain >= min(4 * self._plain_rounds, max(FEWEST, (most - 1) / LOOKING), MOST):
            return 0
        if self._drafts % UPWARDS == UPWARDS - 1:
            place = min(place + 1, len(self.arms) - 1)
        return self._covered(self.arms[place])

    def _covered(self, arm: int) -> int:
        """The largest number up to this one whose loss is covered, not less than half of it; else 0."""
        worst = 0.0
        for candidate in reversed(self.arms):
            if arm >= candidate >= arm / 2:
                worst = self.worst(candidate)
                if worst <= self._balance or (self._drafts < TRIALS and worst <= BELIEVED):
                    return candidate
        # Not asked again before it can be.
        self._rest = min(REST, int((worst - self._balance) / self.allowance))
        return 0

    # --- Learning ------------------------------------------------------------------------------------------------

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
        if self._rest > 0:
            self._rest -= 1
            if self._rest % SELDOM and nodes == 0:
                # Of a small model's round, keeping count takes a hundredth.
                self._balance += self.allowance
                return
        if self._verify.count(nodes) > 1:
            self._paces.append(verify_seconds / max(self._verify.at(nodes), 1e-12))
            self._pace = median(self._paces)
        self._verify.add(nodes, verify_seconds / self._pace)
        if nodes == 0:
            self._plain_rounds += 1
            self._since_plain = 0
        else:
            self._since_plain += 1
        asked = max(self._asked, nodes)
        if asked == 0:
            self._earn(self.allowance, self.arms[0])
        elif self._plain_rounds > 0:
            self._drafts += 1
            self._draft.add(asked, draft_seconds / self._pace)
            self._learn(nodes, asked, emitted, path)
            cost = self._cost_of(asked, nodes)
            self._earn(emitted - cost + self.allowance * cost, asked)
            if nodes > 0 and emitted < cost and self._drafts >= TRIALS and max(self.gains()) <= 1:
                self._rest = REST

    def _earn(self, gain: float, arm: int) -> None:
        self._balance = min(self._balance + gain, max(COVER * max(1.0, self.worst(arm)), self._balance))

    def _cost_of(self, asked: int, nodes: int) -> float:
        """What a round like this costs on average, in plain rounds. A single measurement may be wrong."""
        plain = self._verify.at(0)
        cost = (max(self._verify.at(nodes), plain) + self._draft.at(asked)) / plain
        sure = self._draft.count(asked) > 1 and self._verify.count(nodes) > 1
        return cost if sure else min(cost, BELIEVED)

    def _learn(self, nodes: int, asked: int, emitted: int, path: Sequence[int] | None) -> None:
        walked = range(emitted) if path is None else path
        fewer = 1
        for arm in self.arms:
            # A drafter that has given less than it was asked for would have given no more to a larger budget.
            if arm > asked:
                break
            tree = min(arm, nodes)
            # The last token of the walk may be a child that was accepted where the text ended.
            accepted = min(sum(1 for node in walked if 0 < node <= tree), emitted - 1)
            self._seen[arm].add(accepted, fewer, tree)
            fewer = accepted
        self._asks = self._asks * KEEP + 1
        self._trees = self._trees * KEEP + (nodes > 0)

    # --- Expecting -----------------------------------------------------------------------------------------------

    @property
    def plain(self) -> float | None:
        """Seconds of a plain round; None before the first."""
        return None if self._plain_rounds == 0 else self._verify.at(0) * self._pace

    def accepted(self) -> list[float]:
        """For each of `arms`, how many of so many nodes are expected to be accepted.

        It is the number for the smallest, times how much more each larger one brought in the rounds that tell.
        """
        smallest = self._seen[self.arms[0]]
        found = [smallest.accepted / smallest.fewer if smallest.fewer else 0.0]
        for arm in self.arms[1:]:
            seen = self._seen[arm]
            found.append(found[-1] * (seen.accepted + DOUBT * GROWTH) / (seen.fewer + DOUBT))
        return found

    def gains(self) -> list[float]:
        """For each of `arms`, how many tokens are expected in the time of a plain round; zeros before any draft."""
        if not self._asks or not self._plain_rounds:
            return [0.0] * len(self.arms)
        plain = self._verify.at(0)
        share = self._trees / self._asks
        gains = []
        for arm, accepted in zip(self.arms, self.accepted(), strict=True):
            seen = self._seen[arm]
            size = seen.nodes / seen.trees if seen.trees else arm
            verify = 1 - share + share * max(1.0, self._verify.at(size) / plain)
            gains.append((1 + accepted) / (verify + self._draft.at(arm) / plain))
        return gains

    def worst(self, arm: int) -> float:
        """Plain rounds that are lost if every draft of such a round is rejected."""
        plain = self._verify.at(0)
        verify = self._verify.at(arm)
        if verify <= plain and self._verify.count(arm) == 0:
            verify = plain * (1 + arm / FIRST)
        loss = (verify + self._draft.at(arm)) / plain - 1 if plain else 0.0
        if self._draft.count(arm) == 1 or self._verify.count(arm) == 1:
            loss = min(loss, BELIEVED)
        return max(loss, LEAST)


def median(values: Collection[float]) -> float:
    """The middle one; of an even number the lower of the two. At least one is given."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def _place(nodes: int) -> int:
    """Numbers of nodes that are measured as one: 0, 1, 2, 3–4, 5–8, …"""
    return 0 if nodes == 0 else (nodes - 1).bit_length() + 1
