"""How the learning rate follows the time that is there, and the two optimisers that share it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

_WARM_UP_STEPS = 50
_COOL_DOWN = 0.35  # of the time, at its end


def learning_rate_factor(step: int, progress: float) -> float:
    """Of the highest learning rate: linear warm-up over the first steps, then constant, then linear to 0.

    This is the warm-up, stable, decay schedule (Hu et al., arXiv 2404.06395, section 4) over time rather than steps,
    so that training ends when it was said to, however busy the machine is.

    step: steps taken since this schedule began. progress: share of its time that is used, 0 to 1.
    """
    warm_up = min(1.0, (step + 1) / _WARM_UP_STEPS)
    cool_down = min(1.0, (1.0 - min(progress, 1.0)) / _COOL_DOWN)
    return warm_up * cool_down


@dataclass(frozen=True)
class Optimisers:
    """Muon for the matrices inside the layers, AdamW for everything else.

    Muon: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon, as torch implements it. Learning rates are the
    highest ones; `step` scales them.
    """

    muon: torch.optim.Optimizer
    adam: torch.optim.Optimizer

    def step(self, factor: float) -> None:
        """Take a step at a share of the highest learning rate, and clear the gradients."""
        for optimiser in (self.muon, self.adam):
            for group in optimiser.param_groups:
                group["lr"] = group["highest"] * factor
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


def optimisers(parameters: Iterable[tuple[str, torch.nn.Parameter]], scale: float = 1.0) -> Optimisers:
    """The optimisers for named parameters; `scale` multiplies the learning rates."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in parameters:
        (matrices if parameter.ndim == 2 and "embed" not in name else others).append(parameter)
    muon = torch.optim.Muon([{"params": matrices, "highest": 0.02 * scale}], weight_decay=0.01, momentum=0.95)
    adam = torch.optim.AdamW([{"params": others, "highest": 0.003 * scale}], betas=(0.9, 0.95), weight_decay=0.0)
    return Optimisers(muon, adam)
