"""Python's own trap, explained: in a class body the inner part of a comprehension does not see the class."""

from __future__ import annotations

import ast
import linecache
import traceback
from collections.abc import Iterator

from .diagnostics import Code, Diagnostic
from .source import span_of

_SCOPES = ("<genexpr>", "<setcomp>", "<dictcomp>", "<listcomp>")


def class_body_trap(error: NameError) -> Diagnostic | None:
    """What really happened when a class body raised `NameError`, or None for any other name that is missing.

    The comprehension runs in a scope of its own, which skips the class; Python's message does not say so.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    if error.name is None or not frames or frames[-1][0].f_code.co_name not in _SCOPES:
        return None
    frame, line = frames[-1]
    file = frame.f_code.co_filename
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.ClassDef) or not owner.lineno <= line <= (owner.end_lineno or line):
            continue
        for statement in owner.body:
            if not statement.lineno <= line <= (statement.end_lineno or line):
                continue
            for node in _unseen_names(statement):
                if node.id == error.name and node.lineno == line:
                    return Diagnostic(
                        Code.SCOPE,
                        span_of(file, node),
                        f"a comprehension in a class body does not see {error.name}",
                        "Python gives comprehensions a scope of their own, which skips the class",
                        "give the value in an @init method, or compute it outside the class",
                    )
    return None


def _unseen_names(statement: ast.stmt) -> Iterator[ast.Name]:
    """The names in comprehensions, their outermost iterable left out: that one does see the class."""
    for node in ast.walk(statement):
        if isinstance(node, (ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.ListComp)):
            seen = set(map(id, ast.walk(node.generators[0].iter)))
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and id(inner) not in seen:
                    yield inner


__all__ = ["class_body_trap"]
