"""Calls and comprehensions → typed IR: the builtins of the language, records, helpers, generators."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from types import FunctionType
from typing import Any

from . import ir, language
from . import valuetypes as types
from .annotations import annotation, check_kinship, record_domain, type_of
from .coercion import fit
from .declarations import DeclaredMethod
from .diagnostics import Code
from .expressions import condition, element_type, fitted, lower, lower_as, set_of
from .inline import inlined, variables_read
from .scope import Refused, Scope
from .source import MISSING

_CALLABLE = (
    "the language has len, abs, min, max, sum, any, all, range, frozenset, tuple, isinstance, dataclasses.replace, "
    "frozen dataclasses, and helpers"
)


def call(scope: Scope, node: ast.Call) -> ir.Expr:
    """A call of a builtin of the language, a record's class, or a helper."""
    match node.func:
        case ast.Attribute(ast.Name(holder), name) if holder in (scope.self_name, scope.after_name):
            if holder not in scope.locals:
                return _method(scope, node, name, after=holder == scope.after_name)
    called = _called(scope, node.func)
    if called is any or called is all:
        return _quantifier(scope, node, "any" if called is any else "all")
    if called is sum:
        return _aggregate(scope, node, "sum")
    if called is min or called is max:
        word = "min" if called is min else "max"
        if len(node.args) >= 2:
            operands = tuple(lower_as(scope, item, types.INT) for item in _plain(scope, node))
            return ir.Extreme(word, operands, type=types.INT, span=scope.span(node))  # type: ignore[arg-type]
        return _aggregate(scope, node, word)
    if called is len:
        (argument,) = _exactly(scope, node, 1)
        collection = iterable(scope, argument, sized=True)
        return ir.Size(collection, type=types.INT, span=scope.span(node))
    if called is abs:
        (argument,) = _exactly(scope, node, 1)
        return ir.Absolute(lower_as(scope, argument, types.INT), type=types.INT, span=scope.span(node))
    if called is range:
        return _range(scope, node)
    if called is set:
        scope.refuse(
            Code.CALL,
            node,
            "set(…) is mutable",
            "the values of a state are never shared or changed in place",
            "write frozenset(…)",
        )
    if called is frozenset:
        return _frozenset(scope, node)
    if called is tuple:
        return _tuple(scope, node)
    if called is isinstance:
        return _isinstance(scope, node)
    if called is dataclasses.replace:
        return _replace(scope, node)
    if isinstance(called, type) and dataclasses.is_dataclass(called):
        return _record(scope, node, called)
    if called is language.guard or called is language.assume:
        word = "guard" if called is language.guard else "assume"
        scope.refuse(
            Code.STATEMENT,
            node,
            f"{word}(…) is a statement of an action",
            remedy="put it on a line of its own in an action",
        )
    if isinstance(called, FunctionType):
        helper = scope.context.call_function(called, scope.span(node))
        return _helper_call(scope, node, helper, after=False)
    remedies: dict[Any, str] = {
        sorted: "state which element is meant with min, max or a comprehension over range",
        enumerate: "iterate over range(len(xs)) and index",
        zip: "iterate over range(len(xs)) and index",
        map: "write a comprehension",
        filter: "write a comprehension with `if`",
        bool: "write a comparison",
        int: "write `1 if x else 0` for a bool",
        list: "write a tuple",
        dict: "write a dict display or comprehension",
        print: "properties and actions have no output; look at the trace",
    }
    try:
        remedy = remedies.get(called, _CALLABLE)
    except TypeError:  # not hashable
        remedy = _CALLABLE
    scope.refuse(Code.CALL, node, f"{ast.unparse(node.func)}(…) is not in the language", remedy=remedy)


def iterable(scope: Scope, node: ast.expr, *, sized: bool = False) -> ir.Expr:
    """A collection to iterate over, to ask for its size, or to stand on the right of `in`."""
    expr = lower(scope, node)
    if isinstance(expr.type, types.Optional):
        expr = ir.Unwrap(expr, type=expr.type.item, span=expr.span)
    match expr.type:
        case types.Set() | types.Sequence() | types.Range():
            return expr
        case types.Tuple(items):
            element: types.Type | None = types.NEVER
            for item in items:
                element = types.unify(element, item) if element is not None else None
            result = fit(expr, types.Sequence(element)) if element is not None else None
            if result is not None:
                return result
            scope.refuse(Code.TYPE, node, f"the positions of {types.an(expr.type)} have different types")
        case types.Function():
            scope.refuse(
                Code.TYPE,
                node,
                "a function is total, its keys are its whole domain",
                remedy="iterate over the domain (a range, an Enum, a constant set) and subscript",
            )
        case _:
            what = "has no length" if sized else "is no collection"
            scope.refuse(Code.TYPE, node, f"{types.an(expr.type)} {what}")


