"""A failing machine made small: parts of its text are taken away as long as it goes on failing.

Works on the syntax tree and knows nothing of types: what no longer compiles simply does not fail the same way.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .machine import Machine

LITERALS = ("True", "False", "0", "1", "None", "()", "frozenset()")


def reduced(machine: Machine, fails: Callable[[Machine], bool], most_tries: int = 4_000) -> Machine:
    """The smallest text found for which `fails` is still true. Every accepted edit makes the text shorter."""
    tries = 0
    best = machine.source
    progress = True
    while progress and tries < most_tries:
        progress = False
        for edit in range(_count(best)):
            for text in _edited(best, edit):
                if len(text) >= len(best):
                    continue
                tries += 1
                if fails(replace(machine, source=text)):
                    best, progress = text, True
                    break
            if progress or tries >= most_tries:
                break
    return replace(machine, source=best)


def _count(text: str) -> int:
    return sum(1 for _ in _places(ast.parse(text)))


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Every place that holds a node, large parts first: (holder, field, position in a list)."""
    found: list[tuple[int, ast.AST, str, int | None]] = []
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                found += [(_size(item), node, name, place) for place, item in enumerate(value) if _editable(item)]
            elif _editable(value):
                found.append((_size(value), node, name, None))
    found.sort(key=lambda entry: -entry[0])
    for _, node, name, place in found:
        yield node, name, place


def _size(node: ast.AST) -> int:
    return sum(1 for _ in ast.walk(node))


def _editable(value: Any) -> bool:
    return isinstance(value, ast.stmt | ast.expr | ast.keyword | ast.arg | ast.comprehension)


def _edited(text: str, edit: int) -> Iterator[str]:
    """The text with one place emptied, or with something simpler in it."""
    tree = ast.parse(text)
    holder, name, place = list(_places(tree))[edit]
    value = getattr(holder, name)
    node = value if place is None else value[place]
    for replacement in _simpler(node, place is not None):
        again = copy.deepcopy(tree)
        other, _, _ = list(_places(again))[edit]
        if place is None:
            setattr(other, name, replacement[0])
        else:
            getattr(other, name)[place : place + 1] = replacement
            if name == "body" and not getattr(other, name) and not isinstance(other, ast.Module):
                setattr(other, name, [ast.Pass()])
        try:
            yield ast.unparse(ast.fix_missing_locations(again)) + "\n"
        except (ValueError, AttributeError, TypeError, IndexError):
            continue


def _simpler(node: ast.AST, in_list: bool) -> Iterator[list[ast.AST]]:
    if in_list:
        yield []
    match node:
        case ast.If():
            if in_list:
                yield list(node.body)
                yield list(node.orelse)
        case ast.expr():
            for child in ast.walk(node):
                if isinstance(child, ast.expr) and child is not node and _size(child) > 1:
                    yield [copy.deepcopy(child)]
            for text in LITERALS:
                yield [ast.parse(text, mode="eval").body]
        case _:
            return


__all__ = ["reduced"]
