"""Annotations → domains and types. Bounds stay expressions over constants; nothing is evaluated here."""

from __future__ import annotations

import ast
import dataclasses
import enum
import itertools
import sys
import types as python_types
import typing
from collections.abc import Iterable
from typing import Any, NoReturn

from . import ir
from . import valuetypes as types
from .bounds import Between, In, MaxLen, MinLen
from .declarations import DeclaredAlias
from .diagnostics import Code, Span
from .embed import embed
from .record_classes import enum_flaw, flaw
from .records import record
from .scope import Refused, Scope
from .source import MISSING, is_protocol


@record(frozen=True)
class Unbounded(ir.Node):
    """A type without bounds, allowed for helpers' parameters and constants, not for variables."""

    type: types.Type


Parsed = ir.DomainExpr | Unbounded


def type_of(domain: Any) -> types.Type:
    """The type of the values of a domain (or of a parsed annotation)."""
    match domain:
        case Unbounded(type=kind):
            return kind
        case ir.BoolSet():
            return types.BOOL
        case ir.IntSet():
            return types.INT
        case ir.LiteralSet():
            return types.STR
        case ir.EnumSet(enumeration):
            return enumeration
        case ir.MemberSet(members):
            assert isinstance(members.type, types.Set)
            return members.type.element
        case ir.OptionalSet(item):
            return types.Optional(type_of(item))
        case ir.PowerSet(element):
            return types.Set(type_of(element))
        case ir.TupleSet(items):
            return types.Tuple(tuple(map(type_of, items)))
        case ir.SequenceSet(element):
            return types.Sequence(type_of(element))
        case ir.FunctionSet(key, value):
            return types.Function(type_of(key), type_of(value))
        case ir.RecordSet(record):
            return record
        case ir.UnionSet(alternatives):
            return types.union(tuple(alternative.record for alternative in alternatives))
        case _:
            raise AssertionError(domain)


def domain(scope: Scope, node: ast.expr) -> ir.DomainExpr:
    """The domain that an annotation names; refused where it has no bounds."""
    parsed = annotation(scope, node)
    missing = _unbounded(parsed)
    if missing is not None:
        _refuse_unbounded(scope, node, missing)
    return parsed  # type: ignore[return-value]


def annotation(scope: Scope, node: ast.expr) -> Parsed:
    """The domain or type that an annotation names; bounds may be missing."""
    match node:
        case ast.Constant(None):
            return Unbounded(types.NOTHING, span=scope.span(node))
        case ast.Constant(str() as text):
            try:
                return annotation(scope, _at(ast.parse(text.strip(), mode="eval").body, node))
            except SyntaxError:
                scope.refuse(Code.ANNOTATION, node, f"{text!r} is no type")
        case ast.BinOp(left, ast.BitOr(), right):
            return _union([annotation(scope, left), annotation(scope, right)], scope, node)
        case ast.Name(name):
            alias = scope.context.declarations.members.get(name)
            if isinstance(alias, DeclaredAlias) and scope.sees(name):
                return _alias(scope, alias)
            return _from_object(scope, scope.namespace.lookup(name), node, name)
        case ast.Attribute(value, name):
            outer = _object(scope, value)
            alias = scope.context.declarations.members.get(name)
            ours = is_protocol(outer) and issubclass(scope.context.declarations.python, outer)
            if ours and isinstance(alias, DeclaredAlias):
                return _alias(scope, alias)
            return _from_object(scope, getattr(outer, name, MISSING), node, ast.unparse(node))
        case ast.Subscript(value, argument):
            return _subscript(scope, node, _object(scope, value), argument)
        case _:
            scope.refuse(Code.ANNOTATION, node, f"`{ast.unparse(node)}` names no domain", remedy=_DOMAINS)


_DOMAINS = (
    "use bool, Annotated[int, Between(a, b)], Literal[…], an Enum, Annotated[T, In(set)], T | None, frozenset[T], "
    "tuple[A, B], Annotated[tuple[T, ...], MaxLen(n)], dict[K, V] or a frozen dataclass"
)


def _alias(scope: Scope, alias: DeclaredAlias) -> Parsed:
    inside = dataclasses.replace(
        scope,
        file=alias.owner.file,
        namespace=alias.owner.namespace,
        self_name=None,
        after_name=None,
        locals={},
        outside=False,
    )
    return annotation(inside, alias.value)


