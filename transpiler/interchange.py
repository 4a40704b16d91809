"""What would tell the members of a symmetric constant apart in a protocol, and is not seen by types alone.

Types do most of the work: a member is no string, and only `==`, `in` and the like compare members. What is left are
values that a protocol takes from elsewhere: a record of the module whose field is a string, where the language knows
records by their class; and the value of a constant, which may be given for a check.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import ir, traverse
from . import valuetypes as types
from .coercion import fits
from .diagnostics import Code, Diagnostic, Span
from .tla_config import domain_expressions
from .tla_names import domains_of, expressions_of, parts_of, types_of


def holds_members(span: Span, name: str, kind: types.Type) -> Diagnostic | None:
    """What is wrong with a constant of a type, if its values hold members of a symmetric constant."""
    for part in parts_of(kind):
        if isinstance(part, types.Model):
            return Diagnostic(
                Code.SYMMETRY,
                span,
                f"the constant {name} holds members of {part.constant}",
                "the members are interchangeable, and its value would single some of them out",
                f"make it a variable that @init chooses, or declare {part.constant} without symmetric=True",
            )
    return None


def check_members(protocol: ir.Protocol) -> list[Diagnostic]:
    """Records from the module with strings where the protocol has members of a symmetric constant."""
    declared: dict[type, types.Record] = {}
    for kind in types_of(protocol):
        if isinstance(kind, types.Record) and any(isinstance(part, types.Model) for part in parts_of(kind)):
            declared.setdefault(kind.python, kind)
    found: list[Diagnostic] = []
    for node in _nodes(protocol) if declared else ():
        wanted = declared.get(node.type.python) if isinstance(node.type, types.Record) else None
        if wanted is None or not isinstance(node, ir.RecordDisplay):
            continue
        for value, (name, kind) in zip(node.values, wanted.fields, strict=True):
            members = [part.constant for part in parts_of(kind) if isinstance(part, types.Model)]
            if members and not fits(value.type, kind):
                found.append(
                    Diagnostic(
                        Code.SYMMETRY,
                        node.span,
                        f"{wanted}.{name} is {types.an(value.type)} in this record, not {types.an(kind)}",
                        f"the members of {members[0]} are interchangeable, and a literal would single one out",
                        f"choose it as a parameter, or declare {members[0]} without symmetric=True",
                    )
                )
    return found


def _nodes(protocol: ir.Protocol) -> Iterator[ir.Expr]:
    for expr in expressions_of(protocol):
        yield from traverse.walk(expr)
    for domain in domains_of(protocol):
        for expr in domain_expressions(domain):
            yield from traverse.walk(expr)
