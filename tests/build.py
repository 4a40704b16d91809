"""Short constructors of IR for tests, which work out the types that the frontend would."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from protocheck.transpiler import ir
from protocheck.transpiler import valuetypes as types
from protocheck.transpiler.coercion import fit
from protocheck.transpiler.valuetypes import BOOL, INT, NEVER, NOTHING, RANGE, STR

TRUE = ir.Literal(value=True, type=BOOL)
FALSE = ir.Literal(value=False, type=BOOL)
NONE = ir.Literal(value=None, type=NOTHING)


def lit(value: Any) -> ir.Literal:
    """A literal with the type of its value."""
    match value:
        case None:
            return NONE
        case enum.Enum():
            return ir.Literal(value=value, type=types.Enumeration(type(value)))
        case bool():
            return ir.Literal(value=value, type=BOOL)
        case int():
            return ir.Literal(value=value, type=INT)
        case str():
            return ir.Literal(value=value, type=STR)
    raise TypeError(value)


def expr(value: Any) -> ir.Expr:
    """An expression as it is, a Python value as a literal."""
    return value if isinstance(value, ir.Typed) else lit(value)  # type: ignore[return-value]


def unified(*kinds: types.Type) -> types.Type:
    result: types.Type = NEVER
    for kind in kinds:
        merged = types.unify(result, kind)
        assert merged is not None, f"{result} and {kind} do not fit"
        result = merged
    return result


def as_type(value: Any, kind: types.Type) -> ir.Expr:
    """The expression fitted to a type, as the frontend would."""
    fitted = fit(expr(value), kind)
    assert fitted is not None, f"{value} does not fit {kind}"
    return fitted


def _equal(left: Any, right: Any, negated: bool) -> ir.Expr:
    left, right = expr(left), expr(right)
    kind = unified(left.type, right.type)
    return ir.Equal(left=as_type(left, kind), right=as_type(right, kind), negated=negated, type=BOOL)


def element_type(collection: ir.Expr) -> types.Type:
    match collection.type:
        case types.Set(element) | types.Sequence(element):
            return element
        case types.Range():
            return INT
    raise TypeError(collection.type)


def local(name: str, kind: types.Type = INT) -> ir.LocalRef:
    return ir.LocalRef(name=name, type=kind)


def const(name: str, kind: types.Type = INT) -> ir.ConstantRef:
    return ir.ConstantRef(name=name, type=kind)


def var(name: str, kind: types.Type = INT, after: bool = False) -> ir.VariableRef:
    return ir.VariableRef(name=name, type=kind, after=after)


# ------------------------------------------------------------------------------------------ logic and numbers


def not_(operand: Any) -> ir.Expr:
    return ir.Not(operand=expr(operand), type=BOOL)


def and_(*operands: Any) -> ir.Expr:
    return ir.Logic(operator="and", operands=tuple(map(expr, operands)), type=BOOL)


def or_(*operands: Any) -> ir.Expr:
    return ir.Logic(operator="or", operands=tuple(map(expr, operands)), type=BOOL)


def if_(condition: Any, then: Any, orelse: Any) -> ir.Expr:
    kind = unified(expr(then).type, expr(orelse).type)
    return ir.IfElse(condition=expr(condition), then=as_type(then, kind), orelse=as_type(orelse, kind), type=kind)


def neg(operand: Any) -> ir.Expr:
    return ir.Negate(operand=expr(operand), type=INT)


def absolute(operand: Any) -> ir.Expr:
    return ir.Absolute(operand=expr(operand), type=INT)


def arith(left: Any, operator: Literal["+", "-", "*", "//", "%"], right: Any) -> ir.Expr:
    return ir.Arithmetic(operator=operator, left=expr(left), right=expr(right), type=INT)


def add(left: Any, right: Any) -> ir.Expr:
    return arith(left, "+", right)


def sub(left: Any, right: Any) -> ir.Expr:
    return arith(left, "-", right)


def extreme(operator: Literal["min", "max"], *operands: Any) -> ir.Expr:
    return ir.Extreme(operator=operator, operands=tuple(map(expr, operands)), type=INT)


def lt(left: Any, right: Any) -> ir.Expr:
    return ir.Compare(operator="<", left=expr(left), right=expr(right), type=BOOL)


def le(left: Any, right: Any) -> ir.Expr:
    return ir.Compare(operator="<=", left=expr(left), right=expr(right), type=BOOL)


def gt(left: Any, right: Any) -> ir.Expr:
    return ir.Compare(operator=">", left=expr(left), right=expr(right), type=BOOL)


def ge(left: Any, right: Any) -> ir.Expr:
    return ir.Compare(operator=">=", left=expr(left), right=expr(right), type=BOOL)


def eq(left: Any, right: Any) -> ir.Expr:
    return _equal(left, right, negated=False)


def ne(left: Any, right: Any) -> ir.Expr:
    return _equal(left, right, negated=True)


# -------------------------------------------------------------------------------------------------- collections


def in_(element: Any, collection: ir.Expr) -> ir.Expr:
    return ir.Member(element=expr(element), collection=collection, type=BOOL)


def not_in(element: Any, collection: ir.Expr) -> ir.Expr:
    return ir.Member(element=expr(element), collection=collection, negated=True, type=BOOL)


def subset(left: ir.Expr, right: ir.Expr, strict: bool = False) -> ir.Expr:
    return ir.Subset(left=left, right=right, strict=strict, type=BOOL)


def members(python: type[enum.Enum]) -> ir.Expr:
    enumeration = types.Enumeration(python)
    return ir.Members(enumeration=enumeration, type=types.Sequence(enumeration))


def range_(start: Any, stop: Any) -> ir.Expr:
    return ir.RangeOf(start=expr(start), stop=expr(stop), type=RANGE)


def set_(*elements: Any) -> ir.Expr:
    kind = unified(*(expr(element).type for element in elements))
    return ir.SetDisplay(elements=tuple(as_type(element, kind) for element in elements), type=types.Set(kind))


def set_of(collection: ir.Expr) -> ir.Expr:
    return ir.SetOf(collection=collection, type=types.Set(element_type(collection)))


def set_op(left: ir.Expr, operator: Literal["|", "&", "-", "^"], right: ir.Expr) -> ir.Expr:
    kind = unified(left.type, right.type)
    return ir.SetOperation(operator=operator, left=as_type(left, kind), right=as_type(right, kind), type=kind)


def size(collection: ir.Expr) -> ir.Expr:
    return ir.Size(collection=collection, type=INT)


def gen(name: str, source: ir.Expr, *conditions: Any) -> ir.Generator:
    return ir.Generator(name=name, source=source, conditions=tuple(map(expr, conditions)))


def comp(element: Any, *generators: ir.Generator) -> ir.Expr:
    element = expr(element)
    return ir.SetComprehension(generators=generators, element=element, type=types.Set(element.type))


def any_(condition: Any, *generators: ir.Generator) -> ir.Expr:
    return ir.Quantifier(operator="any", generators=generators, condition=expr(condition), type=BOOL)


def all_(condition: Any, *generators: ir.Generator) -> ir.Expr:
    return ir.Quantifier(operator="all", generators=generators, condition=expr(condition), type=BOOL)


def agg(
    operator: Literal["sum", "min", "max"], element: Any, *generators: ir.Generator, default: Any = None
) -> ir.Expr:
    return ir.Aggregate(
        operator=operator,
        generators=generators,
        element=expr(element),
        default=None if default is None else expr(default),
        type=INT,
    )


# --------------------------------------------------------------------------- tuples, records, functions, the rest


def pair(*elements: Any) -> ir.Expr:
    """A tuple of fixed length."""
    items = tuple(map(expr, elements))
    return ir.TupleDisplay(elements=items, type=types.Tuple(tuple(item.type for item in items)))


def seq(*elements: Any) -> ir.Expr:
    kind = unified(*(expr(element).type for element in elements))
    return ir.TupleDisplay(elements=tuple(as_type(element, kind) for element in elements), type=types.Sequence(kind))


def component(of: ir.Expr, index: int) -> ir.Expr:
    assert isinstance(of.type, types.Tuple)
    return ir.Component(tuple=of, index=index, type=of.type.items[index])


def index(sequence: ir.Expr, at: Any) -> ir.Expr:
    return ir.Index(sequence=sequence, index=expr(at), type=element_type(sequence))


def slice_(sequence: ir.Expr, start: Any, stop: Any) -> ir.Expr:
    bounds = [None if bound is None else expr(bound) for bound in (start, stop)]
    return ir.Slice(sequence=sequence, start=bounds[0], stop=bounds[1], type=sequence.type)


def cat(left: ir.Expr, right: ir.Expr) -> ir.Expr:
    kind = unified(left.type, right.type)
    if isinstance(kind, types.Tuple):
        kind = types.Sequence(unified(*kind.items))
    return ir.Concatenate(left=as_type(left, kind), right=as_type(right, kind), type=kind)


def seq_comp(element: Any, generator: ir.Generator) -> ir.Expr:
    element = expr(element)
    return ir.SequenceComprehension(generator=generator, element=element, type=types.Sequence(element.type))


def record_type(python: type, **fields: types.Type) -> types.Record:
    return types.Record(python, tuple(fields.items()))


def make(kind: types.Record, *values: Any) -> ir.Expr:
    fitted = tuple(as_type(value, item) for value, (_, item) in zip(values, kind.fields, strict=True))
    return ir.RecordDisplay(values=fitted, type=kind)


def get(record: ir.Expr, name: str) -> ir.Expr:
    found = [kind for item in types.alternatives(record.type) if (kind := item.field(name)) is not None]
    return ir.Field(record=record, name=name, type=unified(*found))


def replace_(record: ir.Expr, **changes: Any) -> ir.Expr:
    kinds = {name: kind for item in types.alternatives(record.type) for name, kind in item.fields}
    items = tuple((name, as_type(value, kinds[name])) for name, value in changes.items())
    return ir.Replace(record=record, changes=items, type=record.type)


def is_a(record: ir.Expr, *classes: types.Record) -> ir.Expr:
    return ir.IsInstance(record=record, classes=classes, type=BOOL)


def fun(*entries: tuple[Any, Any]) -> ir.Expr:
    key_kind = unified(*(expr(key).type for key, _ in entries))
    value_kind = unified(*(expr(value).type for _, value in entries))
    items = tuple((as_type(key, key_kind), as_type(value, value_kind)) for key, value in entries)
    return ir.FunctionDisplay(entries=items, type=types.Function(key_kind, value_kind))


def fun_comp(name: str, source: ir.Expr, value: Any) -> ir.Expr:
    value = expr(value)
    return ir.FunctionComprehension(
        name=name, source=source, value=value, type=types.Function(element_type(source), value.type)
    )


def apply(function: ir.Expr, key: Any) -> ir.Expr:
    assert isinstance(function.type, types.Function)
    return ir.Apply(function=function, key=expr(key), type=function.type.value)


def updated(function: ir.Expr, *entries: tuple[Any, Any]) -> ir.Expr:
    assert isinstance(function.type, types.Function)
    items = tuple((as_type(key, function.type.key), as_type(value, function.type.value)) for key, value in entries)
    return ir.FunctionUpdate(function=function, entries=items, type=function.type)


def unwrap(optional: ir.Expr) -> ir.Expr:
    assert isinstance(optional.type, types.Optional)
    return ir.Unwrap(optional=optional, type=optional.type.item)


def call(helper: ir.Helper, *arguments: Any, after: bool = False) -> ir.Expr:
    fitted = tuple(as_type(value, item.type) for value, item in zip(arguments, helper.parameters, strict=True))
    return ir.Call(helper=helper.name, arguments=fitted, after=after, type=helper.type)


def let(name: str, value: Any, body: Any) -> ir.Expr:
    body = expr(body)
    return ir.Let(name=name, value=expr(value), body=body, type=body.type)


# ------------------------------------------------------------------------------------------------- declarations


def ints(low: Any, high: Any) -> ir.IntSet:
    return ir.IntSet(low=expr(low), high=expr(high))


def sequences(element: ir.DomainExpr, high: Any, low: Any = 0) -> ir.SequenceSet:
    return ir.SequenceSet(element=element, min_length=expr(low), max_length=expr(high))


def domain_type(domain: ir.DomainExpr) -> types.Type:
    match domain:
        case ir.BoolSet():
            return BOOL
        case ir.IntSet():
            return INT
        case ir.LiteralSet():
            return STR
        case ir.EnumSet():
            return domain.enumeration
        case ir.MemberSet():
            return element_type(domain.members)
        case ir.OptionalSet():
            return types.Optional(domain_type(domain.item))
        case ir.PowerSet():
            return types.Set(domain_type(domain.element))
        case ir.TupleSet():
            return types.Tuple(tuple(map(domain_type, domain.items)))
        case ir.SequenceSet():
            return types.Sequence(domain_type(domain.element))
        case ir.FunctionSet():
            return types.Function(domain_type(domain.key), domain_type(domain.value))
        case ir.RecordSet():
            return domain.record
        case ir.UnionSet():
            return types.union(tuple(item.record for item in domain.alternatives))


def records(kind: types.Record, *fields: ir.DomainExpr) -> ir.RecordSet:
    names = [name for name, _ in kind.fields]
    return ir.RecordSet(record=kind, fields=tuple(zip(names, fields, strict=True)))


def variable(name: str, domain: ir.DomainExpr, initial: Any = ..., ghost: bool = False) -> ir.Variable:
    """A variable; without an initial value it is init that assigns it."""
    kind = domain_type(domain)
    value = None if initial is ... else as_type(initial, kind)
    return ir.Variable(name=name, domain=domain, initial=value, ghost=ghost, type=kind)


def param(name: str, domain: ir.DomainExpr) -> ir.Parameter:
    return ir.Parameter(name=name, domain=domain, type=domain_type(domain))


def constant(name: str, default: Any, kind: types.Type = INT, **more: Any) -> ir.Constant:
    return ir.Constant(name=name, default=default, type=kind, **more)


def guard(name: str, condition: Any, number: int = 0, when: Any = None) -> ir.Guard:
    return ir.Guard(name=name, condition=expr(condition), call=number, when=None if when is None else expr(when))


def assume(condition: Any, when: Any = None) -> ir.Assume:
    return ir.Assume(condition=expr(condition), when=None if when is None else expr(when))


def oblige(condition: Any, when: Any = None) -> ir.Oblige:
    return ir.Oblige(condition=expr(condition), when=None if when is None else expr(when))


def bind(name: str, value: Any, when: Any = None) -> ir.Bind:
    return ir.Bind(name=name, value=expr(value), when=None if when is None else expr(when))


def action(
    name: str,
    *parts: ir.Parameter | ir.Step,
    doc: str = "",
    fairness: Any = None,
    each: Sequence[str] = (),
    **sets: Any,
) -> ir.Action:
    """An action of its parameters and steps; keywords are its updates."""
    return ir.Action(
        name=name,
        parameters=tuple(part for part in parts if isinstance(part, ir.Parameter)),
        steps=tuple(part for part in parts if not isinstance(part, ir.Parameter)),
        updates=tuple(ir.Update(variable=name, value=expr(value)) for name, value in sets.items()),
        doc=doc,
        fairness=fairness,
        each=tuple(each),
    )


def init(*parts: ir.Parameter | ir.Bind | ir.Assume | ir.Oblige, **sets: Any) -> ir.Init:
    """Choices, assumptions and the values of the variables that init assigns; `protocol` adds the others."""
    return ir.Init(
        parameters=tuple(part for part in parts if isinstance(part, ir.Parameter)),
        steps=tuple(part for part in parts if not isinstance(part, ir.Parameter)),
        updates=tuple(ir.Update(variable=name, value=expr(value)) for name, value in sets.items()),
    )


def helper(name: str, body: Any, /, **parameters: types.Type) -> ir.Helper:
    body = expr(body)
    items = tuple(ir.HelperParameter(name=parameter, type=kind) for parameter, kind in parameters.items())
    return ir.Helper(name=name, parameters=items, body=body, type=body.type)


def prop(name: str, kind: ir.PropertyKind, body: Any, target: Any = None, doc: str = "") -> ir.Property:
    return ir.Property(name=name, kind=kind, body=expr(body), target=None if target is None else expr(target), doc=doc)


def protocol(
    name: str,
    *parts: ir.Constant | ir.Variable | ir.Init | ir.Helper | ir.Action | ir.Property,
    doc: str = "",
    fairness: Any = None,
    survivors: tuple[tuple[str, str], ...] = (),
) -> ir.Protocol:
    """A protocol of declarations in any order; init gets the initial values of the variables it does not assign."""
    variables = tuple(part for part in parts if isinstance(part, ir.Variable))
    kinds = {item.name: item.type for item in variables}
    given = next((part for part in parts if isinstance(part, ir.Init)), init())
    given = replace(given, updates=_fitted(given.updates, kinds))
    assigned = {update.variable: update for update in given.updates}
    updates = []
    for item in variables:
        if item.name in assigned:
            updates.append(assigned[item.name])
        else:
            assert item.initial is not None, f"nothing gives {item.name} an initial value"
            updates.append(ir.Update(variable=item.name, value=item.initial))
    return ir.Protocol(
        name=name,
        constants=tuple(part for part in parts if isinstance(part, ir.Constant)),
        variables=variables,
        init=replace(given, updates=tuple(updates)),
        helpers=tuple(part for part in parts if isinstance(part, ir.Helper)),
        actions=tuple(
            replace(part, updates=_fitted(part.updates, kinds)) for part in parts if isinstance(part, ir.Action)
        ),
        properties=tuple(part for part in parts if isinstance(part, ir.Property)),
        doc=doc,
        fairness=fairness,
        survivors=survivors,
    )


def _fitted(updates: tuple[ir.Update, ...], kinds: Mapping[str, types.Type]) -> tuple[ir.Update, ...]:
    return tuple(replace(update, value=as_type(update.value, kinds[update.variable])) for update in updates)
