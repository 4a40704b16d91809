"""Train the target: next-token prediction on windows of the corpus, for as long as there is time.

After a first part of the time the target is also taught not to repeat itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from .checkpoint import Progress, load_checkpoint, save_checkpoint, stop_requests
from .continuations import Continuations, continue_prompts
from .measures import looping_share
from .model import Target, new_target
from .schedule import learning_rate_factor, optimisers
from .unlikelihood import unlikelihood_loss
from .windows import Corpus, Row, held_out_batches, held_out_prompts, training_batch

_TOKENS_A_STEP = 4096
_SHORT, _LONG = 256, 512  # short windows train faster; the last part is for what needs more context
_LONG_FROM = 0.6  # of the time
_UNLIKELY_FROM = 0.35  # of the time: from then on loops in the target's own text are made less probable
_UNLIKELY_SEQUENCES, _UNLIKELY_STEPS = 32, 4  # said anew every few steps, a part of them for each step
_UNLIKELY_PROMPTS = (4, 8, 16, 32)  # lengths of prompts, in turn: a user's are short
_UNLIKELY_NEW = 136
_SAVE_EVERY = 150.0  # seconds
_MEASURE_EVERY = 600.0  # seconds
_SAMPLE = 48  # windows measured on the way
_LOOP_PROMPTS = 32  # held-out prompts continued on the way


@dataclass(frozen=True)
class TargetRun:
    """A run of target training.

    checkpoint: where it is saved. seconds: time for the whole run, over all resumptions. seed: of the first weights
    and of the windows. compiled: use torch.compile, which needs a C++ compiler and is a quarter faster. report: takes
    lines for the user.
    """

    checkpoint: Path
    seconds: float
    seed: int
    compiled: bool
    report: Callable[[str], None]


def train_target(run: TargetRun, corpus: Corpus, resume: bool, start: dict[str, torch.Tensor] | None) -> Target:
    """Train until the time is used up, or until the process is asked to stop; either way the last state is saved.

    resume: go on from the checkpoint. start: begin with these weights instead of random ones (a new schedule, whose
    warm-up gives the optimisers time).
    """
    target = new_target(run.seed)
    if start is not None:
        target.load_state_dict(start, strict=False)
    optimiser = optimisers(target.named_parameters())
    progress = Progress()
    if resume:
        weights, states, progress = load_checkpoint(run.checkpoint)
        target.load_state_dict(weights)
        optimiser.restore(states)
    loss_of = torch.compile(_loss, dynamic=False) if run.compiled else _loss
    saved = measured = progress.seconds
    recent: list[float] = []
    repeated: list[float] = []
    said: list[Continuations] = []

    def save() -> None:
        save_checkpoint(run.checkpoint, target.state_dict(), optimiser.state(), progress)

    with stop_requests() as stop:
        while progress.seconds < run.seconds and not stop.is_set():
            began = time.monotonic()
            share = progress.seconds / run.seconds
            length = _SHORT if share < _LONG_FROM else _LONG
            windows = training_batch(corpus, _TOKENS_A_STEP // length, length, run.seed, progress.step)
            loss = loss_of(target, windows)
            loss.backward()  # type: ignore[no-untyped-call]
            if share >= _UNLIKELY_FROM:
                part = progress.step % _UNLIKELY_STEPS
                if part == 0 or not said:
                    said = _own_text(target, corpus, run.seed, progress.step)
                unlikely = _unlikely(target, said[part])
                unlikely.backward()  # type: ignore[no-untyped-call]
                repeated.append(unlikely.item())
            torch.nn.utils.clip_grad_norm_(target.parameters(), 1.0)
            optimiser.step(learning_rate_factor(progress.step, share))
            recent.append(loss.item())
            progress.step += 1
            progress.tokens += _TOKENS_A_STEP
            progress.seconds += time.monotonic() - began
            if progress.step % 50 == 0:
                mean = sum(recent) / len(recent)
                also = f"  of loops {sum(repeated) / len(repeated):.4f}" if repeated else ""
                run.report(
                    f"step {progress.step:6} {progress.seconds:7.0f} s {progress.tokens:10} tokens  "
                    f"loss {mean:.4f}{also}"
                )
                recent.clear()
                repeated.clear()
            if progress.seconds - measured > _MEASURE_EVERY:
                measured = progress.seconds
                bits = bits_per_byte(target, corpus.held_out, sample=_SAMPLE)
                progress.measured.append((progress.seconds, progress.tokens, bits))
                loops = looping_share(target, held_out_prompts(corpus.held_out, _LOOP_PROMPTS))
                run.report(f"held out (a sample): {bits:.4f} bits a byte, {loops:.0%} of greedy texts loop")
            if progress.seconds - saved > _SAVE_EVERY:
                saved = progress.seconds
                save()
        save()
    return target


def _loss(target: Target, windows: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        logits = target(input_ids=windows[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())


def _own_text(target: Target, corpus: Corpus, seed: int, step: int) -> list[Continuations]:
    """What the target says greedily just now, in parts for the next steps."""
    length = _UNLIKELY_PROMPTS[step // _UNLIKELY_STEPS % len(_UNLIKELY_PROMPTS)]
    # Seeds of windows count from 0: these prompts are none of the training windows.
    prompts = training_batch(corpus, _UNLIKELY_SEQUENCES, length - 1, seed + 1_000_000, step)
    said = continue_prompts(target, prompts, _UNLIKELY_NEW, [0.0] * _UNLIKELY_SEQUENCES, step)
    size = _UNLIKELY_SEQUENCES // _UNLIKELY_STEPS
    return [
        Continuations(said.ids[first : first + size], said.prompt, said.temperatures[first : first + size])
        for first in range(0, _UNLIKELY_SEQUENCES, size)
    ]


def _unlikely(target: Target, said: Continuations) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return unlikelihood_loss(target, said)


def bits_per_byte(target: Target, row: Row, sample: int | None = None) -> float:
    """How many bits the target needs for a byte of held-out text, in fp32.

    The text is cut into windows of 512 tokens, each seen on its own, so that on average 256 tokens of context are
    there. sample: look at so many windows only, evenly spread.
    """
    batches = list(held_out_batches(row, 1, _LONG))
    if sample is not None and sample < len(batches):
        batches = batches[:: len(batches) // sample][:sample]
    nats, tokens = 0.0, 0
    was_training = target.training
    target.eval()
    with torch.no_grad():
        for windows in batches:
            logits = target(input_ids=windows[:, :-1], use_cache=False).logits
            nats += torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), windows[:, 1:].flatten(), reduction="sum"
            ).item()
            tokens += windows[:, 1:].numel()
    target.train(was_training)
    return nats / math.log(2) / tokens * (len(row.tokens) / row.bytes)
