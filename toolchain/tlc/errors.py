"""What can go wrong with the tools themselves, as opposed to what TLC finds in a model."""

from __future__ import annotations

from pathlib import Path


class ToolError(Exception):
    """A tool could not do its work. The text says what is wrong, why, and what to do about it.

    Attributes:
        problem: what is wrong, one sentence.
        reason: why, or "" where the problem says it all.
        remedy: what the user can do, or "".
    """

    def __init__(self, problem: str, *, reason: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.reason = reason
        self.remedy = remedy
        super().__init__("\n".join(part for part in (problem, reason, remedy) if part))


class JavaNotFound(ToolError):
    """No usable Java was found."""


class TlcNotFound(ToolError):
    """No usable ``tla2tools.jar`` was found, or the one that was asked for is none."""


class InstallError(ToolError):
    """``tla2tools.jar`` could not be installed; the cache is as it was."""


class CacheError(ToolError):
    """The user's cache directory cannot be used."""


class RunError(ToolError):
    """TLC could not be started, or its output makes no sense. Never raised for what TLC finds in a model.

    Attributes:
        workspace: the directory kept for inspection, or None.
    """

    def __init__(self, problem: str, *, reason: str = "", remedy: str = "", workspace: Path | None = None) -> None:
        self.workspace = workspace
        super().__init__(problem, reason=reason, remedy=remedy)


class OutputError(RunError):
    """Text that TLC printed could not be read. Better refused than guessed."""