# ----------------------------------------------------------------------------------------------------- generators


def generators(scope: Scope, nodes: Sequence[ast.comprehension]) -> tuple[Scope, tuple[ir.Generator, ...]]:
    """`for` clauses, from the left, and the scope of what stands before them."""
    result: list[ir.Generator] = []
    for node in nodes:
        if node.is_async:
            scope.refuse(Code.SYNTAX, node.target, "`async for` is not in the language")
        source = iterable(scope, node.iter)
        if node is nodes[0]:
            # Only the outermost iterable is evaluated outside the comprehension.
            bound_here = [item for clause in nodes for item in ast.walk(clause.target)]
            later = frozenset(item.id for item in bound_here if isinstance(item, ast.Name))
            scope = replace(scope, unbound=scope.unbound | later)
        kind = element_type(source.type)
        match node.target:
            case ast.Name(name):
                scope, bound = scope.bind_fresh(name, kind, scope.span(node.target))
            case ast.Tuple(targets) if isinstance(kind, types.Tuple) and len(kind.items) == len(targets):
                # No name of the user's: one that he calls `item` stays what it is.
                bound = scope.names.fresh("item")
                whole = ir.LocalRef(bound, type=kind, span=scope.span(node.target))
                for index, target in enumerate(targets):
                    if not isinstance(target, ast.Name):
                        scope.refuse(Code.SYNTAX, target, "nested patterns are not in the language")
                    part = ir.Component(whole, index, type=kind.items[index], span=scope.span(target))
                    scope = scope.bind(target.id, part)
            case _:
                scope.refuse(Code.TYPE, node.target, f"this pattern does not fit {types.an(kind)}")
        conditions = tuple(condition(scope, item) for item in node.ifs)
        result.append(ir.Generator(bound, source, conditions, span=scope.span(node.target)))
    return scope, tuple(result)


def set_comprehension(scope: Scope, node: ast.expr, element: ast.expr, clauses: Sequence[ast.comprehension]) -> ir.Expr:
    inside, parts = generators(scope, clauses)
    item = lower(inside, element)
    return ir.SetComprehension(parts, item, type=types.Set(item.type), span=scope.span(node))


def function_comprehension(
    scope: Scope, node: ast.expr, key: ast.expr, value: ast.expr, clauses: Sequence[ast.comprehension]
) -> ir.Expr:
    if len(clauses) != 1 or clauses[0].ifs or not isinstance(clauses[0].target, ast.Name):
        scope.refuse(
            Code.SYNTAX,
            node,
            "a function is given by one `for` over its whole domain, without `if`",
            remedy="write `{k: value for k in keys}`",
        )
    inside, parts = generators(scope, clauses)
    target = clauses[0].target
    assert isinstance(target, ast.Name)
    if not (isinstance(key, ast.Name) and key.id == target.id):
        scope.refuse(Code.SYNTAX, key, "the key is the name that the `for` binds", remedy=f"write `{{{target.id}: …`")
    result = lower(inside, value)
    kind = types.Function(element_type(parts[0].source.type), result.type)
    return ir.FunctionComprehension(parts[0].name, parts[0].source, result, type=kind, span=scope.span(node))


def _generator_argument(scope: Scope, node: ast.Call, word: str) -> ast.GeneratorExp | None:
    if not node.args:
        scope.refuse(Code.CALL, node, f"{word}(…) of nothing")
    match node.args[0]:
        case ast.GeneratorExp() as generator:
            return generator
        case ast.ListComp(elt) | ast.SetComp(elt) if word != "sum" or isinstance(node.args[0], ast.ListComp):
            scope.refuse(
                Code.SYNTAX,
                node.args[0],
                f"{word} takes a generator",
                remedy=f"write `{word}({ast.unparse(elt)} for …)`",
            )
        case _:
            return None


