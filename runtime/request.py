"""One request: draft, verify, walk, commit, again and again, under the protocols that schedule it.

    tree = drafting.next(…)                 hand_off: start_draft, finish_draft, start_verification
    logits = target.verify(cache, tree)     tree_cache: extend for each node, start_read, finish_read (or fail_read)
    for each token:                         walk: descend or finish, then go_on or stop; tree_cache: keep
    gather the path, cut off the rest       hand_off: verdict; tree_cache: commit, evict

Whatever ends a request (its last token, an abort, a closed generator, an exception in either forward), `close` brings
it to the same end: nothing new is started, what is in flight returns, and then the rows are given back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..protocols.walk import Walk
from .acceptance import Step, walk
from .budget import Budget
from .cache import TreeKVCache
from .choosing import Chooser, argmax_of_all
from .drafters.base import Context, Outcome
from .drafting import Aborted, Drafting
from .pruning import likeliest_path
from .rejection import Draws, judge, proposals_of
from .statistics import Statistics
from .target import TargetModel
from .tree import DraftTree

Stop = Callable[[torch.Tensor, "tuple[torch.Tensor, ...] | None"], bool]
"""(ids [1, n], the scores kept so far) → whether the last token was the last of all. Asked after every token."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """One token of the output, and where it came from.

    drafted: the drafter had proposed it. forward: the target's forward that gave it, counted from 0. drafts: the nodes
    besides the root that this forward verified.
    """

    token: int
    drafted: bool
    forward: int
    drafts: int


@dataclass(frozen=True)
class Prompt:
    """What a request starts with.

    ids: [1, n] int64, n > 0. attention_mask: [1, n], 0 for padding on the left; None where there is none.
    longest: tokens that the text may have in the end, those of the prompt included.
    """

    ids: torch.Tensor
    attention_mask: torch.Tensor | None
    longest: int

    @property
    def padding(self) -> int:
        """Tokens of padding on the left."""
        return 0 if self.attention_mask is None else int((self.attention_mask == 0).sum())


class Request:
    """A text that is being continued. It owns the cache and the protocol instances until `close`.

    target, cache: the model, and an empty cache of its. drafting: where drafts come from, inline or a worker.
    chooser: how tokens are chosen; stop: when the text is over. draws: accept sampled drafts by rejection, with these
    draws; None: by the walk, as plain decoding chooses. at_end: shown the cache of a text that is complete, before its
    rows are given back. past: the library's cache with the rows of the prompt's beginning, which need not be computed.
    """

    def __init__(
        self,
        prompt: Prompt,
        target: TargetModel,
        cache: TreeKVCache,
        drafting: Drafting,
        rule: Walk,
        chooser: Chooser,
        stop: Stop,
        budget: Budget,
        *,
        draws: Draws[torch.Tensor] | None = None,
        prefill_chunk: int | None = None,
        at_end: Callable[[TreeKVCache], None] | None = None,
        past: Any = None,
    ) -> None:
        self.prompt, self.target, self.cache, self.drafting, self.rule = prompt, target, cache, drafting, rule
        self.chooser, self.stop, self.budget, self.draws = chooser, stop, budget, draws
        self.prefill_chunk, self.at_end, self.past = prefill_chunk, at_end, past
        self.statistics = Statistics()
        self.length = prompt.ids.shape[1]
        self._text = torch.empty((1, prompt.longest), dtype=torch.int64, device=prompt.ids.device)
        self._text[:, : self.length] = prompt.ids
        self._spoken: list[int] = prompt.ids[0, prompt.padding :].tolist()
        self._aborted = threading.Event()
        self._forwards = 0

    @property
    def ids(self) -> torch.Tensor:
        """All tokens so far, padding included: [1, length] int64. A view of what goes on to be written."""
        return self._text[:, : self.length]

    @property
    def _positions_left(self) -> int:
        """How deep below the last token the model has positions; plain generation may end before it needs more."""
        longest = self.target.max_positions
        return max(0, self.prompt.longest if longest is None else longest - len(self._spoken))

    def abort(self) -> None:
        """End the request, from any thread: the forward in flight returns, and nothing of it is emitted."""
        self._aborted.set()
        self.drafting.abort()

    def run(self) -> Generator[Emitted, None, None]:
        """The tokens one by one, each as soon as it is certain; however it ends, by `close`. Raises Aborted."""
        try:
            self._prefill()
            while self.rule.phase != "stopped":
                yield from self._round()
            if self.at_end is not None:
                self.at_end(self.cache)
        finally:
            self.close()

    def close(self) -> None:
        """Nothing new is started, what is in flight returns, and all rows are given back. May be called again."""
        self.rule.stop()
        try:
            self.drafting.end()
        finally:
            self.cache.release()

    # --- Stages --------------------------------------------------------------------------------------------------

    def _prefill(self) -> None:
        """All of the prompt but its last token, which is the root of the first tree."""
        prompt = self._spoken
        hidden = None
        mask = None if self.prompt.attention_mask is None else self.prompt.attention_mask[:, :-1]
        self._take_over()
        if self.length > self.cache.committed + 1:
            with self.statistics.stage("prefill"):
                hidden = self.target.prefill(
                    self.cache,
                    self.prompt.ids[0, self.cache.committed : -1].tolist(),
                    mask,
                    chunk=self.prefill_chunk,
                    hidden_layers=self.drafting.hidden_layers,
                    between=self._look_for_abort,
                ).hidden
        if hidden is not None:
            hidden = hidden[self.prompt.padding :]
        self.drafting.start(tuple(prompt), Outcome((), (), hidden))

    def _take_over(self) -> None:
        if self.past is None or self.drafting.hidden_layers or self.cache.provenance is not None:
            # Of rows that were computed elsewhere there are no hidden states, and nothing is known in debug runs.
            return
        self.cache.take_over(self.past)
        if self.prompt.attention_mask is not None:
            rows = self.past.get_seq_length()
            self.cache.attended = self.prompt.attention_mask[0, :rows].bool().to(self.target.device)

    def _round(self) -> Iterator[Emitted]:
        self._look_for_abort()
        remaining = self.prompt.longest - self.length
        seconds = self.statistics.seconds
        drafting, verifying = seconds["draft"], seconds["verify"] + seconds["commit"]
        with self.statistics.stage("draft"):
            # The last token of all needs no draft, and says nothing about drafts either.
            # A node `remaining` steps below the root would be emitted behind the end of the text.
            deepest = min(remaining - 1, self._positions_left)
            budget = self.budget.nodes() if deepest > 0 else 0
            tree = self.drafting.next(Context(tuple(self._spoken)), budget, deepest)
        try:
            with self.statistics.stage("verify"):
                result = self.target.verify(self.cache, tree, hidden_layers=self.drafting.hidden_layers)
        except BaseException:
            self.drafting.failed()
            raise
        self._look_for_abort()
        self._forwards += 1
        self.statistics.forwards += 1
        self.statistics.drafted += len(tree) - 1
        self.statistics.plain += len(tree) == 1
        emitted = 0
        for one in self._judged(tree, result.logits):
            emitted += 1
            yield one
        tokens = tuple(self._spoken[len(self._spoken) - emitted :])
        with self.statistics.stage("commit"):
            path = tuple(slot - 1 for slot in self.cache.commit())
        hidden = None if result.hidden is None else result.hidden[list(path)]
        as_hoped = path == likeliest_path(tree)
        with self.statistics.stage("draft"):
            self.drafting.judged(Outcome(tokens, path, hidden), as_hoped)
        if deepest > 0:
            # Choosing and walking are left out: they are paid for each token, drafted or not.
            self.budget.observe(
                nodes=len(tree) - 1,
                emitted=emitted,
                draft_seconds=seconds["draft"] - drafting,
                verify_seconds=seconds["verify"] + seconds["commit"] - verifying,
                path=path,
            )

    def _judged(self, tree: DraftTree, logits: torch.Tensor) -> Iterator[Emitted]:
        """The walk: a token is chosen, emitted, and the stopping criteria are asked, one after the other."""
        choose = self._chooser_of(tree, logits)
        self.cache.keep(1)
        steps = walk(tree, choose, self.rule)
        over = False
        while not over:
            with self.statistics.stage("walk"):
                step = next(steps, None)
                if step is None:
                    return
                over = self._taken(step)
            yield Emitted(step.token, step.child is not None, self._forwards - 1, len(tree) - 1)

    def _taken(self, step: Step) -> bool:
        """Emit a token; whether it is the last of all."""
        self._emit(step)
        self.statistics.tokens += 1
        self.statistics.accepted += step.child is not None
        with self.statistics.stage("choose"):
            # Asked about the last token too, as plain generation does.
            over = self.stop(self.ids, self.chooser.last_scores()) or self.length == self.prompt.longest
        if over:
            self.rule.stop()
        else:
            self.rule.go_on()
            if step.child is not None:
                self.cache.keep(step.child + 1)
        return over

    def _chooser_of(self, tree: DraftTree, logits: torch.Tensor) -> Callable[[int, tuple[int, ...]], int]:
        if self.draws is not None:
            return self._by_rejection(tree, logits, self.draws)
        if self.chooser.is_plain_argmax:
            with self.statistics.stage("choose"):
                best: Sequence[int] = argmax_of_all(logits)
            return lambda node, _: best[node]

        def chosen(node: int, _: tuple[int, ...]) -> int:
            with self.statistics.stage("choose"):
                return self.chooser.choose(self.ids, logits[node])

        return chosen

    def _by_rejection(
        self, tree: DraftTree, logits: torch.Tensor, draws: Draws[torch.Tensor]
    ) -> Callable[[int, tuple[int, ...]], int]:
        proposals = proposals_of(tree)

        def judged(node: int, _: tuple[int, ...]) -> int:
            with self.statistics.stage("choose"):
                p = torch.softmax(self.chooser.scores_of(self.ids, logits[node])[0], dim=-1)
                return judge(p.to(logits.device), proposals[node], tuple(tree.children(node)), draws)

        return judged

    def _emit(self, step: Step) -> None:
        self._text[0, self.length] = step.token
        self.length += 1
        self._spoken.append(step.token)

    def _look_for_abort(self) -> None:
        if self._aborted.is_set():
            raise Aborted(f"aborted after {self.statistics.tokens} tokens")
