"""What is measured of the demonstration, and the prompts it is measured with."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from typing import Any

from ..drafters.block import BlockDrafter
from ..drafters.block_model import BlockModel
from .checkpoint import Progress
from .continuations import continue_prompts
from .measures import greedy_text, looping_share, repeats, tokens_a_forward
from .model import Target
from .target_training import bits_per_byte
from .windows import Corpus, held_out_prompts

# Beginnings that a user would try.
PROMPTS = (
    "def main(",
    "import os\nimport sys\n\n",
    "class Stack:\n",
    'def read_lines(path):\n    """',
    "for line in ",
    "if __name__ == ",
    "try:\n    import ",
    "def fibonacci(n):\n",
    "class Point:\n    def __init__(self, x, y):\n",
    "# Copyright",
)
NEW_TOKENS = 128
_BUDGETS = (4, 8, 16, 32)
_SEQUENCES = 16
_LOOP_PROMPTS, _LOOP_PROMPT = 256, 8  # so many held-out prompts of so many tokens


def looping_prompts(target: Target, tokenizer: Any, prompts: Sequence[str] = PROMPTS) -> list[str]:
    """The prompts after which greedy text repeats itself within 128 tokens."""
    return [prompt for prompt in prompts if repeats(greedy_text(target, tokenizer.encode(prompt), NEW_TOKENS))]


def sample_texts(target: Target, tokenizer: Any) -> Iterator[str]:
    """Each prompt with its greedy text, for a reader."""
    for prompt in PROMPTS:
        ids = greedy_text(target, tokenizer.encode(prompt), NEW_TOKENS)
        mark = "loops" if repeats(ids) else "does not loop"
        yield f"--- {prompt!r} {mark}\n{prompt}{tokenizer.decode(ids)}\n"


def measure_target(target: Target, tokenizer: Any, corpus: Corpus, progress: Progress | None) -> dict[str, object]:
    """Bits per byte of all held-out text, loops; and how long training took, where that is known."""
    measured: dict[str, object] = {
        "corpus": f"the source of the standard library of Python {platform.python_version()}",
        "parameters": sum(parameter.numel() for parameter in target.parameters()),
        "held_out_bits_per_byte": round(bits_per_byte(target, corpus.held_out), 4),
        "held_out_bytes": corpus.held_out.bytes,
        "prompts": len(PROMPTS),
        "looping_prompts": looping_prompts(target, tokenizer),
        "looping_share_of_held_out_prompts": round(
            looping_share(target, held_out_prompts(corpus.held_out, _LOOP_PROMPTS, _LOOP_PROMPT)), 3
        ),
    }
    return measured | _training(progress)


def measure_drafter(target: Target, model: BlockModel, corpus: Corpus, progress: Progress | None) -> dict[str, object]:
    """Tokens a forward at T=0.8 after held-out prompts: by budget, and for each axis of quantisation at 16 nodes."""
    said = continue_prompts(target, held_out_prompts(corpus.held_out, _SEQUENCES), 192, [0.8] * _SEQUENCES, seed=7)
    measured: dict[str, object] = {"parameters": sum(parameter.numel() for parameter in model.parameters())}
    for budget in _BUDGETS:
        rate = tokens_a_forward(target, BlockDrafter(model), said, budget).tokens_a_forward
        measured[f"tokens_a_forward_at_0.8_nodes_{budget}"] = round(rate, 3)
    for name, drafter in (
        ("weights_w4", BlockDrafter(model, weights="w4")),
        ("kv_q3.5", BlockDrafter(model, kv="q3.5")),
        ("weights_w4_kv_q3.5", BlockDrafter(model, weights="w4", kv="q3.5")),
    ):
        rate = tokens_a_forward(target, drafter, said, 16).tokens_a_forward
        measured[f"tokens_a_forward_at_0.8_nodes_16_{name}"] = round(rate, 3)
    return measured | _training(progress)


def _training(progress: Progress | None) -> dict[str, object]:
    if progress is None:
        return {}
    return {
        "training_seconds": round(progress.seconds),
        "training_steps": progress.step,
        "training_tokens": progress.tokens,
    }
