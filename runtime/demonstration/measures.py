"""What the demonstration can do: how many tokens a verification yields, and whether text repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..drafters.base import Context, Drafter, Outcome, TargetFacts
from ..tree import DraftTree
from .continuations import Continuations, continue_prompts, target_scores
from .model import Target


@dataclass(frozen=True)
class Acceptance:
    """What became of drafts.

    rounds: verifications. tokens: emitted by them. reached: in how many rounds a draft at depth 1, 2, … was accepted.
    """

    rounds: int
    tokens: int
    reached: tuple[int, ...]

    @property
    def tokens_a_forward(self) -> float:
        """Tokens for each forward of the target; 1 without drafts."""
        return self.tokens / self.rounds


def tokens_a_forward(target: Target, drafter: Drafter, said: Continuations, budget: int) -> Acceptance:
    """How drafts fare on text that the target has drawn before.

    Acceptance by walking takes the draws that plain decoding would take, and a draft is accepted where it is what was
    drawn: following drawn text is the same experiment as decoding it anew, and needs no forward a round.
    """
    rounds = tokens = 0
    reached = [0] * budget
    hidden = [target_scores(target, ids[None], drafter.hidden_layers)[0][0] for ids in said.ids]
    for ids, rows in zip(said.ids.tolist(), hidden, strict=True):
        drafter.start(tuple(ids[: said.prompt]), TargetFacts.of(target))
        known = said.prompt - 1  # the last token of the prompt is the first root
        drafter.accepted(Outcome((), (), rows[:known]))
        while known + budget + 1 < len(ids):
            path = _walk(drafter.draft(Context(tuple(ids[: known + 1])), budget), ids[known + 1 :])
            for depth in range(1, len(path)):
                reached[depth - 1] += 1
            drafter.accepted(
                Outcome(tuple(ids[known + 1 : known + 1 + len(path)]), path, rows[known : known + len(path)])
            )
            known += len(path)
            rounds += 1
            tokens += len(path)
        drafter.close()
    while reached and not reached[-1]:
        reached.pop()
    return Acceptance(rounds, tokens, tuple(reached))


def _walk(tree: DraftTree, drawn: Sequence[int]) -> tuple[int, ...]:
    """The nodes whose tokens were drawn, from the root on."""
    path = [0]
    for token in drawn:
        child = tree.children(path[-1]).get(token)
        if child is None:
            break
        path.append(child)
    return tuple(path)


def repeats(ids: Sequence[int], longest: int = 40, times: int = 3) -> bool:
    """Whether a sequence ends in a loop: the same tokens, at most `longest`, so many times in a row; a period of one
    or two needs to fill twelve tokens."""
    for period in range(1, longest + 1):
        needed = max(times * period, 12)
        tail = ids[-needed:]
        if len(tail) == needed and all(tail[i] == tail[i - period] for i in range(period, needed)):
            return True
    return False


def looping_share(target: Target, prompts: torch.Tensor, new_tokens: int = 128) -> float:
    """The share of prompts, int64 [n, prompt], after which greedy text ends in a loop; `<eos>` ends nothing."""
    said = continue_prompts(target, prompts, new_tokens, [0.0] * len(prompts), seed=0)
    return sum(repeats(ids[said.prompt :]) for ids in said.ids.tolist()) / len(said)


def greedy_text(target: Target, prompt: Sequence[int], new_tokens: int) -> list[int]:
    """What the target says greedily after a prompt, without it; it may end early with ``<eos>``."""
    with torch.no_grad():
        output = target.generate(torch.tensor([list(prompt)]), max_new_tokens=new_tokens, do_sample=False)
    ids: list[int] = output[0, len(prompt) :].tolist()
    return ids
