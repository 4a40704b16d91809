"""What decoding cost and what it brought: counts and times of one request, by stage."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

STAGES = ("prefill", "draft", "verify", "choose", "walk", "commit")


@dataclass
class Statistics:
    """One request's figures, added up while it runs.

    tokens: emitted ones. forwards: of the target, the prefill's chunks left out. drafted, accepted: nodes of draft
    trees besides their roots, and those among them that were emitted. plain: forwards without any draft. seconds: by
    stage, of wall time: the prompt's forward; drafting; the target's forward over a tree, with its masks and the steps
    of the cache's protocol around it; logits processors, draws and stopping criteria; the walk, and the steps that go
    with it; gathering, cutting and evicting rows. A moment in a stage within a stage counts for the inner one. Of a
    drafter that runs ahead only the time that the verifier waited for it counts as drafting.
    """

    tokens: int = 0
    forwards: int = 0
    drafted: int = 0
    accepted: int = 0
    plain: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    _within: float = field(default=0.0, repr=False, compare=False)
    """Seconds of the stages that have ended within the one that is running."""

    @property
    def tokens_per_forward(self) -> float:
        """Emitted tokens for each forward of the target; 0 where there was none."""
        return self.tokens / self.forwards if self.forwards else 0.0

    @property
    def acceptance(self) -> float:
        """The share of the drafted nodes that was emitted; 0 where nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else 0.0

    def stage(self, name: str) -> Stage:
        """Add the time of a block, `with statistics.stage("draft"):`, to a stage, also when it fails."""
        return Stage(self, name)


class Stage:
    """The time of one block. A class, since a generator would take as long as what some of these blocks do."""

    __slots__ = ("_name", "_outside", "_started", "_statistics")

    def __init__(self, statistics: Statistics, name: str) -> None:
        self._statistics, self._name = statistics, name

    def __enter__(self) -> None:
        self._outside, self._statistics._within = self._statistics._within, 0.0
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        took = time.perf_counter() - self._started
        self._statistics.seconds[self._name] += took - self._statistics._within
        self._statistics._within = self._outside + took
