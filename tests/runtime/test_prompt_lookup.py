"""Prompt lookup drafts what followed the same words before: several continuations, the likelier first."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from protocheck.runtime.acceptance import walk
from protocheck.runtime.drafters.base import Context, Outcome
from protocheck.runtime.drafters.prompt_lookup import PromptLookupDrafter
from protocheck.runtime.tree import DraftTree


def draft(drafter: PromptLookupDrafter, prompt: tuple[int, ...], budget: int = 16) -> DraftTree:
    drafter.start(prompt)
    return drafter.draft(Context(prompt), budget)


def texts(tree: DraftTree) -> set[tuple[int, ...]]:
    """The drafted continuations, from the root to each leaf."""
    leaves = [node for node in range(1, len(tree)) if not tree.children(node)]
    return {tuple(tree.tokens[step] for step in tree.path(leaf)[1:]) for leaf in leaves}


def tokens_a_forward(drafter: PromptLookupDrafter, text: list[int], begin: int, budget: int) -> float:
    """Decode a text that is known, as if a target emitted it."""
    drafter.start(tuple(text[:begin]))
    position, forwards = begin, 0
    while position < len(text):
        here = position
        tree = drafter.draft(Context(tuple(text[:here])), budget)
        assert len(tree) <= budget + 1
        assert tree.tokens[0] == text[here - 1]
        emitted = []
        for step in walk(tree, lambda _, e, here=here: text[here + len(e)]):  # type: ignore[misc]
            emitted.append(step.token)
            if here + len(emitted) == len(text):
                break
        drafter.accepted(Outcome(tuple(emitted), ()))
        position += len(emitted)
        forwards += 1
    return (len(text) - begin) / forwards


def test_one_match_is_a_chain() -> None:
    tree = draft(PromptLookupDrafter(shortest=2, least=0), (1, 2, 3, 4, 5, 1, 2))
    assert (tree.tokens, tree.parents) == ((2, 3, 4, 5, 1, 2), (-1, 0, 1, 2, 3, 4))


def test_several_matches_are_a_trie() -> None:
    """After 1 2 came 3 4 (twice) and 5: what they share is drafted once, and the more frequent one first."""
    tree = draft(PromptLookupDrafter(shortest=2, least=0, depth=2), (1, 2, 3, 4, 9, 1, 2, 5, 6, 9, 1, 2, 3, 7, 9, 1, 2))
    assert texts(tree) == {(3, 7), (3, 4), (5, 6)}
    assert tree.tokens[1] == 3
    assert tree.probabilities is not None
    assert tree.probabilities == tuple(sorted(tree.probabilities, reverse=True))


def test_a_longer_match_comes_first() -> None:
    """7 2 was followed by 8, longer ago than the two times that 2 alone was followed by 3."""
    prompt = (7, 2, 8, 1, 2, 3, 1, 2, 3, 7, 2)
    assert draft(PromptLookupDrafter(matches=1, least=0), prompt, budget=1).tokens == (2, 8)


def test_a_longer_match_outvotes_several_short_ones() -> None:
    """6 7 2 was followed by 8 once; 2 alone was followed by 3 twice, and more lately."""
    assert draft(PromptLookupDrafter(least=0), (6, 7, 2, 8, 1, 2, 3, 4, 2, 3, 6, 7, 2), budget=1).tokens == (2, 8)


def test_of_equals_the_latest_comes_first() -> None:
    prompt = (1, 5, 1, 6, 1, 7, 1)
    assert draft(PromptLookupDrafter(least=0, depth=1), prompt).tokens == (1, 7, 6, 5)
    assert draft(PromptLookupDrafter(least=0, depth=1, matches=2), prompt).tokens == (1, 7, 6)


@pytest.mark.parametrize("prompt", [(1,), (1, 2), (1, 2, 3, 4)])
def test_nothing_found(prompt: tuple[int, ...]) -> None:
    assert draft(PromptLookupDrafter(), prompt) == DraftTree((prompt[-1],), (-1,), (0.0,))


def test_bounds() -> None:
    repeated = (1, 2, 3, 4, 5, 6, 7, 8) * 4
    drafter = PromptLookupDrafter(least=0, depth=5)
    for budget in range(12):
        tree = draft(drafter, repeated, budget)
        assert len(tree) == min(budget, 5) + 1
    cautious = draft(PromptLookupDrafter(least=0.5), repeated)
    assert cautious.probabilities is not None
    assert len(cautious) > 1
    assert min(cautious.probabilities) >= -0.7


def test_what_was_emitted_is_looked_up_too() -> None:
    drafter = PromptLookupDrafter(shortest=2, least=0)
    drafter.start((1, 2))
    drafter.accepted(Outcome((3, 4, 5), (0,)))
    drafter.accepted(Outcome((1, 2), (0,)))
    assert drafter.draft(Context((1, 2, 3, 4, 5, 1, 2)), 3).tokens == (2, 3, 4, 5)


def test_a_guess_is_not_remembered() -> None:
    """A context ahead of the verdict is drafted from, but what it guessed wrongly is never found later."""
    drafter = PromptLookupDrafter(shortest=2, least=0)
    drafter.start((1, 2, 3, 9))
    drafter.draft(Context((1, 2, 3, 9, 1, 2, 8, 8, 8, 1, 2)), 4)
    drafter.accepted(Outcome((7, 1, 2), (0,)))
    assert texts(drafter.draft(Context((1, 2, 3, 9, 7, 1, 2)), 4)) == {(3, 9, 7, 1)}


def test_requests_share_nothing() -> None:
    drafter = PromptLookupDrafter()
    draft(drafter, (1, 2, 3) * 5)
    assert len(draft(drafter, (4, 1, 2))) == 1
    drafter.close()
    drafter.close()
    assert len(drafter.draft(Context((1, 2, 3, 1, 2)), 4)) == 1


def test_index_entered_at_once_or_bit_by_bit() -> None:
    numbers = random.Random(0)
    text = tuple(numbers.choices(range(6), k=300))
    bit_by_bit = PromptLookupDrafter()
    bit_by_bit.start(text[:1])
    for end in range(1, len(text) + 1):
        at_once = draft(PromptLookupDrafter(), text[:end])
        if end > 1:
            bit_by_bit.accepted(Outcome(text[end - 1 : end], (0,)))
        assert bit_by_bit.draft(Context(text[:end]), 16) == at_once


def test_a_tree_beats_a_single_match() -> None:
    """A text that says one of a few things after each word: several matches cover more of them than one."""
    numbers = random.Random(2)
    phrases = [[numbers.randrange(50) for _ in range(6)] for _ in range(12)]
    text = [token for _ in range(150) for token in numbers.choice(phrases)]
    one = tokens_a_forward(PromptLookupDrafter(matches=1), text, 300, 16)
    several = tokens_a_forward(PromptLookupDrafter(), text, 300, 16)
    assert one > 2
    assert several > 1.1 * one


def test_a_round_costs_microseconds() -> None:
    """Whatever the length of the text: the index grows by what is new."""
    numbers = random.Random(1)
    text = numbers.choices(range(40), k=20_000)
    drafter = PromptLookupDrafter()
    drafter.start(tuple(text))
    spent = []
    for _ in range(200):
        text.append(numbers.randrange(40))
        drafter.accepted(Outcome((text[-1],), (0,)))
        context = Context(tuple(text))
        begin = time.thread_time()
        drafter.draft(context, 16)
        spent.append(time.thread_time() - begin)
    # Some 60 µs on the machine that this was written on; entering the text anew would take 40,000.
    assert sorted(spent)[100] < 2_000e-6


def test_torch_is_not_loaded() -> None:
    code = "import sys, protocheck.runtime.drafters.prompt_lookup; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shortest": 0}, "n-grams of 0 to 4"),
        ({"shortest": 3, "longest": 2}, "n-grams of 3 to 2"),
        ({"matches": 0}, "0 matches"),
        ({"depth": 0}, "0 tokens deep"),
        ({"least": 1.0}, "least probability of 1.0"),
    ],
)
def test_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptLookupDrafter(**settings)
