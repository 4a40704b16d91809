"""Expressions of the IR → TLA+ text. Collections are in `tla_collections`.

Python's meaning rules are kept: what TLA+ means differently goes through an operator of `tla_library`, except where
the shape of the expression shows that the difference does not matter (`s[0]` is `s[1]`).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, assert_never

from . import ir, tla_collections, traverse
from . import valuetypes as types
from .domain_inference import Known
from .tla_library import Used
from .tla_names import Names, member_string
from .tla_scope import Scope
from .tla_syntax import (
    FALSE,
    TRUE,
    Text,
    angles,
    applied,
    atom,
    boolean,
    bounded,
    braces,
    call,
    field,
    if_then_else,
    infix,
    inside,
    joined,
    let,
    negated,
    negative,
    number,
    parenthesised,
    primed,
    string,
)


def outermost(protocol: ir.Protocol, names: Names, used: Used) -> Scope:
    """The scope of a module's own definitions."""
    return Scope(Known(protocol, {}, {}), names, used, render, {})


def render(expr: ir.Expr, scope: Scope) -> Text:
    """The TLA+ text of an expression."""
    text = scope.text
    match expr:
        case ir.Literal():
            return literal(expr.value, scope.used)
        case ir.ConstantRef():
            return atom(scope.names["constant", expr.name])
        case ir.VariableRef():
            variable = atom(scope.names.variables[expr.name])
            return primed(variable) if expr.after or scope.after else variable
        case ir.LocalRef():
            return scope.locals[expr.name]
        case ir.Unwrap():
            return text(expr.optional)
        case ir.Not():
            return _not(expr.operand, scope)
        case ir.Logic():
            return joined("/\\" if expr.operator == "and" else "\\/", map(text, expr.operands))
        case ir.IfElse():
            return if_then_else(text(expr.condition), text(expr.then), text(expr.orelse))
        case ir.Let():
            value = text(expr.value)
            name, inner = scope.value(expr.name, expr.value)
            return let(name, value, inner.text(expr.body))
        case ir.Call():
            return _call(expr, scope)
        case ir.Negate() | ir.Absolute() | ir.Arithmetic() | ir.Extreme() | ir.Compare():
            return _number(expr, scope)
        case ir.Equal():
            return infix("#" if expr.negated else "=", text(expr.left), text(expr.right))
        case ir.TupleDisplay():
            return angles(*map(text, expr.elements))
        case ir.Component():
            return applied(text(expr.tuple), number(expr.index + 1))
        case ir.RecordDisplay() | ir.Field() | ir.Replace() | ir.IsInstance():
            return _record(expr, scope)
        case ir.FunctionDisplay() | ir.FunctionComprehension() | ir.Apply() | ir.FunctionUpdate():
            return _function(expr, scope)
        case (
            ir.Member()
            | ir.Subset()
            | ir.Members()
            | ir.RangeOf()
            | ir.SetDisplay()
            | ir.SetOf()
            | ir.SetOperation()
            | ir.SetComprehension()
            | ir.Quantifier()
        ):
            return tla_collections.render_set(expr, scope)
        case ir.Size() | ir.Aggregate() | ir.Index() | ir.Slice() | ir.Concatenate() | ir.SequenceComprehension():
            return tla_collections.render_sequence(expr, scope)
        case _:
            assert_never(expr)


def literal(value: Any, used: Used) -> Text:
    """A bool, int, string, Enum member or None."""
    match value:
        case None:
            return atom(used.null())
        case enum.Enum():
            return string(member_string(value))
        case bool():
            return boolean(value)
        case int():
            return number(value)
        case str():
            return string(value)
        case _:
            raise AssertionError(f"{value!r} is no literal")


def as_value(condition: Text) -> Text:
    r"""A condition as a value, `(…) = TRUE`, of which TLC counts one successor and not one for each disjunct."""
    return infix("=", parenthesised(condition), TRUE)


def branches(condition: ir.Expr, protocol: ir.Protocol) -> bool:
    """Whether TLC, meeting this condition in an action, might split it into several ways of being true."""
    match condition:
        case ir.Logic():
            return condition.operator == "or" or any(branches(operand, protocol) for operand in condition.operands)
        case ir.Quantifier():
            filtered = any(generator.conditions for generator in condition.generators)
            return condition.operator == "any" or filtered or branches(condition.condition, protocol)
        case ir.IfElse():
            return branches(condition.then, protocol) or branches(condition.orelse, protocol)
        case ir.Let():
            return branches(condition.body, protocol)
        case ir.Call():
            return branches(protocol.helper(condition.helper).body, protocol)
        case ir.Apply():
            # TLC evaluates an application of a function expression by its body.
            return not isinstance(condition.function, ir.VariableRef)
        case _:
            return False


def _not(operand: ir.Expr, scope: Scope) -> Text:
    match operand:
        case ir.Equal():
            return infix("=" if operand.negated else "#", scope.text(operand.left), scope.text(operand.right))
        case ir.Member():
            return tla_collections.member(operand, not operand.negated, scope)
        case _:
            return negated(scope.text(operand))


def _number(expr: ir.Negate | ir.Absolute | ir.Arithmetic | ir.Extreme | ir.Compare, scope: Scope) -> Text:
    text, used = scope.text, scope.used
    used.modules.add("Integers")
    match expr:
        case ir.Negate():
            return negative(text(expr.operand))
        case ir.Absolute():
            return call(used.operator("Abs"), text(expr.operand))
        case ir.Compare():
            return infix(expr.operator, text(expr.left), text(expr.right))
        case ir.Extreme():
            name = used.operator("Min" if expr.operator == "min" else "Max")
            result, *rest = map(text, expr.operands)
            for operand in rest:
                result = call(name, result, operand)
            return result
        case ir.Arithmetic():
            left, right = text(expr.left), text(expr.right)
            if expr.operator in ("+", "-", "*"):
                return infix(expr.operator, left, right)
            least = scope.least(expr.right)
            if least is not None and least > 0:
                return infix("\\div" if expr.operator == "//" else "%", left, right)
            return call(used.operator("FloorDiv" if expr.operator == "//" else "Modulo"), left, right)
        case _:
            assert_never(expr)


