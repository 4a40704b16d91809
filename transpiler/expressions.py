"""Python expressions → typed IR. Operators and comparisons are in `operators`, calls and comprehensions in `calls`."""

from __future__ import annotations

import ast
import enum
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from . import ir
from . import valuetypes as types
from .coercion import fit
from .declarations import DeclaredMethod
from .diagnostics import Code
from .embed import embed
from .record_classes import Flawed, enum_flaw
from .scope import Refused, Scope
from .source import MISSING, is_protocol


def bound(scope: Scope, node: ast.expr, wanted: types.Type | None) -> ir.Expr:
    """An expression over constants: a bound, a constant set, an initial value."""
    inside = replace(scope, self_name=None, after_name=None)
    return lower(inside, node) if wanted is None else lower_as(inside, node, wanted)


def lower_as(scope: Scope, node: ast.expr, wanted: types.Type) -> ir.Expr:
    """The expression, fitted to a type; refused where it does not fit."""
    return fitted(scope, node, lower(scope, node), wanted)


def fitted(scope: Scope, node: ast.expr, expr: ir.Expr, wanted: types.Type) -> ir.Expr:
    """An expression that has been lowered already, fitted to a type."""
    result = fit(expr, wanted)
    if result is None:
        refuse_member_by_name(scope, node, expr.type, wanted)
        scope.refuse(Code.TYPE, node, f"this is {types.an(expr.type)}, where {types.an(wanted)} is needed")
    return result


def refuse_member_by_name(scope: Scope, node: ast.AST, left: types.Type, right: types.Type) -> None:
    """Refuse a string where a member of a symmetric set is meant: no literal may name one."""
    held = [kind.item if isinstance(kind, types.Optional) else kind for kind in (left, right)]
    models = [kind for kind in held if isinstance(kind, types.Model)]
    if models and types.STR in held:
        scope.refuse(
            Code.SYMMETRY,
            node,
            f"a string in the place of a member of {models[0].constant}",
            "the members are interchangeable, and a literal would single one out",
            "choose it as a parameter, or declare the constant without symmetric=True",
        )


def condition(scope: Scope, node: ast.expr) -> ir.Expr:
    """A bool; anything else, which Python would test for truthiness, is refused."""
    expr = lower(scope, node)
    if expr.type != types.BOOL:
        remedy = {
            types.Int: "compare it: `x != 0`",
            types.Set: "compare it: `len(x) > 0`",
            types.Sequence: "compare it: `len(x) > 0`",
            types.Tuple: "compare it with the empty tuple: `x != ()`",
            types.Optional: "compare it: `x is not None`",
            types.Str: 'compare it: `x == "…"`',
        }.get(type(expr.type), "write a comparison")
        scope.refuse(
            Code.TRUTHINESS,
            node,
            f"{types.an(expr.type)} is used as a condition",
            "Python would ask for its truthiness; TLA+ has no such thing",
            remedy,
        )
    return expr


