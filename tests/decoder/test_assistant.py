"""An assistant model drafts what plain forwards of it say, whatever was accepted, dropped or cut off before."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from protocheck import GuardRefused, without
from protocheck.protocols.tree_cache import TreeCache
from protocheck.runtime.drafters.assistant import AssistantDrafter
from protocheck.runtime.drafters.base import Context, Outcome, TargetFacts
from protocheck.runtime.drafters.rows import TextRows
from protocheck.runtime.drafters.vocabulary import VocabularyMismatch
from protocheck.runtime.draws import TensorDraws
from protocheck.runtime.noise import CounterNoise
from protocheck.runtime.rejection import SampledTree, reject
from protocheck.runtime.target import TargetModel, UnsupportedModel
from protocheck.runtime.tree import DraftTree

from .distributions import chi_square, critical
from .models import prompt, shared, tiny

PROMPT = prompt(12)
FAMILIES = ("llama", "gemma3", "mistral")


def plain(model: Any, ids: tuple[int, ...]) -> torch.Tensor:
    """The scores behind a text, by a forward over all of it."""
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([ids])).logits[0, -1]
    return logits


def greedy_text(model: Any, ids: tuple[int, ...], count: int) -> tuple[int, ...]:
    for _ in range(count):
        ids += (int(plain(model, ids).argmax()),)
    return ids


def started(model: Any, *, facts: TargetFacts | None = None, **settings: Any) -> AssistantDrafter:
    drafter = AssistantDrafter(model, **settings)
    drafter.start(PROMPT, facts or TargetFacts.of(model))
    return drafter


@pytest.fixture
def forwards() -> Iterator[list[int]]:
    """The tokens of each forward of the shared llama model, as they happen."""
    counted: list[int] = []
    model = shared("llama")
    hook = model.register_forward_pre_hook(
        lambda _, __, arguments: counted.append(arguments["input_ids"].shape[1]), with_kwargs=True
    )
    yield counted
    hook.remove()


# ------------------------------------------------------------------------------------------------------------ chains


@pytest.mark.parametrize("family", FAMILIES)
def test_a_chain_is_the_models_own_continuation(family: str) -> None:
    model = shared(family)
    drafter = started(model, least=0)
    tree = drafter.draft(Context(PROMPT), 7)
    assert PROMPT[:-1] + tree.tokens == greedy_text(model, PROMPT, 7)
    assert tree.parents == tuple(range(-1, 7))
    assert tree.probabilities is not None
    for node in range(1, 8):
        said = plain(model, PROMPT[:-1] + tree.tokens[:node]).log_softmax(-1)
        added = tree.probabilities[node] - tree.probabilities[node - 1]
        assert added == pytest.approx(float(said[tree.tokens[node]]), abs=1e-4)


def test_one_forward_a_drafted_token(forwards: list[int]) -> None:
    """Also after a block of which everything was accepted, where the last draft has no row yet."""
    model = shared("llama")
    drafter = started(model, least=0)
    text = PROMPT
    drafter.draft(Context(text), 4)
    assert forwards == [11, 1, 1, 1, 1]
    forwards.clear()
    continuation = greedy_text(model, text, 5)[len(text) :]
    forwards.clear()
    drafter.accepted(Outcome(continuation, (0, 1, 2, 3, 4)))
    drafter.draft(Context(text + continuation), 4)
    assert forwards == [2, 1, 1, 1]


def test_the_same_context_again_costs_nothing(forwards: list[int]) -> None:
    drafter = started(shared("llama"), least=0)
    first = drafter.draft(Context(PROMPT), 4)
    forwards.clear()
    assert drafter.draft(Context(PROMPT), 4) == first
    assert forwards == []


def test_nothing_is_computed_before_a_draft_is_wanted(forwards: list[int]) -> None:
    drafter = started(shared("llama"))
    drafter.accepted(Outcome((), ()))
    assert drafter.draft(Context(PROMPT), 0) == DraftTree.root_only(PROMPT[-1])
    drafter.accepted(Outcome((5,), (0,)))
    assert forwards == []
    drafter.draft(Context((*PROMPT, 5)), 1)
    assert forwards == [12, 1]


def test_no_path_less_probable_than_asked_for() -> None:
    drafter = started(shared("llama"), least=0)
    whole = drafter.draft(Context(PROMPT), 8).probabilities
    assert whole is not None
    bound = torch.tensor(whole[3]).exp().item() * 0.999
    tree = started(shared("llama"), least=bound).draft(Context(PROMPT), 8)
    assert len(tree) == 4


# ------------------------------------------------------------------------------------------------------------- trees


def reference(model: Any, branches: int, budget: int) -> dict[tuple[int, ...], float]:
    """The most probable paths, by plain forwards, one more path at a time."""
    chosen: dict[tuple[int, ...], float] = {}
    candidates: dict[tuple[int, ...], float] = {}
    path: tuple[int, ...] = ()
    total = 0.0
    while len(chosen) < budget:
        values, tokens = plain(model, PROMPT + path).log_softmax(-1).topk(branches)
        candidates |= {(*path, t): total + v for v, t in zip(values.tolist(), tokens.tolist(), strict=True)}
        path = max(candidates, key=lambda p: candidates[p])
        total = chosen[path] = candidates.pop(path)
    return chosen


def paths(tree: DraftTree) -> dict[tuple[int, ...], float]:
    assert tree.probabilities is not None
    return {
        tuple(tree.tokens[step] for step in tree.path(node)[1:]): tree.probabilities[node]
        for node in range(1, len(tree))
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("width", [1, 3, 50])
def test_a_tree_holds_the_most_probable_paths(family: str, width: int) -> None:
    model = shared(family)
    tree = started(model, branches=3, width=width, least=0).draft(Context(PROMPT), 10)
    expected = reference(model, 3, 10)
    assert paths(tree) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("width", [1, 3])
def test_a_tree_of_a_model_that_is_sure_is_deep(width: int) -> None:
    """Where one token is likely the tree goes on behind it before it considers others."""
    model = tiny("llama")
    with torch.no_grad():
        model.lm_head.weight *= 4
    tree = started(model, branches=3, width=width, least=0).draft(Context(PROMPT), 12)
    assert max(tree.depths) > 4
    assert tree.probabilities is not None
    assert tree.probabilities == tuple(sorted(tree.probabilities, reverse=True))
    assert paths(tree) == pytest.approx(reference(model, 3, 12), abs=1e-3)


def test_wider_forwards_are_fewer(forwards: list[int]) -> None:
    started(shared("llama"), branches=3, width=1, least=0).draft(Context(PROMPT), 10)
    one_by_one = len(forwards)
    forwards.clear()
    started(shared("llama"), branches=3, width=4, least=0).draft(Context(PROMPT), 10)
    assert len(forwards) < one_by_one <= 1 + 10


@pytest.mark.parametrize("most", [1, 2, 4])
def test_forwards_are_bounded_and_what_they_did_not_reach_are_leaves(forwards: list[int], most: int) -> None:
    tree = started(shared("llama"), branches=3, forwards=most, least=0).draft(Context(PROMPT), 20)
    assert len(forwards) == 1 + most, "one was the prompt's"
    assert len(tree) - 1 == 3 * most, "each forward brought three candidates"
    forwards.clear()
    chain = started(shared("llama"), forwards=most, least=0).draft(Context(PROMPT), 20)
    assert (len(forwards), len(chain) - 1) == (1 + most, most)
    forwards.clear()
    drawn = started(shared("llama"), forwards=most, sampled=True, branches=2, least=0).draft(Context(PROMPT), 20)
    assert (len(forwards), max(drawn.depths)) == (1 + most, most)


# ------------------------------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_drafts_after_any_history(family: str, seed: int) -> None:
    """Accepted, corrected, drafted ahead of the verdict, not asked: what is said is what a plain forward says."""
    numbers = random.Random(seed)
    model = shared(family)
    rows = TextRows(TargetModel(model), PROMPT, 200)
    text = PROMPT
    for _ in range(12):
        for _ in range(numbers.randrange(3)):
            guess = tuple(numbers.choices(range(3, 101), k=numbers.randrange(3)))
            node = rows.reach(text + guess)
            assert torch.allclose(rows.logits(node), plain(model, text + guess), atol=2e-5)
            best = rows.logits(node).topk(2).indices.tolist()
            for token, child in zip(best, rows.grow([(node, token) for token in best]), strict=True):
                assert torch.allclose(rows.logits(child), plain(model, (*text, *guess, token)), atol=2e-5)
        agreeing = numbers.randrange(3)
        new = greedy_text(model, text, agreeing)[len(text) :] + (numbers.randrange(3, 101),)
        rows.emitted(new)
        text += new
        assert rows.cache.committed < len(text)
        assert rows.text == list(text)
    assert rows.cache.committed > len(PROMPT)


def test_rows_are_kept_where_the_draft_was_right() -> None:
    """Of the rows computed for a draft, those of the accepted path stay, also when it is not the first branch."""
    model = shared("llama")
    drafter = started(model, branches=2, width=6, least=0)
    tree = drafter.draft(Context(PROMPT), 6)
    assert drafter.cache is not None
    assert drafter.cache.committed == 11
    second = max(tree.children(0).values())
    drafter.accepted(Outcome((tree.tokens[second], 7), (0, second)))
    # The row of the root, and that of its second child, which was computed after the first one's.
    assert drafter.cache.committed == 13
    assert drafter.cache.tentative == 0
    again = drafter.draft(Context((*PROMPT, tree.tokens[second], 7)), 3)
    assert again.tokens[1] == int(plain(model, (*PROMPT, tree.tokens[second], 7)).argmax())


def test_a_draft_behind_what_is_certain_is_none() -> None:
    drafter = started(shared("llama"), least=0)
    drafter.draft(Context(PROMPT), 3)
    drafter.accepted(Outcome(greedy_text(shared("llama"), PROMPT, 3)[len(PROMPT) :], (0, 1, 2)))
    assert drafter.draft(Context(PROMPT), 3) == DraftTree.root_only(PROMPT[-1])


def test_a_failed_forward_leaves_nothing_behind() -> None:
    model = tiny("gemma3")
    drafter = started(model, least=0)
    drafter.draft(Context(PROMPT), 2)
    calls = 0

    def fail(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("planted")

    hook = model.model.layers[2].register_forward_hook(fail)
    drafter.accepted(Outcome((9,), (0,)))
    with pytest.raises(RuntimeError, match="planted"):
        drafter.draft(Context((*PROMPT, 9)), 5)
    hook.remove()
    assert drafter.cache is not None
    assert drafter.cache.tentative == 0
    assert set(drafter.cache.lengths()) == {drafter.cache.committed}
    tree = drafter.draft(Context((*PROMPT, 9)), 5)
    assert (*PROMPT, *tree.tokens) == greedy_text(model, (*PROMPT, 9), 5)


def verdict_during_a_forward(drafter: AssistantDrafter) -> tuple[BaseException | None, BaseException | None]:
    """What a verdict raises that arrives between a layer's update and its attention, and what the draft raises."""
    raised: list[BaseException | None] = []
    drafter.draft(Context(PROMPT), 2)
    assert drafter.cache is not None

    def arrive(layer: int) -> None:
        if layer == 1 and not raised:
            raised.append(None)
            try:
                drafter.accepted(Outcome((50,), (0,)))
            except GuardRefused as refusal:
                raised[0] = refusal

    drafter.cache.after_update = arrive
    try:
        drafter.draft(Context((*PROMPT, 50, 60)), 2)
    except (RuntimeError, IndexError) as error:
        return raised[0], error
    return raised[0], None


