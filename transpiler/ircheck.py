"""Is this IR well-formed? Asked after every pass; whatever fails here is our mistake, never the user's.

Checked: names are declared, bound once a definition and distinct; types agree where that is cheap to see; variables
after the step stand only where there is a step; each variable is assigned once, and by init all are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from . import ir, traverse
from . import valuetypes as types
from .pretty import pretty_expr
from .valuetypes import BOOL, INT, RANGE


def check(protocol: ir.Protocol) -> ir.Protocol:
    """The protocol itself; raises `AssertionError` that names the definition and the node where it is malformed."""
    declared = [constant.name for constant in protocol.constants] + [variable.name for variable in protocol.variables]
    _distinct("the protocol", "constants and variables", declared)
    _distinct("the protocol", "helpers", [helper.name for helper in protocol.helpers])
    _distinct("the protocol", "actions", [action.name for action in protocol.actions])
    _distinct("the protocol", "properties", [item.name for item in protocol.properties])
    for constant in protocol.constants:
        if constant.domain is not None:
            _check_domain(protocol, f"constant {constant.name}", constant.domain, constant.type)
    for variable in protocol.variables:
        where = f"variable {variable.name}"
        _check_domain(protocol, where, variable.domain, variable.type)
        if variable.initial is not None:
            _Definition(protocol, where, stateless=True).of_type(variable.initial, variable.type, {})
    _check_init(protocol)
    for helper in protocol.helpers:
        names = {parameter.name: parameter.type for parameter in helper.parameters}
        definition = _Definition(protocol, f"helper {helper.name}")
        definition.bind_all(names)
        definition.of_type(helper.body, helper.type, names)
    for action in protocol.actions:
        _check_action(protocol, action)
    for item in protocol.properties:
        _check_property(protocol, item)
    _check_names_of_guards(protocol)
    _check_recursion(protocol)
    _check_refinement(protocol)
    return protocol


# ------------------------------------------------------------------------------------------------- declarations


def _distinct(where: str, what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise AssertionError(f"{where}: {what} are not distinct: {', '.join(twice)}")


def _check_init(protocol: ir.Protocol) -> None:
    names = _check_body(protocol, "init", protocol.init.parameters, protocol.init.steps, protocol.init.updates, True)
    assigned = {update.variable for update in protocol.init.updates}
    missing = [variable.name for variable in protocol.variables if variable.name not in assigned]
    if missing:
        raise AssertionError(f"init: no value for {', '.join(missing)} (in scope: {', '.join(names)})")
    if any(isinstance(step, ir.Guard) for step in protocol.init.steps):
        raise AssertionError("init: guards belong to actions")


def _check_action(protocol: ir.Protocol, action: ir.Action) -> None:
    where = f"action {action.name}"
    _check_body(protocol, where, action.parameters, action.steps, action.updates, False)
    _distinct(where, "guards", [guard.name for guard in action.guards])
    calls = [guard.call for guard in action.guards]
    if calls != sorted(calls):
        raise AssertionError(f"{where}: the calls of guards are numbered out of order: {calls}")
    unknown = set(action.each) - {parameter.name for parameter in action.parameters}
    if unknown:
        raise AssertionError(f"{where}: fairness for each of what is no parameter: {', '.join(sorted(unknown))}")
    if action.each and action.fairness is None:
        raise AssertionError(f"{where}: `each` without fairness")


def _check_body(
    protocol: ir.Protocol,
    where: str,
    parameters: Iterable[ir.Parameter],
    steps: Iterable[ir.Step],
    updates: tuple[ir.Update, ...],
    stateless: bool,
) -> Mapping[str, types.Type]:
    definition = _Definition(protocol, where, stateless=stateless)
    names: dict[str, types.Type] = {}
    for parameter in parameters:
        _check_domain(protocol, f"{where}, parameter {parameter.name}", parameter.domain, parameter.type)
        names[parameter.name] = parameter.type
        definition.bind(parameter.name)
    for step in steps:
        if step.when is not None:
            definition.of_type(step.when, BOOL, names)
        match step:
            case ir.Bind():
                definition.expr(step.value, names)
                definition.bind(step.name)
                names = {**names, step.name: step.value.type}
            case ir.Guard() | ir.Assume() | ir.Oblige():
                definition.of_type(step.condition, BOOL, names)
    _distinct(where, "updates", [update.variable for update in updates])
    for update in updates:
        variable = next((item for item in protocol.variables if item.name == update.variable), None)
        if variable is None:
            raise AssertionError(f"{where}: an update of {update.variable}, which is no variable")
        if stateless and update.value == variable.initial:
            continue  # a definition of its own, with names of its own, which has been checked
        definition.of_type(update.value, variable.type, names)
    return names


def _check_property(protocol: ir.Protocol, item: ir.Property) -> None:
    where = f"{item.kind} {item.name}"
    definition = _Definition(protocol, where, has_step=item.kind == "transition_invariant")
    definition.of_type(item.body, BOOL, {})
    if (item.target is not None) != (item.kind == "leads_to"):
        raise AssertionError(f"{where}: a target belongs to leads_to, and only there")
    if item.target is not None:
        _Definition(protocol, where).of_type(item.target, BOOL, {})


def _check_refinement(protocol: ir.Protocol) -> None:
    refinement = protocol.refinement
    if refinement is None:
        return
    abstract = refinement.abstract
    wanted: list[ir.Constant | ir.Variable] = [*abstract.constants, *abstract.variables]
    if [item.name for item in refinement.abstractions] != [item.name for item in wanted]:
        raise AssertionError(f"the abstractions are not those of the constants and variables of {abstract.name}")
    for place, (item, target) in enumerate(zip(refinement.abstractions, wanted, strict=True)):
        stateless = place < len(abstract.constants)
        definition = _Definition(protocol, f"abstraction {item.name}", stateless=stateless)
        definition.of_type(item.value, target.type, {})


def _check_names_of_guards(protocol: ir.Protocol) -> None:
    if protocol.dropped is not None and protocol.dropped in protocol.guard_names:
        raise AssertionError(f"the variant without {protocol.dropped} still has it")


def _check_recursion(protocol: ir.Protocol) -> None:
    """Helpers are in no cycle of calls; depth-first, with the path in hand."""
    calls = {
        helper.name: [node.helper for node in traverse.walk(helper.body) if isinstance(node, ir.Call)]
        for helper in protocol.helpers
    }
    finished: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise AssertionError(f"helpers call themselves: {' → '.join((*path, name))}")
        if name not in finished:
            for called in calls[name]:
                visit(called, (*path, name))
            finished.add(name)

    for name in calls:
        visit(name, ())


def _check_domain(protocol: ir.Protocol, where: str, domain: ir.DomainExpr, kind: types.Type) -> None:
    """Bounds are over constants, and the domain's values are of the type."""
    constant = _Definition(protocol, where, stateless=True)

    def agrees(condition: bool) -> None:
        if not condition:
            raise AssertionError(f"{where}: the domain {domain} does not hold values of type {kind}")

    match domain, kind:
        case ir.BoolSet(), _:
            agrees(kind == BOOL)
        case ir.IntSet(), _:
            agrees(kind == INT)
            constant.of_type(domain.low, INT, {})
            constant.of_type(domain.high, INT, {})
        case ir.LiteralSet(), _:
            agrees(isinstance(kind, types.Str))
        case ir.EnumSet(), _:
            agrees(kind == domain.enumeration)
        case ir.MemberSet(), _:
            constant.expr(domain.members, {})
            agrees(isinstance(domain.members.type, types.Set) and domain.members.type.element == kind)
        case ir.OptionalSet(), types.Optional(item):
            _check_domain(protocol, where, domain.item, item)
        case (ir.PowerSet(), types.Set(element)) | (ir.SequenceSet(), types.Sequence(element)):
            assert isinstance(domain, ir.PowerSet | ir.SequenceSet)
            _check_domain(protocol, where, domain.element, element)
            if isinstance(domain, ir.SequenceSet):
                constant.of_type(domain.min_length, INT, {})
                constant.of_type(domain.max_length, INT, {})
        case ir.TupleSet(), types.Tuple(items):
            agrees(len(items) == len(domain.items))
            for part, item in zip(domain.items, items, strict=True):
                _check_domain(protocol, where, part, item)
        case ir.FunctionSet(), types.Function(key, value):
            _check_domain(protocol, where, domain.key, key)
            _check_domain(protocol, where, domain.value, value)
        case ir.RecordSet(), types.Record():
            agrees(domain.record == kind and [name for name, _ in domain.fields] == [name for name, _ in kind.fields])
            for (_, part), (_, item) in zip(domain.fields, kind.fields, strict=True):
                _check_domain(protocol, where, part, item)
        case ir.UnionSet(), types.Union():
            agrees(types.union(tuple(part.record for part in domain.alternatives)) == kind)
            for record in domain.alternatives:
                _check_domain(protocol, where, record, record.record)
        case _:
            agrees(False)