def _quantifier(scope: Scope, node: ast.Call, word: str) -> ir.Expr:
    _exactly(scope, node, 1)
    generator = _generator_argument(scope, node, word)
    span = scope.span(node)
    if generator is None:
        collection = iterable(scope, node.args[0])
        if element_type(collection.type) not in (types.BOOL, types.NEVER):
            scope.refuse(
                Code.TRUTHINESS,
                node,
                f"{word} asks for the truthiness of {types.an(element_type(collection.type))}",
                remedy=f"write `{word}(x == … for x in …)`",
            )
        inside, name = scope.bind_fresh("item", types.BOOL, span)
        clause = ir.Generator(name, collection, span=span)
        return ir.Quantifier(word, (clause,), inside.locals["item"], type=types.BOOL, span=span)  # type: ignore[arg-type]
    inside, parts = generators(scope, generator.generators)
    return ir.Quantifier(word, parts, condition(inside, generator.elt), type=types.BOOL, span=span)  # type: ignore[arg-type]


def _aggregate(scope: Scope, node: ast.Call, word: str) -> ir.Expr:
    span = scope.span(node)
    default: ir.Expr | None = None
    for keyword in node.keywords:
        if keyword.arg == "default" and word != "sum":
            default = lower_as(scope, keyword.value, types.INT)
        else:
            scope.refuse(Code.CALL, node, f"{word}(…, {keyword.arg}=…) is not in the language")
    if len(node.args) != 1:
        scope.refuse(Code.CALL, node, f"{word}(…) takes one collection or generator here")
    generator = _generator_argument(scope, node, word)
    if generator is None:
        collection = iterable(scope, node.args[0])
        kind = element_type(collection.type)
        if kind not in (types.INT, types.NEVER):
            scope.refuse(Code.TYPE, node.args[0], f"{word} of {types.an(collection.type)}", f"{word} is over ints")
        inside, name = scope.bind_fresh("item", types.INT, span)
        clauses: tuple[ir.Generator, ...] = (ir.Generator(name, collection, span=span),)
        element: ir.Expr = inside.locals["item"]
    else:
        inside, clauses = generators(scope, generator.generators)
        element = lower_as(inside, generator.elt, types.INT)
    return ir.Aggregate(word, clauses, element, default, type=types.INT, span=span)  # type: ignore[arg-type]


def _range(scope: Scope, node: ast.Call) -> ir.Expr:
    arguments = _plain(scope, node)
    if not 1 <= len(arguments) <= 2:
        scope.refuse(Code.CALL, node, "range takes a stop, or a start and a stop", remedy="filter with `if` for a step")
    bounds = [lower_as(scope, item, types.INT) for item in arguments]
    start = bounds[0] if len(bounds) == 2 else ir.Literal(0, type=types.INT, span=scope.span(node))
    return ir.RangeOf(start, bounds[-1], type=types.RANGE, span=scope.span(node))


def _frozenset(scope: Scope, node: ast.Call) -> ir.Expr:
    arguments = _plain(scope, node)
    if not arguments:
        return set_of(scope, node, [])
    if len(arguments) > 1:
        scope.refuse(Code.CALL, node, "frozenset takes one collection")
    if isinstance(arguments[0], ast.GeneratorExp):
        return set_comprehension(scope, node, arguments[0].elt, arguments[0].generators)
    collection = iterable(scope, arguments[0])
    if isinstance(collection.type, types.Set):
        return collection
    if isinstance(collection, ir.TupleDisplay):
        return set_of(scope, node, collection.elements)
    return ir.SetOf(collection, type=types.Set(element_type(collection.type)), span=scope.span(node))


def _tuple(scope: Scope, node: ast.Call) -> ir.Expr:
    arguments = _plain(scope, node)
    span = scope.span(node)
    if not arguments:
        return ir.TupleDisplay((), type=types.Tuple(()), span=span)
    if len(arguments) > 1:
        scope.refuse(Code.CALL, node, "tuple takes one collection")
    argument = arguments[0]
    if isinstance(argument, ast.GeneratorExp):
        if len(argument.generators) != 1:
            scope.refuse(Code.SYNTAX, node, "a tuple is built by one `for`", remedy="use `+` or a second tuple")
        inside, (clause,) = generators(scope, argument.generators)
        _ordered(scope, argument.generators[0].iter, clause.source)
        element = lower(inside, argument.elt)
        return ir.SequenceComprehension(clause, element, type=types.Sequence(element.type), span=span)
    collection = iterable(scope, argument)
    _ordered(scope, argument, collection)
    if isinstance(collection.type, types.Sequence) and not isinstance(collection, ir.Members):
        return collection
    kind = element_type(collection.type)
    inside, name = scope.bind_fresh("item", kind, span)
    whole = ir.Generator(name, collection, span=span)
    return ir.SequenceComprehension(whole, inside.locals["item"], type=types.Sequence(kind), span=span)


