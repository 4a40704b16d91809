"""From the results of engines to one verdict: what each may claim, and where two of them contradict each other.

Fail closed: a result that says more than it shows (`holds` without having evaluated a property that was asked for, a
violation without a name or a trace) becomes `invalid` here, whichever engine it comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..transpiler import ir
from .layout import count
from .orbits import liveness_among
from .report import Verdict, judged_late
from .results import CheckJob, EngineResult


def checked(result: EngineResult, job: CheckJob) -> EngineResult:
    """The result as it may be believed: unchanged, or `invalid` with the reason why not."""
    protocol = job.instance.protocol
    fault = _fault(result, protocol, job.properties or frozenset()) or _fault_of_orbits(result, job)
    if not fault:
        return result
    return replace(result, status="invalid", violated=None, trace=None, reason=f"{result.engine} {fault}")


def _fault(result: EngineResult, protocol: ir.Protocol, requested: frozenset[str]) -> str:
    match result.status:
        case "holds":
            missing = sorted((requested.union(ir.ALWAYS_JUDGED)) - set(result.evaluated))
            if missing:
                return f"says that everything holds but did not evaluate {', '.join(missing)}"
            if result.stats is None:
                return "says that everything holds but not how much it explored"
            if result.violated is not None or result.trace is not None:
                return "says that everything holds but shows a counter-example"
        case "violated":
            if result.violated is None:
                return "reports a violation without naming the property"
            if result.violated not in requested.union(ir.ALWAYS_JUDGED):
                return f"reports a violation of {result.violated}, which was not asked for"
            unreached = {item.name for item in protocol.properties if item.kind == "reachable"}
            if result.violated not in unreached and (result.trace is None or not result.trace.steps):
                return f"reports a violation of {result.violated} without a trace"
    return ""


def _fault_of_orbits(result: EngineResult, job: CheckJob) -> str:
    if result.stats is None or not result.stats.orbits:
        return ""
    if not job.symmetry:
        return "counts orbits, where states were asked for"
    liveness = [name for name in result.evaluated if name in liveness_among(job.instance.protocol, None)]
    return f"judges liveness on orbits, which is unsound: {', '.join(liveness)}" if liveness else ""


def combine(results: Sequence[EngineResult], protocol: ir.Protocol, *, same_depth: bool = True) -> Verdict:
    """One verdict from the results of all engines, in the order asked; the first that is conclusive answers.

    `same_depth` is false where an engine ran with several workers, whose depth is no longer exact.
    """
    conclusive = [result for result in results if result.status in ("holds", "violated")]
    if not conclusive:
        # A tool that failed weighs more than one that ran out of its budget.
        answer = next((result for result in results if result.status == "invalid"), results[0])
        return Verdict(answer.status, answer, tuple(results), reason=_reasons(results))
    answer = conclusive[0]
    for other in results:
        if other is answer:
            continue
        if other.status == "invalid":
            text = f"{answer.engine} says {_says(answer)}, but {_reasons([other])}"
            return Verdict("invalid", answer, tuple(results), disagreement=text, reason=text)
        if other.status in ("holds", "violated") and (text := disagreement(answer, other, protocol, same_depth)):
            return Verdict("invalid", answer, tuple(results), disagreement=text, reason=text)
    unfinished = tuple(result.engine for result in results if result.status == "inconclusive")
    return Verdict(answer.status, answer, tuple(results), reason=_reasons(results), unconfirmed=unfinished)


def disagreement(answer: EngineResult, other: EngineResult, protocol: ir.Protocol, same_depth: bool = True) -> str:
    """Where two finished runs contradict each other, in one sentence; empty where they agree.

    Counts are compared where both explored everything. Violations of safety must name the same property in equally
    many states; of liveness each engine may find its own.
    """
    if answer.status != other.status:
        return f"{answer.engine} says {_says(answer)}, {other.engine} says {_says(other)}"
    if answer.status == "holds":
        return _different_counts(answer, other, same_depth)
    names = (answer.violated or "", other.violated or "")
    late = [judged_late(protocol, name) for name in names]
    if late[0] != late[1]:
        # Liveness and reachability are judged only where safety holds, so one engine missed a violation of safety.
        return f"{answer.engine} says {_says(answer)}, {other.engine} says {_says(other)}"
    if late[0]:
        return ""
    # The shortest trace wins, then the order of properties: of safety there is only one right answer.
    lengths = [len(result.trace.steps) if result.trace else 0 for result in (answer, other)]
    if names[0] == names[1] and lengths[0] == lengths[1]:
        return ""
    return (
        f"{answer.engine} violates {names[0]} in {count(lengths[0], 'state')}, "
        f"{other.engine} violates {names[1]} in {count(lengths[1], 'state')}"
    )


def _different_counts(answer: EngineResult, other: EngineResult, same_depth: bool) -> str:
    if answer.stats is None or other.stats is None:
        return ""
    bounded = answer.stats.at_least or other.stats.at_least
    keys = ("distinct", *(() if bounded else ("generated",)), *(("depth",) if same_depth else ()))
    differing = [
        f"{key} {getattr(answer.stats, key)} and {getattr(other.stats, key)}"
        for key in keys
        if getattr(answer.stats, key) != getattr(other.stats, key)
    ]
    return f"{answer.engine} and {other.engine} count differently: {', '.join(differing)}" if differing else ""


def _says(result: EngineResult) -> str:
    return f"{result.violated} is violated" if result.status == "violated" else result.status


def _reasons(results: Sequence[EngineResult]) -> str:
    """Why no engine came to a verdict; each is named where they give different reasons."""
    given = [(each.engine, each.reason) for each in results if each.reason and each.status not in ("holds", "violated")]
    different = list(dict.fromkeys(reason for _, reason in given))
    return different[0] if len(different) == 1 else "; ".join(f"{engine}: {reason}" for engine, reason in given)
