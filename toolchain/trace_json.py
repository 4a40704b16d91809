"""Traces in the project's own JSON, both ways: `run --trace FILE`, described by docs/trace.schema.json.

A file holds one protocol, its constants, and any number of traces of it and of its variants. Values are in ITF; what
ITF leaves open, which strings are members of Enums and how records are called, stands in the head, so that a trace is
shown in the same way without the protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..transpiler import ir
from ..transpiler import valuetypes as types
from ..transpiler.domains import Domain
from ..transpiler.instance import Instance
from ..transpiler.naming import snake_case
from .errors import UserError
from .itf import NO_NAMES, ItfError, Json, Names, decode_untyped, encode, encode_state
from .report import Report
from .traces import DescribedTrace, Trace, TraceStep

TRACE_FORMAT = "protocheck-trace"
TRACE_VERSION = 1

Parameters = Mapping[tuple[str, str], Domain]
"""(action, parameter) → domain."""


def dumps(data: Json) -> str:
    """JSON text of one object, two spaces deep, characters as they are, with a newline at the end."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


# ------------------------------------------------------------------------------------------------------- writing


def trace_json(trace: Trace, variables: Mapping[str, Domain], parameters: Parameters) -> dict[str, Json]:
    """`trace`, and where it goes on for ever `loop_to` with the `closing` step, or `stuttering`."""
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


def _move_json(step: TraceStep, parameters: Parameters) -> dict[str, Json]:
    arguments = {name: encode(value, parameters.get((step.action or "", name))) for name, value in step.arguments}
    return {"action": step.action, "args": arguments}


def trace_file_json(report: Report, examples: Iterable[DescribedTrace], target: str = "") -> dict[str, Json]:
    """The object that `run --trace FILE` writes: every counter-example of a report, readable without the protocol.

    target: what the user has called the protocol, `lock.py:WriteLock`, so that it is found again.
    """
    variants = {mutant.guard: mutant.instance for mutant in report.mutants or ()}
    constants = {name: encode(value) for name, value in report.constants.items()}
    head = _head(snake_case(report.protocol.name), target, constants, names_of(report.protocol))
    traces = [_described_json(example, variants.get(example.dropped or "", report.instance)) for example in examples]
    return {**head, "traces": traces}


def one_trace_json(example: DescribedTrace, instance: Instance) -> dict[str, Json]:
    """The object of a trace file with one trace of an instance, whichever way it was made."""
    constants = {name: encode(value) for name, value in example.constants.items()}
    head = _head(example.protocol, example.target, constants, names_of(instance.protocol))
    return {**head, "traces": [_described_json(example, instance)]}


def _described_json(example: DescribedTrace, instance: Instance | None) -> dict[str, Json]:
    data: dict[str, Json] = {}
    if example.dropped is not None:
        data["guard"] = example.dropped
        data["guard_at"] = example.dropped_where
    data["violated"] = example.violated
    data["kind"] = example.kind
    data["declared_at"] = example.where
    data["detail"] = example.detail
    data["actions_at"] = dict(example.actions_where)
    if example.source:
        data["source"] = example.source
    if example.instance:
        data["instance"] = example.instance
    # Values that were read without a protocol know themselves how they were written.
    known = ({}, {}) if instance is None else (instance.variables, instance.parameters)
    data.update(trace_json(example.trace, *known))
    return data


def _head(protocol: str, target: str, constants: Json, names: Names) -> dict[str, Json]:
    return {
        "format": TRACE_FORMAT,
        "version": TRACE_VERSION,
        "protocol": protocol,
        **({"target": target} if target else {}),
        "constants": constants,
        "enumerations": sorted(names.enumerations),
        "records": {name: list(shape) for shape, name in sorted(names.records.items(), key=lambda item: item[1])},
    }


def names_of(protocol: ir.Protocol) -> Names:
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


