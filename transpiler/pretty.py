"""IR → stable text, close to the Python it came from: what golden tests compare and what a person debugging reads.

    action rollback(k: 0..max_len - 1)
      guard shrinks = k < length
      guard no_reader_above = all(i <= k for i in pending_reads)
      length := k

Types are shown where the text alone does not tell them; spans never.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from . import ir
from . import valuetypes as types
from .domains import show

# Binding strength, the weakest first; Python's own order.
_LOOSEST, _IF, _OR, _AND, _NOT, _COMPARE, _UNION, _XOR, _INTERSECT, _SUM, _PRODUCT, _UNARY, _TIGHT = range(13)

_OPERATORS = {
    "|": _UNION,
    "^": _XOR,
    "&": _INTERSECT,
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "//": _PRODUCT,
    "%": _PRODUCT,
}


def pretty(protocol: ir.Protocol) -> str:
    """The whole protocol, one declaration after the other, ending with a newline."""
    return "\n".join(_protocol(protocol)) + "\n"


def pretty_expr(expr: ir.Expr) -> str:
    """One expression on one line."""
    return _at(expr, _LOOSEST)


def pretty_domain(domain: ir.DomainExpr) -> str:
    """A domain with its bounds as expressions."""
    match domain:
        case ir.BoolSet():
            return "bool"
        case ir.IntSet():
            return f"{_at(domain.low, _SUM)}..{_at(domain.high, _SUM)}"
        case ir.LiteralSet():
            return "{" + ", ".join(map(show, domain.members)) + "}"
        case ir.EnumSet():
            return str(domain.enumeration)
        case ir.MemberSet():
            return f"member of {_at(domain.members, _TIGHT)}"
        case ir.OptionalSet():
            return f"{pretty_domain(domain.item)} | None"
        case ir.PowerSet():
            return f"frozenset[{pretty_domain(domain.element)}]"
        case ir.TupleSet():
            return f"tuple[{', '.join(map(pretty_domain, domain.items))}]"
        case ir.SequenceSet():
            lengths = f"{_at(domain.min_length, _SUM)}..{_at(domain.max_length, _SUM)}"
            return f"tuple[{pretty_domain(domain.element)}, ...; length {lengths}]"
        case ir.FunctionSet():
            return f"dict[{pretty_domain(domain.key)}, {pretty_domain(domain.value)}]"
        case ir.RecordSet():
            fields = ", ".join(f"{name}: {pretty_domain(item)}" for name, item in domain.fields)
            return f"{domain.record}({fields})"
        case ir.UnionSet():
            return " | ".join(map(pretty_domain, domain.alternatives))
        case _:
            assert_never(domain)


# ------------------------------------------------------------------------------------------------- declarations


def _protocol(protocol: ir.Protocol) -> Iterator[str]:
    dropped = f" without {protocol.dropped}" if protocol.dropped else ""
    yield f"protocol {protocol.name}{dropped}"
    yield from _doc(protocol.doc)
    if protocol.fairness is not None:
        yield f"  fairness {protocol.fairness}"
    for name, reason in protocol.survivors:
        yield f"  survivor {name}: {reason}"
    if protocol.refinement is not None:
        yield f"  refines {protocol.refinement.abstract.name}"
        for abstraction in protocol.refinement.abstractions:
            yield f"    {abstraction.name} = {pretty_expr(abstraction.value)}"
    for constant in protocol.constants:
        yield "  " + _constant(constant)
    for variable in protocol.variables:
        kind = "ghost" if variable.ghost else "variable"
        value = "" if variable.initial is None else f" = {pretty_expr(variable.initial)}"
        yield f"  {kind} {variable.name}: {pretty_domain(variable.domain)}{value}"
    yield f"  init({_parameters(protocol.init.parameters)})"
    yield from _doc(protocol.init.doc)
    yield from _body(protocol.init.steps, protocol.init.updates)
    for helper in protocol.helpers:
        parameters = ", ".join(f"{item.name}: {item.type}" for item in helper.parameters)
        yield f"  helper {helper.name}({parameters}) -> {helper.type}"
        yield from _doc(helper.doc)
        yield f"    = {pretty_expr(helper.body)}"
    for action in protocol.actions:
        each = f" each {', '.join(action.each)}" if action.each else ""
        fairness = f" fairness {action.fairness}{each}" if action.fairness is not None else ""
        yield f"  action {action.name}({_parameters(action.parameters)}){fairness}"
        yield from _doc(action.doc)
        yield from _body(action.steps, action.updates)
    for item in protocol.properties:
        yield f"  {item.kind} {item.name}"
        yield from _doc(item.doc)
        yield f"    = {pretty_expr(item.body)}"
        if item.target is not None:
            yield f"   ~> {pretty_expr(item.target)}"


def _doc(doc: str) -> Iterator[str]:
    yield from (f'    "{line.strip()}"' for line in doc.splitlines() if line.strip())


def _constant(constant: ir.Constant) -> str:
    kind = str(constant.type) if constant.domain is None else pretty_domain(constant.domain)
    symmetric = " symmetric" if constant.symmetric else ""
    return f"constant {constant.name}: {kind} = {show(constant.default)}{symmetric}"


def _parameters(parameters: Iterable[ir.Parameter]) -> str:
    return ", ".join(f"{item.name}: {pretty_domain(item.domain)}" for item in parameters)


def _body(steps: Iterable[ir.Step], updates: Iterable[ir.Update]) -> Iterator[str]:
    call = 0
    for step in steps:
        when = "" if step.when is None else f" when {pretty_expr(step.when)}"
        match step:
            case ir.Bind():
                yield f"    let {step.name}: {step.value.type} = {pretty_expr(step.value)}{when}"
            case ir.Guard():
                # A second guard(...) call is told from the first: its conditions are protected by those before it.
                word = "guard" if step.call == call else "then guard"
                call = step.call
                yield f"    {word} {step.name} = {pretty_expr(step.condition)}{when}"
            case ir.Assume():
                yield f"    assume {pretty_expr(step.condition)}{when}"
            case ir.Oblige():
                yield f"    assert {pretty_expr(step.condition)}{when}"
            case _:
                assert_never(step)
    for update in updates:
        yield f"    {update.variable} := {pretty_expr(update.value)}"


# -------------------------------------------------------------------------------------------------- expressions


def _at(expr: ir.Expr, strength: int) -> str:
    """The text of an expression in a place that binds with a strength, in parentheses where it binds less."""
    text, own = _expr(expr)
    return f"({text})" if own < strength else text


def _list(items: Iterable[ir.Expr]) -> str:
    return ", ".join(map(pretty_expr, items))


def _clauses(generators: Iterable[ir.Generator]) -> str:
    parts = []
    for generator in generators:
        conditions = "".join(f" if {_at(condition, _OR)}" for condition in generator.conditions)
        parts.append(f"for {generator.name} in {_at(generator.source, _OR)}{conditions}")
    return " ".join(parts)


def _entries(entries: Iterable[tuple[ir.Expr, ir.Expr]]) -> str:
    return ", ".join(f"{pretty_expr(key)}: {pretty_expr(value)}" for key, value in entries)


def _binary(operator: str, left: ir.Expr, right: ir.Expr) -> tuple[str, int]:
    own = _OPERATORS[operator]
    # All of them group to the left.
    return f"{_at(left, own)} {operator} {_at(right, own + 1)}", own


def _comparison(left: ir.Expr, word: str, right: ir.Expr) -> tuple[str, int]:
    # Python would read `a < b < c` as a chain: neither side may be a comparison without parentheses.
    return f"{_at(left, _COMPARE + 1)} {word} {_at(right, _COMPARE + 1)}", _COMPARE


def _expr(expr: ir.Expr) -> tuple[str, int]:
    """The text of an expression and how strongly it binds."""
    match expr:
        case ir.Literal():
            negative = isinstance(expr.value, int) and not isinstance(expr.value, bool) and expr.value < 0
            return show(expr.value), _UNARY if negative else _TIGHT
        case ir.ConstantRef() | ir.LocalRef():
            return expr.name, _TIGHT
        case ir.VariableRef():
            return f"after.{expr.name}" if expr.after else f"self.{expr.name}", _TIGHT
        case ir.Not():
            return f"not {_at(expr.operand, _NOT)}", _NOT
        case ir.Logic():
            own = _AND if expr.operator == "and" else _OR
            return f" {expr.operator} ".join(_at(operand, own + 1) for operand in expr.operands), own
        case ir.IfElse():
            text = f"{_at(expr.then, _OR)} if {_at(expr.condition, _OR)} else {_at(expr.orelse, _IF)}"
            return text, _IF
        case ir.Let():
            return f"let {expr.name} = {_at(expr.value, _IF)} in {pretty_expr(expr.body)}", _LOOSEST
        case ir.Negate(operand=ir.Literal()):
            # Told from the literal with that sign.
            return f"-({pretty_expr(expr.operand)})", _UNARY
        case ir.Negate():
            return f"-{_at(expr.operand, _TIGHT)}", _UNARY
        case ir.Absolute():
            return f"abs({pretty_expr(expr.operand)})", _TIGHT
        case ir.Arithmetic() | ir.SetOperation():
            return _binary(expr.operator, expr.left, expr.right)
        case ir.Concatenate():
            return _binary("+", expr.left, expr.right)
        case ir.Extreme():
            return f"{expr.operator}({_list(expr.operands)})", _TIGHT
        case ir.Compare():
            return _comparison(expr.left, expr.operator, expr.right)
        case ir.Equal():
            return _comparison(expr.left, "!=" if expr.negated else "==", expr.right)
        case ir.Member():
            return _comparison(expr.element, "not in" if expr.negated else "in", expr.collection)
        case ir.Subset():
            # Told from the order of numbers, whose words are `<` and `<=`.
            return _comparison(expr.left, "strict subset" if expr.strict else "subset", expr.right)
        case ir.Members():
            return str(expr.enumeration), _TIGHT
        case ir.RangeOf():
            return f"range({_list((expr.start, expr.stop))})", _TIGHT
        case ir.SetDisplay(elements=()):
            return f"{expr.type}()", _TIGHT
        case ir.SetDisplay():
            return "{" + _list(expr.elements) + "}", _TIGHT
        case ir.SetOf():
            return f"frozenset({pretty_expr(expr.collection)})", _TIGHT
        case ir.Size():
            return f"len({pretty_expr(expr.collection)})", _TIGHT
        case ir.SetComprehension():
            return "{" + f"{pretty_expr(expr.element)} {_clauses(expr.generators)}" + "}", _TIGHT
        case ir.Quantifier():
            return f"{expr.operator}({pretty_expr(expr.condition)} {_clauses(expr.generators)})", _TIGHT
        case ir.Aggregate():
            default = "" if expr.default is None else f", default={pretty_expr(expr.default)}"
            element = pretty_expr(expr.element)
            return f"{expr.operator}({element} {_clauses(expr.generators)}{default})", _TIGHT
        case ir.TupleDisplay():
            return _tuple_display(expr), _TIGHT
        case ir.Component():
            return f"{_at(expr.tuple, _TIGHT)}[{expr.index}]", _TIGHT
        case ir.Index():
            return f"{_at(expr.sequence, _TIGHT)}[{pretty_expr(expr.index)}]", _TIGHT
        case ir.Slice():
            start, stop = ("" if bound is None else pretty_expr(bound) for bound in (expr.start, expr.stop))
            return f"{_at(expr.sequence, _TIGHT)}[{start}:{stop}]", _TIGHT
        case ir.SequenceComprehension():
            return f"tuple({pretty_expr(expr.element)} {_clauses((expr.generator,))})", _TIGHT
        case ir.RecordDisplay():
            return f"{expr.type}({_list(expr.values)})", _TIGHT
        case ir.Field():
            return f"{_at(expr.record, _TIGHT)}.{expr.name}", _TIGHT
        case ir.Replace():
            changes = ", ".join(f"{name}={pretty_expr(value)}" for name, value in expr.changes)
            return f"replace({pretty_expr(expr.record)}, {changes})", _TIGHT
        case ir.IsInstance():
            return f"isinstance({pretty_expr(expr.record)}, {' | '.join(map(str, expr.classes))})", _TIGHT
        case ir.FunctionDisplay():
            return "{" + _entries(expr.entries) + "}", _TIGHT
        case ir.FunctionComprehension():
            source = _at(expr.source, _OR)
            return "{" + f"{expr.name}: {pretty_expr(expr.value)} for {expr.name} in {source}" + "}", _TIGHT
        case ir.Apply():
            return f"{_at(expr.function, _TIGHT)}[{pretty_expr(expr.key)}]", _TIGHT
        case ir.FunctionUpdate():
            return "{" + f"**{_at(expr.function, _UNION)}, {_entries(expr.entries)}" + "}", _TIGHT
        case ir.Unwrap():
            return f"held({pretty_expr(expr.optional)})", _TIGHT
        case ir.Call():
            return f"{'after.' if expr.after else ''}{expr.helper}({_list(expr.arguments)})", _TIGHT
        case _:
            assert_never(expr)


def _tuple_display(expr: ir.TupleDisplay) -> str:
    if isinstance(expr.type, types.Sequence) and not expr.elements:
        return f"{expr.type}()"
    # Brackets tell a sequence from a tuple of fixed length.
    inner = _list(expr.elements)
    if isinstance(expr.type, types.Sequence):
        return f"[{inner}]"
    return f"({inner},)" if len(expr.elements) == 1 else f"({inner})"
