"""What the declarations alone say about an expression's values: a domain it certainly lies in, a least value.

Used to leave out what need not be asked. All answers hold in states whose variables lie in their domains, and only
such states are ever evaluated (`type_ok` comes first and ends the trace). None means "not known", never "nothing".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from . import ir
from . import valuetypes as types
from .valuetypes import BOOL, INT


@dataclass(frozen=True)
class Known:
    """What is known where an expression stands: the protocol and, of local names, domains and generator sources."""

    protocol: ir.Protocol
    domains: Mapping[str, ir.DomainExpr]
    sources: Mapping[str, ir.Expr]

    def with_domain(self, name: str, domain: ir.DomainExpr | None) -> Known:
        """The same, of one name more."""
        return self if domain is None else replace(self, domains={**self.domains, name: domain})

    def inside(self, name: str, source: ir.Expr) -> Known:
        """The same, inside a generator that binds `name`."""
        known = self.with_domain(name, element_domain(source, self))
        return replace(known, sources={**known.sources, name: source})


def domain_of(expr: ir.Expr, known: Known) -> ir.DomainExpr | None:
    """A domain in which the value of `expr` lies wherever it has one."""
    match expr:
        case ir.VariableRef():
            return known.protocol.variable(expr.name).domain
        case ir.ConstantRef():
            return known.protocol.constant(expr.name).domain
        case ir.LocalRef():
            return known.domains.get(expr.name)
        case ir.Literal():
            return _domain_of_literal(expr)
        case ir.Let():
            return domain_of(expr.body, known.with_domain(expr.name, domain_of(expr.value, known)))
        case ir.IfElse():
            then, orelse = domain_of(expr.then, known), domain_of(expr.orelse, known)
            return then if then == orelse else None
        case ir.Unwrap():
            optional = domain_of(expr.optional, known)
            return optional.item if isinstance(optional, ir.OptionalSet) else optional
        case ir.Apply():
            function = domain_of(expr.function, known)
            return function.value if isinstance(function, ir.FunctionSet) else None
        case ir.Field():
            return _domain_of_field(domain_of(expr.record, known), expr.name)
        case ir.Component():
            return _domain_of_component(domain_of(expr.tuple, known), expr.index)
        case ir.Index():
            return element_domain(expr.sequence, known)
        case ir.Arithmetic(operator="%", right=divisor) if _over_constants(divisor):
            low = least(divisor, known)
            zero = ir.Literal(value=0, type=INT)
            return ir.IntSet(low=zero, high=_minus_one(divisor)) if low is not None and low > 0 else None
        case _:
            return _domain_of_type(expr.type)


def element_domain(collection: ir.Expr, known: Known) -> ir.DomainExpr | None:
    """A domain in which every element of a set, a sequence, a range or an Enum class lies."""
    match collection:
        case ir.RangeOf(start=start, stop=stop) if _over_constants(start) and _over_constants(stop):
            return ir.IntSet(low=start, high=_minus_one(stop))
        case ir.Members():
            return ir.EnumSet(enumeration=collection.enumeration)
        case ir.SetOf():
            return element_domain(collection.collection, known)
        case ir.Slice():
            return element_domain(collection.sequence, known)
        case ir.SetOperation(operator="-" | "&"):
            return element_domain(collection.left, known)
        case ir.ConstantRef() if known.protocol.constant(collection.name).domain is None:
            return ir.MemberSet(members=collection) if isinstance(collection.type, types.Set) else None
        case ir.SetComprehension(element=element):
            return domain_of(element, _inside_all(collection.generators, known))
        case ir.SequenceComprehension(element=element):
            return domain_of(element, _inside_all((collection.generator,), known))
        case _:
            domain = domain_of(collection, known)
            return domain.element if isinstance(domain, ir.PowerSet | ir.SequenceSet) else None


def key_domain(function: ir.Expr, known: Known) -> ir.DomainExpr | None:
    """The domain of a function, where its expression tells it exactly."""
    match function:
        case ir.FunctionUpdate():
            return key_domain(function.function, known)
        case ir.IfElse():
            then, orelse = key_domain(function.then, known), key_domain(function.orelse, known)
            return then if then == orelse else None
        case ir.Let():
            return key_domain(function.body, known.with_domain(function.name, domain_of(function.value, known)))
        case _:
            domain = domain_of(function, known)
            return domain.key if isinstance(domain, ir.FunctionSet) else None


def includes(wide: ir.DomainExpr | None, narrow: ir.DomainExpr | None) -> bool:
    """Whether every value of `narrow` is certainly one of `wide`, whatever the constants."""
    if wide is None or narrow is None:
        return False
    if wide == narrow:
        return True
    match wide, narrow:
        case ir.IntSet(), ir.IntSet():
            return certainly_at_most(wide.low, narrow.low) and certainly_at_most(narrow.high, wide.high)
        case ir.LiteralSet(), ir.LiteralSet():
            return set(narrow.members) <= set(wide.members)
        case ir.OptionalSet(), ir.OptionalSet():
            return includes(wide.item, narrow.item)
        case ir.OptionalSet(), _:
            return includes(wide.item, narrow)
        case ir.TupleSet(), ir.TupleSet():
            return len(wide.items) == len(narrow.items) and all(map(includes, wide.items, narrow.items))
        case ir.RecordSet(), ir.RecordSet():
            fields = zip(wide.fields, narrow.fields, strict=False)
            return wide.record == narrow.record and all(includes(a, b) for (_, a), (_, b) in fields)
        case ir.UnionSet(), ir.RecordSet():
            return any(includes(item, narrow) for item in wide.alternatives)
        case ir.UnionSet(), ir.UnionSet():
            return all(includes(wide, item) for item in narrow.alternatives)
        case ir.PowerSet(), ir.PowerSet():
            return includes(wide.element, narrow.element)
        case _:
            return False


def least(expr: ir.Expr, known: Known) -> int | None:
    """A number that the value of an int expression is certainly not below."""
    match expr:
        case ir.Literal(value=value):
            return value if type(value) is int else None
        case ir.Size() | ir.Absolute():
            return 0
        case ir.LocalRef() if isinstance(known.sources.get(expr.name), ir.RangeOf):
            source = known.sources[expr.name]
            return least(source.start, known) if isinstance(source, ir.RangeOf) else None
        case ir.Arithmetic(operator="+", left=left, right=right):
            a, b = least(left, known), least(right, known)
            return None if a is None or b is None else a + b
        case ir.Arithmetic(operator="*" | "//", left=left, right=right):
            a, b = least(left, known), least(right, known)
            return 0 if a is not None and b is not None and a >= 0 and b >= 0 else None
        case ir.Arithmetic(operator="-", left=left, right=ir.Literal(value=int(amount))):
            a = least(left, known)
            return _least_of_nonempty(expr, known) if a is None else a - amount
        case ir.Arithmetic(operator="%", right=right):
            b = least(right, known)
            return 0 if b is not None and b >= 0 else None
        case ir.Extreme(operator=operator, operands=operands):
            bounds = [least(operand, known) for operand in operands]
            present = [bound for bound in bounds if bound is not None]
            if operator == "max":
                return max(present, default=None)
            return min(present) if len(present) == len(bounds) else None
        case ir.IfElse(then=then, orelse=orelse):
            a, b = least(then, known), least(orelse, known)
            return None if a is None or b is None else min(a, b)
        case _:
            domain = domain_of(expr, known)
            low = least(domain.low, known) if isinstance(domain, ir.IntSet) else None
            return low if low is not None else _least_of_nonempty(expr, known)


def _least_of_nonempty(expr: ir.Expr, known: Known) -> int | None:
    """What follows from an interval that has a value: with `i: 0..n - 1` in scope, or a variable of it, `n >= 1`."""
    wanted = _linear(expr)
    if wanted is None:
        return None
    found: list[int] = []
    for domain in (*known.domains.values(), *(variable.domain for variable in known.protocol.variables)):
        if isinstance(domain, ir.IntSet) and isinstance(domain.low, ir.Literal):
            high = _linear(domain.high)
            if high is not None and high[0] == wanted[0]:
                found.append(domain.low.value + wanted[1] - high[1])
    return max(found, default=None)


def within(value: ir.Expr, domain: ir.DomainExpr, known: Known) -> ir.Expr:
    """The condition that a value which can be evaluated lies in a domain; `Literal True` where it certainly does."""
    if includes(domain, domain_of(value, known)):
        return _TRUE
    match domain:
        case ir.BoolSet() | ir.EnumSet():
            return _TRUE
        case ir.IntSet():
            above = ir.Compare(operator="<=", left=domain.low, right=value, type=BOOL, span=value.span)
            below = ir.Compare(operator="<=", left=value, right=domain.high, type=BOOL, span=value.span)
            low, bound = least(value, known), domain.low
            certainly_above = low is not None and isinstance(bound, ir.Literal) and bound.value <= low
            return _both(
                [
                    _TRUE if certainly_above or certainly_at_most(domain.low, value) else above,
                    _TRUE if certainly_at_most(value, domain.high) else below,
                ]
            )
        case ir.LiteralSet():
            literals = tuple(ir.Literal(value=member, type=value.type) for member in domain.members)
            members = ir.SetDisplay(elements=literals, type=types.Set(value.type))
            return ir.Member(element=value, collection=members, type=BOOL, span=value.span)
        case ir.MemberSet():
            return ir.Member(element=value, collection=domain.members, type=BOOL, span=value.span)
        case ir.OptionalSet():
            return _within_optional(value, domain, known)
        case ir.TupleSet():
            if not isinstance(value.type, types.Tuple):
                raise AssertionError(f"a {value.type} is asked to lie in a tuple domain")
            kinds = value.type.items
            parts = [ir.Component(tuple=value, index=i, type=kind, span=value.span) for i, kind in enumerate(kinds)]
            return _both([within(part, item, known) for part, item in zip(parts, domain.items, strict=True)])
        case ir.RecordSet():
            return _within_record(value, domain, known)
        case ir.UnionSet():
            return _either([_within_record(value, item, known) for item in domain.alternatives])
        case ir.PowerSet():
            return _within_elements(value, domain.element, known)
        case ir.SequenceSet():
            length = ir.Size(collection=value, type=INT, span=value.span)
            bounds = ir.IntSet(low=domain.min_length, high=domain.max_length)
            return _both([within(length, bounds, known), _within_elements(value, domain.element, known)])
        case ir.FunctionSet():
            raise AssertionError("whether a function lies in a domain is not expressed; see `holds_functions`")
        case _:
            assert_never(domain)


def holds_functions(domain: ir.DomainExpr) -> bool:
    """Whether a function is part of the values of a domain, which `within` has no expression for."""
    match domain:
        case ir.FunctionSet():
            return True
        case ir.OptionalSet():
            return holds_functions(domain.item)
        case ir.PowerSet() | ir.SequenceSet():
            return holds_functions(domain.element)
        case ir.TupleSet():
            return any(map(holds_functions, domain.items))
        case ir.RecordSet():
            return any(holds_functions(item) for _, item in domain.fields)
        case ir.UnionSet():
            return any(map(holds_functions, domain.alternatives))
        case _:
            return False


_TRUE = ir.Literal(value=True, type=BOOL)


def _within_optional(value: ir.Expr, domain: ir.OptionalSet, known: Known) -> ir.Expr:
    if not isinstance(value.type, types.Optional):
        return within(value, domain.item, known)
    held = within(ir.Unwrap(optional=value, type=value.type.item, span=value.span), domain.item, known)
    none = ir.Literal(value=None, type=value.type)
    return _either([ir.Equal(left=value, right=none, type=BOOL, span=value.span), held])


def _within_record(value: ir.Expr, domain: ir.RecordSet, known: Known) -> ir.Expr:
    parts: list[ir.Expr] = []
    if value.type != domain.record:
        parts.append(ir.IsInstance(record=value, classes=(domain.record,), type=BOOL, span=value.span))
    for name, item in domain.fields:
        kind = domain.record.field(name)
        assert kind is not None
        parts.append(within(ir.Field(record=value, name=name, type=kind, span=value.span), item, known))
    return _both(parts)


def _within_elements(value: ir.Expr, domain: ir.DomainExpr, known: Known) -> ir.Expr:
    if not isinstance(value.type, types.Set | types.Sequence):
        raise AssertionError(f"a {value.type} is asked to have elements")
    name = "element"
    inner = within(ir.LocalRef(name=name, type=value.type.element), domain, known.inside(name, value))
    if inner == _TRUE:
        return _TRUE
    generator = ir.Generator(name=name, source=value)
    return ir.Quantifier(operator="all", generators=(generator,), condition=inner, type=BOOL, span=value.span)


def _both(parts: list[ir.Expr]) -> ir.Expr:
    needed = tuple(part for part in parts if part != _TRUE)
    match needed:
        case ():
            return _TRUE
        case (only,):
            return only
        case _:
            return ir.Logic(operator="and", operands=needed, type=BOOL)


def _either(parts: list[ir.Expr]) -> ir.Expr:
    if any(part == _TRUE for part in parts):
        return _TRUE
    return parts[0] if len(parts) == 1 else ir.Logic(operator="or", operands=tuple(parts), type=BOOL)


def certainly_at_most(left: ir.Expr, right: ir.Expr) -> bool:
    """Whether `left <= right` whatever the constants: sums of constants and numbers that differ by a number only."""
    a, b = _linear(left), _linear(right)
    if a is None or b is None:
        return False
    return a[0] == b[0] and a[1] <= b[1]


def _linear(expr: ir.Expr) -> tuple[dict[str, int], int] | None:
    """An int expression as multiples of constants and a number."""
    match expr:
        case ir.Literal(value=value) if type(value) is int:
            return {}, value
        case ir.ConstantRef():
            return {expr.name: 1}, 0
        case ir.Arithmetic(operator="+" | "-", left=left, right=right):
            a, b = _linear(left), _linear(right)
            if a is None or b is None:
                return None
            sign = 1 if expr.operator == "+" else -1
            counts = {name: a[0].get(name, 0) + sign * b[0].get(name, 0) for name in {*a[0], *b[0]}}
            return {name: count for name, count in counts.items() if count}, a[1] + sign * b[1]
        case _:
            return None


def _over_constants(expr: ir.Expr) -> bool:
    return _linear(expr) is not None


def _minus_one(expr: ir.Expr) -> ir.Expr:
    if isinstance(expr, ir.Literal):
        return replace(expr, value=expr.value - 1)
    one = ir.Literal(value=1, type=INT)
    return ir.Arithmetic(operator="-", left=expr, right=one, type=INT, span=expr.span)


def _inside_all(generators: tuple[ir.Generator, ...], known: Known) -> Known:
    for generator in generators:
        known = known.inside(generator.name, generator.source)
    return known


def _domain_of_literal(literal: ir.Literal) -> ir.DomainExpr | None:
    match literal.value:
        case None:
            return None
        case bool():
            return ir.BoolSet()
        case int():
            return ir.IntSet(low=literal, high=literal) if literal.type == INT else _domain_of_type(literal.type)
        case str():
            return ir.LiteralSet(members=(literal.value,)) if isinstance(literal.type, types.Str) else None
        case _:
            return _domain_of_type(literal.type)


def _domain_of_type(kind: types.Type) -> ir.DomainExpr | None:
    match kind:
        case types.Bool():
            return ir.BoolSet()
        case types.Enumeration():
            return ir.EnumSet(enumeration=kind)
        case _:
            return None


def _domain_of_field(domain: ir.DomainExpr | None, name: str) -> ir.DomainExpr | None:
    match domain:
        case ir.RecordSet():
            return dict(domain.fields).get(name)
        case ir.UnionSet():
            found = [dict(item.fields)[name] for item in domain.alternatives if name in dict(item.fields)]
            return found[0] if found and all(item == found[0] for item in found) else None
        case _:
            return None


def _domain_of_component(domain: ir.DomainExpr | None, index: int) -> ir.DomainExpr | None:
    return domain.items[index] if isinstance(domain, ir.TupleSet) else None
