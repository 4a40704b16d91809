"""Counter-examples acted out on the demonstration model, for tests that `protocheck trace to-test` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .schedules import Step

if TYPE_CHECKING:
    from ..runtime.effects import Effect

PROMPT = tuple(range(5, 29))
"""Tokens to fill rows with: any will do, so long as there are more than a trace fills."""


def acted_on_demonstration(
    guard: str, steps: Sequence[Step], constants: Mapping[str, Any], chosen: Mapping[str, Any], *, guarded: bool
) -> Effect | None:
    """What comes of a schedule on the small model that is shipped; None where the schedule is for another model.

    guard: `tree_cache.commit.no_reader_above`, the one that is dropped unless `guarded`. chosen: what init chooses.
    Needs the extra `decoder`.
    """
    from ..runtime.acting import act_out
    from ..runtime.effects import Act
    from ..runtime.target import TargetModel

    evicts = any(action == "evict" for action, _ in steps)
    if evicts and TargetModel(_target()).layers.window != constants["window"] + 1:
        # Which rows may be evicted is a matter of the size of the model's sliding layers.
        return None
    acts = [Act(action, arguments) for action, arguments in steps]
    return act_out(_target(), guard, acts, constants, prompt=PROMPT, chosen=chosen, guarded=guarded)


@cache
def _target() -> Any:
    from ..runtime.demonstration.shipped import load_target

    return load_target()
