"""TLC, the model checker of TLA+: found or installed, run, and its output read.

What is exported here is loaded when it is first used: importing this package starts nothing and loads next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .archive import Archive, archive_state, ensure_archive, find_archive
    from .batch import run_all
    from .codes import OutcomeKind
    from .doctor import DoctorReport, examine
    from .dotdump import GraphEdge, GraphState, StateGraph, read_state_graph
    from .driver import TlcJob, TlcRun, Toolchain, find_toolchain, run_tlc
    from .errors import InstallError, JavaNotFound, OutputError, RunError, TlcNotFound, ToolError
    from .install import Installed, install
    from .jars import TlcJar, find_tlc_jar
    from .java import Java, find_java
    from .outcome import TlcOutcome, read_outcome
    from .stats import ActionCoverage, TlcProgress, TlcStats
    from .trace import Trace, TraceState
    from .values import (
        ModelValue,
        TlaFunction,
        TlaInterval,
        TlaRecord,
        TlaSet,
        TlaState,
        TlaString,
        TlaTuple,
        TlaValue,
        parse_state,
        parse_value,
        render_value,
    )

_HOME = {
    "ActionCoverage": "stats",
    "Archive": "archive",
    "DoctorReport": "doctor",
    "GraphEdge": "dotdump",
    "GraphState": "dotdump",
    "InstallError": "errors",
    "Installed": "install",
    "Java": "java",
    "JavaNotFound": "errors",
    "ModelValue": "values",
    "OutcomeKind": "codes",
    "OutputError": "errors",
    "RunError": "errors",
    "StateGraph": "dotdump",
    "TlaFunction": "values",
    "TlaInterval": "values",
    "TlaRecord": "values",
    "TlaSet": "values",
    "TlaState": "values",
    "TlaString": "values",
    "TlaTuple": "values",
    "TlaValue": "values",
    "TlcJar": "jars",
    "TlcJob": "driver",
    "TlcNotFound": "errors",
    "TlcOutcome": "outcome",
    "TlcProgress": "stats",
    "TlcRun": "driver",
    "TlcStats": "stats",
    "ToolError": "errors",
    "Toolchain": "driver",
    "Trace": "trace",
    "TraceState": "trace",
    "archive_state": "archive",
    "ensure_archive": "archive",
    "examine": "doctor",
    "find_archive": "archive",
    "find_java": "java",
    "find_tlc_jar": "jars",
    "find_toolchain": "driver",
    "install": "install",
    "parse_state": "values",
    "parse_value": "values",
    "read_outcome": "outcome",
    "read_state_graph": "dotdump",
    "render_value": "values",
    "run_all": "batch",
    "run_tlc": "driver",
}

__all__ = [
    "ActionCoverage",
    "Archive",
    "DoctorReport",
    "GraphEdge",
    "GraphState",
    "InstallError",
    "Installed",
    "Java",
    "JavaNotFound",
    "ModelValue",
    "OutcomeKind",
    "OutputError",
    "RunError",
    "StateGraph",
    "TlaFunction",
    "TlaInterval",
    "TlaRecord",
    "TlaSet",
    "TlaState",
    "TlaString",
    "TlaTuple",
    "TlaValue",
    "TlcJar",
    "TlcJob",
    "TlcNotFound",
    "TlcOutcome",
    "TlcProgress",
    "TlcRun",
    "TlcStats",
    "ToolError",
    "Toolchain",
    "Trace",
    "TraceState",
    "archive_state",
    "ensure_archive",
    "examine",
    "find_archive",
    "find_java",
    "find_tlc_jar",
    "find_toolchain",
    "install",
    "parse_state",
    "parse_value",
    "read_outcome",
    "read_state_graph",
    "render_value",
    "run_all",
    "run_tlc",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        value: object = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
