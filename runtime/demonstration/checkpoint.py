"""Training that can be interrupted: a checkpoint is whole or absent, and says all that is needed to go on."""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from .files import write_atomically


@dataclass
class Progress:
    """How far a run has come: what its learning rate, its windows and its report depend on.

    step: steps taken. seconds: time used by them. tokens: tokens trained on. measured: (seconds, tokens, measure)
    where the run was measured: bits per byte for the target, accepted drafts a block for the drafter.
    """

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    measured: list[tuple[float, int, float]] = field(default_factory=list)


def save_checkpoint(path: Path, model: dict[str, torch.Tensor], optimisers: dict[str, Any], progress: Progress) -> None:
    """Write a checkpoint in one step."""
    buffer = io.BytesIO()
    torch.save({"model": model, "optimisers": optimisers, "progress": vars(progress)}, buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any], Progress]:
    """Read a checkpoint back: the model's tensors, the optimisers' states, the progress."""
    read = torch.load(path, weights_only=True)
    return read["model"], read["optimisers"], Progress(**read["progress"])


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set instead of ending the process, so that a run can save what it has."""
    stop = threading.Event()

    def request(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
