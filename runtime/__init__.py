"""What runs protocols: the scheduler, and the decoder that it schedules.

Names are loaded when they are first asked for, so that the scheduler can be used without torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adoption import ChangedOutside
    from .decoder import Protocols, SpeculativeDecoder
    from .drafters.assistant import AssistantDrafter
    from .drafters.base import Context, Drafter, Outcome, TargetFacts
    from .drafters.block import BlockDrafter
    from .drafters.prompt_lookup import PromptLookupDrafter
    from .drafting import Aborted
    from .monitors import InvariantViolated, Monitors, invariants
    from .pruning import DraftError
    from .recording import Recorder, RecordingTruncated
    from .request import Emitted
    from .scheduler import Scheduler
    from .target import UnsupportedModel
    from .tree import DraftTree
    from .waiting import Deadlock, Participant, Stopped, Stuck, WaitEnded, WaitTimeout

# Public name → the module that has it. Sorted; a name stands in __all__ and under TYPE_CHECKING too.
_LAZY = {
    "Aborted": "drafting",
    "AssistantDrafter": "drafters.assistant",
    "BlockDrafter": "drafters.block",
    "ChangedOutside": "adoption",
    "Context": "drafters.base",
    "Deadlock": "waiting",
    "DraftError": "pruning",
    "DraftTree": "tree",
    "Drafter": "drafters.base",
    "Emitted": "request",
    "InvariantViolated": "monitors",
    "Monitors": "monitors",
    "Outcome": "drafters.base",
    "Participant": "waiting",
    "PromptLookupDrafter": "drafters.prompt_lookup",
    "Protocols": "decoder",
    "Recorder": "recording",
    "RecordingTruncated": "recording",
    "Scheduler": "scheduler",
    "SpeculativeDecoder": "decoder",
    "Stopped": "waiting",
    "Stuck": "waiting",
    "TargetFacts": "drafters.base",
    "UnsupportedModel": "target",
    "WaitEnded": "waiting",
    "WaitTimeout": "waiting",
    "invariants": "monitors",
}


def __getattr__(name: str) -> Any:
    """Load the module of a public name."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Aborted",
    "AssistantDrafter",
    "BlockDrafter",
    "ChangedOutside",
    "Context",
    "Deadlock",
    "DraftError",
    "DraftTree",
    "Drafter",
    "Emitted",
    "InvariantViolated",
    "Monitors",
    "Outcome",
    "Participant",
    "PromptLookupDrafter",
    "Protocols",
    "Recorder",
    "RecordingTruncated",
    "Scheduler",
    "SpeculativeDecoder",
    "Stopped",
    "Stuck",
    "TargetFacts",
    "UnsupportedModel",
    "WaitEnded",
    "WaitTimeout",
    "invariants",
]
