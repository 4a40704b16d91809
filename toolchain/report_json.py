"""Reports and traces as JSON: stable key order, values in ITF, described by docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..transpiler import ir
from ..transpiler import valuetypes as types
from ..transpiler.domains import Domain
from ..transpiler.instance import Instance
from ..transpiler.naming import snake_case
from .counterexample import CounterExample
from .errors import UserError
from .itf import ItfError, Json, Names, decode_untyped, encode, encode_state
from .report import Mutant, Report, Verdict
from .results import StateGraph, Stats, Trace, TraceStep

TRACE_FORMAT = "protocheck-trace"
TRACE_VERSION = 1


def dumps(data: Json) -> str:
    """JSON text of one object, two spaces deep, characters as they are, with a newline at the end."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


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
    }


# -------------------------------------------------------------------------------------------------------- traces


def trace_json(
    trace: Trace, variables: Mapping[str, Domain], parameters: Mapping[tuple[str, str], Domain]
) -> dict[str, Json]:
    """`trace`, and for liveness `loop_to` with the `closing` step, or `stuttering`."""
    data: dict[str, Json] = {
        "trace": [
            {**_move_json(step, parameters), "state": encode_state(step.state, variables)} for step in trace.steps
        ]
    }
    if trace.loop_to is not None:
        data["loop_to"] = trace.loop_to
        if trace.closing is not None:
            data["closing"] = _move_json(trace.closing, parameters)
    if trace.stuttering:
        data["stuttering"] = True
    return data


def _move_json(step: TraceStep, parameters: Mapping[tuple[str, str], Domain]) -> dict[str, Json]:
    arguments = {name: encode(value, parameters.get((step.action or "", name))) for name, value in step.arguments}
    return {"action": step.action, "args": arguments}


def trace_file_json(report: Report, examples: Iterable[CounterExample]) -> dict[str, Json]:
    """The object that `run --trace FILE` writes: every counter-example of a report, readable without the protocol."""
    variants = {mutant.guard: mutant.instance for mutant in report.mutants or ()}
    constants = {name: encode(value) for name, value in report.constants.items()}
    head = _head(snake_case(report.protocol.name), constants, _names(report.protocol))
    traces = [_example_json(example, variants.get(example.dropped or "", report.instance)) for example in examples]
    return {**head, "traces": traces}


def _example_json(example: CounterExample, instance: Instance) -> dict[str, Json]:
    data: dict[str, Json] = {}
    if example.dropped is not None:
        data["guard"] = example.dropped
        data["guard_at"] = example.dropped_where
    data["violated"] = example.violated
    data["kind"] = example.kind
    data["declared_at"] = example.where
    data["detail"] = example.detail
    data["actions_at"] = dict(example.actions_where)
    data.update(trace_json(example.trace, instance.variables, instance.parameters))
    return data


def _names(protocol: ir.Protocol) -> Names:
    """The Enum classes and plain record classes whose values occur in the protocol."""
    enumerations: set[str] = set()
    records: dict[tuple[str, ...], set[str]] = {}

    def visit(kind: types.Type) -> None:
        match kind:
            case types.Enumeration(python):
                enumerations.add(python.__name__)
            case types.Optional(inner) | types.Set(inner) | types.Sequence(inner):
                visit(inner)
            case types.Tuple(items):
                for item in items:
                    visit(item)
            case types.Function(key, value):
                visit(key)
                visit(value)
            case types.Record() | types.Union():
                for record in types.alternatives(kind):
                    shape = tuple(name for name, _ in record.fields)
                    if isinstance(kind, types.Record):
                        records.setdefault(shape, set()).add(record.python.__name__)
                    for _, inner in record.fields:
                        visit(inner)

    typed: list[ir.Typed] = [*protocol.constants, *protocol.variables, *protocol.init.parameters]
    typed += [parameter for action in protocol.actions for parameter in action.parameters]
    for item in typed:
        visit(item.type)
    # Of two classes with the same fields neither name can be told from the fields.
    told = {shape: min(classes) for shape, classes in records.items() if len(classes) == 1}
    return Names(frozenset(enumerations), told)


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


# ------------------------------------------------------------------------------------------------- reading traces


