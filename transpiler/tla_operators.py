"""The definitions of a module as data, which the template lays out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from . import ir, traverse
from .diagnostics import NOWHERE, Span
from .tla_expressions import as_value, branches
from .tla_layout import WIDTH, Lines, hanging, indented, lines
from .tla_scope import Scope
from .tla_syntax import infix, parenthesised


@dataclass(frozen=True)
class Conjunct:
    """An item of a bulleted list; `note` is a comment behind its first line."""

    lines: Lines
    note: str = ""


@dataclass(frozen=True)
class Operator:
    r"""`head ==`, then `quantifiers` (`\E x \in S :`), local definitions, and a bulleted list or a `body`."""

    head: str
    comments: Lines = ()
    quantifiers: Lines = ()
    lets: tuple[Lines, ...] = ()
    items: tuple[Conjunct, ...] = ()
    bullet: str = "/\\"
    body: Lines = ()


def position(span: Span) -> str:
    """`rollback.py:17`: without the folder, so that the text is the same on every machine."""
    return "" if span == NOWHERE or not span.line else f"{PurePath(span.file).name}:{span.line}"


def comments(doc: str, span: Span) -> Lines:
    """The docstring and where it stands, a line each."""
    text = [line.rstrip() for line in doc.strip().splitlines()]
    where = position(span)
    return (*text, where) if where else tuple(text)


def head(name: str, parameters: Sequence[str]) -> str:
    """`Name(a, b)`, or `Name`."""
    return f"{name}({', '.join(parameters)})" if parameters else name


def condition(when: ir.Expr | None, expr: ir.Expr, scope: Scope, width: int) -> Lines:
    """A condition of an action, under that of its branch; as a value where TLC would count it more than once."""
    if when is None and not branches(expr, scope.protocol):
        return lines(expr, scope, width)
    text = scope.text(expr) if when is None else infix("=>", scope.text(when), scope.text(expr))
    whole = str(as_value(text))
    if len(whole) <= width:
        return (whole,)
    inside = lines(expr, scope, width - 9)
    if when is not None:
        antecedent = scope.text(when)
        shown = antecedent if antecedent.low > 1 else parenthesised(antecedent)
        inside = (f"{shown} =>", *indented(inside))
    *before, last = hanging("(", inside)
    return (*before, f"{last}) = TRUE")


def assignment(target: str, value: ir.Expr, scope: Scope) -> Conjunct:
    """`target = value`; what binds less tightly than `=` stands in parentheses."""
    text = scope.text(value)
    shown = lines(value, scope, WIDTH - len(target) - 10)
    if text.operator not in ("IF", "LET") and text.low <= 5:
        *before, last = hanging("(", shown)
        shown = (*before, f"{last})")
    return Conjunct(hanging(f"{target} = ", shown))


def step_condition(step: ir.Guard | ir.Assume, scope: Scope, label: str = "") -> Conjunct:
    """A guard, labelled with its name, or an assumption."""
    text = condition(step.when, step.condition, scope, WIDTH - 7 - len(label))
    where = position(step.span)
    if isinstance(step, ir.Guard):
        return Conjunct(hanging(f"{label}:: ", text), where)
    return Conjunct(text, f"assumed, {where}" if where else "assumed")


def definitions(steps: Iterable[ir.Step], wanted: Iterable[ir.Expr], scope: Scope) -> tuple[tuple[Lines, ...], Scope]:
    """The local names that expressions need, directly or through one another, and the scope that has them."""
    binds = [step for step in steps if isinstance(step, ir.Bind)]
    names = frozenset[str]().union(*map(traverse.free_locals, wanted))
    needed: list[ir.Bind] = []
    for bind in reversed(binds):
        if bind.name in names:
            needed.insert(0, bind)
            names |= traverse.free_locals(bind.value)
    texts = []
    for bind in needed:
        value = bind.value
        name, inner = scope.value(bind.name, value)
        texts.append(hanging(f"{name} == ", lines(value, scope, WIDTH - len(name) - 8)))
        scope = inner
    return tuple(texts), scope


def parameters(items: Iterable[ir.Parameter], scope: Scope) -> tuple[tuple[str, ...], Scope]:
    """The names of parameters, and the scope in which they have them."""
    names = []
    for item in items:
        name, scope = scope.parameter(item.name, item.domain)
        names.append(name)
    return tuple(names), scope