def _object(scope: Scope, node: ast.expr) -> Any:
    match node:
        case ast.Name(name):
            return scope.namespace.lookup(name)
        case ast.Attribute(value, name):
            return getattr(_object(scope, value), name, MISSING)
        case _:
            return MISSING


def _subscript(scope: Scope, node: ast.Subscript, base: Any, argument: ast.expr) -> Parsed:
    span = scope.span(node)
    arguments = argument.elts if isinstance(argument, ast.Tuple) else [argument]
    if base is typing.Annotated:
        return _annotated(scope, node, arguments)
    if base is typing.Literal:
        return _literal(scope, node, [_constant(scope, item) for item in arguments], span)
    if base is typing.Optional:
        return _union([annotation(scope, argument), Unbounded(types.NOTHING)], scope, node)
    if base is typing.Union:
        return _union([annotation(scope, item) for item in arguments], scope, node)
    if base in (frozenset, typing.FrozenSet):  # noqa: UP006
        return _powerset(annotation(scope, argument), span)
    if base in (set, typing.Set, list, typing.List):  # noqa: UP006
        scope.refuse(
            Code.ANNOTATION,
            node,
            f"{ast.unparse(node.value)} is mutable",
            "the values of a state are never shared or changed in place",
            "write frozenset[T] for a set, tuple[T, ...] for a sequence",
        )
    if base in (tuple, typing.Tuple):  # noqa: UP006
        if len(arguments) == 2 and isinstance(arguments[1], ast.Constant) and arguments[1].value is Ellipsis:
            return _sequence(annotation(scope, arguments[0]), None, None, span)
        return _tuple([annotation(scope, item) for item in arguments], span)
    if base in (dict, typing.Dict, typing.Mapping) and len(arguments) == 2:  # noqa: UP006
        return _function(annotation(scope, arguments[0]), annotation(scope, arguments[1]), span)
    scope.refuse(Code.ANNOTATION, node, f"`{ast.unparse(node)}` names no domain", remedy=_DOMAINS)


def _constant(scope: Scope, node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Attribute):
        return _object(scope, node)
    scope.refuse(Code.ANNOTATION, node, "a Literal lists strings", remedy='write Literal["idle", "writing"]')


def _annotated(scope: Scope, node: ast.Subscript, arguments: list[ast.expr]) -> Parsed:
    base = annotation(scope, arguments[0])
    for extra in arguments[1:]:
        base = _refine(scope, node, base, extra)
    return base


def _refine(scope: Scope, node: ast.expr, base: Parsed, extra: ast.expr) -> Parsed:
    """One piece of metadata of an `Annotated`."""
    from .expressions import bound  # expressions need annotations for `isinstance`, annotations need bounds

    span = scope.span(node)
    called = _object(scope, extra.func) if isinstance(extra, ast.Call) else MISSING
    if called is MISSING:
        value = _object(scope, extra)
        if value is not MISSING and not isinstance(extra, ast.Call):
            return _refine_by_value(scope, node, base, value)
        scope.refuse(
            Code.ANNOTATION, extra, "this says nothing about a domain", remedy="use Between, In, MaxLen or MinLen"
        )
    assert isinstance(extra, ast.Call)
    if called is Between:
        bounds = _given(scope, extra, "low", "high")
        if bounds is None:
            scope.refuse(Code.ANNOTATION, extra, "Between takes two bounds", remedy="write Between(low, high)")
        low, high = (bound(scope, item, types.INT) for item in bounds)
        return _between(scope, extra, base, low, high, span)
    if called is In:
        collection = _given(scope, extra, "members")
        if collection is None:
            scope.refuse(Code.ANNOTATION, extra, "In takes a constant set", remedy="write In(tokens)")
        return _members(scope, extra, base, bound(scope, collection[0], None), span)
    if called in (MaxLen, MinLen):
        length = _given(scope, extra, "max_length" if called is MaxLen else "min_length")
        if length is None:
            scope.refuse(Code.ANNOTATION, extra, "MaxLen and MinLen take a length", remedy="write MaxLen(n)")
        value = bound(scope, length[0], types.INT)
        return _with_length(
            scope, extra, base, value if called is MinLen else None, value if called is MaxLen else None
        )
    scope.refuse(
        Code.ANNOTATION,
        extra,
        f"`{ast.unparse(extra)}` says nothing about a domain",
        remedy="use Between, In, MaxLen or MinLen",
    )