@dataclass(frozen=True, slots=True)
class TraceFile:
    """What a trace file holds: its head, each trace as it stands there, and the same traces read."""

    head: Mapping[str, Json]
    entries: tuple[Mapping[str, Json], ...]
    examples: tuple[CounterExample, ...]

    def only(self, guard: str) -> TraceFile:
        """The traces of the variant without a guard."""
        chosen = [index for index, example in enumerate(self.examples) if example.dropped == guard]
        return TraceFile(self.head, tuple(self.entries[i] for i in chosen), tuple(self.examples[i] for i in chosen))

    def as_json(self) -> dict[str, Json]:
        """The object of a trace file with these traces."""
        return {**self.head, "traces": list(self.entries)}


def read_traces(text: str, name: str) -> TraceFile:
    """The counter-examples in a trace file, or in what `run --json` printed; `name` is the file's, for messages.

    Raises `UserError` where it is neither.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        position = f"{name}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else name
        raise UserError(f"{position}: this is no JSON, so it is no trace that `protocheck run --trace` wrote") from None
    if not isinstance(data, dict):
        raise UserError(f"{name} holds no JSON object, so it is no trace that `protocheck run --trace` wrote")
    if data.get("format") == TRACE_FORMAT and data.get("version") != TRACE_VERSION:
        raise UserError(f"{name} is a trace of version {data.get('version')}; this protocheck reads {TRACE_VERSION}")
    try:
        if data.get("format") == TRACE_FORMAT:
            entries = list(data["traces"])
        elif "baseline" in data:
            entries = [entry for entry in (data["baseline"], *data.get("mutants", ())) if entry.get("trace")]
        else:
            raise UserError(
                f"{name} is neither a trace that `run --trace` wrote nor a report that `run --json` printed"
            )
        records = {tuple(map(str, shape)): str(record) for record, shape in data.get("records", {}).items()}
        names = Names(frozenset(map(str, data.get("enumerations", ()))), records)
        constants = {str(key): decode_untyped(value, names) for key, value in data["constants"].items()}
        examples = tuple(_read_example(entry, str(data["protocol"]), constants, names) for entry in entries)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        detail = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{name} is damaged: {detail}") from None
    head = _head(str(data["protocol"]), data["constants"], names)
    return TraceFile(head, tuple(entries), examples)


def _head(protocol: str, constants: Json, names: Names) -> dict[str, Json]:
    return {
        "format": TRACE_FORMAT,
        "version": TRACE_VERSION,
        "protocol": protocol,
        "constants": constants,
        "enumerations": sorted(names.enumerations),
        "records": {name: list(shape) for shape, name in sorted(names.records.items(), key=lambda item: item[1])},
    }


def _read_example(
    entry: Mapping[str, Json], protocol: str, constants: Mapping[str, Any], names: Names
) -> CounterExample:
    def read(step: Mapping[str, Json], state: Mapping[str, Any] | None = None) -> TraceStep:
        arguments = tuple((name, decode_untyped(value, names)) for name, value in step["args"].items())
        if state is None:
            state = {name: decode_untyped(value, names) for name, value in step["state"].items()}
        return TraceStep(step["action"], arguments, state)

    steps = tuple(map(read, entry["trace"]))
    if not steps:
        raise ItfError("a trace has no state")
    if any(tuple(step.state) != tuple(steps[0].state) for step in steps):
        raise ItfError("its states do not all have the same variables")
    loop_to, closing = entry.get("loop_to"), entry.get("closing")
    if loop_to is not None and not (isinstance(loop_to, int) and 0 <= loop_to < len(steps)):
        raise ItfError(f"the loop leads to state {loop_to}, of {len(steps)}")
    back = read(closing, steps[loop_to].state) if closing is not None and loop_to is not None else None
    return CounterExample(
        protocol=protocol,
        constants=constants,
        violated=str(entry["violated"]),
        kind=str(entry.get("kind", "")),
        where=str(entry.get("declared_at", "")),
        trace=Trace(steps, loop_to, back, bool(entry.get("stuttering", False))),
        dropped=entry.get("guard"),
        dropped_where=str(entry.get("guard_at", "")),
        detail=str(entry.get("detail", "")),
        actions_where={str(key): str(value) for key, value in entry.get("actions_at", {}).items()},
    )
