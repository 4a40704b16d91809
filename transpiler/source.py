"""Finding the syntax tree of a class or function, and what the names in it refer to."""

from __future__ import annotations

import ast
import builtins
import linecache
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from .diagnostics import NOWHERE, Code, CompileError, Diagnostic, Span
from .language import Protocol

MISSING = object()


@dataclass(frozen=True)
class Namespace:
    """Where names are looked up, innermost first; the last resort is Python's builtins."""

    layers: tuple[Mapping[str, Any], ...]

    def lookup(self, name: str) -> Any:
        """The object a name refers to, or `MISSING`."""
        for layer in self.layers:
            if name in layer:
                return layer[name]
        return getattr(builtins, name, MISSING)


@dataclass(frozen=True)
class ClassSource:
    """The definition of a class: its syntax tree, the file it is from, and the names visible to it."""

    python: type
    node: ast.ClassDef
    file: str
    namespace: Namespace

    def span(self, node: ast.AST) -> Span:
        return span_of(self.file, node)


@dataclass(frozen=True)
class FunctionSource:
    """The definition of a module-level function."""

    python: FunctionType
    node: ast.FunctionDef
    file: str
    namespace: Namespace


def span_of(file: str, node: ast.AST) -> Span:
    """The stretch of source that a syntax node covers."""
    line = getattr(node, "lineno", 0)
    end_line = getattr(node, "end_lineno", None) or line
    return Span(
        file,
        line,
        _character(file, line, getattr(node, "col_offset", 0)),
        end_line,
        _character(file, end_line, getattr(node, "end_col_offset", None) or 0),
    )


def class_source(cls: type) -> ClassSource:
    """The syntax tree of a class, found through the code of its methods, else through where it was defined.

    Raises `CompileError` (code SOURCE) where the text is not to be had, for a class made by `exec` or `python -c` say.
    """
    origin = cls.__dict__.get("__protocheck_origin__")
    functions = [
        written(member)
        for member in cls.__dict__.values()
        if isinstance(member, FunctionType) and member.__qualname__ == f"{cls.__qualname__}.{member.__name__}"
    ]
    file = functions[0].__code__.co_filename if functions else (origin.file if origin else _file_of(cls))
    candidates = [node for node in ast.walk(_tree(cls, file)) if isinstance(node, ast.ClassDef)]
    found = [
        node
        for node in candidates
        if node.name == cls.__name__
        and (_holds_method(node, functions[0].__code__) if functions else _holds_line(node, origin and origin.line))
    ]
    if not found:
        raise _no_source(cls, file)
    layers: list[Mapping[str, Any]] = []
    if origin:
        layers.append(origin.local_names)
    layers.append(functions[0].__globals__ if functions else vars(sys.modules[cls.__module__]))
    return ClassSource(cls, found[0], file, Namespace(tuple(layers)))


def function_source(function: FunctionType) -> FunctionSource:
    """The syntax tree of a plain function. Raises `CompileError` (code SOURCE) where it is not to be had."""
    code = function.__code__
    for node in ast.walk(_tree(function, code.co_filename)):
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__ and _starts_at(node, code):
            return FunctionSource(function, node, code.co_filename, method_namespace(function))
    raise _no_source(function, code.co_filename)


def method_namespace(function: FunctionType, outer: Namespace | None = None) -> Namespace:
    """What the names in a function's body refer to: its closure, then the names around it."""
    closure: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            closure[name] = cell.cell_contents
        except ValueError:  # a name that is assigned later, or never
            continue
    around = outer.layers if outer is not None else (function.__globals__,)
    return Namespace((closure, *around))


def written(function: FunctionType) -> FunctionType:
    """The function as its user wrote it, where `native` has put a compiled one in its place."""
    original = getattr(function, "__wrapped__", function)
    return original if isinstance(original, FunctionType) else function


@lru_cache(maxsize=64)
def _parse(file: str, text: str) -> ast.Module:
    return ast.parse(text, filename=file)


def _tree(thing: Any, file: str) -> ast.Module:
    # The loader of a zip file or a notebook finds its text through the module's globals.
    text = "".join(linecache.getlines(file, getattr(sys.modules.get(thing.__module__), "__dict__", None)))
    if not text:
        raise _no_source(thing, file)
    try:
        return _parse(file, text)
    except SyntaxError as error:  # the file was changed after it was imported
        raise _no_source(thing, file) from error


def _file_of(cls: type) -> str:
    return getattr(sys.modules.get(cls.__module__), "__file__", None) or "<unknown>"


def _holds_method(node: ast.ClassDef, code: CodeType) -> bool:
    return any(
        isinstance(item, ast.FunctionDef) and item.name == code.co_name and _starts_at(item, code) for item in node.body
    )


def _starts_at(node: ast.FunctionDef, code: CodeType) -> bool:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return first == code.co_firstlineno


def _holds_line(node: ast.ClassDef, line: int | None) -> bool:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return line is None or first <= line <= (node.end_lineno or node.lineno)


def _no_source(thing: Any, file: str) -> CompileError:
    return CompileError(
        [
            Diagnostic(
                Code.SOURCE,
                Span(file, 0, 0, 0, 0) if file else NOWHERE,
                f"the source text of {thing.__qualname__} cannot be found",
                "a protocol is read from its source, and code made by exec, by -c or at the plain prompt has none",
                "put the class into a file or a notebook cell",
            )
        ]
    )


def _character(file: str, line: int, byte: int) -> int:
    """The column, from 1, of a byte offset in a line: `ast` counts UTF-8 bytes, people count characters."""
    text = linecache.getline(file, line)
    if text.isascii():
        return byte + 1
    return len(text.encode()[:byte].decode(errors="replace")) + 1


def is_protocol(candidate: object) -> bool:
    """Whether an object is a user's protocol class."""
    return isinstance(candidate, type) and issubclass(candidate, Protocol) and candidate is not Protocol
