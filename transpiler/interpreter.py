"""What the IR means: expressions evaluated with plain Python values, and the steps that a state allows.

Slow and plain on purpose. It is the yardstick for the generated explorer, for the rendered TLA+ and for the native
class, and it replays traces.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from . import ir
from . import valuetypes as types
from .diagnostics import Span
from .domains import contains, show, values
from .valuetypes import FrozenDict

if TYPE_CHECKING:
    from .instance import Instance  # which evaluates bounds with this module

State = Mapping[str, Any]
Arguments = tuple[tuple[str, Any], ...]


class Undefined(Exception):
    """An expression has no value in this state; `span` is that of the sub-expression at fault."""

    def __init__(self, span: Span, reason: str) -> None:
        super().__init__(f"{span}: {reason}")
        self.span = span
        self.reason = reason


# -------------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True)
class Scope:
    """Where an expression is evaluated; `after` is the state after the step, in a transition invariant."""

    instance: Instance
    state: State
    locals: Mapping[str, Any]
    after: State | None = None

    def bind(self, name: str, value: Any) -> Scope:
        """The scope with one local name more."""
        return Scope(self.instance, self.state, {**self.locals, name: value}, self.after)


def evaluate(
    expr: ir.Expr, state: State, locals: Mapping[str, Any], instance: Instance, after: State | None = None
) -> Any:
    """The canonical value of an expression; raises `Undefined` where it has none.

    `and`, `or` and `if` stop as soon as they are decided; quantifiers, comprehensions and aggregates evaluate every
    element, so that what is undefined does not depend on the order of iteration.
    """
    return value_of(expr, Scope(instance, state, locals, after))


def evaluate_constant(expr: ir.Expr, instance: Instance) -> Any:
    """The value of an expression over constants alone."""
    return value_of(expr, Scope(instance, {}, {}))


def value_of(expr: ir.Expr, scope: Scope) -> Any:
    """As `evaluate`, in a scope at hand."""
    match expr:
        case ir.Literal():
            return expr.value
        case ir.LocalRef():
            return scope.locals[expr.name]
        case ir.VariableRef():
            return _state_of(expr, scope)[expr.name]
        case ir.ConstantRef():
            return scope.instance.constants[expr.name]
        case ir.Compare(left=left, right=right):
            return _compare(expr.operator, value_of(left, scope), value_of(right, scope))
        case ir.Equal(left=left, right=right):
            return (value_of(left, scope) == value_of(right, scope)) is not expr.negated
        case ir.Member(element=element, collection=collection):
            member = value_of(element, scope)
            return (member in value_of(collection, scope)) is not expr.negated
        case ir.Not(operand=operand):
            return not value_of(operand, scope)
        case ir.Logic(operands=operands):
            decide = all if expr.operator == "and" else any
            return decide(value_of(operand, scope) for operand in operands)
        case ir.IfElse():
            return value_of(expr.then if value_of(expr.condition, scope) else expr.orelse, scope)
        case ir.Let():
            return value_of(expr.body, scope.bind(expr.name, value_of(expr.value, scope)))
        case ir.Call():
            return _call(expr, scope)
        case ir.Quantifier():
            found = [value_of(expr.condition, inner) for inner in iterations(expr.generators, scope)]
            return any(found) if expr.operator == "any" else all(found)
        case ir.Unwrap():
            value = value_of(expr.optional, scope)
            if value is None:
                raise Undefined(expr.span, "None is used as a value")
            return value
        case ir.Negate() | ir.Absolute() | ir.Arithmetic() | ir.Extreme() | ir.Aggregate():
            return _number(expr, scope)
        case (
            ir.Subset()
            | ir.Members()
            | ir.RangeOf()
            | ir.SetDisplay()
            | ir.SetOf()
            | ir.SetOperation()
            | ir.Size()
            | ir.SetComprehension()
        ):
            return _collection(expr, scope)
        case (
            ir.TupleDisplay() | ir.Component() | ir.Index() | ir.Slice() | ir.Concatenate() | ir.SequenceComprehension()
        ):
            return _tuple(expr, scope)
        case ir.RecordDisplay() | ir.Field() | ir.Replace() | ir.IsInstance():
            return _record(expr, scope)
        case ir.FunctionDisplay() | ir.FunctionComprehension() | ir.Apply() | ir.FunctionUpdate():
            return _function(expr, scope)
        case _:
            assert_never(expr)


def iterations(generators: Sequence[ir.Generator], scope: Scope) -> Iterator[Scope]:
    """The scope of every iteration of nested generators, the leftmost varying slowest."""
    if not generators:
        yield scope
        return
    first, rest = generators[0], generators[1:]
    for item in value_of(first.source, scope):
        inner = scope.bind(first.name, item)
        if all(value_of(condition, inner) for condition in first.conditions):
            yield from iterations(rest, inner)


def _state_of(expr: ir.VariableRef, scope: Scope) -> State:
    if not expr.after:
        return scope.state
    if scope.after is None:
        raise AssertionError(f"{expr.name} after the step is asked for where there is no step")
    return scope.after


def _call(expr: ir.Call, scope: Scope) -> Any:
    helper = scope.instance.protocol.helper(expr.helper)
    arguments = [value_of(argument, scope) for argument in expr.arguments]
    named = {parameter.name: value for parameter, value in zip(helper.parameters, arguments, strict=True)}
    if not expr.after:
        return value_of(helper.body, Scope(scope.instance, scope.state, named))
    if scope.after is None:
        raise AssertionError(f"{expr.helper} after the step is asked for where there is no step")
    return value_of(helper.body, Scope(scope.instance, scope.after, named))


def _compare(operator: str, left: int, right: int) -> bool:
    match operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right


def _number(expr: ir.Negate | ir.Absolute | ir.Arithmetic | ir.Extreme | ir.Aggregate, scope: Scope) -> int:
    match expr:
        case ir.Negate():
            return -int(value_of(expr.operand, scope))
        case ir.Absolute():
            return abs(int(value_of(expr.operand, scope)))
        case ir.Arithmetic():
            return _arithmetic(expr, value_of(expr.left, scope), value_of(expr.right, scope))
        case ir.Extreme():
            numbers = [int(value_of(operand, scope)) for operand in expr.operands]
            return min(numbers) if expr.operator == "min" else max(numbers)
        case ir.Aggregate():
            # Python evaluates the default whether or not it is needed.
            default = None if expr.default is None else int(value_of(expr.default, scope))
            numbers = [int(value_of(expr.element, inner)) for inner in iterations(expr.generators, scope)]
            if expr.operator == "sum":
                return sum(numbers)
            if numbers:
                return min(numbers) if expr.operator == "min" else max(numbers)
            if default is None:
                raise Undefined(expr.span, f"{expr.operator} of nothing")
            return default
        case _:
            assert_never(expr)


def _arithmetic(expr: ir.Arithmetic, left: int, right: int) -> int:
    match expr.operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "//" | "%" if right == 0:
            raise Undefined(expr.span, "division by zero")
        case "//":
            return left // right
        case "%":
            return left % right


def _collection(
    expr: ir.Subset
    | ir.Members
    | ir.RangeOf
    | ir.SetDisplay
    | ir.SetOf
    | ir.SetOperation
    | ir.Size
    | ir.SetComprehension,
    scope: Scope,
) -> Any:
    match expr:
        case ir.Subset():
            left, right = value_of(expr.left, scope), value_of(expr.right, scope)
            return left < right if expr.strict else left <= right
        case ir.Members():
            return expr.enumeration.members
        case ir.RangeOf():
            return range(value_of(expr.start, scope), value_of(expr.stop, scope))
        case ir.SetDisplay():
            return frozenset([value_of(element, scope) for element in expr.elements])
        case ir.SetOf():
            return frozenset(value_of(expr.collection, scope))
        case ir.SetOperation():
            return _set_operation(expr.operator, value_of(expr.left, scope), value_of(expr.right, scope))
        case ir.Size():
            return len(value_of(expr.collection, scope))
        case ir.SetComprehension():
            return frozenset([value_of(expr.element, inner) for inner in iterations(expr.generators, scope)])
        case _:
            assert_never(expr)


def _set_operation(operator: str, left: frozenset[Any], right: frozenset[Any]) -> frozenset[Any]:
    match operator:
        case "|":
            return left | right
        case "&":
            return left & right
        case "-":
            return left - right
        case _:
            return left ^ right


def _tuple(
    expr: ir.TupleDisplay | ir.Component | ir.Index | ir.Slice | ir.Concatenate | ir.SequenceComprehension,
    scope: Scope,
) -> Any:
    match expr:
        case ir.TupleDisplay():
            return tuple([value_of(element, scope) for element in expr.elements])
        case ir.Component():
            return value_of(expr.tuple, scope)[expr.index]
        case ir.Index():
            sequence, index = value_of(expr.sequence, scope), value_of(expr.index, scope)
            if not -len(sequence) <= index < len(sequence):
                raise Undefined(expr.span, f"index {index} of a sequence of length {len(sequence)}")
            return sequence[index]
        case ir.Slice():
            sequence = value_of(expr.sequence, scope)
            start = None if expr.start is None else value_of(expr.start, scope)
            stop = None if expr.stop is None else value_of(expr.stop, scope)
            return sequence[start:stop]
        case ir.Concatenate():
            return value_of(expr.left, scope) + value_of(expr.right, scope)
        case ir.SequenceComprehension():
            return tuple([value_of(expr.element, inner) for inner in iterations((expr.generator,), scope)])
        case _:
            assert_never(expr)


def _record(expr: ir.RecordDisplay | ir.Field | ir.Replace | ir.IsInstance, scope: Scope) -> Any:
    match expr:
        case ir.RecordDisplay():
            if not isinstance(expr.type, types.Record):
                raise AssertionError(f"a record is constructed with type {expr.type}")
            names = [name for name, _ in expr.type.fields]
            arguments = [value_of(value, scope) for value in expr.values]
            return expr.type.python(**dict(zip(names, arguments, strict=True)))
        case ir.Field():
            record = value_of(expr.record, scope)
            _demand_field(expr.name, record, expr.span)
            return getattr(record, expr.name)
        case ir.Replace():
            record = value_of(expr.record, scope)
            changes = {name: value_of(value, scope) for name, value in expr.changes}
            for name in changes:
                _demand_field(name, record, expr.span)
            return dataclasses.replace(record, **changes)
        case ir.IsInstance():
            record = value_of(expr.record, scope)
            return any(type(record) is alternative.python for alternative in expr.classes)
        case _:
            assert_never(expr)


def _demand_field(name: str, record: Any, span: Span) -> None:
    if name not in type(record).__dataclass_fields__:
        raise Undefined(span, f"{show(record)} has no field {name}")


def _function(expr: ir.FunctionDisplay | ir.FunctionComprehension | ir.Apply | ir.FunctionUpdate, scope: Scope) -> Any:
    match expr:
        case ir.FunctionDisplay():
            return FrozenDict([(value_of(key, scope), value_of(value, scope)) for key, value in expr.entries])
        case ir.FunctionComprehension():
            keys = value_of(expr.source, scope)
            return FrozenDict([(key, value_of(expr.value, scope.bind(expr.name, key))) for key in keys])
        case ir.Apply():
            function, key = value_of(expr.function, scope), value_of(expr.key, scope)
            if key not in function:
                raise Undefined(expr.span, f"{show(key)} is no key of the function")
            return function[key]
        case ir.FunctionUpdate():
            function = value_of(expr.function, scope)
            changes = {value_of(key, scope): value_of(value, scope) for key, value in expr.entries}
            for key in changes:
                if key not in function:
                    raise Undefined(expr.span, f"{show(key)} is no key of the function")
            return function.replaced(changes)
        case _:
            assert_never(expr)


# -------------------------------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Refused:
    """Guards of one call are false: all of those that are, by name."""

    guards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssumedAway:
    """An assumption is false."""

    span: Span


@dataclass(frozen=True, slots=True)
class IllDefined:
    """Something that had to be evaluated has no value, or an `assert` is false: a violation of `well_defined`."""

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The step is taken; `outside` names the variables whose new value is outside its domain."""

    state: State
    outside: tuple[str, ...] = ()


