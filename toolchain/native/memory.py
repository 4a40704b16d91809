"""How much memory a search may use where nobody says."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SHARE = 0.75
"""Of the memory that is available when the search begins."""

UNKNOWN = 2 << 30
"""Where the system does not say."""


def available_memory() -> int:
    """Bytes: a share of what is available, or of what a control group leaves to this process."""
    found = _of_system()
    limits = [limit for limit in (_of_group(),) if limit is not None]
    return int(SHARE * min([found, *limits]))


def _of_system() -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return UNKNOWN


def _of_group() -> int | None:
    """What the control group (version 2) of this process leaves to it; None without a limit."""
    folder = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            return max(0, int(limit) - int((folder / "memory.current").read_text(encoding="ascii")))
    return None


def megabytes(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 2**20:,.0f} MiB"
