"""The block drafter: one forward, independent marginals, a tree; its context changes through `TreeCache` only."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from protocheck import GuardRefused, without
from protocheck.protocols.tree_cache import TreeCache
from protocheck.runtime.demonstration.drafter_training import block_loss
from protocheck.runtime.drafters.base import Context, Outcome, TargetFacts
from protocheck.runtime.drafters.block import BlockDrafter
from protocheck.runtime.drafters.block_model import BlockConfig, BlockModel
from protocheck.runtime.tree import DraftTree

VOCABULARY, WIDTH, LAYERS, BLOCK = 50, 32, 2, 6
CONFIG = BlockConfig(
    hidden_size=WIDTH,
    hidden_layers=(1, 3),
    block=BLOCK,
    layers=LAYERS,
    heads=2,
    kv_heads=1,
    head_dim=16,
    intermediate_size=48,
)


@pytest.fixture
def model() -> BlockModel:
    torch.manual_seed(1)
    return BlockModel(CONFIG)


@pytest.fixture
def facts() -> TargetFacts:
    torch.manual_seed(2)
    head = nn.Linear(WIDTH, VOCABULARY, bias=False).requires_grad_(False)
    return TargetFacts(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        device=torch.device("cpu"),
        dtype=torch.float32,
        max_positions=40,
        embeddings=nn.Embedding(VOCABULARY, WIDTH).requires_grad_(False),
        head=head,
    )


def hidden_rows(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, 2, WIDTH, generator=torch.Generator().manual_seed(seed))


def started(drafter: BlockDrafter, facts: TargetFacts, ids: tuple[int, ...]) -> BlockDrafter:
    """A drafter that knows the hidden states of all tokens but the last."""
    drafter.start(ids[:-1], facts)
    drafter.accepted(Outcome((), (), hidden_rows(len(ids) - 1)))
    return drafter


IDS = tuple(range(3, 15))


def test_a_tree_holds_the_most_probable_prefixes_of_the_block(model: BlockModel, facts: TargetFacts) -> None:
    drafter = started(BlockDrafter(model), facts, IDS)
    tree = drafter.draft(Context(IDS), 12)
    assert tree.tokens[0] == IDS[-1]
    assert len(tree) == 13
    assert max(tree.depths) <= BLOCK - 1
    # By hand: one forward over the root and five masks, behind the rows of the others.
    positions = torch.arange(len(IDS) - 1)[None]
    rows = model.context_rows(hidden_rows(len(IDS) - 1)[None], positions)
    assert isinstance(facts.embeddings, nn.Embedding)
    embedded = torch.cat((facts.embeddings(torch.tensor(IDS[-1:])), model.mask_embedding.expand(BLOCK - 1, -1)))
    states = model(embedded[None], torch.arange(len(IDS) - 1, len(IDS) - 1 + BLOCK)[None], rows)[0, 1:]
    assert isinstance(facts.head, nn.Linear)
    marginals = torch.log_softmax(facts.head(states), dim=-1)
    assert tree.probabilities is not None
    for node in range(1, len(tree)):
        path = tree.path(node)[1:]
        expected = sum(marginals[depth, tree.tokens[step]].item() for depth, step in enumerate(path))
        assert tree.probabilities[node] == pytest.approx(expected, abs=1e-4)
    assert tree.probabilities[1] == pytest.approx(marginals[0].max().item(), abs=1e-4)


def test_context_may_come_in_parts(model: BlockModel, facts: TargetFacts) -> None:
    whole = started(BlockDrafter(model), facts, IDS)
    parts = BlockDrafter(model)
    parts.start(IDS[:4], facts)
    rows = hidden_rows(len(IDS) - 1)
    parts.accepted(Outcome((), (), rows[:4]))
    for first, last in ((4, 5), (5, 5), (5, len(rows))):
        parts.draft(Context(IDS[: first + 1]), 8)  # a block between two verdicts leaves no trace
        parts.accepted(Outcome(IDS[first:last], (0,), rows[first:last]))
    one, other = whole.draft(Context(IDS), 10), parts.draft(Context(IDS), 10)
    assert one.tokens == other.tokens
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_drafts_depend_on_the_context(model: BlockModel, facts: TargetFacts) -> None:
    drafter = started(BlockDrafter(model), facts, IDS)
    other = BlockDrafter(model)
    other.start(IDS[:-1], facts)
    other.accepted(Outcome((), (), hidden_rows(len(IDS) - 1, seed=9)))
    assert drafter.draft(Context(IDS), 10) != other.draft(Context(IDS), 10)


def test_places_of_a_block_see_one_another_in_both_directions(model: BlockModel, facts: TargetFacts) -> None:
    rows = model.context_rows(hidden_rows(5)[None], torch.arange(5)[None])
    block = torch.randn(1, BLOCK, WIDTH)
    positions = torch.arange(5, 5 + BLOCK)[None]
    changed = block.clone()
    changed[0, -1] += 1
    moved = (model(block, positions, rows) - model(changed, positions, rows)).abs().amax(dim=2)[0]
    assert (moved > 1e-6).all(), "the first places do not see the last: attention is causal"


def test_positions_matter_only_relative_to_one_another(model: BlockModel) -> None:
    block, hidden = torch.randn(1, BLOCK, WIDTH), hidden_rows(5)[None]
    at = [
        model(
            block, torch.arange(5, 5 + BLOCK)[None] + shift, model.context_rows(hidden, torch.arange(5)[None] + shift)
        )
        for shift in (0, 7)
    ]
    assert torch.allclose(at[0], at[1], atol=1e-5)
    crowded = model(block, torch.full((1, BLOCK), 5), model.context_rows(hidden, torch.arange(5)[None]))
    assert not torch.allclose(at[0], crowded, atol=1e-3)


def test_tokens_without_hidden_states_are_the_beginning_of_the_block(model: BlockModel, facts: TargetFacts) -> None:
    """As when drafting runs ahead of a verdict: the optimistic path is known, but was not verified yet."""
    drafter = started(BlockDrafter(model), facts, IDS)
    ahead = drafter.draft(Context((*IDS, 20, 21)), 10)
    assert ahead.tokens[0] == 21
    assert 1 <= max(ahead.depths) <= BLOCK - 3
    assert ahead != drafter.draft(Context((*IDS, 22, 21)), 10), "the known tokens do not matter"
    full = drafter.draft(Context((*IDS, *range(20, 20 + BLOCK))), 10)
    assert full == DraftTree.root_only(20 + BLOCK - 1)


def test_nothing_is_drafted_without_context_or_budget(model: BlockModel, facts: TargetFacts) -> None:
    drafter = BlockDrafter(model)
    drafter.start((4,), facts)
    assert drafter.draft(Context((4,)), 8) == DraftTree.root_only(4)
    drafter.accepted(Outcome((), (), None))
    assert drafter.draft(Context((4,)), 8) == DraftTree.root_only(4)
    drafter.accepted(Outcome((5,), (0,), hidden_rows(1)))
    assert drafter.draft(Context((4, 5)), 0) == DraftTree.root_only(5)
    assert len(drafter.draft(Context((4, 5)), 8)) == 9


def test_the_budget_bounds_the_tree_but_not_the_block(model: BlockModel, facts: TargetFacts) -> None:
    drafter = started(BlockDrafter(model), facts, IDS)
    large = drafter.draft(Context(IDS), 30)
    small = drafter.draft(Context(IDS), 3)
    assert small.tokens == large.tokens[:4]
    assert small.parents == large.parents[:4]


def test_the_default_generator_is_left_alone(model: BlockModel, facts: TargetFacts) -> None:
    before = torch.random.get_rng_state()
    drafter = started(BlockDrafter(model, weights="w4", kv="q3.5"), facts, IDS)
    drafter.draft(Context(IDS), 10)
    drafter.close()
    assert torch.equal(torch.random.get_rng_state(), before)


# --- The protocol ----------------------------------------------------------------------------------------------------


def test_a_block_is_read_and_dropped_under_the_protocol(model: BlockModel, facts: TargetFacts) -> None:
    drafter = started(BlockDrafter(model), facts, IDS)
    rows = drafter.rows
    assert rows is not None
    seen: list[tuple[int, int, int]] = []

    def during(*_: Any) -> None:
        seen.append((rows.steps.committed, len(rows.steps.parents), rows.steps.reading["drafter"]))
        for forbidden in (rows.steps.release, rows.steps.commit, lambda: rows.steps.prefill(1)):
            with pytest.raises(GuardRefused):
                forbidden()

    inner = drafter._model
    inner.norm.register_forward_hook(during)
    drafter.draft(Context(IDS), 8)
    committed = len(IDS) - 1
    assert seen == [(committed, BLOCK, committed + BLOCK)]
    assert (rows.steps.committed, rows.steps.parents, rows.steps.reading["drafter"]) == (committed, (), 0)


def test_a_variant_of_the_protocol_is_what_is_executed(model: BlockModel, facts: TargetFacts) -> None:
    drafter = started(BlockDrafter(model, tree_cache=without(TreeCache, "release.nobody_reads")), facts, IDS)
    rows = drafter.rows
    assert rows is not None
    drafter._model.norm.register_forward_hook(lambda *_: rows.steps.release())
    drafter.draft(Context(IDS), 8)
    assert rows.committed == 0, "the variant lets a forward lose its rows"


def test_a_forward_that_fails_leaves_no_read_and_no_block(model: BlockModel, facts: TargetFacts) -> None:
    drafter = started(BlockDrafter(model), facts, IDS)
    rows = drafter.rows
    assert rows is not None

    def fail(*_: Any) -> None:
        raise MemoryError("no room")

    handle = drafter._model.norm.register_forward_hook(fail)
    with pytest.raises(MemoryError):
        drafter.draft(Context(IDS), 8)
    assert (rows.steps.committed, rows.steps.parents, rows.steps.reading["drafter"]) == (len(IDS) - 1, (), 0)
    handle.remove()
    assert drafter.draft(Context(IDS), 8) == started(BlockDrafter(model), facts, IDS).draft(Context(IDS), 8)


def test_drafts_at_the_end_of_the_positions_still_fit(model: BlockModel, facts: TargetFacts) -> None:
    ids = tuple(1 + position % 40 for position in range(41))
    drafter = started(BlockDrafter(model), facts, ids)
    assert len(drafter.draft(Context(ids), 8)) == 9
    # Behind them nothing is drafted, however far the text goes.
    text = ids
    for rows in (BLOCK + 1, 300, 1):
        text = (*text, *(1 + position % 40 for position in range(rows)))
        drafter.accepted(Outcome((), (), hidden_rows(rows)))
        assert drafter.draft(Context(text), 8) == DraftTree.root_only(text[-1])


def test_the_context_is_computed_when_a_draft_needs_it(
    model: BlockModel, facts: TargetFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is drafted for many rounds, none of them pays for a drafter."""
    drafter = BlockDrafter(model)
    drafter.start(IDS, facts)
    computed: list[int] = []
    compute = drafter._model.context_rows

    def counted(hidden: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        computed.append(hidden.shape[1])
        return compute(hidden, positions)

    monkeypatch.setattr(drafter._model, "context_rows", counted)
    hidden = hidden_rows(len(IDS) - 1)
    for row in hidden.split(1):
        drafter.accepted(Outcome((), (), row))
    assert computed == []
    assert drafter.draft(Context(IDS), 8) == started(BlockDrafter(model), facts, IDS).draft(Context(IDS), 8)
    assert drafter.draft(Context(IDS), 8).tokens[0] == IDS[-1]
    assert computed == [len(IDS) - 1]
    drafter.close()
    # Nor are they kept for ever.
    drafter.start(IDS, dataclasses.replace(facts, max_positions=600))
    for _ in range(600):
        drafter.accepted(Outcome((), (), hidden[:1]))
    assert computed[1:] == [256, 256]


def test_a_closed_drafter_holds_nothing_and_can_start_again(model: BlockModel, facts: TargetFacts) -> None:
    drafter = BlockDrafter(model)
    drafter.close()
    first = started(drafter, facts, IDS).draft(Context(IDS), 8)
    rows = drafter.rows
    assert rows is not None
    assert rows.stored_bytes > 0
    drafter.close()
    drafter.close()
    assert drafter.rows is None
    assert (rows.steps.committed, rows.stored_bytes) == (0, 0)
    drafter.accepted(Outcome((7,), (0,), hidden_rows(1)))  # the verdict of an aborted request
    with pytest.raises(RuntimeError, match="call start first"):
        drafter.draft(Context(IDS), 8)
    assert started(drafter, facts, IDS).draft(Context(IDS), 8) == first


# --- Wrong use -------------------------------------------------------------------------------------------------------


def test_targets_of_another_shape_are_refused(model: BlockModel, facts: TargetFacts) -> None:
    drafter = BlockDrafter(model)
    with pytest.raises(ValueError, match="trained for a target of width 32"):
        drafter.start((1, 2), dataclasses.replace(facts, hidden_size=64))
    with pytest.raises(ValueError, match="embeddings and head"):
        drafter.start((1, 2), dataclasses.replace(facts, head=None))
    assert drafter.rows is None
    drafter.start((1, 2), facts)
    with pytest.raises(RuntimeError, match="already has a request"):
        drafter.start((1, 2), facts)


def test_hidden_states_that_do_not_fit_are_refused(model: BlockModel, facts: TargetFacts) -> None:
    drafter = BlockDrafter(model)
    drafter.start((1, 2), facts)
    for hidden in (None, torch.zeros(2, 1, WIDTH), torch.zeros(2, 2, WIDTH + 1)):
        with pytest.raises(ValueError, match=r"\[rows, 2, 32\]"):
            drafter.accepted(Outcome((5,), (0,), hidden))
    drafter.accepted(Outcome((), (), hidden_rows(2)))
    with pytest.raises(ValueError, match="the last token is the root"):
        drafter.draft(Context((1, 2)), 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block": 1}, "2 tokens at least"),
        ({"hidden_layers": ()}, "without hidden_layers"),
        ({"head_dim": 15}, "even"),
        ({"heads": 3, "kv_heads": 2}, "same number"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)


def test_a_shape_survives_json() -> None:
    import json

    assert BlockConfig.from_dict(json.loads(json.dumps(CONFIG.as_dict()))) == CONFIG


# --- The two axes of quantisation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, "w4"])
@pytest.mark.parametrize("kv", [None, "q3.5"])
def test_either_axis_changes_drafts_a_little_and_the_model_not_at_all(
    model: BlockModel, facts: TargetFacts, weights: Any, kv: Any
) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    exact = started(BlockDrafter(model), facts, IDS)
    drafter = started(BlockDrafter(model, weights=weights, kv=kv), facts, IDS)
    scores, reference = drafter._marginals(IDS[-1:], BLOCK - 1), exact._marginals(IDS[-1:], BLOCK - 1)
    deviation = ((scores - reference).norm() / reference.norm()).item()
    if weights is None and kv is None:
        assert deviation == 0
    else:
        assert 1e-4 < deviation < 0.35
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    drafter.draft(Context(IDS), 8)


def test_kept_rows_take_the_bits_that_they_say(model: BlockModel, facts: TargetFacts) -> None:
    exact, coarse = started(BlockDrafter(model), facts, IDS), started(BlockDrafter(model, kv="q3.5"), facts, IDS)
    for drafter in (exact, coarse):
        drafter.draft(Context(IDS), 1)
    assert exact.rows is not None
    assert coarse.rows is not None
    rows = (len(IDS) - 1) * LAYERS * 2  # keys and values
    assert exact.rows.stored_bytes == rows * 16 * 4
    assert coarse.rows.stored_bytes == rows * (16 * 7 // 16 + 2)


def test_unknown_axes_are_refused(model: BlockModel) -> None:
    with pytest.raises(ValueError, match='"w4" or None'):
        BlockDrafter(model, weights="w8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r'"q3\.5" or None'):
        BlockDrafter(model, kv="w4")  # type: ignore[arg-type]
    odd = BlockModel(dataclasses.replace(CONFIG, head_dim=20))
    with pytest.raises(ValueError, match="multiple of 16"):
        BlockDrafter(odd, kv="q3.5")


def test_a_target_in_half_precision_has_a_drafter_in_it(model: BlockModel, facts: TargetFacts) -> None:
    assert facts.embeddings is not None
    assert facts.head is not None
    halved = dataclasses.replace(
        facts, dtype=torch.bfloat16, embeddings=facts.embeddings.bfloat16(), head=facts.head.bfloat16()
    )
    drafter = BlockDrafter(model, kv="q3.5")
    drafter.start(IDS[:-1], halved)
    drafter.accepted(Outcome((), (), hidden_rows(len(IDS) - 1).bfloat16()))
    assert len(drafter.draft(Context(IDS), 8)) == 9


# --- Training --------------------------------------------------------------------------------------------------------


def test_the_loss_of_packed_blocks_is_that_of_blocks_one_by_one(model: BlockModel, facts: TargetFacts) -> None:
    """Training computes many blocks in one forward under a mask; drafting computes one without."""
    assert isinstance(facts.embeddings, nn.Embedding)
    assert isinstance(facts.head, nn.Linear)
    target: Any = SimpleNamespace(get_input_embeddings=lambda: facts.embeddings, lm_head=facts.head)
    generator = torch.Generator().manual_seed(3)
    length, prompt = 30, 4
    ids = torch.randint(VOCABULARY, (2, length), generator=generator)
    hidden = torch.stack([hidden_rows(length, seed) for seed in (5, 6)])
    wanted = torch.softmax(torch.randn(2, length, VOCABULARY, generator=generator), dim=-1)
    loss = block_loss(model, target, ids, hidden, wanted, prompt, torch.Generator().manual_seed(4))

    # The same draws, and each block on its own.
    again = torch.Generator().manual_seed(4)
    starts = torch.randint(prompt - 1, length - BLOCK, (2, 16), generator=again)
    known = torch.randint(1, BLOCK - 1, (2, 16), generator=again)
    known = torch.where(torch.rand((2, 16), generator=again) < 0.75, 1, known)
    total = weight = 0.0
    for row in range(2):
        for start, count in zip(starts[row].tolist(), known[row].tolist(), strict=True):
            rows = model.context_rows(hidden[row : row + 1, :start], torch.arange(start)[None])
            masks = model.mask_embedding.expand(BLOCK - count, -1)
            block = torch.cat((facts.embeddings(ids[row, start : start + count]), masks))
            states = model(block[None], torch.arange(start, start + BLOCK)[None], rows)[0, count:]
            scores = torch.log_softmax(facts.head(states), dim=-1)
            for place in range(BLOCK - count):
                share = math.exp(-place / 4)
                total -= share * (scores[place] * wanted[row, start + count + place - 1]).sum().item()
                weight += share
    assert loss.item() == pytest.approx(total / weight, rel=1e-5)
