"""What is to be checked, whoever asks for it: compiled, with its names looked at, before an engine is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from sys import float_info
from typing import TYPE_CHECKING, Any

from ..toolchain.check import check_protocol, select_properties
from ..toolchain.engines import CHOICES, select_engines
from ..toolchain.errors import UserError, nearest
from ..toolchain.report import Report
from ..toolchain.results import Budget
from ..transpiler import ir
from ..transpiler.frontend import compile_protocol
from ..transpiler.instance import instantiate

if TYPE_CHECKING:
    from ..transpiler.language import Protocol


@dataclass(frozen=True, slots=True)
class Plan:
    """A check to be made; `requested` are the properties in the order of verdicts, `selected` those that were named."""

    protocol: ir.Protocol
    constants: Mapping[str, Any]
    engine: str
    requested: tuple[str, ...]
    selected: tuple[str, ...] | None
    mutate: bool
    budget: Budget
    workers: int

    def run(self, *, mutate: bool | None = None) -> Report:
        """Check it; `mutate` overrides what was planned. Raises `ToolError` for an engine that cannot be used."""
        selection = select_engines(self.engine)
        report = check_protocol(
            self.protocol,
            self.constants,
            engines=selection.engines,
            mutate=self.mutate if mutate is None else mutate,
            properties=self.selected,
            budget=self.budget,
            workers=self.workers,
            baseline_workers=self.workers,
        )
        return replace(report, notes=(selection.note, *report.notes)) if selection.note else report


def plan(
    protocol: type[Protocol] | ir.Protocol,
    constants: Mapping[str, Any],
    *,
    engine: str,
    properties: Iterable[str] | None,
    mutate: bool,
    max_states: int | None,
    timeout: float | None,
    workers: int = 1,
) -> Plan:
    """Raises `UserError` for a name that is not known, `CompileError` for what does not compile or fit."""
    compiled = protocol if isinstance(protocol, ir.Protocol) else compile_protocol(protocol)
    if isinstance(properties, str):
        raise UserError(f"properties are named in a list: [{properties!r}]")
    selected = tuple(properties) if properties is not None else None
    requested = select_properties(compiled, selected)
    instantiate(compiled, constants)
    if engine not in CHOICES:
        raise UserError(f"there is no engine {engine}{nearest(engine, CHOICES)}")
    if timeout is not None and not 0 < timeout <= float_info.max:
        raise UserError(f"timeout is a number of seconds above 0, not {timeout!r}")
    budget = Budget(max_states, timeout)
    return Plan(compiled, dict(constants), engine, requested, selected, mutate, budget, workers)
