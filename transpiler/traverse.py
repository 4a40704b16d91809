"""Walking and rewriting expressions: the only module that knows where an expression keeps its sub-expressions.

Which fields hold expressions is read off the IR's dataclasses once a class, so that a new kind of expression needs
no new code here unless it binds names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

from . import ir

Rewrite = Callable[[ir.Expr], ir.Expr]


# --------------------------------------------------------------------------------------------------- structure


_PARTS: dict[type, tuple[str, ...]] = {}


def _parts(node: ir.Node) -> tuple[str, ...]:
    """The fields of a node's class that may hold expressions, in the order in which they are evaluated."""
    parts = _PARTS.get(type(node))
    if parts is None:
        declared = [(field.name, str(field.type)) for field in fields(node)]
        parts = tuple(name for name, annotation in declared if "Expr" in annotation or "Generator" in annotation)
        _PARTS[type(node)] = parts
    return parts


def children(expr: ir.Expr | ir.Generator) -> tuple[ir.Expr, ...]:
    """The direct sub-expressions in the order of evaluation; a generator's source and conditions count as direct."""
    found: list[ir.Expr] = []
    for name in _parts(expr):
        _collect(getattr(expr, name), found)
    return tuple(found)


def _collect(part: Any, found: list[ir.Expr]) -> None:
    if isinstance(part, ir.Typed):
        found.append(cast(ir.Expr, part))
    elif isinstance(part, ir.Generator):
        found.extend(children(part))
    elif isinstance(part, tuple):
        for item in part:
            _collect(item, found)


def map_children(expr: ir.Expr, rewrite: Rewrite) -> ir.Expr:
    """The expression with `rewrite` applied to each direct sub-expression; the same object where nothing changed.

    Binders are not treated specially: see `substitute` for a rewriting that respects scopes.
    """
    return cast(ir.Expr, _map_node(expr, rewrite))


def _map_node(node: Any, rewrite: Rewrite) -> Any:
    changes = {}
    for name in _parts(node):
        old = getattr(node, name)
        new = _map_part(old, rewrite)
        if new is not old:
            changes[name] = new
    return replace(node, **changes) if changes else node


def _map_part(part: Any, rewrite: Rewrite) -> Any:
    if isinstance(part, ir.Typed):
        return rewrite(cast(ir.Expr, part))
    if isinstance(part, ir.Generator):
        return _map_node(part, rewrite)
    if isinstance(part, tuple):
        mapped = tuple(_map_part(item, rewrite) for item in part)
        return part if all(new is old for new, old in zip(mapped, part, strict=True)) else mapped
    return part


def rewrite_bottom_up(expr: ir.Expr, rewrite: Rewrite) -> ir.Expr:
    """`rewrite` applied to every sub-expression, the innermost first, and to the expression itself last."""
    return rewrite(map_children(expr, lambda child: rewrite_bottom_up(child, rewrite)))


def walk(expr: ir.Expr) -> Iterator[ir.Expr]:
    """The expression and everything below it, parents before their children, from the left."""
    yield expr
    for child in children(expr):
        yield from walk(child)


# -------------------------------------------------------------------------------------------------------- names


def binders(expr: ir.Expr) -> tuple[str, ...]:
    """The names that this node itself binds for some of its sub-expressions."""
    match expr:
        case ir.SetComprehension() | ir.Quantifier() | ir.Aggregate():
            return tuple(generator.name for generator in expr.generators)
        case ir.SequenceComprehension():
            return (expr.generator.name,)
        case ir.FunctionComprehension() | ir.Let():
            return (expr.name,)
        case _:
            return ()


def bound_names(expr: ir.Expr) -> tuple[str, ...]:
    """Every name bound anywhere in the expression, once a binding, in the order of the text."""
    return tuple(name for node in walk(expr) for name in binders(node))


def free_locals(expr: ir.Expr) -> frozenset[str]:
    """The names of the `LocalRef`s that nothing within the expression binds."""
    match expr:
        case ir.LocalRef():
            return frozenset((expr.name,))
        case ir.SetComprehension() | ir.Quantifier() | ir.Aggregate() | ir.SequenceComprehension():
            inner = expr.condition if isinstance(expr, ir.Quantifier) else expr.element
            generators = (expr.generator,) if isinstance(expr, ir.SequenceComprehension) else expr.generators
            free = free_locals(inner)
            # From the inside out: a generator binds its own conditions and all to its right, not its source.
            for generator in reversed(generators):
                free = free.union(*map(free_locals, generator.conditions)) - {generator.name}
                free |= free_locals(generator.source)
            if isinstance(expr, ir.Aggregate) and expr.default is not None:
                free |= free_locals(expr.default)
            return free
        case ir.FunctionComprehension():
            return free_locals(expr.source) | (free_locals(expr.value) - {expr.name})
        case ir.Let():
            return free_locals(expr.value) | (free_locals(expr.body) - {expr.name})
        case _:
            return frozenset[str]().union(*map(free_locals, children(expr)))