# ------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class TraceFile:
    """The traces of a file, and the names that its values need; all of one protocol, but for those of a recording."""

    examples: tuple[DescribedTrace, ...]
    names: Names = NO_NAMES

    def only(self, guard: str | None = None, instance: str | None = None) -> TraceFile:
        """The traces of the variant without a guard, or those of an instance in a recording."""
        chosen = (
            example
            for example in self.examples
            if guard in (None, example.dropped) and instance in (None, example.instance)
        )
        return TraceFile(tuple(chosen), self.names)

    def as_json(self) -> dict[str, Json]:
        """The object of a trace file with these traces, of which there is at least one."""
        first = self.examples[0]
        constants = {name: encode(value) for name, value in first.constants.items()}
        head = _head(first.protocol, first.target, constants, self.names)
        return {**head, "traces": [_described_json(example, None) for example in self.examples]}


def parse_json(text: str, name: str, what: str) -> Any:
    """The value of a JSON text; `what` it should be is said in the `UserError` raised for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        position = f"{name}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else name
        raise UserError(f"{position}: this is no JSON, so it is no {what}") from None


def read_traces(text: str, name: str) -> TraceFile:
    """The counter-examples in a trace file, or in what `run --json` printed; `name` is the file's, for messages.

    Raises `UserError` where it is neither.
    """
    data = parse_json(text, name, "trace that `protocheck run --trace` wrote")
    if not isinstance(data, dict):
        raise UserError(f"{name} holds no JSON object, so it is no trace that `protocheck run --trace` wrote")
    return traces_of(data, name)


def traces_of(data: Mapping[str, Any], name: str) -> TraceFile:
    """As `read_traces`, of an object that has been parsed."""
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
        read = _Reader(
            str(data["protocol"]),
            str(data.get("target", "")),
            {str(key): decode_untyped(value, names) for key, value in data["constants"].items()},
            names,
        )
        return TraceFile(tuple(map(read.described, entries)), names)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        detail = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{name} is damaged: {detail}") from None


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the entries of one file have in common."""

    protocol: str
    target: str
    constants: Mapping[str, Any]
    names: Names

    def described(self, entry: Mapping[str, Json]) -> DescribedTrace:
        violated = entry["violated"]
        return DescribedTrace(
            protocol=self.protocol,
            constants=self.constants,
            trace=self.trace(entry),
            violated=None if violated is None else str(violated),
            kind=str(entry.get("kind", "")),
            where=str(entry.get("declared_at", "")),
            dropped=text_or_none(entry.get("guard"), "guard"),
            dropped_where=str(entry.get("guard_at", "")),
            detail=str(entry.get("detail", "")),
            actions_where={str(key): str(value) for key, value in entry.get("actions_at", {}).items()},
            source=str(entry.get("source", "")),
            instance=str(entry.get("instance", "")),
            target=self.target,
        )

    def trace(self, entry: Mapping[str, Json]) -> Trace:
        steps = tuple(self.step(step) for step in entry["trace"])
        demand_states(steps)
        loop_to, closing = entry.get("loop_to"), entry.get("closing")
        if loop_to is not None and not (type(loop_to) is int and 0 <= loop_to < len(steps)):
            raise ItfError(f"the loop leads to state {loop_to}, of {len(steps)}")
        back = self.step(closing, steps[loop_to].state) if closing is not None and loop_to is not None else None
        return Trace(steps, loop_to, back, bool(entry.get("stuttering", False)))

    def step(self, step: Mapping[str, Json], state: Mapping[str, Any] | None = None) -> TraceStep:
        arguments = tuple((name, decode_untyped(value, self.names)) for name, value in step["args"].items())
        if state is None:
            state = {name: decode_untyped(value, self.names) for name, value in step["state"].items()}
        return TraceStep(text_or_none(step["action"], "action"), arguments, state)


def text_or_none(data: Json, name: str) -> str | None:
    """What stands under a name that a trace may leave open; raises `ItfError` for what is no text."""
    if data is not None and not isinstance(data, str):
        raise ItfError(f"{name} is no text, but {data!r}")
    return data


def demand_states(steps: Sequence[TraceStep]) -> None:
    """Raise `ItfError` where there is no state, or where states have different variables."""
    if not steps:
        raise ItfError("a trace has no state")
    if any(tuple(step.state) != tuple(steps[0].state) for step in steps):
        raise ItfError("its states do not all have the same variables")
