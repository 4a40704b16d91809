"""Drafter and verifier as two workers under the `HandOff` protocol: the drafter may run ahead of the verdict.

The verifier is the thread that generates; the drafter gets a thread of its own for each request. They share what stands
in `_Shared`, which changes only together with a step of the protocol, in one atomic block of the scheduler. What the
protocol calls a guess is a draft from the likeliest path of the tree under verification. Its root is that path's last
token: behind it the verdict will have put one more, so that the draft goes on below the child that carries it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ..protocols.hand_off import HandOff
from .drafters.base import Context, Drafter, Outcome, TargetFacts
from .drafting import Aborted, draft, finish
from .pruning import below, likeliest_path, pruned
from .scheduler import Scheduler
from .tree import DraftTree
from .waiting import Deadlock, Participant

JOIN = 0.2
"""Seconds between looks at whether the drafter's thread has ended: an interrupt is not held up for longer."""


@dataclass
class _Shared:
    """What both workers see. Read and written inside atomic blocks only.

    committed: the text so far. hoped: the text that the tree under verification hopes for, without the token behind it.
    outcomes: verdicts that the drafter has not been told yet. waiting: the draft that waits, and its text.
    """

    committed: Context
    hoped: Context
    budget: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    waiting: tuple[Context, DraftTree] | None = None
    error: BaseException | None = None


class ThreadedDrafting:
    """The drafter's worker, and the verifier's side of it; used as `InlineDrafting` is.

    hand_off must be adopted by the scheduler. A drafter that wants to see hidden states of all rows of its text cannot
    run ahead of the verdict: it drafts when it is asked to.
    """

    def __init__(self, drafter: Drafter, target: TargetFacts, hand_off: HandOff, scheduler: Scheduler) -> None:
        self.drafter, self.target, self.hand_off, self.scheduler = drafter, target, hand_off, scheduler
        self._shared = _Shared(Context(()), Context(()))
        self._seats: list[Participant] = []
        self._thread: threading.Thread | None = None
        self._started = False
        self._runs_ahead = not drafter.hidden_layers
        # Only for drafters that do not run ahead: a draft is wanted, or none will be any more.
        self._wanted = threading.Event()

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        return self.drafter.hidden_layers

    # --- The verifier's side -------------------------------------------------------------------------------------

    def start(self, prompt: tuple[int, ...], outcome: Outcome) -> None:
        """As for `Drafting`; starts the thread. Raises what the drafter raises."""
        self.drafter.start(prompt, self.target)
        self._started = True
        text = Context(prompt)
        self._shared = _Shared(text, text, outcomes=[outcome])
        verifier, drafter = self.scheduler.participant("verifier"), self.scheduler.participant("drafter")
        self._seats = [verifier, drafter]
        verifier.__enter__()
        # Started by the first `next`, which knows the budget.
        # A daemon, since a stream that is never closed must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, args=(drafter,), name="protocheck drafter", daemon=True)

    def next(self, context: Context, budget: int, deepest: int) -> DraftTree:
        """As for `Drafting`. Raises what the drafter raised, and Aborted after an abort."""
        # A stream may be read on in another thread than the one that began it.
        self._seats[0].move_here()
        self._shared.budget = budget
        self._wanted.set()
        assert self._thread is not None
        if self._thread.ident is None:
            self._thread.start()
        while (tree := self._take(context, budget, deepest)) is None:
            pass
        return tree

    def _take(self, context: Context, budget: int, deepest: int) -> DraftTree | None:
        """Begin to verify the waiting draft; None where it had to be dropped."""
        steps, shared = self.hand_off, self._shared
        with self.scheduler.atomically():
            taken = self._first_of(steps.start_verification, steps.drop, steps.close)
            waiting, shared.waiting = shared.waiting, None
            if taken == 0 and waiting is not None:
                drafted_from, tree = waiting
                if len(context.ids) > len(drafted_from.ids):
                    tree = below(tree, context.ids[-1])
                tree = pruned(tree, budget, deepest)
                path = likeliest_path(tree)
                shared.hoped = Context(context.ids + tuple(tree.tokens[node] for node in path[1:]))
                return tree
        if taken == 1:
            return None
        if shared.error is not None:
            raise shared.error
        raise Aborted("aborted while the verifier waited for a draft")

    def _first_of(self, *steps: Callable[..., None]) -> int:
        """Wait for the first of some steps; the last of them is `close`, which the other worker may take as well."""
        try:
            return self.scheduler.wait_for_any(*steps)
        except Deadlock:
            if self.hand_off.phase != "closed":
                raise
            return len(steps) - 1

    def judged(self, outcome: Outcome, as_hoped: bool) -> None:
        with self.scheduler.atomically():
            shared = self._shared
            if self.hand_off.waiting == "guess" and shared.waiting is not None:
                # All of it came true only if the guess has the token behind it as well.
                as_hoped = as_hoped and outcome.tokens[-1] in shared.waiting[1].children(0)
            self.hand_off.verdict(as_hoped)
            shared.committed = Context(shared.committed.ids + outcome.tokens)
            shared.outcomes.append(outcome)

    def failed(self) -> None:
        self.hand_off.verification_failed()

    def abort(self) -> None:
        """End the request, from any thread: a verifier that waits for a draft waits no longer."""
        with self.scheduler.atomically():
            if self.hand_off.phase == "open":
                self.hand_off.abort()

    def end(self) -> None:
        """As for `Drafting`: also joins the thread. May be called again."""
        try:
            with self.scheduler.atomically():
                if self.hand_off.verifying:
                    # Left in the middle of a block: what was emitted stands, and no guess can have been right.
                    self.hand_off.verdict(hit=False)
                if self.hand_off.phase == "open":
                    self.hand_off.abort()
            self._wanted.set()
            # The verifier takes no more steps that the drafter could wait for: if the request is closed already, which
            # either of them does, the drafter's wait ends now.
            for seat in self._seats[:1]:
                seat.leave()
            while self._thread is not None and self._thread.ident is not None and self._thread.is_alive():
                self._thread.join(JOIN)
            finish(self.hand_off)
        finally:
            for seat in self._seats:
                seat.leave()
            if self._started:
                # One that has refused may be at work for another request.
                self._started = False
                self.drafter.close()

    # --- The drafter's side --------------------------------------------------------------------------------------

    def _work(self, seat: Participant) -> None:
        with seat:
            try:
                while self._draft():
                    pass
            except BaseException as error:
                with self.scheduler.atomically():
                    self._shared.error = error
                    if self.hand_off.drafting is not None:
                        self.hand_off.draft_failed()
                    elif self.hand_off.phase == "open":
                        self.hand_off.abort()

    def _draft(self) -> bool:
        """One draft; False where the request has ended."""
        if not self._runs_ahead:
            self._wanted.wait()
            self._wanted.clear()
        steps = self.hand_off
        with self.scheduler.atomically():
            if self._first_of(steps.start_draft, steps.close) == 1:
                return False
            shared = self._shared
            text = shared.hoped if steps.drafting == "guess" else shared.committed
            budget, outcomes = shared.budget, shared.outcomes
            shared.outcomes = []
        for outcome in outcomes:
            self.drafter.accepted(outcome)
        tree = draft(self.drafter, self.target, text, budget)
        with self.scheduler.atomically():
            steps.finish_draft()
            self._shared.waiting = (text, tree)
        return True
