"""Why a step was not taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .domains import Domain, show


class GuardRefused(Exception):
    """A step was refused by a guard; the state is as before.

    `action` and `arguments` say which step, `guards` names the guards that are false (of the first `guard` call that
    has any), `state` maps each variable to its value.
    """

    def __init__(
        self, action: str, arguments: Mapping[str, Any], guards: tuple[str, ...], state: Mapping[str, Any]
    ) -> None:
        self.action, self.arguments, self.guards, self.state = action, dict(arguments), guards, dict(state)
        super().__init__()

    def __str__(self) -> str:
        # Written when it is read: most refusals are answers to a question, and nobody reads them.
        step = f"{self.action}({', '.join(f'{name}={show(value)}' for name, value in self.arguments.items())})"
        values = ", ".join(f"{name} = {show(value)}" for name, value in self.state.items())
        return f"{step} is refused by {' and '.join(self.guards)} in the state {values}"

    def __repr__(self) -> str:
        return f"GuardRefused({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (GuardRefused, (self.action, self.arguments, self.guards, self.state))


class ArgumentRefused(ValueError):
    """An argument lies outside its domain; nothing was evaluated, the state is as before."""

    def __init__(self, action: str, parameter: str, value: Any, domain: Domain) -> None:
        self.action, self.parameter, self.value, self.domain = action, parameter, value, domain
        super().__init__(f"{action}: {parameter} = {_shown(value)} is outside {domain}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (ArgumentRefused, (self.action, self.parameter, self.value, self.domain))


def _shown(value: Any) -> str:
    try:
        return show(value)
    except Exception:  # a foreign object whose repr fails must not hide the refusal
        return f"<{type(value).__name__}>"
