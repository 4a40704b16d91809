"""What is wrong with a protocol, where, why, and what to write instead."""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a source file. Lines and columns count from 1; `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Span("<built in>", 0, 0, 0, 0)


class Code(Enum):
    """The closed set of diagnostics; the value is the stable code that users may search for."""

    SYNTAX = "PC101"  # a construct outside the language
    STATEMENT = "PC102"  # a statement that an action, helper or property may not contain
    CALL = "PC103"  # a call of something that is not in the language
    NAME = "PC104"  # an unknown name
    ATTRIBUTE = "PC105"  # an unknown attribute
    TYPE = "PC201"  # operands whose types do not fit
    TRUTHINESS = "PC202"  # something that is no bool used as a condition
    ANNOTATION = "PC203"  # an annotation that names no domain
    DOMAIN = "PC204"  # a domain that is empty, unbounded or does not contain its initial value
    CONSTANT = "PC205"  # a constant's value that cannot be used
    DECLARATION = "PC301"  # a declaration that is malformed, misplaced or conflicts with another
    COLLISION = "PC302"  # two names that would be one in TLA+
    GUARD = "PC303"  # a guard without a name, or with a name taken in its action
    ORDER = "PC304"  # a guard or an assumption after an assignment
    UNASSIGNED = "PC305"  # a local name or a state variable that is not assigned on every path
    GHOST = "PC306"  # a ghost that flows into what runs
    SURVIVOR = "PC307"  # a declared survivor that names no guard
    RECURSION = "PC308"  # helpers that call themselves
    SYMMETRY = "PC309"  # a literal, an order or a choice over interchangeable members
    SCOPE = "PC310"  # Python's own trap: a comprehension in a class body that names a class attribute
    SOURCE = "PC401"  # the source text of a class cannot be found
    REFINEMENT = "PC402"  # an abstraction that does not fit what is refined


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake in a protocol.

    `message` says what is wrong, `reason` why it is refused, `remedy` what to write instead.
    """

    code: Code
    span: Span
    message: str
    reason: str = ""
    remedy: str = ""

    def render(self) -> str:
        """The text shown to a user: position, message, the line with a caret, reason and remedy."""
        lines = [f"{self.span}: {self.code.value}: {self.message}"]
        lines += caret_excerpt(self.span)
        if self.reason:
            lines.append(f"  why: {self.reason}")
        if self.remedy:
            lines.append(f"  instead: {self.remedy}")
        return "\n".join(lines)


def caret_excerpt(span: Span) -> list[str]:
    """The source line of a span and a line of carets under it; nothing where the source is not at hand."""
    source = linecache.getline(span.file, span.line).rstrip("\n")
    if not source:
        return []
    last = span.end_column if span.end_line == span.line else len(source) + 1
    width = max(1, last - span.column)
    gutter = f"{span.line:>5} | "
    # Tabs are kept in the padding so that the caret stands under its character whatever the tab width.
    padding = "".join("\t" if character == "\t" else " " for character in source[: span.column - 1])
    return [gutter + source, " " * (len(gutter) - 2) + "| " + padding + "^" * width]


class CompileError(Exception):
    """A protocol is outside the language; carries every diagnostic found, in source order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: Sequence[Diagnostic] = tuple(sorted(diagnostics, key=lambda d: (d.span, d.code.value)))
        count = len(self.diagnostics)
        heading = f"{count} problem{'s' if count != 1 else ''} in the protocol"
        super().__init__("\n\n".join([heading, *(diagnostic.render() for diagnostic in self.diagnostics)]))
