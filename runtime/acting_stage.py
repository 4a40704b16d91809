"""What acting out a trace is for every protocol: act after act, what the decoder would go on to do, and a verdict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..transpiler.refusals import GuardRefused
from .effects import Act, Effect, Unreached
from .flights import Flights


@dataclass(frozen=True)
class Scene:
    """What is acted out, and on what.

    model: a causal language model of `transformers`, fp32. trace: the acts. constants: those of the check.
    prompt: tokens. chosen: what the trace's initial state chose.
    """

    model: Any
    trace: Sequence[Act]
    constants: Mapping[str, Any]
    prompt: Sequence[int]
    chosen: Mapping[str, Any] = field(default_factory=dict)


class Stage(ABC):
    """One performance: it has a method for each action of its protocol, of the same name and with its arguments."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.flights = Flights()

    def play(self) -> Effect:
        """The trace, the rest of the request, and what came of it. No thread stays behind."""
        trace = self.scene.trace
        at: int | None = None
        try:
            for index, act in enumerate(trace):
                at = index
                getattr(self, act.action)(**act.arguments)
            at = None
            self.continued()
        except Unreached as error:
            return Effect("unreached", str(error), at)
        except Exception as error:
            if isinstance(error, GuardRefused) and at is not None and error.action == trace[at].action:
                return Effect("refused", str(error), at, error.guards)
            if not self.is_wrong():
                return Effect("crashed", f"{type(error).__name__}: {error}", at)
        finally:
            self.flights.ground()
        return self.judged()

    @abstractmethod
    def continued(self) -> None:
        """What the decoder does when the trace is over."""

    @abstractmethod
    def is_wrong(self) -> bool:
        """Whether something has been seen by now that is wrong: an exception would come too late."""

    @abstractmethod
    def judged(self) -> Effect:
        """Corrupted or unharmed, when everything is over."""
