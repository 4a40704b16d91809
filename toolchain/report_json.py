"""Reports and state graphs as JSON: stable key order, values in ITF, described by docs/report.schema.json."""

from __future__ import annotations

from ..transpiler.instance import Instance
from ..transpiler.naming import snake_case
from .itf import Json, encode, encode_state
from .report import Mutant, Report, Verdict
from .results import StateGraph, Stats
from .trace_json import trace_json

# ------------------------------------------------------------------------------------------------------- reports


def report_json(report: Report) -> dict[str, Json]:
    """The object that `run --json` prints."""
    data: dict[str, Json] = {
        "protocol": snake_case(report.protocol.name),
        "constants": {name: encode(value) for name, value in report.constants.items()},
        "engines": dict(report.engines),
        "properties": list(report.requested),
        "baseline": _check_json(report.baseline, report.baseline.status, report),
    }
    if report.mutants is not None:
        data["mutants"] = [_mutant_json(mutant, report) for mutant in report.mutants]
    data["warnings"] = list(report.warnings)
    data["problems"] = list(report.problems)
    data["notes"] = list(report.notes)
    data["exit_code"] = report.exit_code
    return data


def _mutant_json(mutant: Mutant, report: Report) -> dict[str, Json]:
    data: dict[str, Json] = {"guard": mutant.guard}
    data.update(_check_json(mutant.verdict, mutant.status, report, mutant))
    if mutant.declared is not None:
        data["declared"] = mutant.declared
    return data


def _check_json(verdict: Verdict, status: str, report: Report, mutant: Mutant | None = None) -> dict[str, Json]:
    data: dict[str, Json] = {"status": status, "violated": verdict.violated}
    if mutant is not None and mutant.behaviour is not None:
        data["behaviour"] = mutant.behaviour
    trace = verdict.answer.trace if verdict.violated is not None else None
    if trace is None:
        data["trace"] = None
    else:
        instance = mutant.instance if mutant is not None else report.instance
        data.update(trace_json(trace, instance.variables, instance.parameters))
    if verdict.reason:
        data["reason"] = verdict.reason
    if verdict.disagreement:
        data["disagreement"] = verdict.disagreement
    data["stats"] = {result.engine: _stats_json(result.stats) for result in verdict.results if result.stats}
    coverage = verdict.answer.coverage
    data["coverage"] = {
        action.name: coverage[action.name] for action in report.protocol.actions if action.name in coverage
    }
    return data


def _stats_json(stats: Stats) -> dict[str, Json]:
    return {
        "distinct": stats.distinct,
        "generated": stats.generated,
        "depth": stats.depth,
        "seconds": round(stats.seconds, 6),
        "wall_seconds": round(stats.wall_seconds, 6),
        **({"generated_at_least": True} if stats.at_least else {}),
        **({"states_are": "orbits"} if stats.orbits else {}),
    }


# -------------------------------------------------------------------------------------------------------- graphs


def graph_json(instance: Instance, graph: StateGraph) -> dict[str, Json]:
    """The object that `graph --format json` prints; states are numbered from 0 in breadth-first order."""
    parameters = instance.parameters
    return {
        "protocol": snake_case(instance.protocol.name),
        "constants": {item.name: encode(instance.constants[item.name]) for item in instance.protocol.constants},
        "states": [encode_state(state, instance.variables) for state in graph.states],
        "initial": list(graph.initial),
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "action": edge.action,
                "args": {name: encode(value, parameters.get((edge.action, name))) for name, value in edge.arguments},
            }
            for edge in graph.edges
        ],
    }
