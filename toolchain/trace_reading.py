"""A file with traces, whatever wrote it: `run --trace`, `run --json`, the scheduler's recorder, Apalache or Quint."""

from __future__ import annotations

from pathlib import Path

from .errors import UserError
from .trace_itf import is_itf, read_itf
from .trace_json import TraceFile, parse_json, traces_of
from .trace_recording import FORMAT, read_recording

_KINDS = "no trace of `protocheck run --trace`, no recording, and none in the Informal Trace Format"


def read_trace_file(path: Path) -> TraceFile:
    """The traces of a file; which kind it is of is seen from what is in it.

    Raises `UserError` where it cannot be read, or is of none of these kinds.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    name = str(path)
    first = content.partition(b"\n")[0]
    if FORMAT.encode() in first:
        return read_recording(content.splitlines(keepends=True), name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{name} is no text, so it is {_KINDS}") from None
    data = parse_json(text, name, "trace")
    if not isinstance(data, dict):
        raise UserError(f"{name} holds no JSON object, so it is {_KINDS}")
    return read_itf(data, name) if is_itf(data) else traces_of(data, name)