def _ordered(scope: Scope, node: ast.expr, source: ir.Expr) -> None:
    if isinstance(source.type, types.Set):
        symmetric = isinstance(source.type.element, types.Model)
        scope.refuse(
            Code.SYMMETRY if symmetric else Code.TYPE,
            node,
            "a set has no order",
            "Python's order over a set is an accident, and TLA+ has none",
            "iterate over range, or over a tuple",
        )


# -------------------------------------------------------------------------------------------------------- records


def _isinstance(scope: Scope, node: ast.Call) -> ir.Expr:
    value, classes = _exactly(scope, node, 2)
    optional = record = lower(scope, value)
    if isinstance(record.type, types.Optional):
        record = ir.Unwrap(record, type=record.type.item, span=record.span)
    possible = {item.python: item for item in types.alternatives(record.type)}
    if not possible:
        scope.refuse(Code.TYPE, value, f"isinstance tells records apart, this is {types.an(record.type)}")
    parsed = [annotation(scope, item) for item in (classes.elts if isinstance(classes, ast.Tuple) else [classes])]
    wanted = [record for item in parsed for record in types.alternatives(type_of(item))]
    if not wanted:
        scope.refuse(Code.TYPE, classes, "isinstance asks for classes of records here")
    for item in wanted:
        check_kinship(scope, classes, [item.python, *possible])
        if item.python not in possible:
            scope.refuse(Code.TYPE, classes, f"{types.an(record.type)} is never {types.an(item)}")
    span = scope.span(node)
    test = ir.IsInstance(record, tuple(wanted), type=types.BOOL, span=span)
    if record is optional:
        return test
    # None is an instance of none of them.
    none = ir.Literal(None, type=optional.type, span=span)
    there = ir.Equal(optional, none, True, type=types.BOOL, span=span)
    return ir.Logic("and", (there, test), type=types.BOOL, span=span)