# --------------------------------------------------------------------------------------------------- expressions


@dataclass
class _Definition:
    """One definition: what its expressions may refer to, and the names bound in it so far."""

    protocol: ir.Protocol
    where: str
    stateless: bool = False
    has_step: bool = False
    bound: set[str] = field(default_factory=set)

    def fail(self, expr: ir.Expr, why: str) -> None:
        raise AssertionError(f"{self.where}: {why}, in {pretty_expr(expr)} (at {expr.span})")

    def bind(self, name: str) -> None:
        if name in self.bound:
            raise AssertionError(f"{self.where}: {name} is bound twice")
        self.bound.add(name)

    def bind_all(self, names: Iterable[str]) -> None:
        for name in names:
            self.bind(name)

    def of_type(self, expr: ir.Expr, kind: types.Type, names: Mapping[str, types.Type]) -> None:
        self.expr(expr, names)
        if not fits(expr.type, kind):
            self.fail(expr, f"a {expr.type} stands where a {kind} belongs")

    def expr(self, expr: ir.Expr, names: Mapping[str, types.Type]) -> None:
        """Check an expression and everything in it; `names` are the local names in scope."""
        match expr:
            case ir.LocalRef():
                if expr.name not in names:
                    self.fail(expr, f"{expr.name} is not in scope")
                # It may be used as more than it is known to be (an optional that was given a value), never as less:
                # an optional that a test has narrowed is an Unwrap.
                elif not fits(names[expr.name], expr.type):
                    self.fail(expr, f"{expr.name} is a {names[expr.name]} and is used as a {expr.type}")
            case ir.VariableRef():
                self.variable(expr)
            case ir.ConstantRef():
                if expr.name not in {constant.name for constant in self.protocol.constants}:
                    self.fail(expr, f"{expr.name} is no constant")
                elif self.protocol.constant(expr.name).type != expr.type:
                    self.fail(expr, f"the constant is a {self.protocol.constant(expr.name).type}, not a {expr.type}")
            case ir.Quantifier():
                inner = self.generators(expr.generators, names)
                self.of_type(expr.condition, BOOL, inner)
            case ir.SetComprehension():
                self.expr(expr.element, self.generators(expr.generators, names))
            case ir.SequenceComprehension():
                if isinstance(expr.generator.source.type, types.Set):
                    self.fail(expr, "a sequence is built from a set, which has no order")
                self.expr(expr.element, self.generators((expr.generator,), names))
            case ir.Aggregate():
                if expr.default is not None:
                    self.of_type(expr.default, INT, names)
                self.of_type(expr.element, INT, self.generators(expr.generators, names))
            case ir.FunctionComprehension():
                generator = ir.Generator(name=expr.name, source=expr.source)
                self.expr(expr.value, self.generators((generator,), names))
            case ir.Let():
                self.expr(expr.value, names)
                self.bind(expr.name)
                self.expr(expr.body, {**names, expr.name: expr.value.type})
            case ir.Call():
                self.call(expr, names)
            case _:
                for child in traverse.children(expr):
                    self.expr(child, names)
        self.shape(expr)

    def variable(self, expr: ir.VariableRef) -> None:
        if self.stateless:
            self.fail(expr, f"{expr.name} is asked for where there is no state")
        if expr.after and not self.has_step:
            self.fail(expr, f"{expr.name} after the step is asked for where there is no step")
        variable = next((item for item in self.protocol.variables if item.name == expr.name), None)
        if variable is None:
            self.fail(expr, f"{expr.name} is no variable")
        elif variable.type != expr.type:
            self.fail(expr, f"the variable is a {variable.type}, not a {expr.type}")

    def call(self, expr: ir.Call, names: Mapping[str, types.Type]) -> None:
        helper = next((item for item in self.protocol.helpers if item.name == expr.helper), None)
        if helper is None:
            self.fail(expr, f"{expr.helper} is no helper")
            return
        if expr.after and not self.has_step:
            self.fail(expr, "a helper is called after the step where there is no step")
        if len(helper.parameters) != len(expr.arguments):
            self.fail(expr, f"{expr.helper} takes {len(helper.parameters)} arguments")
        if helper.type != expr.type:
            self.fail(expr, f"{expr.helper} gives a {helper.type}, not a {expr.type}")
        for argument, parameter in zip(expr.arguments, helper.parameters, strict=True):
            self.of_type(argument, parameter.type, names)
        if self.stateless and traverse.variables_of(expr, self.protocol):
            self.fail(expr, f"{expr.helper} reads the state where there is none")

    def generators(
        self, generators: tuple[ir.Generator, ...], names: Mapping[str, types.Type]
    ) -> Mapping[str, types.Type]:
        for generator in generators:
            self.expr(generator.source, names)
            kind = _element(generator.source.type)
            if kind is None:
                self.fail(generator.source, f"a {generator.source.type} is iterated")
                continue
            self.bind(generator.name)
            names = {**names, generator.name: kind}
            for condition in generator.conditions:
                self.of_type(condition, BOOL, names)
        return names

    def shape(self, expr: ir.Expr) -> None:
        """The types of a node's own operands, and of the node, its parts having been checked."""
        wanted = _operands(expr)
        for part, kinds in wanted:
            if not isinstance(part.type, kinds):
                self.fail(part, f"a {part.type} stands in a {type(expr).__name__}")
        result = _RESULTS.get(type(expr))
        if result is not None and expr.type != result:
            self.fail(expr, f"a {type(expr).__name__} is typed {expr.type}")
        match expr:
            case ir.Equal():
                if types.unify(expr.left.type, expr.right.type) is None:
                    self.fail(expr, f"a {expr.left.type} is compared with a {expr.right.type}")
            case ir.IfElse():
                for branch in (expr.then, expr.orelse):
                    if not fits(branch.type, expr.type):
                        self.fail(branch, f"a {branch.type} stands where a {expr.type} belongs")
            case ir.Logic() | ir.Extreme() if len(expr.operands) < 2:
                self.fail(expr, "fewer than two operands")
            case ir.Component() if isinstance(expr.tuple.type, types.Tuple):
                if not 0 <= expr.index < len(expr.tuple.type.items):
                    self.fail(expr, "the position is outside the tuple")
            case ir.RecordDisplay():
                if not isinstance(expr.type, types.Record) or len(expr.type.fields) != len(expr.values):
                    self.fail(expr, "the values are not those of the record's fields")
            case ir.Field():
                if all(record.field(expr.name) is None for record in types.alternatives(expr.record.type)):
                    self.fail(expr, f"no {expr.record.type} has the field {expr.name}")
            case ir.Unwrap() if isinstance(expr.optional.type, types.Optional):
                if expr.optional.type.item != expr.type:
                    self.fail(expr, f"a {expr.optional.type} holds no {expr.type}")
            case _:
                pass


