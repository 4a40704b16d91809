"""Whether the tokens of a drafter are those of the target: a number must stand for the same text in both."""

from __future__ import annotations

from typing import Any

from .base import TargetFacts


class VocabularyMismatch(ValueError):
    """Drafter and target do not have the same tokens."""


def check_vocabulary(target: TargetFacts, vocab_size: int, tokenizer: Any = None) -> None:
    """That a drafter's tokens are the target's, by their tokenizers, or else by their number.

    vocab_size: the tokens that the drafter's scores are over. It may differ from the target's only where both
        tokenizers are known and equal: many models have more scores than there are tokens, for the hardware's sake.
    tokenizer: the drafter's, with `get_vocab()`, as the target's.

    Raises VocabularyMismatch.
    """
    if tokenizer is not None and target.tokenizer is not None:
        _same(target.tokenizer, tokenizer)
    elif vocab_size != target.vocab_size:
        raise VocabularyMismatch(
            f"the drafter scores {vocab_size} tokens, the target {target.vocab_size}: with different tokenizers no "
            "draft would be right. If only the padding of their vocabularies differs, show it by giving both tokenizers"
        )


def _same(target: Any, drafter: Any) -> None:
    if target is drafter:
        return
    ours, theirs = drafter.get_vocab(), target.get_vocab()
    if ours == theirs:
        return
    token = min(text for text in ours.keys() | theirs.keys() if ours.get(text) != theirs.get(text))
    raise VocabularyMismatch(
        f"the drafter's tokenizer differs from the target's: {token!r} is {_number(ours.get(token))} for the drafter "
        f"and {_number(theirs.get(token))} for the target. Take a drafter of the target's own family"
    )


def _number(token: int | None) -> str:
    return "no token" if token is None else f"token {token}"