def _record(scope: Scope, node: ast.Call, cls: type) -> ir.Expr:
    record = type_of(record_domain(scope, cls, node))
    assert isinstance(record, types.Record)
    given: dict[str, ast.expr] = {}
    names = [name for name, _ in record.fields]
    positional = [item.name for item in dataclasses.fields(cls) if not item.kw_only]
    if len(node.args) > len(positional):
        scope.refuse(Code.CALL, node, f"{cls.__name__} takes {len(positional)} fields by position")
    given.update(zip(positional, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in names or keyword.arg in given:
            scope.refuse(Code.CALL, node, f"{cls.__name__} has no field {keyword.arg} to give here")
        given[keyword.arg] = keyword.value
    values: list[ir.Expr] = []
    defaults = {item.name: item.default for item in dataclasses.fields(cls)}
    for name, kind in record.fields:
        if name in given:
            values.append(lower_as(scope, given[name], kind))
        elif defaults[name] is not dataclasses.MISSING:
            from .embed import embed

            values.append(fitted(scope, node, embed(defaults[name], scope.span(node)), kind))
        else:
            scope.refuse(Code.CALL, node, f"the field {name} of {cls.__name__} is not given")
    return ir.RecordDisplay(tuple(values), type=record, span=scope.span(node))


def _replace(scope: Scope, node: ast.Call) -> ir.Expr:
    if len(node.args) != 1:
        scope.refuse(Code.CALL, node, "replace takes one record, and changes by name")
    record = lower(scope, node.args[0])
    if not isinstance(record.type, types.Record):
        scope.refuse(Code.TYPE, node.args[0], f"replace changes a record, this is {types.an(record.type)}")
    changes: list[tuple[str, ir.Expr]] = []
    for keyword in node.keywords:
        kind = record.type.field(keyword.arg or "")
        if keyword.arg is None or kind is None:
            scope.refuse(Code.ATTRIBUTE, node, f"{types.an(record.type)} has no field {keyword.arg}")
        changes.append((keyword.arg, lower_as(scope, keyword.value, kind)))
    return ir.Replace(record, tuple(changes), type=record.type, span=scope.span(node))


# -------------------------------------------------------------------------------------------------------- helpers


def _method(scope: Scope, node: ast.Call, name: str, *, after: bool) -> ir.Expr:
    declared = scope.context.declarations.members.get(name)
    if declared is None:
        value = getattr(scope.context.declarations.python, name, MISSING)
        if isinstance(value, type) and dataclasses.is_dataclass(value):
            return _record(scope, node, value)
        scope.refuse(
            Code.ATTRIBUTE,
            node,
            f"{scope.context.declarations.python.__name__} has no helper or property {name}",
            remedy="declare it with @helper",
        )
    elif not isinstance(declared, DeclaredMethod):
        value = getattr(scope.context.declarations.python, name, MISSING)
        if isinstance(value, type) and dataclasses.is_dataclass(value):
            return _record(scope, node, value)
        scope.refuse(Code.CALL, node, f"{name} cannot be called")
    elif declared.mark.kind in ("action", "init", "transition_invariant"):
        scope.refuse(
            Code.CALL,
            node,
            f"{name} is an {declared.mark.kind.replace('_', ' ')} and has no value",
            remedy="call helpers and properties only",
        )
    if scope.stateless:
        scope.refuse(Code.CONSTANT, node, f"{name} reads the state, which has no value yet")
    return _helper_call(scope, node, scope.context.call(name, scope.span(node)), after)


def _helper_call(scope: Scope, node: ast.Call, helper: ir.Helper, after: bool) -> ir.Expr:
    arguments = _arguments(scope, node, helper)
    helpers = scope.context.helpers
    if not after and any(name in scope.current for name in variables_read(helper, helpers)):
        # It reads variables that this action has assigned already: its body is evaluated with their new values.
        return replace(inlined(helper, arguments, scope.current, scope.names, helpers), span=scope.span(node))
    return ir.Call(helper.name, arguments, after, type=helper.type, span=scope.span(node))


def _arguments(scope: Scope, node: ast.Call, helper: ir.Helper) -> tuple[ir.Expr, ...]:
    given: dict[str, ast.expr] = {}
    names = [item.name for item in helper.parameters]
    if len(node.args) > len(names):
        scope.refuse(Code.CALL, node, f"{helper.name} takes {len(names)} argument{'s' if len(names) != 1 else ''}")
    given.update(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg not in names or keyword.arg in given:
            scope.refuse(Code.CALL, node, f"{helper.name} takes no {keyword.arg} here")
        given[keyword.arg] = keyword.value
    missing = [name for name in names if name not in given]
    if missing:
        scope.refuse(Code.CALL, node, f"{helper.name} needs {missing[0]} as well")
    return tuple(lower_as(scope, given[item.name], item.type) for item in helper.parameters)


def _called(scope: Scope, node: ast.expr) -> Any:
    match node:
        case ast.Name(name):
            if name in scope.broken:
                raise Refused(None)
            if name in scope.unassigned or name in scope.unbound:
                lower(scope, node)  # which says what is wrong with the name
            if name in scope.locals:
                scope.refuse(Code.CALL, node, f"{name} is a value and cannot be called")
            return scope.namespace.lookup(name)
        case ast.Attribute(value, name):
            outer = _called(scope, value) if isinstance(value, (ast.Name, ast.Attribute)) else MISSING
            return getattr(outer, name, MISSING) if outer is not MISSING else MISSING
        case _:
            return MISSING


def _plain(scope: Scope, node: ast.Call) -> list[ast.expr]:
    for keyword in node.keywords:
        scope.refuse(Code.CALL, node, f"{ast.unparse(node.func)}(…, {keyword.arg}=…) is not in the language")
    for item in node.args:
        if isinstance(item, ast.Starred):
            scope.refuse(Code.SYNTAX, item, "`*` in a call is not in the language")
    return node.args


def _exactly(scope: Scope, node: ast.Call, count: int) -> list[ast.expr]:
    arguments = _plain(scope, node)
    if len(arguments) != count:
        scope.refuse(
            Code.CALL, node, f"{ast.unparse(node.func)} takes {count} argument{'s' if count != 1 else ''} here"
        )
    return arguments
