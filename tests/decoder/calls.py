"""Calls of plain generation and of ours that mean the same, and decoders whose blocks are long."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from protocheck.runtime.decoder import SpeculativeDecoder

from .drafters import RightDrafter

LENGTH = 24

THREADS = pytest.mark.parametrize("threads", [False, True], ids=["inline", "threads"])


def plain(model: Any, ids: torch.Tensor, **arguments: Any) -> Any:
    arguments = {"max_new_tokens": LENGTH, "do_sample": False, "eos_token_id": None, **arguments}
    return model.generate(ids, attention_mask=arguments.pop("attention_mask", torch.ones_like(ids)), **arguments)


def ours(decoder: SpeculativeDecoder, ids: torch.Tensor, **arguments: Any) -> Any:
    arguments = {"max_new_tokens": LENGTH, "do_sample": False, "eos_token_id": None, **arguments}
    return decoder.generate(ids, attention_mask=arguments.pop("attention_mask", torch.ones_like(ids)), **arguments)


def oracle(model: Any, ids: torch.Tensor, **arguments: Any) -> SpeculativeDecoder:
    """A decoder whose drafts are all right, so that every stop lies in the middle of a block."""
    text = plain(model, ids, max_new_tokens=2 * LENGTH)
    drafter = RightDrafter(text[0].tolist(), branches=1)
    return SpeculativeDecoder(
        model, drafter, tree_budget=12, adaptive=False, monitors=True, provenance=True, **arguments
    )


class Heard:
    """A streamer that writes down what it was given."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.ended = 0

    def put(self, tokens: torch.Tensor) -> None:
        self.given.append(tokens.reshape(-1).tolist())

    def end(self) -> None:
        self.ended += 1