def _given(scope: Scope, node: ast.Call, *names: str) -> list[ast.expr] | None:
    """The arguments of a call, one for each name; None where there are others or too few."""
    given: dict[str | None, ast.expr] = dict(zip(names, node.args, strict=False))
    given.update((keyword.arg, keyword.value) for keyword in node.keywords)
    complete = len(node.args) + len(node.keywords) == len(names) and given.keys() == set(names)
    return [given[name] for name in names] if complete else None


def _refine_by_value(scope: Scope, node: ast.expr, base: Parsed, value: Any) -> Parsed:
    """Metadata that exists as an object already: an alias defined outside the class."""
    span = scope.span(node)
    match value:
        case Between(low, high):
            return _between(scope, node, base, embed(low, span), embed(high, span), span)
        case In(members):
            return _members(scope, node, base, embed(frozenset(members), span), span)
        case MaxLen(length):
            return _with_length(scope, node, base, None, embed(length, span))
        case MinLen(length):
            return _with_length(scope, node, base, embed(length, span), None)
        case _:
            scope.refuse(
                Code.ANNOTATION,
                node,
                f"{value!r} says nothing about a domain",
                remedy="use Between, In, MaxLen or MinLen",
            )


def _between(scope: Scope, node: ast.expr, base: Parsed, low: ir.Expr, high: ir.Expr, span: Span) -> Parsed:
    if type_of(base) != types.INT:
        scope.refuse(Code.ANNOTATION, node, f"Between bounds an int, not {type_of(base)}")
    if not isinstance(base, Unbounded):
        _refuse_second_bound(scope, node, "an int", "Between(low, high)")
    return ir.IntSet(low, high, span=span)


def _members(scope: Scope, node: ast.expr, base: Parsed, members: ir.Expr, span: Span) -> Parsed:
    if not isinstance(members.type, types.Set):
        scope.refuse(Code.ANNOTATION, node, f"In takes a set, not {members.type}")
    element, wanted = members.type.element, type_of(base)
    if element != wanted and not (isinstance(element, types.Model) and wanted == types.STR):
        scope.refuse(Code.ANNOTATION, node, f"members of {element} annotate {types.an(wanted)}")
    if not isinstance(base, (Unbounded, ir.BoolSet, ir.EnumSet)):
        _refuse_second_bound(scope, node, types.an(wanted), "In(members)")
    return ir.MemberSet(members, span=span)


def _with_length(scope: Scope, node: ast.expr, base: Parsed, low: ir.Expr | None, high: ir.Expr | None) -> Parsed:
    known: tuple[ir.Expr | None, ir.Expr | None]
    match base:
        case ir.SequenceSet(element, shortest, longest):
            known = None if shortest == _ZERO else shortest, longest
        case _OpenSequence(element=element):
            known = base.low, base.high
        case _:
            scope.refuse(
                Code.ANNOTATION,
                node,
                f"a length bounds tuple[T, ...], not {type_of(base)}",
                remedy="write Annotated[tuple[T, ...], MaxLen(n)]",
            )
    if (low is not None and known[0] is not None) or (high is not None and known[1] is not None):
        _refuse_second_bound(scope, node, "a sequence", "MinLen(m) and one MaxLen(n)")
    return _sequence(element, low or known[0], high or known[1], base.span)


def _refuse_second_bound(scope: Scope, node: ast.expr, what: str, remedy: str) -> NoReturn:
    scope.refuse(
        Code.ANNOTATION,
        node,
        f"{what} that has bounds is given bounds again",
        "a domain is bounded once, so that there is no doubt which bound counts",
        f"write one {remedy}, on a type without bounds",
    )


_ZERO = ir.Literal(0, type=types.INT)


@record(frozen=True)
class _OpenSequence(Unbounded):
    """`tuple[T, ...]` that has not been given its MaxLen (yet)."""

    element: Any = None
    low: ir.Expr | None = None
    high: ir.Expr | None = None


def _sequence(element: Parsed, low: ir.Expr | None, high: ir.Expr | None, span: Span) -> Parsed:
    if high is None or _unbounded(element) is not None:
        return _OpenSequence(types.Sequence(type_of(element)), element, low, high, span=span)
    return ir.SequenceSet(element, low or _ZERO, high, span=span)  # type: ignore[arg-type]


def _powerset(element: Parsed, span: Span) -> Parsed:
    if _unbounded(element) is not None:
        return Unbounded(types.Set(type_of(element)), span=span)
    return ir.PowerSet(element, span=span)  # type: ignore[arg-type]


def _tuple(items: list[Parsed], span: Span) -> Parsed:
    if any(_unbounded(item) is not None for item in items):
        return Unbounded(types.Tuple(tuple(map(type_of, items))), span=span)
    return ir.TupleSet(tuple(items), span=span)  # type: ignore[arg-type]