def lower(scope: Scope, node: ast.expr) -> ir.Expr:
    """The typed IR of an expression. Raises `Refused` with a diagnostic for what is outside the language."""
    from . import calls, operators

    span = scope.span(node)
    match node:
        case ast.Constant(value):
            if isinstance(value, (bool, int, str)) or value is None:
                return embed(value, span)
            scope.refuse(
                Code.SYNTAX,
                node,
                f"{value!r} is no value of the language",
                "values are bools, ints, strings, None, Enum members, sets, tuples, functions and records",
            )
        case ast.Name(name):
            return _name(scope, node, name)
        case ast.Attribute():
            return _attribute(scope, node)
        case ast.UnaryOp(ast.Not(), operand):
            return ir.Not(condition(scope, operand), type=types.BOOL, span=span)
        case ast.UnaryOp(ast.USub(), operand):
            inner = lower_int(scope, operand)
            if isinstance(inner, ir.Literal):
                return replace(inner, value=-inner.value, span=span)
            return ir.Negate(inner, type=types.INT, span=span)
        case ast.BoolOp(operator, operands):
            word = "and" if isinstance(operator, ast.And) else "or"
            return ir.Logic(word, tuple(condition(scope, item) for item in operands), type=types.BOOL, span=span)  # type: ignore[arg-type]
        case ast.IfExp(test, body, orelse):
            return merge(scope, node, condition(scope, test), lower(scope, body), lower(scope, orelse))
        case ast.BinOp(left, operator, right):
            return operators.binary(scope, node, left, operator, right)
        case ast.Compare(left, signs, rights):
            return operators.comparison(scope, node, [left, *rights], signs)
        case ast.Set(elements):
            return _set_display(scope, node, elements)
        case ast.Tuple(elements):
            _no_star(scope, elements)
            items = tuple(lower(scope, item) for item in elements)
            return ir.TupleDisplay(items, type=types.Tuple(tuple(item.type for item in items)), span=span)
        case ast.Subscript(value, index):
            return _subscript(scope, node, value, index)
        case ast.Dict(keys, values):
            return _dict_display(scope, node, keys, values)
        case ast.Call():
            return calls.call(scope, node)
        case ast.SetComp(element, generators):
            return calls.set_comprehension(scope, node, element, generators)
        case ast.DictComp(key, value, generators):
            return calls.function_comprehension(scope, node, key, value, generators)
        case ast.GeneratorExp():
            scope.refuse(
                Code.SYNTAX,
                node,
                "a generator on its own is no value",
                remedy="put it into any, all, sum, min, max, frozenset or tuple",
            )
        case ast.ListComp() | ast.List():
            scope.refuse(
                Code.SYNTAX,
                node,
                "lists are mutable and not in the language",
                remedy="write a tuple: `(a, b)` or `tuple(f(x) for x in …)`",
            )
        case ast.Lambda():
            scope.refuse(Code.SYNTAX, node, "lambda is not in the language", remedy="write a @helper")
        case ast.JoinedStr():
            scope.refuse(
                Code.SYNTAX, node, "strings are names here and are not built", remedy="use an Enum or a Literal"
            )
        case ast.NamedExpr():
            scope.refuse(Code.SYNTAX, node, "`:=` is not in the language", remedy="assign the local name before")
        case ast.UnaryOp(ast.UAdd()) | ast.UnaryOp(ast.Invert()):
            scope.refuse(Code.SYNTAX, node, "this operator is not in the language")
        case _:
            scope.refuse(Code.SYNTAX, node, f"{_words(node)} is not in the language")


def merge(scope: Scope, node: ast.AST, test: ir.Expr, then: ir.Expr, orelse: ir.Expr) -> ir.IfElse:
    """`then if test else orelse`, both fitted to the type that holds both."""
    kind = types.unify(then.type, orelse.type)
    left, right = (fit(then, kind), fit(orelse, kind)) if kind is not None else (None, None)
    if kind is None or left is None or right is None:
        scope.refuse(Code.TYPE, node, f"one branch is {types.an(then.type)}, the other {types.an(orelse.type)}")
    return ir.IfElse(test, left, right, type=kind, span=scope.span(node))


def set_of(scope: Scope, node: ast.AST, elements: Sequence[ir.Expr]) -> ir.SetDisplay:
    """A set display of expressions that have been lowered already."""
    element: types.Type | None = types.NEVER
    for item in elements:
        element = types.unify(element, item.type) if element is not None else None
    if element is None:
        scope.refuse(Code.TYPE, node, "the members of this set have different types")
    items = [fit(item, element) for item in elements]
    assert all(item is not None for item in items)
    return ir.SetDisplay(
        tuple(item for item in items if item is not None), type=types.Set(element), span=scope.span(node)
    )


# -------------------------------------------------------------------------------------------------------- names


def _name(scope: Scope, node: ast.Name, name: str) -> ir.Expr:
    if name in scope.broken:
        raise Refused(None)
    if name in scope.unbound:
        scope.refuse(
            Code.SCOPE,
            node,
            f"{name} is bound only by a later `for`",
            "to Python a name that any `for` of a comprehension binds is that one throughout, here still without value",
            "give one of the two another name",
        )
    if name in scope.unassigned:
        scope.refuse(
            Code.UNASSIGNED,
            node,
            f"{name} has a value on some paths only",
            "a local name is assigned on every path before it is used",
            "assign it in the other branch as well, or before the `if`",
        )
    if name in scope.locals:
        return replace(scope.locals[name], span=scope.span(node))
    if name in (scope.self_name, scope.after_name):
        scope.refuse(Code.SYNTAX, node, f"`{name}` is no value by itself", remedy=f"write {name}.variable")
    if name in scope.context.constants and scope.sees(name):
        return _constant(scope, node, name)
    if name in scope.context.variables and scope.sees(name):
        scope.refuse(
            Code.CONSTANT, node, f"{name} is a state variable", "bounds and initial values are over constants only"
        )
    value = scope.namespace.lookup(name)
    if value is MISSING:
        hint = near(name, [*scope.locals, *scope.context.constants, *scope.context.variables])
        in_class = name in scope.context.constants or name in scope.context.variables
        scope.refuse(
            Code.NAME,
            node,
            f"{name} is not defined here",
            remedy=f"write {scope.self_name}.{name}" if in_class and scope.self_name else hint,
        )
    return _python_value(scope, node, value, name)


