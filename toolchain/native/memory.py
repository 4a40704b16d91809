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


def _of_group(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """What the control group of this process, and those around it, leave to it; None without a limit."""
    lines: list[str] = []
    with suppress(OSError):
        lines = own.read_text(encoding="utf-8").splitlines()
    left = [_left_in(root, "memory.max", "memory.current")]
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        # A path out of the tree that a container sees leads nowhere in it.
        parts = [] if ".." in path else path.strip("/").split("/")
        for depth in range(len(parts) + 1):
            if controllers == "":
                left.append(_left_in(root.joinpath(*parts[:depth]), "memory.max", "memory.current"))
            elif "memory" in controllers.split(","):
                group = root.joinpath("memory", *parts[:depth])
                left.append(_left_in(group, "memory.limit_in_bytes", "memory.usage_in_bytes"))
    return min((count for count in left if count is not None), default=None)


def _left_in(group: Path, limit: str, used: str) -> int | None:
    with suppress(OSError, ValueError):
        # The first version has a very large number for none, the second a word, which is no number.
        return max(
            0, int((group / limit).read_text(encoding="ascii")) - int((group / used).read_text(encoding="ascii"))
        )
    return None


def megabytes(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 2**20:,.0f} MiB"