def _function(key: Parsed, value: Parsed, span: Span) -> Parsed:
    if _unbounded(key) is not None or _unbounded(value) is not None:
        return Unbounded(types.Function(type_of(key), type_of(value)), span=span)
    return ir.FunctionSet(key, value, span=span)  # type: ignore[arg-type]


def _literal(scope: Scope, node: ast.AST, members: list[Any], span: Span) -> Parsed:
    if members and all(isinstance(member, str) for member in members):
        return ir.LiteralSet(tuple(dict.fromkeys(members)), span=span)
    scope.refuse(
        Code.ANNOTATION,
        node,
        "a Literal lists strings",
        "other values have domains of their own",
        "use Annotated[int, Between(a, b)] for numbers, the class itself for an Enum, bool for both truth values",
    )


def _union(parts: list[Parsed], scope: Scope, node: ast.AST) -> Parsed:
    span = scope.span(node)
    flat = [item for part in parts for item in _alternatives(part)]
    optional = Unbounded(types.NOTHING) in flat
    flat = [part for part in dict.fromkeys(flat) if part != Unbounded(types.NOTHING)]
    records = {record.python: record for part in flat for record in types.alternatives(type_of(part))}
    check_kinship(scope, node, records)
    if len(flat) == 1:
        merged = flat[0]
    elif flat and all(isinstance(part, ir.RecordSet) for part in flat):
        merged = ir.UnionSet(tuple(flat), span=span)  # type: ignore[arg-type]
    elif flat and all(isinstance(part, ir.LiteralSet) for part in flat):
        members = dict.fromkeys(member for part in flat for member in part.members)  # type: ignore[union-attr]
        merged = ir.LiteralSet(tuple(members), span=span)
    elif flat and all(types.alternatives(type_of(part)) for part in flat):
        merged = Unbounded(types.union(tuple(records.values())), span=span)
    elif not flat:
        return Unbounded(types.NOTHING, span=span)
    else:
        scope.refuse(
            Code.ANNOTATION,
            node,
            f"a union of {' and '.join(str(type_of(part)) for part in flat)}",
            "only frozen dataclasses can be told apart in a union",
            "make each alternative a frozen dataclass",
        )
    if not optional:
        return merged
    if _unbounded(merged) is not None:
        return Unbounded(types.Optional(type_of(merged)), span=span)
    return ir.OptionalSet(merged, span=span)  # type: ignore[arg-type]


def _alternatives(part: Parsed) -> tuple[Parsed, ...]:
    """What a part of a union is a union of itself, None among it."""
    match part:
        case Unbounded(type=types.Optional(item)):
            return Unbounded(item, span=part.span), Unbounded(types.NOTHING)
        case ir.OptionalSet(item):
            return *_alternatives(item), Unbounded(types.NOTHING)
        case ir.UnionSet(alternatives):
            return alternatives
        case _:
            return (part,)


def check_kinship(scope: Scope, node: ast.AST, classes: Iterable[type]) -> None:
    """Refuse records told apart by class where one class is a subclass of another."""
    for child, parent in itertools.permutations(dict.fromkeys(classes), 2):
        if issubclass(child, parent):
            scope.refuse(
                Code.ANNOTATION,
                node,
                f"{child.__name__} is a subclass of {parent.__name__}",
                "records are told apart by class, and to isinstance one of the subclass is one of the other as well",
                "derive both from a third class, or from none",
            )


