"""`check`: a protocol checked by one line of a test."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..toolchain.cases import cases
from ..toolchain.errors import UserError, nearest
from ..toolchain.layout import render_plain
from ..toolchain.loading import load_protocol
from ..toolchain.report import Report
from ..toolchain.report_text import report_blocks, verdict_line
from ..toolchain.tlc.errors import ToolError
from ..transpiler import ir
from ..transpiler.diagnostics import CompileError
from ..transpiler.frontend import compile_protocol
from .plans import plan

if TYPE_CHECKING:
    from ..toolchain.engines import Choice
    from ..transpiler.language import Protocol


class CheckFailed(AssertionError):
    """A protocol does not hold, a mutant is not accounted for, or nothing could be decided; `report` has it all."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return (AssertionError, self.args)  # a report does not travel between processes


class ProtocolWarning(UserWarning):
    """What does not fail a check and is worth knowing: an action that never fires, liveness that holds vacuously."""


def check(
    protocol: type[Protocol] | str,
    /,
    *,
    mutate: bool = False,
    engine: Choice = "explorer",
    properties: Iterable[str] | None = None,
    max_states: int | None = None,
    timeout: float | None = None,
    workers: int = 1,
    constants: Mapping[str, Any] | None = None,
    **more_constants: Any,
) -> Report:
    """Check a protocol, as `protocheck run` does; what does not hold fails the test with the report and the trace.

    `check(Rollback, mutate=True, max_len=6)`: constants are given by their names. One that is named as an option is
    given in `constants`, `check(Lease, constants={"timeout": 3})`.

    Args:
        protocol: a class, or what the command line takes: `"rollback"`, `"lock.py:WriteLock"`.
        mutate: drop each guard in turn, and demand that a property notices or the class declares a survivor.
        engine: "explorer", "native", "tlc", or "auto", which is the explorer confirmed by TLC where that is there.
        properties: check only these, and `type_ok` and `well_defined`; all where it is None.
        max_states: give up after so many distinct states; a check that gives up fails.
        timeout: give up on the baseline, or on one mutant, after so many seconds.
        workers: checks side by side, and the threads or workers of an engine that has them.
        constants: constants by name, beside those that are given as keywords.

    Returns the report. Raises `CheckFailed`, an `AssertionError`; `UserError` for a name that is not known;
    `CompileError` for a protocol that does not compile or constants that do not fit; `ToolError` for an engine that
    cannot be used. Warns of what does not fail a check with `ProtocolWarning`.
    """
    __tracebackhide__ = True  # pytest shows the line of the test, not this file
    options = {
        "mutate": mutate is not False,
        "engine": engine != "explorer",
        "properties": properties is not None,
        "max_states": max_states is not None,
        "timeout": timeout is not None,
        "workers": workers != 1,
    }
    try:
        compiled = compile_protocol(load_protocol(protocol) if isinstance(protocol, str) else protocol)
        values = all_constants(compiled, [name for name, given in options.items() if given], constants, more_constants)
        report = plan(
            compiled,
            values,
            engine=engine,
            properties=properties,
            mutate=mutate,
            max_states=max_states,
            timeout=timeout,
            workers=workers,
        ).run()
    except (UserError, CompileError, ToolError) as error:
        raise error.with_traceback(None) from None  # the message says it all; our frames would bury it
    for text in report.warnings:
        warnings.warn(f"{report.protocol.name}: {text}", ProtocolWarning, stacklevel=2)
    if report.exit_code != 0:
        raise CheckFailed(failure_text(report), report)
    return report


def all_constants(
    protocol: ir.Protocol, options: Iterable[str], constants: Mapping[str, Any] | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    """The constants given in either way, by their names.

    `options` names the options that were given and could be constants as well. Raises `UserError` where one could be,
    for a constant that is given twice, and for one that there is not.
    """
    values = dict(constants or {})
    known = [constant.name for constant in protocol.constants]
    for name in options:
        if name in known and name not in values:
            raise UserError(
                f"{name} is an option here, and a constant of {protocol.name}: give the constant its value in "
                f'constants={{"{name}": …}}, whether or not the option is given too'
            )
    for name in more:
        if name in values:
            raise UserError(f"the constant {name} is given twice, as a keyword and in constants")
    values.update(more)
    for name in values:
        if name not in known:
            raise UserError(f"{protocol.name} has no constant {name}{nearest(name, known)}")
    return values


def failure_text(report: Report) -> str:
    """The verdict, then the report as the command line prints it, with the traces of what is not as declared.

    The command line ends with the verdict; the first line of an exception is what a summary shows.
    """
    first = "".join(part.text for part in verdict_line(report).parts)
    shown = [render_plain(report_blocks(report)[:-1]).rstrip() + "\n"]
    shown += [case.text for case in cases(report) if case.mutant and case.bad and case.text]
    return "\n".join([first, "", *shown]).rstrip()
