"""Class body → declarations: what a protocol class and its bases say, collected in order, inherited ones replaced."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Literal

from . import language
from .diagnostics import Code, Diagnostic, Span
from .language import Fairness, Mark, Protocol, mark_of
from .source import MISSING, ClassSource, FunctionSource, class_source, is_protocol, span_of, written
from .valuetypes import an


@dataclass(frozen=True)
class Declared:
    """Anything with a name in a class body; `owner` is the class whose source it stands in."""

    name: str
    owner: ClassSource
    node: ast.AST

    @property
    def span(self) -> Span:
        return self.owner.span(self.node)


@dataclass(frozen=True)
class DeclaredConstant(Declared):
    annotation: ast.expr
    default: Any
    symmetric: bool


@dataclass(frozen=True)
class DeclaredVariable(Declared):
    annotation: ast.expr
    value: ast.expr | None
    ghost: bool


@dataclass(frozen=True)
class DeclaredAlias(Declared):
    """A class attribute that names a type."""

    value: ast.expr


@dataclass(frozen=True)
class DeclaredMethod(Declared):
    node: ast.FunctionDef
    function: FunctionType
    mark: Mark


@dataclass(frozen=True)
class Declarations:
    """Everything a protocol declares, by name, in source order with inherited declarations first."""

    python: type[Protocol]
    members: Mapping[str, Declared]
    fairness: Fairness | None
    survivors: Mapping[str, str]
    refines: type[Protocol] | None
    doc: str
    span: Span

    def constants(self) -> Iterator[DeclaredConstant]:
        return (item for item in self.members.values() if isinstance(item, DeclaredConstant))

    def variables(self) -> Iterator[DeclaredVariable]:
        return (item for item in self.members.values() if isinstance(item, DeclaredVariable))

    def aliases(self) -> Iterator[DeclaredAlias]:
        return (item for item in self.members.values() if isinstance(item, DeclaredAlias))

    def methods(self, *kinds: str) -> Iterator[DeclaredMethod]:
        """The methods of some kinds, or all."""
        return (
            item
            for item in self.members.values()
            if isinstance(item, DeclaredMethod) and (not kinds or item.mark.kind in kinds)
        )


Kind = Literal["constant", "state variable", "alias", "nested class"] | str


def collect(cls: type[Protocol], problems: list[Diagnostic]) -> Declarations:
    """Read the bodies of a protocol class and its bases; what is malformed is appended to `problems`.

    Raises `CompileError` where the source of a class cannot be found.
    """
    members: dict[str, Declared] = {}
    # A variant made by `without` has no source of its own: it is its baseline with one guard less.
    bases = [base for base in reversed(cls.__mro__) if is_protocol(base) and "__protocheck_dropped__" not in vars(base)]
    for base in bases:
        source = class_source(base)
        problems += _additions(source)
        own: set[str] = set()
        for declared in _body(source, problems):
            if declared.name in own:
                problems.append(
                    Diagnostic(
                        Code.DECLARATION,
                        declared.span,
                        f"{declared.name} is declared twice in {base.__name__}",
                        "the first declaration would silently be lost",
                        "give one of them another name",
                    )
                )
                continue
            own.add(declared.name)
            inherited = members.get(declared.name)
            if inherited is not None and _kind(inherited) != _kind(declared):
                problems.append(
                    Diagnostic(
                        Code.DECLARATION,
                        declared.span,
                        f"{declared.name} is {an(_kind(declared))} here and {an(_kind(inherited))} in "
                        f"{inherited.owner.python.__name__}",
                        "a declaration replaces an inherited one of its own kind",
                        "give it another name",
                    )
                )
                continue
            members[declared.name] = declared
    source = class_source(bases[-1])
    module_doc = getattr(sys.modules.get(cls.__module__), "__doc__", None)
    return Declarations(
        bases[-1],
        members,
        cls.__protocheck_fairness__,
        cls.__protocheck_survivors__,
        cls.__protocheck_refines__,
        inspect.cleandoc(bases[-1].__dict__.get("__doc__") or module_doc or ""),
        source.span(source.node),
    )


def _additions(source: ClassSource) -> Iterator[Diagnostic]:
    """What adds to a class beyond its own body and the protocols that it extends."""
    unchecked = "nothing runs in a protocol that was not checked"
    for decorator in source.node.decorator_list:
        message = f"@{ast.unparse(decorator)} on a protocol is not in the language"
        yield Diagnostic(Code.DECLARATION, source.span(decorator), message, unchecked, "remove it")
    for base, python in zip(source.node.bases, source.python.__bases__, strict=False):
        if python is not Protocol and not is_protocol(python):
            message = f"{ast.unparse(base)} is no protocol"
            yield Diagnostic(Code.DECLARATION, source.span(base), message, unchecked, "extend protocols only")
    for keyword in source.node.keywords:
        if keyword.arg == "metaclass":
            message = "a metaclass is not in the language"
            yield Diagnostic(Code.DECLARATION, source.span(keyword), message, unchecked, "remove it")


def _kind(declared: Declared) -> Kind:
    match declared:
        case DeclaredConstant():
            return "constant"
        case DeclaredVariable():
            return "state variable"
        case DeclaredAlias():
            return "type alias"
        case DeclaredMethod():
            return declared.mark.kind.replace("_", " ")
        case _:
            return "nested class"


def _body(source: ClassSource, problems: list[Diagnostic]) -> Iterator[Declared]:
    for node in source.node.body:
        match node:
            case ast.Expr(ast.Constant(str())) | ast.Pass():
                continue
            case ast.AnnAssign(ast.Name(name), annotation, value):
                yield from _annotated(source, node, name, annotation, value, problems)
            case ast.Assign([ast.Name(name)], value):
                if _marker(source, value) is not None:
                    problems.append(
                        Diagnostic(
                            Code.DECLARATION,
                            source.span(node),
                            f"{name} has no type",
                            "a constant or state variable is declared with its domain",
                            f"write `{name}: T = …`",
                        )
                    )
                else:
                    yield DeclaredAlias(name, source, node, value)
            case ast.FunctionDef(name):
                method = _method(source, node, problems)
                if method is not None:
                    yield method
            case ast.ClassDef(name):
                yield Declared(name, source, node)
            case _:
                problems.append(
                    Diagnostic(
                        Code.STATEMENT,
                        source.span(node),
                        "this statement cannot stand in the body of a protocol",
                        "a class body declares constants, variables, type aliases and decorated methods",
                        "compute it outside the class and use its name",
                    )
                )


def _annotated(
    source: ClassSource,
    node: ast.AnnAssign,
    name: str,
    annotation: ast.expr,
    value: ast.expr | None,
    problems: list[Diagnostic],
) -> Iterator[Declared]:
    if name.startswith("__"):
        problems.append(
            Diagnostic(
                Code.DECLARATION,
                source.span(node),
                f"{name} cannot name a variable or constant",
                "Python rewrites names that begin with two underscores",
                "take a plain name",
            )
        )
        return
    if _is_type_alias(source, annotation):
        if value is not None:
            yield DeclaredAlias(name, source, node, value)
        return
    marker = _marker(source, value)
    if marker is language.const:
        symmetric = isinstance(value, ast.Call) and any(
            keyword.arg == "symmetric" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
            for keyword in value.keywords
        )
        yield DeclaredConstant(name, source, node, annotation, source.python.__dict__.get(name), symmetric)
    elif marker is language.ghost:
        argument = value.args[0] if isinstance(value, ast.Call) and value.args else None
        yield DeclaredVariable(name, source, node, annotation, argument, ghost=True)
    else:
        yield DeclaredVariable(name, source, node, annotation, value, ghost=False)


def _method(source: ClassSource, node: ast.FunctionDef, problems: list[Diagnostic]) -> DeclaredMethod | None:
    foreign = foreign_decorators(source, node, WORDS)
    if foreign:
        problems += foreign
        return None
    function = source.python.__dict__.get(node.name)
    mark = mark_of(function)
    if isinstance(function, FunctionType) and mark is not None:
        return DeclaredMethod(node.name, source, node, written(function), mark)
    problems.append(
        Diagnostic(
            Code.DECLARATION,
            source.span(node),
            f"the method {node.name} is not declared as anything",
            "a protocol's methods are its actions, helpers and properties, so that nothing runs unchecked",
            "decorate it with @action, @helper, @invariant, …, or move it out of the class",
        )
    )
    return None


WORDS = (
    language.init,
    language.action,
    language.helper,
    language.abstraction,
    language.invariant,
    language.transition_invariant,
    language.eventually,
    language.infinitely_often,
    language.eventually_always,
    language.leads_to,
    language.reachable,
    language.terminal,
)
"""The decorators of the language."""


def foreign_decorators(
    source: ClassSource | FunctionSource, node: ast.FunctionDef, known: Sequence[object]
) -> list[Diagnostic]:
    """Decorators that are none of these: what they make of a function would be neither checked nor run."""
    return [
        Diagnostic(
            Code.DECLARATION,
            span_of(source.file, decorator),
            f"@{ast.unparse(decorator)} on {node.name} is not in the language",
            "the text of the function is what is checked and what runs, without what a decorator makes of it",
            "remove it" + (", and decorate the method with @action, @helper, @invariant, …" if known is WORDS else ""),
        )
        for decorator in node.decorator_list
        if resolve(source, decorator.func if isinstance(decorator, ast.Call) else decorator) not in known
    ]


def _marker(source: ClassSource, value: ast.expr | None) -> object:
    """`const` or `ghost` where the value is a call of one of them, else None."""
    if isinstance(value, ast.Call):
        called = resolve(source, value.func)
        if called is language.const or called is language.ghost:
            return called
    return None


def _is_type_alias(source: ClassSource, annotation: ast.expr) -> bool:
    name = getattr(resolve(source, annotation), "_name", None) or ""
    return name == "TypeAlias"


def resolve(source: ClassSource | FunctionSource, node: ast.expr) -> Any:
    """The Python object that a dotted name refers to, or `MISSING`."""
    match node:
        case ast.Name(name):
            return source.namespace.lookup(name)
        case ast.Attribute(value, name):
            outer = resolve(source, value)
            return MISSING if outer is MISSING else getattr(outer, name, MISSING)
        case _:
            return MISSING
