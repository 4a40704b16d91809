"""What a drafter is: it proposes a tree of tokens for a context, and is told which of them the target emitted.

A request is `start`, then `draft` and `accepted` in turn, then `close`. A drafter may be wrong, may draft nothing, and
may be asked to draft again without a verdict in between (where one was dropped): the output does not depend on it. It
has its own source of randomness and never touches torch's default generators, which belong to the target's draws.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..tree import DraftTree

if TYPE_CHECKING:
    import torch

    from ..noise import CounterNoise


@dataclass(frozen=True)
class TargetFacts:
    """What a drafter may know of the target.

    vocab_size: the tokens that the target's scores are over; a draft with any other token is an error.
    hidden_size: of the target's hidden states.
    max_positions: the longest sequence of the target, in tokens; None where it does not say.
    embeddings, head: the modules from tokens to vectors, and from the last hidden state to scores.
    tokenizer: the target's, where it is known.
    noise: what this request's tokens are sampled by, where it is a function of their position; None for any other way
        to choose them. A drafter that adds the same noise to its own scores drafts what the target would sample.
    padding: tokens of padding on the left of the prompt; positions of the noise count them, and no drafter sees them.
    """

    vocab_size: int
    hidden_size: int
    device: torch.device
    dtype: torch.dtype
    max_positions: int | None = None
    embeddings: torch.nn.Module | None = field(default=None, repr=False)
    head: torch.nn.Module | None = field(default=None, repr=False)
    tokenizer: Any = field(default=None, repr=False)
    noise: CounterNoise | None = None
    padding: int = 0

    @classmethod
    def of(cls, model: Any, tokenizer: Any = None) -> TargetFacts:
        """The facts of a causal language model of transformers."""
        config = model.config.get_text_config()
        embeddings = model.get_input_embeddings()
        return cls(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            device=embeddings.weight.device,
            dtype=embeddings.weight.dtype,
            max_positions=getattr(config, "max_position_embeddings", None),
            embeddings=embeddings,
            head=model.get_output_embeddings(),
            tokenizer=tokenizer,
        )


@dataclass(frozen=True, slots=True)
class Context:
    """ids: the prompt and everything emitted so far, without padding; the last one is the root of the next tree."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a draft.

    tokens: what is emitted: the accepted drafts, then the correction or bonus. One that a stop follows is the last.
    path: the nodes of the tree that were accepted, from the root 0 on; () after the prefill, which had no tree.
    hidden: the target's hidden states of the rows that are newly certain, [rows, len(hidden_layers), hidden_size], in
        the order of the text; None where `hidden_layers` is empty. After the prefill these are the rows of the prompt.
    """

    tokens: tuple[int, ...]
    path: tuple[int, ...]
    hidden: torch.Tensor | None = field(default=None, repr=False, compare=False)


class Drafter(typing.Protocol):
    """Any object with these methods drafts.

    hidden_layers: indices into the target's `hidden_states` (0: the embeddings) that the drafter wants to see; () for
    none.
    """

    @property
    def hidden_layers(self) -> tuple[int, ...]: ...

    def start(self, prompt: tuple[int, ...], target: TargetFacts) -> None:
        """A new request. Raises ValueError, before anything changes, where it cannot draft for this target."""
        ...

    def draft(self, context: Context, budget: int) -> DraftTree:
        """A tree whose root is the context's last token, and at most `budget` nodes besides it."""
        ...

    def accepted(self, outcome: Outcome) -> None:
        """The verdict on the last draft; and once after the prefill, before the first draft."""
        ...

    def close(self) -> None:
        """The request is over, or was aborted: everything that it holds is released. May be called again."""
        ...
