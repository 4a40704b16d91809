"""One thread a process: for models this small a second one waits for the first, and tests run side by side anyway."""

from __future__ import annotations

import threading

import torch

torch.set_num_threads(1)


def no_thread_is_left() -> bool:
    """Whether no drafter's worker is running; the test runner may have threads of its own."""
    return not any(thread.name.startswith("protocheck") for thread in threading.enumerate())