def fits(kind: types.Type, wanted: types.Type) -> bool:
    """Whether values of a type may stand where another is declared: an item for an optional, a record for a union."""
    if kind == wanted:
        return True
    match kind, wanted:
        case types.Union(), types.Union():
            return set(kind.alternatives) <= set(wanted.alternatives)
        case types.Optional(item), types.Optional(other):
            return fits(item, other)
        case _, types.Optional(item):
            return isinstance(kind, types.Nothing) or fits(kind, item)
        case types.Record(), types.Union():
            return kind in wanted.alternatives
        case (types.Set(a), types.Set(b)) | (types.Sequence(a), types.Sequence(b)):
            return isinstance(a, types.Never) or fits(a, b)
        case types.Tuple(a), types.Tuple(b):
            return len(a) == len(b) and all(map(fits, a, b))
        case types.Tuple(()), types.Sequence():
            return True
        case types.Function(k, v), types.Function(k2, v2):
            return fits(k, k2) and fits(v, v2)
        case _:
            return False


def _element(kind: types.Type) -> types.Type | None:
    match kind:
        case types.Set(element) | types.Sequence(element):
            return element
        case types.Range():
            return INT
        case types.Tuple(()):
            return types.NEVER
        case _:
            return None


_COLLECTION = (types.Set, types.Sequence, types.Range)
_RECORD = (types.Record, types.Union)