def _python_value(scope: Scope, node: ast.expr, value: Any, name: str) -> ir.Expr:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        found = enum_flaw(value)
        if found is not None:
            scope.refuse(Code.NAME, node, *found)
        kind = types.Enumeration(value)
        return ir.Members(kind, type=types.Sequence(kind), span=scope.span(node))
    try:
        return _declared(scope, node, embed(value, scope.span(node)))
    except Flawed as error:
        _, reason, remedy = error.flaw
        scope.refuse(Code.NAME, node, f"{name} is no value of the language: {error}", reason, remedy)
    except TypeError:
        scope.refuse(
            Code.NAME,
            node,
            f"{name} is {types.an(type(value).__name__)}, which is no value of the language",
            "values are bools, ints, strings, None, Enum members, frozensets, tuples and frozen dataclasses",
        )


def _declared(scope: Scope, node: ast.expr, value: ir.Expr) -> ir.Expr:
    """A value from outside, its records with the types that their classes declare."""
    from .annotations import record_domain, type_of

    match value:
        case ir.RecordDisplay(type=types.Record(python)):
            return fitted(scope, node, value, type_of(record_domain(scope, python, node)))
        case ir.TupleDisplay(elements):
            items = tuple(_declared(scope, node, item) for item in elements)
            return replace(value, elements=items, type=types.Tuple(tuple(item.type for item in items)))
        case ir.SetDisplay(elements):
            return set_of(scope, node, [_declared(scope, node, item) for item in elements])
        case _:
            return value


def _constant(scope: Scope, node: ast.AST, name: str) -> ir.Expr:
    constant = scope.context.constants[name]
    return ir.ConstantRef(name, type=constant.type, span=scope.span(node))


def _attribute(scope: Scope, node: ast.Attribute) -> ir.Expr:
    name, span = node.attr, scope.span(node)
    if isinstance(node.value, ast.Name) and node.value.id not in scope.locals:
        holder = node.value.id
        if holder == scope.self_name and scope.self_name is not None:
            return _member(scope, node, after=False)
        if holder == scope.after_name and scope.after_name is not None:
            return _member(scope, node, after=True)
    outer = _python_object(scope, node.value)
    if outer is not MISSING:
        if is_protocol(outer) and issubclass(scope.context.declarations.python, outer):
            if name in scope.context.constants and scope.self_name is None:
                return _constant(scope, node, name)
            if name in scope.context.constants or name in scope.context.variables:
                scope.refuse(
                    Code.ATTRIBUTE,
                    node,
                    f"`{ast.unparse(node)}` is what the class declares",
                    "an instance has its own value, which this would not be",
                    f"write {scope.self_name}.{name}" if scope.self_name else "",
                )
        value = getattr(outer, name, MISSING)
        if value is MISSING:
            scope.refuse(
                Code.ATTRIBUTE, node, f"{ast.unparse(node.value)} has no {name}", remedy=near(name, dir(outer))
            )
        return _python_value(scope, node, value, ast.unparse(node))
    record = lower(scope, node.value)
    if isinstance(record.type, types.Optional):
        record = ir.Unwrap(record, type=record.type.item, span=record.span)
    owners = [item.field(name) for item in types.alternatives(record.type)]
    kinds = [kind for kind in owners if kind is not None]
    if not kinds:
        fields = sorted({field for item in types.alternatives(record.type) for field, _ in item.fields})
        scope.refuse(Code.ATTRIBUTE, node, f"{types.an(record.type)} has no field {name}", remedy=near(name, fields))
    kind: types.Type | None = kinds[0]
    for other in kinds[1:]:
        kind = types.unify(kind, other) if kind is not None else None
    if kind is None:
        scope.refuse(Code.TYPE, node, f"the field {name} has different types in {record.type}")
    return ir.Field(record, name, type=kind, span=span)


