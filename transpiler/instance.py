"""A protocol with its constants given values: domains become finite sets, initial values are checked to lie in them."""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from . import domains, ir, traverse
from . import valuetypes as types
from .diagnostics import Code, CompileError, Diagnostic, Span
from .domains import Domain
from .interpreter import Undefined, evaluate_constant


@dataclass(frozen=True, slots=True)
class Instance:
    """What an engine checks.

    `parameters` maps (action name, parameter name) to a domain, with "" as the action name for the choices of init.
    `abstract` is the instance of what the protocol refines, with the constants that the abstractions give it.
    """

    protocol: ir.Protocol
    constants: Mapping[str, Any]
    variables: Mapping[str, Domain]
    parameters: Mapping[tuple[str, str], Domain]
    abstract: Instance | None = None


def instantiate(protocol: ir.Protocol, constants: Mapping[str, Any] | None = None) -> Instance:
    """Give the constants their values (defaults where none is named) and evaluate every domain.

    Raises `CompileError` where a constant is unknown or of the wrong type, a domain is empty or unbounded, an initial
    value lies outside its domain, or a function display does not cover its domain.
    """
    work = _Instantiation(protocol)
    work.take_constants(constants or {})
    if work.diagnostics:
        # Domains are evaluated for the constants: what is said about them would only repeat what is wrong with those.
        raise CompileError(work.diagnostics)
    for constant in protocol.constants:
        work.check_constant(constant)
    for variable in protocol.variables:
        work.add_variable(variable)
    for owner, parameter in _parameters(protocol):
        domain = work.domain(parameter.domain)
        if domain is not None:
            work.parameters[owner, parameter.name] = domain
    for function, domain in _assigned(protocol, work.variables):
        work.check_coverage(function, domain)
    abstract = work.abstract()
    if work.diagnostics:
        raise CompileError(work.diagnostics)
    return replace(work.instance(), abstract=abstract)


def evaluate_domain(domain: ir.DomainExpr, instance: Instance) -> Domain:
    """A domain with its bounds evaluated for the constants of an instance; raises `interpreter.Undefined`."""

    def inner(item: ir.DomainExpr) -> Domain:
        return evaluate_domain(item, instance)

    match domain:
        case ir.BoolSet():
            return domains.BoolDomain()
        case ir.IntSet():
            low, high = evaluate_constant(domain.low, instance), evaluate_constant(domain.high, instance)
            return domains.IntDomain(low, high)
        case ir.LiteralSet():
            return domains.ChoiceDomain(domain.members, types.STR)
        case ir.EnumSet():
            return domains.ChoiceDomain(domain.enumeration.members, domain.enumeration)
        case ir.MemberSet():
            members = evaluate_constant(domain.members, instance)
            kind = domain.members.type
            element = kind.element if isinstance(kind, types.Set | types.Sequence) else types.NEVER
            return domains.ChoiceDomain(tuple(sorted(members, key=natural_order)), element)
        case ir.OptionalSet():
            return domains.OptionalDomain(inner(domain.item))
        case ir.PowerSet():
            return domains.SetDomain(inner(domain.element))
        case ir.TupleSet():
            return domains.TupleDomain(tuple(map(inner, domain.items)))
        case ir.SequenceSet():
            low = evaluate_constant(domain.min_length, instance)
            high = evaluate_constant(domain.max_length, instance)
            return domains.SequenceDomain(inner(domain.element), low, high)
        case ir.FunctionSet():
            return domains.FunctionDomain(inner(domain.key), inner(domain.value))
        case ir.RecordSet():
            return _record_domain(domain, instance)
        case ir.UnionSet():
            return domains.UnionDomain(tuple(_record_domain(item, instance) for item in domain.alternatives))
        case _:
            assert_never(domain)


def _record_domain(domain: ir.RecordSet, instance: Instance) -> domains.RecordDomain:
    fields = tuple((name, evaluate_domain(item, instance)) for name, item in domain.fields)
    return domains.RecordDomain(domain.record, fields)


def natural_order(value: Any) -> tuple[Any, ...]:
    """A key that sorts the members of one constant set: numbers by value, "t2" before "t10", Enums as declared."""
    match value:
        case None:
            return (0,)
        case enum.Enum():
            return (1, list(type(value)).index(value))
        case int():
            return (2, value)
        case str():
            # Split into text and digits; text stands at even places throughout, so that parts are comparable.
            parts = re.split(r"(\d+)", value)
            return (3, tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), value)
        case tuple():
            return (4, tuple(map(natural_order, value)))
        case _:
            return (5, domains.show(value))


