"""Ghosts flow only into ghosts, assumptions and properties: the check, and which statements are erased at run time.

Works on the syntax tree, because what runs is the syntax tree with these statements taken out. A local name is a
ghost's as soon as one of its assignments depends on a ghost.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType

from . import language
from .declarations import Declarations, DeclaredMethod
from .diagnostics import Code, Diagnostic
from .source import Namespace, method_namespace, span_of


@dataclass(frozen=True)
class Taint:
    """What depends on a ghost: attributes of the state (ghosts, and helpers that read them) and local names.

    `holders` are the parameters that hold the state: `self`, and the state after of a transition invariant.
    """

    attributes: frozenset[str]
    locals: frozenset[str]
    holders: frozenset[str]

    def touches(self, node: ast.AST) -> bool:
        """Whether an expression depends on a ghost."""
        for item in ast.walk(node):
            match item:
                case ast.Attribute(ast.Name(holder), name) if holder in self.holders and name in self.attributes:
                    return True
            if isinstance(item, ast.Name) and item.id in self.locals:
                return True
        return False


def ghostly_attributes(declarations: Declarations) -> frozenset[str]:
    """The ghosts, and every method that reads one, directly or through another method."""
    found = {item.name for item in declarations.variables() if item.ghost}
    methods = {item.name: item for item in declarations.methods()}
    grew = bool(found)
    while grew:
        grew = False
        for name, method in methods.items():
            if name not in found and Taint(frozenset(found), frozenset(), _holders(method)).touches(_body(method)):
                found.add(name)
                grew = True
    return frozenset(found)


def taint_of(method: DeclaredMethod, attributes: frozenset[str]) -> Taint:
    """The taint inside one method: the least set of local names closed under assignment."""
    names: set[str] = set()
    while True:
        taint = Taint(attributes, frozenset(names), _holders(method))
        before = len(names)
        for targets, value in _local_assignments(method.node.body, taint, under_ghost=False):
            if value is None or taint.touches(value):
                names.update(targets)
        if len(names) == before:
            return taint


def ghost_only_parameters(method: DeclaredMethod, attributes: frozenset[str]) -> tuple[str, ...]:
    """The parameters that nothing reads once ghosts and assumptions are erased, though the method does read them."""
    taint = taint_of(method, attributes)
    namespace = method_namespace(method.function, method.owner.namespace)
    kept = erase(method.node.body, taint, attributes, namespace)
    names = [item.arg for item in method.node.args.args[1:]]
    used = {item.id for node in kept for item in ast.walk(node) if isinstance(item, ast.Name)}
    everywhere = {item.id for node in method.node.body for item in ast.walk(node) if isinstance(item, ast.Name)}
    return tuple(name for name in names if name not in used and name in everywhere)


def erase(body: Sequence[ast.stmt], taint: Taint, ghosts: frozenset[str], namespace: Namespace) -> list[ast.stmt]:
    """A body without its assumptions, its assignments to ghosts and the local names that only these need."""
    kept: list[ast.stmt] = []
    for node in body:
        match node:
            case ast.Expr(ast.Call(function)) if _is(namespace, function, language.assume):
                continue
            case ast.If(test, then, orelse):
                inner = erase(then, taint, ghosts, namespace), erase(orelse, taint, ghosts, namespace)
                if taint.touches(test) or not any(inner):
                    continue
                passing = ast.copy_location(ast.Pass(), node)
                kept.append(ast.copy_location(ast.If(test, inner[0] or [passing], inner[1]), node))
            case ast.Assign(targets, value):
                left = [target for target in targets if not _is_ghostly(target, taint, ghosts)]
                if len(targets) == 1 and isinstance(targets[0], ast.Tuple) and isinstance(value, ast.Tuple):
                    kept.extend(_erase_pattern(node, targets[0], value, taint, ghosts))
                elif left and not taint.touches(value):
                    kept.append(ast.copy_location(ast.Assign(left, value), node))
            case ast.AugAssign(target) | ast.AnnAssign(target):
                if not _is_ghostly(target, taint, ghosts):
                    kept.append(node)
            case ast.Assert(test) if taint.touches(test):
                continue
            case _:
                kept.append(node)
    return kept


def _erase_pattern(
    node: ast.Assign, pattern: ast.Tuple, value: ast.Tuple, taint: Taint, ghosts: frozenset[str]
) -> Iterator[ast.stmt]:
    pairs = [
        (target, item)
        for target, item in zip(pattern.elts, value.elts, strict=True)
        if not _is_ghostly(target, taint, ghosts) and not taint.touches(item)
    ]
    if pairs:
        targets = ast.copy_location(ast.Tuple([target for target, _ in pairs], ast.Store()), pattern)
        values = ast.copy_location(ast.Tuple([item for _, item in pairs], ast.Load()), value)
        yield ast.copy_location(ast.Assign([targets], values), node)


def check_flow(declarations: Declarations, problems: list[Diagnostic]) -> None:
    """Report every ghost that flows into a guard, an obligation or a value that is not a ghost."""
    ghosts = frozenset(item.name for item in declarations.variables() if item.ghost)
    attributes = ghostly_attributes(declarations)
    if not ghosts:
        return
    for method in declarations.methods("action", "init"):
        taint = taint_of(method, attributes)
        namespace = method_namespace(method.function, method.owner.namespace)
        for node, message in _leaks(method.node.body, taint, ghosts, namespace, under_ghost=False):
            problems.append(
                Diagnostic(
                    Code.GHOST,
                    span_of(method.owner.file, node),
                    message,
                    "a ghost exists in the model only; the protocol that runs could not evaluate this",
                    "use what the system knows, or move the condition into assume(…) or a property",
                )
            )
        if method.mark.kind == "action":
            for name in ghost_only_parameters(method, attributes):
                argument = next(item for item in method.node.args.args if item.arg == name)
                problems.append(
                    Diagnostic(
                        Code.GHOST,
                        span_of(method.owner.file, argument),
                        f"the parameter {name} feeds ghosts and assumptions alone",
                        "at run time nobody could say what to pass",
                        "choose it once in @init and keep it in a ghost",
                    )
                )


def _leaks(
    body: Sequence[ast.stmt], taint: Taint, ghosts: frozenset[str], namespace: Namespace, *, under_ghost: bool
) -> Iterator[tuple[ast.AST, str]]:
    for node in body:
        match node:
            case ast.Expr(ast.Call(function) as call) if _is(namespace, function, language.guard):
                for keyword in call.keywords:
                    if under_ghost or taint.touches(keyword.value):
                        yield keyword, f"the guard {keyword.arg} depends on a ghost"
            case ast.Assert(test):
                if under_ghost or taint.touches(test):
                    yield node, "this assertion depends on a ghost"
            case ast.If(test, then, orelse):
                inner = under_ghost or taint.touches(test)
                yield from _leaks(then, taint, ghosts, namespace, under_ghost=inner)
                yield from _leaks(orelse, taint, ghosts, namespace, under_ghost=inner)
            case ast.Assign(targets, value):
                yield from _assignment_leaks(node, targets, value, taint, ghosts, under_ghost)
            case ast.AugAssign(target, _, value) | ast.AnnAssign(target, _, value) if value is not None:
                yield from _assignment_leaks(node, [target], value, taint, ghosts, under_ghost)
            case _:
                continue


def _assignment_leaks(
    node: ast.stmt,
    targets: Sequence[ast.expr],
    value: ast.expr,
    taint: Taint,
    ghosts: frozenset[str],
    under_ghost: bool,
) -> Iterator[tuple[ast.AST, str]]:
    for target in targets:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for inner, item in zip(target.elts, value.elts, strict=True):
                yield from _assignment_leaks(node, [inner], item, taint, ghosts, under_ghost)
            continue
        name = _state_name(target)
        if name is None or name in ghosts:
            continue
        index = target.slice if isinstance(target, ast.Subscript) else None
        if under_ghost or taint.touches(value) or (index is not None and taint.touches(index)):
            yield node, f"the value of {name} depends on a ghost"


def _state_name(target: ast.expr) -> str | None:
    match target:
        case ast.Attribute(ast.Name(), name) | ast.Subscript(ast.Attribute(ast.Name(), name)):
            return name
        case _:
            return None


def _is_ghostly(target: ast.expr, taint: Taint, ghosts: frozenset[str]) -> bool:
    if isinstance(target, ast.Name):
        return target.id in taint.locals
    return _state_name(target) in ghosts


def _local_assignments(
    body: Sequence[ast.stmt], taint: Taint, *, under_ghost: bool
) -> Iterator[tuple[tuple[str, ...], ast.expr | None]]:
    """Local names with the value assigned to them; None for a value that a ghost's `if` decides."""
    for node in body:
        match node:
            case ast.If(test, then, orelse):
                inner = under_ghost or taint.touches(test)
                yield from _local_assignments(then, taint, under_ghost=inner)
                yield from _local_assignments(orelse, taint, under_ghost=inner)
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
                for target, item in zip(targets, values, strict=True):
                    if isinstance(target, ast.Name):
                        yield (target.id,), None if under_ghost else item
            case ast.Assign(targets, value):
                names = tuple(target.id for target in targets if isinstance(target, ast.Name))
                if names:
                    yield names, None if under_ghost else value
            case ast.AnnAssign(ast.Name(name), _, value) | ast.AugAssign(ast.Name(name), _, value) if value is not None:
                yield (name,), None if under_ghost else value
            case _:
                continue


def _is(namespace: Namespace, function: ast.expr, wanted: FunctionType | object) -> bool:
    match function:
        case ast.Name(name):
            return namespace.lookup(name) is wanted
        case ast.Attribute(ast.Name(holder), name):
            return getattr(namespace.lookup(holder), name, None) is wanted
        case _:
            return False


def _holders(method: DeclaredMethod) -> frozenset[str]:
    count = 2 if method.mark.kind == "transition_invariant" else 1
    return frozenset(item.arg for item in method.node.args.args[:count])


def _body(method: DeclaredMethod) -> ast.Module:
    return ast.Module(body=method.node.body, type_ignores=[])
