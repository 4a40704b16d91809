"""What runs protocols: the scheduler, and the decoder that it schedules.

Names are loaded when they are first asked for, so that the scheduler can be used without torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adoption import ChangedOutside
    from .monitors import InvariantViolated, Monitors, invariants
    from .recording import Recorder, RecordingTruncated
    from .scheduler import Scheduler
    from .waiting import Deadlock, Participant, Stopped, Stuck, WaitEnded, WaitTimeout

# Public name → the module that has it. Sorted; a name stands in __all__ and under TYPE_CHECKING too.
_LAZY = {
    "ChangedOutside": "adoption",
    "Deadlock": "waiting",
    "InvariantViolated": "monitors",
    "Monitors": "monitors",
    "Participant": "waiting",
    "Recorder": "recording",
    "RecordingTruncated": "recording",
    "Scheduler": "scheduler",
    "Stopped": "waiting",
    "Stuck": "waiting",
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
    "ChangedOutside",
    "Deadlock",
    "InvariantViolated",
    "Monitors",
    "Participant",
    "Recorder",
    "RecordingTruncated",
    "Scheduler",
    "Stopped",
    "Stuck",
    "WaitEnded",
    "WaitTimeout",
    "invariants",
]