def is_empty(domain: Domain) -> bool:
    """Whether a domain has no value; unlike `domains.size` it never computes the size of a power set."""
    match domain:
        case domains.BoolDomain() | domains.OptionalDomain() | domains.SetDomain():
            return False
        case domains.IntDomain(low, high):
            return low > high
        case domains.ChoiceDomain(members):
            return not members
        case domains.TupleDomain(items):
            return any(map(is_empty, items))
        case domains.SequenceDomain(element, low, high):
            return high < max(low, 0) or (low > 0 and is_empty(element))
        case domains.FunctionDomain(key, value):
            return is_empty(value) and not is_empty(key)
        case domains.RecordDomain(_, fields):
            return any(is_empty(item) for _, item in fields)
        case domains.UnionDomain(records):
            return all(map(is_empty, records))
        case _:
            assert_never(domain)


def fits(kind: types.Type, value: Any) -> bool:
    """Whether a canonical value is of a type, whatever the bounds of its domain."""
    match kind:
        case types.Bool():
            return isinstance(value, bool)
        case types.Int():
            # Not the members of an IntEnum: they are values of their class.
            return type(value) is int
        case types.Str() | types.Model():
            return type(value) is str
        case types.Enumeration(python):
            return isinstance(value, python)
        case types.Nothing():
            return value is None
        case types.Never():
            return False
        case types.Optional(item):
            return value is None or fits(item, value)
        case types.Set(element):
            return isinstance(value, frozenset) and all(fits(element, member) for member in value)
        case types.Tuple(items):
            return isinstance(value, tuple) and len(value) == len(items) and all(map(fits, items, value))
        case types.Sequence(element):
            return isinstance(value, tuple) and all(fits(element, member) for member in value)
        case types.Range():
            return isinstance(value, range)
        case types.Function(key, item):
            return isinstance(value, dict) and all(fits(key, k) and fits(item, v) for k, v in value.items())
        case types.Record(python, fields):
            return type(value) is python and all(fits(item, getattr(value, name)) for name, item in fields)
        case types.Union(records):
            return any(fits(record, value) for record in records)
        case _:
            assert_never(kind)


@dataclass
class _Instantiation:
    """What is known so far, and what is wrong so far."""

    protocol: ir.Protocol
    constants: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Domain] = field(default_factory=dict)
    parameters: dict[tuple[str, str], Domain] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def instance(self) -> Instance:
        return Instance(self.protocol, self.constants, self.variables, self.parameters)

    def report(self, code: Code, span: Span, message: str, reason: str = "", remedy: str = "") -> None:
        diagnostic = Diagnostic(code, span, message, reason, remedy)
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)

    def take_constants(self, given: Mapping[str, Any]) -> None:
        known = [constant.name for constant in self.protocol.constants]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                remedy = f"did you mean `{near[0]}`?" if near else _list_of("the constants are", known)
                self.report(
                    Code.CONSTANT, self.protocol.span, f"{self.protocol.name} has no constant `{name}`", remedy=remedy
                )
        for constant in self.protocol.constants:
            value = domains.canonical(given.get(constant.name, constant.default))
            self.constants[constant.name] = value
            if not fits(constant.type, value):
                message = f"{domains.show(value)} is no value for the constant `{constant.name}`"
                self.report(Code.CONSTANT, constant.span, message, f"its type is {constant.type}")
            elif constant.symmetric and not value:
                self.report(Code.CONSTANT, constant.span, f"the symmetric constant `{constant.name}` has no members")

    def check_constant(self, constant: ir.Constant) -> None:
        if constant.domain is None:
            return
        domain = self.domain(constant.domain)
        value = self.constants[constant.name]
        if domain is not None and not domains.contains(domain, value):
            message = f"the constant `{constant.name}` cannot be {domains.show(value)}"
            self.report(Code.CONSTANT, constant.span, message, f"its domain is {domain}")

    def add_variable(self, variable: ir.Variable) -> None:
        domain = self.domain(variable.domain)
        if domain is None:
            return
        self.variables[variable.name] = domain
        if is_empty(domain):
            reason = f"it is {domain}" + self._for_constants()
            self.report(Code.DOMAIN, variable.span, f"the domain of `{variable.name}` is empty", reason)
        elif variable.initial is not None:
            self.check_initial(variable, variable.initial, domain)

    def check_initial(self, variable: ir.Variable, initial: ir.Expr, domain: Domain) -> None:
        try:
            value = evaluate_constant(initial, self.instance())
        except Undefined as undefined:
            message = f"the initial value of `{variable.name}` is undefined"
            self.report(Code.DOMAIN, undefined.span, message, undefined.reason + self._for_constants())
            return
        if not domains.contains(domain, value):
            message = f"the initial value {domains.show(value)} of `{variable.name}` is outside its domain"
            self.report(Code.DOMAIN, variable.span, message, f"the domain is {domain}" + self._for_constants())

    def domain(self, domain: ir.DomainExpr) -> Domain | None:
        """The domain evaluated, or None with a diagnostic where a bound has no value."""
        try:
            return evaluate_domain(domain, self.instance())
        except Undefined as undefined:
            message = "a bound of this domain has no value"
            self.report(Code.DOMAIN, undefined.span, message, undefined.reason + self._for_constants())
            return None

    def check_coverage(self, function: ir.FunctionDisplay | ir.FunctionComprehension, key: Domain) -> None:
        """A function written out in full must have exactly the keys of its domain, as far as constants tell."""
        keys = [function.source] if isinstance(function, ir.FunctionComprehension) else [k for k, _ in function.entries]
        if not all(traverse.is_constant(item, self.protocol) for item in keys):
            return
        try:
            found = [evaluate_constant(item, self.instance()) for item in keys]
        except Undefined:
            return  # an obligation of well_defined, where it is evaluated
        given = set(found[0]) if isinstance(function, ir.FunctionComprehension) else set(found)
        beyond = [value for value in given if not domains.contains(key, value)]
        if beyond:
            message = f"{domains.show(min(beyond, key=natural_order))} is outside the domain of this function"
            self.report(Code.DOMAIN, function.span, message, f"its keys are {key}" + self._for_constants())
        elif len(given) < domains.size(key):
            missing = next(value for value in domains.values(key) if value not in given)
            message = f"this function has no value for {domains.show(missing)}"
            reason = f"it must have a value for every key: {key}" + self._for_constants()
            self.report(Code.DOMAIN, function.span, message, reason)

    def abstract(self) -> Instance | None:
        """The instance of what is refined; None, with diagnostics, where its constants cannot have these values."""
        refinement = self.protocol.refinement
        if refinement is None or self.diagnostics:
            return None
        values: dict[str, Any] = {}
        for item in refinement.constants:
            try:
                values[item.name] = evaluate_constant(item.value, self.instance())
            except Undefined as undefined:
                message = f"the abstraction of the constant `{item.name}` has no value"
                self.report(Code.REFINEMENT, item.span, message, undefined.reason + self._for_constants())
        if self.diagnostics:
            return None
        try:
            return instantiate(refinement.abstract, values)
        except CompileError as error:
            first = error.diagnostics[0]
            shown = ", ".join(f"{name} = {domains.show(value)}" for name, value in values.items())
            message = f"{refinement.abstract.name}, which is refined, cannot have the constants {shown}"
            self.report(Code.REFINEMENT, refinement.span, message, f"{first.span}: {first.message}")
            return None

    def _for_constants(self) -> str:
        if not self.constants:
            return ""
        return " for " + ", ".join(f"{name} = {domains.show(value)}" for name, value in self.constants.items())


