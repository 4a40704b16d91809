"""The test items of the pytest plugin: one a property and one a dropped guard, each protocol checked once for all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..toolchain.cases import Case, case_names, cases, mutant_name
from ..toolchain.errors import UserError
from ..toolchain.report import span_of
from ..toolchain.report_text import verdict_line
from ..toolchain.tlc.errors import ToolError
from ..transpiler.diagnostics import CompileError
from .checking import ProtocolWarning
from .configuration import Planned, prepare, read_entries
from .plans import Plan
from .plugin import SURVIVES


class ProtocolsFile(pytest.File):
    """A pyproject.toml with [tool.protocheck]."""

    def collect(self) -> Iterator[CheckedProtocol]:
        """One collector an entry; what is wrong with a single entry is left to that."""
        try:
            planned = prepare(self.path, read_entries(self.path))
        except UserError as error:
            raise self.CollectError(str(error)) from None
        for each in planned:
            yield CheckedProtocol.from_parent(self, name=each.name, planned=each)


class CheckedProtocol(pytest.Collector):
    """An entry of [tool.protocheck]; its check is made when the first of its items runs."""

    def __init__(self, *, planned: Planned, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self._planned = planned
        self._cases: dict[str, Case] = {}
        self._verdict = ""
        self._failure = ""

    def collect(self) -> Iterator[CaseItem]:
        """One item a property and, with `mutate = true`, one a guard."""
        plan = self._planned.plan
        if plan is None:
            raise self.CollectError(self._planned.problem)
        mutants = {mutant_name(guard) for guard in plan.protocol.guard_names}
        for name in case_names(plan.protocol, plan.requested, plan.mutate):
            yield CaseItem.from_parent(self, name=name, plan=plan, mutant=name in mutants)

    def case(self, item: CaseItem) -> Case:
        """What the check says about an item; ends the test where the check itself cannot be made."""
        if not self._cases and not self._failure:
            self._check(item)
        if self._failure:
            pytest.fail(self._failure, pytrace=False)
        return self._cases[item.name]

    def explained(self, case: Case) -> str:
        """Why a case did not pass, with the counter-example, and the verdict of the whole check."""
        blocker = self._cases.get(case.blocked_by)
        text = case.text or (blocker.text if blocker is not None else "")
        # The table of a counter-example begins with its message.
        parts = [text] if text.startswith(case.message) else [case.message, text]
        return "\n".join([*(part.rstrip() for part in parts if part), "", self._verdict])

    def runs(self, name: str) -> bool:
        """Whether the item of this name is part of the session, here or in another worker of it."""
        return any(item.parent is self and item.name == name for item in self.session.items)

    def _check(self, item: CaseItem) -> None:
        plan = self._planned.plan
        assert plan is not None
        # Guards are dropped only where an item asks for it: with `-m "not protocheck_mutant"` none does.
        mutate = any(isinstance(each, CaseItem) and each.mutant and each.parent is self for each in self.session.items)
        try:
            report = plan.run(mutate=mutate)
        except (ToolError, UserError, CompileError) as error:
            self._failure = str(error)
            return
        self._cases = {case.name: case for case in cases(report)}
        self._verdict = "".join(part.text for part in verdict_line(report).parts)
        for text in report.warnings:
            item.warn(ProtocolWarning(f"{self.name}: {text}"))


class CaseItem(pytest.Item):
    """A property, or a dropped guard."""

    def __init__(self, *, plan: Plan, mutant: bool, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.mutant = mutant
        about = span_of(plan.protocol, self.name.removeprefix("without ") if mutant else self.name)
        self._span = about if about.line > 0 else plan.protocol.span
        self.add_marker(pytest.mark.protocheck)
        if mutant:
            self.add_marker(pytest.mark.protocheck_mutant)
        if self.config.pluginmanager.hasplugin("xdist"):
            # With `--dist loadgroup` one worker makes the check for all its items.
            self.add_marker(pytest.mark.xdist_group(f"protocheck {self._owner.name}"))

    @property
    def _owner(self) -> CheckedProtocol:
        assert isinstance(self.parent, CheckedProtocol)
        return self.parent

    def runtest(self) -> None:
        """Pass or fail as the check says; skip what is not known because of another item that fails."""
        case = self._owner.case(self)
        if case.outcome == "blocked" and self._owner.runs(case.blocked_by):
            pytest.skip(case.message)
        if case.outcome != "passed":
            pytest.fail(self._owner.explained(case), pytrace=False)
        if case.declared:
            self.user_properties.append((SURVIVES, case.declared))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A warning that pytest was told to make an error of needs no frames either."""
        if isinstance(excinfo.value, ProtocolWarning):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Where the property or the guard is declared."""
        if self._span.line <= 0:
            return self.path, None, f"{self._owner.name}: {self.name}"
        return Path(self._span.file), self._span.line - 1, f"{self._owner.name}: {self.name}"
