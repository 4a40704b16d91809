"""When an expression has a value, as an expression that always has one itself.

    self.log[i] == x        →   -len(log) <= i and i < len(log)
    i < len(log) and log[i] →   True (for i not below 0): what protects an expression is not asked again

`and`, `or` and `if` protect what stands after them; quantifiers, comprehensions and aggregates demand every element,
their conditions protecting what they select. The result is safe to evaluate from the left, in the state in which the
expression itself would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from . import ir, traverse
from . import valuetypes as types
from .conditions import TRUE, assuming, conjunction, either, every, implication
from .diagnostics import Span
from .domain_inference import Known, certainly_at_most, domain_of, holds_functions, includes, key_domain, least, within
from .valuetypes import BOOL, INT

Inner = Callable[[Known], ir.Expr]


@dataclass(frozen=True)
class Obligation:
    """Where all guards and assumptions among `steps_before` hold (each under its `when`), `condition` must hold.

    Obligations of one action are in order, and one is safe to evaluate only where those before it hold. An obligation
    of a guard's own condition carries the guard's name: the variant without the guard is without the obligation.
    """

    steps_before: tuple[ir.Step, ...]
    condition: ir.Expr
    span: Span
    guard: str | None = None


@dataclass(frozen=True)
class PropertyObligation:
    """`condition` must hold in every reachable state, or, for a transition invariant, of every changing step."""

    property: ir.Property
    condition: ir.Expr


def defined(expr: ir.Expr, protocol: ir.Protocol, locals: Mapping[str, ir.DomainExpr] | None = None) -> ir.Expr:
    """The condition under which `expr` has a value; `Literal True` where it always has.

    `locals` gives the domains of local names as far as they are known; helpers are inlined.
    """
    return traverse.without_shadowing(_defined(expr, Known(protocol, locals or {}, {})))


def action_obligations(action: ir.Action, protocol: ir.Protocol) -> tuple[Obligation, ...]:
    """What must hold where an action is evaluated, in order; what always holds is left out."""
    return _obligations(action.parameters, action.steps, action.updates, protocol)


def init_obligations(protocol: ir.Protocol) -> tuple[Obligation, ...]:
    """The same for the choices of init."""
    init = protocol.init
    return _obligations(init.parameters, init.steps, init.updates, protocol)


def property_obligations(protocol: ir.Protocol) -> tuple[PropertyObligation, ...]:
    """What must hold where the properties are evaluated, in source order; what always holds is left out."""
    found = []
    for item in protocol.properties:
        parts = [item.body] if item.target is None else [item.body, item.target]
        condition = conjunction(*(defined(part, protocol) for part in parts))
        if condition != TRUE:
            found.append(PropertyObligation(item, condition))
    return tuple(found)


def abstractions_defined(protocol: ir.Protocol) -> ir.Expr:
    """What must hold in every reachable state for what it refines to be seen there; TRUE where nothing is refined.

    The abstractions of constants are left out: an instance evaluates them.
    """
    if protocol.refinement is None:
        return TRUE
    return conjunction(*(defined(item.value, protocol) for item in protocol.refinement.variables))


# ------------------------------------------------------------------------------------------------------- actions


def _obligations(
    parameters: Iterable[ir.Parameter], steps: Sequence[ir.Step], updates: Iterable[ir.Update], protocol: ir.Protocol
) -> tuple[Obligation, ...]:
    known = Known(protocol, {parameter.name: parameter.domain for parameter in parameters}, {})
    found: list[Obligation] = []

    def demand(before: Sequence[ir.Step], condition: ir.Expr, span: Span, guard: str | None = None) -> None:
        # What is there in every variant may be taken for granted: assertions and assumptions before, and obligations
        # before, which are asked first under fewer premises. Guards, and what only they oblige to, prove nothing.
        facts = [fact for step in before for fact in _lasting_facts(step)]
        facts += [earlier.condition for earlier in found if earlier.guard is None]
        condition = assuming(facts, condition)
        if condition != TRUE:
            found.append(Obligation(tuple(before), traverse.without_shadowing(condition), span, guard))

    for position, step in enumerate(steps):
        before = [item for item in steps[:position] if not _same_call(item, step)]
        when = TRUE if step.when is None else step.when
        when_defined = TRUE if step.when is None else _defined(step.when, known)

        def under_when(condition: ir.Expr, when: ir.Expr = when, when_defined: ir.Expr = when_defined) -> ir.Expr:
            return conjunction(when_defined, implication(when, condition))

        match step:
            case ir.Bind():
                demand(before, under_when(_defined(step.value, known)), step.span)
                domain = domain_of(step.value, known)
                # Where a branch is not taken its name has no value, and its domain may be empty.
                if step.when is None or not isinstance(domain, ir.IntSet) or certainly_at_most(domain.low, domain.high):
                    known = known.with_domain(step.name, domain)
            case ir.Guard():
                demand(before, under_when(_defined(step.condition, known)), step.span, step.name)
            case ir.Assume():
                demand(before, under_when(_defined(step.condition, known)), step.span)
            case ir.Oblige():
                both = conjunction(_defined(step.condition, known), step.condition)
                demand(before, under_when(both), step.span)
            case _:
                assert_never(step)
    for update in updates:
        demand(steps, _defined(update.value, known), update.span)
    return tuple(found)


def _same_call(one: ir.Step, other: ir.Step) -> bool:
    return isinstance(one, ir.Guard) and isinstance(other, ir.Guard) and one.call == other.call


def _lasting_facts(step: ir.Step) -> tuple[ir.Expr, ...]:
    match step:
        case ir.Oblige(when=None) | ir.Assume(when=None):
            return (step.condition,)
        case ir.Oblige() | ir.Assume():
            assert step.when is not None
            return (implication(step.when, step.condition),)
        case _:
            return ()


# --------------------------------------------------------------------------------------------------- expressions


def _defined(expr: ir.Expr, known: Known) -> ir.Expr:
    match expr:
        case ir.Literal() | ir.ConstantRef() | ir.VariableRef() | ir.LocalRef() | ir.Members():
            return TRUE
        case ir.Logic():
            return _logic(expr, known)
        case ir.IfElse():
            then, orelse = _defined(expr.then, known), _defined(expr.orelse, known)
            branches = _branches(expr.condition, then, orelse)
            return conjunction(_defined(expr.condition, known), branches)
        case ir.Let():
            inner = known.with_domain(expr.name, domain_of(expr.value, known))
            return conjunction(_defined(expr.value, known), _let(expr.name, expr.value, _defined(expr.body, inner)))
        case ir.Call():
            return _call(expr, known)
        case ir.Quantifier():
            return _iterated(expr.generators, known, lambda inner: _defined(expr.condition, inner))
        case ir.SetComprehension():
            return _iterated(expr.generators, known, lambda inner: _defined(expr.element, inner))
        case ir.SequenceComprehension():
            return _iterated((expr.generator,), known, lambda inner: _defined(expr.element, inner))
        case ir.FunctionComprehension():
            generator = ir.Generator(name=expr.name, source=expr.source, span=expr.span)
            return _iterated((generator,), known, lambda inner: _defined(expr.value, inner))
        case ir.Aggregate():
            return _aggregate(expr, known)
        case ir.Arithmetic(operator="//" | "%"):
            return conjunction(_children(expr, known), _nonzero(expr.right, known))
        case ir.Index():
            return conjunction(_children(expr, known), _index(expr, known))
        case ir.Unwrap():
            none = ir.Literal(value=None, type=expr.optional.type)
            held = ir.Equal(left=expr.optional, right=none, negated=True, type=BOOL, span=expr.span)
            return conjunction(_children(expr, known), held)
        case ir.Field():
            return conjunction(_children(expr, known), _has_fields(expr.record, (expr.name,)))
        case ir.Replace():
            names = tuple(name for name, _ in expr.changes)
            return conjunction(_children(expr, known), _has_fields(expr.record, names))
        case ir.Apply():
            return conjunction(_children(expr, known), _has_key(expr.function, expr.key, known))
        case ir.FunctionUpdate():
            keys = [_has_key(expr.function, key, known) for key, _ in expr.entries]
            return conjunction(_children(expr, known), *keys)
        case (
            ir.Not()
            | ir.Negate()
            | ir.Absolute()
            | ir.Arithmetic()
            | ir.Extreme()
            | ir.Compare()
            | ir.Equal()
            | ir.Member()
            | ir.Subset()
            | ir.RangeOf()
            | ir.SetDisplay()
            | ir.SetOf()
            | ir.SetOperation()
            | ir.Size()
            | ir.TupleDisplay()
            | ir.Component()
            | ir.Slice()
            | ir.Concatenate()
            | ir.RecordDisplay()
            | ir.IsInstance()
            | ir.FunctionDisplay()
        ):
            return _children(expr, known)
        case _:
            assert_never(expr)


def _children(expr: ir.Expr, known: Known) -> ir.Expr:
    return conjunction(*(_defined(child, known) for child in traverse.children(expr)))


def _logic(expr: ir.Logic, known: Known) -> ir.Expr:
    """`a and b and c`: D(a), and where a holds: D(b), and where b holds: D(c); `or` accordingly."""
    *earlier, last = expr.operands
    result = _defined(last, known)
    for operand in reversed(earlier):
        rest = implication(operand, result) if expr.operator == "and" else either(operand, result)
        result = conjunction(_defined(operand, known), rest)
    return result


def _branches(condition: ir.Expr, then: ir.Expr, orelse: ir.Expr) -> ir.Expr:
    if then == orelse:
        return then
    if orelse == TRUE:
        return implication(condition, then)
    if then == TRUE:
        return either(condition, orelse)
    return ir.IfElse(condition=condition, then=then, orelse=orelse, type=BOOL)


def _let(name: str, value: ir.Expr, body: ir.Expr) -> ir.Expr:
    """`body` with `name` standing for `value`: substituted where that is short, else named."""
    uses = sum(1 for node in traverse.walk(body) if isinstance(node, ir.LocalRef) and node.name == name)
    if uses == 0:
        return body
    if uses == 1 or not traverse.children(value):
        return traverse.substitute(body, {name: value})
    return ir.Let(name=name, value=value, body=body, type=BOOL)


def _call(expr: ir.Call, known: Known) -> ir.Expr:
    helper = known.protocol.helper(expr.helper)
    inner = Known(known.protocol, {}, {})
    for parameter, argument in zip(helper.parameters, expr.arguments, strict=True):
        inner = inner.with_domain(parameter.name, domain_of(argument, known))
    body = _defined(helper.body, inner)
    if expr.after:
        body = traverse.in_state_after(body)
    # All parameters are renamed at once, to names that occur in no argument, so that arguments can then be put in
    # one after the other.
    taken = frozenset(traverse.bound_names(body)).union(*map(traverse.free_locals, expr.arguments))
    names: list[str] = []
    for parameter in helper.parameters:
        names.append(traverse.fresh_name(parameter.name, taken.union(names)))
    renamed = {
        parameter.name: ir.LocalRef(name=name, type=parameter.type)
        for parameter, name in zip(helper.parameters, names, strict=True)
    }
    body = traverse.substitute(body, {old: new for old, new in renamed.items() if old != new.name})
    for name, argument in zip(names, expr.arguments, strict=True):
        body = _let(name, argument, body)
    return conjunction(_children(expr, known), body)


def _iterated(generators: tuple[ir.Generator, ...], known: Known, innermost: Inner) -> ir.Expr:
    """The sources, the conditions and what is evaluated in the innermost iteration."""
    if not generators:
        return innermost(known)
    generator, rest = generators[0], generators[1:]
    inner = known.inside(generator.name, generator.source)
    result = _iterated(rest, inner, innermost)
    plain = all(_defined(condition, inner) == TRUE for condition in generator.conditions)
    if plain:
        result = assuming(generator.conditions, result)
        selected = generator
    else:
        for condition in reversed(generator.conditions):
            result = conjunction(_defined(condition, inner), implication(condition, result))
        selected = replace(generator, conditions=())
    return conjunction(_defined(generator.source, known), every(selected, result))


def _aggregate(expr: ir.Aggregate, known: Known) -> ir.Expr:
    elements = _iterated(expr.generators, known, lambda inner: _defined(expr.element, inner))
    if expr.default is not None:
        return conjunction(_defined(expr.default, known), elements)
    if expr.operator == "sum":
        return elements
    return conjunction(elements, _some(expr.generators, expr.span))


def _some(generators: tuple[ir.Generator, ...], span: Span) -> ir.Expr:
    """There is an iteration at all."""
    source = generators[0].source
    if len(generators) > 1 or generators[0].conditions:
        return ir.Quantifier(operator="any", generators=generators, condition=TRUE, type=BOOL, span=span)
    match source:
        case ir.RangeOf():
            return ir.Compare(operator="<", left=source.start, right=source.stop, type=BOOL, span=span)
        case _ if isinstance(source.type, types.Set):
            nothing = ir.SetDisplay(elements=(), type=source.type)
            return ir.Equal(left=source, right=nothing, negated=True, type=BOOL, span=span)
        case _:
            return _longer_than(source, 0, span)


def _longer_than(sequence: ir.Expr, count: int, span: Span) -> ir.Expr:
    number = ir.Literal(value=count, type=INT)
    return ir.Compare(operator=">", left=ir.Size(collection=sequence, type=INT), right=number, type=BOOL, span=span)


def _nonzero(divisor: ir.Expr, known: Known) -> ir.Expr:
    low = least(divisor, known)
    if low is not None and low > 0:
        return TRUE
    if isinstance(divisor, ir.Literal):
        return ir.Literal(value=divisor.value != 0, type=BOOL)
    zero = ir.Literal(value=0, type=INT)
    return ir.Equal(left=divisor, right=zero, negated=True, type=BOOL, span=divisor.span)


def _index(expr: ir.Index, known: Known) -> ir.Expr:
    sequence, index = expr.sequence, expr.index
    length: ir.Expr = ir.Size(collection=sequence, type=INT)
    if isinstance(index, ir.Arithmetic) and index.operator == "-" and index.left == length:
        match index.right:
            case ir.Literal(value=back) if back > 0:
                # -n <= n - back < n; an index that became negative counts from the end.
                return _longer_than(sequence, (back + 1) // 2 - 1, expr.span)
    if isinstance(sequence, ir.TupleDisplay):
        length = ir.Literal(value=len(sequence.elements), type=INT)
    if isinstance(index, ir.Literal):
        count = index.value if index.value >= 0 else -index.value - 1
        if count < _shortest(sequence, known):
            return TRUE
        return _longer_than(sequence, count, expr.span)
    below: ir.Expr = ir.Compare(operator="<", left=index, right=length, type=BOOL, span=expr.span)
    source = known.sources.get(index.name) if isinstance(index, ir.LocalRef) else None
    if isinstance(source, ir.RangeOf) and source.stop == length:
        below = TRUE
    if isinstance(length, ir.Literal) and includes(_up_to(length), domain_of(index, known)):
        below = TRUE
    low = least(index, known)
    if low is not None and low >= 0:
        return below
    lowest: ir.Expr = ir.Negate(operand=length, type=INT)
    if isinstance(length, ir.Literal):
        lowest = replace(length, value=-length.value)
    above = ir.Compare(operator="<=", left=lowest, right=index, type=BOOL, span=expr.span)
    return conjunction(above, below)


def _up_to(length: ir.Literal) -> ir.DomainExpr:
    low, high = (replace(length, value=bound) for bound in (-length.value, length.value - 1))
    return ir.IntSet(low=low, high=high)


def _shortest(sequence: ir.Expr, known: Known) -> int:
    """A length that a sequence certainly has at least."""
    match sequence:
        case ir.TupleDisplay():
            return len(sequence.elements)
        case ir.Concatenate():
            return _shortest(sequence.left, known) + _shortest(sequence.right, known)
        case _:
            domain = domain_of(sequence, known)
            shortest = least(domain.min_length, known) if isinstance(domain, ir.SequenceSet) else None
            return shortest or 0


def _has_fields(record: ir.Expr, names: tuple[str, ...]) -> ir.Expr:
    possible = types.alternatives(record.type)
    fitting = tuple(item for item in possible if all(item.field(name) is not None for name in names))
    if len(fitting) == len(possible):
        return TRUE
    return ir.IsInstance(record=record, classes=fitting, type=BOOL, span=record.span)


def _has_key(function: ir.Expr, key: ir.Expr, known: Known) -> ir.Expr:
    domain = key_domain(function, known)
    if domain is not None and not holds_functions(domain):
        return within(key, domain, known)
    match function:
        case ir.FunctionComprehension():
            return ir.Member(element=key, collection=function.source, type=BOOL, span=key.span)
        case ir.FunctionDisplay():
            keys = tuple(item for item, _ in function.entries)
            display = ir.SetDisplay(elements=keys, type=types.Set(key.type))
            return ir.Member(element=key, collection=display, type=BOOL, span=key.span)
        case ir.FunctionUpdate():
            return _has_key(function.function, key, known)
        case _:
            return ir.Member(element=key, collection=function, type=BOOL, span=key.span)
