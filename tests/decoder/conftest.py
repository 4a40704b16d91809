"""One thread a process: for models this small a second one waits for the first, and tests run side by side anyway."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch

from .models import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> Any:
    """A target with windows; modules that look at others have a fixture of their own."""
    return tiny("gemma3")


@pytest.fixture(scope="module")
def prompt() -> torch.Tensor:
    """Twelve tokens, some of them repeated; ``(1, 12)``, int64."""
    return torch.tensor([[5, 17, 3, 44, 17, 3, 9, 80, 23, 61, 7, 12]])


def no_thread_is_left() -> bool:
    """Whether no drafter's worker is running; the test runner may have threads of its own."""
    return not any(thread.name.startswith("protocheck") for thread in threading.enumerate())