def _call(expr: ir.Call, scope: Scope) -> Text:
    arguments = [scope.text(argument) for argument in expr.arguments]
    name = scope.names["helper", expr.helper]
    after = expr.after or scope.after
    if not after or not traverse.variables_of(scope.protocol.helper(expr.helper).body, scope.protocol):
        return call(name, *arguments)
    if not arguments:
        return primed(atom(name))
    # `Helper(x)'` would take the argument, too, in the state after the step.
    return call(scope.names["after", expr.helper], *arguments)


# ---------------------------------------------------------------------------------------------------- records


def _record(expr: ir.RecordDisplay | ir.Field | ir.Replace | ir.IsInstance, scope: Scope) -> Text:
    names = scope.names
    match expr:
        case ir.RecordDisplay():
            assert isinstance(expr.type, types.Record)
            record = expr.type
            parts = [(names.tag, string(names.tags[record.python]))] if names.is_tagged(record) else []
            for (name, _), value in zip(record.fields, expr.values, strict=True):
                parts.append((names.field(record, name), scope.text(value)))
            return atom("[" + ", ".join(f"{name} |-> {value}" for name, value in parts) + "]")
        case ir.Field():
            return _field(expr, scope)
        case ir.Replace():
            return _replace(expr, scope)
        case ir.IsInstance():
            return _is_instance(expr, scope)
        case _:
            assert_never(expr)


def _field(expr: ir.Field, scope: Scope) -> Text:
    record = scope.text(expr.record)
    having = [item for item in types.alternatives(expr.record.type) if item.field(expr.name) is not None]
    return _by_class(record, [(item, field(record, scope.names.field(item, expr.name))) for item in having], scope)


def _replace(expr: ir.Replace, scope: Scope) -> Text:
    record = scope.text(expr.record)
    if not expr.changes:
        return record
    changed = {name: scope.text(value) for name, value in expr.changes}
    having = [item for item in types.alternatives(expr.record.type) if all(map(item.field, changed))]
    texts = []
    for item in having:
        changes = (f"!.{scope.names.field(item, name)} = {value}" for name, value in changed.items())
        texts.append((item, atom(f"[{record} EXCEPT {', '.join(changes)}]")))
    return _by_class(record, texts, scope)


def _by_class(record: Text, texts: Sequence[tuple[types.Record, Text]], scope: Scope) -> Text:
    """What is written for a record of each class: once, unless the classes call their fields differently."""
    (_, result), *others = texts
    for item, text in others:
        if text != result:
            condition = infix("=", field(record, scope.names.tag), string(scope.names.tags[item.python]))
            result = if_then_else(condition, text, result)
    return result


def _is_instance(expr: ir.IsInstance, scope: Scope) -> Text:
    names, kind = scope.names, expr.record.type
    present: list[Text] = []
    if isinstance(kind, types.Optional):
        present = [infix("#", scope.text(expr.record), atom(scope.used.null()))]
        kind = kind.item
    wanted = {record.python for record in expr.classes}
    possible = [record.python for record in types.alternatives(kind)]
    chosen = [python for python in possible if python in wanted]
    if not chosen:
        return FALSE
    if len(chosen) < len(possible):
        tag = field(scope.text(expr.record), names.tag)
        values = [string(names.tags[python]) for python in chosen]
        present.append(infix("=", tag, values[0]) if len(values) == 1 else infix("\\in", tag, braces(*values)))
    return joined("/\\", present) if present else TRUE


# -------------------------------------------------------------------------------------------------- functions


def _function(expr: ir.FunctionDisplay | ir.FunctionComprehension | ir.Apply | ir.FunctionUpdate, scope: Scope) -> Text:
    text = scope.text
    match expr:
        case ir.FunctionDisplay():
            if not expr.entries:
                name, _ = scope.fresh("x")
                return atom(f"[{name} \\in {{}} |-> {name}]")
            scope.used.modules.add("TLC")
            return joined("@@", (infix(":>", text(key), text(value)) for key, value in in_order(expr)))
        case ir.FunctionComprehension():
            domain = tla_collections.as_set(expr.source, scope)
            name, inner = scope.element(expr.name, expr.source)
            return atom(f"[{bounded(name, domain)} |-> {inner.text(expr.value)}]")
        case ir.Apply():
            return applied(text(expr.function), text(expr.key))
        case ir.FunctionUpdate():
            changes = (f"![{inside(text(key))}] = {text(value)}" for key, value in expr.entries)
            return atom(f"[{text(expr.function)} EXCEPT {', '.join(changes)}]") if expr.entries else text(expr.function)
        case _:
            assert_never(expr)


def in_order(display: ir.FunctionDisplay) -> tuple[tuple[ir.Expr, ir.Expr], ...]:
    """The entries in the order for `@@`: in a dict the last of equal keys wins, under `@@` the first."""
    keys = [key for key, _ in display.entries]
    distinct = all(map(_is_literal, keys)) and len(set(keys)) == len(keys)
    return display.entries if distinct else tuple(reversed(display.entries))


def _is_literal(key: ir.Expr) -> bool:
    """Whether keys of this shape are equal only if their text is."""
    return isinstance(key, ir.Literal) or (isinstance(key, ir.TupleDisplay) and all(map(_is_literal, key.elements)))