def _from_object(scope: Scope, value: Any, node: ast.expr, text: str) -> Parsed:
    """The domain of a Python object: a class, or an alias defined outside the protocol."""
    span = scope.span(node)
    origin, arguments = typing.get_origin(value), typing.get_args(value)
    if value is MISSING:
        declared = scope.context.declarations
        near = f"write {declared.python.__name__}.{text}"
        is_alias = isinstance(declared.members.get(text), DeclaredAlias)
        scope.refuse(Code.NAME, node, f"{text} is not defined here", remedy=near if is_alias else _DOMAINS)
    if value is bool:
        return ir.BoolSet(span=span)
    if value is int:
        return Unbounded(types.INT, span=span)
    if value is str:
        return Unbounded(types.STR, span=span)
    if value is None or value is type(None):
        return Unbounded(types.NOTHING, span=span)
    if isinstance(value, type) and issubclass(value, enum.Enum):
        if not len(value):
            scope.refuse(Code.ANNOTATION, node, f"the Enum {text} has no members")
        found = enum_flaw(value)
        if found is not None:
            scope.refuse(Code.ANNOTATION, node, *found)
        return ir.EnumSet(types.Enumeration(value), span=span)
    if isinstance(value, type) and dataclasses.is_dataclass(value):
        return record_domain(scope, value, node)
    if origin is typing.Annotated:
        base = _from_object(scope, arguments[0], node, text)
        for extra in value.__metadata__:
            base = _refine_by_value(scope, node, base, extra)
        return base
    if origin is typing.Literal:
        return _literal(scope, node, list(arguments), span)
    if origin in (typing.Union, python_types.UnionType):
        return _union([_from_object(scope, item, node, text) for item in arguments], scope, node)
    if origin is frozenset:
        return _powerset(_from_object(scope, arguments[0], node, text), span)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return _sequence(_from_object(scope, arguments[0], node, text), None, None, span)
        return _tuple([_from_object(scope, item, node, text) for item in arguments], span)
    if origin is dict:
        key, result = (_from_object(scope, item, node, text) for item in arguments)
        return _function(key, result, span)
    if isinstance(value, str):
        return annotation(scope, _at(ast.parse(value, mode="eval").body, node))
    if isinstance(value, typing.ForwardRef):
        return annotation(scope, _at(ast.parse(value.__forward_arg__, mode="eval").body, node))
    hint = _DOMAINS
    if value is float:
        hint = "scale to an int with Between; model checking needs finite domains"
    scope.refuse(Code.ANNOTATION, node, f"`{text}` names no domain", remedy=hint)


def record_domain(scope: Scope, cls: type, node: ast.AST) -> Parsed:
    """The domain of a frozen dataclass, field by field; names in its annotations are looked up where it is defined."""
    from .source import Namespace

    found = flaw(cls)
    if found is not None:
        scope.refuse(Code.ANNOTATION, node, *found)
    if cls in _in_progress:
        scope.refuse(
            Code.ANNOTATION,
            node,
            f"the dataclass {cls.__name__} contains itself",
            "its values would be without bound",
            "use an index into a sequence or function instead",
        )
    module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    # The names around the class itself first, then those around the protocol, for classes local to a function.
    namespace = Namespace((module, *scope.namespace.layers))
    inside = dataclasses.replace(scope, namespace=namespace, self_name=None, after_name=None, locals={}, outside=True)
    parsed: list[tuple[str, Parsed]] = []
    _in_progress.add(cls)
    try:
        for item in dataclasses.fields(cls):
            hint = item.type
            if isinstance(hint, str):
                parsed.append((item.name, annotation(inside, _at(ast.parse(hint, mode="eval").body, node))))
            else:
                parsed.append((item.name, _from_object(inside, hint, node, f"{cls.__name__}.{item.name}")))  # type: ignore[arg-type]
    except SyntaxError:
        raise Refused(None) from None
    finally:
        _in_progress.discard(cls)
    record = types.Record(cls, tuple((name, type_of(field)) for name, field in parsed))
    if any(_unbounded(field) is not None for _, field in parsed):
        return Unbounded(record, span=scope.span(node))
    return ir.RecordSet(record, tuple(parsed), span=scope.span(node))  # type: ignore[arg-type]


_in_progress: set[type] = set()


def _unbounded(parsed: Parsed) -> Unbounded | None:
    return parsed if isinstance(parsed, Unbounded) else None


def _refuse_unbounded(scope: Scope, node: ast.expr, missing: Unbounded) -> Any:
    kind = missing.type
    remedy = {
        types.INT: "write Annotated[int, Between(low, high)]",
        types.STR: 'write Literal["a", "b"], or Annotated[str, In(names)] for a constant set of names',
    }.get(kind, "give every int its Between, every tuple[T, ...] its MaxLen, every str its Literal")
    if isinstance(kind, types.Sequence):
        remedy = "write Annotated[tuple[T, ...], MaxLen(n)], with a domain for T as well"
    scope.refuse(
        Code.DOMAIN,
        node,
        f"{kind} has no bounds",
        "only finite domains can be explored",
        remedy,
    )


def _at(parsed: ast.expr, node: ast.AST) -> ast.expr:
    """Give every node of an annotation that was written as a string the position of that string."""
    for item in ast.walk(parsed):
        for attribute in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            if hasattr(item, "lineno") or isinstance(item, ast.expr):
                setattr(item, attribute, getattr(node, attribute, 0))
    return parsed
