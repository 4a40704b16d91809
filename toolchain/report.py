"""What a check of a whole protocol found: plain data, read by the tables, the JSON report and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..transpiler import ir
from ..transpiler.diagnostics import NOWHERE, Span
from ..transpiler.instance import Instance
from .errors import nearest
from .results import EngineResult, Status

MutantStatus = Literal["killed", "survived", "invalid", "inconclusive"]
Behaviour = Literal["same", "changed"]

EXIT_HOLDS, EXIT_VIOLATED, EXIT_USAGE, EXIT_TOOL, EXIT_INCONCLUSIVE = 0, 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the engines together say about one instance.

    `answer` is the result that speaks for all of them; `results` has every engine's, in the order asked. Engines that
    contradict each other make the status `invalid` and say so in `disagreement`. `reason` is one sentence on whatever
    is neither `holds` nor `violated`. `unconfirmed` names engines that were asked to confirm but did not finish.
    """

    status: Status
    answer: EngineResult
    results: tuple[EngineResult, ...]
    disagreement: str = ""
    reason: str = ""
    unconfirmed: tuple[str, ...] = ()

    @property
    def violated(self) -> str | None:
        """The violated property, where the engines agree that one is."""
        return self.answer.violated if self.status == "violated" else None


@dataclass(frozen=True, slots=True)
class Mutant:
    """What became of the variant without `guard`.

    `behaviour` is told of survivors; `declared` is the reason with which the class declares it a survivor.
    """

    guard: str
    span: Span
    status: MutantStatus
    verdict: Verdict
    instance: Instance
    behaviour: Behaviour | None = None
    declared: str | None = None

    @property
    def accounted(self) -> bool:
        """Whether this is what the class says: killed, or a survivor declared with a reason."""
        if self.declared is not None:
            return self.status == "survived"
        return self.status == "killed"

    @property
    def problem(self) -> str:
        """Why this mutant fails a campaign, in one sentence; empty where it is accounted for or not decided."""
        if self.status == "survived" and self.declared is None:
            missing = "a property is missing" if self.behaviour == "changed" else "it is redundant within these bounds"
            return f"{self.guard} survives and is not declared as a survivor: {missing}"
        if self.status == "killed" and self.declared is not None:
            return f"{self.guard} is declared as a survivor but {self.verdict.violated} kills it"
        return ""


@dataclass(frozen=True, slots=True)
class Report:
    """The check of a protocol: the baseline, and each guard dropped in turn where that was asked and it was clean.

    `requested` are the properties asked for. `mutants` is None unless a campaign was asked for; with an unclean
    baseline it stays empty, and `gated` is true. `warnings` and `notes` do not fail a run, `problems` do.
    """

    protocol: ir.Protocol
    instance: Instance
    engines: Mapping[str, str]
    requested: tuple[str, ...]
    baseline: Verdict
    mutants: tuple[Mutant, ...] | None = None
    gated: bool = False
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def constants(self) -> Mapping[str, Any]:
        """The values of the constants, in order of declaration."""
        return {constant.name: self.instance.constants[constant.name] for constant in self.protocol.constants}

    @property
    def exit_code(self) -> int:
        """0 held and accounted for, 1 violation or unaccounted mutant, 3 a tool failed or disagreement, 4 undecided.

        A tool that failed outweighs a violation, since then nothing that was said can be relied upon.
        """
        mutants = self.mutants or ()
        if self.baseline.status == "invalid" or any(mutant.status == "invalid" for mutant in mutants):
            return EXIT_TOOL
        if self.baseline.status == "violated" or self.problems:
            return EXIT_VIOLATED
        if self.baseline.status == "inconclusive" or any(mutant.status == "inconclusive" for mutant in mutants):
            return EXIT_INCONCLUSIVE
        return EXIT_HOLDS


PropertyResult = Literal["holds", "violated", "reached", "never reached", "not decided", "not selected"]


@dataclass(frozen=True, slots=True)
class PropertyRow:
    """A property, its kind in words, and what the baseline's run says about it."""

    name: str
    kind: str
    span: Span
    result: PropertyResult


def checkable(protocol: ir.Protocol) -> tuple[str, ...]:
    """Every property that can be checked, in the order of verdicts; a terminal property is none."""
    later = [item.name for item in protocol.properties if item.is_liveness]
    later += [item.name for item in protocol.properties if item.kind == "reachable"]
    return (*protocol.safety, *later)


def kind_of(protocol: ir.Protocol, name: str) -> str:
    """The kind of a property in words; `implicit` for those that every protocol has."""
    if name == ir.REFINES:
        return "refinement"
    return next((item.kind.replace("_", " ") for item in protocol.properties if item.name == name), "implicit")


def judged_late(protocol: ir.Protocol, name: str | None) -> bool:
    """Whether a property is judged only once the search for violations of safety has finished."""
    return any(item.name == name and (item.is_liveness or item.kind == "reachable") for item in protocol.properties)


def span_of(protocol: ir.Protocol, name: str | None) -> Span:
    """Where a property is declared, or where the guard `action.guard` stands; nowhere for an implicit property."""
    action, _, guard = (name or "").partition(".")
    if guard:
        spans = [g.span for a in protocol.actions if a.name == action for g in a.guards if g.name == guard]
    elif name == ir.REFINES and protocol.refinement is not None:
        spans = [protocol.refinement.span]
    else:
        spans = [item.span for item in protocol.properties if item.name == name]
    return spans[0] if spans else NOWHERE


def unknown_survivors(protocol: ir.Protocol) -> Mapping[str, str]:
    """Declarations of survivors that name no guard: that name, and the problem in one sentence."""
    known = protocol.guard_names
    return {
        guard: f"a survivor is declared for {guard}, which is no guard{nearest(guard, known)}"
        for guard, _ in protocol.survivors
        if guard not in known and guard != protocol.dropped
    }


def property_rows(report: Report) -> tuple[PropertyRow, ...]:
    """Every property of the protocol with what the baseline says about it; none is left out silently."""
    return tuple(
        PropertyRow(name, kind_of(report.protocol, name), span_of(report.protocol, name), _result(report, name))
        for name in checkable(report.protocol)
    )


def _result(report: Report, name: str) -> PropertyResult:
    if name not in report.requested:
        return "not selected"
    protocol, baseline = report.protocol, report.baseline
    reachable = kind_of(protocol, name) == "reachable"
    if name == baseline.violated:
        return "never reached" if reachable else "violated"
    # Liveness and reachability are judged on a finished search, so what is about single states and steps held.
    is_safety = name in protocol.safety
    held = baseline.status == "holds" or (is_safety and judged_late(protocol, baseline.violated))
    if not held or name not in baseline.answer.evaluated:
        return "not decided"
    return "reached" if reachable else "holds"


__all__ = [
    "EXIT_HOLDS",
    "EXIT_INCONCLUSIVE",
    "EXIT_TOOL",
    "EXIT_USAGE",
    "EXIT_VIOLATED",
    "Behaviour",
    "Mutant",
    "MutantStatus",
    "PropertyRow",
    "Report",
    "Verdict",
    "checkable",
    "judged_late",
    "kind_of",
    "property_rows",
    "span_of",
    "unknown_survivors",
]
