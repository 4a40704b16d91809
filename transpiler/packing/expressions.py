"""IR expressions → values that generated code computes.

`lower` is the entry. What depends on nothing but constants is evaluated at once; what the modules here do not lower
(they raise `ExoticError`) becomes a call of the interpreter, so that every expression of the language has code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .. import ir, traverse
from .. import valuetypes as types
from ..interpreter import Undefined, evaluate
from . import facts as knowledge
from . import layouts, low, sets, structures
from .builder import Builder
from .fitting import equal, fit, held
from .low import Low
from .scope import Scope
from .tabulate import looked_up
from .values import (
    Boxed,
    Code,
    Entries,
    ExoticError,
    Known,
    Listing,
    Number,
    Parts,
    Run,
    Truth,
    Value,
    common_layout,
    is_number,
    number,
    of_code,
    truth,
)

MAX_REPEATED = 300
"""A local name is replaced by its value where that costs at most so many operations over all its uses."""


def lower(expr: ir.Expr, scope: Scope) -> Value:
    """The value of an expression; meaningful only where the expression is defined."""
    match expr:
        case ir.LocalRef():
            # A name bound in a branch that is never taken has no value, and is evaluated nowhere.
            return scope.locals[expr.name] if expr.name in scope.locals else interpreted(expr, scope)
        case ir.VariableRef():
            return _variable(expr, scope)
        case ir.Literal():
            return Known(expr.value)
    needs = scope.needs(expr)
    if not needs.variables:
        known = scope.known_locals(needs.locals)
        if known is not None:
            try:
                return Known(evaluate(expr, {}, known, scope.builder.instance, {}))
            except Undefined:
                return interpreted(expr, scope)  # where it is undefined it is not evaluated
    try:
        return _looked_up(_lower(expr, scope), scope)
    except ExoticError:
        return interpreted(expr, scope)


def _looked_up(value: Value, scope: Scope) -> Value:
    """The value with its words taken from tables where that is cheaper."""
    match value:
        case Number(word):
            return Number(looked_up(word, scope))
        case Truth(word):
            return Truth(looked_up(word, scope))
        case Code(layout, word):
            return Code(layout, looked_up(word, scope))
        case Run():
            return replace(value, length=looked_up(value.length, scope), elements=looked_up(value.elements, scope))
        case _:
            return value


def _variable(expr: ir.VariableRef, scope: Scope) -> Value:
    if not expr.after:
        return scope.variables[expr.name]
    if scope.after is None:
        raise AssertionError(f"{expr.name} after the step is asked for where there is no step")
    return scope.after[expr.name]


def _lower(expr: ir.Expr, scope: Scope) -> Value:
    match expr:
        case ir.Not():
            return Truth(low.negate(scope.truth(expr.operand)))
        case ir.Logic():
            return Truth(_logic(expr, scope))
        case ir.Compare():
            return Truth(knowledge.decide(_compare(expr, scope), scope.facts))
        case ir.Equal():
            test = equal(scope.builder, scope.value(expr.left), scope.value(expr.right), scope.facts)
            return Truth(low.negate(test) if expr.negated else test)
        case ir.IfElse():
            return _if_else(expr, scope)
        case ir.Let():
            return _let(expr, scope)
        case ir.Call():
            return _call(expr, scope)
        case ir.Unwrap():
            return _unwrap(expr, scope)
        case ir.Negate():
            return Number(low.scale(scope.number(expr.operand), -1))
        case ir.Absolute():
            return Number(low.magnitude(scope.number(expr.operand)))
        case ir.Arithmetic():
            return Number(_arithmetic(expr, scope))
        case ir.Extreme():
            items = [scope.number(operand) for operand in expr.operands]
            return Number(pruned_extremum(expr.operator, items, scope))
        case (
            ir.Member()
            | ir.Subset()
            | ir.SetDisplay()
            | ir.SetOf()
            | ir.SetOperation()
            | ir.Size()
            | ir.SetComprehension()
            | ir.Quantifier()
            | ir.Aggregate()
        ):
            return sets.lower(expr, scope)
        case (
            ir.TupleDisplay()
            | ir.Component()
            | ir.Index()
            | ir.Slice()
            | ir.Concatenate()
            | ir.SequenceComprehension()
            | ir.RecordDisplay()
            | ir.Field()
            | ir.Replace()
            | ir.IsInstance()
            | ir.FunctionDisplay()
            | ir.FunctionComprehension()
            | ir.Apply()
            | ir.FunctionUpdate()
        ):
            return structures.lower(expr, scope)
        case _:
            raise ExoticError  # ranges and Enum classes have no value of their own; names are lowered before


# ------------------------------------------------------------------------------------------- logic and arithmetic


def _logic(expr: ir.Logic, scope: Scope) -> Low:
    tests = []
    for operand in expr.operands:
        test = scope.truth(operand)
        tests.append(test)
        if isinstance(test, low.Const) and bool(test.value) is (expr.operator == "or"):
            break
        scope = scope.assume(test if expr.operator == "and" else low.negate(test))
    return low.junction(expr.operator, tests)


def _compare(expr: ir.Compare, scope: Scope) -> Low:
    left, right = scope.number(expr.left), scope.number(expr.right)
    match expr.operator:
        case "<":
            return low.less(left, right)
        case "<=":
            return low.at_most(left, right)
        case ">":
            return low.less(right, left)
        case ">=":
            return low.at_most(right, left)


def _arithmetic(expr: ir.Arithmetic, scope: Scope) -> Low:
    left, right = scope.number(expr.left), scope.number(expr.right)
    match expr.operator:
        case "+":
            return low.add(left, right)
        case "-":
            return low.subtract(left, right)
        case "*":
            return low.multiply(left, right)
        case "%" | "//" as operator:
            least, most = knowledge.bounds(left, scope.facts)
            if isinstance(right, low.Const) and right.value > 0 and least >= 0 and most < right.value:
                return left if operator == "%" else low.ZERO
            return low.divide(operator, left, right)


def pruned_extremum(operator: Any, items: list[Low], scope: Scope) -> Low:
    """The extremum without the items that another one is certain to beat."""
    kept: list[Low] = []
    for place, item in enumerate(items):
        rivals = kept + items[place + 1 :]

        def beats(rival: Low, beaten: Low = item) -> bool:
            ahead = low.at_most(rival, beaten) if operator == "min" else low.at_most(beaten, rival)
            return knowledge.decide(ahead, scope.facts) == low.TRUE

        if not any(map(beats, rivals)):
            kept.append(item)
    return low.extremum(operator, kept)


# ----------------------------------------------------------------------------------------------- choosing, naming


def _if_else(expr: ir.IfElse, scope: Scope) -> Value:
    condition = scope.truth(expr.condition)
    if isinstance(condition, low.Const):
        return scope.value(expr.then if condition.value else expr.orelse)
    then = scope.assume(condition).value(expr.then)
    orelse = scope.assume(low.negate(condition)).value(expr.orelse)
    return chosen(condition, then, orelse, scope)


def chosen(condition: Low, then: Value, orelse: Value, scope: Scope) -> Value:
    """One of two values by a test."""
    if then == orelse:
        return then
    if is_number(then) and is_number(orelse):
        return Number(low.choose(condition, number(then), number(orelse)))
    match then, orelse:
        case ((Truth() | Known(bool())), (Truth() | Known(bool()))):
            return Truth(_chosen_truth(condition, truth(then), truth(orelse)))
        case Parts(items, record), Parts(others, other) if record == other and len(items) == len(others):
            pairs = zip(items, others, strict=True)
            return Parts(tuple(chosen(condition, a, b, scope) for a, b in pairs), record)
        case ((Entries() | Code(layouts.FunctionLayout())), (Entries() | Code(layouts.FunctionLayout()))):
            first, second = structures.as_entries(then, scope), structures.as_entries(orelse, scope)
            if first.keys == second.keys:
                pairs = zip(first.items, second.items, strict=True)
                return Entries(first.keys, tuple(chosen(condition, a, b, scope) for a, b in pairs))
    builder, facts = scope.builder, scope.facts
    layout = common_layout(builder, (then, orelse), facts)
    codes = [fit(builder, value, layout, facts)[0] for value in (then, orelse)]
    return of_code(builder, layout, low.choose(condition, *codes))


def _chosen_truth(condition: Low, then: Low, orelse: Low) -> Low:
    """`if` between tests, as `and` and `or` where one of them is known."""
    match then, orelse:
        case low.Const(value), _:
            return low.either(condition, orelse) if value else low.both(low.negate(condition), orelse)
        case _, low.Const(value):
            return low.either(low.negate(condition), then) if value else low.both(condition, then)
        case _:
            return low.choose(condition, then, orelse)


def _let(expr: ir.Let, scope: Scope) -> Value:
    value = scope.value(expr.value)
    if _weight(value) * _uses(expr.name, expr.body) > MAX_REPEATED:
        # Substituting it would compute it again at each use; the interpreter computes it once.
        raise ExoticError
    return scope.bind(expr.name, value).value(expr.body)


def _uses(name: str, body: ir.Expr) -> int:
    return sum(isinstance(node, ir.LocalRef) and node.name == name for node in traverse.walk(body))


def _weight(value: Value) -> int:
    match value:
        case Known():
            return 0
        case Parts() | Entries() | Listing():
            return max(map(_weight, value.items), default=0)
        case Run():
            return low.cost(value.elements)
        case _:
            return low.cost(value.low)


def _call(expr: ir.Call, scope: Scope) -> Value:
    helper = scope.builder.instance.protocol.helper(expr.helper)
    names = [parameter.name for parameter in helper.parameters]
    arguments = [scope.value(argument) for argument in expr.arguments]
    weights = zip(names, map(_weight, arguments), strict=True)
    if any(weight and weight * _uses(name, helper.body) > MAX_REPEATED for name, weight in weights):
        raise ExoticError
    inner = replace(scope, locals=dict(zip(names, arguments, strict=True)))
    if expr.after:
        if scope.after is None:
            raise AssertionError(f"{expr.helper} after the step is asked for where there is no step")
        inner = replace(inner, variables=scope.after, after=None)
    return inner.value(helper.body)


def _unwrap(expr: ir.Unwrap, scope: Scope) -> Value:
    value = scope.value(expr.optional)
    match value:
        case Code(layouts.OptionalLayout(item) as layout, code):
            if isinstance(code, low.Bits) and isinstance(item, layouts.IntLayout):
                # It is not None here, so that the bounds are those of what it holds.
                code = replace(code, low=max(1 + item.low - item.base, code.low))
            return of_code(scope.builder, item, held(layout, code))
        case Known(None) | Boxed() | Code(layouts.InternedLayout()):
            raise ExoticError
        case _:
            return value


# -------------------------------------------------------------------------------------------------- interpreting


def interpreted(expr: ir.Expr, scope: Scope) -> Value:
    """A call of the interpreter, which is handed whatever the expression depends on."""
    needs = scope.needs(expr)
    builder = scope.builder
    words: list[Low] = []
    given = sorted(needs.locals & scope.locals.keys())
    locals = {name: carry(scope.locals[name], builder, words) for name in given}
    names = sorted(needs.variables)
    before = {name: carry(scope.variables[name], builder, words) for name in names}
    after = None if scope.after is None else {name: carry(scope.after[name], builder, words) for name in names}
    instance = builder.instance

    def run(*codes: Any) -> Any:
        def unpack(carriers: Mapping[str, Carrier]) -> dict[str, Any]:
            return {name: carrier(codes) for name, carrier in carriers.items()}

        return evaluate(expr, unpack(before), unpack(locals), instance, None if after is None else unpack(after))

    if not words and needs.locals <= scope.locals.keys() and isinstance(expr.type, types.Bool | types.Int):
        # Nothing of it depends on the state: it is known now, or has no value and is never asked for. What asks for a
        # name that is not bound here stands behind a condition that is never true.
        with suppress(Undefined):
            found = low.Const(int(run()))
            return Truth(found) if isinstance(expr.type, types.Bool) else Number(found)
    name = builder.function("interpret", run)
    match expr.type:
        case types.Bool():
            return Truth(low.Invoke(name, tuple(words), 0, 1))
        case types.Int():
            return Number(low.Invoke(name, tuple(words)))
        case _:
            return Boxed(low.Invoke(name, tuple(words)))


Carrier = Callable[[tuple[Any, ...]], Any]
"""Finds a Python value among the words that generated code hands over."""


def carry(value: Value, builder: Builder, words: list[Low]) -> Carrier:
    """Add the words that make up a value, and tell how to put it together again."""

    def place_of(word: Low) -> int:
        if word not in words:
            words.append(word)
        return words.index(word)

    match value:
        case Known(known):
            return lambda given: known
        case Number(word):
            place = place_of(word)
            return lambda given: int(given[place])  # a truth value may count as a number
        case Boxed(word):
            place = place_of(word)
            return lambda given: given[place]
        case Truth(word):
            place = place_of(word)
            return lambda given: bool(given[place])
        case Code(layout, word):
            place = place_of(word)
            return lambda given: layouts.decode(layout, given[place])
        case Parts(items, record):
            parts = [carry(item, builder, words) for item in items]
            if record is None:
                return lambda given: tuple(part(given) for part in parts)
            python, names = record.python, [name for name, _ in record.fields]
            return lambda given: python(**dict(zip(names, [part(given) for part in parts], strict=True)))
        case Entries(keys, items):
            entries = [carry(item, builder, words) for item in items]
            return lambda given: types.FrozenDict(zip(keys, [entry(given) for entry in entries], strict=True))
        case Listing(items):
            listed = [carry(item, builder, words) for item in items]
            return lambda given: tuple(item(given) for item in listed)
        case Run():
            layout = layouts.SequenceLayout(value.element, value.min_length, value.max_length)
            code, _ = fit(builder, value, layout, knowledge.NOTHING)
            return carry(Code(layout, code), builder, words)


def known(value: Value) -> Any:
    """The Python value of what is known."""
    if not isinstance(value, Known):
        raise ExoticError
    return value.value
