"""Expressions over several lines, as TLA+ is written: bulleted lists, indented quantifiers, IF over THEN over ELSE."""

from __future__ import annotations

from collections.abc import Sequence

from . import ir
from .tla_collections import quantifier_head
from .tla_scope import Scope

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
            name, inner = scope.value(expr.name, expr.value)
            definition = hanging(f"LET {name} == ", lines(expr.value, scope, width - len(name) - 8))
            return (*definition, *hanging("IN  ", lines(expr.body, inner, width - 4)))
        case ir.Quantifier():
            head, conditions, rest, inner = quantifier_head(expr, scope)
            body = lines(rest, inner, width - 4)
            if conditions is None:
                return (f"{head} :", *indented(body))
            if expr.operator == "any":
                return (f"{head} :", *indented(bulleted("/\\ ", [(str(conditions),), body])))
            return (f"{head} :", *indented((f"{conditions} =>", *indented(body))))
        case _:
            return (whole,)


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
