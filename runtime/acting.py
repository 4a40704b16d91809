"""Acting out a checker's counter-example on a real model: what the dropped guard would have prevented, seen happening.

A trace is plain data: actions with their arguments. Each action is done for real, with forwards that halt between a
layer's update and its attention while the trace goes on; then the decoder goes on as it would. What a forward says is
compared with a plain forward of the same text, which shares nothing with any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..protocols.hand_off import HandOff
from ..protocols.tree_cache import TreeCache
from ..protocols.walk import Walk
from ..transpiler.questions import without
from .acting_cache import act_on_cache
from .acting_hand_off import act_on_hand_off
from .acting_stage import Scene
from .acting_walk import act_on_walk
from .effects import Act, Effect


def act_out(
    model: Any,
    guard: str,
    trace: Sequence[Act],
    constants: Mapping[str, Any],
    *,
    prompt: Sequence[int],
    chosen: Mapping[str, Any] | None = None,
    guarded: bool = False,
) -> Effect:
    """What comes of a counter-example, with the guard dropped, or with all guards in place.

    model: a causal language model of `transformers`, fp32. guard: `tree_cache.commit.no_reader_above`, the one that the
    trace was found without. constants: those of the check. prompt: tokens, a dozen or so. chosen: what the trace's
    initial state chose (the target of `walk`).

    Raises ValueError for a guard that there is not, or a trace that does not fit the model.
    """
    name, _, rest = guard.partition(".")
    scene = Scene(model, trace, constants, prompt, chosen or {})
    match name:
        case "tree_cache":
            return act_on_cache(scene, TreeCache if guarded else without(TreeCache, rest))
        case "hand_off":
            return act_on_hand_off(scene, HandOff if guarded else without(HandOff, rest))
        case "walk":
            return act_on_walk(scene, Walk if guarded else without(Walk, rest))
    raise ValueError(f"{guard!r} names no guard of the decoder: begin with tree_cache, hand_off or walk")
