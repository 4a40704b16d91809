"""No drafter: every forward of the target gives one token, as in plain decoding."""

from __future__ import annotations

from ..tree import DraftTree
from .base import Context, Outcome, TargetFacts


class NoDrafter:
    """Drafts nothing."""

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        return ()

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        """Nothing to prepare."""

    def draft(self, context: Context, budget: int) -> DraftTree:
        """The root alone."""
        return DraftTree.root_only(context.ids[-1])

    def accepted(self, outcome: Outcome) -> None:
        """Nothing to learn."""

    def close(self) -> None:
        """Nothing to release."""