def variables_of(expr: ir.Expr, protocol: ir.Protocol | None = None) -> frozenset[str]:
    """The state variables that the expression names; also those that its helpers name where `protocol` is given."""
    found = {node.name for node in walk(expr) if isinstance(node, ir.VariableRef)}
    if protocol is not None:
        for node in walk(expr):
            if isinstance(node, ir.Call):
                found |= variables_of(protocol.helper(node.helper).body, protocol)
    return frozenset(found)


def is_constant(expr: ir.Expr, protocol: ir.Protocol) -> bool:
    """Whether the value depends on constants alone: no variable, not even through a helper, and no free local name."""
    return not free_locals(expr) and not variables_of(expr, protocol)


def fresh_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or the first of `wanted_2`, `wanted_3`, … that is not taken."""
    used = set(taken)
    if wanted not in used:
        return wanted
    number = 2
    while f"{wanted}_{number}" in used:
        number += 1
    return f"{wanted}_{number}"


# ------------------------------------------------------------------------------------------------- substitution


def substitute(expr: ir.Expr, values: Mapping[str, ir.Expr]) -> ir.Expr:
    """The expression with free local names replaced.

    Capture is avoided: a binder inside `expr` whose name occurs free in a replacement is renamed. Within one
    definition names are distinct and this never happens; a helper's body inlined at its call may need it.
    """
    if not values:
        return expr
    captured = frozenset[str]().union(*map(free_locals, values.values()))
    return _Scope(dict(values), captured, _names(expr)).apply(expr)


def without_shadowing(expr: ir.Expr, outer: Iterable[str] = ()) -> ir.Expr:
    """The expression with binders renamed so that none hides a name of `outer` or one bound around it."""
    return _Scope({}, frozenset(outer) | free_locals(expr), _names(expr)).apply(expr)


def in_state_after(expr: ir.Expr) -> ir.Expr:
    """The expression evaluated in the state after a step: every variable, and every helper, is the one after."""

    def shift(node: ir.Expr) -> ir.Expr:
        return replace(node, after=True) if isinstance(node, ir.VariableRef | ir.Call) else node

    return rewrite_bottom_up(expr, shift)


def _names(expr: ir.Expr) -> frozenset[str]:
    return frozenset(node.name for node in walk(expr) if isinstance(node, ir.LocalRef)).union(bound_names(expr))


@dataclass(frozen=True)
class _Scope:
    """What stands for a local name here (an expression, or the new name of a renamed binder).

    No binder below may take a name in `avoid`; a new name is none of those `occupied` in the text either.
    """

    values: Mapping[str, ir.Expr | str]
    avoid: frozenset[str]
    occupied: frozenset[str]

    def enter(self, name: str) -> tuple[str, _Scope]:
        """The name of a binder after renaming, and the scope inside it."""
        new = fresh_name(name, self.avoid | self.occupied) if name in self.avoid else name
        inner = {key: value for key, value in self.values.items() if key != name}
        if new != name:
            inner[name] = new
        return new, _Scope(inner, self.avoid | {new}, self.occupied)

    def apply(self, expr: ir.Expr) -> ir.Expr:
        match expr:
            case ir.LocalRef():
                value = self.values.get(expr.name, expr)
                return replace(expr, name=value) if isinstance(value, str) else value
            case ir.Quantifier():
                generators, inner = self.apply_generators(expr.generators)
                return replace(expr, generators=generators, condition=inner.apply(expr.condition))
            case ir.SetComprehension():
                generators, inner = self.apply_generators(expr.generators)
                return replace(expr, generators=generators, element=inner.apply(expr.element))
            case ir.Aggregate():
                generators, inner = self.apply_generators(expr.generators)
                default = None if expr.default is None else self.apply(expr.default)
                return replace(expr, generators=generators, element=inner.apply(expr.element), default=default)
            case ir.SequenceComprehension():
                (generator,), inner = self.apply_generators((expr.generator,))
                return replace(expr, generator=generator, element=inner.apply(expr.element))
            case ir.FunctionComprehension():
                name, inner = self.enter(expr.name)
                return replace(expr, name=name, source=self.apply(expr.source), value=inner.apply(expr.value))
            case ir.Let():
                name, inner = self.enter(expr.name)
                return replace(expr, name=name, value=self.apply(expr.value), body=inner.apply(expr.body))
            case _:
                return map_children(expr, self.apply)

    def apply_generators(self, generators: tuple[ir.Generator, ...]) -> tuple[tuple[ir.Generator, ...], _Scope]:
        scope, renewed = self, []
        for generator in generators:
            source = scope.apply(generator.source)
            name, scope = scope.enter(generator.name)
            conditions = tuple(map(scope.apply, generator.conditions))
            renewed.append(replace(generator, name=name, source=source, conditions=conditions))
        return tuple(renewed), scope
