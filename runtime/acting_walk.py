"""Traces of `Walk`, acted out on a real model: what is emitted, beside what plain decoding emits.

The checker's tokens are numbers; which are right is what its target says. Here the right token at a place is the one
that the model emits there, any other number is another token. `propose` verifies the tree in one forward; a verdict is
the model's own choice at the node that the walk is at. When the trace is over, the walk goes on to the end of the text.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..protocols.walk import Walk
from ..transpiler.questions import enabled
from .acting_stage import Scene, Stage
from .effects import Effect, Plain, Unreached
from .target import TargetModel
from .tree import DraftTree

ROOM = 64
"""Rows for more tokens than any trace emits."""


def act_on_walk(scene: Scene, variant: type[Walk] = Walk) -> Effect:
    """What comes of a trace.

    The text ends after as many tokens as the checker's target emits, which the trace's initial state chose.
    variant: the protocol, or one that has lost a guard.
    """
    return _Text(scene, variant).play()


class _Text(Stage):
    """One text, its cache, and the walk through one tree after the other."""

    def __init__(self, scene: Scene, variant: type[Walk]) -> None:
        super().__init__(scene)
        model, constants, prompt = scene.model, scene.constants, scene.prompt
        self.target = TargetModel(model)
        self.right: tuple[int, ...] = tuple(scene.chosen["trace"])
        self.text = list(prompt)
        self.emitted: list[int] = []
        plain, text = Plain(model), tuple(prompt)
        self.plain: list[int] = []
        for _ in range(len(self.right) + constants["max_nodes"] + 1):
            self.plain.append(plain.likeliest(text))
            text += (self.plain[-1],)
        nodes = constants["max_nodes"] + 1
        self.rule = variant(vocabulary=self.target.vocabulary, max_output=ROOM, max_nodes=nodes)
        self.cache = self.target.new_cache(len(prompt) + ROOM, nodes)
        self.target.prefill(self.cache, self.text[:-1])
        self.tree: DraftTree | None = None
        self.logits: torch.Tensor | None = None
        # Why the tree that the trace proposes cannot be made; empty where it can.
        self.unmade = ""
        self.forwards = 0
        self.ended_by_user = False

    def is_wrong(self) -> bool:
        return self.emitted != self.plain[: len(self.emitted)]

    def judged(self) -> Effect:
        """The text beside the plain one."""
        plain, most = self.plain, len(self.right)
        for place, token in enumerate(self.emitted[:most]):
            if token != plain[place]:
                return Effect(
                    "corrupted", f"token {place + 1} of the text is {token}, where plain decoding emits {plain[place]}"
                )
        if len(self.emitted) > most:
            return Effect("corrupted", f"{len(self.emitted)} tokens were emitted, but the text ends after {most}")
        if len(self.emitted) < most and not self.ended_by_user:
            return Effect("corrupted", f"the text ends after {len(self.emitted)} tokens, the plain one after {most}")
        return Effect("unharmed", f"what was emitted is plain decoding's, in {self.forwards} forwards")

    def real(self, place: int, token: int) -> int:
        """The model's token for one of the checker's, at a place in the output."""
        right = self.right[place] if place < len(self.right) else 0
        known = self.plain[min(place, len(self.plain) - 1)]
        return known if token == right else (known + 1) % self.target.vocabulary

    # --- Acts ----------------------------------------------------------------------------------------------------

    def propose(self, tokens: Sequence[int], parents: Sequence[int]) -> None:
        depths = [0]
        for node, parent in enumerate(parents, start=1):
            depths.append(depths[parent] + 1 if parent < node else 1)
        depths += [1] * (len(tokens) - len(parents))
        drafted = tuple(
            self.real(len(self.emitted) + depth - 1, token) for token, depth in zip(tokens, depths[1:], strict=False)
        )
        self.rule.propose(drafted, tuple(parents))
        try:
            self.tree = DraftTree((self.text[-1], *drafted), (-1, *parents))
        except ValueError as error:
            # The trace goes on without it, to the step that the guarded protocol refuses.
            self.unmade = str(error)
            return
        self.logits = self.target.verify(self.cache, self.tree).logits
        self.forwards += 1
        if enabled(self.cache.steps.keep, 1):
            self.cache.keep(1)

    def descend(self, verdict: int, child: int) -> None:
        token = self.verdict(verdict)
        self.rule.descend(token, child)
        self.demand_logits()
        self.emit(token)
        self.cache.keep(child + 1)

    def finish(self, verdict: int) -> None:
        token = self.verdict(verdict)
        self.rule.finish(token)
        self.demand_logits()
        self.emit(token)
        self.over()

    def go_on(self) -> None:
        self.rule.go_on()

    def stop(self) -> None:
        self.rule.stop()
        self.ended_by_user = len(self.emitted) < len(self.right)
        self.over()

    def verdict(self, token: int) -> int:
        """What the model says at the node that the walk is at; where it has said nothing, what the trace says."""
        if self.logits is None:
            return self.real(len(self.emitted), token)
        return int(self.logits[self.rule.at].argmax())

    def demand_logits(self) -> None:
        if self.logits is None:
            raise Unreached(self.unmade or "no tree was verified, so that there is no verdict that could be emitted")

    def emit(self, token: int) -> None:
        self.emitted.append(token)
        self.text.append(token)

    def over(self) -> None:
        """The block is over: the kept rows are committed, the others are gone."""
        self.tree = self.logits = None
        self.cache.commit()

    # --- What comes after the trace ------------------------------------------------------------------------------

    def continued(self) -> None:
        """As the decoder does: ask for the end after each token, walk as far as the tree agrees, verify the next."""
        if self.unmade:
            raise Unreached(self.unmade)
        while self.rule.phase != "stopped":
            if not self.rule.asked:
                if len(self.emitted) >= len(self.right):
                    self.rule.stop()
                    break
                self.rule.go_on()
            if self.rule.phase == "between" or self.tree is None:
                self.propose((), ())
            assert self.tree is not None
            token = self.verdict(0)
            nodes = self.tree.children(self.rule.at).values()
            child = next((child for child in nodes if enabled(self.rule.descend, token, child)), None)
            if child is None:
                self.finish(0)
            else:
                self.descend(0, child)