Outcome = Refused | AssumedAway | IllDefined | Taken


def choices(instance: Instance, action: str) -> Iterator[Arguments]:
    """Every argument tuple of an action ("" for init) in the order of its domains, the leftmost varying slowest."""
    protocol = instance.protocol
    parameters = protocol.action(action).parameters if action else protocol.init.parameters
    names = [parameter.name for parameter in parameters]
    domains = [tuple(values(instance.parameters[action, name])) for name in names]
    for chosen in itertools.product(*domains):
        yield tuple(zip(names, chosen, strict=True))


def attempt(instance: Instance, state: State, action: ir.Action, arguments: Arguments) -> Outcome:
    """What comes of an action with these arguments in a state."""
    return _run(action.steps, action.updates, Scope(instance, state, dict(arguments)))


def begin(instance: Instance, arguments: Arguments) -> Outcome:
    """The initial state for what init chose; never `Refused`."""
    init = instance.protocol.init
    return _run(init.steps, init.updates, Scope(instance, {}, dict(arguments)))


def initial_states(instance: Instance) -> Iterator[tuple[Arguments, Outcome]]:
    """Every choice of init with what comes of it, those assumed away left out."""
    for arguments in choices(instance, ""):
        outcome = begin(instance, arguments)
        if not isinstance(outcome, AssumedAway):
            yield arguments, outcome


