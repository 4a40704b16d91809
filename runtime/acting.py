"""Acting out a checker's counter-example on a real model: what the dropped guard would have prevented, seen happening.

A trace is plain data: actions with their arguments. Each action is done for real, with forwards that halt between a
layer's update and its attention while the trace goes on; then the decoder goes on as it would. What a forward says is
compared with a plain forward of the same text, which shares nothing with any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..protocols.tree_cache import TreeCache
from ..transpiler.questions import without
from .acting_cache import act_on_cache
from .effects import Act, Effect


def act_out(
    model: Any,
    guard: str,
    trace: Sequence[Act],
    constants: Mapping[str, Any],
    *,
    prompt: Sequence[int],
    guarded: bool = False,
) -> Effect:
    """What comes of a counter-example, with the guard dropped, or with all guards in place.

    model: a causal language model of `transformers`, fp32. guard: `tree_cache.commit.no_reader_above`, the one that the
    trace was found without. constants: those of the check. prompt: tokens, a dozen or so.

    Raises ValueError for a guard that there is not, or a trace that does not fit the model.
    """
    name, _, rest = guard.partition(".")
    if name != "tree_cache":
        raise ValueError(f"{guard!r} names no guard of the decoder")
    variant = TreeCache if guarded else without(TreeCache, rest)
    return act_on_cache(model, trace, constants, prompt=prompt, variant=variant)