def _list_of(prefix: str, names: list[str]) -> str:
    return f"{prefix} {', '.join(names)}" if names else ""


def _parameters(protocol: ir.Protocol) -> Iterator[tuple[str, ir.Parameter]]:
    yield from (("", parameter) for parameter in protocol.init.parameters)
    for action in protocol.actions:
        yield from ((action.name, parameter) for parameter in action.parameters)


def _assigned(
    protocol: ir.Protocol, variables: Mapping[str, Domain]
) -> Iterator[tuple[ir.FunctionDisplay | ir.FunctionComprehension, Domain]]:
    """Every function display and comprehension that becomes (part of) a state variable's value, with its key domain."""
    for variable in protocol.variables:
        if variable.initial is not None and variable.name in variables:
            yield from _functions_in(variable.initial, variables[variable.name])
    for updates in (protocol.init.updates, *(action.updates for action in protocol.actions)):
        for update in updates:
            if update.variable in variables:
                yield from _functions_in(update.value, variables[update.variable])


def _functions_in(
    expr: ir.Expr, domain: Domain
) -> Iterator[tuple[ir.FunctionDisplay | ir.FunctionComprehension, Domain]]:
    match expr, domain:
        case ir.IfElse(), _:
            yield from _functions_in(expr.then, domain)
            yield from _functions_in(expr.orelse, domain)
        case ir.Let(), _:
            yield from _functions_in(expr.body, domain)
        case _, domains.OptionalDomain(item):
            yield from _functions_in(expr, item)
        case ir.FunctionComprehension(), domains.FunctionDomain(key, value):
            yield expr, key
            yield from _functions_in(expr.value, value)
        case ir.FunctionDisplay(), domains.FunctionDomain(key, value):
            yield expr, key
            for _, entry in expr.entries:
                yield from _functions_in(entry, value)
        case ir.FunctionUpdate(), domains.FunctionDomain(_, value):
            for _, entry in expr.entries:
                yield from _functions_in(entry, value)
        case ir.RecordDisplay(), domains.RecordDomain(_, fields):
            for part, (_, inner) in zip(expr.values, fields, strict=True):
                yield from _functions_in(part, inner)
        case ir.TupleDisplay(), domains.TupleDomain(items):
            for part, inner in zip(expr.elements, items, strict=True):
                yield from _functions_in(part, inner)
        case ir.TupleDisplay(), domains.SequenceDomain(element):
            for part in expr.elements:
                yield from _functions_in(part, element)
        case _:
            return