def steps(instance: Instance, state: State) -> Iterator[tuple[str, Arguments, Taken | IllDefined]]:
    """Every step from a state in canonical order: actions in source order, arguments in the order of their domains.

    Refused and assumed-away argument tuples are left out; see `attempt` for those.
    """
    for action in instance.protocol.actions:
        for arguments in choices(instance, action.name):
            outcome = attempt(instance, state, action, arguments)
            if isinstance(outcome, Taken | IllDefined):
                yield action.name, arguments, outcome


def outside(instance: Instance, state: State) -> tuple[str, ...]:
    """The variables whose value in a state is outside its domain."""
    return tuple(name for name, domain in instance.variables.items() if not contains(domain, state[name]))


def _run(program: Sequence[ir.Step], updates: Sequence[ir.Update], scope: Scope) -> Outcome:
    try:
        for _, group in itertools.groupby(enumerate(program), _call_of):
            false_guards = []
            for _, step in group:
                if step.when is not None and not value_of(step.when, scope):
                    continue
                match step:
                    case ir.Bind():
                        scope = scope.bind(step.name, value_of(step.value, scope))
                    case ir.Guard():
                        if not value_of(step.condition, scope):
                            false_guards.append(step.name)
                    case ir.Assume():
                        if not value_of(step.condition, scope):
                            return AssumedAway(step.span)
                    case ir.Oblige():
                        if not value_of(step.condition, scope):
                            return IllDefined(step.span, "the assertion is false")
                    case _:
                        assert_never(step)
            if false_guards:
                return Refused(tuple(false_guards))
        changes = {update.variable: value_of(update.value, scope) for update in updates}
    except Undefined as undefined:
        return IllDefined(undefined.span, undefined.reason)
    # Declaration order, whatever the order of the updates.
    after = {name: changes[name] if name in changes else scope.state[name] for name in scope.instance.variables}
    return Taken(after, outside(scope.instance, after))


def _call_of(numbered: tuple[int, ir.Step]) -> tuple[str, int]:
    """Consecutive guards of one call are decided together; every other step stands for itself."""
    position, step = numbered
    return ("call", step.call) if isinstance(step, ir.Guard) else ("step", position)


# --------------------------------------------------------------------------------------------------- properties


def holds(instance: Instance, condition: ir.Expr, state: State, after: State | None = None) -> bool:
    """Whether a property's condition is true in a state (or, with `after`, of a step); raises `Undefined`."""
    return bool(value_of(condition, Scope(instance, state, {}, after)))
