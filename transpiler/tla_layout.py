"""Expressions over several lines, as TLA+ is written: bulleted lists, indented quantifiers, IF over THEN over ELSE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import ir
from .tla_collections import quantifier_head
from .tla_expressions import in_order
from .tla_scope import Scope
from .tla_syntax import inside, parenthesised

WIDTH = 96

Lines = tuple[str, ...]


def lines(expr: ir.Expr, scope: Scope, width: int = WIDTH) -> Lines:
    """The expression on one line if it fits into `width`, else broken at its outermost operators."""
    whole = str(scope.text(expr))
    if len(whole) <= width:
        return (whole,)
    match expr:
        case ir.Logic():
            bullet = "/\\ " if expr.operator == "and" else "\\/ "
            return bulleted(bullet, [lines(operand, scope, width - 3) for operand in expr.operands])
        case ir.IfElse():
            parts = [lines(part, scope, width - 5) for part in (expr.condition, expr.then, expr.orelse)]
            return tuple(
                line
                for word, part in zip(("IF   ", "THEN ", "ELSE "), parts, strict=True)
                for line in hanging(word, part)
            )
        case ir.Let():
            return _let(expr, scope, width)
        case ir.Quantifier():
            head, conditions, rest, inner = quantifier_head(expr, scope)
            body = lines(rest, inner, width - 4)
            if conditions is None:
                return (f"{head} :", *indented(body))
            if expr.operator == "any":
                return (f"{head} :", *indented(bulleted("/\\ ", [(str(conditions),), body])))
            antecedent = conditions if conditions.low > 1 else parenthesised(conditions)
            return (f"{head} :", *indented((f"{antecedent} =>", *indented(body))))
        case ir.FunctionDisplay() if len(expr.entries) > 1:
            return _function(expr, scope, width)
        case ir.FunctionUpdate() if expr.entries:
            changes = [
                hanging(f"![{inside(scope.text(key))}] = ", lines(value, scope, width - 8))
                for key, value in expr.entries
            ]
            return _enclosed(f"[{scope.text(expr.function)} EXCEPT", changes, "]")
        case _:
            return (whole,)


def _function(expr: ir.FunctionDisplay, scope: Scope, width: int) -> Lines:
    """An entry a line, in the order that the one-line text has them."""
    entries = [replace(expr, entries=(entry,)) for entry in in_order(expr)]
    first, *rest = (lines(entry, scope, width - 3) for entry in entries)
    return tuple(
        line for word, part in [("   ", first), *(("@@ ", part) for part in rest)] for line in hanging(word, part)
    )


def _enclosed(opening: str, parts: Sequence[Lines], closing: str) -> Lines:
    """`opening`, the parts indented and separated by commas, and `closing` behind the last."""
    found = [opening]
    for place, part in enumerate(parts):
        *before, last = part
        end = closing if place == len(parts) - 1 else ","
        found += indented((*before, f"{last}{end}"))
    return tuple(found)


def _let(expr: ir.Let, scope: Scope, width: int) -> Lines:
    """Definitions one below the other, those of a LET in a LET as well."""
    found: list[str] = []
    body: ir.Expr = expr
    while isinstance(body, ir.Let):
        name, inner = scope.value(body.name, body.value)
        found += hanging(f"{'    ' if found else 'LET '}{name} == ", lines(body.value, scope, width - len(name) - 8))
        scope, body = inner, body.body
    return (*found, *hanging("IN  ", lines(body, scope, width - 4)))


def bulleted(bullet: str, items: Sequence[Lines]) -> Lines:
    """Each item behind the bullet, its further lines below its first; TLA+ reads such a list by its columns."""
    return tuple(line for item in items for line in hanging(bullet, item))


def hanging(word: str, text: Lines) -> Lines:
    """The text behind a word, further lines indented as far as the first stands."""
    first, *rest = text
    return (word + first, *(" " * len(word) + line for line in rest))


def indented(text: Sequence[str]) -> Lines:
    """The text one step to the right."""
    return tuple("    " + line for line in text)
