"""Traces of `HandOff`, acted out on a real drafter and a real verifier, each with a model's cache of its own.

`start_draft` and `start_verification` launch forwards in threads, which halt between a layer's update and its
attention; `finish_draft` and `verdict` let them go on. What is verified is what waits, whatever it was drafted from;
`close` releases both caches, whoever reads them. When the trace is over, the request goes on: to its last token, or to
its end. The drafter is right where the trace says that it is: it is the target itself, or garbled.
"""

from __future__ import annotations

import itertools
from typing import Any

from ..protocols.hand_off import HandOff
from ..transpiler.questions import enabled
from .acceptance import walk
from .acting_stage import Scene, Stage
from .drafters.assistant import AssistantDrafter
from .drafters.base import Context, Outcome, TargetFacts
from .effects import Effect, Plain, Unreached
from .flights import Flight
from .pruning import below, likeliest_path
from .target import TargetModel
from .tree import DraftTree

LENGTH = 6
"""Tokens of a request that goes on after its trace."""

BUDGET = 2
"""Nodes of a draft besides its root."""


def act_on_hand_off(scene: Scene, variant: type[HandOff] = HandOff) -> Effect:
    """What comes of a trace. variant: the protocol, or one that has lost a guard."""
    return _TwoEngines(scene, variant).play()