def _python_object(scope: Scope, node: ast.expr) -> Any:
    """What a dotted name outside the protocol refers to, a module or a class; MISSING for an expression."""
    match node:
        case ast.Name(name) if name not in scope.locals and name not in (scope.self_name, scope.after_name):
            if name in scope.broken or name in scope.unassigned:
                return MISSING
            value = scope.namespace.lookup(name)
            return value if isinstance(value, type) or hasattr(value, "__spec__") else MISSING
        case ast.Attribute(ast.Name(holder), name) if holder == scope.self_name:
            value = getattr(scope.context.declarations.python, name, MISSING)
            return value if isinstance(value, type) else MISSING
        case ast.Attribute(value, name):
            outer = _python_object(scope, value)
            inner = getattr(outer, name, MISSING) if outer is not MISSING else MISSING
            return inner if isinstance(inner, type) or hasattr(inner, "__spec__") else MISSING
        case _:
            return MISSING


def _member(scope: Scope, node: ast.Attribute, *, after: bool) -> ir.Expr:
    name, span = node.attr, scope.span(node)
    context = scope.context
    if name in context.constants:
        return _constant(scope, node, name)
    if name in context.variables:
        if not after and name in scope.current:
            return replace(scope.current[name], span=span)
        if scope.stateless:
            scope.refuse(
                Code.CONSTANT, node, f"{name} has no value yet", "initial values are over constants and choices only"
            )
        return ir.VariableRef(name, after, type=context.variables[name].type, span=span)
    declared = context.declarations.members.get(name)
    if isinstance(declared, DeclaredMethod):
        scope.refuse(Code.SYNTAX, node, f"{name} is a method", remedy=f"call it: {ast.unparse(node)}()")
    if declared is not None:
        value = getattr(context.declarations.python, name, MISSING)
        if isinstance(value, type):
            return _python_value(scope, node, value, name)
        if name not in scope.broken:
            raise Refused(None)  # a constant or variable whose own declaration was refused
    scope.refuse(
        Code.ATTRIBUTE,
        node,
        f"{context.declarations.python.__name__} has no {name}",
        remedy=near(name, list(context.declarations.members)),
    )


def lower_int(scope: Scope, node: ast.expr) -> ir.Expr:
    """The expression, which must be an int."""
    expr = lower(scope, node)
    result = fit(expr, types.INT)
    if result is None:
        remedy = "write `1 if x else 0`: a bool is no int" if expr.type == types.BOOL else ""
        scope.refuse(Code.TYPE, node, f"this is {types.an(expr.type)}, where an int is needed", remedy=remedy)
    return result


def held(expr: ir.Expr) -> ir.Expr:
    """What an operand holds, if it is optional, else the operand."""
    if isinstance(expr.type, types.Optional):
        return ir.Unwrap(expr, type=expr.type.item, span=expr.span)
    return expr


def element_type(kind: types.Type) -> types.Type:
    """What iterating over a collection yields."""
    match kind:
        case types.Set(element) | types.Sequence(element):
            return element
        case types.Range():
            return types.INT
        case _:
            raise AssertionError(kind)


# --------------------------------------------------------------------------------------------------- containers


def _set_display(scope: Scope, node: ast.Set, elements: list[ast.expr]) -> ir.Expr:
    _no_star(scope, elements)
    return set_of(scope, node, [lower(scope, item) for item in elements])


def _no_star(scope: Scope, elements: list[ast.expr]) -> None:
    for item in elements:
        if isinstance(item, ast.Starred):
            scope.refuse(Code.SYNTAX, item, "`*` in a display is not in the language", remedy="use `+` or `|`")


def _subscript(scope: Scope, node: ast.Subscript, value: ast.expr, index: ast.expr) -> ir.Expr:
    span = scope.span(node)
    holder = held(lower(scope, value))
    match holder.type:
        case types.Function(key, result):
            return ir.Apply(holder, lower_as(scope, index, key), type=result, span=span)
        case types.Tuple(items) if isinstance(index, ast.Slice):
            return _slice(scope, node, _as_sequence(scope, node, holder), index)
        case types.Tuple(items):
            position = lower(scope, index)
            if (
                isinstance(position, ir.Literal)
                and position.type == types.INT
                and -len(items) <= position.value < len(items)
            ):
                place = position.value % len(items)
                return ir.Component(holder, place, type=items[place], span=span)
            if isinstance(position, ir.Literal):
                scope.refuse(Code.TYPE, index, f"{types.an(holder.type)} has positions 0 to {len(items) - 1}")
            sequence = _as_sequence(scope, node, holder)
            assert isinstance(sequence.type, types.Sequence)
            return ir.Index(sequence, fitted(scope, index, position, types.INT), type=sequence.type.element, span=span)
        case types.Sequence(element):
            if isinstance(index, ast.Slice):
                return _slice(scope, node, holder, index)
            return ir.Index(holder, lower_int(scope, index), type=element, span=span)
        case _:
            scope.refuse(Code.TYPE, node, f"{types.an(holder.type)} has no elements by index or key")


