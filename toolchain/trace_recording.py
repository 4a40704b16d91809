"""Recordings of the scheduler as traces: the steps that each instance took, up to the end of the file.

What was undone, and what guards refused, is no step. How a recording is held against its protocol is `validation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..transpiler.itf import ItfError
from ..transpiler.naming import snake_case
from .errors import UserError
from .itf import decode_untyped
from .trace_json import TraceFile, text_or_none
from .traces import DescribedTrace, Trace, TraceStep
from .validation.lines import AFTER_ITS_END, LogError, Truncated, numbered_objects

FORMAT = "protocheck-recording"
VERSION = 1


def read_recording(lines: Iterable[bytes], name: str) -> TraceFile:
    """One trace an instance; `name` is the file's, for messages. A last line that is cut off is left out.

    Raises `UserError` for what is no recording, or a damaged one.
    """
    instances: dict[str, _Instance] = {}
    ended = False
    try:
        for number, line in numbered_objects(lines, name):
            if number == 1:
                _demand_recording(line, name)
                continue
            if ended:
                raise LogError(name, number, AFTER_ITS_END)
            try:
                _take(line, instances)
                ended = line["kind"] == "end"
            except (KeyError, TypeError, AttributeError, ItfError, RecursionError) as error:
                detail = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
                raise LogError(name, number, f"the recording is damaged: {detail}") from None
    except Truncated:
        pass  # a run that is still going on, or was killed: what it did before is there
    if not instances:
        raise UserError(f"{name} is a recording without any instance")
    return TraceFile(tuple(instance.described(label) for label, instance in instances.items()))


def _demand_recording(header: Mapping[str, Any], name: str) -> None:
    if header.get("format") != FORMAT:
        raise UserError(f"{name} is no recording: its first line is no header of one")
    if header.get("version") != VERSION:
        raise UserError(f"{name} is a recording of version {header.get('version')}; this protocheck reads {VERSION}")


def _take(line: Mapping[str, Any], instances: dict[str, _Instance]) -> None:
    if line["kind"] == "instance":
        instances[str(line["of"])] = _Instance(line)
    elif line["kind"] == "step":
        instances[line["of"]].step(line)


class _Instance:
    """One instance and the steps that it has taken so far."""

    def __init__(self, line: Mapping[str, Any]) -> None:
        self.protocol, self.dropped = str(line["protocol"]), text_or_none(line["dropped"], "dropped")
        self.constants = _decoded(line["constants"])
        self.steps = [TraceStep(None, (), _decoded(line["state"]))]

    def step(self, line: Mapping[str, Any]) -> None:
        state = {**self.steps[-1].state, **_decoded(line["changes"])}
        self.steps.append(TraceStep(str(line["action"]), tuple(_decoded(line["args"]).items()), state))

    def described(self, label: str) -> DescribedTrace:
        return DescribedTrace(
            protocol=snake_case(self.protocol),
            constants=self.constants,
            trace=Trace(tuple(self.steps)),
            dropped=self.dropped,
            source="recording",
            instance=label,
        )


def _decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): decode_untyped(value) for name, value in values.items()}
