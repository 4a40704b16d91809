"""What a page starts with: the protocol, its variants, walks to step along, and a first block of states.

A page that a server stands behind starts with little and asks for more. A page that is a file by itself holds what will
ever be seen in it, and says what it lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .described import protocol_json
from .session import Block, Exploration, collect
from .walks import Search, Walk, both_ways, fits, search, walk_json

Json = Any

FIRST_STATES = 120
"""States that a page behind a server starts with."""
EMBEDDED_STATES = 4_000
"""States that a page in a file holds, unless the user asks for more."""
STATES_WITH_ALL_VARIANTS = 500
"""A page in a file has every variant if the baseline has no more states, else those that the user names."""


@dataclass
class Content:
    """What the user wants to see of a protocol.

    Attributes:
        session: the exploration, whose calls include those of the walks.
        target: what the user called the protocol.
        walks: the traces to step along; the first is shown.
        guard: the variant that is shown beside the baseline at first.
        said: guard ("" for the baseline) → what a search for a counter-example said.
    """

    session: Exploration
    target: str
    walks: list[Walk] = field(default_factory=list)
    guard: str | None = None
    said: dict[str, str] = field(default_factory=dict)

    def look_for(self, guard: str | None) -> Walk | None:
        """The counter-example of a variant, or of the baseline: one that is there, or what a short search finds."""
        known = next((walk for walk in self.walks if walk.guard == guard), None)
        if known is not None or (guard or "") in self.said:
            return known
        found: Search = search(self.session.machine(guard).instance)
        self.said[guard or ""] = found.said
        if found.walk is None or not fits(self.session, found.walk):
            return None
        self.walks.append(found.walk)
        return found.walk


def variants_for_a_file(content: Content) -> tuple[str, ...]:
    """The variants that a page in a file can show, each with its counter-example: those named, or all of a small
    protocol."""
    session = content.session
    named = dict.fromkeys(walk.guard for walk in content.walks if walk.guard is not None)
    if content.guard is not None or named:
        return tuple(dict.fromkeys([*named, *([content.guard] if content.guard is not None else [])]))
    if not collect(Block(session), session.initial(), (), STATES_WITH_ALL_VARIANTS):
        return ()
    for guard in session.guards:
        content.look_for(guard)
    return session.guards


def _common(content: Content, shown: Sequence[str]) -> dict[str, Json]:
    return {
        "protocol": protocol_json(content.session, content.target),
        "guards": list(shown),
        "walks": [walk_json(content.session, walk) for walk in content.walks],
        "said": content.said,
        "start": {
            "guard": content.guard,
            "walk": next((place for place, walk in enumerate(content.walks) if walk.guard == content.guard), None),
        },
    }


def live_content(content: Content, token: str) -> dict[str, Json]:
    """What the page starts with when a server answers its questions; `token` is what it has to show there."""
    session = content.session
    guards = [content.guard] if content.guard is not None else []
    block = Block(session)
    common = _common(content, session.guards)
    roots = [*session.initial(), *(number for walk in content.walks for number in both_ways(session, walk))]
    complete = collect(block, roots, guards, FIRST_STATES, follow=guards)
    return {**common, "block": block.json(), "live": token, "complete": ["", *guards] if complete else []}


def whole_content(content: Content, shown: Sequence[str], most: int = EMBEDDED_STATES) -> dict[str, Json]:
    """What a page by itself holds: at most so many states (and those of the walks in any case), and those next to them.

    shown: the variants that can be chosen in the page.
    """
    session = content.session
    block = Block(session)
    common = _common(content, shown)
    for walk in content.walks:
        for number in both_ways(session, walk):
            block.add(number, shown)
    baseline = collect(block, session.initial(), shown, most)
    # The states that only variants reach come last: what the baseline reaches matters most.
    variants = baseline and collect(block, list(block.views), shown, most, follow=shown)
    described = block.json()
    return {
        **common,
        "block": described,
        "live": None,
        "complete": ["", *shown] if variants else [""] if baseline else [],
        "embedded": {
            "states": len(block.views),
            "border": len(block.mentioned) - len(block.views),
            "baseline": baseline,
            "variants": variants,
        },
    }
