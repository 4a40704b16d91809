"""Domains → TLA+: as a set to choose from, and as a condition that a value lies in it.

TLC decides `x \\in [K -> V]` or `x \\in SUBSET S` without enumerating the set, not so sequences of bounded length,
and it fails where it asks `None` for its elements. What contains either is spelled out, value by value.
"""

from __future__ import annotations

from typing import assert_never

from . import ir
from .tla_scope import Scope
from .tla_syntax import (
    Text,
    angles,
    applied,
    atom,
    bounded,
    braces,
    call,
    field,
    infix,
    joined,
    number,
    parenthesised,
    prefix,
    quantified,
    string,
)


def domain_set(domain: ir.DomainExpr, scope: Scope) -> Text:
    """The domain as a set that TLC can enumerate, in the order of `domains.values` as far as TLC keeps one."""
    match domain:
        case ir.BoolSet():
            return atom("BOOLEAN")
        case ir.IntSet():
            scope.used.modules.add("Integers")
            return infix("..", scope.text(domain.low), scope.text(domain.high))
        case ir.LiteralSet():
            return braces(*map(string, domain.members))
        case ir.EnumSet():
            return atom(scope.used.enumeration(domain.enumeration.python))
        case ir.MemberSet():
            return scope.text(domain.members)
        case ir.OptionalSet():
            return infix("\\cup", braces(atom(scope.used.null())), domain_set(domain.item, scope))
        case ir.PowerSet():
            return prefix("SUBSET", domain_set(domain.element, scope))
        case ir.TupleSet():
            return _tuples(domain, scope)
        case ir.SequenceSet():
            element = domain_set(domain.element, scope)
            low, high = scope.text(domain.min_length), scope.text(domain.max_length)
            return call(scope.used.operator("BoundedSeq"), element, low, high)
        case ir.FunctionSet():
            return atom(f"[{domain_set(domain.key, scope)} -> {domain_set(domain.value, scope)}]")
        case ir.RecordSet():
            return _records(domain, scope)
        case ir.UnionSet():
            return joined("\\cup", (_records(record, scope) for record in domain.alternatives))
        case _:
            assert_never(domain)


def membership(value: Text, domain: ir.DomainExpr, scope: Scope) -> Text:
    """The condition that a value of the domain's type lies in the domain."""
    if _decided_as_set(domain):
        match domain:
            case ir.PowerSet():
                return infix("\\subseteq", value, domain_set(domain.element, scope))
            case _:
                return infix("\\in", value, domain_set(domain, scope))
    match domain:
        case ir.OptionalSet():
            present = infix("#", value, atom(scope.used.null()))
            return infix("=>", present, membership(value, domain.item, scope))
        case ir.PowerSet():
            name, inner = scope.fresh("x")
            return quantified(f"\\A {bounded(name, value)}", membership(atom(name), domain.element, inner))
        case ir.TupleSet():
            positions = enumerate(domain.items, start=1)
            return joined("/\\", (membership(applied(value, number(place)), item, scope) for place, item in positions))
        case ir.SequenceSet():
            return joined("/\\", _is_sequence(value, domain, scope))
        case ir.FunctionSet():
            keys = domain_set(domain.key, scope)
            name, inner = scope.fresh("k")
            values = membership(applied(value, atom(name)), domain.value, inner)
            whole = infix("=", prefix("DOMAIN", value), keys)
            return joined("/\\", (whole, quantified(f"\\A {bounded(name, keys)}", values)))
        case ir.RecordSet():
            return _is_record(value, domain, scope)
        case ir.UnionSet():
            return joined("\\/", (_is_record(value, record, scope) for record in domain.alternatives))
        case ir.BoolSet() | ir.IntSet() | ir.LiteralSet() | ir.EnumSet() | ir.MemberSet():
            raise AssertionError("decided as a set")
        case _:
            assert_never(domain)


def membership_parts(value: Text, domain: ir.DomainExpr, scope: Scope) -> tuple[Text, ...]:
    """The same as a list of conditions, for a bulleted list."""
    if isinstance(domain, ir.SequenceSet):
        return _is_sequence(value, domain, scope)
    return (membership(value, domain, scope),)


def _decided_as_set(domain: ir.DomainExpr) -> bool:
    match domain:
        case ir.SequenceSet():
            return False
        case ir.OptionalSet():
            return isinstance(domain.item, ir.BoolSet | ir.IntSet | ir.LiteralSet | ir.EnumSet | ir.MemberSet)
        case ir.PowerSet():
            return _decided_as_set(domain.element)
        case ir.TupleSet():
            return all(map(_decided_as_set, domain.items)) and len(domain.items) > 1
        case ir.FunctionSet():
            return _decided_as_set(domain.value)
        case ir.RecordSet():
            return all(_decided_as_set(item) for _, item in domain.fields)
        case ir.UnionSet():
            return all(map(_decided_as_set, domain.alternatives))
        case ir.BoolSet() | ir.IntSet() | ir.LiteralSet() | ir.EnumSet() | ir.MemberSet():
            return True
        case _:
            assert_never(domain)


def _tuples(domain: ir.TupleSet, scope: Scope) -> Text:
    match [domain_set(item, scope) for item in domain.items]:
        case []:
            return braces(angles())
        case [single]:
            name, _ = scope.fresh("x")
            return atom(f"{{{angles(atom(name))} : {bounded(name, single)}}}")
        case several:
            # `A \X B \X C` is no repeated application of a binary operator: each operand stands in parentheses.
            return Text(" \\X ".join(str(parenthesised(item)) for item in several), 10, 13, "\\X")


def _records(domain: ir.RecordSet, scope: Scope) -> Text:
    names, record = scope.names, domain.record
    parts = [f"{names.tag}: {braces(string(names.tags[record.python]))}"] if names.is_tagged(record) else []
    parts += [f"{names.field(record, name)}: {domain_set(item, scope)}" for name, item in domain.fields]
    return atom("[" + ", ".join(parts) + "]")


def _is_sequence(value: Text, domain: ir.SequenceSet, scope: Scope) -> tuple[Text, Text]:
    sequences = scope.used.standard("Seq", "Sequences")
    length = call(scope.used.standard("Len", "Sequences"), value)
    scope.used.modules.add("Integers")
    low, high = scope.text(domain.min_length), scope.text(domain.max_length)
    if isinstance(domain.min_length, ir.Literal) and domain.min_length.value <= 0:
        bounds = infix("<=", length, high)
    else:
        bounds = infix("\\in", length, infix("..", low, high))
    if _decided_as_set(domain.element):
        elements = infix("\\in", value, call(sequences, domain_set(domain.element, scope)))
    else:
        name, inner = scope.fresh("n")
        each = membership(applied(value, atom(name)), domain.element, inner)
        elements = quantified(f"\\A {bounded(name, prefix('DOMAIN', value))}", each)
    return elements, bounds


def _is_record(value: Text, domain: ir.RecordSet, scope: Scope) -> Text:
    if _decided_as_set(domain):
        return infix("\\in", value, _records(domain, scope))
    names, record = scope.names, domain.record
    parts = []
    if names.is_tagged(record):
        parts.append(infix("=", field(value, names.tag), string(names.tags[record.python])))
    for name, item in domain.fields:
        parts.append(membership(field(value, names.field(record, name)), item, scope))
    return joined("/\\", parts)
