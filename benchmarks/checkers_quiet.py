"""Whether anything else ran while something was measured: two threads need both cores, and so do TLC's workers."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

MOST_OTHERS = 0.1
"""Cores that others may use meanwhile; beyond that it is measured again."""

ATTEMPTS = 3


@dataclass(frozen=True)
class Load:
    """Seconds that all cores have been busy, that this process and its children have been, and the time."""

    busy: float
    own: float
    at: float

    @classmethod
    def now(cls) -> Load:
        own = sum(
            usage.ru_utime + usage.ru_stime
            for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        )
        try:
            # The first line sums all cores: user, nice, system, in ticks.
            ticks = Path("/proc/stat").read_text(encoding="ascii").split()[1:4]
            busy = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError):
            # Where the system does not say, nobody else is taken to run.
            busy = own
        return cls(busy, own, time.monotonic())

    def others_since(self, before: Load) -> float:
        """How many cores others have used on average, children that have not ended among them."""
        used = (self.busy - before.busy) - (self.own - before.own)
        return max(0.0, used / max(self.at - before.at, 0.01))