class _TwoEngines(Stage):
    """One request with its drafter and its verifier."""

    def __init__(self, scene: Scene, variant: type[HandOff]) -> None:
        super().__init__(scene)
        model, prompt = scene.model, scene.prompt
        self.steps = variant()
        self.target, self.prompt = TargetModel(model), tuple(prompt)
        self.cache = self.target.new_cache(len(prompt) + 64, 16, after_update=self.flights.between)
        self.target.prefill(self.cache, self.prompt[:-1])
        self.drafter = AssistantDrafter(model, least=0.0)
        self.drafter.start(self.prompt, TargetFacts.of(model))
        assert self.drafter.cache is not None
        self.drafter_cache = self.drafter.cache
        self.drafter_cache.after_update = self.flights.between
        self.right = all(act.arguments["hit"] for act in scene.trace if act.action == "verdict")
        self.text = self.hoped = self.prompt
        self.drafting: list[tuple[tuple[int, ...], Flight]] = []
        self.waiting: tuple[tuple[int, ...], DraftTree] | None = None
        self.verifying: list[tuple[DraftTree, Flight]] = []
        self.untold: list[Outcome] = []
        self.halting = True
        self.ended = False
        self.forwards_after_the_end = 0
        self.dropped = 0
        plain, text = Plain(model), self.prompt
        for _ in range(2 * LENGTH):
            text += (plain.likeliest(text),)
        self.plain = text

    def is_wrong(self) -> bool:
        return False  # the text is looked at when it is complete

    def judged(self) -> Effect:
        """The text beside the plain one."""
        emitted = len(self.text) - len(self.prompt)
        for whose, cache in (("target", self.cache), ("drafter", self.drafter_cache)):
            if any(cache.lengths()):
                return Effect(
                    "corrupted", f"the {whose}'s cache has rows after its release: {cache.lengths()} by layer"
                )
        for place, (token, plain) in enumerate(zip(self.text, self.plain, strict=False)):
            if token != plain:
                return Effect(
                    "corrupted",
                    f"token {place - len(self.prompt) + 1} of the text is {token}, where plain decoding emits {plain}",
                )
        if emitted < LENGTH and not self.ended:
            return Effect("corrupted", f"the text ends after {emitted} tokens, though nobody has ended it")
        return Effect(
            "unharmed",
            f"{emitted} tokens, all of them plain decoding's; {self.forwards_after_the_end} forwards were launched "
            f"after the end, {self.dropped} drafts dropped",
        )

    # --- Acts ----------------------------------------------------------------------------------------------------

    def start_draft(self) -> None:
        self.steps.start_draft()
        text = self.hoped if self.steps.drafting == "guess" else self.text
        untold, self.untold = self.untold, []

        def draft() -> DraftTree:
            for outcome in untold:
                self.drafter.accepted(outcome)
            tree = self.drafter.draft(Context(text), BUDGET)
            vocabulary = self.target.vocabulary
            tokens = tree.tokens[1:] if self.right else tuple((token + 1) % vocabulary for token in tree.tokens[1:])
            return DraftTree((tree.tokens[0], *tokens), tree.parents)

        self.drafting.append((text, self.launch("draft", draft)))

    def finish_draft(self) -> None:
        found = None
        if self.drafting:
            text, flight = self.drafting.pop()
            found = (text, self.flights.land(flight))
        self.steps.finish_draft()
        if found is None:
            raise Unreached("no draft is under way that could be finished")
        self.waiting = found

    def draft_failed(self) -> None:
        failing = bool(self.drafting)
        if failing:
            self.flights.fail(self.drafting.pop()[1])
        self.steps.draft_failed()
        if not failing:
            raise Unreached("no draft is under way that could fail")
        self.ended = True

    def start_verification(self) -> None:
        self.steps.start_verification()
        if self.waiting is None:
            raise Unreached("no draft waits that could be verified")
        drafted_from, tree = self.waiting
        self.waiting = None
        if len(self.text) > len(drafted_from):
            tree = below(tree, self.text[-1])
        self.hoped = self.text + tuple(tree.tokens[node] for node in likeliest_path(tree)[1:])
        flight = self.launch("verification", lambda: self.target.verify(self.cache, tree).logits)
        self.verifying.append((tree, flight))

    def verdict(self, hit: bool) -> None:
        landed = None
        if self.verifying:
            tree, flight = self.verifying.pop()
            landed = (tree, self.flights.land(flight))
        self.steps.verdict(hit)
        if landed is None:
            raise Unreached("nothing is being verified that there could be a verdict on")
        self.emit(*landed)

    def verification_failed(self) -> None:
        failing = bool(self.verifying)
        if failing:
            self.flights.fail(self.verifying.pop()[1])
            self.cache.commit()
        self.steps.verification_failed()
        if not failing:
            raise Unreached("nothing is being verified that could fail")
        self.ended = True

    def drop(self) -> None:
        self.steps.drop()
        self.waiting = None
        self.dropped += 1

    def abort(self) -> None:
        self.steps.abort()
        self.ended = True

    def close(self) -> None:
        self.steps.close()
        self.waiting = None
        self.drafter.close()
        self.cache.release()

    # --- Forwards ------------------------------------------------------------------------------------------------

    def launch(self, what: str, forward: Any) -> Flight:
        self.forwards_after_the_end += self.ended
        return self.flights.launch(what, forward, 0 if self.halting else None)

    def emit(self, tree: DraftTree, logits: Any) -> None:
        """The walk through what was verified, and what becomes of its rows."""
        best = logits.argmax(dim=-1).tolist()
        self.cache.keep(1)
        tokens: list[int] = []
        for step in walk(tree, lambda node, _: int(best[node])):
            tokens.append(step.token)
            if step.child is not None:
                self.cache.keep(step.child + 1)
        path = tuple(slot - 1 for slot in self.cache.commit())
        self.text += tuple(tokens)
        self.untold.append(Outcome(tuple(tokens), path))

    # --- What comes after the trace ------------------------------------------------------------------------------

    def continued(self) -> None:
        """The request's two workers, taking turns: what is in flight returns first."""
        self.halting = False
        steps = self.steps
        while steps.phase != "closed":
            if self.verifying:
                self.verified()
            elif self.drafting and steps.drafting is not None:
                self.finish_draft()
            elif self.drafting:
                # The protocol has forgotten this one; its thread returns all the same.
                self.flights.land(self.drafting.pop()[1])
            elif steps.phase == "open" and len(self.text) - len(self.prompt) >= LENGTH:
                self.abort()
            elif steps.phase == "open" and steps.waiting is not None and enabled(steps.start_verification):
                self.start_verification()
            elif steps.waiting == "stale" and steps.phase == "open":
                self.drop()
            elif steps.phase == "open" and enabled(steps.start_draft):
                self.start_draft()
            elif enabled(steps.close):
                self.close()
            else:
                raise RuntimeError(f"the request is stuck: {steps}")
        for _, flight in (*self.drafting, *self.verifying):
            # Closed under these, which only a variant does.
            self.flights.land(flight)

    def verified(self) -> None:
        """The verdict that the target really gives."""
        tree, flight = self.verifying.pop()
        logits = self.flights.land(flight)
        best = logits.argmax(dim=-1).tolist()
        path = likeliest_path(tree)
        hit = all(best[node] == tree.tokens[child] for node, child in itertools.pairwise(path))
        if self.steps.waiting == "guess" and self.waiting is not None:
            hit = hit and best[path[-1]] in self.waiting[1].children(0)
        self.steps.verdict(hit)
        self.emit(tree, logits)
