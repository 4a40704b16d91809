"""Hand-off between two workers of a speculative decoder: a drafter that may run ahead, and a verifier.

While the target verifies one draft, the drafter may prepare the next: on the optimistic path, the one on which all of
the draft is accepted. Such a draft is a `guess` until the verdict on the draft before it is there; then it is `true`,
or `stale` and dropped. Only a true draft is verified. When the request ends (its last token is out, it is aborted, a
worker has failed) nothing new is started, and it is closed when the forwards in flight have returned: only then may
the caches be released.

Inline it is the same protocol: start_draft, finish_draft, start_verification, verdict, one after the other. An
instance lives for one request, which is the epoch that real engines have to attach to each output.
"""

from typing import Annotated, Literal, Self

from protocheck import (
    Between,
    Protocol,
    action,
    ghost,
    guard,
    helper,
    infinitely_often,
    invariant,
    leads_to,
    reachable,
    terminal,
    transition_invariant,
)


class HandOff(Protocol):
    Label = Literal["true", "guess", "stale"]

    # What a draft was drafted from: the prefixes that are committed one after the other take turns in three names.
    Prefix = Annotated[int, Between(0, 2)]

    phase: Literal["open", "closing", "closed"] = "open"
    drafting: Label | None = None
    waiting: Label | None = None
    verifying: bool = False

    prefix: Prefix = ghost(0)
    drafting_from: Prefix | None = ghost(None)
    waiting_from: Prefix | None = ghost(None)
    verifying_from: Prefix | None = ghost(None)
    drafter_forwards: Annotated[int, Between(0, 2)] = ghost(0)

    @action(fairness="weak")
    def start_draft(self) -> None:
        """The drafter begins: on the committed prefix, or ahead of a verdict on the optimistic path."""
        guard(
            still_open=self.phase == "open",
            drafter_idle=self.drafting is None,
            nothing_waits=self.waiting is None,
        )
        self.drafting = "guess" if self.verifying else "true"
        self.drafting_from = self.optimistic() if self.verifying else self.prefix
        self.drafter_forwards += 1

    @action(fairness="weak")
    def finish_draft(self) -> None:
        """The draft is there, under the label that it has by now."""
        guard(is_drafting=self.drafting is not None)
        self.waiting, self.drafting = self.drafting, None
        self.waiting_from, self.drafting_from = self.drafting_from, None
        self.drafter_forwards -= 1

    @action
    def draft_failed(self) -> None:
        """The drafter's forward has raised: the request ends."""
        guard(is_drafting=self.drafting is not None)
        self.drafting = None
        self.drafting_from = None
        self.drafter_forwards -= 1
        self.phase = "closing"

    @action(fairness="weak")
    def start_verification(self) -> None:
        """The waiting draft goes to the target (a guess or a stale one: vllm#49620)."""
        guard(still_open=self.phase == "open", from_the_committed_prefix=self.waiting == "true")
        self.waiting = None
        self.verifying = True
        self.verifying_from, self.waiting_from = self.waiting_from, None

    @action(fairness="weak")
    def verdict(self, hit: bool) -> None:
        """The target's forward has returned; with `hit` the optimistic path is what was emitted, and nothing else."""
        guard(is_verifying=self.verifying)
        self.verifying = False
        self.verifying_from = None
        self.prefix = self.optimistic() if hit else self.other()
        if self.drafting is not None:
            self.drafting = "true" if hit and self.drafting == "guess" else "stale"
        if self.waiting is not None:
            self.waiting = "true" if hit and self.waiting == "guess" else "stale"

    @action
    def verification_failed(self) -> None:
        """The target's forward has raised: the request ends, and no verdict will make a guess true."""
        guard(is_verifying=self.verifying)
        self.verifying = False
        self.verifying_from = None
        self.phase = "closing"
        if self.drafting is not None:
            self.drafting = "stale"
        if self.waiting is not None:
            self.waiting = "stale"

    @action(fairness="weak")
    def drop(self) -> None:
        """What came of a wrong guess is dropped."""
        guard(is_stale=self.waiting == "stale")
        self.waiting = None
        self.waiting_from = None

    @action
    def abort(self) -> None:
        """The request ends, at its last token or before; forwards in flight go on."""
        guard(still_open=self.phase == "open")
        self.phase = "closing"

    @action(fairness="weak")
    def close(self) -> None:
        """Nothing is in flight any more: the caches may be released (earlier: vllm#32255; never: vllm#46283)."""
        guard(
            is_closing=self.phase == "closing",
            no_draft_in_flight=self.drafting is None,
            no_verification_in_flight=not self.verifying,
        )
        self.phase = "closed"
        self.waiting = None
        self.waiting_from = None

    @helper
    def optimistic(self) -> int:
        """The prefix that is committed next if all goes as the drafter says."""
        return (self.prefix + 1) % 3

    @helper
    def other(self) -> int:
        """The prefix that is committed next if it does not."""
        return (self.prefix + 2) % 3

    @terminal
    def closed(self) -> bool:
        return self.phase == "closed"

    @invariant
    def verifies_what_is_committed(self) -> bool:
        """The draft under verification was drafted from the committed prefix."""
        return not self.verifying or self.verifying_from == self.prefix

    @invariant
    def labels_are_right(self) -> bool:
        """A true draft continues the committed prefix, a guess the optimistic one while a verdict is out."""
        drafting_is_right = (self.drafting != "true" or self.drafting_from == self.prefix) and (
            self.drafting != "guess" or (self.verifying and self.drafting_from == self.optimistic())
        )
        waiting_is_right = (self.waiting != "true" or self.waiting_from == self.prefix) and (
            self.waiting != "guess" or (self.verifying and self.waiting_from == self.optimistic())
        )
        return drafting_is_right and waiting_is_right

    @invariant
    def one_forward_of_each(self) -> bool:
        """The drafter runs one forward at a time, and a true draft waits for the verifier only while that is idle."""
        one_of_the_drafter = self.drafter_forwards == (1 if self.drafting is not None else 0)
        return one_of_the_drafter and not (self.verifying and self.waiting == "true")

    @invariant
    def closed_is_quiet(self) -> bool:
        """Nothing is in flight when the caches are released, nor later."""
        return self.phase != "closed" or (self.drafting is None and not self.verifying and self.waiting is None)

    @transition_invariant
    def nothing_starts_at_the_end(self, after: Self) -> bool:
        """When the request ends no forward is launched."""
        launched = (after.verifying and not self.verifying) or after.drafter_forwards > self.drafter_forwards
        return self.phase == "open" or not launched

    @transition_invariant
    def ends_in_order(self, after: Self) -> bool:
        """A request is closed once, and not before it has been ended."""
        return (
            after.phase == self.phase
            or (self.phase == "open" and after.phase == "closing")
            or (self.phase == "closing" and after.phase == "closed")
        )

    @transition_invariant
    def nothing_good_is_lost(self, after: Self) -> bool:
        """A waiting draft is verified, or has proved stale, or the request is over."""
        gone = self.waiting is not None and after.waiting_from != self.waiting_from
        verified = self.waiting == "true" and after.verifying and not self.verifying
        return not gone or verified or self.waiting == "stale" or after.phase == "closed"

    @transition_invariant
    def committed_by_a_verdict(self, after: Self) -> bool:
        """What is committed changes with a verdict, and with nothing else."""
        return after.prefix == self.prefix or (self.verifying and not after.verifying)

    @leads_to("closed")
    def ended(self) -> bool:
        """What has been ended is closed in the end."""
        return self.phase == "closing"

    @infinitely_often
    def goes_on(self) -> bool:
        """Until then drafts are verified again and again."""
        return self.verifying or self.phase == "closed"

    @reachable
    def good_guess(self) -> bool:
        """A draft that was a guess waits to be verified while the next forward has not begun."""
        return self.waiting == "true" and self.prefix != 0

    @reachable
    def overlap(self) -> bool:
        """Both engines work at once."""
        return self.verifying and self.drafting == "guess"