def test_a_verdict_during_a_forward_is_refused() -> None:
    """The rows that it would move are being read; afterwards the request can be closed."""
    drafter = started(shared("llama"), least=0)
    refusal, error = verdict_during_a_forward(drafter)
    assert isinstance(refusal, GuardRefused)
    assert refusal.guards == ("no_reader_above",)
    assert error is None
    cache = drafter.cache
    drafter.close()
    assert cache is not None
    assert cache.committed == cache.tentative == 0


def test_a_verdict_during_a_forward_without_the_guard() -> None:
    """The variant that the checker refutes takes the step, and the forward finds rows gone: here it crashes."""
    drafter = started(shared("llama"), least=0, tree_cache=without(TreeCache, "commit.no_reader_above"))
    refusal, error = verdict_during_a_forward(drafter)
    assert refusal is None
    # A mask that no longer fits, or, where the library cuts it to size, rows that are there no more.
    assert error is not None


def test_closing() -> None:
    drafter = started(shared("llama"))
    drafter.draft(Context(PROMPT), 3)
    cache = drafter.cache
    assert cache is not None
    drafter.close()
    drafter.close()
    assert cache.committed == cache.tentative == 0
    assert drafter.cache is None
    drafter.accepted(Outcome((1,), (0,)))
    with pytest.raises(RuntimeError, match="call start first"):
        drafter.draft(Context(PROMPT), 3)


