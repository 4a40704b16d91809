"""Where a request's drafts come from, under the `HandOff` protocol: here inline, in `workers` from a thread."""

from __future__ import annotations

import typing

from ..protocols.hand_off import HandOff
from .drafters.base import Context, Drafter, Outcome, TargetFacts
from .pruning import checked, pruned
from .tree import DraftTree


class Aborted(RuntimeError):
    """The request was aborted; what had been emitted by then stands."""


class Drafting(typing.Protocol):
    """What a request asks of it, in this order: `start`, then `next` and `judged` (or `failed`) in turn, then `end`."""

    @property
    def hidden_layers(self) -> tuple[int, ...]: ...

    def start(self, prompt: tuple[int, ...], outcome: Outcome) -> None:
        """The prompt is in the cache; `outcome` has the target's hidden states of its rows."""
        ...

    def next(self, context: Context, budget: int, deepest: int) -> DraftTree:
        """A draft from the committed text, whose verification has begun when this returns.

        budget: the most nodes besides the root. deepest: the most steps from the root.
        """
        ...

    def judged(self, outcome: Outcome, as_hoped: bool) -> None:
        """The verdict; `as_hoped` says whether the draft's likeliest path was accepted, all of it and nothing else."""
        ...

    def failed(self) -> None:
        """The target's forward has raised."""
        ...

    def abort(self) -> None:
        """From any thread: nothing new is started, and nobody waits for a draft any more. `end` is still to come."""
        ...

    def end(self) -> None:
        """The request is over: nothing new is started, what is in flight returns, the drafter is closed."""
        ...


class InlineDrafting:
    """Drafter and verifier take turns in one thread.

    Nothing runs ahead, so every draft is a true one; the steps are those that two workers take.
    """

    def __init__(self, drafter: Drafter, target: TargetFacts, hand_off: HandOff) -> None:
        self.drafter, self.target, self.hand_off = drafter, target, hand_off
        self._started = False

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        return self.drafter.hidden_layers

    def start(self, prompt: tuple[int, ...], outcome: Outcome) -> None:
        self.drafter.start(prompt, self.target)
        self._started = True
        self.drafter.accepted(outcome)

    def next(self, context: Context, budget: int, deepest: int) -> DraftTree:
        self.hand_off.start_draft()
        try:
            tree = draft(self.drafter, self.target, context, budget)
        except BaseException:
            self.hand_off.draft_failed()
            raise
        self.hand_off.finish_draft()
        self.hand_off.start_verification()
        return pruned(tree, budget, deepest)

    def judged(self, outcome: Outcome, as_hoped: bool) -> None:
        self.hand_off.verdict(as_hoped)
        self.drafter.accepted(outcome)

    def failed(self) -> None:
        self.hand_off.verification_failed()

    def abort(self) -> None:
        """Nothing: here nobody waits, and the request looks for itself whether it was aborted."""

    def end(self) -> None:
        finish(self.hand_off)
        if self._started:
            # One that has refused may be at work for another request.
            self._started = False
            self.drafter.close()


def draft(drafter: Drafter, target: TargetFacts, context: Context, budget: int) -> DraftTree:
    """One draft, looked at before anything is done with it. Raises DraftError. Without a budget nobody is asked."""
    root = context.ids[-1]
    if budget < 1:
        return DraftTree.root_only(root)
    return checked(drafter.draft(context, budget), root, target.vocab_size)


def finish(hand_off: HandOff) -> None:
    """End a request whose forwards have all returned, wherever it was."""
    if hand_off.verifying:
        # It was left in the middle of a block: what was emitted stands, and no guess can have been right.
        hand_off.verdict(hit=False)
    if hand_off.phase == "open":
        hand_off.abort()
    if hand_off.phase == "closing":
        hand_off.close()
