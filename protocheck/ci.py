"""What `protocheck run` tells a CI system besides its report: JUnit XML; annotations and a job summary for GitHub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .commands_common import OneOf, write_file
from .toolchain.errors import UserError
from .toolchain.tlc.errors import ToolError
from .transpiler.diagnostics import CompileError

if TYPE_CHECKING:
    from .toolchain.report import Report
    from .transpiler import ir

Annotations = Literal["auto", "github", "off"]

junit_option = click.option(
    "--junit",
    "junit_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the result to FILE as JUnit XML: a test case a property, and one a mutant.",
)

annotations_option = click.option(
    "--annotations",
    type=OneOf("kind of annotations", ("auto", "github", "off")),
    default="auto",
    show_default=True,
    help="github: say on standard error what failed in GitHub's words; auto: where GitHub Actions runs it.",
)


@contextmanager
def annotating_mistakes(annotations: Annotations) -> Iterator[None]:
    """Tell GitHub of a protocol that does not compile, where annotations are wanted; the error goes on its way."""
    try:
        yield
    except CompileError as error:
        if _wanted(annotations):
            from .toolchain.report_github import commands_of_mistakes

            click.echo(commands_of_mistakes(error.diagnostics, _root()), err=True, nl=False)
        raise


@contextmanager
def telling_of_failures(protocol: ir.Protocol, junit_file: Path | None) -> Iterator[None]:
    """Write the JUnit file, where one is asked for, where a tool fails as well; the error goes on its way."""
    try:
        yield
    except ToolError as error:
        if junit_file is not None:
            from .toolchain.report_junit import junit_xml_of_failure

            write_file(junit_file, junit_xml_of_failure(protocol, str(error)))
        raise


def hand_over(report: Report, junit_file: Path | None, annotations: Annotations) -> None:
    """Write the JUnit file, and tell GitHub, where that was asked for.

    Annotations go to standard error, which GitHub's runner reads as well, so that standard output stays the report.
    Raises `UserError` where a file cannot be written.
    """
    if junit_file is not None:
        from .toolchain.report_junit import junit_xml

        write_file(junit_file, junit_xml(report))
    if _wanted(annotations):
        _tell_github(report)


def _wanted(annotations: Annotations) -> bool:
    return annotations == "github" or (annotations == "auto" and os.environ.get("GITHUB_ACTIONS") == "true")


def _root() -> str:
    """The folder of the repository, from which files are named."""
    return os.environ.get("GITHUB_WORKSPACE") or os.getcwd()


def _tell_github(report: Report) -> None:
    from .toolchain.report_github import summary, workflow_commands

    click.echo(workflow_commands(report, _root()), err=True, nl=False)
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if file:
        try:
            with open(file, "a", encoding="utf-8") as stream:
                stream.write(summary(report))
        except OSError as error:
            message = f"{file}, which GITHUB_STEP_SUMMARY names, cannot be written: {error.strerror or error}"
            raise UserError(message) from None