# ------------------------------------------------------------------------------------------------------ drawn drafts


def warmed(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """A processor: top 6 at temperature 0.7."""
    assert ids.shape[0] == scores.shape[0] == 1
    scores /= 0.7
    return scores.masked_fill(scores < scores.topk(6).values[:, -1:], -float("inf"))


@pytest.mark.parametrize("branches", [1, 3])
def test_drawn_drafts_say_what_they_were_drawn_from(branches: int) -> None:
    model = shared("llama")
    tree = started(model, sampled=True, branches=branches, processors=warmed, least=0).draft(Context(PROMPT), 9)
    assert isinstance(tree, SampledTree)
    assert len(tree) == 10
    assert max(tree.depths) == 9 // branches
    for node in range(len(tree)):
        q = tree.proposals[node]
        assert (q is None) == (not tree.children(node))
        if q is not None:
            text = PROMPT[:-1] + tuple(tree.tokens[step] for step in tree.path(node))
            expected = warmed(torch.zeros(1, 1), plain(model, text)[None].clone())[0].softmax(-1)
            assert torch.allclose(q, expected, atol=1e-5)
            assert all(q[token] > 0 for token in tree.children(node))


def test_drawn_drafts_are_distributed_as_they_say() -> None:
    drafter = started(shared("llama"), sampled=True, processors=warmed, least=0)
    counts: dict[int, int] = {}
    for _ in range(600):
        tree = drafter.draft(Context(PROMPT), 1)
        counts[tree.tokens[1]] = counts.get(tree.tokens[1], 0) + 1
    assert isinstance(tree, SampledTree)
    q = tree.proposals[0]
    assert q is not None
    tokens = [token for token in q.nonzero()[:, 0].tolist() if q[token] * 600 >= 5]
    assert len(tokens) > 2
    kept = sum(counts.get(token, 0) for token in tokens)
    assert kept > 580
    expected = (q[tokens] / q[tokens].sum()).tolist()
    assert chi_square([counts.get(token, 0) for token in tokens], expected) < critical(len(tokens) - 1)


@pytest.mark.parametrize("branches", [1, 2])
def test_rejection_of_its_drafts_leaves_the_targets_distribution(branches: int) -> None:
    """Two tokens, accepted or not, from another model of eight tokens."""
    ids = prompt(6, vocab=8)
    target, model = tiny("llama", vocab=8, layers=2), tiny("llama", vocab=8, layers=2, seed=1)
    drafter = AssistantDrafter(model, sampled=True, branches=branches, least=0)
    drafter.start(ids, TargetFacts.of(target))
    said = functools.cache(lambda emitted: plain(target, ids + emitted).softmax(-1))
    draws = TensorDraws(torch.Generator().manual_seed(5))
    rounds, accepted = 1_000, 0
    counts = dict.fromkeys(itertools.product(range(8), repeat=2), 0)
    for _ in range(rounds):
        tree = drafter.draft(Context(ids), 2 * branches)
        steps = list(itertools.islice(reject(tree, lambda _, emitted: said(emitted), draws), 2))
        accepted += steps[0].child is not None
        first = steps[0].token
        counts[first, steps[1].token if len(steps) == 2 else draws.token(said((first,)))] += 1
    assert 0.1 * rounds < accepted < 0.95 * rounds
    expected = {pair: float(said(())[pair[0]] * said(pair[:1])[pair[1]]) for pair in counts}
    often = [pair for pair in counts if expected[pair] * rounds >= 5]
    cells = [(counts[pair], expected[pair]) for pair in often]
    cells.append((rounds - sum(count for count, _ in cells), 1 - sum(share for _, share in cells)))
    cells = [cell for cell in cells if cell[1] * rounds >= 5]
    shares = sum(share for _, share in cells)
    assert len(cells) > 8
    assert shares > 0.99
    assert chi_square([n for n, _ in cells], [share / shares for _, share in cells]) < critical(len(cells) - 1)


def test_own_randomness() -> None:
    """The same seed draws the same, torch's generator is not touched, and its seeds are not the drafter's."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = [started(shared("llama"), sampled=True, least=0, seed=s).draft(Context(PROMPT), 12) for s in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert first[0].tokens == first[1].tokens != first[2].tokens
    q = first[0].proposals  # type: ignore[attr-defined]
    repeated = [int(torch.multinomial(weights[None], 1)) for weights in q if weights is not None]
    assert tuple(repeated) != first[0].tokens[1:]


# ----------------------------------------------------------------------------------------------- what does not match


class Words:
    """A tokenizer, as far as it is looked at."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def get_vocab(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}


def facts(model: Any, **changes: Any) -> TargetFacts:
    return TargetFacts(**{**TargetFacts.of(model).__dict__, **changes})


def test_vocabularies_of_different_sizes_are_refused() -> None:
    target = TargetFacts.of(tiny("llama", vocab=90))
    with pytest.raises(VocabularyMismatch, match="the drafter scores 101 tokens, the target 90"):
        started(shared("llama"), facts=target)
    with pytest.raises(VocabularyMismatch, match="giving both tokenizers"):
        started(shared("llama"), facts=target, tokenizer=Words("a"))


def test_different_tokenizers_are_refused() -> None:
    model = shared("llama")
    drafter = AssistantDrafter(model, tokenizer=Words("a", "b", "c"))
    with pytest.raises(VocabularyMismatch, match="'b' is token 1 for the drafter and token 2 for the target"):
        drafter.start(PROMPT, facts(model, tokenizer=Words("a", "c", "b")))
    with pytest.raises(VocabularyMismatch, match="'c' is token 2 for the drafter and no token for the target"):
        drafter.start(PROMPT, facts(model, tokenizer=Words("a", "b")))
    assert drafter.cache is None
    drafter.start(PROMPT, facts(model, tokenizer=Words("a", "b", "c")))


@pytest.mark.parametrize("sampled", [False, True])
def test_a_drafter_with_more_padding_than_the_target(sampled: bool) -> None:
    """It never proposes a token that the target does not have."""
    model, words = shared("llama"), Words("a", "b")
    drafter = started(
        model, facts=facts(model, vocab_size=20, tokenizer=words), tokenizer=words, sampled=sampled, branches=4, least=0
    )
    tree = drafter.draft(Context(PROMPT), 40)
    assert len(tree) == 41
    assert max(tree.tokens[1:]) < 20
    if isinstance(tree, SampledTree):
        assert {q.shape for q in tree.proposals if q is not None} == {(20,)}


def test_a_target_with_more_padding_than_the_drafter() -> None:
    """Behind a token that it does not have it drafts nothing; what it draws from covers the target's vocabulary."""
    model, words = shared("llama"), Words("a", "b")
    drafter = started(
        model, facts=facts(model, vocab_size=128, tokenizer=words), tokenizer=words, sampled=True, least=0
    )
    tree = drafter.draft(Context(PROMPT), 3)
    assert isinstance(tree, SampledTree)
    assert tree.proposals[0] is not None
    assert tree.proposals[0].shape == (128,)
    assert len(tree) == 4
    drafter.accepted(Outcome((110,), (0,)))
    assert drafter.draft(Context((*PROMPT, 110)), 3) == DraftTree.root_only(110)


def test_texts_too_long_for_the_drafter() -> None:
    """No position beyond its last is asked of it, and behind that nothing is drafted."""
    model = tiny("llama", positions=14)
    drafter = started(model, facts=facts(model, max_positions=4096), least=0)
    assert len(drafter.draft(Context(PROMPT), 8)) == 3
    drafter.accepted(Outcome((5,), (0,)))
    assert len(drafter.draft(Context((*PROMPT, 5)), 8)) == 2
    drafter.accepted(Outcome((6, 7, 8), (0,)))
    assert len(drafter.draft(Context((*PROMPT, 5, 6, 7, 8)), 8)) == 1


def test_refused() -> None:
    model = shared("llama")
    with pytest.raises(ValueError, match="0 branches"):
        AssistantDrafter(model, branches=0)
    with pytest.raises(ValueError, match="0 nodes a forward"):
        AssistantDrafter(model, width=0)
    with pytest.raises(ValueError, match="0 forwards a draft"):
        AssistantDrafter(model, forwards=0)
    with pytest.raises(ValueError, match="least probability of 1"):
        AssistantDrafter(model, least=1)
    with pytest.raises(UnsupportedModel, match="head"):
        AssistantDrafter(model.model)


# ------------------------------------------------------------------------------------------------------ shared noise


def accepted_by_noise(target: Any, drafter: AssistantDrafter, padding: int, tokens: int) -> float:
    """The share of drafts of length 1 that are what the target samples by the noise of its positions."""
    noise = CounterNoise(3)
    drafter.start(PROMPT, facts(target, noise=noise, padding=padding))
    text, right = PROMPT, 0
    for _ in range(tokens):
        token = noise.choose(plain(target, text)[None], 5 + len(text))
        right += drafter.draft(Context(text), 1).tokens[1] == token
        drafter.accepted(Outcome((token,), (0,)))
        text += (token,)
    drafter.close()
    return right / tokens


def test_noise_that_is_shared_with_the_target() -> None:
    """The target itself as drafter is always right, also where it samples; with other noise it is not."""
    model = shared("llama")
    drafter = AssistantDrafter(model, least=0)
    assert accepted_by_noise(model, drafter, 5, 40) == 1
    assert accepted_by_noise(model, drafter, 4, 40) < 0.5
    assert accepted_by_noise(model, AssistantDrafter(model, least=0, branches=3, width=2), 5, 10) == 1


def test_without_noise_a_draft_of_what_is_sampled_is_often_wrong() -> None:
    model = shared("llama")
    drafter, noise = AssistantDrafter(model, least=0), CounterNoise(3)
    drafter.start(PROMPT, facts(model))
    sampled = [noise.choose(plain(model, PROMPT)[None], position) for position in range(40)]
    assert sum(token == drafter.draft(Context(PROMPT), 1).tokens[1] for token in sampled) < 20