_RESULTS: Mapping[type, types.Type] = {
    **dict.fromkeys((ir.Not, ir.Logic, ir.Compare, ir.Equal, ir.Member, ir.Subset, ir.Quantifier, ir.IsInstance), BOOL),
    **dict.fromkeys((ir.Negate, ir.Absolute, ir.Arithmetic, ir.Extreme, ir.Aggregate, ir.Size), INT),
    ir.RangeOf: RANGE,
}


def _operands(expr: ir.Expr) -> list[tuple[ir.Expr, type | tuple[type, ...]]]:
    """The operands of a node with the classes of types that they may have, where that is fixed."""
    match expr:
        case ir.Not(operand=operand):
            return [(operand, types.Bool)]
        case ir.Logic(operands=operands):
            return [(operand, types.Bool) for operand in operands]
        case ir.IfElse(condition=condition):
            return [(condition, types.Bool)]
        case ir.Negate(operand=operand) | ir.Absolute(operand=operand):
            return [(operand, types.Int)]
        case ir.Arithmetic(left=left, right=right) | ir.Compare(left=left, right=right):
            return [(left, types.Int), (right, types.Int)]
        case ir.RangeOf(start=start, stop=stop):
            return [(start, types.Int), (stop, types.Int)]
        case ir.Extreme(operands=operands):
            return [(operand, types.Int) for operand in operands]
        case ir.Member(collection=collection):
            return [(collection, (*_COLLECTION, types.Function))]
        case ir.Size(collection=collection) | ir.SetOf(collection=collection):
            return [(collection, _COLLECTION)]
        case ir.Subset(left=left, right=right) | ir.SetOperation(left=left, right=right):
            return [(left, types.Set), (right, types.Set)]
        case ir.Component(tuple=inner):
            return [(inner, types.Tuple)]
        case ir.Index(sequence=sequence, index=index):
            return [(sequence, types.Sequence), (index, types.Int)]
        case ir.Slice(sequence=sequence, start=start, stop=stop):
            bounds = [bound for bound in (start, stop) if bound is not None]
            return [(sequence, types.Sequence), *((bound, types.Int) for bound in bounds)]
        case ir.Concatenate(left=left, right=right):
            return [(left, types.Sequence), (right, types.Sequence)]
        case ir.Field(record=record) | ir.Replace(record=record) | ir.IsInstance(record=record):
            return [(record, _RECORD)]
        case ir.Apply(function=function) | ir.FunctionUpdate(function=function):
            return [(function, types.Function)]
        case ir.Unwrap(optional=optional):
            return [(optional, types.Optional)]
        case _:
            return []
