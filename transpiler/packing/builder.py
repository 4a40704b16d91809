"""What the code of one program refers to besides its own text: tables of constants and Python functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..instance import Instance
from .layouts import InternedLayout


@dataclass
class Builder:
    """Collects the globals of a generated module; the same table gets the same name."""

    instance: Instance
    tables: dict[tuple[int, ...], str] = field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    interned: dict[Any, InternedLayout] = field(default_factory=dict)

    def table(self, values: tuple[int, ...]) -> str:
        """The name of a tuple of constants."""
        return self.tables.setdefault(values, f"T{len(self.tables) + 1}")

    def function(self, purpose: str, function: Callable[..., Any]) -> str:
        """The name of a function that generated code may call."""
        name = f"{purpose}_{len(self.functions) + 1}"
        self.functions[name] = function
        return name

    @property
    def globals(self) -> dict[str, Any]:
        """Everything that the generated code finds by name."""
        return {**{name: values for values, name in self.tables.items()}, **self.functions}
