"""Models whose rotary frequencies depend on the longest position of a forward, and from where on they do.

Such a model turns all queries of a forward by the same frequencies, which change with the longest position in it
(`dynamic_rope_update` of `transformers`). A tree reaches beyond the token that plain generation computes, and a prompt
may be computed in parts: beyond that position the two would use other frequencies for the same token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def steady_positions(config: Any) -> int | None:
    """How many positions have the same frequencies in every forward; None where all have.

    config: of a model's language part.
    """
    limits = [
        limit
        for parameters in _rotary_parameters(config)
        if _depends_on_length(parameters)
        for limit in (
            parameters.get("original_max_position_embeddings"),
            getattr(config, "original_max_position_embeddings", None),
            getattr(config, "max_position_embeddings", None),
        )
        if limit is not None
    ]
    return min(limits, default=None)


def _rotary_parameters(config: Any) -> Iterator[Mapping[str, Any]]:
    """All sets of parameters: one for the model, or one for each kind of layer."""
    # 5.x calls them rope_parameters, 4.57 rope_scaling.
    for name in ("rope_parameters", "rope_scaling"):
        found = getattr(config, name, None)
        if isinstance(found, Mapping):
            yield found
            yield from (each for each in found.values() if isinstance(each, Mapping))


def _depends_on_length(parameters: Mapping[str, Any]) -> bool:
    kind = parameters.get("rope_type", parameters.get("type"))
    return isinstance(kind, str) and ("dynamic" in kind or kind == "longrope")
