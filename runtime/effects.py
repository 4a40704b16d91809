"""What can come of a trace that is acted out, and the plain forwards that it is compared with.

The guarded protocol refuses the step that a counter-example needs (`refused`). A variant that has lost the guard takes
it, and then logits or rows or the text are wrong (`corrupted`), or something is raised (`crashed`), or nothing comes of
it (`unharmed`), or there is nothing in this runtime that the step could be done with (`unreached`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

Kind = Literal["refused", "corrupted", "crashed", "unharmed", "unreached"]

# In this order of interest: a wrong text that nobody notices is worse than an exception.
_ORDER: tuple[Kind, ...] = ("corrupted", "crashed", "refused", "unreached", "unharmed")

FAR = 1e-3
"""Logits or rows in fp32 that differ by more were computed from something else: far above what another order of
summation does (1e-5), far below what one wrong row does."""


@dataclass(frozen=True, slots=True)
class Act:
    """One step of a trace; arguments by name."""

    action: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.action}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of a trace.

    why: one sentence. step: which act, from 0, was refused or raised; None where it came after the trace or not at all.
    guards: those that refused. layer: where forwards halted, rounds: of drafting that came before they went on; None
    where no forward was halted. note: what was otherwise than in the decoder, a clause; empty where nothing was.
    """

    kind: Kind
    why: str
    step: int | None = None
    guards: tuple[str, ...] = ()
    layer: int | None = None
    rounds: int | None = None
    note: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.why}{f' ({self.note})' if self.note else ''}"


class Unreached(Exception):
    """There is nothing in this runtime that the step could be done with."""


def worst(effects: Iterable[Effect]) -> Effect:
    """The effect that matters most; of equals the first."""
    return min(effects, key=lambda effect: _ORDER.index(effect.kind))


class Plain:
    """What a model says of a text on its own: one forward of all of it, without a cache."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._known: dict[tuple[int, ...], torch.Tensor] = {}

    def logits(self, text: tuple[int, ...]) -> torch.Tensor:
        """Behind the last token: [vocabulary]."""
        if text not in self._known:
            with torch.no_grad():
                out = self.model(input_ids=torch.tensor([text], device=self.model.device), use_cache=False)
            self._known[text] = out.logits[0, -1]
        return self._known[text]

    def likeliest(self, text: tuple[int, ...], rank: int = 0) -> int:
        """The token of this rank behind a text, 0 for the one that greedy decoding emits."""
        return int(self.logits(text).topk(rank + 1).indices[rank])


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference; infinite where there is no number."""
    if found.shape != expected.shape:
        return float("inf")
    value = float((found - expected).abs().max()) if found.numel() else 0.0
    return value if value == value else float("inf")
