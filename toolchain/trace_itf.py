"""Traces in the Informal Trace Format of Apalache and Quint, both ways.

The format is Apalache's ADR-015: an object with `vars`, `states` and, for a lasso, `loop`, the index of the state to
which the last one goes back. Three things it leaves open, and how they are settled here:

- The action that led to a state, and its arguments, are the variables `mbt::actionTaken` and `mbt::nondetPicks`, as
  `quint run --mbt` writes them: a record of the arguments, each `{"tag": "Some", "value": …}`, or `None` where the
  action has no such argument.
- `None` is Quint's variant `{"tag": "None", "value": {"#tup": []}}`; ITF has no null.
- Staying in the last state for ever is a loop from the last state to itself.

What a reader should know besides is in `#meta`, where ITF allows anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..transpiler.instance import Instance
from .errors import UserError
from .itf import NO_NAMES, ItfError, Json, Names, decode_untyped, encode, encode_state
from .trace_json import TraceFile, demand_states, text_or_none
from .trace_text import title
from .traces import DescribedTrace, Trace, TraceStep

ACTION, PICKS = "mbt::actionTaken", "mbt::nondetPicks"
DESCRIPTION = "https://apalache-mc.org/docs/adr/015adr-trace.html"
NONE: Json = {"tag": "None", "value": {"#tup": []}}

_DESCRIBED = (
    *("protocol", "violated", "kind", "where", "dropped", "dropped_where", "detail"),
    *("source", "target", "instance"),
)
"""Attributes of a described trace that `#meta` carries, with their names there."""


# ------------------------------------------------------------------------------------------------------- writing


def itf_trace(example: DescribedTrace, names: Names = NO_NAMES, instance: Instance | None = None) -> dict[str, Json]:
    """The object of an ITF file.

    instance: the protocol that was checked, whose domains tell sequences from tuples; None for a trace that was read
    from a file, whose values know how they were written there.
    """
    trace = example.trace
    constants = {name: encode(value) for name, value in example.constants.items()}
    told = any(step.action for step in trace.steps)
    picked = sorted({name for step in trace.steps for name, _ in step.arguments})
    states = []
    for place, step in enumerate(trace.steps):
        state = encode_state(step.state, instance.variables if instance is not None else {})
        more: dict[str, Json] = {ACTION: step.action or "init", PICKS: _picks(step, picked, instance)} if told else {}
        # Parameters are set in the initial state.
        parameters = constants if place == 0 else {}
        states.append({"#meta": {"index": place}, **parameters, **state, **more})
    data: dict[str, Json] = {
        "#meta": _meta(example, names, instance),
        "params": list(constants),
        "vars": [*trace.variables, *((ACTION, PICKS) if told else ())],
        "states": states,
    }
    if trace.shape != "finite":
        data["loop"] = len(trace.steps) - 1 if trace.loop_to is None else trace.loop_to
    return {key: value if key == "#meta" else _without_null(value) for key, value in data.items()}


def _arguments(step: TraceStep, instance: Instance | None) -> dict[str, Json]:
    parameters = instance.parameters if instance is not None else {}
    return {name: encode(value, parameters.get((step.action or "", name))) for name, value in step.arguments}


def _picks(step: TraceStep, picked: Iterable[str], instance: Instance | None) -> Json:
    arguments = _arguments(step, instance)
    return {name: {"tag": "Some", "value": arguments[name]} if name in arguments else NONE for name in picked}


def _meta(example: DescribedTrace, names: Names, instance: Instance | None) -> Json:
    described = {key: getattr(example, key) for key in _DESCRIBED if getattr(example, key)}
    described["actions_where"] = dict(example.actions_where)
    described["enumerations"] = sorted(names.enumerations)
    described["records"] = {name: list(shape) for shape, name in names.records.items()}
    closing = example.trace.closing
    if closing is not None:
        described["closing"] = {"action": closing.action, "args": _arguments(closing, instance)}
    return {
        "format": "ITF",
        "format-description": DESCRIPTION,
        "source": example.target or example.protocol,
        "description": title(example),
        "protocheck": described,
    }


def _without_null(data: Json) -> Json:
    match data:
        case None:
            return NONE
        case dict():
            return {key: _without_null(value) for key, value in data.items()}
        case list():
            return [_without_null(item) for item in data]
        case _:
            return data


# ------------------------------------------------------------------------------------------------------- reading


def is_itf(data: Mapping[str, Any]) -> bool:
    """Whether an object is meant to be a trace in this format."""
    return "vars" in data and "states" in data


def read_itf(data: Mapping[str, Any], name: str) -> TraceFile:
    """The trace of an ITF object, ours or another tool's; `name` is the file's, for messages.

    Raises `UserError` where the object does not keep to the format.
    """
    try:
        return _read(data, name)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        detail = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{name} is no trace in the Informal Trace Format: {detail}") from None


def _read(data: Mapping[str, Any], name: str) -> TraceFile:
    meta = data.get("#meta") or {}
    ours = meta.get("protocheck") or {}
    records = {tuple(map(str, shape)): str(record) for record, shape in ours.get("records", {}).items()}
    names = Names(frozenset(map(str, ours.get("enumerations", ()))), records)
    variables = [str(variable) for variable in data["vars"] if variable not in (ACTION, PICKS)]
    states: list[Mapping[str, Any]] = list(data["states"])
    steps = [_step(place, state, variables, names) for place, state in enumerate(states)]
    demand_states(steps)
    first = states[0]
    constants = {str(key): decode_untyped(_nulled(first[key]), names) for key in data.get("params") or ()}
    # A foreign trace names its specification only by the file that it comes from.
    described: dict[str, Any] = {"protocol": str(meta.get("source") or name)}
    described.update({key: text for key in _DESCRIBED if (text := text_or_none(ours.get(key), key)) is not None})
    described["actions_where"] = {str(key): str(value) for key, value in ours.get("actions_where", {}).items()}
    closing = ours.get("closing")
    trace = _shaped(steps, data.get("loop"), closing, names)
    return TraceFile((DescribedTrace(constants=constants, trace=trace, **described),), names)


def _step(place: int, state: Mapping[str, Any], variables: Iterable[str], names: Names) -> TraceStep:
    missing = [variable for variable in variables if variable not in state]
    if missing:
        raise ItfError(f"state {place} gives no value to {', '.join(missing)}")
    values = {variable: decode_untyped(_nulled(state[variable]), names) for variable in variables}
    picks = state.get(PICKS) or {}
    taken = {str(key): pick["value"] for key, pick in picks.items() if pick["tag"] == "Some"}
    arguments = tuple((key, decode_untyped(_nulled(value), names)) for key, value in taken.items())
    return TraceStep(None if place == 0 else str(state.get(ACTION, "")), arguments, values)


def _nulled(data: Json) -> Json:
    """The variant `None` as null, at every depth: how the values of this project are written."""
    match data:
        case {"tag": "None", "value": {"#tup": []}} if len(data) == 2:
            return None
        case {"tag": "None", "value": inner} if len(data) == 2 and inner == {}:
            return None
        case dict():
            return {key: _nulled(value) for key, value in data.items()}
        case list():
            return [_nulled(item) for item in data]
        case _:
            return data


def _shaped(steps: list[TraceStep], loop: Any, closing: Any, names: Names) -> Trace:
    if loop is None:
        return Trace(tuple(steps))
    if type(loop) is not int or not 0 <= loop < len(steps):
        raise ItfError(f"the loop begins at state {loop}, of {len(steps)}")
    last = len(steps) - 1
    if loop == last:
        return Trace(tuple(steps), stuttering=True)
    if closing is None and steps[loop].state == steps[last].state:
        # Apalache writes the state to which the loop goes back a second time, at the end.
        kept, repeated = tuple(steps[:last]), steps[last]
        return Trace(kept, stuttering=True) if loop == last - 1 else Trace(kept, loop, repeated)
    back = None
    if closing is not None:
        arguments = tuple((key, decode_untyped(_nulled(value), names)) for key, value in closing["args"].items())
        back = TraceStep(str(closing["action"]), arguments, steps[loop].state)
    return Trace(tuple(steps), loop, back)
