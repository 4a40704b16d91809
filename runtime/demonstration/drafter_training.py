"""Distil the block drafter on what the target says itself.

A round lets the target continue prompts of the corpus, greedily and at two temperatures; blocks are then cut out at
random places of these continuations. The loss is the cross-entropy to the target's own distribution after the true
tokens (distillation: Hinton et al., arXiv 1503.02531), weighted less for later places of a block, whose drafts count
only where the earlier ones were accepted (DFlash).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..drafters.block import BlockDrafter
from ..drafters.block_model import BlockModel
from .checkpoint import Progress, load_checkpoint, save_checkpoint, stop_requests
from .continuations import Continuations, continue_prompts, target_scores
from .measures import tokens_a_forward
from .model import Target, new_drafter_model
from .schedule import learning_rate_factor, optimisers
from .windows import Corpus, training_batch

_SEQUENCES = 64  # a round
_PROMPT, _NEW = 32, 224
_TEMPERATURES = (0.0, 0.8, 0.8, 1.0)  # of the sequences of a round, in turn
_BATCH = 16  # sequences a step
_PASSES = 3  # over the sequences of a round, each time with other blocks
_BLOCKS = 16  # a sequence and step
_DECAY = 4.0  # places of a block after which the weight has fallen to 1/e
_ONE_KNOWN = 0.75  # of the blocks that begin with one known token; the others with more, as when drafting runs ahead
_MEASURED, _MEASURED_NEW = 8, 160  # sequences and their length that the run is measured on
_SAVE_EVERY = 150.0  # seconds
_MEASURE_EVERY = 400.0  # seconds
_BUDGET = 16


@dataclass(frozen=True)
class DrafterRun:
    """A run of drafter training; as `TargetRun`."""

    checkpoint: Path
    seconds: float
    seed: int
    report: Callable[[str], None]


def train_drafter(
    run: DrafterRun, target: Target, corpus: Corpus, resume: bool, start: dict[str, torch.Tensor] | None
) -> BlockModel:
    """Train until the time is used up, or until the process is asked to stop; either way the last state is saved."""
    target.eval()
    target.requires_grad_(False)
    model = new_drafter_model(run.seed)
    if start is not None:
        model.load_state_dict(start)
    optimiser = optimisers(model.named_parameters(), scale=0.5)
    progress = Progress()
    if resume:
        weights, states, progress = load_checkpoint(run.checkpoint)
        model.load_state_dict(weights)
        optimiser.restore(states)
    saved = measured = progress.seconds
    measuring = continue_prompts(
        target, _prompts(corpus, _MEASURED, run.seed + 1, 0), _MEASURED_NEW, [0.8] * _MEASURED, run.seed
    )

    def save() -> None:
        save_checkpoint(run.checkpoint, model.state_dict(), optimiser.state(), progress)

    with stop_requests() as stop:
        while progress.seconds < run.seconds and not stop.is_set():
            began = time.monotonic()
            prompts = _prompts(corpus, _SEQUENCES, run.seed, progress.step)
            heat = [_TEMPERATURES[index % len(_TEMPERATURES)] for index in range(_SEQUENCES)]
            said = continue_prompts(target, prompts, _NEW, heat, progress.step)
            losses = _train_on(said, target, model, lambda: progress.seconds / run.seconds, optimiser.step, progress)
            progress.tokens += _SEQUENCES * _NEW
            progress.seconds += time.monotonic() - began
            run.report(
                f"step {progress.step:6} {progress.seconds:7.0f} s {progress.tokens:10} tokens  "
                f"loss {sum(losses) / len(losses):.4f}"
            )
            if progress.seconds - measured > _MEASURE_EVERY:
                measured = progress.seconds
                rate = tokens_a_forward(target, BlockDrafter(model), measuring, _BUDGET).tokens_a_forward
                progress.measured.append((progress.seconds, progress.tokens, rate))
                run.report(f"at T=0.8 with {_BUDGET} nodes: {rate:.3f} tokens a forward")
            if progress.seconds - saved > _SAVE_EVERY:
                saved = progress.seconds
                save()
        save()
    return model


def _prompts(corpus: Corpus, count: int, seed: int, step: int) -> torch.Tensor:
    return training_batch(corpus, count, _PROMPT - 1, seed, step)


def _train_on(
    said: Continuations,
    target: Target,
    model: BlockModel,
    share: Callable[[], float],
    take_step: Callable[[float], None],
    progress: Progress,
) -> list[float]:
    """The steps of a round; their losses."""
    losses: list[float] = []
    for first in range(0, len(said), _BATCH):
        chunk = slice(first, first + _BATCH)
        ids = said.ids[chunk]
        hidden, logits = target_scores(target, ids, model.config.hidden_layers)
        heat = said.temperatures[chunk][:, None, None].clamp(min=0.05)  # nearly one token where it is greedy
        wanted = torch.softmax(logits / heat, dim=-1)
        for _ in range(_PASSES):
            generator = torch.Generator().manual_seed(progress.step)
            with torch.autocast("cpu", torch.bfloat16):
                loss = block_loss(model, target, ids, hidden, wanted, said.prompt, generator)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            take_step(learning_rate_factor(progress.step, share()))
            losses.append(loss.item())
            progress.step += 1
    return losses


def block_loss(
    model: BlockModel,
    target: Target,
    ids: torch.Tensor,
    hidden: torch.Tensor,
    wanted: torch.Tensor,
    prompt: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """The loss of blocks at random places behind the prompt, all in one forward.

    ids: int64 [n, length]. hidden: [n, length, layers, hidden]. wanted: what the target expects after each token,
    [n, length, vocabulary].
    """
    count, length = ids.shape
    block = model.config.block
    starts = torch.randint(prompt - 1, length - block, (count, _BLOCKS), generator=generator)
    known = torch.randint(1, block - 1, (count, _BLOCKS), generator=generator)
    known = torch.where(torch.rand((count, _BLOCKS), generator=generator) < _ONE_KNOWN, 1, known)
    offsets = torch.arange(block)
    places = (starts[..., None] + offsets).flatten(1)  # [n, blocks · block], positions in the text
    is_known = (offsets < known[..., None]).flatten(1)
    tokens = ids.gather(1, places)

    # Each block sees the context before it and itself.
    sees_context = torch.arange(length) < starts.repeat_interleave(block, dim=1)[..., None]
    number = torch.arange(_BLOCKS).repeat_interleave(block)
    sees_block = (number[:, None] == number).expand(count, -1, -1)
    mask = torch.cat((sees_context, sees_block), dim=2)[:, None]

    embedded = torch.where(is_known[..., None], target.get_input_embeddings()(tokens), model.mask_embedding)
    context = model.context_rows(hidden, torch.arange(length)[None])
    states = model(embedded, places, context, mask)
    scores = target.lm_head(states[~is_known])
    labels = wanted[torch.arange(count)[:, None], places - 1][~is_known]
    away = (offsets.repeat(_BLOCKS) - known.repeat_interleave(block, dim=1))[~is_known]
    weights = torch.exp(-away / _DECAY)
    losses = torch.nn.functional.cross_entropy(scores.float(), labels, reduction="none")
    return (losses * weights).sum() / weights.sum()
