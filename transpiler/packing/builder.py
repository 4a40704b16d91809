"""What the code of one program refers to besides its own text: tables of constants and Python functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import domains
from .. import valuetypes as types
from ..instance import Instance
from .layouts import InternedLayout
from .low import Low
from .patience import Patience


@dataclass
class Builder:
    """Collects the globals of a generated module; the same table gets the same name."""

    instance: Instance
    tables: dict[tuple[int, ...], str] = field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    interned: dict[Any, InternedLayout] = field(default_factory=dict)
    tabled: dict[Low, Low] = field(default_factory=dict)
    records: dict[type, types.Record] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        for domain in (*self.instance.variables.values(), *self.instance.parameters.values()):
            self._collect_records(domain)

    def _collect_records(self, domain: domains.Domain) -> None:
        """Remember the record types in a domain by their classes: of a known record only its class is at hand."""
        match domain:
            case domains.RecordDomain(record, fields):
                self.records[record.python] = record
                parts: tuple[domains.Domain, ...] = tuple(part for _, part in fields)
            case domains.UnionDomain(alternatives):
                parts = alternatives
            case domains.TupleDomain(items):
                parts = items
            case domains.OptionalDomain(item) | domains.SetDomain(item) | domains.SequenceDomain(item):
                parts = (item,)
            case domains.FunctionDomain(key, value):
                parts = (key, value)
            case _:
                parts = ()
        for part in parts:
            self._collect_records(part)

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
        tables = {name: values for values, name in self.tables.items()}
        return {"patient": self.patience, **tables, **self.functions}