def _as_sequence(scope: Scope, node: ast.AST, holder: ir.Expr) -> ir.Expr:
    assert isinstance(holder.type, types.Tuple)
    element: types.Type | None = types.NEVER
    for item in holder.type.items:
        element = types.unify(element, item) if element is not None else None
    result = fit(holder, types.Sequence(element)) if element is not None else None
    if result is None:
        scope.refuse(
            Code.TYPE,
            node,
            f"the positions of {types.an(holder.type)} have different types",
            remedy="index with a number",
        )
    return result


def _slice(scope: Scope, node: ast.Subscript, sequence: ir.Expr, index: ast.Slice) -> ir.Expr:
    if index.step is not None:
        scope.refuse(Code.SYNTAX, index.step, "slices have no step", remedy="build the tuple with a comprehension")
    start = lower_int(scope, index.lower) if index.lower is not None else None
    stop = lower_int(scope, index.upper) if index.upper is not None else None
    return ir.Slice(sequence, start, stop, type=sequence.type, span=scope.span(node))


def _dict_display(scope: Scope, node: ast.Dict, keys: Sequence[ast.expr | None], values: list[ast.expr]) -> ir.Expr:
    span = scope.span(node)
    if not keys:
        scope.refuse(
            Code.SYNTAX,
            node,
            "an empty dict is no total function",
            remedy="give every key its value: `{k: v for k in keys}`",
        )
    if keys[0] is None:
        base = held(lower(scope, values[0]))
        if not isinstance(base.type, types.Function):
            scope.refuse(Code.TYPE, values[0], f"`**` spreads a function, this is {types.an(base.type)}")
        entries = []
        for key, value in zip(keys[1:], values[1:], strict=True):
            if key is None:
                scope.refuse(Code.SYNTAX, value, "only the first entry may be `**function`")
            entries.append((lower_as(scope, key, base.type.key), lower_as(scope, value, base.type.value)))
        if not entries:
            return base
        return ir.FunctionUpdate(base, tuple(entries), type=base.type, span=span)
    pairs: list[tuple[ir.Expr, ir.Expr]] = []
    for key, value in zip(keys, values, strict=True):
        if key is None:
            scope.refuse(Code.SYNTAX, value, "`**function` comes first")
        pairs.append((lower(scope, key), lower(scope, value)))
    key_type = _common(scope, node, [key for key, _ in pairs], "keys")
    value_type = _common(scope, node, [value for _, value in pairs], "values")
    display = ir.FunctionDisplay(tuple(pairs), type=types.Function(key_type, value_type), span=span)
    return fit(replace(display, type=types.Function(types.NEVER, types.NEVER)), display.type) or display


def _common(scope: Scope, node: ast.AST, items: list[ir.Expr], what: str) -> types.Type:
    merged: types.Type | None = types.NEVER
    for item in items:
        merged = types.unify(merged, item.type) if merged is not None else None
    if merged is None:
        scope.refuse(Code.TYPE, node, f"the {what} of this dict have different types")
    return merged


# --------------------------------------------------------------------------------------------------------- words


def _words(node: ast.expr) -> str:
    return {"Await": "await", "Yield": "yield", "YieldFrom": "yield", "Starred": "`*`"}.get(
        type(node).__name__, f"`{ast.unparse(node)}`"
    )


def near(name: str, candidates: list[str]) -> str:
    """`did you mean x?` for the candidate nearest to a name, or nothing."""
    import difflib

    close = difflib.get_close_matches(name, candidates, 1)
    return f"did you mean {close[0]}?" if close else ""


__all__ = [
    "bound",
    "condition",
    "element_type",
    "fitted",
    "held",
    "lower",
    "lower_as",
    "lower_int",
    "merge",
    "near",
    "refuse_member_by_name",
    "set_of",
]
